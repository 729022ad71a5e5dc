"""Arguments: what cannot be right is refused with help, and a base URL is one that a session may be sent to."""

import enum
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient, NotFoundError
from neptun_sdk._contract import SERVER
from neptun_sdk.arguments import check_base_url, environment
from tests.conftest import CANARY, PROJECT


def never_sent(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"{request} was sent")


def client(**settings: Any) -> NeptunClient:
    """Make a client that must not send anything."""
    return NeptunClient(CANARY, 1, transport=httpx.MockTransport(never_sent), **settings)


def closed_client() -> NeptunClient:
    made = client()
    made.close()
    return made


NOTHING = "nothing was sent."
REFUSED_CALLS: dict[str, tuple[Callable[[], object], str]] = {
    "an id of another type": (
        lambda: client().update_project("1", name="a"),  # type: ignore[arg-type]
        f"update_project: project_id must be a positive int, not str; {NOTHING}",
    ),
    "an id that is a bool": (
        lambda: client().update_project(True, name="a"),
        f"update_project: project_id must be a positive int, not bool; {NOTHING}",
    ),
    "an id of 0": (
        lambda: client().update_project_import(1, 0, title="a"),
        f"update_project_import: import_id must be a positive int (1 or more); {NOTHING}",
    ),
    "an id beyond int64": (
        lambda: client().update_project(2**63, name="a"),
        f"update_project: project_id is larger than any id (2**63 or more); {NOTHING}",
    ),
    "a field of another type": (
        lambda: client().update_project(1, name=5),  # type: ignore[arg-type]
        f"update_project: name must be a str, not int; {NOTHING}",
    ),
    "a lone surrogate": (
        lambda: client().update_project(1, name="\ud800"),
        f"update_project: name has a lone surrogate, which UTF-8 cannot encode; {NOTHING}",
    ),
    "no field": (
        lambda: client().update_project_import(1, 1),
        "update_project_import: no field was given: pass at least one of source_type, source_path, title, description. "
        "Nothing was sent.",
    ),
    "the session cookie in a field": (
        lambda: client().update_project(1, name=f"my {CANARY}"),
        f"update_project: name holds the session cookie or a value of headers, which are secrets; {NOTHING}",
    ),
    "a field that a deployed server does not have": (
        lambda: client(dialect="deployed").update_project_import(1, 1, title="a", description="b"),
        "update_project_import: a deployed server has no title: leave it out. Nothing was sent.",
    ),
    "a closed client": (
        lambda: closed_client().update_project(1, name="a"),
        "update_project: this client is closed; make a new NeptunClient. Nothing was sent.",
    ),
    "a shared client without a session": (
        lambda: NeptunClient.shared(transport=httpx.MockTransport(never_sent)).update_project(1, name="a"),
        "update_project: a shared client has no session; call with_session first. Nothing was sent.",
    ),
}


