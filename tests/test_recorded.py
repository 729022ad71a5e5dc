"""Both operations and each documented error, in both dialects, replayed from cassettes.

``scripts/record.py`` records them over real sockets. The responses are a server's own, so what is asserted is what the
contract, or for a deployed server its dialect, promises.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from vcr.cassette import Cassette

import neptun_sdk
from neptun_sdk import NeptunClient
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect

CASSETTES = Path(__file__).parent / "cassettes"
SCRUBBED = "scrubbed"
MISSING_ID = 2_000_000_000
# The ids and the address in the cassettes, whichever server they come from. Nothing listens there.
REPLAY = json.loads((CASSETTES / "recorded.json").read_text(encoding="utf-8"))
# Only scripts/record.py sets this: a server, a session, ids, and a folder for the cassettes.
SETTINGS = json.loads(os.environ.get("RECORD", "{}")) or {**REPLAY, "session_cookie": SCRUBBED, "folder": CASSETTES}
USER_ID, PROJECT_ID, IMPORT_ID = SETTINGS["user_id"], SETTINGS["project_id"], SETTINGS["import_id"]

PROJECT_FIELDS = {
    "name": "Recorded name",
    "description": "Ünïcode 🚀",
    "project_type": "web-app",
    "programming_language": "go",
}
SOURCE = {"source_type": "public_github_repository_url", "source_path": "https://github.com/octocat/hello-world"}
IMPORT_FIELDS: dict[Dialect, dict[str, str]] = {
    "documented": {**SOURCE, "title": "Recorded title", "description": ""},
    "deployed": SOURCE,
}
OTHER_USER: dict[Dialect, type[neptun_sdk.NeptunError]] = {
    "documented": neptun_sdk.PermissionDeniedError,
    "deployed": neptun_sdk.AuthenticationError,
}
NOT_FOUND: dict[Dialect, type[neptun_sdk.NeptunError]] = {
    "documented": neptun_sdk.NotFoundError,
    "deployed": neptun_sdk.AuthenticationError,
}


def keep_content_type(response: dict[str, Any]) -> dict[str, Any]:
    response["headers"] = {name: value for name, value in response["headers"].items() if name.lower() == "content-type"}
    return response


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, Any]:
    return {
        "match_on": ["method", "path", "body"],
        "filter_headers": [("Cookie", SCRUBBED), "User-Agent", "Host"],
        "decode_compressed_response": True,
        "before_record_response": keep_content_type,
    }


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(SETTINGS["folder"])


@pytest.fixture
def default_cassette_name(request: pytest.FixtureRequest, dialect: Dialect) -> str:
    return f"{dialect}/{request.function.__name__}"


@pytest.fixture(autouse=True)
def every_interaction_is_used(vcr: Cassette | None) -> Iterator[None]:
    """A recorded interaction that its test no longer asks for fails that test."""
    yield
    if vcr is not None:
        assert vcr.all_played or vcr.record_mode.value != "none"


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture
def recorded_client(dialect: Dialect) -> Iterator[NeptunClient]:
    with NeptunClient(SETTINGS["session_cookie"], USER_ID, base_url=SETTINGS["base_url"], dialect=dialect) as client:
        yield client


@pytest.mark.vcr
def test_update_project(recorded_client: NeptunClient) -> None:
    project = recorded_client.update_project(PROJECT_ID, **PROJECT_FIELDS)
    assert (project.id, project.neptun_user_id) == (PROJECT_ID, USER_ID)
    assert {name: getattr(project, name) for name in PROJECT_FIELDS} == PROJECT_FIELDS
    assert project.created_at < project.updated_at


@pytest.mark.vcr
def test_update_project_import(recorded_client: NeptunClient, dialect: Dialect) -> None:
    fields = IMPORT_FIELDS[dialect]
    updated = recorded_client.update_project_import(PROJECT_ID, IMPORT_ID, **fields)
    assert (updated.id, updated.project_id, updated.neptun_user_id) == (IMPORT_ID, PROJECT_ID, USER_ID)
    assert {name: getattr(updated, name) or "" for name in fields} == fields
    assert updated.created_at < updated.updated_at


@pytest.mark.vcr
def test_bad_request(recorded_client: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.BadRequestError) as caught:
        recorded_client.update_project(PROJECT_ID, project_type="no-such-type")
    assert "project_type" in caught.value.fields


@pytest.mark.vcr
def test_unauthorized(recorded_client: NeptunClient) -> None:
    stranger = recorded_client.with_session(SCRUBBED, USER_ID)
    with pytest.raises(neptun_sdk.AuthenticationError, match="Log in to Neptun"):
        stranger.update_project(PROJECT_ID, name="x")


@pytest.mark.vcr
def test_forbidden(recorded_client: NeptunClient, dialect: Dialect) -> None:
    other = recorded_client.with_session(SETTINGS["session_cookie"], USER_ID + 1)
    with pytest.raises(OTHER_USER[dialect], match="user_id"):
        other.update_project(PROJECT_ID, name="x")


@pytest.mark.vcr
def test_project_not_found(recorded_client: NeptunClient, dialect: Dialect) -> None:
    with pytest.raises(NOT_FOUND[dialect], match=r"Check .*ids"):
        recorded_client.update_project(MISSING_ID, name="x")


@pytest.mark.vcr
def test_import_not_found(recorded_client: NeptunClient, dialect: Dialect) -> None:
    with pytest.raises(NOT_FOUND[dialect], match=r"Check .*ids"):
        recorded_client.update_project_import(PROJECT_ID, MISSING_ID, source_path="octocat/hello-world")


@pytest.mark.vcr
def test_server_error(recorded_client: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.ServerError) as caught:
        recorded_client.update_project(PROJECT_ID, name="Fails")
    assert (caught.value.status_code, caught.value.applied) == (500, None)


def test_every_cassette_belongs_to_a_test() -> None:
    tests = {
        name
        for name, value in globals().items()
        if any(mark.name == "vcr" for mark in getattr(value, "pytestmark", ()))
    }
    for dialect in DIALECTS:
        assert {path.stem for path in (CASSETTES / dialect).iterdir()} == tests
    assert {path.name for path in CASSETTES.iterdir()} == {"recorded.json", *DIALECTS}


@pytest.mark.parametrize(
    "cassette", sorted(CASSETTES.rglob("*.yaml")), ids=lambda path: path.relative_to(CASSETTES).as_posix()
)
def test_no_cassette_holds_a_secret(cassette: Path) -> None:
    text = cassette.read_text(encoding="utf-8")
    assert "Fe26" not in text
    assert "set-cookie" not in text.lower()
    for sent in re.findall(r"(?i)cookie:\s*\n\s*- (.*)", text):
        assert sent == SCRUBBED
    assert not re.search(r"(?i)authorization|neptun-session=", text)
    assert set(re.findall(r"https?://[^/\s\"']+", text)) <= {REPLAY["base_url"], "https://github.com"}
