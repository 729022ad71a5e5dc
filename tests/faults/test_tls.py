"""TLS as httpx's users know it: an untrusted server gets no request, and ``SSL_CERT_FILE`` names further CAs."""

import os
import socket
import ssl
import time
from pathlib import Path

import pytest
import trustme

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, NeptunTimeoutError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, response, serves, until_closed

TIMEOUT = 60  # seconds; nothing here takes any


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def trusted(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trust the test's own authority, as a company does with its own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))


@pytest.mark.usefixtures("trusted")
def test_a_private_authority_is_trusted_by_ssl_cert_file(authority: trustme.CA) -> None:
    with (
        RawServer(serves(response()), tls=server_context(authority, "127.0.0.1")) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
    ):
        for _ in range(2):
            assert client.update_project(123, name="New name").id == 123
        assert server.connections == 1


UNTRUSTED = {
    "an authority that is not trusted": (False, "127.0.0.1", "SSL_CERT_FILE.*CERTIFICATE_VERIFY_FAILED"),
    "another host": (True, "elsewhere.test", r"certificate is not valid for '127\.0\.0\.1'"),
}


@pytest.mark.parametrize(("trusts", "name", "pattern"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_a_server_that_is_not_trusted_gets_no_request(
    trusts: bool, name: str, pattern: str, authority: trustme.CA, request: pytest.FixtureRequest
) -> None:
    if trusts:
        request.getfixturevalue("trusted")
    with (
        RawServer(serves(response()), tls=server_context(authority, name)) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=TIMEOUT, max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match=pattern) as caught,
    ):
        client.update_project(123, name="New name")
    assert caught.value.applied is False


def test_a_handshake_that_stalls_ends_at_the_deadline() -> None:
    def stalls(connection: socket.socket) -> None:
        connection.recv(65_536)  # the client's half of it
        until_closed(connection)

    with (
        RawServer(stalls) as server,
        NeptunClient(CANARY, 1, base_url=f"https://127.0.0.1:{server.port}", timeout=0.3) as client,
    ):
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError, match="ConnectTimeout") as caught:
            client.update_project(123, name="New name")
        assert time.monotonic() - began < TIMEOUT / 2
    assert caught.value.applied is False


def tls_context() -> ssl.SSLContext | None:
    """Return the TLS context of a new client."""
    with NeptunClient(CANARY, 1) as client:
        transport = client._connections._own_transport
        assert transport is not None
        return transport._pool._ssl_context


def test_clients_share_one_tls_context() -> None:
    """Making one takes longer than many calls."""
    assert tls_context() is tls_context() is not None


def test_clients_with_a_ca_file_share_a_context_of_their_own(ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = tls_context()
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    assert tls_context() is tls_context() is not without


@pytest.mark.usefixtures("trusted")
def test_a_renewed_ca_file_counts_for_new_clients(ca_file: Path) -> None:
    before = tls_context()
    os.utime(ca_file, (1, 1))
    assert tls_context() is not before


@pytest.mark.usefixtures("trusted")
def test_another_ca_file_counts_for_new_clients(ca_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if both were written at the same time."""
    os.utime(ca_file, (1, 1))
    before = tls_context()
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    os.utime(tmp_path / "other.pem", (1, 1))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    assert tls_context() is not before


@pytest.mark.parametrize("name", ["SSL_CERT_DIR", "SSLKEYLOGFILE"])
def test_the_other_variables_of_tls_count_too(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tls_context()
    with monkeypatch.context() as changed:
        changed.setenv(name, str(tmp_path / "elsewhere"))
        assert tls_context() is not before
    assert tls_context() is before


@pytest.mark.parametrize("content", [None, "no certificate"], ids=["no file", "no certificate in it"])
def test_an_ssl_cert_file_that_cannot_be_used_is_refused(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1)
    begins = "the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read ("
    ends = "); correct the variable, or unset it to trust the public CAs."
    assert str(caught.value).startswith(begins)
    assert str(caught.value).endswith(ends)
    assert str(caught.value)[len(begins) : -len(ends)] not in ("", "None")
