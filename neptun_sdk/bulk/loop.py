"""The loop of a run: it reads updates, keeps the pace, writes the journal and yields the outcomes.

One thread does all of it, the one that iterates; workers only send requests. A row that was read is behind another row
of its target (`Targets`), on its way into the journal (`Ahead`), with the executor (`UnderWay`), or waits for its next
attempt. All of them together are never more than the window. How many are sent at once is for the `Pace` to say.
"""

from __future__ import annotations

import copy
import hashlib
import heapq
import os
import uuid
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Executor

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.bulk import worker
from neptun_sdk.bulk.ahead import Ahead
from neptun_sdk.bulk.content import Content, Entry
from neptun_sdk.bulk.ends import Failures, earlier, end_of, maybe_applied, superseded
from neptun_sdk.bulk.journal import Journal
from neptun_sdk.bulk.pace import Pace, is_failure
from neptun_sdk.bulk.targets import Row, Targets
from neptun_sdk.bulk.under_way import UnderWay
from neptun_sdk.bulk.updates import (
    FILE_HASH,
    Checker,
    Outcome,
    Status,
    Update,
    content_of,
    digest,
    hash_of,
    ids_of,
    operation_of,
)
from neptun_sdk.bulk.worker import Result, Task
from neptun_sdk.call import backoff
from neptun_sdk.client import NeptunClient, parts_of
from neptun_sdk.errors import (
    ArgumentError,
    AuthenticationError,
    NeptunConnectionError,
    NeptunError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    StatusError,
)
from neptun_sdk.outcomes import Rule, rule_of

WINDOW = 8  # rows for each worker that are read and not done: enough to send while the journal is written to disk
_UNDER_WAY = 4  # of these, in the executor: one that is sent, and some that follow
_MAX_WAITS = 20  # how often a row is sent again because the server asked to wait
_MAX_WAIT = 3600.0  # seconds; a server that asks for more ends the run
_PATIENCE = 8  # how often a row is sent again, at least, if others of its target wait for it


