"""Errors: the right class and attributes, and a text with the operation, the ids, the outcome and a next step."""

import copy
import pickle
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import httpx
import pytest

import neptun_sdk
from neptun_sdk import Project, errors
from neptun_sdk.errors import Call, from_answer, from_fault, parse_retry_after

CALL = Call("update_project", {"user_id": 1, "project_id": 123}, Project, {"name": "a"})
HANDLER_401 = {"statusCode": 401, "statusMessage": "Unauthorized.", "stack": []}
THROWN_401 = {
    "error": True,
    "url": "http://127.0.0.1/api",
    "statusCode": 401,
    "statusMessage": "Server Error",
    "message": "Unauthorized",
}


def test_the_tree_is_the_one_that_callers_catch() -> None:
    assert issubclass(neptun_sdk.ArgumentError, ValueError)
    assert issubclass(neptun_sdk.NeptunTimeoutError, neptun_sdk.NeptunConnectionError)
    by_status = ("BadRequest", "Authentication", "PermissionDenied", "NotFound", "RateLimit", "Server")
    assert {cls.__name__ for cls in neptun_sdk.StatusError.__subclasses__()} == {f"{name}Error" for name in by_status}
    every = [getattr(neptun_sdk, name) for name in neptun_sdk.__all__ if name.endswith("Error")]
    assert all(issubclass(cls, neptun_sdk.NeptunError) for cls in every)


@pytest.mark.parametrize(
    ("status_code", "kind", "applied", "next_step"),
    [
        (400, neptun_sdk.BadRequestError, False, "Correct the fields"),
        (401, neptun_sdk.AuthenticationError, False, "Log in to Neptun"),
        (403, neptun_sdk.PermissionDeniedError, False, "user_id of the session's own user"),
        (404, neptun_sdk.NotFoundError, False, "Check the ids"),
        (413, neptun_sdk.StatusError, False, "Check base_url and the arguments"),
        (429, neptun_sdk.RateLimitError, False, "Call again later"),
        (500, neptun_sdk.ServerError, None, "Try again later"),
        (503, neptun_sdk.ServerError, None, "Try again later"),
        (520, neptun_sdk.ServerError, None, "Try again later"),
    ],
)
def test_every_status_becomes_its_own_error(
    status_code: int, kind: type[errors.StatusError], applied: bool | None, next_step: str
) -> None:
    body = {"statusCode": status_code, "message": "What the server said."}
    error = from_answer(CALL, status_code, {}, body)
    assert type(error) is kind
    assert isinstance(error, neptun_sdk.StatusError)
    assert (error.operation, error.applied) == ("update_project", applied)
    assert (error.status_code, error.message, error.body) == (status_code, "What the server said", body)
    expected = f"update_project(user_id=1, project_id=123): {status_code} What the server said."
    assert str(error).startswith(expected)
    assert next_step in str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"statusCode": 404, "message": "Project not found"}, "Project not found"),
        (THROWN_401, "Unauthorized"),
        (HANDLER_401, "Unauthorized"),
        ({"error": "not_found"}, "not_found"),
        ({"detail": "None such"}, "None such"),
        ({"message": ""}, "Not Found"),
        ({"message": 5}, "Not Found"),
        ([1, 2], "Not Found"),
        (None, "Not Found"),
        ("upstream\n  unavailable", "upstream unavailable"),
        ("<html><head><TITLE>404 | Gone\n astray</TITLE></head>", "404 | Gone astray"),
        ("<html>no title</html>", "Not Found"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "…"),
        (" \n<html><title>Blank first</title>", "Blank first"),
        ("It ends in XX.", "It ends in XX"),
        ({"message": "red \x1b[31m \ud800 alert\r\n"}, "red [31m alert"),
        ({"message": "\0."}, "Not Found"),
    ],
)
def test_the_message_is_the_best_that_a_body_offers(body: object, message: str) -> None:
    error = from_answer(CALL, 404, {}, body)
    assert isinstance(error, neptun_sdk.NotFoundError)
    assert error.message == message


def test_a_status_without_a_phrase_still_has_a_message() -> None:
    error = from_answer(CALL, 520, {}, None)
    assert isinstance(error, neptun_sdk.ServerError)
    assert error.message == "no message"


