"""What an operator meets: options, files as spreadsheets write them, rejects, JSON, and the command's own words."""

from __future__ import annotations

import csv
import io
import json
import signal
import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from neptun_sdk import NeptunClient, __version__
from neptun_sdk.bulk import Outcome, Update, cli, options, progress
from neptun_sdk.bulk.rows import InputError, Rows
from neptun_sdk.bulk.summary import Totals
from neptun_sdk.sandbox import Sandbox
from tests.bulk.runs import renames
from tests.bulk.test_cli import settings, write
from tests.conftest import CANARY

Printed = pytest.CaptureFixture[str]
__all__ = ["settings"]  # every test here runs with the settings of the command


def run(capsys: Printed, *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# Files

SPREADSHEETS = {
    "a header of any case and spaces": ("Project ID, Name\n1,a\n", "a"),
    "empty rows": ("project_id,name\n,\n \n1,a\n,\n", "a"),
    "trailing empty columns": ("project_id,name,,\n1,a,,\n", "a"),
    "semicolons": ("project_id;name\n1;a,b\n", "a,b"),
    "tabs": ("project_id\tname\n1\ta\n", "a"),
    "a column of reasons": ("project_id,reason,name\n1,404,a\n", "a"),
}


@pytest.mark.parametrize(("text", "name"), SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_a_file_is_read_as_spreadsheets_write_it(text: str, name: str) -> None:
    assert list(Rows(io.BytesIO(text.encode()))) == [Update(1, fields={"name": name})]


def test_columns_can_be_ignored_and_a_delimiter_chosen() -> None:
    text = b"Owner|project_id|name|owner\n x|1|a|y\n"
    assert list(Rows(io.BytesIO(text), delimiter="|", ignore=["OWNER"])) == [Update(1, fields={"name": "a"})]
    text = b'{"project_id": 1, "name": "a", "owner": "x", "reason": "404"}\n'
    assert list(Rows(io.BytesIO(text), ignore=["owner"])) == [Update(1, fields={"name": "a"})]


BINARY = {"xlsx": (b"PK\x03\x04...", "an Excel workbook"), "UTF-16": ("project_id".encode("utf-16"), "UTF-16")}


@pytest.mark.parametrize(("content", "kind"), BINARY.values(), ids=BINARY)
def test_a_file_of_another_kind_is_recognized(content: bytes, kind: str) -> None:
    with pytest.raises(InputError, match=f"it is {kind}.*: save it as CSV UTF-8, and pass that"):
        Rows(io.BytesIO(content))


def test_what_was_recognized_is_said(capsys: Printed) -> None:
    Path("rows.csv").write_text("project_id;name\n789;a\n", encoding="utf-8")
    for arguments in (["--dry-run"], []):
        code, _, err = run(capsys, "rows.csv", *arguments)
        assert code == 0
        assert "rows.csv is read as CSV separated by semicolons.\n" in err
    assert "semicolons" not in run(capsys, "rows.csv", "--delimiter", ";", "--ignore-columns", "owner")[2]


# Before anything is sent


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 1), ("n\n", 2), ("", 2)])
def test_a_run_against_another_machine_asks_once(
    capsys: Printed, monkeypatch: pytest.MonkeyPatch, answer: str, code: int
) -> None:
    Path("rows.csv").write_text("project_id,name\n789,a\n", encoding="utf-8")
    monkeypatch.setattr("neptun_sdk.bulk.pace._MAX_TRIES", 1)
    monkeypatch.setenv("NEPTUN_BASE_URL", "https://neptun.invalid")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    found, _, err = run(capsys, "rows.csv", "--max-retries=0")
    assert (found, "Continue? [y/N] " in err) == (code, True)
    assert ("neptun-bulk: nothing was sent\n" in err) == (code == 2)
    if answer == "":
        assert "Continue?" not in run(capsys, "rows.csv", "--max-retries=0", "--yes")[2]


REFUSED = {
    "a journal that is standard output": (["--journal", "-"], "--journal needs a file: standard output keeps nothing"),
    "a device": (
        ["--journal", "/dev/null"],
        "cannot be the journal: it is a device, a pipe or a socket. Use --journal NEW",
    ),
    "rejects that are the input": (["--rejects", "rows.csv"], "--rejects must be another file than the input"),
    "rejects in no folder": (["--rejects", "no/x.csv"], "--rejects no/x.csv: there is no such folder"),
    "a header without a name": (["--header", CANARY], "--header number 1 must be 'NAME: VALUE'"),
    "a header of the SDK": (["--header", "Cookie: x"], "--header may not set Cookie"),
    "a CA file that is not there": (["--ca-file", "none.pem"], "--ca-file cannot be used: No such file or directory"),
    "a certificate that is none": (["--client-cert", "rows.csv"], "--client-cert cannot be used: "),
    "a proxy that is none": (["--proxy", "://"], "proxy is not the URL of a proxy"),
    "a header for a cluster": (["--scheduler=x", "--header=A: b"], "--header does not reach the workers of a cluster"),
}