class Loop:
    """The state of a run. `bulk_update` describes the arguments."""

    def __init__(
        self,
        client: NeptunClient,
        updates: Iterable[Update],
        *,
        journal: str | os.PathLike[str] | None,
        max_workers: int,
        executor: Executor | None,
        max_outage: float,
        max_failures: int | None,
    ) -> None:
        self.ended_by: NeptunError | None = None
        self._client = client
        settings, session = parts_of(client)
        self._account = worker.account_of(client)
        self._checker = Checker(settings.dialect, session.mask)
        self._max_retries = settings.max_retries
        self._window = WINDOW * max_workers
        self._id = uuid.uuid4().hex
        self._input = updates
        self._updates = iter(updates)
        self._hash = hashlib.sha256()
        self._read = 0
        self._exhausted = False
        self._failure: Exception | None = None  # of the input: raised when nothing is under way any more
        self._input_hash = None if journal is None or self._updates is updates else hash_of(updates)
        self._journal = None if journal is None else Journal(journal, self._account, self._input_hash, self._window)
        self._stopping = self._is_cut_short = False
        self._held = 0  # rows in all places
        self._targets = Targets()
        self._pace = Pace(_UNDER_WAY * max_workers, max_outage)
        self._under_way = UnderWay(self._account, executor, max_workers)
        self._ahead = Ahead(self._journal, _UNDER_WAY * max_workers, self._under_way.wake)
        self._waiting: list[tuple[float, int, Row]] = []  # a heap, by the time of the next attempt
        # Whether the server has taken the user for the right one. Until then, rows for which it does not are in doubt.
        self._is_right_user = self._journal is not None and self._journal.has_applied
        self._failures = Failures(max_failures, has_applied=self._is_right_user)
        self._in_doubt: list[Row] = []
        self._outcomes: deque[Outcome] = deque()

    def run(self) -> Generator[Outcome]:
        """Send everything, and yield the outcomes."""
        worker.register(self._id, self._client)
        try:
            while self._held or self._outcomes or self._in_doubt or not self._exhausted:
                self._fill()
                self._send_ready()
                if self._exhausted and not self._held:
                    self._settle_doubts()
                while self._outcomes:
                    yield self._outcomes.popleft()
                if self._held:
                    self._collect()
            if self._failure is not None:
                raise self._failure
        finally:
            try:
                self._drain()
            finally:
                self.close()

    def stop(self, *, read_rest: bool) -> None:
        """Send nothing more. May be called from any thread, and from a signal handler."""
        self._stopping = True
        self._is_cut_short = self._is_cut_short or not read_rest
        self._under_way.wake()

    def close(self) -> None:
        """Give back what the run has taken. Nothing may be under way; closing again does nothing."""
        worker.unregister(self._id)
        self._under_way.close()
        self._ahead.close()
        if self._journal is not None:
            self._journal.close()

    @property
    def before(self) -> Content | None:
        """What the journal held when the run began; ``None`` without a journal."""
        return None if self._journal is None else self._journal.content

    @property
    def _is_over(self) -> bool:
        return self._stopping or self.ended_by is not None

    def _end(self, error: NeptunError) -> None:
        self.ended_by = self.ended_by or error

    # Rows come in.

    def _fill(self) -> None:
        """Read rows until the window is full."""
        self._exhausted = self._exhausted or self._is_cut_short
        while not self._exhausted and self._held < self._window and len(self._outcomes) < self._window:
            try:
                update = next(self._updates)
                self._read += 1
                content = content_of(self._read, update)
                if self._journal is None:
                    self._admit(Row(self._read, update, "", None))
                else:
                    self._hash.update(content)
                    entry = self._journal.earlier(self._read)
                    self._admit(Row(self._read, update, digest(content), entry))
            except StopIteration:
                self._exhausted = True
                if self._journal is not None:
                    self._end_input(self._journal)
            except Exception as exc:
                self._exhausted = True
                self._failure = exc

    def _end_input(self, journal: Journal) -> None:
        """Note that the whole input was read, if it is the one that was hashed."""
        is_file = (self._input_hash or "").startswith(FILE_HASH)
        whole = hash_of(self._input) if is_file else self._hash.hexdigest()
        if self._input_hash in (None, whole):
            journal.end(whole, self._read)
        else:
            self._failure = ArgumentError(
                "updates gave other rows when they were read for the second time, to be sent, than for the first, for "
                "their hash: pass a list, or an iterator, such as iter(updates), which is read once. What was sent is "
                "in the journal."
            )

    def _admit(self, row: Row) -> None:
        """Find the place of a row that was read, or its outcome."""
        entry = row.entry
        if entry is not None and entry.digest != row.digest:
            raise ArgumentError(
                f"row {row.number} of the input is not the one in the journal: restore the input for which it was "
                "written, or use another journal, which sends every row. This row was not sent."
            )
        if entry is not None and not self._is_sent_again(entry):
            self._outcomes.append(earlier(row, entry))
            return
        row.maybe_applied = entry is not None and entry.maybe_applied
        try:
            row.fields = self._checker.fields(row.update)
        except ArgumentError as error:
            row.error = error
            self._note(row, "refused", again=False)
            return
        later = None if self._journal is None else self._journal.done_after(row.number, row.target)
        if later is not None:
            self._outcomes.append(superseded(row, later))
        elif self._is_over or self._targets.blocked_by(row):
            self._leave(row)
        else:
            self._held += 1
            if self._targets.is_first(row):
                self._ahead.add(row)

    def _is_sent_again(self, entry: Entry) -> bool:
        """Tell whether this run sends a row: not if it has ended, or its response is too large for this run too."""
        return entry.again or (entry.size is not None and entry.size < self._account.max_response_size)

    # Rows go out.

    def _send_ready(self) -> None:
        """Write the journal, and give the executor every row that may be sent now."""
        now = monotonic()
        while self._waiting and (self._waiting[0][0] <= now or self._is_over):
            self._ahead.add_ready(heapq.heappop(self._waiting)[2])
        if self._is_over:
            self._leave_all()
        self._ahead.write()
        is_broken = self._under_way.problem is not None
        while self._ahead.has_ready and len(self._under_way) < self._pace.limit and not (self._is_over or is_broken):
            self._submit(self._ahead.take())

    def _leave_all(self) -> None:
        """End every row that is not under way: nothing is sent any more."""
        for row in self._ahead.take_all():
            self._conclude(row)
        self._settle_doubts()

    def _submit(self, row: Row) -> None:
        row.tasks += 1
        operation, ids = operation_of(row.update).name, ids_of(row.update)
        begin_by = worker.now() + self._under_way.max_silence
        home = (worker.HOME, os.getpid())
        task = Task(self._id, row.number, row.tasks, operation, ids, row.fields, home, begin_by)
        if not self._under_way.submit(row, task):
            self._ahead.add_ready(row, first=True)
            self._stopping = True
            self._leave_all()

    def _collect(self) -> None:
        """Wait until something can be done, and take in every result that is there."""
        times = [self._waiting[0][0]] if self._waiting else []
        # A pause may have ended a moment ago: then nothing under way would wake up this thread.
        if self._ahead.has_ready and (not len(self._under_way) or self._pace.paused_until > monotonic()):
            times.append(self._pace.paused_until)
        self._under_way.wait(min(times, default=None))
        for row, result in self._under_way.results():
            self._settle(row, result)
        if self._under_way.problem is not None:
            self._failure = self._failure or self._under_way.problem
            self._end(self._under_way.problem)
        if self._under_way.is_silent():
            self._end(self._under_way.silence())
            for row, result in self._under_way.give_up():
                self._settle(row, result)

    # Results come back.

    def _settle(self, row: Row, result: Result) -> None:
        """Take in the result of an attempt: its row is done, or is sent again later."""
        if result.held:
            self._pace.wait(result.held, is_asked=False)
            self._ahead.add_ready(row, first=True)
            return
        row.attempts += 1
        error = row.error = result.error
        row.requests += 1 if error is None else error.attempts
        rule = Rule(NeptunError, applied=True) if error is None else rule_of(error)
        wait = 0.0 if error is None else worker.retry_after(error)
        is_unsendable = isinstance(error, ArgumentError)  # no session there, or the client is closed
        is_sent = not is_unsendable and not (rule.applied is False and issubclass(rule.error, NeptunConnectionError))
        row.sent = row.sent or is_sent
        row.maybe_applied = row.maybe_applied or (error is not None and error.applied is None)
        if error is not None and (is_unsendable or wait > _MAX_WAIT or rule.about_session):
            self._end(error)
        elif error is not None and is_failure(rule) and not wait:
            self._fail(row, error)
        elif not wait:
            self._pace.respond()
        if wait:
            self._pace.wait(wait, is_asked=not self._is_over)
        delay = None if error is None or self._is_over else self._delay(row, rule, wait)
        if delay is None:
            self._conclude(row)
        else:
            heapq.heappush(self._waiting, (monotonic() + delay, row.number, row))

    def _fail(self, row: Row, error: NeptunError) -> None:
        """Take note of a failure that may be an outage, and end the run if that is too long."""
        if seconds := self._pace.fail(row.number):
            worker.pause(self._id, seconds)  # what waits in this process is not sent
        outage = self._pace.outage
        if outage is not None:
            ended = copy.copy(error)
            ended.args = (f"the server has not responded for {outage:.0f} s: {error}", *error.args[1:])
            self._end(ended)

    def _delay(self, row: Row, rule: Rule, wait: float) -> float | None:
        """Return the seconds until a row is sent again, or ``None`` if it is not."""
        may_pass = not rule.is_final and issubclass(rule.error, (StatusError, NeptunConnectionError))
        if not self._max_retries or not may_pass:
            return None
        if wait or rule.error is RateLimitError:
            row.pauses += 1
            return max(wait, backoff(row.pauses)) if row.pauses <= _MAX_WAITS else None
        if self._pace.in_outage:
            return 0.0
        row.failures += 1
        patience = _PATIENCE if self._targets.has_followers(row) else 0
        return backoff(row.failures) if row.failures <= max(self._max_retries, patience) else None

    def _conclude(self, row: Row) -> None:
        """End a row that is in no place any more: after its last attempt, or before its first one."""
        self._held -= 1
        error = row.error
        if not row.attempts:
            self._leave(row)
            again = True
        elif error is None:
            self._failures.has_applied = True
            self._accept_user()
            self._note(row, "applied", again=False)
            again = False
        else:
            again = self._conclude_error(row, error)
        if again and not self._is_over:  # else the rest of a long input would be kept in memory
            self._targets.block(row)
        if again or self._is_over:
            for other in self._targets.withdraw(row):
                self._held -= 1
                self._leave(other)
        elif following := self._targets.following(row):
            self._ahead.add(following)

    def _conclude_error(self, row: Row, error: NeptunError) -> bool:
        """Note the outcome of a row whose last attempt failed; return whether a later run sends it again."""
        rule = rule_of(error)
        is_about_row = error is not self.ended_by and row.sent
        if is_about_row and rule.is_final and not self._is_right_user:
            if issubclass(rule.error, (AuthenticationError, PermissionDeniedError)):
                self._in_doubt.append(row)
                self._count_failure(error)
                return False
            self._accept_user()
        end = end_of(row, error, self._account.max_response_size, may_pass=not is_about_row, is_over=self._is_over)
        row.error = end.error
        self._note(row, end.status, again=end.again, runs=end.runs, size=end.size)
        if not end.again or issubclass(rule.error, ResponseError):
            self._count_failure(error)
        return end.again

    def _count_failure(self, error: NeptunError) -> None:
        if reason := self._failures.count(error):
            self._end(reason)

    def _accept_user(self) -> None:
        """Take the user for the right one: what was refused for the user's sake was refused for its own."""
        if not self._is_right_user:
            self._is_right_user = True
            self._settle_doubts()

    def _settle_doubts(self) -> None:
        """Note the outcomes of the rows in doubt. If there are no others, the user is wrong, and not the rows."""
        is_user = not self._is_right_user and (len(self._in_doubt) > 1 or self._is_over)
        while self._in_doubt:
            row = self._in_doubt.pop()
            error = row.error
            if row.maybe_applied and error is not None:
                row.error = maybe_applied(error)
            self._note(row, "unknown" if row.maybe_applied else "refused", again=is_user)

    def _note(self, row: Row, status: Status, *, again: bool, runs: int = 0, size: int | None = None) -> None:
        """Note the outcome of a row, which is in the journal before it is yielded."""
        resent = row.sent and row.entry is not None and row.entry.maybe_applied
        outcome = Outcome(
            row.update, status, row.error, row=row.number, attempts=row.requests, again=again, resent=resent
        )
        if self._journal is not None:
            self._journal.outcome(outcome, row.digest, runs=runs, size=size)
        self._outcomes.append(outcome)

    def _leave(self, row: Row) -> None:
        """Yield the outcome of a row that this run does not send: what an earlier run knows of it stays true."""
        blocker = self._targets.blocked_by(row)
        if row.entry is not None:
            outcome = earlier(row, row.entry)
        elif blocker is not None:
            error = NeptunError(f"{row.update}: it waits for row {blocker}, which may be sent again.", applied=False)
            outcome = Outcome(row.update, "unsent", error, row=row.number, again=True)
        else:
            outcome = Outcome(row.update, "unsent", row=row.number, again=True)
        if self._journal is not None and row.noted:
            runs = row.entry.runs if row.entry else 0
            self._journal.outcome(outcome, row.digest, runs=runs)
        self._outcomes.append(outcome)

    def _drain(self) -> None:
        """Wait for the requests under way, and write their outcomes to the journal. Nobody asks for them any more."""
        self._stopping = True
        self._under_way.wait_for_all()
        for row, result in self._under_way.give_up():
            self._settle(row, result)
        self._send_ready()
        if self._journal is not None:
            self._journal.write()
            self._journal.sync()
