"""``neptun-bulk`` in this process: what it checks, prints and returns."""

from __future__ import annotations

import errno
import io
import itertools
import json
import logging
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from neptun_sdk.bulk import Outcome, Update, bulk_update, cli, progress, rows
from neptun_sdk.bulk.journal import Journal
from neptun_sdk.bulk.run import BulkRun
from neptun_sdk.bulk.signals import Signals
from neptun_sdk.bulk.summary import Totals
from neptun_sdk.client import NeptunClient
from neptun_sdk.sandbox import Sandbox
from tests.bulk.runs import disagreements, renames, statuses

Run = Callable[..., int]


@pytest.fixture(autouse=True)
def settings(neptun: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("base_url", "session_cookie", "user_id"):
        monkeypatch.setenv(f"NEPTUN_{name.upper()}", str(getattr(neptun, name)))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("neptun_sdk.bulk.loop.backoff", lambda _: 0.0)
    monkeypatch.setattr("neptun_sdk.bulk.pace._FIRST_WAIT", 0.0)


def write(updates: list[Update], name: str = "rows.csv") -> str:
    text = "project_id,name,description\n"
    text += "".join(f"{each.project_id},{each.fields['name']},{each.fields['description']}\n" for each in updates)
    Path(name).write_text(text, encoding="utf-8")
    return name


def test_every_row_is_applied(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    updates = renames(neptun, 120)
    assert cli.main([write(updates)]) == 0
    printed = capsys.readouterr()
    assert printed.err == (
        f"Sending 120 updates to {neptun.base_url} as user 1 (documented), 8 at once.\n"
        "Journal: rows.csv.journal.jsonl\n"
    )
    assert (
        "status    rows\napplied    120\nrefused      0\nunknown      0\nunsent       0\ntotal      120  120 sent in "
        in (printed.out)
    )
    assert not disagreements(Path("rows.csv.journal.jsonl"), updates, neptun)


def test_the_same_command_goes_on(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(renames(neptun, 5))
    neptun.fail_next(status=500, times=2)
    assert cli.main([file, "--workers", "1", "--max-retries", "0"]) == 1
    printed = capsys.readouterr().out
    assert "unknown      2  may have been applied" in printed
    assert "  2 \N{MULTIPLICATION SIGN} unknown (to be sent again): 500 " in printed
    assert ": lines 2-3\n" in printed
    assert "To send what is left, run it again:\n  neptun-bulk rows.csv --workers 1 --max-retries 0\n" in printed
    assert cli.main([file]) == 0
    printed = capsys.readouterr().out
    assert "applied      5  3 of them by an earlier run" in printed
    assert "2 sent in" in printed
    assert "Sent again, as an earlier run may have applied them: lines 2-3\n" in printed
    assert cli.main([file]) == 0
    assert "nothing was left to send" in capsys.readouterr().out


def test_what_was_refused_is_named_by_its_line(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    updates = [*renames(neptun, 2), *(Update(10**9, fields={"name": "a", "description": "b"}) for _ in range(30))]
    assert cli.main([write(updates)]) == 1
    printed = capsys.readouterr().out
    assert "refused     30  not applied" in printed
    assert re.search("\n  30 \N{MULTIPLICATION SIGN} refused: 404 .*Check the ids: lines 4-33\n", printed)
    assert "Failed rows are not sent again. Correct them, and run them from a separate file (see --rejects)." in printed


def test_unknown_rows_are_sent_once_more(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(renames(neptun, 4))
    neptun.fail_next(status=500, times=1)
    assert cli.main([file, "--retry-unknown", "--workers", "1", "--max-retries", "0"]) == 0
    printed = capsys.readouterr()
    assert "sending 1 unknown row once more" in printed.err
    assert "applied      4\n" in printed.out
    assert "total        4  5 sent in" in printed.out


def test_an_expired_session_ends_the_run(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(renames(neptun, 100))
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "an-expired-session")
    assert cli.main([file, "--workers", "1"]) == 1
    printed = capsys.readouterr().out
    assert "The run ended early: update_project(" in printed
    assert "401 Unauthorized: the session is missing, unknown or expired" in printed
    assert "run it again" in printed
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", neptun.session_cookie)
    assert cli.main([file]) == 0


def test_bad_rows_are_reported_together(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("project_id,import_id,name\n1,,ok\nx,,b\n2,3,name\n4,,\n", encoding="utf-8")
    assert cli.main(["bad.csv"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == (
        "neptun-bulk: bad.csv: 3 of 4 rows cannot be sent. Nothing was sent.\n"
        "  line 3: project_id must be a positive integer, not 'x'\n"
        "  line 4: update_project_import: there is no field 'name', only source_type, source_path, title, description\n"
        "  line 5: update_project: no field was given: pass at least one of name, description, project_type, "
        "programming_language\n"
    )
    assert neptun.requests == []


def test_many_bad_rows_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.csv").write_text("project_id,name\n" + "x,a\n" * 70, encoding="utf-8")
    assert cli.main(["bad.csv"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[-1]) == (52, "  … and 20 more")


def test_a_dry_run_prints_what_would_be_sent(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It needs no session."""
    monkeypatch.delenv("NEPTUN_SESSION_COOKIE")
    text = "project_id,import_id,name,title\n789,,Shöp,\n789,123,,<clear>\n"
    Path("rows.csv").write_text(text, encoding="utf-8")
    assert cli.main(["rows.csv", "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert printed.out == (
        'line 2: update_project project 789: {"name": "Shöp"}\n'
        'line 3: update_project_import project 789, import 123: {"title": ""}\n'
    )
    assert printed.err == (
        f"Would send 2 of 2 updates to {neptun.base_url} (documented), if there were a session. Nothing was sent.\n"
    )
    assert neptun.requests == []
    assert not Path("rows.csv.journal.jsonl").exists()


def test_a_dry_run_leaves_out_what_is_done(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(renames(neptun, 3))
    neptun.fail_next(status=500)
    cli.main([file, "--workers", "1", "--max-retries", "0"])
    capsys.readouterr()
    assert cli.main([file, "--dry-run"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("line 2: update_project project ")
    assert printed.err == (
        f"Would send 1 of 3 updates to {neptun.base_url} as user 1 (documented); 2 are done, as "
        "rows.csv.journal.jsonl says. Nothing was sent.\n"
    )
    Path("rows.csv.journal.jsonl").write_text("", encoding="utf-8")
    assert cli.main([file, "--dry-run"]) == 0
    assert "Would send 3 of 3 updates " in capsys.readouterr().err
    Path("rows.csv.journal.jsonl").write_text("no journal\n", encoding="utf-8")
    assert cli.main([file, "--dry-run"]) == 2
    assert "cannot be used as the journal" in capsys.readouterr().err


def test_a_dry_run_refuses_the_journal_of_other_work(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would call rows done that were never sent."""
    updates = renames(neptun, 3)
    assert cli.main([write(updates)]) == 0
    monkeypatch.setenv("NEPTUN_USER_ID", "2")
    assert cli.main(["rows.csv", "--dry-run"]) == 2
    assert "was written with user_id 1, not 2: use the same settings" in capsys.readouterr().err
    monkeypatch.delenv("NEPTUN_SESSION_COOKIE")
    assert cli.main(["rows.csv", "--dry-run"]) == 0
    write(updates[1:])
    assert cli.main(["rows.csv", "--dry-run"]) == 2
    printed = capsys.readouterr()
    assert "the input has changed since the journal rows.csv.journal.jsonl was written" in printed.err
    assert printed.out == ""


def test_the_table_says_what_the_journal_says_of_a_run_that_an_exception_ended(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was under way has no outcome, but was sent."""
    written, noted = Journal.outcome, itertools.count(1)

    def full(self: Journal, *arguments: Any, **options: Any) -> None:
        if next(noted) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(self, *arguments, **options)

    monkeypatch.setattr(Journal, "outcome", full)
    assert cli.main([write(renames(neptun, 300))]) == 1
    known = Counter(statuses(Path("rows.csv.journal.jsonl")).values())
    printed = capsys.readouterr().out
    assert known["unknown"] > 0
    for status, number in {**known, "unsent": 300 - known.total()}.items():
        assert f"{status:8} {number:>5,}" in printed
    assert "The run ended early: " in printed
    assert "run it again:" in printed


def test_a_journal_that_is_gone_counts_nothing() -> None:
    assert cli._content(Path("missing.jsonl")) is None


def test_an_error_of_the_journal_names_it(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(renames(neptun, 3))

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    assert cli.main([file]) == 2
    printed = capsys.readouterr().err
    assert "cannot use rows.csv.journal.jsonl: Input/output error. Fix that, and run again. " in printed
    assert "pass --journal ELSEWHERE" in printed


def test_standard_input_has_no_journal_but_may_have_one(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = json.dumps({"project_id": neptun.project_id, "name": "From a pipe"})

    def pipe() -> None:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(f"{line}\n".encode())))

    pipe()
    neptun.fail_next(status=500)
    assert cli.main(["-", "--max-retries", "0"]) == 1
    printed = capsys.readouterr()
    assert "Sending 1 update to " in printed.err
    assert ", 8 at once.\nNo journal: it cannot be resumed.\n" in printed.err
    assert "There was no journal, so that this run cannot be resumed" in printed.out
    pipe()
    assert cli.main(["-", "--retry-unknown"]) == 2
    assert "--retry-unknown needs a journal" in capsys.readouterr().err
    pipe()
    neptun.fail_next(status=500)
    assert cli.main(["-", "--journal", "piped.jsonl", "--max-retries", "0"]) == 1
    assert "neptun-bulk - --journal piped.jsonl --max-retries 0\n(with the same input)" in capsys.readouterr().out
    pipe()
    assert cli.main(["-", "--journal", "piped.jsonl"]) == 0


def test_a_named_pipe_has_no_journal_either(neptun: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """As of a shell's ``<(…)``."""
    line = json.dumps({"project_id": neptun.project_id, "name": "From a pipe"})
    reader, writer = os.pipe()
    os.write(writer, f"{line}\n".encode())
    os.close(writer)
    assert cli.main([f"/dev/fd/{reader}"]) == 0
    os.close(reader)
    assert "No journal: it cannot be resumed" in capsys.readouterr().err


def test_refused_rows_without_a_journal_are_counted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = b"project_id,name\n" + b"1000000000,a\n" * 25
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    assert cli.main(["-"]) == 1
    assert "  25 \N{MULTIPLICATION SIGN} refused: 404 " in capsys.readouterr().out


NOT_STARTED: dict[str, tuple[list[str], str, str]] = {
    "no file": (["nowhere.csv"], "", "cannot read nowhere.csv: No such file or directory"),
    "an empty file": (["rows.csv"], "", "rows.csv: it is empty. Nothing was sent."),
    "a header alone": (["rows.csv"], "project_id,name\n", "rows.csv: it has no rows. Nothing was sent."),
    "a bad header": (["rows.csv"], "id,name\n", "rows.csv: line 1 is not a valid header: column project_id is missing"),
    "no folder": (
        ["rows.csv", "--journal", "nowhere/journal"],
        "project_id,name\n1,a\n",
        "cannot use nowhere/journal: No such file or directory",
    ),
    "another journal": (
        ["rows.csv", "--journal", "rows.csv"],
        "project_id,name\n1,a\n",
        "cannot be used as the journal",
    ),
    "no scheduler": (
        ["rows.csv", "--scheduler", "nonsense://x"],
        "project_id,name\n1,a\n",
        "cannot reach the scheduler",
    ),
}


@pytest.mark.parametrize(("arguments", "text", "problem"), NOT_STARTED.values(), ids=NOT_STARTED)
def test_what_cannot_be_started_says_why(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str, problem: str
) -> None:
    Path("rows.csv").write_text(text, encoding="utf-8")
    assert cli.main(arguments) == 2
    assert problem in capsys.readouterr().err
    assert neptun.requests == []


def test_a_missing_session_says_how_to_set_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NEPTUN_SESSION_COOKIE")
    assert cli.main(["rows.csv"]) == 2
    printed = capsys.readouterr().err
    assert printed.startswith("neptun-bulk: NEPTUN_SESSION_COOKIE is missing: log in to Neptun, ")
    assert printed.endswith(", and set NEPTUN_SESSION_COOKIE to it.\n")


def test_a_dialect_that_there_is_not_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEPTUN_DIALECT", "klingon")
    assert cli.main(["rows.csv", "--dry-run"]) == 2
    assert "NEPTUN_DIALECT must be documented or deployed" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "extra"), [("tqdm", "bulk"), ("distributed", "bulk,dask")])
def test_a_missing_extra_is_named(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main([write(renames(neptun, 1)), "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert f"neptun-sdk[{extra}]" in capsys.readouterr().err


class Cluster:
    """Stands in for ``distributed.Client``; tests/integrations has the real one."""

    def __init__(self, threads: dict[str, int]) -> None:
        self.threads = threads

    def __call__(self, address: str, **_: object) -> Cluster:
        assert address == "tcp://127.0.0.1:8786"
        return self

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def nthreads(self) -> dict[str, int]:
        return self.threads

    def get_executor(self, *, pure: bool) -> None:
        assert not pure


def test_a_cluster_gives_the_number_of_workers(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(renames(neptun, 1))
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Cluster({"a": 2, "b": 3})))
    assert cli.main([file, "--scheduler", "tcp://127.0.0.1:8786"]) == 0
    assert "as user 1 (documented), 5 at once." in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "distributed", SimpleNamespace(Client=Cluster({})))
    assert cli.main([file, "--scheduler", "tcp://127.0.0.1:8786"]) == 2
    assert "has no workers: start some" in capsys.readouterr().err


@pytest.mark.parametrize("number", ["0", "-1", "many", "10001"])
def test_a_number_of_workers_that_cannot_be(capsys: pytest.CaptureFixture[str], number: str) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["rows.csv", f"--workers={number}"])
    assert caught.value.code == 2
    assert f"must be between 1 and 10000, not {number!r}" in capsys.readouterr().err


def test_the_help_fits_80_columns_and_names_the_exit_codes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as caught:
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert max(map(len, printed.splitlines())) <= 80
    assert "  130, 143  ended by Ctrl-C, or by SIGTERM\n" in printed


def test_without_a_terminal_there_are_plain_lines(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_LINE_INTERVAL", 0.0)
    neptun.fail_next(status=429, retry_after=1)
    assert cli.main([write(renames(neptun, 3)), "--workers", "1"]) == 0
    printed = capsys.readouterr().err.splitlines()
    assert "the server asks to wait: all workers pause for 1 s" in printed
    assert printed[-1].startswith("3 of 3 rows (100%), ")
    assert printed[-1].endswith(" rows/s, 0 failed, 0 s left")
    assert not logging.getLogger("neptun_sdk.bulk").handlers


def test_a_terminal_has_a_bar(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(progress, "_TICK", 0.05)
    neptun.fail_next(status=429, retry_after=1)
    updates = [*renames(neptun, 3), Update(10**9, fields={"name": "a", "description": "b"})]
    assert cli.main([write(updates), "--workers", "1"]) == 1
    printed = capsys.readouterr().err
    assert "100%|" in printed
    assert "4/4 [" in printed
    assert "1 failed]" in printed
    assert "all workers pause for 1 s\n" in printed


def test_a_narrow_bar_shows_the_failures(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(progress, "_columns", lambda: 40)
    updates = [*renames(neptun, 3), Update(10**9, fields={"name": "a", "description": "b"})]
    assert cli.main([write(updates)]) == 1
    assert "100% 4/4, 1 failed, 00:00 left" in capsys.readouterr().err


def test_a_file_that_changes_on_the_way_ends_the_run(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was checked, and while it is sent."""
    file = write(renames(neptun, 3))

    def change(*arguments: Any, **options: Any) -> BulkRun:
        run = bulk_update(*arguments, **options)
        text = Path(file).read_text(encoding="utf-8")
        Path(file).write_text(text + "x,not,a row\n", encoding="utf-8")
        return run

    monkeypatch.setattr(cli, "bulk_update", change)
    assert cli.main([file, "--workers", "1"]) == 1
    printed = capsys.readouterr().out
    assert "The run ended early: line 5 of the input: project_id must be a positive integer, not 'x'" in printed
    assert statuses(Path("rows.csv.journal.jsonl")) == {1: "applied", 2: "applied", 3: "applied"}


def test_a_word_that_clears_must_not_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["rows.csv", "--clear", ""])
    assert "an empty cell leaves a field as it is; choose a word" in capsys.readouterr().err


def test_a_signal_before_anything_is_sent(
    neptun: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(renames(neptun, 1))

    def interrupt(*_: object, **__: object) -> NeptunClient:
        signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the signal ends the command")

    monkeypatch.setattr(cli, "client_of", interrupt)
    before = signal.getsignal(signal.SIGTERM)
    assert cli.main([file]) == 143
    assert "interrupted; nothing was sent" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_signal_stops_the_run_and_another_ends_the_process(
    neptun: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: object, totals: Totals) -> None:
        if totals.done == 1:
            signal.raise_signal(signal.SIGINT)

    class Ended(Exception):
        pass

    def end(code: int) -> None:
        raise Ended(code)

    monkeypatch.setattr(progress.Lines, "show", interrupt)
    file = write(renames(neptun, 300))
    assert cli.main([file]) == 130
    printed = capfd.readouterr()
    assert "finishing what is under way (a second time ends at once)" in printed.err
    assert "run it again:\n  neptun-bulk rows.csv" in printed.out

    monkeypatch.setattr(os, "_exit", end)
    with Signals.handled() as signals:
        signals.number = signal.SIGINT
        with pytest.raises(Ended, match="143"):
            signal.raise_signal(signal.SIGTERM)
    assert "ended at once; what was under way may have been applied" in capfd.readouterr().err


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Press Ctrl-C at the first row that is done; return the lines that are read from then on."""
    read: list[int] = []
    records = rows.Rows.records

    def counted(self: rows.Rows) -> Generator[tuple[int, list[str]]]:
        for line, cells in records(self):
            read.append(line)
            yield line, cells

    def interrupt(_: object, totals: Totals) -> None:
        if totals.done == 1:
            read.clear()
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(rows.Rows, "records", counted)
    monkeypatch.setattr(progress.Lines, "show", interrupt)
    return read


def test_ctrl_c_leaves_the_rest_of_the_file_unread(
    neptun: Sandbox, capfd: pytest.CaptureFixture[str], interrupted: list[int]
) -> None:
    """The rest may be a million rows."""
    updates = renames(neptun, 40) + [Update(10**6, fields={"name": "Nobody's", "description": ""})] * 2_000
    assert cli.main([write(updates), "--json"]) == 130
    found = json.loads(capfd.readouterr().out)
    assert len(interrupted) < 200
    assert 0 < found["applied"] <= 40
    assert found["applied"] + found["refused"] + found["unsent"] == found["total"] == 2_040
    assert found["again"] == found["unsent"]
    journal = Path("rows.csv.journal.jsonl")
    assert Counter(statuses(journal).values())["applied"] == found["applied"]
    assert not disagreements(journal, updates[:40], neptun)


@pytest.mark.usefixtures("interrupted")
def test_ctrl_c_without_a_journal_counts_the_rest_as_unsent(
    neptun: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with open(write(renames(neptun, 300)), "rb") as file:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=file, isatty=lambda: False))
        assert cli.main(["-", "--json"]) == 130
    found = json.loads(capfd.readouterr().out)
    assert found["applied"] + found["unsent"] == found["total"] == 300


@pytest.mark.usefixtures("interrupted")
def test_what_is_unread_after_ctrl_c_is_what_the_journal_knows(
    neptun: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobodys = Update(10**6, fields={"name": "Nobody's", "description": ""})
    arguments = [write([*renames(neptun, 300), nobodys]), "--json"]
    with monkeypatch.context() as patched:
        patched.setattr(progress.Lines, "show", lambda *_: None)
        assert cli.main(arguments) == 1
    journal = Path("rows.csv.journal.jsonl")
    kept = [line for line in journal.read_bytes().splitlines(keepends=True) if json.loads(line).get("row", 99) > 20]
    journal.write_bytes(b"".join(line for line in kept if b"sending" not in line))
    capfd.readouterr()

    assert cli.main(arguments) == 130
    found = json.loads(capfd.readouterr().out)
    assert found["earlier"] == 280
    assert found["applied"] == 280 + found["sent"]
    assert (found["refused"], found["unknown"]) == (1, 0)
    assert found["unsent"] == found["again"] == 20 - found["sent"]
    assert found["reasons"][0]["lines"] == [302]


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (BrokenPipeError(), 141, ""),
        (OSError(errno.ENOSPC, "No space left"), 1, "neptun-bulk: cannot write the output: No space left\n"),
    ],
    ids=["closed", "full"],
)
def test_an_output_that_is_closed_is_no_error(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: OSError, code: int, printed: str
) -> None:
    def broken(*_: object) -> int:
        raise error

    monkeypatch.setattr(cli, "_dry_run", broken)
    assert cli.main(["rows.csv", "--dry-run"]) == code
    os.write(1, b"goes nowhere")
    assert capfd.readouterr() == ("", printed)


def test_streams_that_are_closed_or_replaced_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = io.StringIO()
    for name, stream in (("stdin", None), ("stdout", None), ("stderr", printed)):
        monkeypatch.setattr(sys, name, stream)
    assert cli.main(["-"]) == 2
    print("goes nowhere")
    assert printed.getvalue() == "neptun-bulk: standard input: it is closed. Nothing was sent.\n"
    sys.stdout.close()


def test_a_signal_between_two_passes_stops_the_second(
    neptun: Sandbox, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the second one reads its input and journal, only the first one is there to be stopped."""
    neptun.fail_next(status=500)
    passes: list[BulkRun] = []

    def interrupted(*arguments: Any, **options: Any) -> BulkRun:
        run = bulk_update(*arguments, **options)
        if passes:
            signal.raise_signal(signal.SIGINT)
        passes.append(run)
        return run

    monkeypatch.setattr(cli, "bulk_update", interrupted)
    assert cli.main([write(renames(neptun, 1)), "--workers", "1", "--retry-unknown", "--max-retries=0"]) == 130
    assert len(passes) == 2
    assert len(neptun.requests) == 1, "the second pass was not begun"
    assert "unknown      1  may have been applied" in capfd.readouterr().out


def test_a_resumed_run_counts_what_it_sends_itself(capsys: pytest.CaptureFixture[str]) -> None:
    totals = Totals(100)
    lines = progress.Lines(totals.sent)
    lines._began = lines._last = time.monotonic() - 10
    for row in range(1, 91):
        totals.add(Outcome(Update(row), "applied", row=row, earlier=True))
    lines.show(totals)
    lines._last = 0.0
    for row in range(91, 96):
        totals.add(Outcome(Update(row), "applied", row=row, attempts=4))
    lines.show(totals)
    assert capsys.readouterr().err.splitlines() == [
        "90 of 100 rows (90%), 0 rows/s, 0 failed",
        "95 of 100 rows (95%), 0 rows/s, 0 failed, 10 s left",
    ]


def test_an_ignored_signal_stays_ignored() -> None:
    """As of a process that a shell has started in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Signals.handled():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
