"""``neptun-bulk``: the updates of a file, with a bar, a journal and exit codes."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

import httpx

from neptun_sdk import NeptunClient
from neptun_sdk._contract import SERVER
from neptun_sdk._http.deadline import monotonic
from neptun_sdk._http.proxies import is_loopback
from neptun_sdk.arguments import environment
from neptun_sdk.bulk.content import Content
from neptun_sdk.bulk.options import OptionError, client_of, command, in_words_of_command, parser
from neptun_sdk.bulk.progress import show_progress
from neptun_sdk.bulk.rejects import write_rejects
from neptun_sdk.bulk.rows import InputError, Rows
from neptun_sdk.bulk.run import BulkRun, bulk_update, content_before
from neptun_sdk.bulk.signals import Interrupted, Signals
from neptun_sdk.bulk.summary import Totals, as_json, print_summary, reason_of
from neptun_sdk.bulk.updates import Checker, Outcome, Update, hash_of, operation_of
from neptun_sdk.bulk.worker import Account, account_of
from neptun_sdk.client import parts_of
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.errors import ArgumentError
from neptun_sdk.models import Dialect

_MAX_PROBLEMS = 50  # bad rows that are printed
_NOT_STARTED = 2
_BROKEN_PIPE = 141  # what a shell makes of a process that was ended by SIGPIPE
_WORKERS = 8


class _NothingStarted(Exception):
    """The run cannot begin. The text says why, and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; ``arguments`` are those of the command line. Return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = parser().parse_args(given)
    options.arguments = given
    _prepare_streams()
    with ExitStack() as stack:
        signals = stack.enter_context(Signals.handled())
        try:
            code = _dry_run(options, stack) if options.dry_run else _send(options, stack, signals)
            sys.stdout.flush()
            return code
        except OSError as exc:  # of the output
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python writes the rest at its end
            if isinstance(exc, BrokenPipeError):  # whoever reads it has seen enough, such as `head`
                return _BROKEN_PIPE
            print(f"neptun-bulk: cannot write the output: {exc.strerror}", file=sys.stderr)
            return 1
        except (_NothingStarted, OptionError) as exc:
            print(f"neptun-bulk: {exc}", file=sys.stderr)
            return _NOT_STARTED
        except Interrupted:
            print("\nneptun-bulk: interrupted; nothing was sent", file=sys.stderr)
            return signals.exit_code


