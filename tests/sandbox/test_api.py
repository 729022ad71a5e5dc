"""What follows from openapi.yaml alone: routes, checks and schemas, and errors at once if the sandbox does not fit."""

from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox, defaults, deployed, state

PROJECT_PATH = "/api/users/{user_id}/projects/{project_id}"
PROJECT = "/api/users/1/projects/789"
READ_PROJECT = {
    "operationId": "readProject",
    "responses": {
        "200": {
            "description": "OK",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ProjectEnvelope"}}},
        }
    },
}


def schema(contract: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = contract["components"]["schemas"][name]
    return found


def client_of(neptun: Sandbox) -> httpx.Client:
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    return httpx.Client(transport=neptun.transport(), base_url="http://neptun.test", headers=headers)


def test_another_operation_is_checked_as_the_others_are(dialect: Dialect, contract: dict[str, Any]) -> None:
    """It has no request body, so no Content-Type is asked for."""
    contract["paths"][PROJECT_PATH]["get"] = READ_PROJECT
    neptun = Sandbox(dialect)
    projects = {"/api/users/1/projects/0": 400, "/api/users/2/projects/790": 403, "/api/users/1/projects/790": 404}
    with client_of(neptun) as http:
        assert http.get(PROJECT).status_code == 200
        for project, status in projects.items():
            expected = 401 if dialect == "deployed" and status > 400 else status
            assert http.get(project).status_code == expected
        del http.headers["Cookie"]
        assert http.get(PROJECT).status_code == 401


def test_a_fixed_text_in_a_path_goes_before_an_id(contract: dict[str, Any]) -> None:
    contract["paths"] |= {
        "/api/users/{user_id}/projects/{project_id}/{word}": {
            "parameters": [
                *contract["paths"][PROJECT_PATH]["parameters"],
                {"name": "word", "in": "path", "required": True, "schema": {"type": "string"}},
            ],
            "get": {"operationId": "readWord", "responses": {"203": {"description": "A word"}}},
        },
        f"{PROJECT_PATH}/status": {
            "parameters": contract["paths"][PROJECT_PATH]["parameters"],
            "get": {"operationId": "readStatus", "responses": {"202": {"description": "The status"}}},
        },
    }
    with client_of(Sandbox()) as http:
        assert http.get(f"{PROJECT}/status").status_code == 202
        assert http.get(f"{PROJECT}/sample").status_code == 203
        assert http.get(f"{PROJECT}/other").status_code == 404


def test_a_handler_without_an_operation_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast("Any", deployed.HANDLERS), "inspectEverything", lambda _: {})
    message = r"deployed dialect.*inspectEverything.*does not have.*neptun_sdk/sandbox/deployed\.py"
    with pytest.raises(RuntimeError, match=message):
        Sandbox("deployed")


def test_a_path_whose_parameter_is_not_declared_fails_at_once(contract: dict[str, Any]) -> None:
    contract["paths"]["/api/files/{file_id}"] = {"get": READ_PROJECT}
    with pytest.raises(RuntimeError, match=r"readProject.*\{file_id\}.*add it to .*openapi\.yaml"):
        Sandbox()


def test_every_file_that_a_message_names_exists() -> None:
    root = Path(__file__).parent.parent.parent
    for source in (deployed.DeployedApi.source, "neptun_sdk/sandbox/state.py"):
        assert (root / source).is_file()


def test_a_new_field_works_without_a_change_to_the_sandbox(contract: dict[str, Any]) -> None:
    visibility = {"type": "string", "x-extensible-enum": ["public", "private"]}
    schema(contract, "UpdateProjectRequest")["properties"]["visibility"] = visibility
    schema(contract, "Project")["properties"]["visibility"] = visibility
    neptun = Sandbox()
    with client_of(neptun) as http:
        assert http.patch(PROJECT, json={"visibility": "private"}).json()["project"]["visibility"] == "private"
        assert http.patch(PROJECT, json={"visibility": 5}).json()["data"]["issues"][0]["path"] == ["visibility"]
        assert http.patch(PROJECT, json={"visibility": "x"}).status_code == 400
    assert neptun.project(neptun.add_project(visibility="public"))["visibility"] == "public"


def test_a_required_field_of_a_request_is_named(contract: dict[str, Any]) -> None:
    schema(contract, "UpdateProjectRequest")["required"] = ["name"]
    neptun = Sandbox()
    with client_of(neptun) as http:
        message = http.patch(PROJECT, json={}).json()["message"]
    assert message == "Invalid request body: 'name' is a required property"


def test_seeds_that_do_not_fit_the_contract_fail_at_once(contract: dict[str, Any]) -> None:
    project = schema(contract, "Project")
    project["properties"]["title"] = project["properties"].pop("name")
    project["required"] = ["title"]
    with pytest.raises(RuntimeError, match=r"name is not one of its fields.*SEEDS in neptun_sdk/sandbox/state\.py"):
        Sandbox()


def test_a_field_for_which_no_sample_can_be_made_needs_an_example(contract: dict[str, Any]) -> None:
    code: dict[str, Any] = {"type": "string", "pattern": "^[QX]{7}$"}
    schema(contract, "Project")["properties"]["code"] = code
    with pytest.raises(RuntimeError, match=r"code: .*does not match.*Change its example in openapi\.yaml"):
        Sandbox()
    code["example"] = "QXQXQXQ"
    assert Sandbox().project(789)["code"] == "QXQXQXQ"


def test_a_required_field_of_a_resource_is_made_from_its_type(contract: dict[str, Any]) -> None:
    schema(contract, "Project")["properties"]["owner"] = {"type": "string"}
    schema(contract, "Project")["required"].append("owner")
    with client_of(Sandbox()) as http:
        assert http.patch(PROJECT, json={"name": "x"}).json()["project"]["owner"] == "sample"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"name": None}, "name: Expected string"),
        ({"type": "x"}, "type: Invalid enum"),
        ({"title": "x"}, "title is not one of its columns"),
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


def test_a_response_outside_the_contract_is_a_bug_that_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defaults, "respond", lambda _: ({"project": {}}, {}))
    with (
        client_of(Sandbox()) as http,
        pytest.raises(RuntimeError, match="updateProject is not the contract's"),
    ):
        http.patch(PROJECT, json={"name": "x"})
