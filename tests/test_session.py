"""The session: read leniently where that is safe, refused with help where it is not, and never shown."""

import copy
import pickle
from collections.abc import Callable

import httpx
import pytest

from neptun_sdk import ArgumentError
from neptun_sdk.session import Session
from tests.conftest import CANARY

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
    "one quote": (
        '"',
        f"session_cookie contains a quote at position 1, which no cookie may have; {HOW_TO_GET} again.",
    ),
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
    assert caught.value.applied is None


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
    session = Session.from_environment(None, None, {})
    assert (sent_cookie(session), session.user_id) == (f"neptun-session={CANARY}", 42)


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "from-the-environment")
    monkeypatch.setenv("NEPTUN_USER_ID", "42")
    session = Session.from_environment(CANARY, 7, {})
    assert (sent_cookie(session), session.user_id) == (f"neptun-session={CANARY}", 7)


def test_an_empty_cookie_is_not_replaced_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that passes on what its user sent would otherwise act as somebody else."""
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "from-the-environment")
    with pytest.raises(ArgumentError, match=r"^session_cookie is empty, "):
        Session.from_environment("", 7, {})


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
        Session.from_environment(cookie, user_id, {})
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
        Session.from_environment(CANARY, None, {})
    assert str(caught.value) == "NEPTUN_USER_ID must be a positive integer."


def test_a_user_id_in_the_environment_may_not_be_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_USER_ID", "0")
    with pytest.raises(ArgumentError) as caught:
        Session.from_environment(CANARY, None, {})
    assert str(caught.value) == "NEPTUN_USER_ID must be a positive int (1 or more); nothing was sent."


@pytest.mark.parametrize("user_id", [True, 0, -1, "1", 1.0, 2**63, None], ids=repr)
def test_a_user_id_must_be_a_positive_int(user_id: object) -> None:
    with pytest.raises(ArgumentError, match=r"^user_id (must be a positive int|is larger than any id)"):
        Session(CANARY, user_id)  # type: ignore[arg-type]


def test_a_session_never_shows_its_cookie() -> None:
    session = Session(CANARY, 1)
    assert repr(session) == "Session(user_id=1, cookie='***')"
    assert CANARY not in f"{session} {vars(session)}"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])
def test_a_session_is_not_pickled_or_copied(take: Callable[[object], object]) -> None:
    with pytest.raises(TypeError) as caught:
        take(Session(CANARY, 1))
    text = "a Session is not pickled or copied, because it holds a secret"
    assert str(caught.value) == text
