"""Retries: what may pass is tried again, after a wait, as often and as long as the call allows; nothing else is."""

import contextlib
import logging
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from neptun_sdk import (
    ArgumentError,
    BadRequestError,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NeptunTimeoutError,
    NotFoundError,
    RateLimitError,
    ResponseError,
    ServerError,
    StatusError,
    UpdateNotVerifiedError,
)
from neptun_sdk.operations import CallInfo, Operations
from neptun_sdk.retries import backoff, is_retryable, retry_delay
from tests.conftest import CANARY, PROJECT

Step = int | Exception | httpx.Response
ClientWithResponses = Callable[..., tuple[NeptunClient, list[Step]]]


class Reading:
    """An operation that only reads."""

    GET_PROJECT = replace(Operations.UPDATE_PROJECT, updates=False)


PATCH: CallInfo[Any] = CallInfo(
    Operations.UPDATE_PROJECT, {"user_id": 1, "project_id": 123}, {"name": "New name"}, attempts=1
)
PUT: CallInfo[Any] = CallInfo(
    Operations.UPDATE_PROJECT_IMPORT, {"user_id": 1, "project_id": 789, "import_id": 123}, {"title": "a"}, attempts=1
)
GET: CallInfo[Any] = CallInfo(Reading.GET_PROJECT, {"user_id": 1, "project_id": 123}, {}, attempts=1)

HANDLER_404 = {"statusCode": 404, "statusMessage": "Not Found.", "stack": []}
PUBLISHED_404 = {"statusCode": 404, "message": "Import not found"}

RETRYABLE: dict[str, tuple[NeptunError, CallInfo[Any], bool]] = {
    "no connection": (NeptunConnectionError(), PATCH, True),
    "timeout": (NeptunTimeoutError(), PATCH, True),
    "broke after the head of a 200": (NeptunConnectionError(status_code=200), PATCH, False),
    "broke after the head of a 200, reading": (NeptunConnectionError(status_code=200), GET, True),
    "broke after the head of a 404": (NeptunConnectionError(status_code=404), PATCH, False),
    "broke after the head of a 500": (NeptunConnectionError(status_code=500), PATCH, False),
    "broke after the head of a 503": (NeptunConnectionError(status_code=503), PATCH, True),
    "400": (BadRequestError(), PATCH, False),
    "404": (NotFoundError(body=PUBLISHED_404), PUT, False),
    "404 after an attempt that may have been applied": (NotFoundError(body=PUBLISHED_404, applied=None), PUT, False),
    "404 of a handler, import": (NotFoundError(body=HANDLER_404), PUT, True),
    "404 of a handler, project": (NotFoundError(body=HANDLER_404), PATCH, False),
    "404 of a handler, reading": (NotFoundError(body=HANDLER_404), GET, False),
    "404 of a handler, to a NUL": (NotFoundError(body=HANDLER_404), replace(PUT, fields={"source_path": "\0"}), False),
    "404 without a body": (NotFoundError(), PUT, False),
    "404 with a status code alone": (NotFoundError(body={"statusCode": 404}), PUT, True),
    "408": (StatusError(status_code=408), PATCH, False),
    "429": (RateLimitError(), PATCH, True),
    "500": (ServerError(), PATCH, False),
    "502": (ServerError(status_code=502), PATCH, True),
    "503": (ServerError(status_code=503), PATCH, True),
    "504": (ServerError(status_code=504), PATCH, True),
    "520": (ServerError(status_code=520), PATCH, False),
    "outside the contract": (ResponseError(status_code=503), PATCH, False),
    "not verified": (UpdateNotVerifiedError(), PATCH, False),
    "refused argument": (ArgumentError(), PATCH, False),
}


@pytest.mark.parametrize(("error", "call", "retryable"), RETRYABLE.values(), ids=RETRYABLE)
def test_only_what_may_pass_is_retryable(error: NeptunError, call: CallInfo[Any], *, retryable: bool) -> None:
    assert is_retryable(error, call) is retryable


@pytest.fixture
def longest_backoff(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float]]:
    """Let each wait be the longest possible; returns the limits between which they are chosen."""
    limits: list[tuple[float, float]] = []

    def longest(low: float, high: float) -> float:
        limits.append((low, high))
        return high

    monkeypatch.setattr(random, "uniform", longest)
    return limits


