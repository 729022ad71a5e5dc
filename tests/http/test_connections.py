"""Connections: through httpx's own client and transport, without its cookies and redirects."""

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpcore
import httpx
import pytest

from neptun_sdk import NeptunClient, ResponseError
from tests.conftest import CANARY, PROJECT, ClientFor
from tests.faults.raw_server import RawServer, response, serves
from tests.http.servers import update

OK = {"project": PROJECT}


@pytest.mark.usefixtures("no_waits")
@pytest.mark.parametrize("method", ["httpx.Client.send", "httpx.HTTPTransport.handle_request"])
def test_every_attempt_goes_through_what_monitoring_tools_hook(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry, Datadog and New Relic replace the first; OpenTelemetry, respx and pytest-httpx the second."""
    owner = {"httpx.Client.send": httpx.Client, "httpx.HTTPTransport.handle_request": httpx.HTTPTransport}[method]
    name = method.rpartition(".")[2]
    original: Callable[..., httpx.Response] = getattr(owner, name)
    statuses: list[int] = []

    def counted(self: object, *arguments: object, **options: object) -> httpx.Response:
        result = original(self, *arguments, **options)
        statuses.append(result.status_code)
        return result

    with (
        RawServer(serves(response(b"", "503 Busy"), response(b"", "429 Busy"), response())) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url) as client,
    ):
        monkeypatch.setattr(owner, name, counted)
        update(client)
    assert statuses == [503, 429, 200]


def test_a_cookie_that_a_response_sets_is_neither_sent_nor_kept(
    client_for: ClientFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookies: list[str] = []
    kept: list[object] = []
    send = httpx.Client.send

    def watched(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        found = send(self, request, **options)
        kept.extend(self.cookies.jar)
        return found

    def respond(request: httpx.Request) -> httpx.Response:
        cookies.append(request.headers["Cookie"])
        set_cookies = [("Set-Cookie", "neptun-session=another; Path=/"), ("Set-Cookie", "theme=dark")]
        return httpx.Response(200, json=OK, headers=set_cookies)

    monkeypatch.setattr(httpx.Client, "send", watched)
    client = client_for(respond)
    for _ in range(2):
        update(client)
    assert cookies == [f"neptun-session={CANARY}"] * 2
    assert kept == []


LOCATIONS = {
    "another host": "https://elsewhere.test/api/users/1/projects/123",
    "a path": "/elsewhere",
    "no URL": "https://host:port/",
    "an empty A-label": "https://xn--/",
    "another scheme": "ftp://elsewhere.test/",
    "letters outside ASCII": "https://nëptun.test/é",
    "nothing": "",
    "control characters": "https://elsewhere.test/\x01",
    "70,000 characters": f"/{'a' * 70_000}",
}


@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_its_location_is_kept(status: int, location: str, client_for: ClientFor) -> None:
    """httpx builds the next request even if it does not follow, and raises its own errors if it cannot."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(status, headers=[(b"Location", location.encode())])

    with pytest.raises(ResponseError, match="redirects are not followed") as caught:
        update(client_for(respond))
    assert len(requests) == 1
    assert caught.value.status_code == status
    assert caught.value.headers["location"] == location


@pytest.mark.usefixtures("no_waits")
def test_a_location_on_another_status_is_kept_too(client_for: ClientFor) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(201, headers={"Location": "/new"})

    with pytest.raises(ResponseError) as caught:
        update(client_for(respond))
    assert caught.value.headers["location"] == "/new"


PRIVATE = {
    "_pool": httpx.HTTPTransport,  # set to a pool that has our backend
    "_optional_thread_lock": httpcore.ConnectionPool,  # set to a lock that no interrupt leaves taken
}


@pytest.mark.parametrize(("name", "owner"), PRIVATE.items(), ids=PRIVATE)
def test_a_private_name_that_is_set_still_exists(name: str, owner: Callable[[], object]) -> None:
    """A new version of httpx or httpcore may use another: `connections.py` and `pool.py` then set it in vain."""
    assert hasattr(owner(), name)


def test_the_loggers_of_httpx_are_left_alone_until_the_first_client() -> None:
    code = """
import logging
import neptun_sdk
names = ("httpx", "httpcore.http11")
before = [logging.getLogger(name).filters[:] for name in names]
for _ in range(2):
    neptun_sdk.NeptunClient("a-session-cookie", 1, base_url="http://127.0.0.1:9").close()
print(before, [len(logging.getLogger(name).filters) for name in names])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[[], []] [1, 1]\n"


class TimeLimit(Exception):
    """What the signal handler of a task queue raises."""


def test_a_time_limit_ends_the_call_and_shows_no_cookie(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a failure of the connection it would be retried, and the task would go on."""
    attempts: list[httpx.Request] = []

    def over(_: object, request: httpx.Request) -> httpx.Response:
        attempts.append(request)
        raise TimeLimit(f"while sending {CANARY}")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", over)
    with (
        NeptunClient(CANARY, 1, base_url="http://127.0.0.1") as client,
        pytest.raises(TimeLimit, match=r"^while sending \*\*\*\n"),
    ):
        update(client)
    assert len(attempts) == 1


def test_a_transport_of_the_callers_own_may_change_the_headers() -> None:
    """A recorder takes the cookie off the request, before it writes that down."""

    def respond(request: httpx.Request) -> httpx.Response:
        del request.headers["Cookie"]
        return httpx.Response(200, json=OK)

    transport = httpx.MockTransport(respond)
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport) as client:
        assert update(client) == 123


def test_a_mock_of_httpcores_pool_needs_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """As respx is one."""
    content = json.dumps({"project": PROJECT}).encode()
    monkeypatch.setattr(httpcore.ConnectionPool, "handle_request", lambda *_: httpcore.Response(200, content=content))
    with NeptunClient(CANARY, 1, base_url="http://127.0.0.1:9") as client:
        assert client.update_project(123, name="New name").name == "New name"
