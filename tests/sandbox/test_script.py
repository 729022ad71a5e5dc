"""Scripted responses, from Python and over HTTP, and the record of requests."""

import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import neptun_sdk
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox

PROJECT = "/api/users/1/projects/789"


@pytest.fixture
def http(neptun: Sandbox) -> Iterator[httpx.Client]:
    """A bare HTTP client with the first user's session."""
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(base_url=neptun.base_url, headers=headers) as client:
        yield client


@pytest.fixture(params=["Python", "HTTP"])
def fail_next(request: pytest.FixtureRequest, neptun: Sandbox, http: httpx.Client) -> Callable[..., object]:
    """`Sandbox.fail_next`, and the same over HTTP."""

    def over_http(**options: Any) -> None:
        response = http.post("/_sandbox/fail-next", json=options)
        if response.status_code == 400:
            raise ValueError(response.json()["message"])
        assert response.json() == {"ok": True}

    return neptun.fail_next if request.param == "Python" else over_http


def name(neptun: Sandbox) -> object:
    return neptun.project(789)["name"]


def test_scripted_errors_come_in_order_and_change_nothing(
    neptun: Sandbox, http: httpx.Client, fail_next: Callable[..., object]
) -> None:
    fail_next(status=503, times=2, retry_after=1)
    fail_next(status=599)
    responses = [http.patch(PROJECT, json={"name": "x"}) for _ in range(3)]
    assert [response.status_code for response in responses] == [503, 503, 599]
    assert [response.headers.get("Retry-After") for response in responses] == ["1", "1", None]
    assert [response.json()["message"] for response in responses] == [*2 * ["Service Unavailable"], "Error"]
    assert name(neptun) == "My project"
    assert http.patch(PROJECT, json={"name": "x"}).status_code == 200


def test_a_connection_is_closed_without_a_response_and_nothing_changes(
    neptun: Sandbox, http: httpx.Client, fail_next: Callable[..., object], capfd: pytest.CaptureFixture[str]
) -> None:
    fail_next(disconnect=True)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.patch(PROJECT, json={"name": "x"})
    assert name(neptun) == "My project"
    assert http.patch(PROJECT, json={"name": "x"}).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_response_can_be_lost_after_the_update_was_applied(
    neptun: Sandbox, http: httpx.Client, fail_next: Callable[..., object]
) -> None:
    fail_next(status=None, disconnect=True)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        http.patch(PROJECT, json={"name": "x"})
    assert name(neptun) == "x"
    assert [request.status for request in neptun.requests] == [None]


def test_a_response_as_usual_can_be_late(neptun: Sandbox, http: httpx.Client, fail_next: Callable[..., object]) -> None:
    fail_next(status=None, delay=0.1)
    began = time.monotonic()
    assert http.patch(PROJECT, json={"name": "x"}).status_code == 200
    assert time.monotonic() - began >= 0.1
    assert name(neptun) == "x"


