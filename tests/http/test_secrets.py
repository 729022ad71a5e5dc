"""Secrets: any number of them, masked wherever they come back."""

import contextlib
import copy
import json
import logging
import pickle
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import httpcore
import httpx
import pytest

from neptun_sdk import NeptunClient
from neptun_sdk._http.secrets import MIN_MASKED_LENGTH, Secrets, mask_library_logs
from tests.conftest import CANARY, PROJECT, ClientFor

ExceptionT = TypeVar("ExceptionT", bound=BaseException)
KEY = "it's/a~gateway-key"
LONGER = f"{KEY}-of-another"
QUOTED = 'oauth_token="a\\b"'
HEADERS = {"Cookie": f"neptun-session={CANARY}", "X-Key": KEY, "X-Other": LONGER}
SECRETS = Secrets(HEADERS, [CANARY, KEY, LONGER, QUOTED])

TEXTS = {
    "nothing": ("a text", "a text"),
    "one": (f"you sent {CANARY}!", "you sent ***!"),
    "all of them": (f"{KEY} {CANARY} {LONGER}", "*** *** ***"),
    "one within another": (LONGER, "***"),
    "as repr escapes it": (repr(f'"{KEY}"'), "'\"***\"'"),
    "as PHP's JSON escapes it": (KEY.replace("/", "\\/"), "***"),
    "as any JSON escapes it": (json.dumps(QUOTED), '"***"'),
}


@pytest.mark.parametrize(("text", "masked"), TEXTS.values(), ids=TEXTS)
def test_secrets_are_masked_in_a_text(text: str, masked: str) -> None:
    assert SECRETS.mask(text) == masked


def test_a_secret_of_eight_characters_is_masked_and_a_shorter_one_is_not() -> None:
    """A word that happens to be in a text is not a secret, and real ones are far longer."""
    assert MIN_MASKED_LENGTH == 8
    secrets = Secrets({}, ["12345678", "1234567", "it's/a"])
    assert secrets.mask(r"12345678 1234567 it's/a it\'s\/a") == r"*** 1234567 it's/a it\'s\/a"


DOCUMENTS: dict[str, tuple[object, object]] = {
    "a text": (CANARY, "***"),
    "a number": (5, 5),
    "nothing": (None, None),
    "keys and values": ({f"a {KEY}": {"b": CANARY}, "c": None}, {"a ***": {"b": "***"}, "c": None}),
    "arrays": ([CANARY, [KEY, 5, [LONGER]], {}], ["***", ["***", 5, ["***"]], {}]),
}


