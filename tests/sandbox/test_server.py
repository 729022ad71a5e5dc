"""The Sandbox as a user's own tests meet it."""

import importlib
import subprocess
import sys
import threading

import pytest

import neptun_sdk.sandbox
from neptun_sdk import NeptunClient, NotFoundError
from neptun_sdk.sandbox import Sandbox


def test_a_sandbox_is_seeded_with_two_users_of_their_own(neptun: Sandbox) -> None:
    first, second = neptun.accounts
    assert (neptun.session_cookie, neptun.user_id) == (first.session_cookie, first.user_id)
    assert (neptun.project_id, neptun.import_id) == (first.project_id, first.import_id)
    assert len(first.session_cookie) == len(second.session_cookie) == 441
    for account in neptun.accounts:
        with NeptunClient(account.session_cookie, account.user_id, base_url=neptun.base_url) as client:
            assert client.update_project(account.project_id, name="x").neptun_user_id == account.user_id
            updated = client.update_project_import(account.project_id, account.import_id, title="x")
            assert updated.project_id == account.project_id


def test_the_transport_serves_the_same_state_without_a_socket(neptun: Sandbox, client: NeptunClient) -> None:
    settings = {"base_url": neptun.base_url, "transport": neptun.transport()}
    with NeptunClient(neptun.session_cookie, neptun.user_id, **settings) as in_process:  # type: ignore[arg-type]
        in_process.update_project(neptun.project_id, name="Set in process")
    assert client.update_project(neptun.project_id, description="x").name == "Set in process"


def test_a_sandbox_that_does_not_run_still_has_its_transport() -> None:
    neptun = Sandbox()
    url, transport = "http://127.0.0.1", neptun.transport()
    with NeptunClient(neptun.session_cookie, neptun.user_id, base_url=url, transport=transport) as client:
        with pytest.raises(NotFoundError):
            client.update_project(1, name="x")
        assert client.update_project(neptun.project_id, name="x").name == "x"


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


def test_a_sandbox_leaves_no_thread_behind() -> None:
    before = set(threading.enumerate())
    with Sandbox():
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before


def test_importing_the_sdk_does_not_import_the_sandbox() -> None:
    unwanted = ("neptun_sdk.sandbox", "cheroot", "openapi_core", "werkzeug", "yaml")
    code = f"import sys, neptun_sdk; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_its_extra_the_sandbox_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "neptun_sdk.sandbox.server")
    monkeypatch.setitem(sys.modules, "cheroot.wsgi", None)
    with pytest.raises(ModuleNotFoundError, match=r"cheroot.*pip install 'neptun-sdk\[sandbox\]'"):
        importlib.reload(neptun_sdk.sandbox)
