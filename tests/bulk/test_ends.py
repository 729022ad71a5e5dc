"""Every row comes to an end, and no older value follows a newer one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neptun_sdk import ArgumentError, AuthenticationError, BadRequestError, NeptunClient, UpdateNotVerifiedError
from neptun_sdk.bulk import Outcome, Update, bulk_update
from neptun_sdk.bulk.content import Content, encode_line
from neptun_sdk.sandbox import Sandbox
from tests.bulk.conftest import Server, failed
from tests.bulk.runs import disagreements, lines, renames, statuses
from tests.bulk.test_loop import by_row, named
from tests.conftest import CANARY, PROJECT, ClientFor

pytestmark = pytest.mark.usefixtures("_at_once")


def run(client: NeptunClient, updates: list[Update], journal: Path, **options: Any) -> list[Outcome]:
    return list(by_row(bulk_update(client, updates, journal=journal, **options)).values())


LOST = httpx.ReadError("the connection broke")


def answer(project_id: int, **fields: str) -> httpx.Response:
    return httpx.Response(200, json={"project": {**PROJECT, "id": project_id, **fields}})


FINAL: dict[str, tuple[httpx.Response, type[Exception], str]] = {
    "a refusal": (failed(400), BadRequestError, "An earlier attempt may have been applied."),
    "a value that is normalised": (answer(7, name="older"), UpdateNotVerifiedError, "name came back as 'older'"),
}


@pytest.mark.parametrize(("response", "kind", "text"), FINAL.values(), ids=FINAL)
def test_a_definite_response_after_a_lost_one_ends_the_row(
    server: Server,
    bulk_client: NeptunClient,
    tmp_path: Path,
    response: httpx.Response,
    kind: type[Exception],
    text: str,
) -> None:
    server.steps[7] = [LOST, response]
    updates = [Update(7, fields={"name": "Older"}), Update(7, fields={"name": "Newer"})]
    first, second = run(bulk_client, updates, tmp_path / "journal")
    assert (first.status, first.again, type(first.error)) == ("unknown", False, kind)
    assert text in str(first.error)
    assert (second.status, server.stored[7]) == ("applied", {"name": "Newer"})
    assert [each.earlier for each in run(bulk_client, updates, tmp_path / "journal")] == [True, True]


def test_a_partly_applied_row_is_final_and_says_which_field_is_which(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    row = {**PROJECT, "id": 7, "name": "New", "type": "web-site", "main_language": "php"}
    del row["project_type"], row["programming_language"]
    server.steps[7] = [httpx.Response(200, json=row)]
    updates = [Update(7, fields={"name": "New", "project_type": "web-app"}), *named(7)]
    first, second = run(bulk_client, updates, tmp_path / "journal")
    assert (first.status, first.again, second.status) == ("unknown", False, "applied")
    assert "project_type" in str(first.error)
    assert "name was" in str(first.error)


def test_the_third_run_that_learns_nothing_ends_a_row(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    server.steps[7] = [failed(500) for _ in range(100)]
    updates = [Update(7, fields={"name": "Older"}), *named(8), Update(7, fields={"name": "Newer"})]
    found = [[each.again for each in run(bulk_client, updates, tmp_path / "journal")] for _ in range(2)]
    assert found == [[True, False, True]] * 2
    outcomes = run(bulk_client, updates, tmp_path / "journal")
    assert [(each.status, each.again) for each in outcomes] == [
        ("unknown", False),
        ("applied", False),
        ("unknown", True),  # its first run
    ]
    assert "3 runs have sent it without learning more: it is not sent again." in str(outcomes[0].error)


STEPS = ["lost", "lost, but stored", 400, 404, 429, 500, 503, "normalised", "no connection"]


@pytest.mark.soak
@settings(max_examples=40)
@given(st.data())
def test_after_any_kills_and_faults_three_runs_end_every_row(data: st.DataObject) -> None:
    """A kill leaves the journal as it is on disk, while requests are under way."""
    scripts = {
        project_id: data.draw(st.lists(st.sampled_from(STEPS), max_size=4), label=f"project {project_id}")
        for project_id in (1, 2, 3)
    }
    kills = data.draw(st.lists(st.integers(1, 8), max_size=3), label="kills, after so many requests")
    updates = [Update(number % 3 + 1, fields={"name": f"{number}"}) for number in range(9)]
    arrived: dict[int, list[int]] = {1: [], 2: [], 3: []}
    lock = threading.Lock()
    left = [0]

    def respond(request: httpx.Request) -> httpx.Response:
        project_id = int(request.url.path.rpartition("/")[2])
        name = json.loads(request.content)["name"]
        with lock:
            if left[0] == 1:
                on_disk.append(journal.read_bytes())
            left[0] -= 1
            if on_disk:  # the process is dead: nothing comes through any more
                raise httpx.ConnectError("dead", request=request)
            script = scripts[project_id]
            step = script.pop(0) if script else None
            if step not in ("no connection", "lost"):
                arrived[project_id].append(int(name))
        if isinstance(step, int):
            return failed(step)
        if step == "no connection":
            raise httpx.ConnectError("refused", request=request)
        if step in ("lost", "lost, but stored"):
            raise httpx.ReadError("broken", request=request)
        return answer(project_id, name=f"{name} " if step == "normalised" else name)

    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal")
        transport = httpx.MockTransport(respond)
        with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport) as client:
            for kill in kills:
                left[0], on_disk = kill, list[bytes]()
                run(client, updates, journal, max_workers=2, max_outage=0)
                if on_disk:
                    journal.write_bytes(on_disk[0])
            left[0], on_disk = -1, []
            for _ in range(3):
                outcomes = run(client, updates, journal, max_workers=2)
        assert not [each for each in outcomes if each.again]
    for names in arrived.values():
        assert names == sorted(names), "an older value came after a newer one"


def test_a_row_is_not_sent_when_a_later_one_of_its_target_is_done(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    """Whatever happened to the journal: here, an older one has lost the lines of a row."""
    journal = tmp_path / "journal"
    updates = [*named(8), *(Update(7, fields={"name": f"Name {number}"}) for number in range(3)), *named(9)]
    run(bulk_client, updates, journal)
    kept = [line for line in lines(journal) if line.get("row") not in (1, 2)]
    for line in kept:
        line.pop("crc")
    kept[0]["journal"] = "neptun-bulk journal 1"
    journal.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in kept), encoding="utf-8")
    server.sent.clear()
    outcomes = run(bulk_client, updates, journal)
    assert [(each.status, each.again) for each in outcomes] == [
        ("applied", False),
        ("unknown", False),
        *[("applied", False)] * 3,
    ]
    assert "row 3 of the same target is done" in str(outcomes[1].error)
    assert server.projects == [8]
    assert outcomes[0].resent
    assert Content(journal).done_after(1, (6, None)) is None


def test_an_older_journal_is_read_and_its_new_lines_have_checksums(bulk_client: NeptunClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run(bulk_client, named(1, 2), journal)
    older = [{name: value for name, value in line.items() if name != "crc"} for line in lines(journal)]
    older[0]["journal"] = "neptun-bulk journal 1"
    older = [line for line in older if "end" not in line]
    journal.write_text("".join(json.dumps(line) + "\n" for line in older), encoding="utf-8")
    assert [each.earlier for each in run(bulk_client, named(1, 2), journal)] == [True, True]
    last = lines(journal)[-1]
    assert "crc" in last
    with open(journal, "a", encoding="utf-8") as file:
        file.write(json.dumps(older[-1]) + "\n")
    with pytest.raises(ArgumentError, match=r"line \d+ is damaged"):
        run(bulk_client, named(1, 2), journal)


DAMAGED: dict[str, dict[str, Any]] = {
    "a row that is none": {"row": 0},
    "a flag": {"row": True},
    "a status": {"status": "done"},
    "a digest": {"digest": "x"},
    "attempts": {"attempts": -1},
    "again": {"again": "yes"},
    "an error of text": {"error": "404"},
    "an error without applied": {"error": {"class": "NeptunError", "text": ""}},
    "an error's applied": {"error": {"class": "NeptunError", "text": "", "applied": 0}},
    "an error's class": {"error": {"class": 1, "text": "", "applied": None}},
    "runs": {"runs": "1"},
    "a size": {"size": 1.5},
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_every_value_of_a_line_is_checked(bulk_client: NeptunClient, tmp_path: Path, change: dict[str, Any]) -> None:
    journal = tmp_path / "journal"
    run(bulk_client, named(1, 2), journal)
    found = lines(journal)
    for line in found:
        line.pop("crc")
    number = next(number for number, line in enumerate(found) if "row" in line)
    found[number].update(change)
    journal.write_bytes(b"".join(map(encode_line, found)))
    with pytest.raises(ArgumentError, match=f"line {number + 1} is damaged"):
        run(bulk_client, named(1, 2), journal)


def test_every_changed_letter_is_noticed(bulk_client: NeptunClient, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    run(bulk_client, named(1), journal)
    whole = journal.read_bytes()
    for at in range(0, len(whole) - 1, 7):
        changed = bytearray(whole)
        changed[at] ^= 1
        journal.write_bytes(changed)
        with pytest.raises(ArgumentError, match="cannot be used as the journal"):
            run(bulk_client, named(1), journal)


def test_a_response_that_is_too_large_is_final_for_this_setting(
    server: Server, client_for: ClientFor, tmp_path: Path
) -> None:
    """As of a project with many imports, from a deployed server."""
    journal, updates = tmp_path / "journal", [*named(7), Update(7, fields={"description": "Later"})]
    transport = httpx.MockTransport(server)
    small = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport, max_response_size=2_000)
    server.steps[7] = [httpx.Response(200, json={"project": {**PROJECT, "id": 7, "name": "x" * 3_000}})]
    first, second = run(small, updates, journal)
    assert (first.status, first.again, second.status) == ("unknown", False, "applied")
    assert "is larger than max_response_size (2,000 bytes); raise that to read it" in str(first.error)
    assert [each.earlier for each in run(small, updates, journal)] == [True, True]
    first, second = run(client_for(server), updates, journal)
    assert (first.status, first.again, first.earlier) == ("unknown", False, True), "a later row of it is done"

    journal = tmp_path / "alone"
    server.steps[7] = [httpx.Response(200, json={"project": {**PROJECT, "id": 7, "name": "x" * 3_000}})]
    assert [each.status for each in run(small, named(7), journal)] == ["unknown"]
    assert [(each.status, each.resent) for each in run(client_for(server), named(7), journal)] == [("applied", True)]


def test_a_journal_of_a_run_that_changed_nothing_takes_another_account(
    bulk_client: NeptunClient, client_for: ClientFor, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("Connection refused", request=request)

    wrong = client_for(refuse).with_session("another-session", 2)
    assert {each.status for each in run(wrong, named(1, 2), journal)} == {"unsent"}
    assert [each.status for each in run(bulk_client, named(1, 2), journal)] == ["applied"] * 2
    assert lines(journal)[0]["user_id"] == 1


WRONG_USER = {
    "403": failed(403),
    "401 of a handler": httpx.Response(401, json={"statusCode": 401, "statusMessage": "Unauthorized."}),
}


@pytest.mark.parametrize("response", WRONG_USER.values(), ids=WRONG_USER)
@pytest.mark.parametrize("rows", [3, 400])
def test_a_wrong_user_refuses_nothing_for_good(
    client_for: ClientFor, tmp_path: Path, response: httpx.Response, rows: int
) -> None:
    sent: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        return httpx.Response(response.status_code, content=response.content)

    updates = named(*range(1, rows + 1))
    run_ = bulk_update(client_for(respond), updates, journal=tmp_path / "journal", max_workers=2)
    outcomes = list(by_row(run_).values())
    assert len(outcomes) == rows
    assert all(each.again for each in outcomes)
    assert len(sent) <= 50 + 8
    assert (run_.ended_by is None) == (rows == 3)
    assert rows == 3 or "the first 50 rows that were sent all failed" in str(run_.ended_by)


@pytest.mark.parametrize("max_retries", [2, 0])
def test_a_row_of_another_user_is_refused_for_good(
    server: Server, bulk_client: NeptunClient, tmp_path: Path, max_retries: int
) -> None:
    """Once another row shows that the user is the right one; an attempt before may have been applied."""
    server.steps[1], server.steps[2] = [failed(403)], [failed(503), failed(403)]
    client = bulk_client.with_options(max_retries=max_retries)
    outcomes = run(client, named(1, 2, 3), tmp_path / "journal", max_workers=1)
    assert [(each.status, each.again) for each in outcomes] == [
        ("refused", False),
        ("unknown", not max_retries),
        ("applied", False),
    ]
    server.steps[4] = [failed(403)]
    assert [each.again for each in run(client, named(1, 2, 3), tmp_path / "journal")] == [False] * 3


def test_doubt_about_a_row_that_may_have_been_applied_keeps_it_unknown(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    server.steps[1], server.steps[2] = [failed(503), failed(403)], [failed(403)]
    outcomes = run(bulk_client, named(1, 2), tmp_path / "journal", max_workers=1)
    assert [(each.status, each.again) for each in outcomes] == [("unknown", True), ("refused", True)]


@pytest.mark.parametrize("status", [400, 200])
def test_the_first_rows_that_all_fail_end_the_run(client_for: ClientFor, tmp_path: Path, status: int) -> None:
    """As of a base URL that is a web page, or a dialect that the server does not speak."""

    def respond(_: httpx.Request) -> httpx.Response:
        return failed(400) if status == 400 else httpx.Response(200, text="<html>")

    run_ = bulk_update(client_for(respond), named(*range(1, 301)), journal=tmp_path / "journal", max_workers=2)
    found = [each.status for each in by_row(run_).values()]
    assert "the first 50 rows that were sent all failed: check the server, the user and the dialect" in str(
        run_.ended_by
    )
    assert found.count("unsent") >= 300 - 50 - 8


def test_a_run_ends_after_as_many_failures_as_it_may_have(
    server: Server, bulk_client: NeptunClient, tmp_path: Path
) -> None:
    for number in range(1, 300, 10):
        server.steps[number] = [failed(404)]
    run_ = bulk_update(bulk_client, named(*range(1, 301)), journal=tmp_path / "journal", max_workers=1, max_failures=5)
    found = [each.status for each in by_row(run_).values()]
    assert found.count("refused") == 5
    assert found.count("unsent") > 200
    assert "5 rows have failed, which is the most that may. The last: update_project(" in str(run_.ended_by)


def test_a_session_error_ends_the_run_whatever_its_body_was(client_for: ClientFor, tmp_path: Path) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return httpx.Response(401, stream=httpx.ByteStream(b"<html>"), headers={"Content-Encoding": "gzip"})

    run_ = bulk_update(client_for(respond), named(*range(1, 101)), journal=tmp_path / "journal", max_workers=1)
    found = list(by_row(run_).values())
    assert isinstance(run_.ended_by, AuthenticationError)
    assert all(each.again for each in found)
    assert sum(each.status == "unsent" for each in found) > 90


def test_a_wait_is_kept_whatever_the_body_was(server: Server, bulk_client: NeptunClient) -> None:
    headers = {"Content-Encoding": "gzip", "Retry-After": "1"}
    server.steps[1] = [httpx.Response(429, stream=httpx.ByteStream(b"<html>"), headers=headers)]
    assert [each.status for each in bulk_update(bulk_client, named(1))] == ["applied"]
    assert server.sent[1][1] - server.sent[0][1] > 0.95


AT_ITS_END = {
    "in a thread": "threading.Thread(target=send).start()",
    "at exit": "atexit.register(send)",
}


@pytest.mark.without_coverage
@pytest.mark.parametrize("how", AT_ITS_END.values(), ids=AT_ITS_END)
def test_an_interpreter_that_ends_ends_the_run(neptun: Sandbox, tmp_path: Path, how: str) -> None:
    updates, journal = renames(neptun, 300), tmp_path / "journal"
    program = f"""
        import atexit, sys, threading, collections
        from neptun_sdk import NeptunClient
        from neptun_sdk.bulk import Update, bulk_update

        first, began = int(sys.argv[2]), threading.Event()

        def send():
            rows = range(1, 301)
            updates = [
                Update(first + row - 1, fields={{"name": f"Renamed {{row}}", "description": f"Of row {{row}}"}})
                for row in rows
            ]
            counts = collections.Counter()
            for outcome in bulk_update(client, updates, journal=sys.argv[1], max_workers=2):
                counts[outcome.status] += 1
                began.set()
            print(dict(counts))

        client = NeptunClient()
        {how}
        began.wait(0 if "atexit" in {how!r} else 30)
    """
    environment = {
        **os.environ,
        "NEPTUN_BASE_URL": neptun.base_url,
        "NEPTUN_SESSION_COOKIE": neptun.session_cookie,
        "NEPTUN_USER_ID": str(neptun.user_id),
    }
    command = [sys.executable, "-c", textwrap.dedent(program), str(journal), str(updates[0].project_id)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "'unsent': " in done.stdout
    assert "unknown" not in statuses(journal).values()
    assert not disagreements(journal, updates, neptun)