def test_a_400_lists_its_problems_by_field() -> None:
    issues = [
        {"path": ["project_type"], "message": "Invalid enum value."},
        {"path": ["file_tree", 0], "message": "Required"},
        {"path": ["name"], "message": "Too short"},
        {"path": ["name"], "message": "Too plain"},
        {"path": ["description"]},
        {"path": [], "message": "of the whole body"},
        {"message": "no path"},
        "not an object",
    ]
    error = from_answer(CALL, 400, {}, {"statusCode": 400, "statusMessage": "Bad Request", "data": {"issues": issues}})
    assert isinstance(error, neptun_sdk.BadRequestError)
    assert error.fields == {
        "project_type": "Invalid enum value",
        "file_tree.0": "Required",
        "name": "Too short; Too plain",
        "description": "invalid",
    }
    assert "project_type: Invalid enum value. " in str(error)


@pytest.mark.parametrize("body", [None, "text", [], {"data": None}, {"data": {"issues": "none"}}])
def test_a_400_without_a_list_of_problems_has_no_fields(body: object) -> None:
    error = from_answer(CALL, 400, {}, body)
    assert isinstance(error, neptun_sdk.BadRequestError)
    assert error.fields == {}


def test_the_two_kinds_of_401_are_told_apart() -> None:
    assert "Log in to Neptun" in str(from_answer(CALL, 401, {}, THROWN_401))
    refused = str(from_answer(CALL, 401, {}, HANDLER_401))
    assert "session is valid, but the resource does not exist or is not this user's" in refused
    assert "Log in" not in refused


def test_only_a_status_that_asks_to_wait_says_how_long() -> None:
    assert "Call again after 7 seconds" in str(from_answer(CALL, 503, {"retry-after": "7"}, None))
    assert "Call again after" not in str(from_answer(CALL, 401, {"retry-after": "7"}, None))


def test_a_rate_limit_says_how_long_to_wait() -> None:
    error = from_answer(CALL, 429, {"retry-after": "7"}, None)
    assert isinstance(error, neptun_sdk.RateLimitError)
    assert error.retry_after == 7.0
    assert "Call again after 7 seconds" in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(None, None), ("0", 0.0), (" 12 ", 12.0), ("soon", None), ("-1", None), ("", None), ("1" * 5000, 1e9)],
)
def test_retry_after_is_read_as_seconds(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


@pytest.mark.parametrize("year", ["99999", "9" * 20, "9" * 5000])
def test_a_date_that_is_none_is_no_retry_after(year: str) -> None:
    assert parse_retry_after(f"Wed, 21 Oct {year} 07:28:00 GMT") is None


def test_retry_after_is_read_as_a_date() -> None:
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 -0000") == 0.0
    far = datetime.now(UTC) + timedelta(minutes=10)
    elsewhere = parse_retry_after(far.astimezone(timezone(timedelta(hours=5))).strftime("%a, %d %b %Y %H:%M:%S %z"))
    assert elsewhere is not None
    assert 590 < elsewhere <= 600
    seconds = parse_retry_after(format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True))
    assert seconds is not None
    assert 590 < seconds <= 600


@pytest.mark.parametrize(
    "location", ["https://user:secret@elsewhere.test/login?token=secret#secret", None, "https://host:port"]
)
def test_a_redirect_says_where_without_secrets(location: str | None) -> None:
    error = from_answer(CALL, 302, {"location": location} if location else {}, None)
    assert isinstance(error, neptun_sdk.ResponseError)
    assert (error.status_code, error.applied) == (302, None)
    assert "base_url is probably wrong" in str(error)
    assert "session is missing" in str(error)
    assert "secret" not in str(error)
    assert ("elsewhere.test/login" in str(error)) == (location is not None and "elsewhere" in location)


@pytest.mark.parametrize("status_code", [201, 204, 299, 600, 999])
def test_a_status_outside_the_contract_is_a_response_error(status_code: int) -> None:
    error = from_answer(CALL, status_code, {}, None)
    assert type(error) is neptun_sdk.ResponseError
    assert (error.status_code, error.applied) == (status_code, None)


@pytest.mark.parametrize(
    ("fault", "status_code", "kind", "applied", "words"),
    [
        (httpx.ConnectError("refused"), None, neptun_sdk.NeptunConnectionError, False, "cannot connect.*refused"),
        (httpx.ConnectTimeout(""), None, neptun_sdk.NeptunTimeoutError, False, "ConnectTimeout.*Nothing was changed"),
        (httpx.ReadTimeout(""), None, neptun_sdk.NeptunTimeoutError, None, "may or may not.*timeout="),
        (httpx.ReadTimeout(""), 200, neptun_sdk.NeptunTimeoutError, True, "update was applied"),
        (httpx.ReadError(""), None, neptun_sdk.NeptunConnectionError, None, "broke.*ReadError.*Call again"),
        (httpx.ReadError(""), 404, neptun_sdk.NeptunConnectionError, False, "Nothing was changed"),
        (httpx.DecodingError("bad gzip"), 200, neptun_sdk.ResponseError, True, "decompressed.*bad gzip"),
    ],
)
def test_a_fault_becomes_a_typed_error(
    fault: httpx.HTTPError, status_code: int | None, kind: type[Exception], applied: bool | None, words: str
) -> None:
    error = from_fault(CALL, fault, "https://neptun.test", status_code)
    assert type(error) is kind
    assert error.applied is applied
    with pytest.raises(kind, match=words):
        raise error