@pytest.mark.parametrize(("arguments", "problem"), REFUSED.values(), ids=REFUSED)
def test_an_option_that_cannot_be_used_says_why(
    neptun: Sandbox, capsys: Printed, arguments: list[str], problem: str
) -> None:
    Path("rows.csv").write_text("project_id,name\n789,a\n", encoding="utf-8")
    code, out, err = run(capsys, "rows.csv", *arguments)
    assert (code, out) == (2, "")
    assert problem in err
    assert CANARY not in err
    assert neptun.requests == []


VALUES = {
    "--workers": ("0", "must be between 1 and 10000, not '0'"),
    "--timeout": ("soon", "must be a number of seconds, such as 30, not 'soon'"),
    "--max-response-size": ("0", "must be a number of bytes, such as 64M, not '0'"),
    "--delimiter": (",;", "must be one character, such as ; or tab, not ',;'"),
    "--max-retries": ("-1", "must be between 0 and 100, not '-1'"),
}


@pytest.mark.parametrize(("option", "value", "text"), [(name, *each) for name, each in VALUES.items()], ids=VALUES)
def test_a_value_that_cannot_be_is_refused(capsys: Printed, option: str, value: str, text: str) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["rows.csv", f"{option}={value}"])
    assert caught.value.code == 2
    assert text in capsys.readouterr().err


def client(*arguments: str) -> NeptunClient:
    return options.client_of(options.parser().parse_args(["rows.csv", *arguments]))


def test_the_options_make_the_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEPTUN_HEADERS", "X-Tenant: acme")
    arguments = ("--timeout=2.5", "--max-retries=7", "--max-response-size=2K", "--header", f"X-Key: {CANARY}")
    with client(*arguments) as made:
        found = made._settings
    assert (found.timeout, found.max_retries, found.max_response_size) == (2.5, 7, 2048)
    assert dict(found.headers) == {"x-tenant": "acme", "x-key": CANARY}
    monkeypatch.setenv("NEPTUN_MAX_RESPONSE_SIZE", "3M")
    with client() as made:
        assert made._settings.max_response_size == 3 * 1024 * 1024
    monkeypatch.setenv("NEPTUN_MAX_RESPONSE_SIZE", "much")
    with pytest.raises(options.OptionError, match="NEPTUN_MAX_RESPONSE_SIZE must be a number of bytes"):
        client()
    monkeypatch.delenv("NEPTUN_MAX_RESPONSE_SIZE")
    monkeypatch.setenv("NEPTUN_BASE_URL", "http://other.test")
    with client("--allow-http") as made:
        assert made._settings.base_url == "http://other.test"
    authority, made_by = trustme.CA(), tmp_path / "client.pem"
    authority.issue_cert("client.test").private_key_and_cert_chain_pem.write_to_path(str(made_by))
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    given = options.parser().parse_args(["x", f"--ca-file={tmp_path / 'ca.pem'}", f"--client-cert={made_by}"])
    context = options._ssl_context(given)
    assert isinstance(context, ssl.SSLContext)
    assert len(context.get_ca_certs()) == 1
    assert options._ssl_context(options.parser().parse_args(["x", f"--ca-file={tmp_path / 'ca.pem'}"])) is not None


