"""The journal: what it holds, what it refuses, and what it survives."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from neptun_sdk import ArgumentError, BadRequestError, NeptunClient, NeptunError
from neptun_sdk._version import __version__
from neptun_sdk.bulk import Update, bulk_update, content
from neptun_sdk.bulk import journal as module
from tests.bulk.conftest import Server, failed
from tests.bulk.runs import lines, statuses
from tests.conftest import CANARY, PROJECT, ClientFor

UPDATES = [Update(number, fields={"name": f"Name {number}"}) for number in range(1, 31)]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def run(client: NeptunClient, journal: Path, updates: Any = UPDATES) -> list[str]:
    found = {outcome.row: outcome.status for outcome in bulk_update(client, updates, journal=journal, max_workers=2)}
    return [status for _, status in sorted(found.items())]


def test_it_has_a_header_and_a_line_for_each_row(bulk_client: NeptunClient, server: Server, journal: Path) -> None:
    server.steps[2] = [failed(404)]
    imports = [Update(100, 7, {"title": "An import"})]
    run(bulk_client, journal, [*UPDATES, *imports])
    header, *rest = lines(journal)
    assert {name: header[name] for name in ("journal", "base_url", "dialect", "user_id", "window")} == {
        "journal": "neptun-bulk journal 2",
        "base_url": "https://neptun.test",
        "dialect": "documented",
        "user_id": 1,
        "window": 16,
    }
    assert header["neptun_sdk"] == __version__
    assert header["python"] == ".".join(map(str, sys.version_info[:3]))
    assert len(header["input"]) == 64
    rows = {line["row"]: line for line in rest if "row" in line}
    assert sorted(rows) == list(range(1, 32))
    assert {name: rows[1][name] for name in ("status", "project_id", "attempts")} == {
        "status": "applied",
        "project_id": 1,
        "attempts": 1,
    }
    assert (rows[31]["project_id"], rows[31]["import_id"]) == (100, 7)
    assert rows[2]["error"]["class"] == "NotFoundError"
    assert rows[2]["status"] == "refused"
    assert {row: digest for line in rest for row, digest in line.get("sending", [])} == {
        row: line["digest"] for row, line in rows.items()
    }
    end = next(line for line in rest if "end" in line)
    assert (end["rows"], end["input"]) == (31, header["input"])


def test_it_holds_no_session_and_of_the_values_what_an_error_quotes(
    bulk_client: NeptunClient, server: Server, journal: Path
) -> None:
    server.steps[2] = [httpx.Response(200, json={"project": {**PROJECT, "id": 2, "name": "Other"}})]
    run(bulk_client, journal)
    text = journal.read_text(encoding="utf-8")
    assert CANARY not in text
    assert "name came back as 'Other', not 'Name 2'" in text
    assert text.count("Name ") == 1


def test_what_is_done_is_not_sent_again(bulk_client: NeptunClient, server: Server, journal: Path) -> None:
    server.steps[2], server.steps[3] = [failed(400)], [failed(500)] * 3
    assert run(bulk_client, journal)[:4] == ["applied", "refused", "unknown", "applied"]
    server.sent.clear()
    outcomes = {outcome.row: outcome for outcome in bulk_update(bulk_client, UPDATES, journal=journal)}
    assert server.projects == [3]
    assert (outcomes[1].status, outcomes[1].earlier, outcomes[1].attempts) == ("applied", True, 0)
    assert (outcomes[2].status, outcomes[2].earlier, outcomes[2].again) == ("refused", True, False)
    assert isinstance(outcomes[2].error, BadRequestError)
    assert outcomes[2].error.applied is False
    assert "400" in str(outcomes[2].error)
    assert (outcomes[3].status, outcomes[3].earlier, outcomes[3].resent) == ("applied", False, True)


def test_an_input_that_was_changed_is_refused(bulk_client: NeptunClient, server: Server, journal: Path) -> None:
    run(bulk_client, journal)
    server.sent.clear()
    changed = [*UPDATES[:-1], Update(30, fields={"name": "Another"})]
    with pytest.raises(
        ArgumentError, match=r"the input has changed since the journal .* restore it, or use another journal"
    ):
        bulk_update(bulk_client, changed, journal=journal)
    with pytest.raises(ArgumentError, match=r"row 30 of the input is not the one in the journal"):
        run(bulk_client, journal, iter(changed))
    assert server.projects == []


def test_the_end_of_a_generator_is_remembered(bulk_client: NeptunClient, journal: Path) -> None:
    """So that a list is compared with it as a whole."""
    run(bulk_client, journal, iter(UPDATES))
    assert lines(journal)[0]["input"] is None
    assert run(bulk_client, journal, UPDATES) == ["applied"] * 30
    with pytest.raises(ArgumentError, match="the input has changed"):
        bulk_update(bulk_client, UPDATES[:-1], journal=journal)


def test_the_order_of_fields_does_not_matter(bulk_client: NeptunClient, server: Server, journal: Path) -> None:
    run(bulk_client, journal, [Update(1, fields={"name": "a", "description": "b"})])
    assert run(bulk_client, journal, [Update(1, fields={"description": "b", "name": "a"})]) == ["applied"]
    assert server.projects == [1]


def test_the_journal_of_another_account_is_refused(
    bulk_client: NeptunClient, client_for: ClientFor, server: Server, journal: Path
) -> None:
    run(bulk_client, journal)
    other = client_for(server).with_session("another-session", 2)
    with pytest.raises(
        ArgumentError, match="was written with user_id 1, not 2: use the same settings, or another journal"
    ):
        bulk_update(other, UPDATES, journal=journal)


def test_a_second_run_is_refused_while_the_first_one_lasts(bulk_client: NeptunClient, journal: Path) -> None:
    first = bulk_update(bulk_client, UPDATES, journal=journal)
    next(first)
    with pytest.raises(ArgumentError, match="another run is using the journal"):
        bulk_update(bulk_client, UPDATES, journal=journal)
    program = (
        "import sys; from neptun_sdk import NeptunClient; from neptun_sdk.bulk import bulk_update\n"
        "try: bulk_update(NeptunClient('session', 1, base_url='https://neptun.test'), [], journal=sys.argv[1])\n"
        "except ValueError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(journal)], capture_output=True, text=True, check=True)
    assert "another run is using the journal" in done.stdout
    assert len(list(first)) == 29
    assert run(bulk_client, journal) == ["applied"] * 30


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_does_not_keep_the_lock(bulk_client: NeptunClient, journal: Path) -> None:
    """As a process of a pool does that outlives a run that was killed."""
    held = module.Journal(journal, module_account(bulk_client), None, 8)
    reader, writer = os.pipe()
    started, begun = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(writer)
        os.write(begun, b"!")
        os.read(reader, 1)  # until the parent closes its end
        os._exit(0)
    try:
        os.read(started, 1)
        held.close()
        assert run(bulk_client, journal, iter(UPDATES)) == ["applied"] * 30
    finally:
        for end in (writer, reader, started, begun):
            os.close(end)
        os.waitpid(child, 0)


def test_what_a_child_closes_is_closed(bulk_client: NeptunClient, journal: Path) -> None:
    """What runs in a child after a fork, run here."""
    held = module.Journal(journal, module_account(bulk_client), None, 8)
    module._close_in_child()
    held.close()
    assert run(bulk_client, journal, iter(UPDATES)) == ["applied"] * 30


def module_account(client: NeptunClient) -> Any:
    from neptun_sdk.bulk.worker import account_of

    return account_of(client)


def test_windows_locks_a_byte_that_nobody_reads(
    bulk_client: NeptunClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked: list[tuple[int, int]] = []

    def locking(fd: int, mode: int, size: int) -> None:
        locked.append((os.lseek(fd, 0, os.SEEK_CUR), size))
        if len(locked) > 1:
            raise PermissionError(errno.EACCES, "Permission denied")
        assert mode == 2

    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    assert run(bulk_client, journal) == ["applied"] * 30
    assert locked == [(2**40, 1)]
    with pytest.raises(ArgumentError, match="another run is using the journal"):
        bulk_update(bulk_client, UPDATES, journal=journal)


TORN: dict[str, Callable[[bytes], bytes]] = {
    "in the middle of a line": lambda data: data[:-20],
    "before its end": lambda data: data[:-1],
    "in the header": lambda data: data[:30],
    "in the first word": lambda _: b'{"jou',
    "with lost bytes": lambda data: data[:-20] + b"\0" * 20,
    "with lost bytes and an end": lambda data: data[:-20] + b"\0" * 19 + b"\n",
    "before the header": lambda _: b"",
}


@pytest.mark.parametrize("tear", TORN.values(), ids=TORN)
def test_a_last_line_that_is_torn_is_ignored(
    bulk_client: NeptunClient, journal: Path, tear: Callable[[bytes], bytes]
) -> None:
    run(bulk_client, journal)
    journal.write_bytes(tear(journal.read_bytes()))
    assert run(bulk_client, journal) == ["applied"] * 30
    assert all(isinstance(line, dict) for line in lines(journal))
    assert set(statuses(journal).values()) == {"applied"}


def test_a_crash_leaves_rows_that_may_have_been_sent(bulk_client: NeptunClient, server: Server, journal: Path) -> None:
    run(bulk_client, journal)
    kept = [line for line in journal.read_bytes().splitlines(keepends=True) if b'"row":7,' not in line]
    journal.write_bytes(b"".join(kept))
    server.sent.clear()
    outcomes = {outcome.row: outcome for outcome in bulk_update(bulk_client, UPDATES, journal=journal)}
    assert server.projects == [7]
    assert [row for row, outcome in outcomes.items() if outcome.resent] == [7]
    assert [line["row"] for line in lines(journal) if line.get("resent")] == [7]


NO_JOURNALS: dict[str, tuple[bytes, str]] = {
    "a CSV file": (b"project_id,name\n1,a\n", "it is not a journal of this version"),
    "one line without an end": (b"project_id,name", "it is not a journal of this version"),
    "other JSON": (b'{"project_id":1}\n', "it is not a journal of this version"),
    "a list": (b"[1]\n", "it is not a journal of this version"),
    "a later version": (b'{"journal":"neptun-bulk journal 3"}\n', "it is not a journal of this version"),
}


@pytest.mark.parametrize(("given", "text"), NO_JOURNALS.values(), ids=NO_JOURNALS)
def test_another_file_is_refused_and_left_as_it_is(
    bulk_client: NeptunClient, journal: Path, given: bytes, text: str
) -> None:
    journal.write_bytes(given)
    with pytest.raises(ArgumentError, match=f"cannot be used as the journal: {text}"):
        bulk_update(bulk_client, UPDATES, journal=journal)
    assert journal.read_bytes() == given


def checksummed(line: bytes) -> bytes:
    """Return a line with a checksum that is right, if it is an object."""
    with suppress(ValueError, AttributeError):
        return content.encode_line(dict(json.loads(line).items()))
    return line


@pytest.mark.parametrize(
    "line", [b"nonsense\n", b'{"row":1}\n', b'{"sending":[7]}\n', b'{"row":"x"}\n', b'{"cols":1}\n', b"[1]\n"]
)
def test_a_journal_that_is_damaged_in_the_middle_is_refused(
    bulk_client: NeptunClient, journal: Path, line: bytes
) -> None:
    run(bulk_client, journal)
    header, *rest = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([header, checksummed(line), *rest]))
    with pytest.raises(ArgumentError, match=r"line 2 is damaged\. Restore the file from a copy"):
        bulk_update(bulk_client, UPDATES, journal=journal)


def test_a_full_disk_ends_the_run_and_tears_no_line(
    bulk_client: NeptunClient, server: Server, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, room = os.write, 3_000

    def full(fd: int, data: bytes) -> int:
        nonlocal room
        written = write(fd, data[:room])
        room -= written
        if not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return written

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            run(bulk_client, journal)
    assert journal.read_bytes().endswith(b"}\n")
    known = statuses(journal)
    assert {*server.projects} <= {*known}, "every row that was sent is in the journal"
    assert run(bulk_client, journal) == ["applied"] * 30


def test_a_disk_that_fails_ends_the_run(
    bulk_client: NeptunClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_ = bulk_update(bulk_client, UPDATES, journal=journal)

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output error"):
        list(run_)


def test_a_journal_in_no_folder_is_an_error_of_the_system(bulk_client: NeptunClient, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        bulk_update(bulk_client, UPDATES, journal=tmp_path / "nowhere" / "journal.jsonl")


@pytest.mark.parametrize("name", ["OfALaterVersion", "Any"])
def test_an_error_of_a_later_version_is_a_neptun_error(
    bulk_client: NeptunClient, server: Server, journal: Path, name: str
) -> None:
    server.steps[2] = [failed(400)]
    run(bulk_client, journal)
    first, *rest = lines(journal)
    for line in rest:
        if "error" in line:
            line["error"]["class"] = name
    journal.write_bytes(
        b"".join(
            content.encode_line({name: value for name, value in line.items() if name != "crc"})
            for line in [first, *rest]
        )
    )
    (error,) = (outcome.error for outcome in bulk_update(bulk_client, UPDATES, journal=journal) if outcome.error)
    assert type(error) is NeptunError
    assert error.applied is False


def test_rows_take_twelve_bytes_each(bulk_client: NeptunClient, journal: Path) -> None:
    """What a later run keeps in memory of the journal of an earlier one."""
    run(bulk_client, journal)
    found = content.Content(journal)
    assert sum(each.itemsize * len(each) for each in (found._offsets, found._targets)) == 12 * 30
    assert found._unfinished == {}


def test_it_is_json_lines(bulk_client: NeptunClient, journal: Path) -> None:
    run(bulk_client, journal)
    assert all(json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines())


def test_a_new_journal_is_for_its_owner_alone(bulk_client: NeptunClient, journal: Path) -> None:
    """The texts of its errors quote values."""
    run(bulk_client, journal)
    assert journal.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_is_refused_as_a_journal(bulk_client: NeptunClient, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    found = {"fifo": "a device, a pipe or a socket", "": "a folder", "/dev/null": "a device, a pipe or a socket"}
    for name, kind in found.items():
        with pytest.raises(ArgumentError, match=f"cannot be the journal: it is {kind}. Use another journal"):
            bulk_update(bulk_client, UPDATES, journal=tmp_path / name)


def test_a_file_system_without_locks_is_said(
    bulk_client: NeptunClient, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = errno.ENOLCK

    def flock(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setitem(sys.modules, "fcntl", SimpleNamespace(LOCK_EX=1, LOCK_NB=2, flock=flock))
    with pytest.raises(
        ArgumentError, match=r"cannot lock files \(No locks available\): use another journal, on a local"
    ):
        bulk_update(bulk_client, UPDATES, journal=journal)
    number = errno.EIO
    with pytest.raises(OSError, match="Input/output error"):
        bulk_update(bulk_client, UPDATES, journal=journal)


def test_targets_with_the_same_hash_are_not_confused(
    bulk_client: NeptunClient, server: Server, journal: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "_key", lambda _: 1)
    run(bulk_client, journal)
    kept = [line for line in journal.read_bytes().splitlines(keepends=True) if b'"row":7,' not in line]
    journal.write_bytes(b"".join(kept))
    server.sent.clear()
    assert run(bulk_client, journal) == ["applied"] * 30
    assert server.projects == [7]