@pytest.mark.parametrize(("document", "masked"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_every_text_of_a_document_is_masked(document: object, masked: object) -> None:
    assert SECRETS.mask_document(copy.deepcopy(document)) == masked


def test_a_document_of_any_depth_is_masked() -> None:
    document: Any = CANARY
    for _ in range(100_000):
        document = [document]
    document = SECRETS.mask_document(document)
    while isinstance(document, list):
        (document,) = document
    assert document == "***"


ESCAPES: dict[str, Callable[[str], str]] = {
    "verbatim": lambda secret: secret,
    "backslashes before slashes": lambda secret: secret.replace("/", "\\/"),
    "every character as \\u": lambda secret: "".join(f"\\u{ord(each):04x}" for each in secret),
    "one character as \\u": lambda secret: secret.replace("a", "\\u0061"),
    "upper case": lambda secret: "".join(f"\\u{ord(each):04X}" for each in secret),
}


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("secret", [CANARY, KEY], ids=["the cookie", "a key"])
@pytest.mark.parametrize("status", [200, 400, 500])
def test_an_escaped_secret_of_a_body_is_masked(
    status: int, secret: str, escape: Callable[[str], str], client_for: ClientFor
) -> None:
    """In the document that an error or a result keeps, and in every text."""
    echo = escape(secret)
    body = (
        json.dumps({"project": PROJECT, "message": "said", "data": []})[:-1] + f', "more": {{"{echo}": ["{echo}"]}}}}'
    )
    body = body.replace('"About it"', f'"{echo}"').replace("said", f"said {echo}")
    client = client_for(lambda _: httpx.Response(status, content=body)).with_options(max_retries=0, headers={"K": KEY})
    try:
        shown = repr(client.update_project(123, name="New name"))
    except Exception as error:
        shown = f"{error} {vars(error)}"
    assert "***" in shown
    assert secret not in shown
    assert repr(secret)[1:-1] not in shown


def test_secrets_are_masked_in_the_names_and_values_of_headers() -> None:
    secrets = Secrets({}, [CANARY, KEY, "x-request-of-nobody"])
    headers = httpx.Headers({"Set-Cookie": f"a={CANARY}", "X-Echo": f"it is {KEY}", "X-Request-Of-Nobody": "y"})
    assert secrets.mask_headers(headers) == {"x-echo": "it is ***", "***": "y"}
    assert secrets.mask_headers(httpx.Headers({"Set-Cookie": "a=b", "Date": "now"})) == {"date": "now"}


class Unchangeable(Exception):
    """An exception whose arguments cannot be set."""

    @property
    def args(self) -> tuple[str, ...]:
        return (CANARY,)

    @args.setter
    def args(self, _: object) -> None:
        raise AttributeError

    def __str__(self) -> str:
        return CANARY


class Incomparable(ValueError):
    def __eq__(self, other: object) -> bool:
        raise TypeError("not comparable")

    __hash__ = ValueError.__hash__


class Several(ValueError):
    """Has an attribute of the same name as that of a group, as exceptions of some libraries do."""

    exceptions = None


def with_attributes() -> ValueError:
    exc = ValueError("illegal")
    vars(exc).update(line=CANARY.encode(), rows=[KEY, {KEY: [CANARY]}], number=5)
    exc.add_note(f"sent {CANARY}")
    return exc


EXCEPTIONS: dict[str, tuple[Callable[[], BaseException], str, bool]] = {
    "its arguments": (lambda: ValueError(f"illegal: {CANARY} {KEY}", 5), "('illegal: *** ***', 5)", True),
    "an error of the system": (lambda: OSError(5, CANARY), "[Errno 5] ***", True),
    "the name of a file": (lambda: FileNotFoundError(2, "no", CANARY), "[Errno 2] no: '***'", True),
    "its attributes and notes": (with_attributes, "illegal", True),
    "an equality of its own": (lambda: Incomparable(CANARY), "***", True),
    "exceptions that are no group's": (lambda: Several(CANARY), "***", True),
    "arguments that cannot be set": (Unchangeable, CANARY, False),
    "the message of a group": (lambda: ExceptionGroup(CANARY, [ValueError("a")]), f"{CANARY} (1 sub-exception)", False),
}


def raised(exc: ExceptionT) -> ExceptionT:
    """Return an exception with a traceback whose frame holds a secret."""
    secret = CANARY
    try:
        raise exc
    except BaseException:
        assert secret
        return exc


@pytest.mark.parametrize(("make", "text", "is_clean"), EXCEPTIONS.values(), ids=EXCEPTIONS)
def test_secrets_are_masked_in_an_exception(make: Callable[[], BaseException], text: str, is_clean: bool) -> None:
    """What cannot be masked is told, and then kept nowhere."""
    exc = raised(make())
    assert SECRETS.mask_exception(exc) is is_clean
    assert exc.__traceback__ is None
    assert str(exc) == text
    if is_clean:
        assert SECRETS.mask(repr(vars(exc))) == repr(vars(exc))


def test_the_rest_of_the_attributes_of_an_exception_is_kept() -> None:
    exc = with_attributes()
    SECRETS.mask_exception(exc)
    rows = ["***", {"***": ["***"]}]
    assert vars(exc) == {"line": b"***", "rows": rows, "number": 5, "__notes__": ["sent ***"]}


def test_every_exception_of_a_chain_or_a_group_is_masked() -> None:
    """A transport of the caller's own that runs asynchronous code may raise a group; a chain may be a circle."""
    outer, cause, context, inner = (raised(ValueError(f"{name} {CANARY}")) for name in "abcd")
    group = raised(ExceptionGroup("failed", [cause]))
    outer.__cause__, outer.__context__, cause.__context__ = group, context, inner
    inner.__context__ = outer
    assert SECRETS.mask_exception(outer)
    assert [str(exc) for exc in (outer, cause, context, inner)] == ["a ***", "b ***", "c ***", "d ***"]
    assert [exc.__traceback__ for exc in (outer, group, cause, context, inner)] == [None] * 5


@pytest.mark.parametrize("fails", [False, True], ids=["sent", "failed"])
def test_secrets_are_on_a_request_only_while_it_is_sent(fails: bool) -> None:
    """httpx keeps the request on the response and on the exception, and does not mask these headers."""
    sent: list[dict[str, str]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(dict(request.headers))
        if fails:
            raise httpx.ConnectError("no", request=request)
        return httpx.Response(200, request=request)

    request = httpx.Request("GET", "https://server.test")
    with httpx.Client(transport=httpx.MockTransport(respond)) as client, contextlib.suppress(httpx.ConnectError):
        client.send(request, auth=SECRETS)
    assert (sent[0]["cookie"], sent[0]["x-key"]) == (f"neptun-session={CANARY}", KEY)
    assert not {"cookie", "x-key", "x-other"} & set(request.headers)


def test_an_object_that_holds_secrets_never_shows_them() -> None:
    assert repr(SECRETS) == "Secrets(Cookie=***, X-Key=***, X-Other=***)"
    assert CANARY not in f"{SECRETS} {vars(SECRETS)}"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_an_object_that_holds_secrets_is_not_pickled_or_copied(take: Callable[[object], object]) -> None:
    with pytest.raises(TypeError, match="because it holds a secret"):
        take(SECRETS)


HTTPCORE = logging.getLogger(f"{httpcore.__name__}.http11")


@pytest.fixture
def library_log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that returns what was logged through httpcore's logger, which masks the secrets in use."""
    caplog.set_level("DEBUG", logger=HTTPCORE.name)
    mask_library_logs()
    return lambda: [record.getMessage() for record in caplog.records if record.name == HTTPCORE.name]


def test_library_logs_are_masked_during_a_call_only(library_log: Callable[[], list[str]]) -> None:
    HTTPCORE.debug("before: %s", CANARY)
    with SECRETS:
        HTTPCORE.debug("headers=%r", [("Set-Cookie", CANARY), ("X", KEY)])
        thread = threading.Thread(target=HTTPCORE.debug, args=("of another thread: %s", CANARY))
        thread.start()
        thread.join()
    assert library_log() == [
        f"before: {CANARY}",
        """headers=[('Set-Cookie', '***'), ('X', "***")]""",
        f"of another thread: {CANARY}",
    ]


def test_the_login_of_a_socks_proxy_is_masked_in_the_logs(caplog: pytest.LogCaptureFixture) -> None:
    socks = logging.getLogger(f"{httpcore.__name__}.socks")
    caplog.set_level("DEBUG", logger=socks.name)
    mask_library_logs()
    socks.debug("setup_socks5_connection.started host=%r auth=%r", b"neptun.test", (b"user", b"pass) word"))
    socks.debug("setup_socks5_connection.complete")
    assert caplog.messages == [
        "setup_socks5_connection.started host=b'neptun.test' auth=***",
        "setup_socks5_connection.complete",
    ]


def test_a_call_within_a_call_leaves_the_outer_secrets_masked(
    library_log: Callable[[], list[str]], client_for: ClientFor
) -> None:
    """A transport of the caller's own may make a call itself."""

    def respond_inside(request: httpx.Request) -> httpx.Response:
        HTTPCORE.debug("inside: %s %s", request.headers["Cookie"], CANARY)
        return httpx.Response(200, json={"project": PROJECT})

    def respond(request: httpx.Request) -> httpx.Response:
        transport = httpx.MockTransport(respond_inside)
        with NeptunClient("cookie-of-another-user", 1, base_url="https://neptun.test", transport=transport) as inner:
            inner.update_project(123, name="New name")
        HTTPCORE.debug("outside: %s", request.headers["Cookie"])
        return httpx.Response(200, json={"project": PROJECT})

    client_for(respond).update_project(123, name="New name")
    assert library_log() == ["inside: neptun-session=*** ***", "outside: neptun-session=***"]
