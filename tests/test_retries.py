"""Waits and attempts: how long a call waits, how often it sends, and what ends it (what: test_outcomes.py)."""

import random
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from truth_table import Broken

from neptun_sdk import (
    ArgumentError,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NotFoundError,
    RateLimitError,
    ResponseError,
    ServerError,
)
from neptun_sdk.call import backoff
from neptun_sdk.operations import Operations
from tests.conftest import CANARY, PROJECT
from tests.operations import reading

Step = int | Exception | httpx.Response
Scripted = Callable[..., tuple[NeptunClient, list[Step]]]


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


@pytest.fixture
def sleeps() -> list[float]:
    """The seconds of each wait between two attempts; none of them takes any time."""
    return []


@pytest.fixture
def scripted(sleeps: list[float]) -> Scripted:
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
        closed = client._connections.closed

        def wait(timeout: float) -> bool:
            sleeps.append(timeout)
            return closed.is_set()

        closed.wait = wait  # type: ignore[method-assign, assignment]
        return client, left

    return make


def busy(seconds: str, status: int = 429, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={"Retry-After": seconds, **headers})


# The first step, the settings, and the wait; None if the call ends instead.
WAITS: dict[str, tuple[Step, dict[str, Any], float | None]] = {
    "backoff": (503, {}, 0.5),
    "backoff of a failed connection": (httpx.ConnectError(""), {}, 0.5),
    "Retry-After longer than the backoff": (busy("7"), {}, 7),
    "Retry-After with a fraction": (busy("2.5"), {}, 2.5),
    "Retry-After shorter than the backoff": (busy("0.1", 503), {}, 0.5),
    "Retry-After of 0 s": (busy("0"), {}, 0.5),
    "Retry-After before the deadline": (busy("20"), {"timeout": 30}, 20),
    "Retry-After beyond the deadline": (busy("31"), {"timeout": 30}, None),
    "Retry-After as a date beside the response's own": (
        busy("Wed, 21 Oct 2015 07:28:09 GMT", 502, Date="Wed, 21 Oct 2015 07:28:00 GMT"),
        {},
        9,
    ),
    "backoff beyond the deadline": (503, {"timeout": 0.4}, None),
    "no retry": (503, {"max_retries": 0}, None),
}


@pytest.mark.parametrize(("step", "settings", "seconds"), WAITS.values(), ids=WAITS)
@pytest.mark.usefixtures("longest_backoff")
def test_a_wait_follows_from_the_outcome_and_the_time_that_is_left(
    step: Step, settings: dict[str, Any], seconds: float | None, scripted: Scripted, sleeps: list[float]
) -> None:
    client, left = scripted(step, 200, **settings)
    if seconds is None:
        with pytest.raises(NeptunError):
            client.update_project(123, name="New name")
        assert (left, sleeps) == ([200], [])
    else:
        assert client.update_project(123, name="New name").id == 123
        assert (left, sleeps) == ([], [seconds])


def test_a_retry_after_that_is_a_date_is_waited_for(scripted: Scripted, sleeps: list[float]) -> None:
    client, _ = scripted(busy(formatdate(time.time() + 20, usegmt=True), 503), 200, timeout=100)
    client.update_project(123, name="New name")
    assert sleeps == [pytest.approx(15, abs=5)]


@pytest.mark.parametrize("max_retries", [0, 1, 2, 7])
def test_max_retries_limits_the_attempts_and_the_waits_grow(
    max_retries: int, scripted: Scripted, sleeps: list[float], longest_backoff: list[tuple[float, float]]
) -> None:
    client, left = scripted(*[503] * 10, max_retries=max_retries, timeout=100)
    with pytest.raises(ServerError) as caught:
        client.update_project(123, name="New name")
    assert (10 - len(left), caught.value.attempts) == (max_retries + 1, max_retries + 1)
    assert sleeps == [0.5, 1, 2, 4, 8, 8, 8][:max_retries] == [high for _, high in longest_backoff]


def test_a_retry_after_beyond_the_deadline_is_in_the_error(scripted: Scripted) -> None:
    client, _ = scripted(busy("31"))
    with pytest.raises(RateLimitError, match="Call again after 31 s") as caught:
        client.update_project(123, name="New name")
    assert caught.value.retry_after == 31


def test_a_refused_argument_is_not_tried_at_all(scripted: Scripted) -> None:
    client, left = scripted(200)
    with pytest.raises(ArgumentError) as caught:
        client.update_project(0, name="New name")
    assert (left, caught.value.attempts) == ([200], 0)


