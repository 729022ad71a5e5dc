"""The Sandbox as a user's own tests meet it."""

import importlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import pytest

import neptun_sdk.sandbox
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Account, Sandbox

PROJECT = "/api/users/1/projects/789"


def headers(account: Sandbox | Account) -> dict[str, str]:
    json_type = "application/json"
    return {"Accept": json_type, "Content-Type": json_type, "Cookie": f"neptun-session={account.session_cookie}"}


def in_process(neptun: Sandbox, **settings: Any) -> httpx.Client:
    base_url = "http://neptun.test"
    return httpx.Client(transport=neptun.transport(), base_url=base_url, headers=headers(neptun), **settings)


def test_it_starts_with_two_users_of_their_own(neptun: Sandbox) -> None:
    first, second = neptun.accounts
    assert (neptun.session_cookie, neptun.user_id) == (first.session_cookie, first.user_id)
    assert (neptun.project_id, neptun.import_id) == (first.project_id, first.import_id) == (789, 123)
    assert len(first.session_cookie) == len(second.session_cookie) == 441
    for account in neptun.accounts:
        project = f"{neptun.base_url}/api/users/{account.user_id}/projects/{account.project_id}"
        updated = httpx.patch(project, json={"name": "x"}, headers=headers(account)).json()["project"]
        assert updated["neptun_user_id"] == account.user_id
        url = f"{project}/resources/imports/{account.import_id}"
        updated = httpx.put(url, json={"title": "x"}, headers=headers(account)).json()["import"]
        assert updated["project_id"] == account.project_id


def test_the_transport_serves_the_same_state_without_a_socket(neptun: Sandbox) -> None:
    with in_process(neptun) as http:
        http.patch(PROJECT, json={"name": "Set in process"})
    response = httpx.patch(f"{neptun.base_url}{PROJECT}", json={"description": "x"}, headers=headers(neptun))
    assert response.json()["project"]["name"] == "Set in process"
    assert len(neptun.requests) == 2


def test_a_sandbox_that_does_not_run_still_has_its_transport() -> None:
    neptun = Sandbox()
    with in_process(neptun) as http:
        assert http.patch("/api/users/1/projects/1", json={"name": "x"}).status_code == 404
        assert http.patch(PROJECT, json={"name": "x"}).json()["project"]["name"] == "x"
        assert http.patch(f"/{PROJECT}", json={"name": "x"}).status_code == 404


def test_what_happens_to_a_connection_is_an_exception_in_process() -> None:
    neptun = Sandbox()
    with in_process(neptun, timeout=0.05) as http:
        neptun.fail_next(disconnect=True)
        with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
            http.patch(PROJECT, json={"name": "x"})
        neptun.fail_next(status=None, delay=60)
        with pytest.raises(httpx.ReadTimeout):
            http.patch(PROJECT, json={"name": "Set"})
        assert neptun.project(789)["name"] == "Set", "the request was handled at once"
        neptun.fail_next(status=None, delay=0.01)
        assert http.patch(PROJECT, json={"name": "x"}).status_code == 200
    with in_process(neptun, timeout=None) as http:
        neptun.fail_next(delay=0.01)
        assert http.patch(PROJECT, json={"name": "x"}).status_code == 503


def test_a_sandbox_that_does_not_run_has_no_address() -> None:
    neptun = Sandbox()
    with pytest.raises(RuntimeError, match="not running"):
        _ = neptun.base_url
    assert repr(neptun) == "<Sandbox not running>"
    neptun.__exit__(None, None, None)


def test_a_sandbox_runs_once_at_a_time_and_may_run_again() -> None:
    neptun = Sandbox()
    with neptun, pytest.raises(RuntimeError, match="running already"):
        neptun.__enter__()
    with neptun:
        assert neptun.base_url in repr(neptun)
        assert neptun.session_cookie not in f"{neptun!r} {neptun.accounts!r}"


def test_the_first_users_session_can_be_chosen() -> None:
    neptun = Sandbox(session_cookie="Fe26.2**chosen")
    assert neptun.session_cookie == neptun.accounts[0].session_cookie == "Fe26.2**chosen"
    with in_process(neptun) as http:
        assert http.patch(PROJECT, json={"name": "x"}).status_code == 200


