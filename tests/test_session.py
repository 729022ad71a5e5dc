"""The session: read leniently where it is safe, refused with help where it is not, and never shown."""

import copy
import logging
import pickle
import threading

import httpx
import pytest

from neptun_sdk import ArgumentError
from neptun_sdk.session import COOKIE_NAME, Session
from tests.conftest import CANARY


def sent_cookie(session: Session) -> str:
    """The Cookie header that leaves with a request of this session."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Cookie"])
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        http.get("https://neptun.test", auth=session)
    return seen[0]


@pytest.mark.parametrize("value", [CANARY, "XYZ/abc+def==X", "1"])
@pytest.mark.parametrize(
    "pasted",
    [
        "{}",
        "  {}\t",
        '"{}"',
        "neptun-session={}",
        "Cookie: neptun-session={}",
        "cookie:neptun-session={}",
        "Cookie: theme=dark; neptun-session={}; lang=en",
        "theme=dark;neptun-session={}",
        "Cookie:\ttheme=dark\t; neptun-session \t=\t {} ;",
        "Set-Cookie: neptun-session={}; Path=/; HttpOnly; Secure; SameSite=Lax",
        "Cookie: neptun-session={0}; neptun-session={0}",
    ],
)
def test_a_pasted_cookie_is_understood(pasted: str, value: str) -> None:
    assert sent_cookie(Session(pasted.format(value), 1)) == f"neptun-session={value}"


@pytest.mark.parametrize(
    "pasted",
    [
        "",
        " ",
        '""',
        f"{CANARY}\r\nX-Injected: 1",
        f"{CANARY}\n",
        f"{CANARY}\0",
        f"{CANARY}; other=1",
        f"{CANARY},other",
        f"{CANARY} {CANARY}",
        f"{CANARY}é",
        f'{CANARY}"',
        f"{CANARY}\\",
        "Cookie: theme=dark",
        "Cookie: neptun-session=",
        f"Cookie: Xneptun-session={CANARY}",
        f"Cookie: theme=dark;\nneptun-session={CANARY}",
        f"Cookie: neptun-session={CANARY}\n; theme=dark",
        f"Cookie: neptun-session\n={CANARY}",
        f"Cookie: neptun-session={CANARY}; neptun-session=other",
    ],
)
def test_what_cannot_be_a_cookie_is_refused_with_help_and_without_showing_it(pasted: str) -> None:
    with pytest.raises(ArgumentError, match="developer tools") as caught:
        Session(pasted, 1)
    assert CANARY not in str(caught.value)
    assert caught.value.applied is False


HELP = (
    "Log in to Neptun in a browser, open the developer tools (F12), Application or Storage, Cookies, and copy the "
    "value of neptun-session; pass it as session_cookie= or set NEPTUN_SESSION_COOKIE."
)
NO_COOKIE_VALUE = (
    "session_cookie holds a character that no cookie value may have, such as a space, a line break, a quote, a comma, "
    f"a semicolon or a letter outside ASCII. {HELP}"
)


@pytest.mark.parametrize(
    ("pasted", "text"),
    [
        (None, f"The session cookie is missing. {HELP}"),
        ("", f"The session cookie is empty. {HELP}"),
        ('""', f"The session cookie is empty. {HELP}"),
        ('"', NO_COOKIE_VALUE),
        (CANARY.encode(), f"session_cookie must be a str, not bytes. {HELP}"),
        ("Cookie: theme=dark", f"session_cookie holds no neptun-session cookies; one is needed. {HELP}"),
        (
            "neptun-session=1; neptun-session=2",
            f"session_cookie holds 2 neptun-session cookies; one is needed. {HELP}",
        ),
    ],
)
def test_a_refused_cookie_says_why_and_how_to_get_one(pasted: object, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Session(pasted, 1)  # type: ignore[arg-type]
    assert str(caught.value) == text


def test_cookie_and_user_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", CANARY)
    monkeypatch.setenv("NEPTUN_USER_ID", " 42 ")
    session = Session(None, None)
    assert (sent_cookie(session), session.user_id) == (f"neptun-session={CANARY}", 42)


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "from-the-environment")
    monkeypatch.setenv("NEPTUN_USER_ID", "42")
    session = Session(CANARY, 7)
    assert (sent_cookie(session), session.user_id) == (f"neptun-session={CANARY}", 7)


@pytest.mark.parametrize("text", ["-1", "1.5", "abc", "1" * 19, "1" * 5000, "\N{FULLWIDTH DIGIT ONE}"])
def test_a_user_id_in_the_environment_must_be_an_integer(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_USER_ID", text)
    with pytest.raises(ArgumentError, match=r"^NEPTUN_USER_ID must be a positive integer\.$"):
        Session(CANARY, None)


def test_a_user_id_in_the_environment_may_not_be_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_USER_ID", "0")
    with pytest.raises(ArgumentError, match=r"^NEPTUN_USER_ID must be a positive int \(1 or more\)"):
        Session(CANARY, None)


@pytest.mark.parametrize("text", [None, "", " "])
def test_a_missing_user_id_is_refused(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if text is not None:
        monkeypatch.setenv("NEPTUN_USER_ID", text)
    with pytest.raises(ArgumentError) as caught:
        Session(CANARY, None)
    told = "user_id is missing: pass user_id= or set NEPTUN_USER_ID to the id of the session's user."
    assert str(caught.value) == told


@pytest.mark.parametrize("user_id", [True, 0, -1, "1", 1.0])
def test_a_user_id_must_be_a_positive_int(user_id: object) -> None:
    with pytest.raises(ArgumentError, match="user_id must be a positive int"):
        Session(CANARY, user_id)  # type: ignore[arg-type]


def test_the_cookie_is_off_the_request_again_after_it_was_sent() -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda request: httpx.Response(200))) as http:
        response = http.get("https://neptun.test", auth=Session(CANARY, 1))
    assert "Cookie" not in response.request.headers


def test_the_cookie_is_off_the_request_again_after_it_failed() -> None:
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
    assert session.mask(f"you sent {COOKIE_NAME}={CANARY}!") == f"you sent {COOKIE_NAME}=***!"


def test_what_other_libraries_log_is_masked_during_a_request_and_left_alone_otherwise(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    log = logging.getLogger("httpcore.http11")
    log.debug("before: %s", CANARY[:20])
    signing = Session(CANARY, 1).auth_flow(httpx.Request("GET", "https://neptun.test"))
    next(signing)
    log.debug("headers=%r", [("Set-Cookie", CANARY)])
    signing.close()
    log.debug("after: %s", "100%")
    assert [record.getMessage() for record in caplog.records] == [
        f"before: {CANARY[:20]}",
        "headers=[('Set-Cookie', '***')]",
        "after: 100%",
    ]


def test_a_cookie_of_eight_characters_is_a_secret_and_a_shorter_one_a_word() -> None:
    assert Session("12345678", 1).mask("it is 12345678!") == "it is ***!"
    assert Session("1234567", 1).mask("it is 1234567!") == "it is 1234567!"


def test_every_text_of_a_document_is_masked_as_deep_as_it_may_be_nested() -> None:
    session = Session("12345678", 1)
    document = {"a 12345678": [{"b": "12345678", "c": 12345678}], "d": None}
    masked = {"a ***": [{"b": "***", "c": 12345678}], "d": None}
    assert session.mask(document) == session.mask(document, 3) == masked
    for levels in (0, 1, 2):
        with pytest.raises(ValueError, match="nested"):
            session.mask(document, levels)


def test_a_thread_that_never_sent_anything_logs_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    thread = threading.Thread(target=logging.getLogger("httpcore.http11").debug, args=("from a thread",))
    thread.start()
    thread.join()
    assert [record.getMessage() for record in caplog.records] == ["from a thread"]


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy])
def test_a_session_is_not_pickled_or_copied(take: object) -> None:
    told = "^a Session is not pickled or copied, because it holds a secret; make a NeptunClient where it is used$"
    with pytest.raises(TypeError, match=told):
        take(Session(CANARY, 1))  # type: ignore[operator]