@pytest.mark.usefixtures("sleeps")
def test_a_read_whose_200_breaks_midway_is_tried_again(scripted: Scripted) -> None:
    """An update would not be: after the head of a 200 it was probably applied."""
    client, left = scripted(httpx.Response(200, stream=Broken()), 200)
    assert client._call(reading(Operations.UPDATE_PROJECT), {"self": client, "project_id": 123}).id == 123
    assert left == []


def test_the_error_of_a_call_is_that_of_its_last_attempt(scripted: Scripted) -> None:
    last = httpx.ConnectError("third")
    client, _ = scripted(503, httpx.ConnectError("second"), last)
    with pytest.raises(NeptunConnectionError, match=r"\(3 attempts\)\..* \(ConnectError: third\)$") as caught:
        client.update_project(123, name="New name")
    assert (caught.value.attempts, caught.value.__cause__, caught.value.status_code) == (3, last, None)


LATE, REFUSED = httpx.ReadTimeout("late"), httpx.ConnectError("refused")
NUL_500 = httpx.Response(500, json={"statusCode": 500, "statusMessage": "Internal Server Error.", "stack": []})
MALFORMED = httpx.Response(200, json={"project": {**PROJECT, "created_at": 5, "name": "\0"}})
HISTORIES: dict[str, tuple[tuple[Step, ...], type[NeptunError], bool | None]] = {
    "refused thrice": ((429, 429, 404), NotFoundError, False),
    "never connected": ((REFUSED, REFUSED, REFUSED), NeptunConnectionError, False),
    "maybe in the second": ((429, 503, 404), NotFoundError, None),
    "maybe in the first": ((LATE, REFUSED, REFUSED), NeptunConnectionError, None),
    "maybe in the last": ((REFUSED, LATE, LATE), NeptunConnectionError, None),
    "maybe, then what can never be": ((LATE, 503, NUL_500), ServerError, False),
    "maybe, then a 200 that shows the update": ((503, MALFORMED), ResponseError, True),
}


@pytest.mark.parametrize(("steps", "error_class", "applied"), HISTORIES.values(), ids=HISTORIES)
def test_applied_counts_every_attempt(
    steps: tuple[Step, ...], error_class: type[NeptunError], applied: bool | None, scripted: Scripted
) -> None:
    """A refusal says nothing of an earlier attempt, which may have been applied."""
    client, left = scripted(*steps)
    with pytest.raises(error_class) as caught:
        client.update_project(123, name="\0")
    assert (caught.value.applied, left) == (applied, [])


def test_closing_the_client_ends_a_wait_between_attempts(scripted: Scripted) -> None:
    client, left = scripted(503, 200)
    closed = client._connections.closed

    def close_meanwhile(timeout: float) -> bool:
        client.close()
        return type(closed).wait(closed, timeout)

    closed.wait = close_meanwhile  # type: ignore[method-assign, assignment]
    with pytest.raises(NeptunConnectionError, match="the client was closed during the call") as caught:
        client.update_project(123, name="New name")
    assert (left, caught.value.applied, caught.value.attempts) == ([200], None, 1)


@pytest.mark.parametrize(
    ("exc", "applied"), [(httpx.ReadError("x"), None), (httpx.ConnectError("x"), False)], ids=["sent", "not sent"]
)
def test_a_client_that_is_closed_during_an_attempt_makes_no_other(exc: Exception, applied: bool | None) -> None:
    def close_and_fail(_: httpx.Request) -> httpx.Response:
        client.close()
        raise exc

    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(close_and_fail))
    with pytest.raises(NeptunConnectionError, match="the client was closed") as caught:
        client.update_project(123, name="New name")
    assert (caught.value.attempts, caught.value.applied) == (1, applied)


def test_each_attempt_sends_the_same_request_without_what_tools_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracing tools add headers to the request object, so that each attempt needs one of its own."""
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    def trace(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.content, dict(request.headers)))
        request.headers = httpx.Headers([*request.headers.multi_items(), ("baggage", f"attempt={len(seen)}")])
        return httpx.Response(503) if len(seen) < 3 else httpx.Response(200, json={"project": PROJECT})

    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(trace)) as client:
        client.with_options(headers={"X-Key": "a-gateways-key"}).update_project(123, name="New name")
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][3]["cookie"] == f"neptun-session={CANARY}"
    assert (seen[0][3]["x-key"], "baggage" in seen[0][3]) == ("a-gateways-key", False)
