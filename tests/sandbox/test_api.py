"""What follows from openapi.yaml alone: routes, checks and schemas, and errors at once if the sandbox does not fit."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox, deployed, documented, spec, state
from neptun_sdk.sandbox.api import Call

PROJECT_PATH = "/api/users/{user_id}/projects/{project_id}"
PROJECT = "/api/users/1/projects/789"
INSPECTION_PATH = f"{PROJECT_PATH}/inspection"
INSPECTION = f"{PROJECT}/inspection"
HANDLERS: dict[Dialect, Any] = {"documented": documented.HANDLERS, "deployed": deployed.HANDLERS}


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The contract, for a test to change."""
    changed = copy.deepcopy(spec.load_spec())
    monkeypatch.setattr(spec, "load_spec", lambda: changed)
    return changed


def schema(contract: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = contract["components"]["schemas"][name]
    return found


def inspect_everything(contract: dict[str, Any]) -> dict[str, Any]:
    """Add an operation that reads a project, with a name and a path that the contract will hardly have; return it."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/ProjectEnvelope"}}}
    operation = {"operationId": "inspectEverything", "responses": {"200": {"description": "OK", "content": content}}}
    parameters = contract["paths"][PROJECT_PATH]["parameters"]
    contract["paths"][INSPECTION_PATH] = {"parameters": parameters, "get": operation}
    return operation


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    chosen: Dialect = request.param
    return chosen


@pytest.fixture
def reading(
    dialect: Dialect, contract: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Sandbox, httpx.Client]]:
    """A sandbox whose contract can also read a project, and a client of it."""

    def read(call: Call) -> dict[str, Any]:
        return dict(call.row) if dialect == "deployed" else {"project": dict(call.row)}

    inspect_everything(contract)
    monkeypatch.setitem(HANDLERS[dialect], "inspectEverything", read)
    neptun = Sandbox(dialect)
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(transport=neptun.transport(), base_url="http://neptun.test", headers=headers) as http:
        yield neptun, http


def test_a_reading_operation_needs_a_handler_and_nothing_else(reading: tuple[Sandbox, httpx.Client]) -> None:
    """It has no request body, so no Content-Type is asked for."""
    neptun, http = reading
    row = http.get(INSPECTION).json()
    assert row.get("project", row) == neptun.project(789)
    assert http.head(INSPECTION).content == b""


def test_a_reading_operation_is_checked_as_the_others_are(
    dialect: Dialect, reading: tuple[Sandbox, httpx.Client]
) -> None:
    _, http = reading
    projects = {"/api/users/1/projects/0": 400, "/api/users/2/projects/790": 403, "/api/users/1/projects/790": 404}
    for project, status in projects.items():
        assert http.get(f"{project}/inspection").status_code == (
            401 if dialect == "deployed" and status > 400 else status
        )
    assert httpx.Client(transport=reading[0].transport()).get(f"http://x{INSPECTION}").status_code == 401
    if dialect == "documented":
        assert http.delete(INSPECTION).headers["Allow"] == "GET, HEAD"
        assert http.get(INSPECTION, headers={"Accept": "text/html"}).status_code == 400


def test_an_operation_without_a_handler_fails_at_once(dialect: Dialect, contract: dict[str, Any]) -> None:
    inspect_everything(contract)
    message = f"inspectEverything.*{dialect} dialect.*no handler.*HANDLERS in neptun_sdk/sandbox/{dialect}.py"
    with pytest.raises(RuntimeError, match=message):
        Sandbox(dialect)


def test_a_handler_without_an_operation_fails_at_once(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS[dialect], "inspectEverything", lambda _: {})
    message = f"{dialect} dialect.*inspectEverything.*does not have.*neptun_sdk/sandbox/{dialect}.py"
    with pytest.raises(RuntimeError, match=message):
        Sandbox(dialect)


def test_an_id_of_no_resource_fails_at_once(contract: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(HANDLERS["documented"], "inspectEverything", lambda _: {})
    inspect_everything(contract)
    item = contract["paths"].pop(INSPECTION_PATH)
    file_id = {"name": "file_id", "in": "path", "required": True, "schema": {"type": "integer"}}
    item["parameters"] = [item["parameters"][0], file_id]
    contract["paths"]["/api/users/{user_id}/files/{file_id}"] = item
    with pytest.raises(RuntimeError, match=r"inspectEverything.*file_id.*RESOURCES in neptun_sdk/sandbox/state\.py"):
        Sandbox()


def test_every_file_that_a_message_names_exists() -> None:
    root = Path(__file__).parent.parent.parent
    for source in (documented.DocumentedApi.source, deployed.DeployedApi.source, "neptun_sdk/sandbox/state.py"):
        assert (root / source).is_file()


def test_a_new_field_works_without_a_change_to_the_sandbox(contract: dict[str, Any]) -> None:
    visibility = {"type": "string", "x-extensible-enum": ["public", "private"]}
    schema(contract, "UpdateProjectRequest")["properties"]["visibility"] = visibility
    schema(contract, "Project")["properties"]["visibility"] = visibility
    neptun = Sandbox()
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(transport=neptun.transport(), base_url="http://neptun.test", headers=headers) as http:
        assert http.patch(PROJECT, json={"visibility": "private"}).json()["project"]["visibility"] == "private"
        assert http.patch(PROJECT, json={"visibility": 5}).json()["data"]["issues"][0]["path"] == ["visibility"]
        assert http.patch(PROJECT, json={"visibility": "x"}).status_code == 400
    assert neptun.project(neptun.add_project(visibility="public"))["visibility"] == "public"


def test_a_required_field_of_a_request_is_named(contract: dict[str, Any]) -> None:
    schema(contract, "UpdateProjectRequest")["required"] = ["name"]
    neptun = Sandbox()
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(transport=neptun.transport(), base_url="http://neptun.test", headers=headers) as http:
        message = http.patch(PROJECT, json={}).json()["message"]
    assert message == "Invalid request body: 'name' is a required property"


BAD_SEEDS = {
    "renamed": ("name", "title", "name is no field of it"),
    "required": (None, "owner", "'owner' is a required property"),
}


@pytest.mark.parametrize(("old", "new", "problem"), BAD_SEEDS.values(), ids=BAD_SEEDS)
def test_seeds_that_do_not_fit_the_contract_fail_at_once(
    old: str | None, new: str, problem: str, contract: dict[str, Any]
) -> None:
    project = schema(contract, "Project")
    project["properties"][new] = project["properties"].pop(old, {"type": "string"})
    project["required"] = [new]
    with pytest.raises(RuntimeError, match=rf"{problem}.*SEEDS in neptun_sdk/sandbox/state\.py"):
        Sandbox()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, "name: Expected string"),
        ({"type": "x"}, "type: Invalid enum"),
        ({"title": "x"}, "title is no column"),
    ],
    ids=["null", "unknown value", "unknown column"],
)
def test_seeds_that_a_deployed_server_cannot_store_fail_at_once(
    change: dict[str, Any], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: Any = state.SEEDS["deployed"][state.PROJECT]
    for name, value in change.items():
        monkeypatch.setitem(seeds, name, value)
    with pytest.raises(RuntimeError, match=rf"deployed dialect.*{problem}.*SEEDS in neptun_sdk/sandbox/state\.py"):
        Sandbox("deployed")


def test_a_seed_without_a_column_of_a_deployed_server_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: Any = state.SEEDS["deployed"]
    # Not `delitem`, which puts it back in another order.
    monkeypatch.setitem(seeds, state.PROJECT, {k: v for k, v in seeds[state.PROJECT].items() if k != "main_language"})
    with pytest.raises(RuntimeError, match="main_language is missing"):
        Sandbox("deployed")


def test_a_response_outside_the_contract_is_a_bug_that_is_seen(
    contract: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inspect_everything(contract)
    monkeypatch.setitem(HANDLERS["documented"], "inspectEverything", lambda _: {"project": {}})
    neptun = Sandbox()
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with (
        httpx.Client(transport=neptun.transport(), headers=headers) as http,
        pytest.raises(RuntimeError, match="inspectEverything is not the contract's"),
    ):
        http.get(f"http://neptun.test{INSPECTION}")


def test_a_response_without_content_and_a_resource_that_no_operation_returns_are_fine(
    contract: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inspection = state.Resource("inspection", "inspection_id")
    monkeypatch.setitem(state.RESOURCES, "inspection_id", inspection)
    monkeypatch.setitem(cast("Any", state.SEED_IDS), inspection, [{"id": 1, state.OWNER: 1}])
    inspect_everything(contract)["responses"] = {"204": {"description": "Nothing"}}
    monkeypatch.setitem(HANDLERS["documented"], "inspectEverything", lambda _: {})
    neptun = Sandbox()
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(transport=neptun.transport(), headers=headers) as http:
        response = http.get(f"http://neptun.test{INSPECTION}")
    assert (response.status_code, response.content) == (204, b"")