BACKOFFS = {1: 0.5, 2: 1.0, 3: 2.0, 4: 4.0, 5: 8.0, 6: 8.0, 11: 8.0, 12: 8.0, 1_000_000_000: 8.0}


@pytest.mark.parametrize(("attempt", "seconds"), BACKOFFS.items(), ids=map(str, BACKOFFS))
def test_the_backoff_grows_up_to_a_limit(
    attempt: int, seconds: float, longest_backoff: list[tuple[float, float]]
) -> None:
    assert (backoff(attempt), longest_backoff) == (seconds, [(0, seconds)])


def test_the_backoff_is_spread_at_random() -> None:
    """Clients that failed together do not come back together."""
    assert len({backoff(5) for _ in range(20)}) > 1


BUSY, UNAVAILABLE = RateLimitError(retry_after=7.0), ServerError(status_code=503)
# The error, the attempts so far, max_retries, the seconds that remain, and the delay.
DELAYS: dict[str, tuple[NeptunError, int, int, float, float | None]] = {
    "first of two retries": (UNAVAILABLE, 1, 2, 30.0, 0.5),
    "second of two retries": (UNAVAILABLE, 2, 2, 30.0, 1.0),
    "no retry left": (UNAVAILABLE, 3, 2, 30.0, None),
    "no retries at all": (UNAVAILABLE, 1, 0, 30.0, None),
    "no connection": (NeptunConnectionError(), 1, 2, 30.0, 0.5),
    "not retryable": (ServerError(), 1, 2, 30.0, None),
    "Retry-After longer than the backoff": (BUSY, 1, 2, 30.0, 7.0),
    "Retry-After shorter than the backoff": (RateLimitError(retry_after=0.1), 1, 2, 30.0, 0.5),
    "Retry-After of 0 s": (RateLimitError(retry_after=0.0), 1, 2, 30.0, 0.5),
    "Retry-After beyond the deadline": (BUSY, 1, 2, 6.9, None),
    "Retry-After at the deadline": (BUSY, 1, 2, 7.0, None),
    "Retry-After before the deadline": (BUSY, 1, 2, 7.1, 7.0),
    "backoff at the deadline": (UNAVAILABLE, 1, 2, 0.5, None),
    "no time left": (UNAVAILABLE, 1, 2, -1.0, None),
}


@pytest.mark.parametrize(("error", "attempts", "max_retries", "remaining", "delay"), DELAYS.values(), ids=DELAYS)
@pytest.mark.usefixtures("longest_backoff")
def test_the_delay_follows_from_the_error_and_what_is_left(
    error: NeptunError, attempts: int, max_retries: int, remaining: float, delay: float | None
) -> None:
    call = replace(PATCH, attempts=attempts)
    assert retry_delay(error, call, max_retries=max_retries, remaining=remaining) == delay


@pytest.fixture
def sleeps() -> list[float]:
    """The seconds of each wait between two attempts; none of them takes any time."""
    return []


def do_not_wait(client: NeptunClient, sleeps: list[float]) -> None:
    """Let the waits of a client take no time."""
    closed = client._connections.closed

    def wait(timeout: float) -> bool:
        sleeps.append(timeout)
        return closed.is_set()

    closed.wait = wait  # type: ignore[method-assign, assignment]


@pytest.fixture
def client_with_responses(sleeps: list[float]) -> ClientWithResponses:
    """Make a client whose attempts go through these steps (a status, an exception or a response), and the steps left.

    A step with status 200 returns the project as it was updated.
    """

    def make(*steps: Step, **settings: Any) -> tuple[NeptunClient, list[Step]]:
        left = list(steps)

        def respond(_: httpx.Request) -> httpx.Response:
            step = left.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, httpx.Response):
                return step
            return httpx.Response(step, json={"project": PROJECT} if step == 200 else None)

        transport = httpx.MockTransport(respond)
        client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport, **settings)
        do_not_wait(client, sleeps)
        return client, left

    return make