@pytest.mark.parametrize("wrong", ["", "a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\n", "é"])
def test_a_session_that_is_no_cookie_is_refused_without_being_shown(wrong: str) -> None:
    with pytest.raises(ValueError, match="session_cookie must be the value of a cookie") as caught:
        Sandbox(session_cookie=wrong)
    assert not wrong or repr(wrong) not in str(caught.value)


def test_an_unknown_dialect_is_refused() -> None:
    dialect: Any = "klingon"
    with pytest.raises(ValueError, match="dialect must be 'documented' or 'deployed', not 'klingon'"):
        Sandbox(dialect)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_more_can_be_stored(dialect: Dialect) -> None:
    neptun = Sandbox(dialect)
    project_id = neptun.add_project(name="Mine", description=None)
    import_id = neptun.add_project_import(project_id, source_path="octocat/hello-world")
    other_id = neptun.add_project(neptun_user_id=2)
    assert neptun.add_project_import(789) != import_id
    assert len({project_id, other_id, *(account.project_id for account in neptun.accounts)}) == 4
    project, project_import = neptun.project(project_id), neptun.project_import(project_id, import_id)
    assert (project["id"], project["name"], project["description"]) == (project_id, "Mine", None)
    assert (project_import["id"], project_import["project_id"]) == (import_id, project_id)
    assert (project["neptun_user_id"], project_import["neptun_user_id"]) == (1, 1)
    assert neptun.project(other_id)["neptun_user_id"] == 2
    with in_process(neptun) as http:
        url = f"/api/users/1/projects/{project_id}/resources/imports/{import_id}"
        assert http.put(url, json={"source_path": "octocat/other"}).status_code == 200
        assert http.patch(f"/api/users/1/projects/{other_id}", json={"name": "x"}).status_code in (401, 404)
    assert neptun.project_import(project_id, import_id)["source_path"] == "octocat/other"


def test_an_import_is_its_projects_owners() -> None:
    neptun = Sandbox()
    assert neptun.project_import(790, neptun.add_project_import(790))["neptun_user_id"] == 2


def test_what_is_stored_is_a_copy() -> None:
    neptun = Sandbox()
    neptun.project(789)["name"] = "x"
    assert neptun.project(789)["name"] == "My project"


WRONG_FIELDS: dict[str, tuple[Dialect, dict[str, Any], str]] = {
    "unknown": ("documented", {"title": "x"}, "title is not one of its fields"),
    "unknown to a deployed server": ("deployed", {"project_type": "web-app"}, "project_type is not one of its columns"),
    "wrong type": ("documented", {"name": 5}, "name: 5 is not of type 'string'"),
    "unknown value": ("documented", {"project_type": "x"}, "project_type: Invalid enum value"),
    "no date": ("documented", {"created_at": "x"}, "created_at: 'x' is not a 'date-time'"),
    "its own id": ("documented", {"id": 5}, "id cannot be set"),
    "of nobody": ("documented", {"neptun_user_id": 3}, r"neptun_user_id: there are only the users \[1, 2\]"),
}


@pytest.mark.parametrize(("dialect", "fields", "message"), WRONG_FIELDS.values(), ids=WRONG_FIELDS)
def test_what_a_server_would_not_store_is_refused(dialect: Dialect, fields: dict[str, Any], message: str) -> None:
    neptun = Sandbox(dialect)
    with pytest.raises(ValueError, match=message):
        neptun.add_project(**fields)
    with pytest.raises(LookupError):
        neptun.project(791)


MISSING = {"project": (999, None), "import": (789, 999), "import of another project": (123, 123)}


@pytest.mark.parametrize(("project_id", "import_id"), MISSING.values(), ids=MISSING)
def test_what_is_not_stored_is_a_lookup_error(project_id: int, import_id: int | None) -> None:
    neptun = Sandbox()
    if import_id is None:
        with pytest.raises(LookupError, match="there is no project 999"):
            neptun.project(project_id)
        with pytest.raises(LookupError, match="there is no project 999"):
            neptun.add_project_import(project_id)
    else:
        with pytest.raises(LookupError, match=f"there is no import {import_id} in project {project_id}"):
            neptun.project_import(project_id, import_id)


