"""TLS as httpx's users know it: an untrusted server gets no request, and ``SSL_CERT_FILE`` names further CAs."""

import os
import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError, NeptunTimeoutError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, response, serves, until_closed
from tests.http.servers import HOST, PATIENCE, server_context, update

UNTRUSTED = {
    "an authority that is not trusted": (False, "127.0.0.1", "SSL_CERT_FILE"),
    "another host": (True, "elsewhere.test", r"127\.0\.0\.1"),
}


@pytest.mark.parametrize(("trusts", "name", "pattern"), UNTRUSTED.values(), ids=UNTRUSTED)
def test_a_server_that_is_not_trusted_gets_no_request(
    trusts: bool, name: str, pattern: str, authority: trustme.CA, request: pytest.FixtureRequest
) -> None:
    received: list[bytes] = []
    if trusts:
        request.getfixturevalue("trusted")
    with (
        RawServer(lambda it: received.append(it.recv(1)), tls=server_context(authority, name)) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE, max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match=pattern) as caught,
    ):
        update(client)
    assert caught.value.applied is False
    assert b"".join(received) == b""


def test_a_handshake_that_stalls_ends_at_the_deadline() -> None:
    def stalls(connection: socket.socket) -> None:
        connection.recv(65_536)  # the client's half of it
        until_closed(connection)

    with (
        RawServer(stalls) as server,
        NeptunClient(CANARY, 1, base_url=f"https://127.0.0.1:{server.port}", timeout=0.3) as client,
    ):
        began = time.monotonic()
        with pytest.raises(NeptunTimeoutError) as caught:
            update(client)
        assert time.monotonic() - began < PATIENCE / 2
    assert caught.value.applied is False


def test_a_name_that_no_certificate_can_be_for_is_a_failure_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's TLS refuses it with an exception that is not one of the connection."""
    look_up = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _, *rest, **options: look_up("127.0.0.1", *rest, **options))
    with (
        RawServer(until_closed) as server,
        NeptunClient(CANARY, 1, base_url=f"https://neptun..test:{server.port}", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match="cannot connect to ") as caught,
    ):
        update(client)
    assert caught.value.applied is False


@pytest.fixture
def contexts(monkeypatch: pytest.MonkeyPatch) -> list[ssl.SSLContext]:
    """Every TLS context that is made from here on."""
    made: list[ssl.SSLContext] = []
    create = ssl.SSLContext.__new__

    def counted(cls: type[ssl.SSLContext], *arguments: Any, **options: Any) -> ssl.SSLContext:
        made.append(create(cls, *arguments, **options))
        return made[-1]

    monkeypatch.setattr(ssl.SSLContext, "__new__", counted)
    return made


NEEDS_TLS: dict[str, tuple[str, str | None, int]] = {
    "plain http": ("http://127.0.0.1:9", None, 0),
    "plain http through a plain proxy": (f"http://{HOST}", "http://proxy.test:1", 0),
    "plain http through a proxy with TLS": (f"http://{HOST}", "https://proxy.test:1", 1),
    "https": (f"https://{HOST}", None, 1),
    "https through a plain proxy": (f"https://{HOST}", "http://proxy.test:1", 1),
    "https through a proxy with TLS": (f"https://{HOST}", "https://proxy.test:1", 1),
}


@pytest.mark.parametrize(("base_url", "proxy", "expected"), NEEDS_TLS.values(), ids=NEEDS_TLS)
def test_certificates_are_loaded_once_and_only_if_there_is_tls(
    base_url: str,
    proxy: str | None,
    expected: int,
    contexts: list[ssl.SSLContext],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Loading them takes as long as many calls."""
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # no other client has used it
    for _ in range(2):
        NeptunClient(CANARY, 1, base_url=base_url, allow_http=True, proxy=proxy).close()
    assert len(contexts) == expected


def test_a_context_of_the_callers_own_is_the_only_one(
    authority: trustme.CA, contexts: list[ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "is not read"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    server_tls = server_context(authority, "127.0.0.1")
    contexts.clear()
    with (
        RawServer(serves(response()), tls=server_tls) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url, timeout=PATIENCE, ssl_context=context) as client,
    ):
        assert [update(client), update(client)] == [123] * 2
        assert server.connections == 1
    assert contexts == []


CHANGES: dict[str, Mapping[str, str]] = {
    "SSL_CERT_DIR": {"SSL_CERT_DIR": "other"},
    "SSLKEYLOGFILE": {"SSLKEYLOGFILE": "keys"},
    "another CA file of the same age": {"SSL_CERT_FILE": "other.pem"},
    "the same file, renewed": {},
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_the_trusted_authorities_counts_for_new_clients(
    change: Mapping[str, str], contexts: list[ssl.SSLContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ca.pem", "other.pem"):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / name))
        os.utime(tmp_path / name, (1, 1))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    NeptunClient(CANARY, 1, base_url=f"https://{HOST}").close()
    for name, value in change.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    if not change:
        os.utime(tmp_path / "ca.pem", (2, 2))
    NeptunClient(CANARY, 1, base_url=f"https://{HOST}").close()
    assert len(contexts) == 2


CERTIFICATES = "the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read ("
UNUSABLE = {
    "no file": ("SSL_CERT_FILE", None, CERTIFICATES),
    "no certificate in it": ("SSL_CERT_FILE", "no certificate", CERTIFICATES),
    "keys that cannot be written": ("SSLKEYLOGFILE", None, "SSLKEYLOGFILE cannot be written ("),
}


@pytest.mark.parametrize(("variable", "content", "begins"), UNUSABLE.values(), ids=UNUSABLE)
def test_a_variable_of_tls_that_cannot_be_used_is_named(
    variable: str, content: str | None, begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable == "SSLKEYLOGFILE" and httpx.__name__ == "httpx2":
        pytest.skip("httpx2 does not read it")
    path = tmp_path / "missing" / "file"
    if content is not None:
        path.parent.mkdir()
        path.write_text(content)
    monkeypatch.setenv(variable, str(path))
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1, base_url=f"https://{HOST}")
    assert str(caught.value).startswith(begins)
    assert "correct the variable, or unset it" in str(caught.value)
