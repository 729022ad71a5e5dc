"""``neptun-bulk``: the updates of a file, with a bar, a journal and exit codes."""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import shlex
import signal
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, BinaryIO, cast

from neptun_sdk import NeptunClient
from neptun_sdk._http.deadline import monotonic
from neptun_sdk.arguments import environment
from neptun_sdk.bulk.content import Content
from neptun_sdk.bulk.progress import show_progress
from neptun_sdk.bulk.rows import CLEAR, FORMATS, InputError, Rows
from neptun_sdk.bulk.run import BulkRun, bulk_update
from neptun_sdk.bulk.summary import Totals, print_summary
from neptun_sdk.bulk.updates import Update, check, hash_of, operation_of
from neptun_sdk.bulk.worker import Account, account_of
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.errors import ArgumentError
from neptun_sdk.models import Dialect

_MAX_PROBLEMS = 50  # bad rows that are printed
_NOT_STARTED = 2
_BROKEN_PIPE = 141  # what a shell makes of a process that was ended by SIGPIPE
_WORKERS = 8
_DESCRIPTION = """\
Update many Neptun projects and project imports, and lose nothing. What was
applied is in a journal, and the same command goes on where it ended, however
it ended."""

_EPILOG = f"""\
input:
  CSV: a header, then a row for each update. The columns are project_id;
  import_id, to update an import of that project; and fields, such as name or
  source_path. An empty cell leaves a field as it is; {CLEAR} clears a text.
    project_id,import_id,name,source_path
    789,,Shop,
    789,123,,acme/shop
  JSON Lines: an object on each line, with the same keys. "" clears a text;
  null, or no key, leaves it as it is.
    {{"project_id": 789, "import_id": 123, "source_path": "acme/shop"}}

environment:
  NEPTUN_SESSION_COOKIE, NEPTUN_USER_ID, NEPTUN_BASE_URL, NEPTUN_DIALECT
  The workers of a cluster need them too: no session is ever sent to them.

exit codes:
  0         all rows are applied
  1         some are not
  2         nothing was started: bad rows, no session, a journal in use
  130, 143  ended by Ctrl-C, or by SIGTERM

examples:
  neptun-bulk renames.csv --dry-run   check every row; print what would be sent
  neptun-bulk renames.csv             send, with renames.csv.journal.jsonl
  neptun-bulk renames.csv             again: go on after Ctrl-C, a crash, a 401
  export | neptun-bulk - --journal renames.jsonl --workers 16"""


class _NothingStarted(Exception):
    """The run cannot begin. The text says why, and what to do."""


