"""`headers=`, `ssl_context=`, `proxy=` and `transport=`: checked, merged, excluded, and as secret as the cookie."""

import functools
import pickle
import ssl
import traceback
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient, NeptunError, ServerError
from tests.conftest import CANARY, PROJECT

KEY = "gateway-key-0123456789"
URL = "https://neptun.test"


@pytest.fixture
def sent() -> list[dict[str, str]]:
    """The headers of each request, as it was when it came."""
    return []


@pytest.fixture
def transport(sent: list[dict[str, str]]) -> httpx.BaseTransport:
    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(dict(request.headers))
        return httpx.Response(200, json={"project": PROJECT})

    return httpx.MockTransport(respond)


@pytest.fixture
def client(transport: httpx.BaseTransport) -> NeptunClient:
    return NeptunClient(CANARY, 1, base_url=URL, transport=transport, headers={"X-Key": KEY, "x-tenant": "acme"})


def test_headers_are_sent_with_each_request(client: NeptunClient, sent: list[dict[str, str]]) -> None:
    client.update_project(123, name="New name")
    assert (sent[0]["x-key"], sent[0]["x-tenant"], sent[0]["accept"]) == (KEY, "acme", "application/json")


def test_a_header_may_replace_the_user_agent(transport: httpx.BaseTransport, sent: list[dict[str, str]]) -> None:
    client = NeptunClient(CANARY, 1, base_url=URL, transport=transport, headers={"user-agent": "ours/1"})
    client.update_project(123, name="New name")
    assert sent[0]["user-agent"] == "ours/1"


def test_other_options_add_headers_whatever_the_case(client: NeptunClient, sent: list[dict[str, str]]) -> None:
    other = client.with_options(headers={"X-TENANT": "other", "X-Request-Id": "7"})
    for each in (other, other.with_options(timeout=5), client):
        each.update_project(123, name="New name")
    assert [(each["x-tenant"], each.get("x-request-id")) for each in sent] == [
        ("other", "7"),
        ("other", "7"),
        ("acme", None),
    ]
    assert [each["x-key"] for each in sent] == [KEY] * 3


def test_a_shared_client_gives_its_headers_to_every_session(
    transport: httpx.BaseTransport, sent: list[dict[str, str]]
) -> None:
    shared = NeptunClient.shared(base_url=URL, transport=transport, headers={"X-Key": KEY})
    shared.with_options(headers={"X-More": "1"}).with_session(CANARY, 1).update_project(123, name="New name")
    assert (sent[0]["x-key"], sent[0]["x-more"]) == (KEY, "1")


