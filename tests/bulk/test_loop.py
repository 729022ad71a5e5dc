"""The loop of a run: outcomes, retries, pauses, order, and what is left when it ends early."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from neptun_sdk import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    RateLimitError,
    ServerError,
)
from neptun_sdk.bulk import Outcome, Update, bulk_update
from neptun_sdk.bulk.loop import WINDOW
from neptun_sdk.bulk.worker import Result
from tests.bulk.conftest import Server, failed
from tests.bulk.runs import lines, statuses
from tests.conftest import CANARY, ClientFor

pytestmark = pytest.mark.usefixtures("_at_once")


def named(*project_ids: int) -> list[Update]:
    return [Update(project_id, fields={"name": f"Name {project_id}"}) for project_id in project_ids]


def by_row(outcomes: Iterator[Outcome]) -> dict[int, Outcome]:
    found = {outcome.row: outcome for outcome in outcomes}
    return dict(sorted(found.items()))


def in_order(outcomes: Iterator[Outcome]) -> list[str]:
    """Return the statuses in the order of the input."""
    return [outcome.status for outcome in by_row(outcomes).values()]


def test_every_update_has_one_outcome(server: Server, bulk_client: NeptunClient) -> None:
    updates = [*named(*range(1, 101)), Update(101, 7, {"title": "An import", "description": None})]
    outcomes = list(bulk_update(bulk_client, iter(updates)))
    assert sorted(outcome.row for outcome in outcomes) == list(range(1, 102))
    assert all(outcome.update is updates[outcome.row - 1] for outcome in outcomes)
    assert {(outcome.status, outcome.error, outcome.attempts) for outcome in outcomes} == {("applied", None, 1)}
    assert server.stored[100] == {"name": "Name 100"}
    assert server.stored[101] == {"title": "An import"}


ERRORS = {
    "400": (failed(400), "refused", BadRequestError),
    "500": (failed(500), "unknown", ServerError),
    "another resource": (httpx.Response(200, json={"project": {"id": 7}}), "unknown", NeptunError),
}


@pytest.mark.parametrize(("step", "status", "error_class"), ERRORS.values(), ids=ERRORS)
def test_the_status_follows_applied(
    server: Server, bulk_client: NeptunClient, step: httpx.Response, status: str, error_class: type[NeptunError]
) -> None:
    server.steps[2] = [step] * 3
    outcomes = by_row(bulk_update(bulk_client, named(1, 2, 3)))
    assert [outcome.status for outcome in outcomes.values()] == ["applied", status, "applied"]
    assert isinstance(outcomes[2].error, error_class)
    assert outcomes[2].error.applied is {"refused": False, "unknown": None}[status]


def test_an_update_that_cannot_be_right_is_refused_and_not_sent(server: Server, bulk_client: NeptunClient) -> None:
    ids: Any = [1]  # has no hash
    updates = [Update(1, fields={"nmae": "Typo"}), Update(ids, fields={"name": "a"}), *named(3), Update(4)]
    outcomes = by_row(bulk_update(bulk_client, updates))
    assert [outcome.status for outcome in outcomes.values()] == ["refused", "refused", "applied", "refused"]
    assert isinstance(outcomes[1].error, ArgumentError)
    assert "there is no field 'nmae', only name, description" in str(outcomes[1].error)
    assert server.projects == [3]


@pytest.mark.parametrize("kind", ["a list", "a generator"])
def test_something_else_than_an_update_ends_the_run(
    server: Server, bulk_client: NeptunClient, tmp_path: Path, kind: str
) -> None:
    """Of a list it is noticed before anything is sent; of a generator, what came before it is sent."""
    given: list[Any] = [*named(1), {"project_id": 2}]
    updates = given if kind == "a list" else iter(given)
    outcomes: list[Outcome] = []
    with pytest.raises(ArgumentError, match=r"row 2 must be a neptun_sdk\.bulk\.Update, not dict"):
        outcomes.extend(bulk_update(bulk_client, updates, journal=tmp_path / "journal.jsonl"))
    assert server.projects == ([] if kind == "a list" else [1])


def test_an_input_that_can_be_read_once_but_does_not_say_so_ends_the_run(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    """Else nothing at all would be sent, in silence: its rows were used up by their hash."""

    class Once:
        def __init__(self) -> None:
            self.rows = iter(named(1, 2))

        def __iter__(self) -> Iterator[Update]:
            return self.rows

    with pytest.raises(ArgumentError, match="gave other rows when they were read for the second time"):
        list(bulk_update(bulk_client, Once(), journal=tmp_path / "journal.jsonl"))
    assert server.projects == []
    assert in_order(bulk_update(bulk_client, Once())) == ["applied"] * 2


def test_an_input_that_fails_loses_no_outcome(bulk_client: NeptunClient) -> None:
    def updates() -> Iterator[Update]:
        yield from named(*range(1, 21))
        raise OSError("the database went away")

    outcomes: list[Outcome] = []
    with pytest.raises(OSError, match="the database went away"):
        outcomes.extend(bulk_update(bulk_client, updates()))
    assert Counter(outcome.status for outcome in outcomes) == {"applied": 20}


class Holding(Executor):
    """Runs nothing until it is released, and then everything in the thread that releases it."""

    def __init__(self) -> None:
        self.tasks: list[tuple[Future[Any], Any, tuple[Any, ...]]] = []
        self.held = threading.Semaphore(0)

    def submit(self, fn: Any, /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.tasks.append((future, fn, args))
        self.held.release()
        return future

    def release(self) -> None:
        tasks, self.tasks = self.tasks, []
        for future, fn, args in tasks:
            future.set_result(fn(*args))


@pytest.mark.parametrize("journal", [None, "journal.jsonl"], ids=["no journal", "a journal"])
def test_the_window_bounds_what_is_read_and_what_is_sent(
    bulk_client: NeptunClient, tmp_path: Path, journal: str | None
) -> None:
    read = 0

    def updates() -> Iterator[Update]:
        nonlocal read
        for read in range(1, 501):
            yield Update(read, fields={"name": "a"})

    executor, most = Holding(), 0

    def release() -> None:
        nonlocal most
        while not done.is_set():
            executor.held.acquire(timeout=0.05)
            most = max(most, len(executor.tasks))
            executor.release()

    done = threading.Event()
    thread = threading.Thread(target=release)
    thread.start()
    try:
        path = journal and tmp_path / journal
        for number, _ in enumerate(bulk_update(bulk_client, updates(), journal=path, max_workers=2, executor=executor)):
            assert read - number <= 2 * WINDOW * 2
    finally:
        done.set()
        thread.join()
    assert 2 <= most <= 4 * 2


def test_a_retry_after_pauses_all_workers(server: Server, bulk_client: NeptunClient) -> None:
    server.steps[5] = [failed(429, Retry_After="1")]
    statuses_ = in_order(bulk_update(bulk_client, named(*range(1, 201)), max_workers=4))
    assert statuses_ == ["applied"] * 200
    paused_at = next(at for project_id, at in server.sent if project_id == 5)
    during = [at for _, at in server.sent if paused_at < at < paused_at + 0.95]
    assert len(during) <= 3, "only what the other workers had begun"
    assert server.projects.count(5) == 2


def test_another_process_pauses_too(server: Server, bulk_client: NeptunClient) -> None:
    """A task that finds its process paused sends nothing and comes back."""
    server.steps[1] = [failed(503, Retry_After="1")]

    class OneByOne(Executor):
        def submit(self, fn: Any, /, *args: Any, **_: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_result(fn(*args))
            return future

    outcomes = by_row(bulk_update(bulk_client, named(1, 2, 3), executor=OneByOne()))
    assert [outcome.status for outcome in outcomes.values()] == ["applied"] * 3
    assert [outcome.attempts for outcome in outcomes.values()] == [2, 1, 1]
    assert server.sent[1][1] - server.sent[0][1] > 0.95


def test_a_server_that_asks_for_hours_ends_the_run(server: Server, bulk_client: NeptunClient) -> None:
    server.steps[1] = [failed(429, Retry_After="7200")]
    run = bulk_update(bulk_client, named(*range(1, 31)), max_workers=1)
    outcomes = by_row(run)
    assert [outcome.status for outcome in outcomes.values()] == ["refused"] + ["unsent"] * 29
    assert isinstance(run.ended_by, RateLimitError)
    assert all(outcome.again for outcome in outcomes.values())


@pytest.mark.parametrize(("max_retries", "attempts"), [(2, 3), (0, 1)])
def test_a_failure_is_sent_again_as_often_as_the_client_does(
    server: Server, bulk_client: NeptunClient, max_retries: int, attempts: int
) -> None:
    server.steps[1] = [failed(503), failed(502), failed(504)]
    client = bulk_client.with_options(max_retries=max_retries)
    outcomes = by_row(bulk_update(client, named(1, 2)))
    assert [outcome.status for outcome in outcomes.values()] == ["unknown", "applied"]
    assert outcomes[1].attempts == attempts
    assert outcomes[1].again


def test_what_a_server_asks_to_wait_for_is_no_failure(server: Server, bulk_client: NeptunClient) -> None:
    """Else one row in many would be lost to a server that limits their rate."""
    server.steps[1] = [failed(429) for _ in range(10)]
    assert in_order(bulk_update(bulk_client, named(1))) == ["applied"]


def test_a_server_that_always_asks_to_wait_refuses(server: Server, bulk_client: NeptunClient) -> None:
    server.steps[1] = [failed(429) for _ in range(30)]
    (outcome,) = bulk_update(bulk_client, named(1))
    assert (outcome.status, outcome.attempts, outcome.again) == ("refused", 21, True)


def test_a_refusal_after_an_attempt_that_may_have_been_applied_is_unknown_and_final(
    server: Server, bulk_client: NeptunClient
) -> None:
    """A further attempt cannot learn more, so that the row does not block the next one of its target."""
    server.steps[1] = [failed(503), failed(400)]
    outcome, following = bulk_update(bulk_client, named(1, 1))
    assert (outcome.status, outcome.attempts, outcome.again) == ("unknown", 2, False)
    assert following.status == "applied"
    assert isinstance(outcome.error, BadRequestError)
    assert outcome.error.applied is None
    assert "400 No. An earlier attempt may have been applied." in str(outcome.error)
    assert "was not applied" not in str(outcome.error)


def test_a_401_about_the_session_ends_the_run(server: Server, bulk_client: NeptunClient, tmp_path: Path) -> None:
    """What was under way by then is refused too, for now."""
    for project_id in range(20, 100):
        server.steps[project_id] = [failed(401)]
    run = bulk_update(bulk_client, named(*range(1, 100)), journal=tmp_path / "journal.jsonl", max_workers=2)
    outcomes = by_row(run)
    counts = Counter(outcome.status for outcome in outcomes.values())
    assert counts["applied"] == 19
    assert 1 <= counts["refused"] <= 4 * 2
    assert counts["unsent"] == 80 - counts["refused"]
    assert isinstance(run.ended_by, AuthenticationError)
    assert [outcome.again for outcome in outcomes.values()] == [False] * 19 + [True] * 80

    server.steps.clear()
    again = by_row(bulk_update(bulk_client, named(*range(1, 100)), journal=tmp_path / "journal.jsonl"))
    assert {outcome.status for outcome in again.values()} == {"applied"}
    assert [outcome.earlier for outcome in again.values()] == [True] * 19 + [False] * 80
    assert not any(outcome.resent for outcome in again.values()), "none of them may have been applied"


def test_a_server_that_cannot_be_reached_ends_the_run(client_for: ClientFor) -> None:
    """Else every row of a long input would be tried in vain."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    run = bulk_update(client_for(refuse), named(*range(1, 501)), max_workers=2)
    counts = Counter(outcome.status for outcome in run)
    assert isinstance(run.ended_by, NeptunConnectionError)
    assert counts == {"unsent": 500}, "a connection that could not be made is not a refusal"
    assert "the server has not responded for 0 s: update_project(" in str(run.ended_by)


