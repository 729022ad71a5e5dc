"""``make record``: whichever server the cassettes come from, they are the same, and nothing private is in them."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import record
import yaml
from werkzeug.wrappers import Response

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.app import App

COMMITTED = record.CASSETTES
ACCOUNT = {"base_url": "https://neptun.test/v2", "session_cookie": "s3cret-cookie", "user_id": 41, "project_id": 7}
ACCOUNT |= {"import_id": 8}


@pytest.fixture
def cassettes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the cassettes, into which the script records."""
    copy = tmp_path / "cassettes"
    shutil.copytree(COMMITTED, copy)
    monkeypatch.setattr(record, "CASSETTES", copy)
    return copy


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in folder.rglob("*.*")}


def name_server(monkeypatch: pytest.MonkeyPatch, server: Sandbox, dialect: Dialect, number: int) -> None:
    account = server.accounts[number]
    settings = {"BASE_URL": server.base_url, "DIALECT": dialect, "SESSION_COOKIE": account.session_cookie}
    ids = {name.upper(): str(getattr(account, name)) for name in ("user_id", "project_id", "import_id")}
    for name, value in {**settings, **ids}.items():
        monkeypatch.setenv(f"NEPTUN_{name}", value)


def test_recording_again_changes_nothing(cassettes: Path) -> None:
    for dialect in DIALECTS:
        shutil.rmtree(cassettes / dialect)
    record.main()
    assert contents(cassettes) == contents(COMMITTED)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_server_with_other_ids_gives_the_same_cassettes(
    dialect: Dialect, cassettes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (cassettes / dialect).iterdir():
        if path.stem != "test_server_error":  # which cannot be asked for
            path.unlink()
    with Sandbox(dialect) as server:
        name_server(monkeypatch, server, dialect, 1)
        record.main()
        assert {request.path.split("/")[3] for request in server.requests} == {"2", "3"}
    assert contents(cassettes) == contents(COMMITTED)


def test_a_server_that_compresses_gives_the_same_cassettes(cassettes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    respond: Any = App.__call__

    def compress(app: App, environ: dict[str, Any], start_response: Any) -> Any:
        response = Response.from_app(lambda *arguments: respond(app, *arguments), environ)
        response.set_data(gzip.compress(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
        return response(environ, start_response)

    monkeypatch.setattr(App, "__call__", compress)
    with Sandbox() as server:
        name_server(monkeypatch, server, "documented", 0)
        record.main()
    assert contents(cassettes) == contents(COMMITTED)


def test_a_server_that_responds_differently_changes_no_cassette(
    neptun: Sandbox, cassettes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server(monkeypatch, neptun, "deployed", 0)
    with pytest.raises(SystemExit, match="the server does not respond as the tests above expect"):
        record.main()
    assert contents(cassettes) == contents(COMMITTED)


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_BASE_URL", "https://neptun.test")
    monkeypatch.setenv("NEPTUN_PROJECT_ID", "7")
    with pytest.raises(SystemExit, match="set NEPTUN_USER_ID, NEPTUN_IMPORT_ID, NEPTUN_SESSION_COOKIE too"):
        record.main()


def test_an_unknown_dialect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_DIALECT", "klingon")
    with pytest.raises(SystemExit, match="NEPTUN_DIALECT must be documented or deployed"):
        record.main()


def scrubbed(body: str, *, status: int = 200, path: str = "users/41/projects/7") -> tuple[str, Any]:
    """Scrub a cassette of one interaction, and return its URI and its decoded body."""
    interaction = {
        "request": {"uri": f"https://neptun.test/v2/api/{path}", "body": '{"name":"Sent","description":""}'},
        "response": {"status": {"code": status}, "body": {"string": body}},
    }
    text = record.scrub(yaml.safe_dump({"interactions": [interaction]}), ACCOUNT)
    scrubbed = yaml.safe_load(text)["interactions"][0]
    return scrubbed["request"]["uri"], json.loads(scrubbed["response"]["body"]["string"])


PATHS = {
    "project": ("users/41/projects/7", "users/1/projects/789"),
    "import": ("users/41/projects/7/resources/imports/8", "users/1/projects/789/resources/imports/123"),
    "another user": ("users/42/projects/7", "users/2/projects/789"),
    "missing project": ("users/41/projects/2000000000", "users/1/projects/2000000000"),
}


@pytest.mark.parametrize(("path", "expected"), PATHS.values(), ids=PATHS)
def test_the_address_and_the_ids_are_fixed(path: str, expected: str) -> None:
    uri, _ = scrubbed("{}", status=404, path=path)
    assert uri == f"http://127.0.0.1:9/api/{expected}"


ROW = {"id": 7, "name": "Sent", "type": "mine", "description": "", "prompt_context": {"files": ["private"]}}
ROW |= {"created_at": "2026-01-01T00:00:00Z", "updated_at": None, "neptun_user_id": 41, "open": True}
SCRUBBED_ROW = {"id": 789, "name": "Sent", "type": "scrubbed", "description": "", "prompt_context": {}}
SCRUBBED_ROW |= {"created_at": "2025-02-16T17:42:11.000Z", "updated_at": "2025-02-16T18:42:11.000Z"}
SCRUBBED_ROW |= {"neptun_user_id": 1, "open": True}


def test_of_a_resource_only_what_was_sent_is_kept() -> None:
    """A deployed server returns the text of every imported file with its project."""
    assert scrubbed(json.dumps(ROW))[1] == SCRUBBED_ROW
    assert scrubbed(json.dumps({"project": ROW}))[1] == {"project": SCRUBBED_ROW}


def test_of_an_error_the_address_and_the_stack_are_scrubbed() -> None:
    error = {
        "statusCode": 401,
        "message": "Unauthorized",
        "url": "http://10.0.0.1/api/users/41",
        "stack": ["/srv/x.js"],
    }
    expected = {"url": "http://127.0.0.1:9/api/users/1/projects/789", "stack": []}
    assert scrubbed(json.dumps(error), status=401)[1] == {**error, **expected}


REFUSED = {
    "an echo of the session": ('{"message": "no s3cret-cookie"}', "the server sent the session back"),
    "a page": ("<html>", "the body of a response is not a JSON object"),
    "a list": ("[]", "the body of a response is not a JSON object"),
}


@pytest.mark.parametrize(("body", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_scrubbed_is_refused(body: str, message: str) -> None:
    with pytest.raises(SystemExit, match=message):
        scrubbed(body, status=401)
