"""The session: read leniently where that is safe, refused with help where it is not, and never shown."""

import copy
import logging
import pickle
import threading
from collections.abc import Callable

import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.session import COOKIE_NAME, MIN_MASKED_LENGTH, Session, mask_library_logs
from tests.conftest import CANARY, PROJECT, ClientFor

WITH_A_QUOTE = "Fe26.2**it's/a~secret"


def sent_cookie(session: Session) -> str:
    """Return the Cookie header of a request of this session."""
    headers: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        headers.append(request.headers["Cookie"])
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(respond)) as http:
        http.get("https://neptun.test", auth=session)
    return headers[0]


VALUES = {
    "a real one": CANARY,
    "base64": "XYZ/abc+def==X",
    "one character": "1",
    "a single quote": "it's",
    "like an option": "-Habc",
}
PASTED = {
    "the value": "{}",
    "white space": "  {}\t",
    "double quotes": '"{}"',
    "single quotes": "'{}'",
    "name=value": "neptun-session={}",
    "name=value in quotes": "'neptun-session={}'",
    "name=value, the value in double quotes": 'neptun-session="{}"',
    "name=value, the value in single quotes": "neptun-session='{}'",
    "a Cookie line": "Cookie: neptun-session={}",
    "a Cookie line without a space": "cookie:neptun-session={}",
    "a Cookie line in double quotes": '"Cookie: neptun-session={}"',
    "a Cookie line in single quotes": "'Cookie: theme=dark; neptun-session={}; lang=en'",
    "a Cookie line with other cookies": "Cookie: theme=dark; neptun-session={}; lang=en",
    "curl's option": "-H 'Cookie: neptun-session={}'",
    "curl's option with other cookies": '-H "cookie: theme=dark; neptun-session={}"',
    "curl's option without a space": "-H'Cookie: neptun-session={}'",
    "curl's option without quotes": "-H Cookie:neptun-session={}",
    "other cookies": "theme=dark;neptun-session={}",
    "tabs and spaces": "Cookie:\ttheme=dark\t; neptun-session \t=\t {} ;",
    "a Set-Cookie line": "Set-Cookie: neptun-session={}; Path=/; HttpOnly; Secure; SameSite=Lax",
    "the same cookie twice": "Cookie: neptun-session={0}; neptun-session={0}",
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("pasted", PASTED.values(), ids=PASTED)
def test_a_pasted_cookie_is_understood(pasted: str, value: str) -> None:
    assert sent_cookie(Session(pasted.format(value), 1)) == f"neptun-session={value}"


HOW_TO_GET = "log in to Neptun, copy the value of neptun-session (browser: F12, Application or Storage, Cookies)"
TO_THE_CLIENT = "pass it as session_cookie= or set NEPTUN_SESSION_COOKIE"
EMPTY = f"session_cookie is empty, so there is no session: {HOW_TO_GET}, and pass it."
REFUSED: dict[str, tuple[object, str]] = {
    "none": (
        None,
        "session_cookie: the request carries no session; nothing was sent. Pass the user's neptun-session cookie.",
    ),
    "bytes": (
        CANARY.encode(),
        "session_cookie: it must be a str, not bytes; nothing was sent. Pass the user's neptun-session cookie.",
    ),
    "an empty text": ("", EMPTY),
    "white space only": (" \t", EMPTY),
    "quotes only": ('""', EMPTY),
    "an empty cookie in a line": ("Cookie: neptun-session=", EMPTY),
    "another cookie in a line": (
        "Cookie: theme=dark",
        f"session_cookie holds 0 neptun-session cookies; one is needed: {HOW_TO_GET}.",
    ),
    "a longer name in a line": (
        f"Cookie: Xneptun-session={CANARY}",
        f"session_cookie holds 0 neptun-session cookies; one is needed: {HOW_TO_GET}.",
    ),
    "a longer name": (
        f"Xneptun-session={CANARY}",
        f"session_cookie holds 0 neptun-session cookies; one is needed: {HOW_TO_GET}.",
    ),
    "a name on the next line": (
        f"Cookie: theme=dark;\nneptun-session={CANARY}",
        f"session_cookie holds 0 neptun-session cookies; one is needed: {HOW_TO_GET}.",
    ),
    "a line break after the name": (
        f"Cookie: neptun-session\n={CANARY}",
        f"session_cookie holds 0 neptun-session cookies; one is needed: {HOW_TO_GET}.",
    ),
    "two cookies": (
        f"Cookie: neptun-session={CANARY}; neptun-session=other",
        f"session_cookie holds 2 neptun-session cookies; one is needed: {HOW_TO_GET}.",
    ),
}


@pytest.mark.parametrize(("pasted", "text"), REFUSED.values(), ids=REFUSED)
def test_a_refused_cookie_says_why_and_how_to_get_one(pasted: object, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Session(pasted, 1)  # type: ignore[arg-type]
    assert str(caught.value) == text
    assert CANARY not in str(caught.value)
    assert caught.value.applied is False


WRONG_CHARACTERS = {
    "a space": ("abc def", "a space at position 4"),
    "a tab": ("abc\tdef", "a tab at position 4"),
    "a line break": ("abc\r\nX-Injected: 1", "a line break at position 4"),
    "a line break at the end": ("abcdef\n", "a line break at position 7"),
    "a quote": ('abc"def', "a quote at position 4"),
    "a quote alone": ('"', "a quote at position 1"),
    "a quote that is not closed": ('"abc', "a quote at position 1"),
    "a comma": ("abc,def", "a comma at position 4"),
    "a semicolon": ("abc; other=1", "a semicolon at position 4"),
    "a backslash": ("abc\\", "a backslash at position 4"),
    "NUL": ("abc\0", "the character U+0000 at position 4"),
    "DEL": ("abc\x7f", "the character U+007F at position 4"),
    "a letter outside ASCII": ("abcé", "the character U+00E9 at position 4"),
    "a letter outside the BMP": ("abc\N{GRINNING FACE}", "the character U+1F600 at position 4"),
    "after white space": ("  abc def", "a space at position 6"),
    "in quotes": ('"abc def"', "a space at position 5"),
    "in name=value": ("neptun-session=abc,def", "a comma at position 19"),
    "in a Cookie line": ("Cookie: theme=dark; neptun-session=abc def; lang=en", "a space at position 39"),
    "in a Cookie line with a line break": ("Cookie: neptun-session=abc\n; theme=dark", "a line break at position 27"),
    "in curl's option": ("-H 'Cookie: neptun-session=abc def'", "a space at position 31"),
}


@pytest.mark.parametrize(("pasted", "named"), WRONG_CHARACTERS.values(), ids=WRONG_CHARACTERS)
def test_a_character_that_no_cookie_has_is_named_with_its_position(pasted: str, named: str) -> None:
    """The position counts in what was pasted, so that a user finds the character there."""
    with pytest.raises(ArgumentError) as caught:
        Session(pasted, 1)
    assert str(caught.value) == f"session_cookie contains {named}, which no cookie may have; {HOW_TO_GET} again."


def test_cookie_and_user_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that was read from a file often ends in a line break."""
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", f"{CANARY}\n")
    monkeypatch.setenv("NEPTUN_USER_ID", " 42\r\n")
    session = Session.from_environment(None, None)
    assert (sent_cookie(session), session.user_id) == (f"neptun-session={CANARY}", 42)


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "from-the-environment")
    monkeypatch.setenv("NEPTUN_USER_ID", "42")
    session = Session.from_environment(CANARY, 7)
    assert (sent_cookie(session), session.user_id) == (f"neptun-session={CANARY}", 7)


def test_an_empty_cookie_is_not_replaced_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that passes on what its user sent would otherwise act as somebody else."""
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "from-the-environment")
    with pytest.raises(ArgumentError, match=r"^session_cookie is empty, "):
        Session.from_environment("", 7)


@pytest.mark.parametrize("missing", ["cookie", "user_id"])
def test_a_session_of_its_own_looks_at_no_environment(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "from-the-environment")
    monkeypatch.setenv("NEPTUN_USER_ID", "42")
    arguments: dict[str, object] = {"cookie": CANARY, "user_id": 1, missing: None}
    with pytest.raises(ArgumentError):
        Session(**arguments)  # type: ignore[arg-type]


NO_ID = "user_id is missing: pass user_id= or set NEPTUN_USER_ID to the id of the session's user."
NO_COOKIE = f"session_cookie is missing: {HOW_TO_GET}, and {TO_THE_CLIENT}."
MISSING: dict[str, tuple[str | None, int | None, str]] = {
    "the cookie": (None, 1, NO_COOKIE),
    "the user": (CANARY, None, NO_ID),
    "both": (None, None, f"{NO_ID} {NO_COOKIE}"),
}


@pytest.mark.parametrize("empty", [None, "", " \n"], ids=["unset", "empty", "white space"])
@pytest.mark.parametrize(("cookie", "user_id", "text"), MISSING.values(), ids=MISSING)
def test_what_is_missing_is_named_at_once(
    cookie: str | None, user_id: int | None, text: str, empty: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if empty is not None:
        monkeypatch.setenv("NEPTUN_SESSION_COOKIE", empty)
        monkeypatch.setenv("NEPTUN_USER_ID", empty)
    with pytest.raises(ArgumentError) as caught:
        Session.from_environment(cookie, user_id)
    assert str(caught.value) == text


WRONG_USER_IDS = {
    "negative": "-1",
    "a fraction": "1.5",
    "letters": "abc",
    "larger than an int64": "1" * 19,
    "thousands of digits": "1" * 5000,
    "another script": "\N{FULLWIDTH DIGIT ONE}",
    "two lines": "1\n2",
}


@pytest.mark.parametrize("text", WRONG_USER_IDS.values(), ids=WRONG_USER_IDS)
def test_a_user_id_in_the_environment_must_be_an_integer(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_USER_ID", text)
    with pytest.raises(ArgumentError) as caught:
        Session.from_environment(CANARY, None)
    assert str(caught.value) == "NEPTUN_USER_ID must be a positive integer."


def test_a_user_id_in_the_environment_may_not_be_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_USER_ID", "0")
    with pytest.raises(ArgumentError) as caught:
        Session.from_environment(CANARY, None)
    assert str(caught.value) == "NEPTUN_USER_ID must be a positive int (1 or more); nothing was sent."


@pytest.mark.parametrize("user_id", [True, 0, -1, "1", 1.0, 2**63, None], ids=repr)
def test_a_user_id_must_be_a_positive_int(user_id: object) -> None:
    with pytest.raises(ArgumentError, match=r"^user_id (must be a positive int|is larger than any id)"):
        Session(CANARY, user_id)  # type: ignore[arg-type]


def test_the_cookie_is_removed_from_a_request_that_was_sent() -> None:
    """httpx keeps the request on the response, and does not mask this header."""
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200))) as http:
        response = http.get("https://neptun.test", auth=Session(CANARY, 1))
    assert "Cookie" not in response.request.headers


