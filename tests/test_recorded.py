"""Both operations and each documented error, replayed from cassettes that were recorded over real sockets.

``make record`` records them anew. The answers are a server's own, so what is asserted is what the contract promises.
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

CASSETTES = Path(__file__).parent / "cassettes"
SETTINGS = CASSETTES / "recorded.json"
SCRUBBED = "scrubbed"

# What a server owns, as far as the tests need it: ids and an address. No secret is in it.
recorded = json.loads(SETTINGS.read_text(encoding="utf-8"))
PROJECT_ID, IMPORT_ID = recorded["project_id"], recorded["import_id"]


def scrub_response(response: dict[str, Any]) -> dict[str, Any]:
    kept = {"content-type"}
    response["headers"] = {name: value for name, value in response["headers"].items() if name.lower() in kept}
    return response


@pytest.fixture(scope="module")
def vcr_config() -> dict[str, Any]:
    return {
        "match_on": ["method", "path", "body"],
        "filter_headers": [("Cookie", SCRUBBED), "User-Agent", "Host"],
        "before_record_response": scrub_response,
    }


@pytest.fixture(scope="module")
def vcr_cassette_dir() -> str:
    return str(CASSETTES)


@pytest.fixture(autouse=True)
def every_interaction_is_used(vcr: Cassette | None) -> Iterator[None]:
    """A recorded interaction that its test no longer asks for fails that test."""
    yield
    if vcr is not None:
        assert vcr.all_played or vcr.record_mode.value != "none"


@pytest.fixture
def recorded_client() -> Iterator[NeptunClient]:
    # Only scripts/record.py sets these; a replay needs no session that exists.
    cookie = os.environ.get("RECORD_SESSION_COOKIE", SCRUBBED)
    with NeptunClient(cookie, recorded["user_id"], base_url=recorded["base_url"], allow_http=True) as client:
        yield client


@pytest.mark.vcr
def test_update_project(recorded_client: NeptunClient) -> None:
    project = recorded_client.update_project(PROJECT_ID, name="Recorded name", description="Ünïcode 🚀")
    assert (project.id, project.neptun_user_id) == (PROJECT_ID, recorded["user_id"])
    assert (project.name, project.description) == ("Recorded name", "Ünïcode 🚀")
    assert project.created_at < project.updated_at


@pytest.mark.vcr
def test_update_project_import(recorded_client: NeptunClient) -> None:
    updated = recorded_client.update_project_import(PROJECT_ID, IMPORT_ID, title="Recorded title", description="")
    assert (updated.id, updated.project_id) == (IMPORT_ID, PROJECT_ID)
    assert (updated.title, updated.description or "") == ("Recorded title", "")
    assert updated.created_at < updated.updated_at


@pytest.mark.vcr
def test_bad_request(recorded_client: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.BadRequestError) as caught:
        recorded_client.update_project(PROJECT_ID, project_type="no-such-type")
    assert "project_type" in caught.value.fields


@pytest.mark.vcr
def test_unauthorized(recorded_client: NeptunClient) -> None:
    stranger = recorded_client.with_session(SCRUBBED, recorded["user_id"])
    with pytest.raises(neptun_sdk.AuthenticationError, match="Log in to Neptun"):
        stranger.update_project(PROJECT_ID, name="x")


@pytest.mark.vcr
def test_forbidden(recorded_client: NeptunClient) -> None:
    cookie = os.environ.get("RECORD_SESSION_COOKIE", SCRUBBED)
    with pytest.raises(neptun_sdk.PermissionDeniedError):
        recorded_client.with_session(cookie, recorded["user_id"] + 1).update_project(PROJECT_ID, name="x")


@pytest.mark.vcr
def test_project_not_found(recorded_client: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.NotFoundError):
        recorded_client.update_project(2_000_000_000, name="x")


@pytest.mark.vcr
def test_import_not_found(recorded_client: NeptunClient) -> None:
    with pytest.raises(neptun_sdk.NotFoundError):
        recorded_client.update_project_import(PROJECT_ID, 2_000_000_000, title="x")


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
    assert {path.stem for path in CASSETTES.glob("*.yaml")} == tests


@pytest.mark.parametrize("cassette", sorted(CASSETTES.iterdir()), ids=lambda path: path.name)
def test_no_cassette_holds_a_secret(cassette: Path) -> None:
    text = cassette.read_text(encoding="utf-8")
    assert "Fe26" not in text
    assert "set-cookie" not in text.lower()
    for sent in re.findall(r"(?i)cookie:\s*\n\s*- (.*)", text):
        assert sent == SCRUBBED
    assert not re.search(r"(?i)authorization|neptun-session=", text)
