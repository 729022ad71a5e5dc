"""``neptun-bulk`` as a person meets it: a process on a real terminal, with Ctrl-C, SIGTERM and pipes."""

from __future__ import annotations

import os
import select
import signal
import struct
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from neptun_sdk.sandbox import Sandbox
from tests.bulk.runs import disagreements, renames, statuses
from tests.bulk.test_cli import write

SCRIPT = str(Path(sysconfig.get_path("scripts")) / "neptun-bulk")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals"),
    pytest.mark.without_coverage,
]


@pytest.fixture(autouse=True)
def settings(neptun: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("base_url", "session_cookie", "user_id"):
        monkeypatch.setenv(f"NEPTUN_{name.upper()}", str(getattr(neptun, name)))
    monkeypatch.chdir(tmp_path)


def on_a_terminal(
    *arguments: str, until: str = "", then: Callable[[int, int], None] | None = None, columns: int = 100
) -> tuple[int, str]:
    """Run the command on a terminal, do something once it has printed a text, and return its exit code and output."""
    import fcntl
    import pty
    import termios

    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
        os.execv(SCRIPT, [SCRIPT, *arguments])  # noqa: S606
    printed, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(terminal, 65_536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not chunk:
            break
        printed += chunk
        if then is not None and until in printed.decode("utf-8", "replace"):
            then(process, terminal)
            then = None
    if time.monotonic() > deadline:
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(terminal)
    assert then is None, printed
    return os.waitstatus_to_exitcode(status), printed.decode("utf-8").replace("\r\n", "\n")


def ctrl_c(_process: int, terminal: int) -> None:
    os.write(terminal, b"\x03")


def terminate(process: int, _terminal: int) -> None:
    os.kill(process, signal.SIGTERM)


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
@pytest.mark.parametrize(("end", "code"), [(ctrl_c, 130), (terminate, 143)], ids=["Ctrl-C", "SIGTERM"])
def test_a_signal_finishes_what_is_under_way_and_says_how_to_resume(
    neptun: Sandbox, end: Callable[[int, int], None], code: int
) -> None:
    updates = renames(neptun, 1_200)
    file = write(updates)
    found, printed = on_a_terminal(file, until="█", then=end)
    assert found == code
    assert "neptun-bulk: finishing what is under way (a second time ends at once)" in printed
    assert "To send what is left, run it again:\n  neptun-bulk rows.csv\n" in printed
    assert "unsent " in printed
    journal = Path("rows.csv.journal.jsonl")
    assert not disagreements(journal, updates, neptun)
    assert "unknown" not in statuses(journal).values()

    found, printed = on_a_terminal(file, columns=0)  # as of a terminal that does not know its size
    assert found == 0
    assert "1200/1200 [" in printed
    assert "of them by an earlier run" in printed
    assert set(statuses(journal).values()) == {"applied"}


@pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")
def test_a_second_ctrl_c_ends_at_once(neptun: Sandbox) -> None:
    updates = renames(neptun, 20)
    neptun.fail_next(status=None, delay=30, times=20)

    def twice(process: int, terminal: int) -> None:
        time.sleep(0.5)
        os.write(terminal, b"\x03")
        time.sleep(0.5)
        os.kill(process, signal.SIGINT)

    started = time.monotonic()
    found, printed = on_a_terminal(write(updates), until="0/20 [", then=twice)
    assert found == 130
    assert "ended at once; what was under way may have been applied" in printed
    assert time.monotonic() - started < 20
    assert not disagreements(Path("rows.csv.journal.jsonl"), updates, neptun)


def test_closed_streams_are_no_traceback(neptun: Sandbox) -> None:
    updates = renames(neptun, 3)
    command = f"{SCRIPT} {write(updates)} >&- 2>&-; echo $?; {SCRIPT} - <&-"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=60, check=False)
    assert done.stdout == b"0\n"
    assert done.stderr == b"neptun-bulk: standard input: it is closed. Nothing was sent.\n"
    assert done.returncode == 2
    assert not disagreements(Path("rows.csv.journal.jsonl"), updates, neptun)


def test_what_an_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows, where a pipe does not take every letter."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    Path("rows.csv").write_text("project_id,name\n789,Bőr\n", encoding="utf-8")
    done = subprocess.run([SCRIPT, "rows.csv", "--dry-run"], capture_output=True, timeout=60, check=False)
    assert done.stdout == b'line 2: update_project project 789: {"name": "B\\u0151r"}\n'


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is full")
def test_an_output_that_cannot_be_written_says_so(neptun: Sandbox) -> None:
    updates = renames(neptun, 3)
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SCRIPT, write(updates)], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith(b"\nneptun-bulk: cannot write the output: No space left on device\n")
    assert not disagreements(Path("rows.csv.journal.jsonl"), updates, neptun)


def test_progress_that_nobody_reads_does_not_end_the_run(neptun: Sandbox) -> None:
    """As of ``neptun-bulk … 2>&1 >table | head -1``."""
    updates = renames(neptun, 500)
    neptun.fail_next(status=429, retry_after=1)
    process = subprocess.Popen([SCRIPT, write(updates)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stderr.readline().startswith(b"Sending 500 updates to ")
    process.stderr.close()
    assert b"applied    500\n" in process.stdout.read()
    process.stdout.close()
    assert process.wait(timeout=60) == 0


def test_a_pipe_gets_plain_lines_and_the_table_alone_goes_to_standard_output(neptun: Sandbox) -> None:
    updates = renames(neptun, 10)
    with open(write(updates), "rb") as file:
        done = subprocess.run([SCRIPT, "-", "--journal", "j"], stdin=file, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stderr.decode() == (
        f"Sending 10 updates to {neptun.base_url} as user 1 (documented), 8 at once.\nJournal: j\n"
    )
    assert done.stdout.decode().startswith("\nstatus    rows\napplied     10\n")


def test_a_pipe_that_is_closed_early_is_no_traceback(neptun: Sandbox) -> None:
    """As of ``neptun-bulk … --dry-run | head``."""
    file = write(renames(neptun, 3_000))
    process = subprocess.Popen([SCRIPT, file, "--dry-run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline().startswith("line 2: ")
    process.stdout.close()
    errors = process.stderr.read()
    process.wait(timeout=60)
    process.stderr.close()
    assert "Traceback" not in errors
    assert process.returncode == 141
