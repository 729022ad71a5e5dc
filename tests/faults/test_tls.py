"""TLS as httpx's users know it: who is not trusted gets nothing, and ``SSL_CERT_FILE`` says whom to trust besides."""

import os
import ssl
import time
from pathlib import Path

import pytest
import trustme

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError
from neptun_sdk.transport import Transport
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, answer, serves


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the test's own authority, the way a company does its own."""
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))


@pytest.mark.usefixtures("trusted")
def test_a_private_authority_is_trusted_by_ssl_cert_file(authority: trustme.CA) -> None:
    with (
        RawServer(serves(answer()), tls=server_context(authority, "127.0.0.1")) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
    ):
        for _ in range(2):
            assert client.update_project(123, name="New name").id == 123
        assert server.connections == 1


@pytest.mark.parametrize(
    ("trusts", "name", "words"),
    [
        (False, "127.0.0.1", "CERTIFICATE_VERIFY_FAILED.*SSL_CERT_FILE"),
        (True, "elsewhere.test", r"certificate is not valid for '127\.0\.0\.1'"),
    ],
    ids=["an authority that is not trusted", "another host"],
)
def test_a_certificate_that_does_not_hold_gets_no_request(
    trusts: bool, name: str, words: str, authority: trustme.CA, request: pytest.FixtureRequest
) -> None:
    if trusts:
        request.getfixturevalue("trusted")
    with (
        RawServer(serves(answer()), tls=server_context(authority, name)) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=5, max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match=words) as caught,
    ):
        client.update_project(123, name="New name")
    assert caught.value.applied is False


@pytest.mark.usefixtures("trusted")
def test_a_handshake_that_stalls_ends_at_the_deadline() -> None:
    with (
        RawServer(lambda connection: time.sleep(0.6)) as server,
        NeptunClient(CANARY, 1, base_url=f"https://127.0.0.1:{server.port}", timeout=0.3) as client,
    ):
        began = time.monotonic()
        with pytest.raises(NeptunConnectionError, match="ConnectTimeout") as caught:
            client.update_project(123, name="New name")
        assert time.monotonic() - began < 0.8
    assert caught.value.applied is False


def tls_of(client: NeptunClient) -> object:
    transport = client._server.transport
    assert isinstance(transport, Transport)
    return transport._pool._ssl_context


def test_clients_share_one_tls_context_until_what_it_is_made_from_changes(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = NeptunClient(CANARY, 1), NeptunClient(CANARY, 1)
    assert tls_of(first) is tls_of(second)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with_authority = tls_of(NeptunClient(CANARY, 1))
    assert with_authority is not tls_of(first)
    assert with_authority is tls_of(NeptunClient(CANARY, 1))
    os.utime(tmp_path / "ca.pem", (1, 1))
    renewed = tls_of(NeptunClient(CANARY, 1))
    assert renewed is not with_authority
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    os.utime(tmp_path / "other.pem", (1, 1))
    with monkeypatch.context() as changed:
        changed.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
        assert tls_of(NeptunClient(CANARY, 1)) is not renewed
    for name in ("SSL_CERT_DIR", "SSLKEYLOGFILE"):
        with monkeypatch.context() as changed:
            changed.setenv(name, str(tmp_path / "elsewhere"))
            assert tls_of(NeptunClient(CANARY, 1)) is not renewed
        assert tls_of(NeptunClient(CANARY, 1)) is renewed


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_an_ssl_cert_file_that_cannot_be_used_is_refused(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1)
    begins = "the certificates that SSL_CERT_FILE or SSL_CERT_DIR names cannot be read ("
    ends = "); correct the variable, or unset it to trust the public CAs."
    assert str(caught.value).startswith(begins)
    assert str(caught.value).endswith(ends)
    assert str(caught.value)[len(begins) : -len(ends)] != "None"