PROJECT = Project(
    id=123,
    name="b",
    project_type="web-site",
    programming_language="go",
    created_at=datetime.now(UTC),
    updated_at=datetime.now(UTC),
    neptun_user_id=1,
)


def call(attempts: int = 1, in_doubt: bool = False) -> Call:
    made = Call(
        "update_project",
        {"user_id": 1, "project_id": 123},
        Project,
        {"name": "a", "project_type": "b", "description": "c"},
    )
    made.attempts, made.in_doubt = attempts, in_doubt
    return made


def fault(fault: httpx.HTTPError, status_code: int | None = None, attempts: int = 1) -> errors.NeptunError:
    return from_fault(call(attempts), fault, "https://neptun.test", status_code)


ISSUES = {"data": {"issues": [{"path": ["name"], "message": "Too short."}]}}
LONG = "a" * 81
TEXTS: list[tuple[Callable[[], errors.NeptunError], str]] = [
    (
        lambda: from_answer(call(), 400, {}, ISSUES),
        "400 Bad Request. name: Too short. Nothing was changed. Correct the fields and call again.",
    ),
    (
        lambda: from_answer(call(), 401, {}, None),
        "401 Unauthorized. Nothing was changed. The session is missing, unknown or expired. Log in to Neptun in a "
        "browser again and copy the value of the neptun-session cookie.",
    ),
    (
        lambda: from_answer(call(), 401, {}, HANDLER_401),
        "401 Unauthorized. Nothing was changed. The session is valid, but the resource does not exist or is not this "
        "user's. Check user_id and the other ids.",
    ),
    (
        lambda: from_answer(call(), 403, {}, None),
        "403 Forbidden. Nothing was changed. The session belongs to another user. Use the user_id of the session's own "
        "user.",
    ),
    (lambda: from_answer(call(), 404, {}, None), "404 Not Found. Nothing was changed. Check the ids."),
    (lambda: from_answer(call(), 404, {}, ISSUES), "404 Not Found. Nothing was changed. Check the ids."),
    (
        lambda: from_answer(call(), 409, {}, None),
        "409 Conflict. Nothing was changed. Check base_url and the arguments.",
    ),
    (
        lambda: from_answer(call(), 429, {}, None),
        "429 Too Many Requests. Nothing was changed. 1 attempt was made. Call again later, and less often.",
    ),
    (
        lambda: from_answer(call(), 500, {}, None),
        "500 Internal Server Error. The update may or may not have been applied. 1 attempt was made. Try again later.",
    ),
    (
        lambda: from_answer(call(), 599, {}, None),
        "599 no message. The update may or may not have been applied. 1 attempt was made. Try again later.",
    ),
    (
        lambda: from_answer(call(attempts=3), 503, {"retry-after": "7"}, None),
        "503 Service Unavailable. The update may or may not have been applied. 3 attempts were made. Call again after "
        "7 seconds.",
    ),
    (
        lambda: from_answer(call(attempts=2, in_doubt=True), 404, {}, None),
        "404 Not Found. The update may or may not have been applied. 2 attempts were made. Check the ids.",
    ),
    (
        lambda: fault(httpx.ConnectError("refused")),
        "cannot connect to https://neptun.test (refused). Nothing was changed. 1 attempt was made. Check base_url "
        "(NEPTUN_BASE_URL), the network and, for a private CA, SSL_CERT_FILE.",
    ),
    (
        lambda: fault(httpx.ReadTimeout("late")),
        "https://neptun.test did not answer within the call's timeout (ReadTimeout: late). The update may or may not "
        "have been applied. 1 attempt was made. Call again later: sending the same values twice is safe; or allow more "
        "time with timeout=.",
    ),
    (
        lambda: fault(httpx.ReadTimeout(""), 200),
        "https://neptun.test did not answer within the call's timeout (ReadTimeout). The update was applied. To see "
        "the result, send it again: sending the same values twice is safe; or allow more time with timeout=.",
    ),
    (
        lambda: fault(httpx.ReadError("reset"), attempts=3),
        "the connection to https://neptun.test broke before the whole answer had come (reset). The update may or may "
        "not have been applied. 3 attempts were made. Call again later: sending the same values twice is safe.",
    ),
    (
        lambda: fault(httpx.ReadError(""), 404),
        "the connection to https://neptun.test broke before the whole answer had come (ReadError). Nothing was "
        "changed. Call again later: sending the same values twice is safe.",
    ),
    (
        lambda: fault(httpx.DecodingError("bad"), 200),
        "the answer's body cannot be decompressed (bad). The update was applied. Check what stands at "
        "https://neptun.test.",
    ),
    (
        lambda: errors.closed(call()),
        "the client was closed before the next attempt. Nothing was changed. 1 attempt was made. Close a client when "
        "its calls have ended.",
    ),
    (
        lambda: errors.bad_body(call(), 200, "project: missing"),
        "the server answered 200, but its body is outside the contract: project: missing. The update was applied. Do "
        "not send it again; check that base_url is a Neptun server and that this SDK is up to date.",
    ),
    (
        lambda: errors.bad_body(call(), 404, "it is too large"),
        "the server answered 404, but its body is outside the contract: it is too large. Nothing was changed. Check "
        "that base_url is a Neptun server and that this SDK is up to date.",
    ),
    (
        lambda: from_answer(call(), 299, {}, None),
        "299: the server answered with a status that the contract does not know. The update may or may not have been "
        "applied. Check that base_url is a Neptun server.",
    ),
    (
        lambda: from_answer(
            call(), 399, {"location": "https://user:secret@elsewhere.test/login?token=secret#secret"}, None
        ),
        "399: the server redirected to 'https://elsewhere.test/login', and redirects are not followed. The update may "
        "or may not have been applied. base_url is probably wrong (http for https, another host, a missing path), or "
        "the session is missing.",
    ),
    (
        lambda: from_answer(call(), 300, {}, None),
        "300: the server redirected, and redirects are not followed. The update may or may not have been applied. "
        "base_url is probably wrong (http for https, another host, a missing path), or the session is missing.",
    ),
    (
        lambda: errors.not_applied(call(), {"name": ("a", "b")}, PROJECT, "documented"),
        "the server answered 200 but did not apply name (name: sent 'a', got 'b'). Applied: project_type, description. "
        "Compare error.resource with what you want, and check that the values are ones this server accepts.",
    ),
    (
        lambda: errors.not_applied(
            call(),
            {"name": (LONG, None), "project_type": (LONG[1:], ""), "description": ("c", "d")},
            PROJECT,
            "deployed",
        ),
        f"the server answered 200 but did not apply name, project_type, description (name: sent '{LONG[1:]}\\u2026', "
        f"got nothing; project_type: sent '{LONG[1:]}', got ''; description: sent 'c', got 'd'). Nothing that was sent "
        "was applied. The server speaks the deployed dialect: set dialect='deployed' (NEPTUN_DIALECT=deployed).",
    ),
]


