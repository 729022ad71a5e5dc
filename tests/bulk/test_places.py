"""Where a row is before it is done: `Targets`, `Ahead` and `UnderWay`, each for itself."""

from __future__ import annotations

import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from neptun_sdk import ArgumentError, NeptunClient, NeptunError
from neptun_sdk.bulk import Update, bulk_update, worker
from neptun_sdk.bulk.ahead import Ahead
from neptun_sdk.bulk.journal import Journal
from neptun_sdk.bulk.targets import Row, Targets
from neptun_sdk.bulk.worker import Result
from tests.bulk.conftest import Server
from tests.bulk.runs import lines, statuses
from tests.bulk.test_loop import by_row, in_order, named

pytestmark = pytest.mark.usefixtures("_at_once")


def row(number: int, project_id: int = 7) -> Row:
    return Row(number, Update(project_id), f"{number:016x}", None)


def test_rows_of_one_target_take_turns() -> None:
    targets = Targets()
    rows = [row(1), row(2), row(3, 8), row(4)]
    assert [targets.is_first(each) for each in rows] == [True, False, True, False]
    assert [targets.has_followers(each) for each in (rows[0], rows[2])] == [True, False]
    assert targets.following(rows[0]) is rows[1]
    assert targets.withdraw(rows[1]) == [rows[3]]
    assert targets.following(rows[2]) is None
    assert targets.is_first(row(5))


def test_a_blocked_target_names_the_first_row_that_is_left() -> None:
    targets = Targets()
    targets.block(row(1))
    targets.block(row(2))
    assert (targets.blocked_by(row(3)), targets.blocked_by(row(3, 8))) == (1, None)


@pytest.fixture
def journal(bulk_client: NeptunClient, tmp_path: Path) -> Any:
    made = Journal(tmp_path / "journal", worker.account_of(bulk_client), None, 8)
    yield made
    made.close()