def _prepare_streams() -> None:
    """See to it that no text is lost to a closed stream, or to an encoding without its characters, as of a pipe."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - it lasts as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


# Before anything is sent.


def _dry_run(options: argparse.Namespace, stack: ExitStack) -> int:
    """Check every row, and print those that would be sent."""
    dialect = _dialect()
    rows, total = _checked_rows(options, stack, dialect)
    account = _account(options)
    journal = _journal_path(options)
    content: Content | None = None
    if journal is not None and journal.exists():
        try:
            content = Content(journal)
            if content.is_binding:
                content.check(account, hash_of(rows))
        except (ArgumentError, OSError) as exc:
            raise _NothingStarted(_reason(exc)) from None
    unsent, checker = 0, Checker(dialect)
    for number, (line, update) in enumerate(rows.lines(), 1):
        entry = content.entry(number) if content else None
        if isinstance(update, Update) and (entry is None or entry.again):
            unsent += 1
            fields = json.dumps(checker.fields(update), ensure_ascii=False)
            print(f"line {line}: {operation_of(update).name} {update}: {fields}")
    where = f"to {environment('NEPTUN_BASE_URL') or SERVER} ({dialect}), if there were a session"
    if account is not None:
        where = _where(account)
    done = f"; {total - unsent:,} are done, as {journal} says" if content else ""
    print(f"Would send {unsent:,} of {_counted(total, 'update')} {where}{done}. Nothing was sent.", file=sys.stderr)
    for note in _notes(options, rows):
        print(note, file=sys.stderr)
    return 0


def _dialect() -> Dialect:
    dialect = cast("Dialect", environment("NEPTUN_DIALECT") or "documented")
    if dialect not in DIALECTS:
        raise _NothingStarted(f"NEPTUN_DIALECT must be {' or '.join(DIALECTS)}")
    return dialect


def _account(options: argparse.Namespace) -> Account | None:
    """Return the account of the environment, if it has one: to look, no session is needed."""
    try:
        with client_of(options) as client:
            return account_of(client)
    except ArgumentError:
        return None


def _where(account: Account) -> str:
    return f"to {account.base_url} as user {account.user_id} ({account.dialect})"


def _checked_rows(options: argparse.Namespace, stack: ExitStack, dialect: Dialect) -> tuple[Rows, int]:
    """Open the input and check every row of it; return it, and how many rows it has."""
    name = _input_name(options)
    try:
        if options.file == "-":
            if sys.stdin is None:
                raise InputError("it is closed")
            file = cast("BinaryIO", sys.stdin.buffer)
        else:
            file = stack.enter_context(open(options.file, "rb"))  # noqa: SIM115 - the stack closes it
        rows = Rows(
            file, options.format, clear=options.clear, delimiter=options.delimiter, ignore=options.ignore_columns
        )
        checker = Checker(dialect)
        total = bad = 0
        problems: list[str] = []
        for line, update in rows.lines():
            total += 1
            if problem := _problem(update, checker):
                bad += 1
                if bad <= _MAX_PROBLEMS:
                    problems.append(f"\n  line {line}: {problem}")
    except InputError as exc:
        raise _NothingStarted(f"{name}: {exc}. Nothing was sent.") from None
    except OSError as exc:
        raise _NothingStarted(f"cannot read {name}: {exc.strerror or exc}") from None
    if bad > _MAX_PROBLEMS:
        problems.append(f"\n  … and {bad - _MAX_PROBLEMS:,} more")
    if bad:
        raise _NothingStarted(f"{name}: {bad:,} of {total:,} rows cannot be sent. Nothing was sent.{''.join(problems)}")
    if not total:
        raise _NothingStarted(f"{name}: it has no rows. Nothing was sent.")
    return rows, total


def _problem(update: Update | str, checker: Checker) -> str:
    """Return what is wrong with a row; nothing if it may be sent."""
    if isinstance(update, str):
        return update
    try:
        checker.fields(update)
    except ArgumentError as error:
        return str(error).replace("; nothing was sent", "").replace(" Nothing was sent.", "").rstrip(".")
    return ""


def _notes(options: argparse.Namespace, rows: Rows) -> list[str]:
    """Return what was recognized in the input, if no option says it."""
    if rows.form == "csv" and rows.delimiter != "," and not options.delimiter:
        what = {";": "semicolons", "\t": "tabs"}[rows.delimiter]
        return [f"{_input_name(options)} is read as CSV separated by {what}."]
    return []


def _input_name(options: argparse.Namespace) -> str:
    return "standard input" if options.file == "-" else str(options.file)


def _journal_path(options: argparse.Namespace) -> Path | None:
    if options.journal is not None:
        return Path(options.journal)
    # A pipe has no place beside it, by whatever name it is given.
    return Path(f"{options.file}.journal.jsonl") if Path(options.file).is_file() else None


def _check_options(options: argparse.Namespace, journal: Path | None) -> None:
    if options.journal in ("-", ""):
        raise _NothingStarted("--journal needs a file: standard output keeps nothing to resume from")
    if options.retry_unknown and journal is None:
        raise _NothingStarted("--retry-unknown needs a journal: pass --journal PATH")
    if options.rejects is not None:
        used = [Path(options.file), *([journal] if journal else [])]
        if Path(options.rejects).resolve() in [path.resolve() for path in used]:
            raise _NothingStarted("--rejects must be another file than the input and the journal")
        if not Path(options.rejects).absolute().parent.is_dir():
            raise _NothingStarted(f"--rejects {options.rejects}: there is no such folder")


# Sending.


def _send(options: argparse.Namespace, stack: ExitStack, signals: Signals) -> int:
    """Send the rows, and return the exit code."""
    try:
        importlib.import_module("tqdm")
    except ModuleNotFoundError:
        raise _NothingStarted("it needs tqdm, which comes with the extra: neptun-sdk[bulk]") from None
    journal = _journal_path(options)
    _check_options(options, journal)
    try:
        client = stack.enter_context(client_of(options))
    except ArgumentError as error:
        raise _NothingStarted(in_words_of_command(str(error))) from None
    account = account_of(client)
    rows, total = _checked_rows(options, stack, account.dialect)
    executor, workers = _executor(options, stack)
    if not options.quiet:
        what = f"Sending {_counted(total, 'update')} {_where(account)}, {workers} at once."
        where = f"Journal: {journal}" if journal else "No journal: it cannot be resumed."
        with suppress(OSError):  # whoever reads it has seen enough
            print("\n".join([what, *_notes(options, rows), where]), file=sys.stderr, flush=True)
    _ask(options, account)

    def begin() -> BulkRun:
        return bulk_update(
            client,
            rows,
            journal=journal,
            max_workers=workers,
            executor=executor,
            max_outage=options.max_outage,
            max_failures=options.max_failures,
        )

    started = monotonic()
    try:
        run = stack.enter_context(begin())
    except (ArgumentError, OSError) as exc:
        raise _NothingStarted(_reason(exc)) from None
    totals = Totals(total, keeps_rejects=options.rejects is not None)
    show = _row_printer(rows) if options.json_lines else None
    problem = ""
    try:
        _consume(run, totals, signals, options, show)
        if options.retry_unknown and totals.counts["unknown"] and not run.ended_by and not signals.number:
            print(f"sending {_counted(totals.counts['unknown'], 'unknown row')} once more", file=sys.stderr)
            run.close()
            run = stack.enter_context(begin())
            totals.begin_again()
            _consume(run, totals, signals, options, show)
    except (ArgumentError, InputError, OSError) as exc:
        problem = _reason(exc)
    run.close()
    if problem:
        totals.recount(_content(journal))
    seconds, problem = monotonic() - started, problem or _reason(run.ended_by)
    rejects = _write_rejects(options, totals, rows, client)
    code = 0 if totals.counts["applied"] == total and not problem else 1
    code = signals.exit_code if signals.number else code
    if options.json:
        found = as_json(totals, rows, seconds=seconds, problem=problem)
        known = {"server": account.base_url, "user_id": account.user_id, "dialect": account.dialect}
        files = {"journal": str(journal) if journal else None, "rejects": options.rejects if rejects else None}
        print(json.dumps({**known, **files, **found, "exit_code": code}, ensure_ascii=False))
    elif code or not options.quiet:
        notes = [*rejects, *_what_next(options, totals, journal)]
        print_summary(totals, rows, seconds=seconds, problem=problem, journal=journal, notes=notes)
    return code


def _ask(options: argparse.Namespace, account: Account) -> None:
    """Ask once, on a terminal, before the updates of another machine are sent."""
    is_local = is_loopback(httpx.URL(account.base_url).host)
    if options.yes or is_local or not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return
    print("Continue? [y/N] ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise _NothingStarted("nothing was sent")


def _row_printer(rows: Rows) -> Callable[[Outcome], None]:
    """Return what prints a JSON object for each row that has come to its end."""
    lines = rows.remember_lines()

    def show(outcome: Outcome) -> None:
        update = outcome.update
        known = {"line": lines.pop(outcome.row, None), "row": outcome.row, "project_id": update.project_id}
        facts = {name: getattr(outcome, name) for name in ("status", "again", "earlier", "resent", "attempts")}
        error = None if outcome.error is None else reason_of(outcome)
        print(json.dumps({**known, "import_id": update.import_id, **facts, "error": error}, ensure_ascii=False))

    return show


def _write_rejects(options: argparse.Namespace, totals: Totals, rows: Rows, client: NeptunClient) -> list[str]:
    """Write the rows that failed for good, if that was asked for; return what to say of it."""
    if not totals.rejects:
        return []
    try:
        kept = write_rejects(Path(options.rejects), rows, totals.rejects, parts_of(client)[1].mask)
    except (OSError, InputError) as exc:
        return [f"--rejects {options.rejects} could not be written: {exc}"]
    number, older = _counted(len(totals.rejects), "failed row"), f" (the older file is now {kept})" if kept else ""
    return [f"{number} in {options.rejects}{older}: correct them there, and run that file."]


def _content(journal: Path | None) -> Content | None:
    """Return what a journal holds, if there is one that can be read."""
    with suppress(ArgumentError, OSError):
        return Content(journal) if journal else None
    return None


def _executor(options: argparse.Namespace, stack: ExitStack) -> tuple[Executor | None, int]:
    """Return the executor of a cluster, if one was asked for, and how many requests to send at once."""
    if options.scheduler is None:
        return None, options.workers or _WORKERS
    try:
        distributed: Any = importlib.import_module("distributed")
    except ModuleNotFoundError:
        raise _NothingStarted(
            "--scheduler needs distributed, which comes with the extras: neptun-sdk[bulk,dask]"
        ) from None
    try:
        cluster = stack.enter_context(distributed.Client(options.scheduler, set_as_default=False, timeout=10))
    except (OSError, ValueError) as exc:
        raise _NothingStarted(f"cannot reach the scheduler {options.scheduler}: {exc}. Nothing was sent.") from None
    threads = sum(cluster.nthreads().values())
    if not threads:
        raise _NothingStarted(f"the cluster of {options.scheduler} has no workers: start some. Nothing was sent.")
    return cluster.get_executor(pure=False), options.workers or threads


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _reason(exc: BaseException | None) -> str:
    """Return the text of an error. An error of the system also names the file, and says what to do."""
    if isinstance(exc, OSError) and exc.filename is not None:
        elsewhere = "Or keep the journal elsewhere: copy it, if there is one, and pass --journal ELSEWHERE."
        return f"cannot use {exc.filename}: {exc.strerror}. Fix that, and run again. {elsewhere}"
    return "" if exc is None else in_words_of_command(str(exc))


def _consume(
    run: BulkRun,
    totals: Totals,
    signals: Signals,
    options: argparse.Namespace,
    show: Callable[[Outcome], None] | None,
) -> None:
    """Take every outcome of a run, and show how far it is."""
    with show_progress(totals, quiet=options.quiet) as progress:
        signals.run = run
        if signals.number:  # it came before the run was known
            run.stop(read_rest=False)
        for outcome in run:
            totals.add(outcome)
            if outcome.status != "unsent":
                progress.show(totals)
            if show is not None:
                show(outcome)
    if signals.number:
        totals.add_unread(content_before(run))


def _what_next(options: argparse.Namespace, totals: Totals, journal: Path | None) -> list[str]:
    if not totals.again:
        if not totals.failed or options.rejects is not None:
            return []
        return ["Failed rows are not sent again. Correct them, and run them from a separate file (see --rejects)."]
    if journal is None:
        return ["There was no journal, so that this run cannot be resumed: pass --journal PATH next time."]
    same = "\n(with the same input)" if options.file == "-" else ""
    return [f"To send what is left, run it again:\n  {command(options.arguments)}{same}"]