class _Interrupted(BaseException):
    """A signal came before anything was sent."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; ``arguments`` are those of the command line. Return its exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    options.arguments = given
    _prepare_streams()
    with ExitStack() as stack:
        signals = stack.enter_context(_Signals.handled())
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
        except _NothingStarted as exc:
            print(f"neptun-bulk: {exc}", file=sys.stderr)
            return _NOT_STARTED
        except _Interrupted:
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neptun-bulk",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("file", metavar="FILE", help="the updates, as CSV or JSON Lines; - reads standard input")
    parser.add_argument("--format", choices=FORMATS, help="what FILE holds (default: jsonl if it begins with a brace)")
    parser.add_argument(
        "--clear", metavar="WORD", type=_word, default=CLEAR, help=f"the CSV cell that clears a text (default: {CLEAR})"
    )
    parser.add_argument("--dry-run", action="store_true", help="check every row, print what would be sent, and end")
    parser.add_argument(
        "--journal", metavar="PATH", help="what was sent, to resume from (default: FILE.journal.jsonl beside FILE)"
    )
    parser.add_argument(
        "--retry-unknown",
        action="store_true",
        help="at the end, send once more what may or may not have been applied; a later run with the same journal "
        "does so in any case",
    )
    parser.add_argument(
        "--workers", metavar="N", type=_positive, help="requests at once (default: 8, or the threads of the cluster)"
    )
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="send from the workers of this Dask cluster, such as tcp://host:8786"
    )
    parser.add_argument(
        "--max-retries", metavar="N", type=_retries, help="how often a request that failed is sent again (default: 2)"
    )
    return parser


def _retries(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= 100):
        raise argparse.ArgumentTypeError(f"must be between 0 and 100, not {text!r}")
    return int(text)


def _word(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an empty cell leaves a field as it is; choose a word")
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 10000")
    return int(text)


# Before anything is sent.


def _dry_run(options: argparse.Namespace, stack: ExitStack) -> int:
    """Check every row, and print those that would be sent."""
    dialect = cast("Dialect", environment("NEPTUN_DIALECT") or "documented")
    if dialect not in DIALECTS:
        raise _NothingStarted(f"NEPTUN_DIALECT must be {' or '.join(DIALECTS)}")
    rows, total = _checked_rows(options, stack, dialect)
    journal = _journal_path(options)
    content: Content | None = None
    if journal is not None and journal.exists():
        try:
            content = Content(journal)
            content.check(_account(), hash_of(rows))
        except (ArgumentError, OSError) as exc:
            raise _NothingStarted(_reason(exc)) from None
    unsent = 0
    for number, (line, update) in enumerate(rows.lines(), 1):
        entry = content.entry(number) if content else None
        if isinstance(update, Update) and (entry is None or entry.again):
            unsent += 1
            fields = json.dumps(check(update, dialect), ensure_ascii=False)
            print(f"line {line}: {operation_of(update).name} {update}: {fields}")
    done = f"; {total - unsent:,} are done, as {journal} says" if content else ""
    print(f"{unsent:,} of {total:,} rows would be sent{done}. Nothing was sent.", file=sys.stderr)
    return 0


def _account() -> Account | None:
    """Return the account of the environment, if it has one: to look, no session is needed."""
    try:
        with NeptunClient() as client:
            return account_of(client)
    except ArgumentError:
        return None


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
        rows = Rows(file, options.format, clear=options.clear)
        total = bad = 0
        problems: list[str] = []
        for line, update in rows.lines():
            total += 1
            if problem := _problem(update, dialect):
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


def _problem(update: Update | str, dialect: Dialect) -> str:
    """Return what is wrong with a row; nothing if it may be sent."""
    if isinstance(update, str):
        return update
    try:
        check(update, dialect)
    except ArgumentError as error:
        return str(error).replace("; nothing was sent", "").replace(" Nothing was sent.", "").rstrip(".")
    return ""


def _input_name(options: argparse.Namespace) -> str:
    return "standard input" if options.file == "-" else str(options.file)


def _journal_path(options: argparse.Namespace) -> Path | None:
    if options.journal is not None:
        return Path(options.journal)
    # A pipe has no place beside it, by whatever name it is given.
    return Path(f"{options.file}.journal.jsonl") if Path(options.file).is_file() else None


# Sending.


def _send(options: argparse.Namespace, stack: ExitStack, signals: _Signals) -> int:
    """Send the rows, and return the exit code."""
    try:
        importlib.import_module("tqdm")
    except ModuleNotFoundError:
        raise _NothingStarted("it needs tqdm, which comes with the extra: neptun-sdk[bulk]") from None
    journal = _journal_path(options)
    if options.retry_unknown and journal is None:
        raise _NothingStarted("--retry-unknown needs a journal: pass --journal PATH")
    try:
        client = stack.enter_context(NeptunClient()).with_options(max_retries=options.max_retries)
    except ArgumentError as error:
        raise _NothingStarted(f"{error} neptun-bulk takes its settings from the environment.") from None
    dialect = cast("Dialect", environment("NEPTUN_DIALECT") or "documented")
    rows, total = _checked_rows(options, stack, dialect)
    executor, workers = _executor(options, stack)
    where = f"; journal: {journal}" if journal else "; no journal: it cannot be resumed"
    print(f"{_counted(total, 'row')} of {_input_name(options)}, {workers} at once{where}", file=sys.stderr)

    def begin() -> BulkRun:
        return bulk_update(client, rows, journal=journal, max_workers=workers, executor=executor)

    started = monotonic()
    try:
        run = stack.enter_context(begin())
    except (ArgumentError, OSError) as exc:
        raise _NothingStarted(_reason(exc)) from None
    totals = Totals(total)
    problem = ""
    try:
        _consume(run, totals, signals)
        if options.retry_unknown and totals.counts["unknown"] and not run.ended_by and not signals.number:
            print(f"sending {_counted(totals.counts['unknown'], 'unknown row')} once more", file=sys.stderr)
            run.close()
            run = stack.enter_context(begin())
            totals.begin_again()
            _consume(run, totals, signals)
    except (ArgumentError, InputError, OSError) as exc:
        problem = _reason(exc)
    run.close()
    if problem:
        totals.recount(_content(journal))
    seconds, problem = monotonic() - started, problem or _reason(run.ended_by)
    print_summary(totals, rows, seconds=seconds, problem=problem, journal=journal, resume=_how_to_resume(options))
    if signals.number:
        return signals.exit_code
    return 0 if totals.counts["applied"] == total and not problem else 1


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
    """Return the text of an error; of the system's, what could not be done to which file."""
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"cannot use {exc.filename}: {exc.strerror}"
    return "" if exc is None else str(exc)


class _Signals:
    """Ctrl-C and SIGTERM: the first ends the run in good order, the second ends the process at once."""

    def __init__(self) -> None:
        self.number = 0
        self.run: BulkRun | None = None

    @classmethod
    @contextmanager
    def handled(cls) -> Generator[_Signals]:
        """Handle both until the end of the ``with``, except one that the parent process has set to be ignored."""
        signals = cls()
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        handled = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
        for number in handled:
            signal.signal(number, signals._handle)
        try:
            yield signals
        finally:
            for number in handled:
                signal.signal(number, before[number])

    @property
    def exit_code(self) -> int:
        """What a shell makes of a process that was ended by the signal."""
        return 128 + self.number

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        again, self.number = self.number, number
        # Not through sys.stderr: this may run in the middle of its own writing.
        if again:
            with suppress(OSError):
                os.write(2, b"\nneptun-bulk: ended at once; what was under way may have been applied\n")
            os._exit(self.exit_code)
        if self.run is None:
            raise _Interrupted
        self.run.stop()
        with suppress(OSError):  # the terminal may be closed
            os.write(2, b"\nneptun-bulk: finishing what is under way (a second time ends at once)\n")


def _consume(run: BulkRun, totals: Totals, signals: _Signals) -> None:
    """Take every outcome of a run, and show how far it is."""
    with show_progress(totals) as progress:
        signals.run = run
        if signals.number:  # it came before the run was known
            run.stop()
        for outcome in run:
            totals.add(outcome)
            if outcome.status != "unsent":
                progress.show(totals)


def _how_to_resume(options: argparse.Namespace) -> str:
    if _journal_path(options) is None:
        return "There was no journal, so that this run cannot be resumed: pass --journal PATH next time."
    command = shlex.join(["neptun-bulk", *options.arguments])
    same = "\n(with the same input)" if options.file == "-" else ""
    return f"To send what is left, run it again:\n  {command}{same}"