def test_an_error_can_be_late(http: httpx.Client, fail_next: Callable[..., object]) -> None:
    fail_next(delay=0.1)
    began = time.monotonic()
    assert http.patch(PROJECT, json={"name": "x"}).status_code == 503
    assert time.monotonic() - began >= 0.1


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "status 200": ({"status": 200}, "status must be an integer, from 400 to 599, not 200"),
    "status 600": ({"status": 600}, "status must be"),
    "status a string": ({"status": "503"}, "status must be"),
    "status true": ({"status": True}, "status must be"),
    "no status alone": ({"status": None}, "responds as usual"),
    "times 0": ({"times": 0}, "times must be an integer, 1 or more, not 0"),
    "times null": ({"times": None}, "times must be"),
    "retry_after -1": ({"retry_after": -1}, "retry_after must be an integer, 0 or more"),
    "retry_after 0.5": ({"retry_after": 0.5}, "retry_after must be"),
    "retry_after without a status": ({"status": None, "delay": 1, "retry_after": 1}, "retry_after needs"),
    "retry_after of a closed connection": ({"disconnect": True, "retry_after": 1}, "retry_after needs"),
    "disconnect 1": ({"disconnect": 1}, "disconnect must be true or false"),
    "delay -1": ({"delay": -1}, "delay must be a number of seconds, 0 or more"),
    "delay a string": ({"delay": "1"}, "delay must be"),
    "delay true": ({"delay": True}, "delay must be"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_a_script_that_makes_no_sense_is_refused(
    options: dict[str, Any], message: str, http: httpx.Client, fail_next: Callable[..., object]
) -> None:
    with pytest.raises(ValueError, match=message):
        fail_next(**options)
    assert http.patch(PROJECT, json={"name": "x"}, headers={"Content-Type": "application/json"}).status_code == 200


def test_an_endless_delay_is_refused(neptun: Sandbox) -> None:
    with pytest.raises(ValueError, match="delay must be"):
        neptun.fail_next(delay=float("inf"))


RESPONSES: dict[str, tuple[dict[str, Any], int, bytes, str | None]] = {
    "nothing": ({}, 200, b"", None),
    "JSON": ({"status": 201, "body": {"a": 1}}, 201, b'{"a": 1}', "application/json"),
    "text": ({"status": 302, "headers": {"Location": "/x"}, "body": "<html>"}, 302, b"<html>", None),
    "its own type": ({"headers": {"Content-Type": "text/html"}, "body": []}, 200, b"[]", "text/html"),
    "late": ({"status": 418, "delay": 0.05}, 418, b"", None),
}


@pytest.mark.parametrize(("options", "status", "content", "content_type"), RESPONSES.values(), ids=RESPONSES)
def test_any_response_can_be_scripted_over_http(
    options: dict[str, Any], status: int, content: bytes, content_type: str | None, neptun: Sandbox, http: httpx.Client
) -> None:
    assert http.post("/_sandbox/respond", json={**options, "times": 2}).json() == {"ok": True}
    for _ in range(2):
        response = http.patch(PROJECT, json={"name": "x"})
        assert (response.status_code, response.content) == (status, content)
        assert response.headers.get("Content-Type") == content_type
        assert response.headers.get("Location") == options.get("headers", {}).get("Location")
    assert http.patch(PROJECT, json={"name": "x"}).json()["project"]["name"] == "x"
    assert [request.status for request in neptun.requests] == [status, status, 200]


WRONG_CONTROLS: dict[str, tuple[str, str, bytes, int, str]] = {
    "not JSON": ("POST", "fail-next", b"{", 400, "Expecting"),
    "not UTF-8": ("POST", "fail-next", b"\xff", 400, "utf-8"),
    "no object": ("POST", "respond", b"[]", 400, "the body must be a JSON object"),
    "unknown option": ("POST", "fail-next", b'{"x": 1}', 400, "there is no 'x', only status, times, retry_after"),
    "an option for none": ("POST", "reset", b'{"x": 1}', 400, "there is no 'x', only an empty object"),
    "status 99": ("POST", "respond", b'{"status": 99}', 400, "status must be an integer, from 200 to 599, not 99"),
    "headers a list": ("POST", "respond", b'{"headers": []}', 400, "headers must map names to values"),
    "header a number": ("POST", "respond", b'{"headers": {"A": 1}}', 400, "headers must be printable ASCII"),
    "header with a line end": ("POST", "respond", b'{"headers": {"A": "\\r\\n"}}', 400, "headers must be printable"),
    "header not ASCII": ("POST", "respond", b'{"headers": {"A": "\\u00e9"}}', 400, "headers must be printable ASCII"),
    "framing": ("POST", "respond", b'{"headers": {"Content-Length": "1"}}', 400, "which the server sets itself"),
    "unknown control": ("POST", "nope", b"", 404, "there is no /_sandbox/nope, only POST /_sandbox/fail-next"),
    "unknown method": ("GET", "reset", b"", 405, "/_sandbox/reset takes POST only"),
}


@pytest.mark.parametrize(
    ("method", "control", "content", "status", "message"), WRONG_CONTROLS.values(), ids=WRONG_CONTROLS
)
def test_a_control_that_cannot_be_followed_says_why(
    method: str, control: str, content: bytes, status: int, message: str, http: httpx.Client
) -> None:
    headers = {"Content-Type": "application/json"}
    response = http.request(method, f"/_sandbox/{control}", content=content, headers=headers)
    assert (response.status_code, response.json()["statusCode"]) == (status, status)
    assert message in response.json()["message"]
    assert response.headers.get("Allow") == ("POST" if status == 405 else None)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""])