class Breaking(httpx.SyncByteStream):
    """A body that breaks midway."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"{"
        raise httpx.ReadError("reset")


PASSING: dict[str, Step] = {
    "429": 429,
    "502": 502,
    "503": 503,
    "504": 504,
    "ConnectError": httpx.ConnectError("refused"),
    "ConnectTimeout": httpx.ConnectTimeout("late"),
    "PoolTimeout": httpx.PoolTimeout("late"),
    "ProxyError": httpx.ProxyError("407"),
    "ReadError": httpx.ReadError("reset"),
    "ReadTimeout": httpx.ReadTimeout("late"),
    "WriteError": httpx.WriteError("reset"),
    "RemoteProtocolError": httpx.RemoteProtocolError("closed"),
    "of the transport": OSError("a transport of the caller's own"),
}


@pytest.mark.parametrize("step", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_tried_again(
    step: Step, client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, left = client_with_responses(step, step, 200)
    assert client.update_project(123, name="New name").name == "New name"
    assert (left, len(sleeps)) == ([], 2)


@pytest.mark.parametrize("status_code", [201, 204, 302, 400, 401, 403, 404, 408, 413, 499, 500, 501, 505, 520])
def test_any_other_status_is_final(
    status_code: int, client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, left = client_with_responses(status_code, 200)
    with pytest.raises(NeptunError) as caught:
        client.update_project(123, name="New name")
    assert (left, sleeps, caught.value.attempts) == ([200], [], 1)


INVALID_200 = {"a page": b"<html>", "an empty project": b'{"project": {}}', "no project": b'{"project": null}'}


@pytest.mark.parametrize("content", INVALID_200.values(), ids=INVALID_200)
def test_a_200_that_cannot_be_used_is_final(
    content: bytes, client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, left = client_with_responses(httpx.Response(200, content=content), 200)
    with pytest.raises(ResponseError):
        client.update_project(123, name="New name")
    assert (left, sleeps) == ([200], [])


@pytest.mark.parametrize(("status_code", "applied"), [(200, None), (404, False), (500, None)])
def test_an_update_whose_response_breaks_midway_is_final(
    status_code: int, applied: bool | None, client_with_responses: ClientWithResponses
) -> None:
    """After the head of a 200 it was probably applied, and other statuses decide as if their body had come."""
    client, left = client_with_responses(httpx.Response(status_code, stream=Breaking()), 200)
    with pytest.raises(NeptunConnectionError) as caught:
        client.update_project(123, name="New name")
    assert (left, caught.value.status_code, caught.value.applied) == ([200], status_code, applied)


def test_an_update_whose_503_breaks_midway_is_tried_again(client_with_responses: ClientWithResponses) -> None:
    client, left = client_with_responses(httpx.Response(503, stream=Breaking()), 200)
    client.update_project(123, name="New name")
    assert left == []


def test_a_read_whose_200_breaks_midway_is_tried_again(client_with_responses: ClientWithResponses) -> None:
    client, left = client_with_responses(httpx.Response(200, stream=Breaking()), 200)
    project = client._call(Reading.GET_PROJECT, {"self": client, "project_id": 123})
    assert (project.id, left) == (123, [])


def test_a_refused_argument_is_not_tried_at_all(client_with_responses: ClientWithResponses) -> None:
    client, left = client_with_responses(200)
    with pytest.raises(ArgumentError) as caught:
        client.update_project(0, name="New name")
    assert (left, caught.value.attempts) == ([200], 0)


def test_a_404_that_hides_a_failed_database_is_tried_again(
    client_with_responses: ClientWithResponses, project_import: dict[str, object]
) -> None:
    """A deployed server returns it for any failure of its database in a PUT, even if the import exists."""
    updated = httpx.Response(200, json={"import": project_import})
    client, left = client_with_responses(httpx.Response(404, json=HANDLER_404), updated)
    assert client.update_project_import(789, 123, title="New title").id == 123
    assert left == []


def test_a_404_that_hides_a_failed_database_leaves_open_what_was_applied(
    client_with_responses: ClientWithResponses,
) -> None:
    client, _ = client_with_responses(*[httpx.Response(404, json=HANDLER_404)] * 3)
    with pytest.raises(NotFoundError) as caught:
        client.update_project_import(789, 123, title="New title")
    assert (caught.value.attempts, caught.value.applied) == (3, None)


def test_a_404_is_final_even_after_an_attempt_that_may_have_been_applied(
    client_with_responses: ClientWithResponses,
) -> None:
    client, left = client_with_responses(503, httpx.Response(404, json=PUBLISHED_404), 200)
    with pytest.raises(NotFoundError) as caught:
        client.update_project_import(789, 123, title="New title")
    assert (left, caught.value.attempts, caught.value.applied) == ([200], 2, None)


def test_the_last_error_counts_the_attempts_and_keeps_its_cause(client_with_responses: ClientWithResponses) -> None:
    last = httpx.ConnectError("third")
    client, _ = client_with_responses(503, httpx.ConnectError("second"), last)
    with pytest.raises(NeptunConnectionError, match=r"\(3 attempts\)\..* \(ConnectError: third\)$") as caught:
        client.update_project(123, name="New name")
    assert (caught.value.attempts, caught.value.__cause__) == (3, last)


@pytest.mark.parametrize("max_retries", [0, 1, 2, 5])
def test_max_retries_limits_the_attempts(
    max_retries: int, client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, left = client_with_responses(*[503] * 10, max_retries=max_retries, timeout=100)
    with pytest.raises(ServerError) as caught:
        client.update_project(123, name="New name")
    assert (10 - len(left), len(sleeps)) == (max_retries + 1, max_retries)
    assert caught.value.attempts == max_retries + 1


@pytest.mark.usefixtures("longest_backoff")
def test_the_waits_of_a_call_grow_up_to_a_limit(
    client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, _ = client_with_responses(*[503] * 7, 200, max_retries=7, timeout=100)
    client.update_project(123, name="New name")
    assert sleeps == [0.5, 1, 2, 4, 8, 8, 8]


def test_a_retry_after_in_seconds_is_waited_for(
    client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, _ = client_with_responses(httpx.Response(429, headers={"Retry-After": "7"}), 200)
    client.update_project(123, name="New name")
    assert sleeps == [7]


def test_a_retry_after_that_is_a_date_is_waited_for(
    client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    date = formatdate(time.time() + 20, usegmt=True)
    client, _ = client_with_responses(httpx.Response(503, headers={"Retry-After": date}), 200, timeout=100)
    client.update_project(123, name="New name")
    assert sleeps == [pytest.approx(15, abs=5)]


@pytest.mark.usefixtures("longest_backoff")
def test_a_retry_after_of_0_s_still_waits_a_little(
    client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, _ = client_with_responses(httpx.Response(503, headers={"Retry-After": "0"}), 200)
    client.update_project(123, name="New name")
    assert sleeps == [0.5]


def test_a_retry_after_before_the_deadline_is_waited_for(
    client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, _ = client_with_responses(httpx.Response(429, headers={"Retry-After": "20"}), 200, timeout=30)
    client.update_project(123, name="New name")
    assert sleeps == [20]


def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(
    client_with_responses: ClientWithResponses, sleeps: list[float]
) -> None:
    client, left = client_with_responses(httpx.Response(429, headers={"Retry-After": "31"}), 200, timeout=30)
    with pytest.raises(RateLimitError, match="Call again after 31 s") as caught:
        client.update_project(123, name="New name")
    assert (left, sleeps, caught.value.retry_after) == ([200], [], 31)


LATE, REFUSED = httpx.ReadTimeout("late"), httpx.ConnectError("refused")
CREATED_AT_MISSING = {name: value for name, value in PROJECT.items() if name != "created_at"}
HISTORIES: dict[str, tuple[tuple[Step, ...], type[NeptunError], bool | None]] = {
    "refused thrice": ((429, 429, 404), NotFoundError, False),
    "never connected": ((REFUSED, REFUSED, REFUSED), NeptunConnectionError, False),
    "maybe in the second": ((429, 503, 404), NotFoundError, None),
    "maybe in the first": ((LATE, REFUSED, REFUSED), NeptunConnectionError, None),
    "maybe in the last": ((REFUSED, LATE, LATE), NeptunTimeoutError, None),
    "maybe, then a 200 that proves nothing": ((503, httpx.Response(200, content=b"")), ResponseError, None),
    "maybe, then a 200 that shows the update": (
        (503, httpx.Response(200, json={"project": CREATED_AT_MISSING})),
        ResponseError,
        True,
    ),
    "maybe, then a redirect": ((503, 302), ResponseError, None),
}


@pytest.mark.parametrize(("steps", "error_class", "applied"), HISTORIES.values(), ids=HISTORIES)
def test_applied_counts_every_attempt(
    steps: tuple[Step, ...],
    error_class: type[NeptunError],
    *,
    applied: bool | None,
    client_with_responses: ClientWithResponses,
) -> None:
    """An update that may have been applied by an earlier attempt is not certain to be absent after a refusal."""
    client, _ = client_with_responses(*steps)
    with pytest.raises(error_class) as caught:
        client.update_project(123, name="New name")
    assert caught.value.applied is applied


CALL = "update_project(user_id=1, project_id=123)"


def test_each_retry_is_an_info_record(
    client_with_responses: ClientWithResponses, sleeps: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="neptun_sdk")
    client, _ = client_with_responses(503, httpx.ReadError("reset"), 200)
    client.update_project(123, name="New name")
    assert caplog.record_tuples == [
        ("neptun_sdk", logging.INFO, f"{CALL}: 503 in attempt 1 of 3; retrying in {sleeps[0]:.2f} s"),
        ("neptun_sdk", logging.INFO, f"{CALL}: ReadError in attempt 2 of 3; retrying in {sleeps[1]:.2f} s"),
    ]


def test_giving_up_after_retries_is_a_warning(
    client_with_responses: ClientWithResponses, caplog: pytest.LogCaptureFixture
) -> None:
    client, _ = client_with_responses(503, 503, max_retries=1)
    with pytest.raises(ServerError):
        client.update_project(123, name="New name")
    text = (
        "503 Service Unavailable: something other than Neptun has probably responded (2 attempts). The update may have "
        "been applied. Call again later. If that does not help, check base_url, and any proxy on the way."
    )
    assert caplog.record_tuples == [("neptun_sdk", logging.WARNING, f"given up: {CALL}: {text}")]


@pytest.mark.parametrize("steps", [(200,), (404,), (302,)], ids=["200", "404", "302"])
def test_a_call_of_one_attempt_logs_nothing_above_debug(
    steps: tuple[Step, ...], client_with_responses: ClientWithResponses, caplog: pytest.LogCaptureFixture
) -> None:
    """A failure that the caller gets as an exception is the caller's to log."""
    caplog.set_level("INFO", logger="neptun_sdk")
    client, _ = client_with_responses(*steps, max_retries=0)
    with contextlib.suppress(NeptunError):
        client.update_project(123, name="New name")
    assert caplog.records == []


