"""The transport: the proxies that httpx would take, and no connection that two processes share."""

import subprocess
import sys
from collections.abc import Mapping

import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.transport import Transport
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
    with pytest.raises(ArgumentError, match=r"HTTPS_PROXY or ALL_PROXY\) is not a proxy's URL") as caught:
        NeptunClient(CANARY, 1)
    assert "hunter2" not in str(caught.value)


def test_a_socks_proxy_says_which_package_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1080")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ArgumentError, match=r"pip install 'httpx\[socks\]'"):
        NeptunClient(CANARY, 1)


def test_plain_http_does_not_leave_this_machine_by_way_of_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.test:3128")
    with pytest.raises(ArgumentError, match=r"through a proxy on another machine.*NO_PROXY.*allow_http=True"):
        NeptunClient(CANARY, 1, base_url="http://127.0.0.1:3000")
    NeptunClient(CANARY, 1, base_url="http://127.0.0.1:3000", allow_http=True).close()
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:3128")
    NeptunClient(CANARY, 1, base_url="http://127.0.0.1:3000").close()
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    NeptunClient(CANARY, 1, base_url="https://neptun.test").close()


def test_in_a_plain_httpx_client_it_is_httpxs_own_transport(neptun: Sandbox) -> None:
    url = httpx.URL(neptun.base_url)
    with httpx.Client(transport=Transport(url, allow_http=False), timeout=5) as client:
        assert client.get(url).status_code == 404


def test_a_process_without_fork_can_import_the_sdk() -> None:
    code = "import httpx, os; del os.register_at_fork; import neptun_sdk"
    subprocess.run([sys.executable, "-c", code], check=True)
