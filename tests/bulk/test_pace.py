"""The pace of a run: waits, and outages as pauses."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest

from neptun_sdk import NeptunClient, NeptunConnectionError
from neptun_sdk.bulk import Update, bulk_update
from neptun_sdk.bulk import pace as module
from neptun_sdk.bulk.pace import Pace
from tests.bulk.conftest import Server, failed
from tests.bulk.test_loop import by_row, named
from tests.conftest import ClientFor


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "monotonic", made)
    return made


def begin_outage(pace: Pace) -> None:
    for row in range(5):
        pace.fail(row)


def test_a_wait_stops_everything_until_it_is_over(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pace = Pace(8, 600)
    assert pace.limit == 8
    pace.wait(3.0)
    pace.wait(1.0)
    pace.wait(3.2)
    assert pace.limit == 0
    assert caplog.messages == ["the server asks to wait: all workers pause for 3 s"], "the same pause is said once"
    clock.now += 3.3
    assert pace.limit == 8


def test_five_failures_in_succession_are_an_outage(clock: Clock) -> None:
    pace = Pace(8, 600)
    for row in range(4):
        assert pace.fail(row) == 0
    assert (pace.limit, pace.in_outage) == (8, False)
    assert pace.fail(5) == 0.5
    assert (pace.limit, pace.in_outage) == (0, True)
    clock.now += 0.6
    assert pace.limit == 1


def test_a_response_among_them_makes_no_outage() -> None:
    pace = Pace(8, 600)
    for row in range(20):
        pace.fail(row)
        if row % 4 == 3:
            pace.respond()
    assert not pace.in_outage


def test_one_row_alone_makes_no_outage() -> None:
    pace = Pace(8, 600)
    for _ in range(20):
        pace.fail(7)
    assert not pace.in_outage


def test_one_row_at_a_time_is_tried_with_growing_waits(clock: Clock) -> None:
    pace = Pace(8, 600)
    pace.respond()
    begin_outage(pace)
    assert pace.fail(6) == 0, "it was under way when the outage began"
    waits: list[float] = []
    for _ in range(9):
        clock.now = pace.paused_until
        waits.append(pace.fail(7))
    assert waits == [1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert pace.outage is None


def test_an_outage_ends_with_the_first_response(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    pace = Pace(8, 600)
    pace.respond()
    begin_outage(pace)
    clock.now += 12
    pace.respond()
    assert (pace.limit, pace.in_outage) == (8, False)
    assert caplog.messages == [
        "most requests fail: paused; one row at a time is tried, for up to 600 s",
        "the server responds again, after 12 s",
    ]
    assert [vars(record)["paused"] for record in caplog.records] == [True, False]


def test_an_outage_that_is_too_long_is_over(clock: Clock) -> None:
    pace = Pace(8, 600)
    pace.respond()
    begin_outage(pace)
    clock.now += 601
    assert pace.outage == 601


def test_a_server_that_has_never_responded_is_given_up_sooner(clock: Clock) -> None:
    pace = Pace(8, 600)
    begin_outage(pace)
    while pace.outage is None:
        clock.now = pace.paused_until
        pace.fail(7)
    assert clock.now - 1000 == 15.5, "the sum of 0.5, 1, 2, 4 and 8"


class Outage:
    """A server that is away for a time, from some request on."""

    def __init__(self, server: Server, *, after: int, seconds: float, how: int | Exception) -> None:
        self._server, self._after, self._seconds, self._how = server, after, seconds, how
        self._until = 0.0
        self._lock = threading.Lock()
        self.failed: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            now = time.monotonic()
            self._after -= 1
            if self._after == 0:
                self._until = now + self._seconds
            is_away = now < self._until
            if is_away:
                self.failed.append(now)
        if not is_away:
            return self._server(request)
        if isinstance(self._how, Exception):
            raise self._how
        return failed(self._how)


HOW = {"no connection": httpx.ConnectError("refused"), "broken": httpx.ReadError("broken"), "500": 500, "503": 503}


@pytest.mark.soak
@pytest.mark.parametrize("how", HOW.values(), ids=HOW)
@pytest.mark.parametrize("targets", [1, 2, 5, 300])
def test_an_outage_is_a_pause(
    server: Server, client_for: ClientFor, tmp_path: Path, how: int | Exception, targets: int
) -> None:
    outage = Outage(server, after=40, seconds=0.6, how=how)
    updates = [Update(row % targets + 1, fields={"name": f"Name {row}"}) for row in range(300)]
    run = bulk_update(client_for(outage), updates, journal=tmp_path / "journal")
    assert Counter(outcome.status for outcome in run) == {"applied": 300}
    assert run.ended_by is None
    assert 1 <= len(outage.failed) <= 60, "what was under way, and then one at a time"
    assert all(server.stored[target + 1]["name"] == f"Name {300 - targets + target}" for target in range(targets))


def test_a_single_500_leaves_nothing_unsent(server: Server, bulk_client: NeptunClient) -> None:
    server.steps[3] = [failed(500)]
    updates = [Update(row % 5 + 1, fields={"name": f"Name {row}"}) for row in range(200)]
    assert Counter(outcome.status for outcome in bulk_update(bulk_client, updates)) == {"applied": 200}


def test_an_outage_that_lasts_too_long_ends_the_run(
    server: Server, client_for: ClientFor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left is sent by the next run."""
    monkeypatch.setattr(module, "_FIRST_WAIT", 0.02)
    outage = Outage(server, after=40, seconds=60, how=httpx.ConnectError("refused"))
    updates = named(*range(1, 301))
    run = bulk_update(client_for(outage), updates, journal=tmp_path / "journal", max_outage=0.3)
    outcomes = by_row(run)
    counts = Counter(outcome.status for outcome in outcomes.values())
    assert counts == {"applied": 39, "unsent": 261}
    assert isinstance(run.ended_by, NeptunConnectionError)
    assert re.search(r"the server has not responded for \d+ s: update_project\(", str(run.ended_by))
    again = bulk_update(client_for(server), updates, journal=tmp_path / "journal")
    assert Counter(outcome.status for outcome in again) == {"applied": 300}
    assert sorted(server.projects) == list(range(1, 301))


def test_without_retries_an_outage_pauses_too(server: Server, client_for: ClientFor) -> None:
    """Each row is sent once: what is tried is lost, and no more."""
    outage = Outage(server, after=40, seconds=0.6, how=503)
    client = client_for(outage).with_options(max_retries=0)
    counts = Counter(outcome.status for outcome in bulk_update(client, named(*range(1, 301))))
    assert counts["applied"] + len(outage.failed) == 300
    assert counts["unknown"] == len(outage.failed) <= 60
