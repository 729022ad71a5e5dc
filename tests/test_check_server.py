"""``make check-server``: it tells the dialect and the differences, and writes only where it may."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from werkzeug.wrappers import Request, Response

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.app import App

ROOT = Path(__file__).parent.parent


def check(server: Sandbox, **changes: str) -> "subprocess.CompletedProcess[str]":
    settings = {
        "NEPTUN_BASE_URL": server.base_url,
        "NEPTUN_SESSION_COOKIE": server.session_cookie,
        "NEPTUN_USER_ID": str(server.user_id),
        "NEPTUN_PROJECT_ID": str(server.project_id),
        "NEPTUN_IMPORT_ID": str(server.import_id),
        "CONFIRM": "yes",
    }
    environment = {**os.environ, **settings, **changes}
    command = [sys.executable, str(ROOT / "scripts" / "check_server.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert server.session_cookie not in done.stdout + done.stderr
    return done


@pytest.fixture
def deployed() -> Iterator[Sandbox]:
    with Sandbox("deployed") as server:
        yield server


def test_a_documented_server_is_the_same_in_every_row(neptun: Sandbox) -> None:
    done = check(neptun)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "use dialect='documented', or NEPTUN_DIALECT=documented" in done.stdout
    assert "different" not in done.stdout


def test_a_deployed_server_differs_only_where_the_sdk_knows(deployed: Sandbox) -> None:
    done = check(deployed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "use dialect='deployed', or NEPTUN_DIALECT=deployed" in done.stdout
    assert done.stdout.count("different, known") == 16
    assert "NOT KNOWN" not in done.stdout


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_import_that_is_missing_is_not_a_difference(dialect: Dialect) -> None:
    with Sandbox(dialect) as server:
        done = check(server, NEPTUN_IMPORT_ID="999")
    assert done.returncode == 2
    assert "Project 789 has no import 999 that this user may update" in done.stdout
    assert "check NEPTUN_IMPORT_ID" in done.stdout
    assert "The SDK does not know" not in done.stdout


def test_a_difference_that_the_sdk_does_not_know_is_found(neptun: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    respond: Any = App.__call__

    def seeded(app: App, environ: dict[str, Any], start_response: Any) -> Any:
        if Request(environ).path.endswith("/projects/2000000000"):
            gone = json.dumps({"statusCode": 410, "message": "Gone"})
            return Response(gone, 410, content_type="application/json")(environ, start_response)
        return respond(app, environ, start_response)

    monkeypatch.setattr(App, "__call__", seeded)
    done = check(neptun)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "410 message" in done.stdout
    assert "The SDK does not know 1 of the differences: PATCH missing project." in done.stdout


@pytest.mark.parametrize("confirm", ["", "no"])
def test_without_consent_it_says_what_it_would_write_and_sends_nothing(confirm: str, neptun: Sandbox) -> None:
    neptun.fail_next(500)
    done = check(neptun, CONFIRM=confirm)
    assert done.returncode == 2
    assert "project 789: name, description, project_type and programming_language" in done.stdout
    assert "nothing was sent" in done.stderr
    with httpx.Client(base_url=neptun.base_url) as http:
        assert http.get("/").status_code == 500, "the scripted fault was used up, so a request was made"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"NEPTUN_PROJECT_ID": "", "NEPTUN_USER_ID": ""}, "set NEPTUN_USER_ID, NEPTUN_PROJECT_ID"),
        ({"NEPTUN_PROJECT_ID": "0"}, "NEPTUN_PROJECT_ID must be a positive int"),
        ({"NEPTUN_IMPORT_ID": "x"}, "invalid literal"),
        ({"NEPTUN_BASE_URL": "http://neptun.test"}, "plain http"),
    ],
)
def test_settings_that_cannot_be_right_are_refused(changes: dict[str, str], words: str, neptun: Sandbox) -> None:
    done = check(neptun, **changes)
    assert done.returncode == 2
    assert words in done.stderr


def test_where_it_cannot_tell_it_says_so(neptun: Sandbox) -> None:
    done = check(neptun, NEPTUN_SESSION_COOKIE="expired")
    assert done.returncode == 2
    assert "check the session and the ids" in done.stdout
