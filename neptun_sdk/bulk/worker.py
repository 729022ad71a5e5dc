"""What runs in a worker: one request for one update, in a thread, another process or on another machine.

No session is ever in a task. In the process of the run a task finds the caller's client; in any other it makes one from
the environment there, once.
"""

from __future__ import annotations

import functools
import os
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from neptun_sdk._http.deadline import monotonic
from neptun_sdk.client import NeptunClient, parts_of
from neptun_sdk.errors import ArgumentError, NeptunError
from neptun_sdk.models import Dialect
from neptun_sdk.outcomes import rule_of


@dataclass(frozen=True, slots=True)
class Account:
    """Whose updates a run sends, and where: what a worker's own client must agree with. It holds no secret."""

    base_url: str
    dialect: Dialect
    user_id: int
    timeout: float
    max_response_size: int


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt at one row. No two are equal, so that no executor takes one for the repetition of another.

    Attributes:
        home: The process of the run: `HOME` and its id.
        begin_by: The time after which nobody waits for it any more, so that it must not be sent.
    """

    run: str
    row: int
    attempt: int
    operation: str
    ids: tuple[int, ...]
    fields: Mapping[str, str]
    home: tuple[str, int]
    begin_by: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a task did.

    Attributes:
        error: The error of the request, or why the worker cannot send any; ``None`` if the update was applied.
        held: The seconds for which this process must not send anything, so that nothing was sent.
        usable: Whether this worker can send requests.
    """

    error: NeptunError | None = None
    held: float = 0.0
    usable: bool = True


# The time of the day, which other machines have too. freezegun stops `time.time` here, but not in every worker.
now: Callable[[], float] = (
    functools.partial(time.clock_gettime, time.CLOCK_REALTIME)
    if hasattr(time, "clock_gettime")
    else functools.partial(time.time)
)
HOME = uuid.uuid4().hex  # of this interpreter; a child that was forked has the same
# By process: a child that was forked has the dictionaries of its parent, but must not use its clients.
_callers: dict[tuple[int, str], NeptunClient] = {}
_made: dict[tuple[int, Account], NeptunClient] = {}
_paused_until: dict[str, float] = {}  # by run, on this process's monotonic clock


def account_of(client: NeptunClient) -> Account:
    """Return the account of a client, or raise `ArgumentError` if it has none."""
    settings, session = parts_of(client)
    dialect, size = settings.dialect, settings.max_response_size
    return Account(settings.base_url, dialect, session.user_id, settings.timeout, size)


def register(run: str, client: NeptunClient) -> None:
    """Let the tasks of a run find the caller's client in this process. Each of them sends one request."""
    _callers[os.getpid(), run] = client.with_options(max_retries=0)


def unregister(run: str) -> None:
    """Forget a run."""
    _callers.pop((os.getpid(), run), None)
    _paused_until.pop(run, None)


def send(account: Account, task: Task) -> Result:
    """Send one request for an update: the top-level function that every executor runs."""
    held = _paused_until.get(task.run, 0.0) - monotonic()
    if held > 0:
        return Result(held=held)
    try:
        client = _callers.get((os.getpid(), task.run))
        if now() > task.begin_by or (client is None and task.home == (HOME, os.getpid())):
            raise ArgumentError(
                "the executor began a task when its run had given it up, or a worker has a wrong clock. Nothing was "
                "sent by it."
            )
        client = client or _client(account)
    except ArgumentError as error:
        return Result(ArgumentError(str(error), applied=False), usable=False)
    try:
        getattr(client, task.operation)(*task.ids, **task.fields)
    except NeptunError as error:
        if wait := retry_after(error):
            pause(task.run, wait)
        return Result(error.with_traceback(None))
    return Result()


def retry_after(error: NeptunError) -> float:
    """Return for how many seconds a response asks every worker to send nothing."""
    return (getattr(error, "retry_after", None) or 0.0) if rule_of(error).retryable else 0.0


def pause(run: str, seconds: float) -> None:
    """Let this process send nothing for a run. The pauses of others that are over are forgotten."""
    moment = monotonic()
    for other, until in list(_paused_until.items()):
        if until < moment:
            _paused_until.pop(other, None)
    _paused_until[run] = max(_paused_until.get(run, 0.0), moment + seconds)


def _client(account: Account) -> NeptunClient:
    """Return this process's client, made from its environment, if it acts for the account of the run."""
    made = _made.get((os.getpid(), account))
    if made is not None:
        return made
    made = NeptunClient(
        timeout=account.timeout,
        max_response_size=account.max_response_size,
        max_retries=0,
        allow_http=account.base_url.startswith("http:"),  # the caller has allowed it: its own client could not be made
    )
    own = account_of(made)
    for name, variable in (("base_url", "BASE_URL"), ("dialect", "DIALECT"), ("user_id", "USER_ID")):
        here, there = getattr(own, name), getattr(account, name)
        if here != there:
            made.close()
            raise ArgumentError(
                f"the environment of a worker has {name} {here!r}, but the run is for {there!r}: set NEPTUN_{variable} "
                "where the workers start. Nothing was sent by it."
            )
    return _made.setdefault((os.getpid(), account), made)