@pytest.mark.parametrize(("call", "text"), REFUSED_CALLS.values(), ids=REFUSED_CALLS)
def test_a_refused_call_says_what_is_wrong_and_that_nothing_was_sent(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == text
    assert (caught.value.applied, caught.value.attempts) == (False, 0)
    assert caught.value.operation == text.split(":")[0]


INVALID_URL = "base_url is not a valid URL; it should look like https://host or https://host/prefix."
OTHER_SCHEME = "base_url must start with https:// or http://."
USER_INFO = "base_url must not hold a user name or password: Neptun knows its users by the session cookie."
QUERY = "base_url must not have a query or a fragment: leave out everything from the first ? or # on."
WITH_API = "base_url must not end in /api: the SDK adds it, so leave it out."
PLAIN_HTTP = (
    "base_url is plain http, over which anyone on the way can read the session cookie: use https://, or set "
    "allow_http=True if the network is trusted."
)
REFUSED_URLS: dict[str, tuple[object, str]] = {
    "another type": (5, "base_url must be a str, not int."),
    "an empty text": ("", INVALID_URL),
    "no scheme": ("neptun.test", INVALID_URL),
    "no host": ("https://", INVALID_URL),
    "a path only": ("https:///prefix", INVALID_URL),
    **({"an empty A-label": ("https://xn--", INVALID_URL)} if httpx.__name__ == "httpx" else {}),  # httpx2 takes it
    "a space": ("https://neptun .test", INVALID_URL),
    "a line break": ("https://neptun.test\r\nX: hunter2", INVALID_URL),
    "a line break at the end": ("https://neptun.test\n", INVALID_URL),
    "a letter outside ASCII": ("https://nëptun.test", INVALID_URL),
    "a port that is no number": ("https://neptun.test:port", INVALID_URL),
    "a port above 65535": ("https://neptun.test:65536", INVALID_URL),
    "the port 0": ("https://neptun.test:0", INVALID_URL),
    "a port below 0": ("https://neptun.test:-1", INVALID_URL),
    "65,000 characters": (f"https://neptun.test/{'a' * 65_000}", INVALID_URL),
    "another scheme": ("ftp://neptun.test", OTHER_SCHEME),
    "a user name and a password": ("https://user:hunter2@neptun.test", USER_INFO),
    "empty user info": ("https://@neptun.test", USER_INFO),
    "a query": ("https://neptun.test?token=hunter2", QUERY),
    "an empty query": ("https://neptun.test?", QUERY),
    "a fragment": ("https://neptun.test/#hunter2", QUERY),
    "a path that ends in /api": ("https://neptun.test/api", WITH_API),
    "a path that ends in /api/": ("https://neptun.test/prefix/api/", WITH_API),
    "plain http": ("http://neptun.test", PLAIN_HTTP),
    "plain http to a name that begins like loopback": ("http://127.0.0.1.evil.test", PLAIN_HTTP),
}


@pytest.mark.parametrize(("base_url", "text"), REFUSED_URLS.values(), ids=REFUSED_URLS)
def test_a_base_url_that_cannot_be_right_is_refused_with_help(base_url: object, text: str) -> None:
    """No text quotes the URL, because user info in it may be a password."""
    with pytest.raises(ArgumentError) as caught:
        client(base_url=base_url)
    assert str(caught.value) == text
    assert (caught.value.applied, caught.value.attempts, caught.value.operation) == (None, 0, None)


GOOD_URLS = {
    "a host": ("https://neptun.test", "https://neptun.test"),
    "the lowest port": ("https://neptun.test:1", "https://neptun.test:1"),
    "the highest port": ("https://neptun.test:65535", "https://neptun.test:65535"),
    "a slash at the end": ("https://neptun.test/", "https://neptun.test"),
    "a prefix": ("https://neptun.test/prefix/", "https://neptun.test/prefix"),
    "a prefix that only begins with api": ("https://neptun.test/apis", "https://neptun.test/apis"),
    "an international name": ("https://xn--nptun-jva.test", "https://xn--nptun-jva.test"),
    "loopback": ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
    "loopback in IPv6": ("http://[::1]:3000", "http://[::1]:3000"),
    "almost the longest": (f"https://neptun.test/{'a' * 1_980}", f"https://neptun.test/{'a' * 1_980}"),
}


@pytest.mark.parametrize(("base_url", "expected"), GOOD_URLS.values(), ids=GOOD_URLS)
def test_a_base_url_is_kept_without_a_slash_at_its_end(base_url: str, expected: str) -> None:
    assert f"(base_url={expected!r}, " in repr(client(base_url=base_url))


def test_plain_http_is_possible_if_it_is_allowed() -> None:
    assert "http://neptun.test" in repr(client(base_url="http://neptun.test", allow_http=True))


BASE_URLS = {
    "the contract's": (None, None, SERVER),
    "the environment's": ("https://from-the-environment.test", None, "https://from-the-environment.test"),
    "the environment's with a line break": ("https://from-it.test\r\n", None, "https://from-it.test"),
    "the contract's, as the environment's is empty": (" \n", None, SERVER),
    "the argument's": (
        "https://from-the-environment.test",
        "https://from-the-argument.test",
        "https://from-the-argument.test",
    ),
}


@pytest.mark.parametrize(("variable", "argument", "expected"), BASE_URLS.values(), ids=BASE_URLS)
def test_base_url_is_the_argument_else_the_environment_else_the_contract(
    variable: str | None, argument: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("NEPTUN_BASE_URL", variable)
    assert str(check_base_url(argument, allow_http=False)) == expected


def test_a_base_url_in_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_BASE_URL", "http://neptun.test")
    with pytest.raises(ArgumentError) as caught:
        client()
    assert str(caught.value) == PLAIN_HTTP


class Number:
    """A number of another library, as numpy's are: it can be converted, and is no float."""

    def __init__(self, value: float) -> None:
        self._value = value

    def __float__(self) -> float:
        return self._value


TIMEOUTS: dict[str, object] = {
    "a nanosecond": 1e-9,
    "a float": 0.5,
    "an int": 1,
    "a day": 86_400,
    "Decimal": Decimal("0.25"),
    "Fraction": Fraction(1, 3),
    "a number of another library": Number(2.5),
}


@pytest.mark.parametrize("timeout", TIMEOUTS.values(), ids=TIMEOUTS)
def test_a_timeout_is_a_number_of_any_type(timeout: Any) -> None:
    made = client(timeout=timeout)
    assert type(made._settings.timeout) is float
    assert made._settings.timeout == float(timeout)


class Whole:
    """An integer of another library, as NumPy's are: `operator.index` takes it."""

    def __index__(self) -> int:
        return 3


class Colour(enum.IntEnum):
    RED = 3


class Kind(enum.StrEnum):
    SITE = "web-site"
    TENANT = "acme"


class Label(str, enum.Enum):  # noqa: UP042 - many services still have these
    """An enum whose ``str()`` is not its value."""

    SITE = "web-site"


INTEGERS: dict[str, Any] = {"of another library": Whole(), "an enum": Colour.RED, "an int": 3}


@pytest.mark.parametrize("three", INTEGERS.values(), ids=INTEGERS)
def test_an_integer_of_any_class_is_taken_wherever_one_is(three: Any) -> None:
    requests: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request.url.path)
        return httpx.Response(404, json={"statusCode": 404, "message": "no"})

    made = NeptunClient(CANARY, three, transport=httpx.MockTransport(respond), max_retries=three)
    for each in (made, made.with_session(CANARY, three), made.with_options(max_retries=three)):
        with pytest.raises(NotFoundError) as caught:
            each.update_project_import(three, three, title="a")
        assert str(caught.value).startswith("update_project_import(user_id=3, project_id=3, import_id=3): ")
    assert requests == ["/api/users/3/projects/3/resources/imports/3"] * 3
    assert type(client(max_response_size=three)._settings.max_response_size) is int


@pytest.mark.parametrize("kind", [Kind.SITE, Label.SITE], ids=["StrEnum", "str and Enum"])
def test_a_text_of_any_class_is_sent_as_its_value(kind: Any) -> None:
    requests: list[bytes] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append(request.content)
        return httpx.Response(200, json={"project": {**PROJECT, "project_type": "web-site"}})

    made = NeptunClient(CANARY, 1, transport=httpx.MockTransport(respond), headers={"X-Kind": Kind.TENANT})
    project = made.update_project(123, project_type=kind)
    assert (project.project_type, requests) == ("web-site", [b'{"project_type":"web-site"}'])


WRONG_TIMEOUTS: dict[str, object] = {
    "zero": 0,
    "negative": -1,
    "NaN": float("nan"),
    "infinity": float("inf"),
    "a day and a second": 86_401,
    "a large float": 1e300,
    "an int beyond float": 10**400,
    "bool": True,
    "str": "30",
    "bytes": b"30",
    "None": None,
    "a complex number": 1j,
    "a Decimal that is negative": Decimal(-1),
    "a Decimal that is not a number": Decimal("NaN"),
    "a Decimal that signals": Decimal("sNaN"),
    "NaN of another library": Number(float("nan")),
}
WRONG_TIMEOUT = "timeout must be a number of seconds above 0, and at most 86400 (a day)."


@pytest.mark.parametrize("timeout", WRONG_TIMEOUTS.values(), ids=WRONG_TIMEOUTS)
def test_a_timeout_must_be_a_positive_finite_number(timeout: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        client(timeout=timeout)
    assert str(caught.value) == WRONG_TIMEOUT


@pytest.mark.parametrize("wrong", [-1, True, 1.0, "2", None], ids=repr)
def test_max_retries_must_be_an_int_of_0_or_more(wrong: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        client(max_retries=wrong)
    assert str(caught.value) == "max_retries must be an int, 0 or more; 0 sends every request once."


@pytest.mark.parametrize("wrong", [0, -1, True, 1024.0, "1024", None], ids=repr)
def test_max_response_size_must_be_a_positive_int(wrong: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        client(max_response_size=wrong)
    text = "max_response_size must be an int, the number of bytes that a response may have."
    assert str(caught.value) == text


def test_max_response_size_may_be_a_single_byte() -> None:
    assert client(max_response_size=1)._settings.max_response_size == 1


DIALECT = "dialect (or NEPTUN_DIALECT) must be 'documented' or 'deployed'."


@pytest.mark.parametrize("wrong", ["deployd", "Deployed", "", 1, []], ids=repr)
def test_an_unknown_dialect_is_refused(wrong: object) -> None:
    with pytest.raises(ArgumentError) as caught:
        client(dialect=wrong)
    assert str(caught.value) == DIALECT


def test_a_dialect_in_the_environment_is_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_DIALECT", "deployd")
    with pytest.raises(ArgumentError) as caught:
        client()
    assert str(caught.value) == DIALECT


VARIABLES = {
    "unset": (None, None),
    "empty": ("", None),
    "white space": (" \t\r\n", None),
    "a value": ("deployed", "deployed"),
    "a line break at the end": ("deployed\n", "deployed"),
    "a carriage return at the end": ("deployed\r\n", "deployed"),
}


@pytest.mark.parametrize(("value", "expected"), VARIABLES.values(), ids=VARIABLES)
def test_a_variable_is_read_without_white_space_around_it(
    value: str | None, expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("NEPTUN_DIALECT", value)
    assert environment("NEPTUN_DIALECT") == expected
    assert f"dialect={expected or 'documented'!r}" in repr(client())
