"""Retries: what is passing is tried again after a wait, as often and as long as there may be; nothing else is."""

import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from typing import Any

import httpx
import pytest

import neptun_sdk
from neptun_sdk import (
    ArgumentError,
    NeptunClient,
    NeptunConnectionError,
    NeptunTimeoutError,
    NotFoundError,
    RateLimitError,
    ResponseError,
    ServerError,
    retries,
)
from tests.conftest import CANARY

Row = dict[str, object]
Step = int | Exception | httpx.Response


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were waited, all of them in no time."""
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    return waited


@pytest.fixture
def through(project: Row) -> Callable[..., tuple[NeptunClient, list[Step]]]:
    """Make a client whose attempts go through these steps: a status, an exception, or an answer of one's own."""

    def make(*steps: Step, **settings: Any) -> tuple[NeptunClient, list[Step]]:
        left = list(steps)

        def answer(request: httpx.Request) -> httpx.Response:
            step = left.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, httpx.Response):
                return step
            return httpx.Response(step, json={"project": project} if step == 200 else None)

        transport = httpx.MockTransport(answer)
        return NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport, **settings), left

    return make


Through = Callable[..., tuple[NeptunClient, list[Step]]]


@pytest.mark.parametrize(
    "passing",
    [
        429,
        502,
        503,
        504,
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("late"),
        httpx.ProxyError("407"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("late"),
        httpx.WriteError("reset"),
        httpx.RemoteProtocolError("closed"),
    ],
    ids=str,
)
def test_what_is_passing_is_tried_again(passing: Step, through: Through, waits: list[float]) -> None:
    client, left = through(passing, passing, 200)
    assert client.update_project(123, name="New name").name == "New name"
    assert (left, len(waits)) == ([], 2)


@pytest.mark.parametrize("status_code", [201, 204, 302, 400, 401, 403, 404, 408, 413, 500, 501, 505, 520])
def test_any_other_status_is_final(status_code: int, through: Through, waits: list[float]) -> None:
    client, left = through(status_code, 200)
    with pytest.raises(neptun_sdk.NeptunError) as caught:
        client.update_project(123, name="New name")
    assert (left, waits, caught.value.attempts) == ([200], [], 1)


@pytest.mark.parametrize("content", [b"<html>", b'{"project": {}}', b'{"project": null}'])
def test_a_200_that_cannot_be_used_is_final(content: bytes, through: Through, waits: list[float]) -> None:
    client, left = through(httpx.Response(200, content=content), 200)
    with pytest.raises(ResponseError):
        client.update_project(123, name="New name")
    assert (left, waits) == ([200], [])


@pytest.mark.parametrize(("status_code", "tried_again"), [(200, False), (404, False), (500, False), (503, True)])
def test_a_body_that_breaks_off_is_as_final_as_its_status(
    status_code: int, tried_again: bool, through: Through, waits: list[float]
) -> None:
    class Breaking(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"{"
            raise httpx.ReadError("reset")

    client, left = through(httpx.Response(status_code, stream=Breaking()), 200)
    if tried_again:
        client.update_project(123, name="New name")
    else:
        with pytest.raises(NeptunConnectionError) as caught:
            client.update_project(123, name="New name")
        assert caught.value.status_code == status_code
    assert (left == []) is tried_again


def test_an_argument_that_is_refused_is_not_tried_at_all(through: Through) -> None:
    client, left = through(200)
    with pytest.raises(ArgumentError) as caught:
        client.update_project(0, name="New name")
    assert (left, caught.value.attempts) == ([200], 0)


def test_the_last_error_says_how_often_it_was_tried_and_keeps_its_cause(through: Through, waits: list[float]) -> None:
    last = httpx.ConnectError("third")
    client, _ = through(503, httpx.ConnectError("second"), last)
    with pytest.raises(NeptunConnectionError, match=r"third.* 3 attempts were made\.") as caught:
        client.update_project(123, name="New name")
    assert (caught.value.attempts, caught.value.__cause__) == (3, last)


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (2, 3), (5, 6)])
def test_max_retries_is_how_often_it_is_tried_again(
    retries: int, attempts: int, through: Through, waits: list[float]
) -> None:
    client, left = through(*[503] * 10, max_retries=retries)
    with pytest.raises(ServerError, match="1 attempt was made" if attempts == 1 else f"{attempts} attempts") as caught:
        client.update_project(123, name="New name")
    assert (10 - len(left), len(waits), caught.value.attempts) == (attempts, retries, attempts)


def test_waits_grow_up_to_a_bound_and_are_spread_at_random(
    through: Through, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    spread: list[tuple[float, float]] = []

    def longest(shortest: float, longest: float) -> float:
        spread.append((shortest, longest))
        return longest

    monkeypatch.setattr("random.uniform", longest)
    client, _ = through(*[503] * 7, 200, max_retries=7, timeout=100)
    client.update_project(123, name="New name")
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]
    assert spread == [(0, seconds) for seconds in waits]