def test_headers_come_from_the_environment(
    transport: httpx.BaseTransport, sent: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPTUN_HEADERS", f"X-Key: {KEY}\r\n\n  X-Url : https://a:1/\n")
    given: tuple[dict[str, Any], ...] = ({}, {"headers": {}}, {"headers": {"X-Other": "1"}})
    for settings in given:
        NeptunClient(CANARY, 1, base_url=URL, transport=transport, **settings).update_project(123, name="New name")
    assert [(each.get("x-key"), each.get("x-url"), each.get("x-other")) for each in sent] == [
        (KEY, "https://a:1/", None),
        (None, None, None),
        (None, None, "1"),
    ]


RESERVED = "the SDK sets it, or it belongs to the connection"
VALUE = "must be visible ASCII without a line break."
REFUSED: dict[str, tuple[object, str]] = {
    "not a mapping": ([("X-Key", KEY)], "headers must be a mapping of names to values, not list."),
    "the cookie": ({"COOKIE": KEY}, f"headers may not set COOKIE: {RESERVED}."),
    "what the contract sets": ({"Content-Type": KEY}, f"headers may not set Content-Type: {RESERVED}."),
    "what HTTP sets": ({"transfer-encoding": KEY}, f"headers may not set transfer-encoding: {RESERVED}."),
    "what a proxy gets": (
        {"Proxy-Authorization": KEY},
        f"headers may not set Proxy-Authorization: {RESERVED}; pass it in proxy=.",
    ),
    "a name with a space": ({"X Key": KEY}, "headers: entry 1 does not have the name of a header."),
    "a name that is bytes": ({b"X-Key": KEY}, "headers: entry 1 does not have the name of a header."),
    "a name twice": ({"X-Key": KEY, "x-key": KEY}, "headers: x-key stands twice."),
    "an empty name": ({"X-A": "1", "": KEY}, "headers: entry 2 does not have the name of a header."),
    "a value with a line break": ({"X-Key": f"{KEY}\r\nX: 1"}, f"headers: the value of X-Key {VALUE}"),
    "an empty value": ({"X-Key": ""}, f"headers: the value of X-Key {VALUE}"),
    "a value beyond ASCII": ({"X-Key": f"{KEY}é"}, f"headers: the value of X-Key {VALUE}"),
    "a value that is a number": ({"X-Key": 5}, f"headers: the value of X-Key {VALUE}"),
}


def shown_by(error: BaseException) -> str:
    """Return what an error tracker shows of an error, below the frame of the test."""
    assert error.__traceback__ is not None
    frames = traceback.TracebackException(type(error), error, error.__traceback__.tb_next, capture_locals=True).format()
    return f"{''.join(frames)} {vars(error)}"


@pytest.mark.parametrize("how", ["a new client", "with_options"])
@pytest.mark.parametrize(("headers", "text"), REFUSED.values(), ids=REFUSED)
def test_a_header_that_cannot_be_right_is_refused(
    headers: Any, text: str, how: str, client: NeptunClient, sent: list[dict[str, str]]
) -> None:
    """No message and no local variable of ours shows a value: it may be a key."""
    make = client.with_options if how == "with_options" else functools.partial(NeptunClient, CANARY, 1)
    with pytest.raises(ArgumentError) as caught:
        make(headers=headers)
    assert str(caught.value) == text
    assert KEY not in shown_by(caught.value)
    assert sent == []


WRONG_LINES = {
    "no colon": KEY,
    "no colon in the second line": f"X-A: 1\n{KEY}",
    "a name with a space": f"X Key: {KEY}",
    "an empty value": "X-Key:",
    "a name twice": f"X-Key: {KEY}\nX-Key: {KEY}",
}


@pytest.mark.parametrize("text", WRONG_LINES.values(), ids=WRONG_LINES)
def test_a_wrong_line_of_the_environment_is_not_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves out the name has put the key in its place."""
    monkeypatch.setenv("NEPTUN_HEADERS", text)
    with pytest.raises(ArgumentError, match=r"^NEPTUN_HEADERS: ") as caught:
        NeptunClient(CANARY, 1)
    assert KEY not in shown_by(caught.value)


OTHER_MISTAKES: dict[str, Callable[[NeptunClient], object]] = {
    "timeout": lambda _: NeptunClient(CANARY, 1, headers={"X-Key": KEY}, timeout=-1),
    "transport": lambda _: NeptunClient(CANARY, 1, headers={"X-Key": KEY}, transport=5),  # type: ignore[arg-type]
    "proxy": lambda _: NeptunClient(CANARY, 1, headers={"X-Key": KEY}, proxy="http://"),
    "proxy with a password": lambda _: NeptunClient(CANARY, 1, proxy=f"ftp://user:{KEY}@proxy.test"),
    "session": lambda _: NeptunClient(None, 1, headers={"X-Key": KEY}),
    "base_url": lambda _: NeptunClient(CANARY, 1, headers={"X-Key": KEY}, base_url="no"),
    "with_options": lambda client: client.with_options(headers={"X-Key": KEY}, timeout=-1),
    "with_session": lambda client: client.with_session("", 1),
}


@pytest.mark.parametrize("mistake", OTHER_MISTAKES.values(), ids=OTHER_MISTAKES)
def test_another_mistake_does_not_show_a_header(
    mistake: Callable[[NeptunClient], object], client: NeptunClient
) -> None:
    with pytest.raises(ArgumentError) as caught:
        mistake(client)
    assert caught.value.__traceback__ is not None
    inner = caught.value.with_traceback(caught.value.__traceback__.tb_next)  # without the frame of the lambda
    assert KEY not in shown_by(inner)


def test_no_value_of_a_header_is_shown(client: NeptunClient) -> None:
    client.update_project(123, name="New name")
    settings = client._settings
    assert KEY not in f"{client!r} {vars(client)} {settings!r} {client._session!r}"


def test_a_field_that_holds_a_key_is_refused(client: NeptunClient, sent: list[dict[str, str]]) -> None:
    with pytest.raises(ArgumentError, match="name holds the session cookie or a value of headers"):
        client.update_project(123, name=f"my {KEY}")
    assert sent == []


ECHOES: dict[str, tuple[Mapping[str, str], str]] = {
    "the value": ({"X-Key": KEY}, KEY),
    "the second word": ({"Authorization": f"Bearer {KEY}"}, KEY),
    "with the cookie": ({"X-Key": KEY}, f"{KEY} and {CANARY}"),
}


@pytest.mark.parametrize(("headers", "echo"), ECHOES.values(), ids=ECHOES)
def test_an_echo_of_a_header_is_masked(headers: Mapping[str, str], echo: str, caplog: pytest.LogCaptureFixture) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(500, json={"message": f"no {echo}"}, headers={"X-Echo": echo})

    transport = httpx.MockTransport(respond)
    caplog.set_level("DEBUG")
    with (
        NeptunClient(CANARY, 1, base_url=URL, transport=transport, headers=headers) as client,
        pytest.raises(ServerError) as caught,
    ):
        client.update_project(123, name="New name")
    shown = f"{shown_by(caught.value)} {caught.value!r} {pickle.dumps(caught.value)!r} {caplog.text}"
    assert "no ***" in shown
    assert KEY not in shown
    assert CANARY not in shown


def test_a_request_has_no_secret_after_it_was_sent() -> None:
    """httpx keeps it on the response and on every exception."""
    requests: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        raise httpx.ReadError("no", request=request)

    made = NeptunClient(
        CANARY, 1, base_url=URL, transport=httpx.MockTransport(respond), headers={"X-Key": KEY}, max_retries=0
    )
    with pytest.raises(NeptunError):
        made.update_project(123, name="New name")
    assert not {"x-key", "cookie"} & set(requests[0].headers)


NUMBERS = {"the user's id": "12345678", "a date": "2025-02-16", "the time of the resource": "2025-02-16T17:42:11.000Z"}


@pytest.mark.parametrize("value", NUMBERS.values(), ids=NUMBERS)
def test_a_header_that_is_a_number_or_a_date_does_not_hide_those_of_a_resource(value: str) -> None:
    """A tenant or a version of an API is no key: masking it would make an applied update an error."""
    body = {"project": {**PROJECT, "id": 123, "neptun_user_id": 12345678}}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=body))
    client = NeptunClient(CANARY, 12345678, base_url=URL, transport=transport, headers={"X-Tenant": value})
    assert client.update_project(123, name="New name").created_at.year == 2025


# What excludes what, and what is of a wrong type

CONTEXT = ssl.create_default_context()
MOCK = httpx.MockTransport(lambda _: httpx.Response(500))
WRONG_KEYWORDS: dict[str, tuple[dict[str, Any], str]] = {
    "ssl_context": ({"ssl_context": True}, "ssl_context must be an ssl.SSLContext, not bool."),
    "a path as ssl_context": ({"ssl_context": "ca.pem"}, "ssl_context must be an ssl.SSLContext, not str."),
    "transport": ({"transport": 5}, "transport must be an httpx.BaseTransport, not int."),
    "an asynchronous transport": (
        {"transport": httpx.AsyncHTTPTransport(verify=CONTEXT)},
        "transport must be an httpx.BaseTransport, not AsyncHTTPTransport.",
    ),
    "proxy": ({"proxy": 5}, "proxy must be a str, not int."),
    "an empty proxy": ({"proxy": ""}, "proxy is not the URL of a proxy; it should look like http://host:port."),
    "transport and ssl_context": (
        {"transport": MOCK, "ssl_context": CONTEXT},
        "transport excludes ssl_context and proxy: it makes its own connections.",
    ),
    "transport and proxy": (
        {"transport": MOCK, "proxy": "http://proxy.test"},
        "transport excludes ssl_context and proxy: it makes its own connections.",
    ),
}


@pytest.mark.parametrize("shared", [False, True], ids=["a client", "shared"])
@pytest.mark.parametrize(("settings", "text"), WRONG_KEYWORDS.values(), ids=WRONG_KEYWORDS)
def test_a_keyword_that_cannot_be_right_is_refused(settings: dict[str, Any], text: str, *, shared: bool) -> None:
    with pytest.raises(ArgumentError) as caught:
        NeptunClient.shared(**settings) if shared else NeptunClient(CANARY, 1, **settings)
    assert str(caught.value) == text


def test_a_proxy_and_a_context_go_together() -> None:
    NeptunClient(CANARY, 1, proxy="http://proxy.test:8080", ssl_context=CONTEXT).close()
