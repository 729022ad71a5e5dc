"""An exception of a signal handler, such as Ctrl-C or a task's time limit, can be raised anywhere within a call."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
INTERRUPTS = int(os.environ.get("NEPTUN_TEST_INTERRUPTS", "200"))

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no interval timer")


def interrupt(how: str) -> dict[str, Any]:
    """Interrupt calls in a process of their own, and return what came of it."""
    command = [sys.executable, "-m", "tests.faults.interrupts", how, str(INTERRUPTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120 + INTERRUPTS, check=False)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_a_client_lives_through_interrupts_at_any_moment() -> None:
    result = interrupt("alone")
    assert result.pop("struck") > INTERRUPTS / 2
    assert result.pop("longest") < 5, "a call hung"
    assert result.pop("leaked") <= 2
    assert result == {"shown": 0, "crossed": 0, "failures": [], "slots": 0}


def test_calls_of_other_threads_end_well_beside_interrupts() -> None:
    """Only the main thread runs signal handlers; the connections of the others stay theirs."""
    assert interrupt("beside_others") == {"failures": [], "hung": 0}
