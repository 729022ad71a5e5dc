"""The options of ``neptun-bulk``, the client that they describe, and the words of the command."""

from __future__ import annotations

import argparse
import re
import shlex
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from neptun_sdk import NeptunClient, __version__
from neptun_sdk.arguments import environment
from neptun_sdk.bulk.rows import CLEAR, FORMATS
from neptun_sdk.errors import ArgumentError

_DESCRIPTION = """\
Update many Neptun projects and project imports from a file. Progress is
recorded in a journal: run the same command again to resume."""

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
  NEPTUN_SESSION_COOKIE, NEPTUN_USER_ID, NEPTUN_BASE_URL, NEPTUN_DIALECT,
  NEPTUN_HEADERS, NEPTUN_MAX_RESPONSE_SIZE, HTTPS_PROXY, SSL_CERT_FILE
  The workers of a cluster need them too: no session is ever sent to them.

exit codes:
  0         all rows are applied
  1         some are not
  2         nothing was started: bad rows, no session, a journal in use
  130, 143  ended by Ctrl-C, or by SIGTERM

examples:
  neptun-bulk renames.csv --dry-run
      check every row, and print what would be sent
  neptun-bulk renames.csv --rejects rejects.csv
      send, and resume when run again; rejects.csv gets the rows that failed,
      ready to be corrected and run"""

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
_LOCAL = ("header", "proxy", "ca_file", "client_cert")  # of this machine: no worker of a cluster gets them
# What the SDK's messages call a setting, and what the command does.
_WORDS = {
    r"user_id is missing: pass user_id= or set NEPTUN_USER_ID": "NEPTUN_USER_ID is missing: set it",
    r"session_cookie is missing": "NEPTUN_SESSION_COOKIE is missing",
    r"pass it as session_cookie= or set NEPTUN_SESSION_COOKIE": "set NEPTUN_SESSION_COOKIE to it",
    r"pass the new neptun-session cookie": "set NEPTUN_SESSION_COOKIE to the new neptun-session cookie",
    r"set allow_http=True": "pass --allow-http",
    r"set dialect='\w+' \((NEPTUN_DIALECT=\w+)\)": r"set \1",
    r"Check user_id": "Check NEPTUN_USER_ID",
    r"Pass the user_id of": "Set NEPTUN_USER_ID to the id of",
    r"\bbase_url\b": "NEPTUN_BASE_URL",
    r"\bmax_response_size\b": "--max-response-size",
    r"\bssl_context\b": "--ca-file",
    r"another journal\b": "--journal NEW",
    r"\bCall again\b": "Run again",
    r"\bcall again\b": "run again",
}


class OptionError(Exception):
    """An option cannot be used. The text says which, and why."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="neptun-bulk",
        usage="neptun-bulk FILE [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=79),
    )
    made.add_argument("--version", action="version", version=f"neptun-bulk {__version__}")
    made.add_argument("file", metavar="FILE", help="the updates, as CSV or JSON Lines; - reads standard input")
    _add_input(made.add_argument_group("the file").add_argument)
    _add_run(made.add_argument_group("the run").add_argument)
    _add_output(made.add_argument_group("the output").add_argument)
    _add_server(made.add_argument_group("the server").add_argument)
    return made


def _add_input(add: Callable[..., object]) -> None:
    add("--format", choices=FORMATS, help="what FILE holds (default: jsonl if it begins with a brace)")
    add("--delimiter", metavar="C", type=_delimiter, help="what separates CSV cells: , ; or tab "
                       "(default: what the header uses)")  # fmt: skip
    add("--clear", metavar="WORD", type=_word, default=CLEAR,
                       help=f"the CSV cell that clears a text (default: {CLEAR})")  # fmt: skip
    add("--ignore-columns", metavar="A,B", type=_names, default=[], help="columns to leave out")


def _add_run(add: Callable[..., object]) -> None:
    add("--dry-run", action="store_true", help="check every row, print what would be sent, and end")
    add("--yes", action="store_true", help="do not ask before sending to another machine")
    add("--journal", metavar="PATH", help="what was sent, to resume from (default: "
                       "FILE.journal.jsonl, beside FILE)")  # fmt: skip
    add("--workers", metavar="N", type=_between(1, 10_000),
                       help="requests at once (default: 8, or the threads of the cluster)")  # fmt: skip
    add("--scheduler", metavar="ADDRESS",
                       help="send from the workers of this Dask cluster, such as tcp://host:8786")  # fmt: skip
    add("--retry-unknown", action="store_true", help="at the end, send unconfirmed rows once more; a "
                       "later run with the same journal always does")  # fmt: skip
    add("--max-failures", metavar="N", type=_between(1, 10**9), help="end the run when N rows have "
                       "failed (default: when the first 50 all fail)")  # fmt: skip
    add("--max-outage", metavar="SECONDS", type=_seconds, default=600.0,
                       help="how long to wait for a server that is down (default: 600)")  # fmt: skip


def _add_output(add: Callable[..., object]) -> None:
    add("--rejects", metavar="FILE", help="write the rows that failed, with a column reason")
    add("--quiet", action="store_true", help="show no progress, and no table if all rows are applied")
    add("--json", action="store_true", help="print one JSON object instead of the table")
    add("--json-lines", action="store_true", help="print a JSON object for each row, as it ends")