def test_the_cookie_is_removed_from_a_request_that_failed() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no", request=request)

    with (
        httpx.Client(transport=httpx.MockTransport(fail)) as http,
        pytest.raises(httpx.ConnectError) as caught,
    ):
        http.get("https://neptun.test", auth=Session(CANARY, 1))
    assert "Cookie" not in caught.value.request.headers


def test_a_session_never_shows_its_cookie() -> None:
    session = Session(CANARY, 1)
    assert repr(session) == "Session(user_id=1, cookie='***')"
    assert CANARY not in f"{session} {vars(session)}"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_session_is_not_pickled_or_copied(take: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        take(Session(CANARY, 1))
    text = "a Session is not pickled or copied, because it holds a secret; make a NeptunClient where it is used"
    assert str(caught.value) == text


def test_the_cookie_is_masked_in_a_text() -> None:
    assert Session(CANARY, 1).mask(f"you sent {COOKIE_NAME}={CANARY}!") == f"you sent {COOKIE_NAME}=***!"


def test_the_cookie_is_masked_in_bytes() -> None:
    assert Session(CANARY, 1).mask(b"\xff " + CANARY.encode()) == b"\xff ***"


def test_the_cookie_is_masked_as_repr_escapes_it() -> None:
    """Beside a double quote, repr escapes the single quote that a cookie may hold: httpcore logs headers like this."""
    shown = repr([(b"X-Echo", f'"{WITH_A_QUOTE}"'.encode())])
    assert WITH_A_QUOTE not in shown
    assert Session(WITH_A_QUOTE, 1).mask(shown) == "[(b'X-Echo', b'\"***\"')]"


def test_the_cookie_is_masked_as_encoders_of_json_escape_its_slashes() -> None:
    assert Session(WITH_A_QUOTE, 1).mask(r'{"a": "Fe26.2**it' + r"'s\/a~secret" + '"}') == '{"a": "***"}'


def test_a_cookie_of_eight_characters_is_masked_and_a_shorter_one_is_not() -> None:
    """A word that happens to be in a text is not a secret, and real cookies are far longer."""
    assert MIN_MASKED_LENGTH == 8
    assert Session("12345678", 1).mask("it is 12345678!") == "it is ***!"
    assert Session("1234567", 1).mask("it is 1234567!") == "it is 1234567!"
    assert Session("it's/a", 1).mask(r"it's/a it\'s/a it's\/a") == r"it's/a it\'s/a it's\/a"


DOCUMENT = {"a 12345678": [{"b": "12345678", "c": 12345678}], "d": None}


def test_every_text_of_a_document_is_masked() -> None:
    assert Session("12345678", 1).mask(DOCUMENT) == {"a ***": [{"b": "***", "c": 12345678}], "d": None}


def raised(exc: Exception) -> Exception:
    """Return an exception with a traceback whose frame holds the cookie."""
    secret = CANARY
    try:
        raise exc
    except Exception as caught:
        assert secret
        return caught


def test_an_exception_loses_its_traceback_and_the_echoes_in_its_arguments() -> None:
    exc = raised(ValueError(f"illegal header: {CANARY}", 5))
    Session(CANARY, 1).mask_exception(exc)
    assert exc.__traceback__ is None
    assert exc.args == ("illegal header: ***", 5)


def test_an_exception_loses_the_echoes_in_its_attributes_and_notes() -> None:
    exc = raised(ValueError("illegal"))
    exc.__dict__.update(line=CANARY.encode(), number=5)
    exc.add_note(f"sent {CANARY}")
    Session(CANARY, 1).mask_exception(exc)
    assert vars(exc) == {"line": b"***", "number": 5, "__notes__": ["sent ***"]}


def test_an_error_of_the_operating_system_loses_the_echo_in_its_text() -> None:
    exc = raised(OSError(5, CANARY))
    Session(CANARY, 1).mask_exception(exc)
    assert str(exc) == "[Errno 5] ***"


def test_an_error_of_the_operating_system_loses_the_echo_in_the_name_of_a_file() -> None:
    exc = raised(FileNotFoundError(2, "not found", CANARY))
    Session(CANARY, 1).mask_exception(exc)
    assert str(exc) == "[Errno 2] not found: '***'"


@pytest.mark.parametrize("error", [AttributeError, TypeError])
def test_an_exception_whose_arguments_cannot_be_set_is_reported_as_unclean(error: type[Exception]) -> None:
    class Fixed(Exception):
        @property
        def args(self) -> tuple[str, ...]:
            return (CANARY,)

        @args.setter
        def args(self, _: object) -> None:
            raise error

        def __str__(self) -> str:
            return CANARY

    assert Session(CANARY, 1).mask_exception(raised(Fixed())) is False


def test_exceptions_with_an_equality_of_their_own_are_masked() -> None:
    class Strict(ValueError):
        def __eq__(self, other: object) -> bool:
            raise TypeError("not comparable")

        __hash__ = ValueError.__hash__

    outer, inner = raised(Strict(CANARY)), raised(Strict(CANARY))
    outer.__context__ = inner
    Session(CANARY, 1).mask_exception(outer)
    assert [exc.args for exc in (outer, inner)] == [("***",)] * 2


def test_every_exception_of_a_chain_is_masked() -> None:
    outer, cause, context, inner = (raised(ValueError(f"{name} {CANARY}")) for name in ("a", "b", "c", "d"))
    outer.__cause__, outer.__context__, cause.__context__ = cause, context, inner
    Session(CANARY, 1).mask_exception(outer)
    assert [str(exc) for exc in (outer, cause, context, inner)] == ["a ***", "b ***", "c ***", "d ***"]
    assert [exc.__traceback__ for exc in (outer, cause, context, inner)] == [None] * 4


def test_every_exception_of_a_group_is_masked() -> None:
    """A transport of the caller's own that runs asynchronous code may raise a group."""
    first, second = raised(ValueError(CANARY)), raised(OSError(CANARY))
    group = raised(ExceptionGroup(f"failed: {CANARY}", [first, second]))
    Session(CANARY, 1).mask_exception(group)
    assert [exc.__traceback__ for exc in (group, first, second)] == [None] * 3
    assert [exc.args for exc in (first, second)] == [("***",)] * 2


def test_a_chain_that_is_a_circle_ends() -> None:
    first, second = raised(ValueError("a")), raised(ValueError("b"))
    first.__context__, second.__context__ = second, first
    Session(CANARY, 1).mask_exception(first)
    assert second.__traceback__ is None


@pytest.fixture
def library_log(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """Return a function that returns what was logged through httpcore's logger, which masks the cookies in use."""
    caplog.set_level("DEBUG", logger="httpcore.http11")
    mask_library_logs()
    return lambda: [record.getMessage() for record in caplog.records]


HTTPCORE = logging.getLogger("httpcore.http11")


def test_library_logs_are_masked_during_a_call_only(library_log: Callable[[], list[str]]) -> None:
    HTTPCORE.debug("before: %s", CANARY)
    with Session(CANARY, 1):
        HTTPCORE.debug("headers=%r", [("Set-Cookie", CANARY)])
    HTTPCORE.debug("after: %s", CANARY)
    assert library_log() == [f"before: {CANARY}", "headers=[('Set-Cookie', '***')]", f"after: {CANARY}"]


def test_library_logs_of_a_call_inside_a_call_are_masked_for_both(library_log: Callable[[], list[str]]) -> None:
    outer, inner = Session("cookie-of-the-outer", 1), Session("cookie-of-the-inner", 2)
    with outer:
        with inner:
            HTTPCORE.debug("inside: %s %s", "cookie-of-the-outer", "cookie-of-the-inner")
        HTTPCORE.debug("afterwards: %s %s", "cookie-of-the-outer", "cookie-of-the-inner")
    assert library_log() == ["inside: *** ***", "afterwards: *** cookie-of-the-inner"]


def test_a_transport_that_makes_a_call_of_its_own_leaves_the_outer_cookie_masked(
    library_log: Callable[[], list[str]], client_for: ClientFor
) -> None:
    def respond_inside(request: httpx.Request) -> httpx.Response:
        HTTPCORE.debug("inside: %s", request.headers["Cookie"])
        return httpx.Response(200, json={"project": PROJECT})

    def respond(request: httpx.Request) -> httpx.Response:
        transport = httpx.MockTransport(respond_inside)
        with NeptunClient("cookie-of-another-user", 1, base_url="https://neptun.test", transport=transport) as inner:
            inner.update_project(123, name="New name")
        HTTPCORE.debug("outside: %s", request.headers["Cookie"])
        return httpx.Response(200, json={"project": PROJECT})

    client_for(respond).update_project(123, name="New name")
    assert library_log() == ["inside: neptun-session=***", "outside: neptun-session=***"]


def test_a_thread_without_a_call_logs_as_usual(library_log: Callable[[], list[str]]) -> None:
    with Session(CANARY, 1):
        thread = threading.Thread(target=HTTPCORE.debug, args=("from a thread: %s", CANARY))
        thread.start()
        thread.join()
    assert library_log() == [f"from a thread: {CANARY}"]


def test_the_filter_is_added_once_to_each_logger() -> None:
    for name in ("httpcore.http11", "httpx"):
        mask_library_logs()
        filters = list(logging.getLogger(name).filters)
        mask_library_logs()
        assert logging.getLogger(name).filters == filters