def test_a_row_is_ready_when_its_line_is_on_disk(
    journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_sync, woken, sync = threading.Event(), threading.Event(), Journal.sync

    def slow(self: Journal) -> None:
        may_sync.wait(30)
        sync(self)

    monkeypatch.setattr(Journal, "sync", slow)
    ahead, first, second = Ahead(journal, 4, woken.set), row(1), row(2)
    ahead.add(first)
    ahead.write()
    ahead.add(second)
    ahead.write()
    assert (ahead.has_ready, first.noted, second.noted) == (False, True, False)
    may_sync.set()
    assert woken.wait(30)
    ahead.write()
    assert ahead.take() is first
    assert list(ahead.take_all()) == [second], "in whatever state it is"
    ahead.close()
    assert [line["sending"] for line in lines(tmp_path / "journal") if "sending" in line] == [
        [[1, first.digest]],
        [[2, second.digest]],
    ]


def test_nothing_is_written_for_rows_that_would_only_wait(journal: Journal, tmp_path: Path) -> None:
    ahead, enough = Ahead(journal, 2, lambda: None), [row(1), row(2)]
    for each in enough:
        ahead.add_ready(each)
    ahead.add(row(3))
    ahead.write()
    assert not any("sending" in line for line in lines(tmp_path / "journal"))
    ahead.add_ready(row(4), first=True)
    assert [ahead.take().number for _ in range(3)] == [4, 1, 2]
    ahead.close()


def test_without_a_journal_a_row_is_ready_at_once() -> None:
    ahead, first = Ahead(None, 4, lambda: None), row(1)
    ahead.add(first)
    ahead.write()
    assert ahead.take() is first
    ahead.close()


class Promise(Executor):
    """An executor of the caller's that does something else than it must, from its third task on."""

    def __init__(self) -> None:
        self.tasks = 0

    def submit(self, fn: Any, /, *args: Any, **_: Any) -> Any:
        self.tasks += 1
        future: Future[Any] = Future()
        if self.tasks < 3:
            future.set_result(fn(*args))
            return future
        return self.broken(future, fn, *args)

    def broken(self, _: Future[Any], fn: Any, *args: Any) -> Any:
        raise NotImplementedError


class NoFuture(Promise):
    def broken(self, _: Future[Any], fn: Any, *args: Any) -> Any:
        fn(*args)


class NoResult(Promise):
    def broken(self, future: Future[Any], fn: Any, *args: Any) -> Any:
        future.set_result(fn(*args).error)
        return future


class CalledTwice(Future[Any]):
    def add_done_callback(self, fn: Any) -> None:
        super().add_done_callback(fn)
        super().add_done_callback(fn)


class Twice(Promise):
    def broken(self, _: Future[Any], fn: Any, *args: Any) -> Any:
        made = CalledTwice()
        made.set_result(fn(*args))
        return made


BROKEN: dict[str, tuple[type[Promise], str]] = {
    "returns None": (NoFuture, "submit returned NoneType, not a Future"),
    "returns something else": (NoResult, "a task returned NoneType, not what worker.send returned"),
    "calls back twice": (Twice, "it called back twice for one task"),
}


@pytest.mark.parametrize(("kind", "text"), BROKEN.values(), ids=BROKEN)
def test_an_executor_that_breaks_its_promise_ends_the_run_with_an_error(
    server: Server, bulk_client: NeptunClient, tmp_path: Path, kind: type[Promise], text: str
) -> None:
    run = bulk_update(bulk_client, named(*range(1, 101)), journal=tmp_path / "journal", max_workers=1, executor=kind())
    found: dict[int, str] = {}
    with pytest.raises(ArgumentError, match=f"the executor is not one of concurrent.futures: {text}"):
        found.update((outcome.row, outcome.status) for outcome in run)
    assert len(found) == 100, "every row has an outcome before the error is raised"
    assert len(server.projects) < 20
    known = statuses(tmp_path / "journal")
    assert all(known[number] in ("applied", "unknown") for number in server.projects)


def test_a_task_that_is_begun_too_late_is_not_sent(
    server: Server, bulk_client: NeptunClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else an older value would follow what a later run has sent."""
    monkeypatch.setattr("neptun_sdk.bulk.under_way._MAX_SILENCE", 0.2)
    tasks: list[Any] = []

    class Late(Executor):
        def submit(self, fn: Any, /, *args: Any, **_: Any) -> Any:
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()
            tasks.append((fn, args, future))
            return future

    client = bulk_client.with_options(timeout=0.1)
    run = bulk_update(client, named(1), journal=tmp_path / "journal", executor=Late())
    assert in_order(run) == ["unknown"]
    assert in_order(bulk_update(client, named(1), journal=tmp_path / "journal")) == ["applied"]
    fn, (account, task), future = tasks[0]
    future.set_result(Result())
    monkeypatch.setattr(worker, "now", lambda: 0.0)
    result = fn(account, task)
    assert "the executor began a task when its run had given it up" in str(result.error), "in this process: by its id"
    assert not result.usable
    monkeypatch.undo()
    worker.register(task.run, client)
    try:
        assert not fn(account, task).usable, "anywhere: by the time"
    finally:
        worker.unregister(task.run)
    assert server.projects == [1]


def test_an_interpreter_that_starts_no_more_threads_ends_the_run(
    server: Server, bulk_client: NeptunClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``stop()`` does; tests/bulk/test_ends.py ends a real one."""
    submit, tasks = ThreadPoolExecutor.submit, 0

    def ending(self: ThreadPoolExecutor, *arguments: Any) -> Any:
        nonlocal tasks
        tasks += 1
        if tasks > 6:
            raise RuntimeError("cannot schedule new futures after interpreter shutdown")
        return submit(self, *arguments)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", ending)
    outcomes = by_row(bulk_update(bulk_client, named(*range(1, 101)), journal=tmp_path / "journal", max_workers=1))
    found = [outcome.status for outcome in outcomes.values()]
    assert found.count("applied") == len(server.projects) > 0
    assert set(found) == {"applied", "unsent"}
    assert "unknown" not in statuses(tmp_path / "journal").values()


def test_a_run_that_is_begun_when_the_interpreter_ends_sends_nothing(
    server: Server, bulk_client: NeptunClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(*_: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", ending)
    assert in_order(bulk_update(bulk_client, named(1, 2), journal=tmp_path / "journal")) == ["unsent"] * 2
    assert server.projects == []


@pytest.mark.parametrize("error", [NeptunError("one"), None], ids=["an error", "nothing"])
def test_what_a_run_is_given_and_cannot_be_is_refused(bulk_client: NeptunClient, error: Exception | None) -> None:
    for arguments in ({"max_outage": -1.0}, {"max_outage": error}, {"max_failures": 0}, {"max_failures": True}):
        options: Any = arguments
        with pytest.raises(ArgumentError, match=r"max_(outage|failures) must be"):
            bulk_update(bulk_client, [], **options)