@pytest.mark.parametrize(("make", "text"), TEXTS, ids=[text[:30] for _, text in TEXTS])
def test_every_text_says_what_happened_and_what_to_do_next(make: Callable[[], errors.NeptunError], text: str) -> None:
    error = make()
    assert str(error) == f"update_project(user_id=1, project_id=123): {text}"
    assert (error.operation, error.attempts >= 1) == ("update_project", True)
    said = {"The update was applied": True, "Nothing was changed": False, "may or may not": None}
    assert "applied" in vars(error)
    assert [error.applied] == ([value for words, value in said.items() if words in text] or [False])


def test_a_client_that_was_closed_after_a_doubtful_attempt_leaves_the_doubt() -> None:
    assert errors.closed(call(in_doubt=True)).applied is None


def test_a_service_can_make_an_error_for_its_own_tests() -> None:
    assert (str(neptun_sdk.NeptunError()), neptun_sdk.NeptunError().applied) == ("", None)
    error = neptun_sdk.RateLimitError("busy", status_code=429, retry_after=7.0)
    assert (str(error), error.status_code, error.retry_after, error.attempts) == ("busy", 429, 7.0, 0)


EXAMPLES = [
    neptun_sdk.ArgumentError("refused", operation="update_project"),
    from_answer(CALL, 400, {}, {"data": {"issues": [{"path": ["name"], "message": "no"}]}}),
    from_answer(CALL, 429, {"retry-after": "7"}, None),
    from_answer(CALL, 302, {}, None),
    from_fault(CALL, httpx.ReadTimeout(""), "https://neptun.test", None),
    errors.bad_body(CALL, 200, "project: missing"),
    errors.not_applied(CALL, {"name": ("a", "b")}, PROJECT, "documented"),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_every_error_pickles_and_copies(error: errors.NeptunError) -> None:
    for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301
        assert type(twin) is type(error)
        assert str(twin) == str(error)
        assert vars(twin) == vars(error)