def test_a_retry_after_in_seconds_is_the_least_that_is_waited(through: Through, waits: list[float]) -> None:
    client, _ = through(httpx.Response(429, headers={"Retry-After": "7"}), 200)
    client.update_project(123, name="New name")
    assert waits == [7]


def test_a_retry_after_of_a_date_is_waited_for(through: Through, waits: list[float]) -> None:
    client, _ = through(httpx.Response(503, headers={"Retry-After": formatdate(time.time() + 20, usegmt=True)}), 200)
    client.update_project(123, name="New name")
    assert waits == [pytest.approx(20, abs=2)]


def test_a_retry_after_of_nothing_still_waits_a_little(
    through: Through, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("random.uniform", lambda shortest, longest: longest)
    client, _ = through(httpx.Response(503, headers={"Retry-After": "0"}), 200)
    client.update_project(123, name="New name")
    assert waits == [0.5]


@pytest.mark.parametrize("seconds", [29, 31])
def test_a_retry_after_beyond_the_deadline_ends_the_call_at_once(
    seconds: int, through: Through, waits: list[float]
) -> None:
    client, left = through(httpx.Response(429, headers={"Retry-After": str(seconds)}), 200, timeout=30)
    if seconds < 30:
        client.update_project(123, name="New name")
        assert waits == [seconds]
        return
    with pytest.raises(RateLimitError, match=f"Call again after {seconds} seconds") as caught:
        client.update_project(123, name="New name")
    assert (left, waits, caught.value.retry_after) == ([200], [], seconds)


@pytest.mark.parametrize(
    ("steps", "kind", "applied"),
    [
        ((429, 429, 404), NotFoundError, False),
        ((429, 503, 404), NotFoundError, None),
        ((httpx.ReadTimeout("late"), httpx.ConnectError("no"), httpx.ConnectError("no")), NeptunConnectionError, None),
        ((httpx.ConnectError("no"), httpx.ConnectError("no"), httpx.ConnectError("no")), NeptunConnectionError, False),
        ((httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.ReadTimeout("late")), NeptunTimeoutError, None),
        ((503, httpx.Response(200, content=b"")), ResponseError, True),
        ((503, 302), ResponseError, None),
    ],
    ids=str,
)
def test_an_earlier_attempt_that_may_have_been_applied_is_not_forgotten(
    steps: tuple[Step, ...], kind: type[Exception], applied: bool | None, through: Through, waits: list[float]
) -> None:
    client, _ = through(*steps)
    with pytest.raises(kind) as caught:
        client.update_project(123, name="New name")
    assert isinstance(caught.value, neptun_sdk.NeptunError)
    assert caught.value.applied is applied


def test_every_attempt_is_one_log_record(
    through: Through, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="neptun_sdk")
    client, _ = through(503, httpx.ReadError("reset"), 200)
    client.update_project(123, name="New name")
    told = [record.getMessage().rsplit(" in ", 1)[0] for record in caplog.records if record.name == "neptun_sdk"]
    call = "update_project(user_id=1, project_id=123)"
    assert told == [f"{call}: attempt 1: 503", f"{call}: attempt 2: ReadError", f"{call}: attempt 3: 200"]


def test_a_client_that_is_closed_while_a_call_waits_sends_nothing_more(
    through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, left = through(503, 200)
    waited: list[float] = []

    def close_meanwhile(seconds: float) -> None:
        waited.append(seconds)
        client.close()

    monkeypatch.setattr(time, "sleep", close_meanwhile)
    with pytest.raises(
        NeptunConnectionError, match=r"the client was closed before the next attempt.*1 attempt"
    ) as caught:
        client.update_project(123, name="New name")
    assert (left, caught.value.applied, caught.value.operation) == ([200], None, "update_project")
    assert len(waited) == 1


def test_a_client_that_is_closed_while_a_call_is_answered_does_not_try_again(project: Row, waits: list[float]) -> None:
    def close_and_fail(request: httpx.Request) -> httpx.Response:
        client.close()
        raise httpx.ReadError("closed")

    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(close_and_fail))
    with pytest.raises(NeptunConnectionError) as caught:
        client.update_project(123, name="New name")
    assert (waits, caught.value.attempts) == ([], 1)


def test_each_attempt_sends_the_same_request(project: Row, waits: list[float]) -> None:
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, str(request.url), request.content, dict(request.headers)))
        return httpx.Response(503) if len(seen) < 3 else httpx.Response(200, json={"project": project})

    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(answer)) as client:
        client.update_project(123, name="New name")
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][3]["cookie"] == f"neptun-session={CANARY}"


def test_only_an_error_of_this_sdk_is_passing() -> None:
    assert not retries.is_passing(RuntimeError("a bug in a transport"))