def _add_server(add: Callable[..., object]) -> None:
    add("--timeout", metavar="SECONDS", type=_seconds, help="for one request as a whole (default: 30)")
    add("--max-retries", metavar="N", type=_between(0, 100),
                       help="how often a failed request is sent again (default: 2)")  # fmt: skip
    add("--max-response-size", metavar="BYTES", type=_size,
                       help="the largest response that is read, such as 64M (default: 16M)")  # fmt: skip
    add("--header", metavar="'NAME: VALUE'", action="append", default=[],
                       help="send a header; other users of this machine may see it, unlike NEPTUN_HEADERS")  # fmt: skip
    add("--proxy", metavar="URL", help="connect through this proxy (default: HTTPS_PROXY)")
    add("--ca-file", metavar="FILE", help="trust the CAs of this PEM file only")
    add("--client-cert", metavar="FILE", help="a PEM file with a client certificate and its key")
    add("--allow-http", action="store_true", help="allow plain http to another machine")


def client_of(options: argparse.Namespace) -> NeptunClient:
    """Make the client that the options and the environment describe.

    Raises:
        ArgumentError: A setting is missing or cannot be right.
        OptionError: An option cannot be used.
    """
    if options.scheduler is not None:
        for name in _LOCAL:
            if getattr(options, name):
                raise OptionError(
                    f"--{name.replace('_', '-')} does not reach the workers of a cluster: set NEPTUN_HEADERS, "
                    "HTTPS_PROXY or SSL_CERT_FILE where they start"
                )
    size = options.max_response_size
    if size is None and (text := environment("NEPTUN_MAX_RESPONSE_SIZE")):
        try:
            size = _size(text)
        except argparse.ArgumentTypeError as exc:
            raise OptionError(f"NEPTUN_MAX_RESPONSE_SIZE {exc}") from None
    given: dict[str, Any] = {"max_response_size": size, "timeout": options.timeout, "max_retries": options.max_retries}
    client = NeptunClient(
        allow_http=options.allow_http,
        proxy=options.proxy,
        ssl_context=_ssl_context(options),
        **{name: value for name, value in given.items() if value is not None},
    )
    if not options.header:
        return client
    headers: dict[str, str] = {}
    for number, text in enumerate(options.header, 1):
        name, colon, value = text.partition(":")
        if not colon:  # it may be a key without its name: no message shows it
            raise OptionError(f"--header number {number} must be 'NAME: VALUE'")
        headers[name.strip()] = value.strip()
    try:
        return client.with_options(headers=headers)
    except ArgumentError as exc:
        raise OptionError(str(exc).replace("headers:", "--header:").replace("headers may", "--header may")) from None


def _ssl_context(options: argparse.Namespace) -> ssl.SSLContext | None:
    if not (options.ca_file or options.client_cert):
        return None
    option = "--ca-file"
    try:
        context = ssl.create_default_context(cafile=options.ca_file) if options.ca_file else httpx.create_ssl_context()
        if options.client_cert:
            option = "--client-cert"
            context.load_cert_chain(options.client_cert)
    except OSError as exc:  # ssl.SSLError is one
        raise OptionError(f"{option} cannot be used: {exc.strerror or exc}") from None
    return context


def command(arguments: Sequence[str]) -> str:
    """Return the command line, to be shown: without the value of a header, or the password of a proxy."""
    shown: list[str] = []
    before = ""
    for argument in arguments:
        option, equals, value = argument.partition("=") if argument.startswith("--") else (before, "", argument)
        if option == "--header" and value:
            value = f"{value.partition(':')[0]}: …"
        elif option == "--proxy":
            value = re.sub(r"(//|^)[^/@]*@", r"\1…@", value)
        shown.append(f"{option}{equals}{value}" if argument.startswith("--") else value)
        before = argument
    return shlex.join(["neptun-bulk", *shown])


def in_words_of_command(text: str) -> str:
    """Return a message of the SDK with the names that the command has for its settings."""
    for pattern, words in _WORDS.items():
        text = re.sub(pattern, words, text)
    return text


def _word(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("an empty cell leaves a field as it is; choose a word")
    return text


def _delimiter(text: str) -> str:
    found = {"tab": "\t", "\\t": "\t"}.get(text, text)
    if len(found) != 1 or found in '"\r\n ':
        raise argparse.ArgumentTypeError(f"must be one character, such as ; or tab, not {text!r}")
    return found


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name.strip()]


def _between(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"must be between {least} and {most}, not {text!r}")
        return int(text)

    return read


def _seconds(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", text):
        raise argparse.ArgumentTypeError(f"must be a number of seconds, such as 30, not {text!r}")
    return float(text)


def _size(text: str) -> int:
    found = re.fullmatch("([0-9]{1,15})([KMG]?)", text)
    if not found or not int(found[1]):
        raise argparse.ArgumentTypeError(f"must be a number of bytes, such as 64M, not {text[:40]!r}")
    return int(found[1]) * _UNITS[found[2]]