def test_messages_speak_the_words_of_the_command(
    neptun: Sandbox, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(renames(neptun, 1))
    monkeypatch.setenv("NEPTUN_BASE_URL", "http://other.test")
    err = run(capsys, file)[2]
    assert "NEPTUN_BASE_URL is plain http" in err
    assert "or pass --allow-http if the network is trusted" in err
    monkeypatch.setenv("NEPTUN_BASE_URL", neptun.base_url)
    neptun.fail_next(status=401)
    out = run(capsys, file)[1]
    assert "set NEPTUN_SESSION_COOKIE to the new neptun-session cookie" in out
    out = run(capsys, file, "--max-response-size=100")[1]
    assert "larger than --max-response-size (100 bytes)" in out
    assert run(capsys, file)[0] == 0


def test_the_command_to_run_again_shows_no_secret(neptun: Sandbox, capsys: Printed) -> None:
    file = write(renames(neptun, 1))
    neptun.fail_next(status=500)
    arguments = [file, "--max-retries=0", "--header", f"X-Key: {CANARY}", f"--header=Y-Key:{CANARY}"]
    out = run(capsys, *arguments)[1]
    assert "neptun-bulk rows.csv --max-retries=0 --header 'X-Key: …' '--header=Y-Key: …'\n" in out
    assert CANARY not in out
    shown = options.command(["x", "--proxy", "http://me:secret@host:1", "--proxy=me:secret@host"])
    assert shown == "neptun-bulk x --proxy 'http://…@host:1' '--proxy=…@host'"


# What comes out


def bad_rows(neptun: Sandbox) -> list[Update]:
    return [
        *renames(neptun, 2),
        *(Update(10**9 + number, fields={"name": f"a {number}", "description": "b"}) for number in range(3)),
    ]


def test_reasons_are_grouped_and_rows_that_fail_are_written(neptun: Sandbox, capsys: Printed) -> None:
    updates = bad_rows(neptun)
    code, out, _ = run(capsys, write(updates), "--rejects", "rejects.csv")
    assert code == 1
    assert "  3 \N{MULTIPLICATION SIGN} refused: 404 " in out
    assert ": lines 4-6\n" in out
    assert out.endswith("\n3 failed rows in rejects.csv: correct them there, and run that file.\n")
    rejected = Path("rejects.csv")
    assert rejected.stat().st_mode & 0o777 == 0o600
    header, *rows = list(csv.reader(rejected.read_text(encoding="utf-8").splitlines()))
    assert header == ["project_id", "name", "description", "reason"]
    assert [row[:3] for row in rows] == [[str(10**9 + number), f"a {number}", "b"] for number in range(3)]
    assert rows[0][3].startswith("404 ")

    corrected = rejected.read_text(encoding="utf-8").replace(str(10**9), str(neptun.project_id))
    rejected.write_text(corrected, encoding="utf-8")
    code, out, _ = run(capsys, "rejects.csv", "--rejects", "again.csv")
    assert "applied      1\nrefused      2" in out
    assert Path("again.csv").read_text(encoding="utf-8").count("\n") == 3
    out = run(capsys, "rejects.csv", "--rejects", "again.csv")[1]
    assert "2 failed rows in again.csv (the older file is now again.csv.1): correct them" in out


def test_rejects_of_json_lines_and_without_a_secret(neptun: Sandbox, capsys: Printed) -> None:
    found = [
        {"project_id": 789, "name": "applied"},
        {"project_id": neptun.project_id, "name": f"a {neptun.session_cookie}"},
        {"project_id": 10**9, "name": "é"},
    ]
    Path("rows.jsonl").write_text("".join(json.dumps(each) + "\n\n" for each in found), encoding="utf-8")
    code, out, err = run(capsys, "rows.jsonl", "--rejects", "rejects.jsonl")
    text = Path("rejects.jsonl").read_text(encoding="utf-8")
    assert (code, neptun.session_cookie in text + out + err) == (1, False)
    first, second = map(json.loads, text.splitlines())
    assert "holds the session cookie" in first["reason"]
    assert (second["project_id"], second["name"], second["reason"][:3]) == (10**9, "é", "404")


def test_rejects_that_cannot_be_written_are_said(
    neptun: Sandbox, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> str:
        raise PermissionError(13, "Permission denied", "rejects.csv")

    monkeypatch.setattr(cli, "write_rejects", fail)
    out = run(capsys, write(bad_rows(neptun)), "--rejects", "rejects.csv")[1]
    assert "--rejects rejects.csv could not be written: " in out
    assert "Permission denied" in out


def test_json_is_one_object_in_place_of_the_table(neptun: Sandbox, capsys: Printed) -> None:
    code, out, _ = run(capsys, write(bad_rows(neptun)), "--json", "--quiet")
    found = json.loads(out)
    assert (code, found["exit_code"]) == (1, 1)
    assert (found["total"], found["applied"], found["refused"], found["unsent"]) == (5, 2, 3, 0)
    assert (found["server"], found["user_id"], found["dialect"]) == (neptun.base_url, 1, "documented")
    assert found["journal"] == "rows.csv.journal.jsonl"
    assert found["ended_early"] is None
    (reason,) = found["reasons"]
    assert (reason["status"], reason["count"], reason["again"], reason["lines"]) == ("refused", 3, False, [4, 5, 6])


def test_json_lines_print_each_row(neptun: Sandbox, capsys: Printed) -> None:
    code, out, _ = run(capsys, write(bad_rows(neptun)), "--json-lines", "--json")
    *rows, summary = map(json.loads, out.splitlines())
    assert (code, summary["total"]) == (1, 5)
    rows.sort(key=lambda row: row["row"])
    assert [(row["line"], row["status"]) for row in rows] == [
        (2, "applied"),
        (3, "applied"),
        *[(line, "refused") for line in (4, 5, 6)],
    ]
    assert rows[0]["error"] is None
    assert rows[2]["error"].startswith("404 ")


def test_quiet_is_quiet_if_all_is_well(neptun: Sandbox, capsys: Printed) -> None:
    file = write(renames(neptun, 3))
    neptun.fail_next(status=429, retry_after=0)
    assert run(capsys, file, "--quiet") == (0, "", "")
    updates = bad_rows(neptun)
    code, out, err = run(capsys, write(updates, "bad.csv"), "--quiet")
    assert (code, err) == (1, "")
    assert "refused      3  not applied" in out


def test_the_version_is_printed(capsys: Printed) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--version"])
    assert (caught.value.code, capsys.readouterr().out) == (0, f"neptun-bulk {__version__}\n")


def test_a_row_that_waits_for_an_unconfirmed_one_is_said(neptun: Sandbox, capsys: Printed) -> None:
    Path("rows.csv").write_text("project_id,name\n789,a\n789,b\n", encoding="utf-8")
    neptun.fail_next(status=500)
    out = run(capsys, "rows.csv", "--max-retries=0")[1]
    assert "unsent       1  1 of them wait for an unconfirmed row of the same project or import\n" in out


def test_many_failures_end_the_run(capsys: Printed) -> None:
    updates = [Update(10**9, fields={"name": f"{number}", "description": ""}) for number in range(60)]
    out = run(capsys, write(updates), "--max-failures", "2")[1]
    assert "refused      2  not applied" in out
    assert "The run ended early: 2 rows have failed, which is the most that may." in out


def test_many_reasons_are_counted_together(capsys: Printed) -> None:
    from neptun_sdk import NotFoundError
    from neptun_sdk.bulk.summary import print_summary

    totals, rows = Totals(900), Rows(io.BytesIO(b"project_id,name\n" + b"1,a\n" * 900))
    for row in range(1, 901):
        error = NotFoundError(f"update_project(project 1): number {row if row % 2 else 2}: 'value {row}'")
        totals.add(Outcome(Update(1), "refused", error, row=row, attempts=1))
    print_summary(totals, rows, seconds=1, problem="", journal=Path("j"), notes=[])
    out = capsys.readouterr().out
    assert "  line 2, refused: number 1: 'value 1'\n" in out
    assert (
        "  450 \N{MULTIPLICATION SIGN} refused: number 2: …: lines 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 … and 440 more\n"
        in out
    ), "quoted values are not told apart"
    assert "  … and 181 more reasons: see j\n" in out


# The bar


def bar_of(capsys: Printed, monkeypatch: pytest.MonkeyPatch, do: Callable[[Any, Totals], None]) -> Any:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    totals = Totals(100)
    bar: Any
    with progress.show_progress(totals) as bar:
        do(bar, totals)
        found = bar._bar.format_dict
    capsys.readouterr()
    return found


def test_the_bar_counts_what_this_run_does(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    def resume(shown: Any, totals: Totals) -> None:
        for row in range(1, 91):
            totals.add(Outcome(Update(row), "applied", row=row, earlier=row <= 80, attempts=row > 80))
            shown.show(totals)

    found = bar_of(capsys, monkeypatch, resume)
    assert (found["n"], found["initial"]) == (90, 80), "its rate and the time left are those of ten rows"


def test_the_bar_says_that_a_run_is_paused(capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    import logging

    log = logging.getLogger("neptun_sdk.bulk")
    found = bar_of(capsys, monkeypatch, lambda *_: log.info("most requests fail", extra={"paused": True}))
    assert found["postfix"] == "paused"

    def mend(shown: Any, totals: Totals) -> None:
        log.info("most requests fail", extra={"paused": True})
        totals.counts["refused"] = 1
        shown.show(totals)
        log.info("the server responds again", extra={"paused": False})

    assert bar_of(capsys, monkeypatch, mend)["postfix"] == "1 failed"


def test_an_interrupt_at_the_question_sends_nothing(
    neptun: Sandbox, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(renames(neptun, 1))

    class Interrupted(Terminal):
        def readline(self, *_: Any) -> Any:
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("the signal ends the command")

    monkeypatch.setattr(sys, "stdin", Interrupted())
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(cli, "is_loopback", lambda _: False)
    code, _, err = run(capsys, file)
    assert code == 130
    assert "interrupted; nothing was sent" in err


def test_standard_input_is_not_asked(neptun: Sandbox, capsys: Printed, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the input."""
    content = f"project_id,name\n{neptun.project_id},a\n".encode()
    stdin = SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: False)
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr(cli, "is_loopback", lambda _: False)
    assert run(capsys, "-")[0] == 0
