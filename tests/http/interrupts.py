"""Interrupt calls at random moments, and report what came of it as JSON: a process of its own for test_interrupts.py.

In pytest's own process an interrupt could strike pytest.
"""

from __future__ import annotations

import gc
import itertools
import json
import os
import random
import signal
import ssl
import sys
import threading
import time
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import trustme

from neptun_sdk import NeptunClient, NeptunError
from tests.conftest import CANARY
from tests.faults.raw_server import RawServer, mirrors
from tests.http.servers import server_context

CALLS = 50  # more than an interval of the timer has time for
_chance = random.Random(1)  # noqa: S311 - a run is to be repeatable


class Interruption(BaseException):
    """What the signal handler raises, as Ctrl-C does."""


class TimeLimit(Exception):
    """What it raises every other time: that of Celery and of RQ is an `Exception` too."""


_kinds = itertools.cycle((Interruption, TimeLimit))


def interrupt(*_: object) -> None:
    raise next(_kinds)


@contextmanager
def interrupted_within(seconds: float) -> Iterator[None]:
    """Raise an exception in the ``with`` block at a random moment of that time, if it has not ended before."""
    signal.setitimer(signal.ITIMER_REAL, _chance.uniform(0.00001, seconds))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def frames(exc: BaseException) -> Iterator[types.FrameType]:
    """Yield the frames of an exception and its chain, but for those of this file."""
    chain: list[BaseException] = [exc]
    for link in chain:
        traceback = link.__traceback__
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename != __file__:
                yield traceback.tb_frame
            traceback = traceback.tb_next
        chain += [other for other in (link.__cause__, link.__context__) if other is not None and other not in chain]


def shows_cookie(exc: BaseException) -> bool:
    values = [value for frame in frames(exc) for value in frame.f_locals.values()]
    # repr() of a Request does not show its headers; that of an object that is not complete yet may raise.
    requests = [value for value in values if isinstance(value, httpx.Request)]
    requests += [value.request for value in values if isinstance(value, httpx.Response)]
    plain = [value for value in values if isinstance(value, str | bytes | dict | list | tuple)]
    return CANARY in repr([str(request.headers.raw) for request in requests]) + repr(plain)


def open_descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def alone(interrupts: int, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> dict[str, object]:
    """Interrupt the calls of the only thread."""
    struck = shown = crossed = 0
    failures: list[str] = []
    longest = 0.0
    settings: dict[str, Any] = {"timeout": 60, "max_retries": 0}  # a retry would hide an interrupt that is lost
    with (
        RawServer(mirrors, tls=tls) as server,
        NeptunClient(CANARY, 1, base_url=server.base_url.replace("127.0.0.1", host), **settings) as client,
    ):
        client.update_project(1, name="warm")
        before = open_descriptors()
        for number in range(interrupts):
            name, began = f"name {number}", time.monotonic()
            try:
                with interrupted_within(0.002):
                    for _ in range(CALLS):
                        crossed += client.update_project(1, name=name).name != name
            except (Interruption, TimeLimit) as exc:
                struck += 1
                shown += shows_cookie(exc)
            except NeptunError as error:
                failures.append(str(error))
            longest = max(longest, time.monotonic() - began)
        crossed += client.update_project(1, name="after all").name != "after all"
        leaked = open_descriptors() - before
        for _ in range(100):  # the server closes its ends when its threads get to it
            if leaked <= 2:
                break
            time.sleep(0.1)
            leaked = open_descriptors() - before
    return {
        "struck": struck,
        "shown": shown,
        "crossed": crossed,
        "failures": failures,
        "longest": longest,
        "leaked": leaked,
        "threads": len(getattr(threading, "_limbo", {})),
    }


def over_tls(interrupts: int) -> dict[str, object]:
    """Interrupt calls to a name, over TLS."""
    authority = trustme.CA()
    with authority.cert_pem.tempfile() as ca_file:
        os.environ["SSL_CERT_FILE"] = ca_file
        return alone(interrupts, server_context(authority, "localhost"), "localhost")


def by_name(interrupts: int) -> dict[str, object]:
    """Interrupt calls to a name, which another thread looks up."""
    return alone(interrupts, host="localhost")


def beside_others(interrupts: int) -> dict[str, object]:
    """Interrupt the calls of the main thread, while others call too."""
    failures: list[str] = []
    stop = threading.Event()
    with (
        RawServer(mirrors) as server,
        NeptunClient(CANARY, 1, base_url=f"http://localhost:{server.port}", timeout=60) as client,
    ):

        def call(thread: int) -> None:
            count = 0
            while not stop.is_set():
                count += 1
                name = f"thread {thread} call {count}"
                try:
                    if client.update_project(1, name=name).name != name:
                        failures.append(f"crossed: {name}")
                except NeptunError as error:
                    failures.append(str(error))

        threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(interrupts):
            try:
                with interrupted_within(0.005):
                    for _ in range(CALLS):
                        client.update_project(1, name="main")
            except (Interruption, TimeLimit):
                pass
            except NeptunError as error:
                failures.append(str(error))
        stop.set()
        for thread in threads:
            thread.join(60)
        hung = sum(thread.is_alive() for thread in threads)
    return {"failures": failures, "hung": hung}


if __name__ == "__main__":
    # A socket whose call was interrupted is closed with its last reference, of which Python warns.
    warnings.simplefilter("ignore", ResourceWarning)
    signal.signal(signal.SIGALRM, interrupt)
    run = {"alone": alone, "by_name": by_name, "over_tls": over_tls, "beside_others": beside_others}[sys.argv[1]]
    print(json.dumps(run(int(sys.argv[2]))))