def test_every_attempt_is_a_debug_record(
    client_with_responses: ClientWithResponses, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="neptun_sdk")
    client, _ = client_with_responses(503, httpx.ReadError("reset"), 200)
    client.update_project(123, name="New name")
    records = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert [text.rsplit(" in ", 1)[0] for text in records if text.startswith(CALL)] == [
        f"{CALL}: attempt 1: 503",
        f"{CALL}: attempt 2: ReadError",
        f"{CALL}: attempt 3: 200",
    ]


def test_closing_the_client_ends_a_wait_between_attempts(client_with_responses: ClientWithResponses) -> None:
    client, left = client_with_responses(503, 200)
    closed = client._connections.closed

    def close_meanwhile(timeout: float) -> bool:
        client.close()
        return type(closed).wait(closed, timeout)

    closed.wait = close_meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
        client.update_project(123, name="New name")
    assert (left, caught.value.applied, caught.value.attempts) == ([200], None, 1)


def test_a_client_that_is_closed_during_an_attempt_makes_no_other() -> None:
    def close_and_fail(request: httpx.Request) -> httpx.Response:
        client.close()
        raise httpx.ReadError("closed", request=request)

    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(close_and_fail))
    with pytest.raises(NeptunConnectionError) as caught:
        client.update_project(123, name="New name")
    assert caught.value.attempts == 1


def test_each_attempt_sends_the_same_request(sleeps: list[float]) -> None:
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.content, dict(request.headers)))
        return httpx.Response(503) if len(seen) < 3 else httpx.Response(200, json={"project": PROJECT})

    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(respond)) as client:
        do_not_wait(client, sleeps)
        client.update_project(123, name="New name")
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][3]["cookie"] == f"neptun-session={CANARY}"


def test_headers_that_tracing_tools_add_do_not_pile_up(sleeps: list[float]) -> None:
    """They add to the request object that they are given, so that each attempt needs one of its own."""
    seen: list[list[str]] = []

    def trace(request: httpx.Request) -> httpx.Response:
        request.headers = httpx.Headers([*request.headers.multi_items(), ("baggage", f"attempt={len(seen) + 1}")])
        seen.append(request.headers.get_list("baggage"))
        return httpx.Response(503) if len(seen) < 3 else httpx.Response(200, json={"project": PROJECT})

    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(trace)) as client:
        do_not_wait(client, sleeps)
        client.update_project(123, name="New name")
    assert seen == [["attempt=1"], ["attempt=2"], ["attempt=3"]]
