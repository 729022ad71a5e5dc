"""Log records: text and plain values for a JSON formatter, no value of a field, and no object of ours."""

import contextlib
import json
import logging
import random
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from neptun_sdk import NeptunClient, NeptunError
from tests.conftest import CANARY, PROJECT

SECRET = "the merger with Initech"
CALL = "update_project(user_id=1, project_id=123)"
OK = {"project": {**PROJECT, "name": SECRET}}
Step = httpx.Response | Exception


@pytest.fixture
def records(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[logging.LogRecord]]:
    """Make a call through these steps, and return what it logged."""
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)

    def call(*steps: Step, level: int = logging.DEBUG, **settings: Any) -> list[logging.LogRecord]:
        left = list(steps)

        def respond(_: httpx.Request) -> httpx.Response:
            step = left.pop(0)
            if isinstance(step, Exception):
                raise step
            return step

        caplog.set_level(level, logger="neptun_sdk")
        transport = httpx.MockTransport(respond)
        with (
            NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport, **settings) as client,
            contextlib.suppress(NeptunError, KeyError, KeyboardInterrupt),
        ):
            client.update_project(123, name=SECRET)
        return [record for record in caplog.records if record.name == "neptun_sdk"]

    return call


Records = Callable[..., list[logging.LogRecord]]
OTHER = httpx.Response(200, json={"project": {**PROJECT, "name": "another"}})
ECHO = httpx.Response(400, json={"data": {"issues": [{"path": ["name"], "message": f"{SECRET} is too long"}]}})
CALLS: dict[str, tuple[Step, ...]] = {
    "200": (httpx.Response(200, json=OK),),
    "503, 200": (httpx.Response(503), httpx.Response(200, json=OK)),
    "503, another value": (httpx.Response(503), OTHER),
    "503, a 400 that quotes it": (httpx.Response(503), ECHO),
    "an exception that quotes it": (httpx.ReadError(SECRET), httpx.ReadError(SECRET), httpx.ReadError(SECRET)),
    "a mistake in the transport": (KeyError(SECRET),),
}


@pytest.mark.parametrize("steps", CALLS.values(), ids=CALLS)
def test_no_record_has_a_value_of_a_field(steps: tuple[Step, ...], records: Records) -> None:
    """What a call sends is the caller's data, and what comes back may quote it."""
    found = records(*steps)
    assert found
    for record in found:
        assert SECRET not in f"{vars(record)} {record.getMessage()}"
        assert "another" not in f"{vars(record)}"


PLAIN = vars(logging.makeLogRecord({}))


@pytest.mark.parametrize("steps", CALLS.values(), ids=CALLS)
def test_a_json_formatter_can_use_every_record(steps: tuple[Step, ...], records: Records) -> None:
    for record in records(*steps):
        extra = {name: value for name, value in vars(record).items() if name not in PLAIN}
        json.dumps(extra, allow_nan=False)
        assert {type(value) for value in extra.values()} <= {str, int, float, type(None)}
        assert record.args in ((), None)
        assert (extra["operation"], extra["user_id"], extra["project_id"]) == ("update_project", 1, 123)
        assert extra["attempt"] >= 1
        assert "status_code" in extra


def test_every_attempt_is_a_debug_record(records: Records) -> None:
    found = records(httpx.Response(503), httpx.ReadError("reset"), httpx.Response(200, json=OK))
    attempts = [record for record in found if record.levelno == logging.DEBUG]
    assert [re.sub(r"\d+ ms$", "N ms", record.getMessage()) for record in attempts] == [
        f"{CALL}: attempt 1: 503 in N ms",
        f"{CALL}: attempt 2: ReadError in N ms",
        f"{CALL}: attempt 3: 200 in N ms",
    ]
    seen = [(vars(record)["attempt"], vars(record)["status_code"]) for record in attempts]
    assert seen == [(1, 503), (2, None), (3, 200)]
    assert all(0 <= vars(record)["duration_ms"] < 60_000 for record in attempts)


def test_a_mistake_of_the_transport_is_a_debug_record_too(records: Records) -> None:
    (record,) = records(KeyError("a mistake"))
    assert record.getMessage().startswith(f"{CALL}: attempt 1: KeyError in ")


def test_each_retry_is_an_info_record(records: Records) -> None:
    found = records(httpx.Response(503), httpx.ReadError("reset"), httpx.Response(200, json=OK), level=logging.INFO)
    assert [(record.levelno, record.getMessage()) for record in found] == [
        (logging.INFO, f"{CALL}: 503 in attempt 1 of 3; retrying in 0.00 s"),
        (logging.INFO, f"{CALL}: ReadError in attempt 2 of 3; retrying in 0.00 s"),
    ]
    assert [vars(record)["retry_in"] for record in found] == [0.0, 0.0]


def test_giving_up_after_retries_is_a_warning(records: Records) -> None:
    *_, last = records(httpx.Response(503), httpx.Response(503), max_retries=1)
    expected = f"{CALL}: given up after 2 attempts: ServerError (503)"
    assert (last.levelno, last.getMessage(), vars(last)["attempt"]) == (logging.WARNING, expected, 2)


def test_giving_up_without_a_response_names_the_error(records: Records) -> None:
    *_, last = records(httpx.ReadError(""), httpx.ReadError(""), max_retries=1)
    assert last.getMessage() == f"{CALL}: given up after 2 attempts: NeptunConnectionError"


@pytest.mark.parametrize("status", [200, 404, 302])
def test_a_call_of_one_attempt_logs_nothing_above_debug(status: int, records: Records) -> None:
    """A failure that the caller gets as an exception is the caller's to log."""
    assert records(httpx.Response(status, json=OK), level=logging.INFO) == []