def test_a_401_about_the_resource_is_its_own(server: Server, bulk_client: NeptunClient) -> None:
    """A deployed server returns it for a project that is missing or not this user's."""
    body = {"statusCode": 401, "statusMessage": "Unauthorized"}
    server.steps[1] = [httpx.Response(401, json=body)]
    assert in_order(bulk_update(bulk_client, named(1, 2))) == ["refused", "applied"]


def test_updates_of_one_target_are_sent_in_their_order(server: Server, bulk_client: NeptunClient) -> None:
    server.steps[7] = [failed(503)]
    updates = [Update(7, fields={"name": f"Name {number}"}) for number in range(50)]
    outcomes = by_row(bulk_update(bulk_client, updates))
    assert {outcome.status for outcome in outcomes.values()} == {"applied"}
    assert server.stored[7] == {"name": "Name 49"}
    assert server.projects == [7] * 51


def test_what_follows_an_unknown_update_of_the_same_target_waits_for_the_next_run(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    """Else the next run, which sends the unknown one again, would overwrite the newer values with it."""
    server.steps[7] = [failed(500)] * 9
    updates = [Update(7, fields={"name": "Older"}), *named(8), Update(7, fields={"name": "Newer"})]
    journal = tmp_path / "journal.jsonl"
    first = by_row(bulk_update(bulk_client, updates, journal=journal))
    assert [outcome.status for outcome in first.values()] == ["unknown", "applied", "unsent"]
    assert str(first[3].error) == "project 7: it waits for row 1, which may be sent again."
    late = bulk_update(bulk_client, iter([*updates, *(named(*range(100, 200))), Update(7, fields={"name": "Newest"})]))
    late.close()
    outcomes = by_row(bulk_update(bulk_client, updates, journal=journal))
    assert [outcome.status for outcome in outcomes.values()] == ["applied"] * 3
    assert [outcome.resent for outcome in outcomes.values()] == [True, False, False]
    assert server.stored[7] == {"name": "Newer"}


def test_a_later_row_of_a_target_that_is_left_is_left_too(server: Server, bulk_client: NeptunClient) -> None:
    server.steps[7] = [failed(500)] * 3
    updates = [Update(7, fields={"name": "Older"}), *named(*range(100, 400)), Update(7, fields={"name": "Newer"})]
    statuses_ = in_order(bulk_update(bulk_client, updates, max_workers=1))
    assert (statuses_[0], statuses_[-1]) == ("unknown", "unsent")
    assert server.projects.count(7) == 3


def test_stop_finishes_what_is_under_way(server: Server, bulk_client: NeptunClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    updates = named(*range(1, 501))
    run = bulk_update(bulk_client, updates, journal=journal, max_workers=2)
    outcomes = [next(run)]
    run.stop()
    outcomes.extend(run)
    counts = Counter(outcome.status for outcome in outcomes)
    assert counts.total() == 500
    assert counts["applied"] == len(server.projects)
    assert counts["unsent"] >= 500 - WINDOW * 2
    assert not run._loop._targets._blocked, "nothing is kept of the rest"
    assert Counter(statuses(journal).values())["unknown"] == 0, "what was not sent after all is noted as such"
    assert in_order(bulk_update(bulk_client, updates, journal=journal)) == ["applied"] * 500
    assert len(server.projects) == 500


def test_stop_leaves_what_an_earlier_run_knows(server: Server, bulk_client: NeptunClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    updates = named(*range(1, 101))
    server.steps[100] = [failed(500)] * 3
    assert in_order(bulk_update(bulk_client, updates, journal=journal, max_workers=1))[-1] == "unknown"
    run = bulk_update(bulk_client, updates, journal=journal, max_workers=1)
    next(run)
    run.stop()
    last = list(run)[-1]
    assert (last.row, last.status, last.earlier, last.again) == (100, "unknown", True, True)
    assert server.projects.count(100) == 3


def test_stop_can_leave_the_rest_unread(server: Server, bulk_client: NeptunClient) -> None:
    """An input may have no end."""
    updates = (Update(number, fields={"name": "a"}) for number in itertools.count(1))
    run = bulk_update(bulk_client, updates, max_workers=1)
    outcomes = [next(run)]
    run.stop(read_rest=False)
    outcomes.extend(run)
    assert len(outcomes) <= 2 * WINDOW
    assert Counter(outcome.status for outcome in outcomes)["applied"] == len(server.projects)


def test_stop_leaves_a_row_that_waits_for_its_next_attempt(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    server.steps[1] = [failed(429, Retry_After="600")]
    run = bulk_update(bulk_client, named(1, 2), journal=tmp_path / "journal.jsonl", max_workers=1)
    timer = threading.Timer(0.3, run.stop)
    timer.start()
    started = time.monotonic()
    statuses_ = in_order(run)
    timer.join()
    assert statuses_[0] == "refused"
    assert statuses_[1] in ("unsent", "applied")
    assert time.monotonic() - started < 60


def test_a_pause_that_ends_before_the_loop_waits_for_it_is_over(bulk_client: NeptunClient) -> None:
    """Nothing is under way whose result would wake up the loop."""
    run = bulk_update(bulk_client, named(1))
    run._loop._fill()
    assert run._loop._ahead.has_ready
    timer = threading.Timer(5, run._loop._under_way.wake)
    timer.start()
    started = time.monotonic()
    run._loop._collect()
    timer.cancel()
    assert time.monotonic() - started < 4
    assert in_order(run) == ["applied"]


def test_leaving_the_loop_early_journals_what_was_under_way(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    updates = named(*range(1, 301))
    for outcome in bulk_update(bulk_client, updates, journal=journal):
        assert outcome.status == "applied"
        break
    known = Counter(statuses(journal).values())
    assert known["applied"] == len(server.projects)
    assert known["unknown"] == 0
    assert in_order(bulk_update(bulk_client, updates, journal=journal)) == ["applied"] * 300
    assert len(server.projects) == 300


def test_ctrl_c_journals_what_was_under_way(server: Server, bulk_client: NeptunClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    run = bulk_update(bulk_client, named(*range(1, 301)), journal=journal)
    next(run)
    with pytest.raises(KeyboardInterrupt):
        run._outcomes.throw(KeyboardInterrupt)
    known = Counter(statuses(journal).values())
    assert (known["applied"], known["unknown"]) == (len(server.projects), 0)


def test_a_run_that_was_never_begun_gives_its_journal_back(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    run = bulk_update(bulk_client, named(1), journal=tmp_path / "journal.jsonl")
    run.close()
    run.close()
    assert list(run) == []
    assert in_order(bulk_update(bulk_client, named(1), journal=tmp_path / "journal.jsonl")) == ["applied"]
    assert server.projects == [1]


class Broken(Executor):
    """Fails what it has, and takes no more, as a process pool that has lost a process."""

    def __init__(self, accepts: int) -> None:
        self.accepts = accepts

    def submit(self, _fn: Any, /, *_args: Any, **_kwargs: Any) -> Future[Any]:
        if not self.accepts:
            raise RuntimeError("a process died")
        self.accepts -= 1
        future: Future[Any] = Future()
        if self.accepts % 2:
            future.cancel()  # as Dask does if its scheduler is lost
        else:
            future.set_exception(RuntimeError("" if self.accepts else "a process died"))
        return future


def test_a_worker_that_dies_makes_its_rows_unknown_and_they_are_tried_again(
    server: Server, bulk_client: NeptunClient, caplog: pytest.LogCaptureFixture
) -> None:
    executor = Broken(2)
    outcomes = by_row(bulk_update(bulk_client, named(*range(1, 21)), executor=executor))
    assert {outcome.status for outcome in outcomes.values()} == {"applied"}
    assert sorted(outcome.attempts for outcome in outcomes.values()) == [1] * 18 + [2] * 2
    assert "the executor takes no more work (RuntimeError: a process died); continuing in threads" in caplog.text
    assert len(server.projects) == 20


def test_a_row_that_no_worker_survives_stays_unknown(bulk_client: NeptunClient) -> None:
    (outcome,) = bulk_update(bulk_client, named(1), executor=Broken(4))
    assert (outcome.status, outcome.attempts) == ("unknown", 3)
    assert isinstance(outcome.error, NeptunConnectionError)
    assert str(outcome.error) == (
        "update_project(project 1): the worker died or failed (CancelledError). The update may have been applied. "
        "Call again: sending the same values twice is safe."
    )


class Silent(Executor):
    """Loses every task: as Dask's, if its scheduler dies."""

    def __init__(self, *, running: bool) -> None:
        self.running = running
        self.futures: list[Future[Any]] = []

    def submit(self, _fn: Any, /, *_args: Any, **_kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        if self.running:
            future.set_running_or_notify_cancel()
        self.futures.append(future)
        return future


@pytest.mark.parametrize("running", [False, True], ids=["queued", "running"])
def test_an_executor_that_loses_its_tasks_ends_the_run(
    bulk_client: NeptunClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, running: bool
) -> None:
    """What it had may have been applied; a task that a worker has not begun is called back."""
    monkeypatch.setattr("neptun_sdk.bulk.under_way._MAX_SILENCE", 0.3)
    client, executor = bulk_client.with_options(timeout=0.1), Silent(running=running)
    run = bulk_update(client, named(*range(1, 21)), journal=tmp_path / "j", max_workers=1, executor=executor)
    outcomes = by_row(run)
    assert [outcome.status for outcome in outcomes.values()] == ["unknown"] * 4 + ["unsent"] * 16
    assert all(outcome.again for outcome in outcomes.values())
    assert "the executor has returned no result for 0 s" in str(run.ended_by)
    assert [future.cancelled() for future in executor.futures] == [not running] * 4
    assert set(statuses(tmp_path / "j").values()) == {"unknown", "unsent"}


def test_leaving_the_loop_does_not_wait_without_end_for_a_lost_task(
    bulk_client: NeptunClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("neptun_sdk.bulk.under_way._MAX_SILENCE", 0.3)

    class First(Silent):
        def submit(self, fn: Any, /, *args: Any, **options: Any) -> Future[Any]:
            future = super().submit(fn, *args, **options)
            if len(self.futures) == 1:
                future.set_result(Result())
            return future

    executor = First(running=False)
    client = bulk_client.with_options(timeout=0.1)
    with bulk_update(client, named(*range(1, 21)), journal=tmp_path / "j", max_workers=1, executor=executor) as run:
        assert next(run).status == "applied"
    assert [line["status"] for line in lines(tmp_path / "j") if "row" in line][:4] == ["applied"] + ["unknown"] * 3


def test_the_longest_pause_counts(bulk_client: NeptunClient) -> None:
    """Two workers, on two machines, were asked for different ones."""
    began: list[float] = []

    class Elsewhere(Executor):
        def submit(self, _fn: Any, /, *_args: Any, **_kwargs: Any) -> Future[Any]:
            began.append(time.monotonic())
            future: Future[Any] = Future()
            wait = {1: 0.6, 2: 1.0, 3: 0.1}.get(len(began))
            future.set_result(Result(RateLimitError("429", retry_after=wait) if wait else None))
            return future

    outcomes = in_order(bulk_update(bulk_client, named(*range(1, 7)), max_workers=1, executor=Elsewhere()))
    assert outcomes == ["applied"] * 6
    assert min(began[4:]) - began[3] > 0.9


def test_threads_that_take_no_more_work_end_the_run(bulk_client: NeptunClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        list(bulk_update(bulk_client, named(1)))


def test_an_executor_of_the_callers_in_this_process_uses_the_callers_client(
    server: Server, bulk_client: NeptunClient
) -> None:
    with ThreadPoolExecutor(2) as executor:
        assert in_order(bulk_update(bulk_client, named(1, 2), executor=executor)) == ["applied"] * 2
    assert sorted(server.projects) == [1, 2]


def test_a_client_that_is_closed_on_the_way_loses_nothing(
    server: Server, client_for: ClientFor, tmp_path: Path
) -> None:
    journal, updates = tmp_path / "journal.jsonl", named(*range(1, 201))
    client = client_for(server)
    run = bulk_update(client, updates, journal=journal)
    first = next(run)
    client.close()
    rest = list(run)
    assert first.status == "applied"
    assert all(outcome.again for outcome in rest if outcome.status != "applied")
    assert in_order(bulk_update(client_for(server), updates, journal=journal)) == ["applied"] * 200
    assert sorted(server.projects) == list(range(1, 201))


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "no client": ({"client": "client"}, "client must be a NeptunClient, not str"),
    "no workers": ({"max_workers": 0}, "max_workers must be an int, 1 or more"),
    "a bool": ({"max_workers": True}, "max_workers must be an int, 1 or more"),
}


@pytest.mark.parametrize(("arguments", "text"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_an_argument_that_cannot_be_right_is_refused_at_once(
    bulk_client: NeptunClient, arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(ArgumentError, match=text):
        bulk_update(**{"client": bulk_client, "updates": [], **arguments})


def test_a_client_without_a_session_is_refused_at_once() -> None:
    with (
        NeptunClient.shared(base_url="https://neptun.test") as client,
        pytest.raises(ArgumentError, match="no session"),
    ):
        bulk_update(client, [])


def test_an_update_that_holds_the_session_is_refused_and_journaled_without_it(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    journal = tmp_path / "journal.jsonl"
    executor = Broken(0)  # takes no task: a task may travel
    updates = [Update(1, fields={"name": f"a {CANARY} b"})]
    (outcome,) = bulk_update(bulk_client, updates, journal=journal, executor=executor)
    assert (outcome.status, outcome.again) == ("refused", False)
    assert "name holds the session cookie or a value of headers, which are secrets; nothing was sent" in str(
        outcome.error
    )
    assert CANARY not in journal.read_text(encoding="utf-8")
    assert server.projects == []


def test_nothing_is_no_work(bulk_client: NeptunClient, tmp_path: Path) -> None:
    assert list(bulk_update(bulk_client, [], journal=tmp_path / "journal.jsonl")) == []
    assert lines(tmp_path / "journal.jsonl")[-1]["rows"] == 0
