"""The transport: the proxies that httpx would take, and no connection that two processes share."""

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import httpcore
import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient, NeptunConnectionError
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.transport import Deadline, Transport, _Network, _Stream
from tests.conftest import CANARY


def proxy_of_ours(url: str) -> str | None:
    transport = Transport(httpx.URL(url), allow_http=True)
    return None if transport._proxy is None else str(transport._proxy.url)


def proxy_of_httpx(url: str) -> str | None:
    with httpx.Client() as client:
        pool = client._transport_for_url(httpx.URL(url))._pool  # type: ignore[attr-defined]
    found = getattr(pool, "_proxy_url", None)
    return None if found is None else f"{found.scheme.decode()}://{found.host.decode()}:{found.port}"


@pytest.mark.parametrize("url", ["https://neptun.test", "http://neptun.test", "http://127.0.0.1:3000", "https://[::1]"])
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"HTTPS_PROXY": "http://proxy.test:1"},
        {"HTTP_PROXY": "http://proxy.test:2"},
        {"https_proxy": "http://proxy.test:3"},
        {"ALL_PROXY": "http://proxy.test:4"},
        {"ALL_PROXY": "http://proxy.test:4", "HTTPS_PROXY": "http://proxy.test:5"},
        {"ALL_PROXY": "proxy.test:6"},
        {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "neptun.test"},
        {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "elsewhere.test, test"},
        {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "*"},
        {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "127.0.0.1,::1"},
        {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "127.0.0.1:3000"},
        {"ALL_PROXY": "http://proxy.test:7", "NO_PROXY": "127.0.0.1:3001"},
        {"ALL_PROXY": "http://proxy.test:7", "no_proxy": "ptun.test"},
    ],
    ids=str,
)
def test_the_proxy_is_the_one_that_httpx_would_take(
    environment: Mapping[str, str], url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert proxy_of_ours(url) == proxy_of_httpx(url)


@pytest.mark.parametrize("value", ["ftp://user:hunter2@proxy.test", "http://user:hunter2@proxy.test:port"])
def test_a_proxy_variable_that_is_no_proxy_is_refused_without_its_password(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1)
    told = (
        "the proxy variable for https (such as HTTPS_PROXY or ALL_PROXY) is not a proxy's URL; it should look like "
        "http://host:port."
    )
    assert str(caught.value) == told


def test_a_socks_proxy_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1)
    assert str(caught.value) == "a SOCKS proxy needs one more package: pip install 'httpx[socks]'."


def test_plain_http_does_not_leave_this_machine_by_way_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    with pytest.raises(ArgumentError) as caught:
        NeptunClient(CANARY, 1, base_url="http://127.0.0.1:3000")
    told = (
        "base_url is plain http, and HTTP_PROXY or ALL_PROXY would send it through a proxy on another machine, where "
        "anyone on the way can read the session cookie: name the host in NO_PROXY, or set allow_http=True if the "
        "network is trusted."
    )
    assert str(caught.value) == told
    NeptunClient(CANARY, 1, base_url="http://127.0.0.1:3000", allow_http=True).close()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    NeptunClient(CANARY, 1, base_url="http://127.0.0.1:3000").close()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    NeptunClient(CANARY, 1, base_url="https://neptun.test").close()


def test_the_name_of_the_server_is_looked_up_and_its_address_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    tried: list[object] = []

    def look_up(*arguments: object, **options: object) -> list[object]:
        asked.append((arguments, options))
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 8443))]

    def refuse(address: object, *_: object, **__: object) -> None:
        tried.append(address)
        raise ConnectionRefusedError("refused by 192.0.2.7")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    monkeypatch.setattr(socket, "create_connection", refuse)
    with (
        NeptunClient(CANARY, 1, base_url="https://neptun.test:8443", max_retries=0) as client,
        pytest.raises(NeptunConnectionError, match=r"cannot connect to https://neptun\.test:8443 \(refused by 192"),
    ):
        client.update_project(1, name="x")
    assert asked == [(("neptun.test", 8443), {"type": socket.SOCK_STREAM})]
    assert tried == [("192.0.2.7", 8443)]


def test_a_name_that_stands_for_nothing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with NeptunClient(CANARY, 1, base_url="https://neptun.test", max_retries=0) as client:
        monkeypatch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(NeptunConnectionError, match=r"\(\[Errno -2\] Name or service not known\)"):
            client.update_project(1, name="x")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [])
        with pytest.raises(NeptunConnectionError, match=r"\(the name stands for no address\)"):
            client.update_project(1, name="x")


def test_an_operation_that_begins_after_the_deadline_fails_as_what_it_is() -> None:
    over = Deadline(time.monotonic() - 1)
    stream = _Stream(httpcore.MockStream([b"never read"]))
    context = ssl.create_default_context()
    operations: list[tuple[type[Exception], Callable[[], object]]] = [
        (httpcore.ConnectTimeout, lambda: _Network().connect_tcp("127.0.0.1", 9, over)),
        (httpcore.ConnectTimeout, lambda: stream.start_tls(context, "127.0.0.1", over)),
        (httpcore.WriteTimeout, lambda: stream.write(b"x", over)),
        (httpcore.ReadTimeout, lambda: stream.read(10, over)),
    ]
    for expected, operation in operations:
        with pytest.raises(expected, match=r"^the time of the call is over$"):
            operation()


def test_in_a_plain_httpx_client_it_is_httpxs_own_transport(neptun: Sandbox) -> None:
    url = httpx.URL(neptun.base_url)
    with httpx.Client(transport=Transport(url, allow_http=False), timeout=5) as client:
        assert client.get(url).status_code == 404


def test_a_process_without_fork_can_import_the_sdk() -> None:
    code = "import httpx, os; del os.register_at_fork; import neptun_sdk"
    subprocess.run([sys.executable, "-c", code], check=True)
