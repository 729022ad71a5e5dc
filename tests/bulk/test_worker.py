"""Workers: other processes make their own client, and no session travels."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.bulk import bulk_update, worker
from neptun_sdk.sandbox import Sandbox
from tests.bulk.conftest import Server
from tests.bulk.runs import disagreements, renames
from tests.conftest import CANARY


@pytest.fixture(autouse=True)
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_made", {})


def task(run: str = "another run") -> worker.Task:
    return worker.Task(run, 1, 1, "update_project", (1,), {"name": "a"}, ("elsewhere", 0), time.time() + 60)


def test_no_session_is_in_a_task(bulk_client: NeptunClient) -> None:
    content = pickle.dumps((worker.send, worker.account_of(bulk_client), task()))
    assert not any(CANARY[start : start + 8].encode() in content for start in range(len(CANARY) - 8))


def test_a_worker_makes_one_client_from_its_environment(neptun: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("base_url", "session_cookie", "user_id"):
        monkeypatch.setenv(f"NEPTUN_{name.upper()}", str(getattr(neptun, name)))
    with NeptunClient(timeout=7) as client:
        account = worker.account_of(client)
    for number in (neptun.project_id, 123):
        sent = replace(task("run"), ids=(number,), fields={"name": "By a worker"})
        assert worker.send(account, sent) == worker.Result()
    assert neptun.project(123)["name"] == "By a worker"
    (made,) = worker._made.values()
    assert (made._settings.timeout, made._settings.max_retries) == (7, 0)
    made.close()


def test_a_worker_without_a_session_says_so(bulk_client: NeptunClient) -> None:
    result = worker.send(worker.account_of(bulk_client), task())
    assert isinstance(result.error, ArgumentError)
    assert "session_cookie is missing" in str(result.error)
    assert not result.usable


DIFFERENT = {
    "base_url": ("https://other.test", "has base_url 'https://other.test', but the run is for 'https://neptun.test'"),
    "user_id": ("2", "has user_id 2, but the run is for 1: set NEPTUN_USER_ID where the workers start"),
    "dialect": ("deployed", "has dialect 'deployed', but the run is for 'documented'"),
}


@pytest.mark.parametrize(("name", "value", "text"), [(name, *each) for name, each in DIFFERENT.items()], ids=DIFFERENT)
def test_a_worker_with_other_settings_sends_nothing(
    bulk_client: NeptunClient, monkeypatch: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    settings = {"base_url": "https://neptun.test", "user_id": "1", "dialect": "documented", name: value}
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "a-session")
    for each, setting in settings.items():
        monkeypatch.setenv(f"NEPTUN_{each.upper()}", setting)
    result = worker.send(worker.account_of(bulk_client), task())
    assert text in str(result.error)
    assert not result.usable


def test_a_pause_is_of_its_run_and_is_forgotten(server: Server, bulk_client: NeptunClient) -> None:
    worker.pause("over", -1)
    worker.pause("another", 60)
    worker.pause("a run", 60)
    assert set(worker._paused_until) == {"another", "a run"}
    worker.unregister("another")
    try:
        assert worker.send(worker.account_of(bulk_client), task("a run")).held > 50
        assert server.projects == []
    finally:
        worker.unregister("a run")
    assert worker._paused_until == {}


def test_a_process_pool_that_loses_a_process_updates_every_row(
    neptun: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    updates, journal = renames(neptun, 150), tmp_path / "journal.jsonl"
    for name in ("base_url", "session_cookie", "user_id"):
        monkeypatch.setenv(f"NEPTUN_{name.upper()}", str(getattr(neptun, name)))
    with NeptunClient() as client, ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        processes = {pool.submit(os.getpid).result() for _ in range(2)}
        counts: list[str] = []
        for outcome in bulk_update(client, updates, journal=journal, max_workers=2, executor=pool):
            counts.append(outcome.status)
            if len(counts) == 30:
                os.kill(min(processes), signal.SIGKILL)
    assert counts == ["applied"] * 150
    assert not disagreements(journal, updates, neptun)
    assert os.getpid() not in processes


def test_workers_that_cannot_send_end_the_run(bulk_client: NeptunClient) -> None:
    from tests.bulk.test_loop import named

    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        run = bulk_update(bulk_client, named(*range(1, 31)), max_workers=1, executor=pool)
        outcomes = list(run)
    assert "session_cookie is missing" in str(run.ended_by)
    assert {outcome.status for outcome in outcomes} == {"unsent"}
    assert all(outcome.again for outcome in outcomes)