def test_a_connection_is_kept_open_and_responses_do_not_wait_for_an_acknowledgement(neptun: Sandbox) -> None:
    connection = HTTPConnection("127.0.0.1", int(neptun.base_url.rsplit(":", 1)[1]), timeout=10)
    sockets = set()
    for _ in range(3):
        connection.request("PATCH", PROJECT, json.dumps({"name": "x"}), headers(neptun))
        assert json.load(connection.getresponse())["project"]["name"] == "x"
        assert connection.sock is not None
        sockets.add(connection.sock.getsockname())
    connection.close()
    assert len(sockets) == 1


def test_many_that_connect_at_once_all_get_a_response(neptun: Sandbox) -> None:
    """cheroot's own backlog holds five connections; the others were reset."""
    together = threading.Barrier(32)

    def update(number: int) -> int:
        with httpx.Client(headers=headers(neptun), timeout=30) as http:
            together.wait(30)
            return http.patch(f"{neptun.base_url}{PROJECT}", json={"name": f"{number}"}).status_code

    with ThreadPoolExecutor(32) as pool:
        assert list(pool.map(update, range(32))) == 32 * [200]
    assert len(neptun.requests) == 32


def test_slow_responses_do_not_hold_up_others_nor_the_end() -> None:
    with Sandbox() as neptun, ThreadPoolExecutor(100) as pool:
        neptun.fail_next(status=None, times=100, delay=60)
        url = f"{neptun.base_url}{PROJECT}"

        def update() -> int:
            return httpx.patch(url, json={"name": "x"}, headers=headers(neptun), timeout=30).status_code

        slow = [pool.submit(update) for _ in range(100)]
        while len(neptun.requests) < 100:
            time.sleep(0.01)
        assert update() == 200
        assert not any(response.done() for response in slow)
        neptun.__exit__(None, None, None)
        # Some are closed, some get a response: none is left waiting.
        for response in slow:
            response.exception(timeout=30)


def test_a_sandbox_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())  # one of another test may end meanwhile
    with Sandbox():
        assert set(threading.enumerate()) - before
    for thread in set(threading.enumerate()) - before:
        thread.join(10)
    assert set(threading.enumerate()) - before == set()


def test_a_response_that_cannot_be_sent_leaves_nothing_open() -> None:
    """What is left open fails a suite for which warnings are errors. Python's development mode reports it always."""
    code = (
        "import socket, struct, time\n"
        "from neptun_sdk.sandbox import Sandbox\n"
        "reset_on_close = struct.pack('ii', 1, 0)\n"
        "with Sandbox() as neptun:\n"
        "    neptun.fail_next(status=None, delay=60)\n"
        "    address = ('127.0.0.1', int(neptun.base_url.rsplit(':', 1)[1]))\n"
        "    with socket.create_connection(address) as connection:\n"
        "        connection.sendall(b'GET / HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n')\n"
        "        while not neptun.requests:\n"
        "            time.sleep(0.01)\n"
        "        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)\n"
    )
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_process_that_does_not_leave_the_with_still_ends() -> None:
    """cheroot's threads are no daemons."""
    code = (
        "import httpx\n"
        "from neptun_sdk.sandbox import Sandbox\n"
        "neptun = Sandbox().__enter__()\n"
        "assert httpx.get(neptun.base_url).status_code == 404\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_sdk_does_not_import_the_sandbox() -> None:
    unwanted = ("neptun_sdk.sandbox", "cheroot", "openapi_schema_validator", "werkzeug", "yaml")
    code = f"import sys, neptun_sdk; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_its_extra_the_sandbox_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("server", "http_server"):
        monkeypatch.delitem(sys.modules, f"neptun_sdk.sandbox.{name}")
    monkeypatch.setitem(sys.modules, "cheroot.wsgi", None)
    with pytest.raises(ModuleNotFoundError, match=r"cheroot.*neptun-sdk\[sandbox\]"):
        importlib.reload(neptun_sdk.sandbox)


TESTS = """
import sys

def test_nothing_is_imported_before_it_is_used():
    assert not {"neptun_sdk", "werkzeug", "httpx", "yaml"} & sys.modules.keys()

def test_the_fixture_is_a_running_sandbox(neptun_sandbox):
    assert neptun_sandbox.base_url.startswith("http://127.0.0.1:")
"""


def test_pytest_has_the_fixture_and_imports_nothing_for_it(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    # Other plugins may import what this test looks for.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "neptun_sandbox", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=60, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