@pytest.mark.parametrize("control", ["fail-next", "respond", "reset"])
def test_a_control_takes_json_only(control: str, content_type: str, neptun: Sandbox, http: httpx.Client) -> None:
    """A web page can send the other types to another site without asking first."""
    http.put("/kept")
    headers = {"Content-Type": content_type} if content_type else {}
    response = http.post(f"/_sandbox/{control}", content=b"{}", headers=headers)
    assert (response.status_code, response.json()["statusCode"]) == (415, 415)
    assert "application/json" in response.json()["message"]
    assert len(neptun.requests) == 1
    assert http.get("/").status_code == 404
    headers = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert http.post(f"/_sandbox/{control}", content=b"{}", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/_sandbox", "/_sandbox/"])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_it_says_its_version_and_dialect(dialect: Dialect, path: str) -> None:
    with Sandbox(dialect) as sandbox:
        said = httpx.get(f"{sandbox.base_url}{path}").json()
    assert said == {"version": neptun_sdk.__version__, "dialect": dialect, "contract": neptun_sdk.CONTRACT}


HOSTILE: dict[str, Any] = {
    "a page": {"headers": {"Content-Type": "text/html"}},
    "its own headers": {"headers": {"content-security-policy": "script-src *", "X-CONTENT-TYPE-OPTIONS": "x"}},
}


@pytest.mark.parametrize("options", HOSTILE.values(), ids=HOSTILE)
def test_what_is_scripted_runs_nothing_in_a_browser(options: Any, http: httpx.Client) -> None:
    http.post("/_sandbox/respond", json={"body": "<script>alert(1)</script>", **options})
    headers = http.get("/").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"


def test_requests_are_recorded_without_cookies(neptun: Sandbox, http: httpx.Client) -> None:
    http.patch(PROJECT, json={"name": "Ü"}, headers={"Content-Type": "application/json; charset=utf-8"})
    http.put("/nope?a=b", content=b"plain \xff")
    http.get("/")
    neptun.fail_next(503)
    http.patch(PROJECT, json={})
    recorded = [(request.method, request.path, request.body, request.status) for request in neptun.requests]
    assert recorded == [
        ("PATCH", PROJECT, {"name": "Ü"}, 200),
        ("PUT", "/nope", "plain \ufffd", 404),
        ("GET", "/", None, 404),
        ("PATCH", PROJECT, {}, 503),
    ]
    over_http = http.get("/_sandbox/requests")
    assert [tuple(request.values()) for request in over_http.json()] == recorded
    for text in (repr(neptun.requests), over_http.text):
        assert neptun.session_cookie not in text


def test_the_last_thousand_requests_are_recorded() -> None:
    neptun = Sandbox()
    with httpx.Client(transport=neptun.transport(), base_url="http://neptun.test") as http:
        for number in range(1_001):
            http.get(f"/{number}")
    assert [request.path for request in neptun.requests] == [f"/{number}" for number in range(1, 1_001)]


def test_large_bodies_are_recorded_within_limits(neptun: Sandbox, http: httpx.Client) -> None:
    """A body of 5 MB sixty times took 490 MB."""
    for number in range(60):
        http.put(f"/{number}", content=b"x" * 5_000_000)
    assert [request.path for request in neptun.requests] == ["/57", "/58", "/59"]
    http.put("/large", content=b"x" * 20_000_000)
    assert [len(request.body) for request in neptun.requests] == [20_000_000], "the newest one is always there"


BODIES = {"a long text": b'{"name": "%s"}' % (b"x" * 5_000_000), "many small values": b"[" + b"[]," * 300_000 + b"[]]"}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES)
def test_large_requests_leave_no_more_memory_behind_than_is_recorded(content: bytes, http: httpx.Client) -> None:
    """Decoded, the second one takes some thirty times its size. A cycle of objects would keep both."""
    http.put("/nope", content=content, timeout=60)
    gc.disable()
    tracemalloc.start()
    try:
        for _ in range(10):
            http.put("/nope", content=content, timeout=60)
        assert tracemalloc.get_traced_memory()[0] < 30_000_000
    finally:
        tracemalloc.stop()
        gc.enable()


def test_a_deep_body_is_recorded(http: httpx.Client) -> None:
    for depth in (499, 501):
        http.put("/", content=b"[" * depth + b"]" * depth)
    assert [type(request["body"]) for request in http.get("/_sandbox/requests").json()] == [list, str]


@pytest.mark.soak
@pytest.mark.parametrize(("body", "times"), [("", 1_001), ("x" * 30_000_000, 3)], ids=["steps", "bodies"])
def test_what_is_scripted_ahead_has_limits(body: str, times: int, http: httpx.Client) -> None:
    responses = [http.post("/_sandbox/respond", json={"body": body}) for _ in range(times)]
    assert [response.status_code for response in responses] == [200] * (times - 1) + [400]
    assert "the limits are 1000 steps" in responses[-1].json()["message"]


@pytest.mark.parametrize("how", ["Python", "HTTP"])
def test_reset_makes_everything_as_it_was_at_the_start(how: str, neptun: Sandbox, http: httpx.Client) -> None:
    before = (neptun.project(789), neptun.project_import(789, 123), neptun.accounts)
    http.patch(PROJECT, json={"name": "x"}, headers={"Content-Type": "application/json"})
    added = neptun.add_project()
    neptun.fail_next(times=5)
    if how == "HTTP":
        assert http.post("/_sandbox/reset").json() == {"ok": True}
    else:
        neptun.reset()
    assert (neptun.project(789), neptun.project_import(789, 123), neptun.accounts) == before
    assert neptun.requests == []
    with pytest.raises(LookupError):
        neptun.project(added)
    assert http.patch(PROJECT, json={"name": "x"}).status_code == 200, "the session is the same"


def test_what_is_left_of_a_script_ends_with_the_with() -> None:
    neptun = Sandbox()
    with neptun:
        neptun.fail_next(times=5)
    with neptun:
        assert httpx.get(neptun.base_url).status_code == 404
