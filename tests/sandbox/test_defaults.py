"""Operations that the contract has and the sandbox has no line for: their method, path and bodies say what they do."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

import httpx
import pytest

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.reference import markdown

PROJECTS = "/api/users/1/projects"
PROJECT = f"{PROJECTS}/789"
TASK = f"{PROJECT}/tasks/55"
SLUG = "/api/projects/my-project"
FIRST = {"If-Match": '"1"'}
NEW = {"name": "New", "project_type": "web-app"}

pytestmark = pytest.mark.usefixtures("kinds")


@pytest.fixture
def neptun(dialect: Dialect) -> Sandbox:
    return Sandbox(dialect)


@pytest.fixture
def http(neptun: Sandbox) -> Iterator[httpx.Client]:
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(transport=neptun.transport(), base_url="http://neptun.test", headers=headers) as client:
        yield client


@pytest.fixture
def missing(dialect: Dialect) -> int:
    """The status of what is not there, or is another user's."""
    return 404 if dialect == "documented" else 401


def merge(http: httpx.Client, url: str, **fields: object) -> httpx.Response:
    return http.patch(url, json=fields, headers={"Content-Type": "application/merge-patch+json"})


def test_a_row_is_read_with_the_contracts_names(http: httpx.Client) -> None:
    project = http.get(PROJECT).json()["project"]
    assert (project["id"], project["project_type"], project["neptun_user_id"]) == (789, "web-site", 1)
    assert http.head(PROJECT).content == b""


def test_a_deleted_row_and_its_children_are_gone(http: httpx.Client, neptun: Sandbox, missing: int) -> None:
    response = http.delete(PROJECT)
    assert (response.status_code, response.content, response.headers.get("Content-Type")) == (204, b"", None)
    assert [http.delete(PROJECT).status_code, http.get(PROJECT).status_code] == [missing, missing]
    with pytest.raises(LookupError):
        neptun.project_import(789, 123)
    neptun.reset()
    assert http.get(PROJECT).status_code == 200


def test_a_deletion_may_say_that_it_succeeded(http: httpx.Client, missing: int) -> None:
    assert http.delete(TASK).json() == {"success": True}
    assert http.delete(TASK).status_code == missing


def test_a_new_row_has_an_id_and_what_was_sent(http: httpx.Client, neptun: Sandbox) -> None:
    response = http.post(PROJECTS, json={**NEW, "description": None, "id": 5})
    project = response.json()["project"]
    assert response.status_code == 201
    assert {name: project[name] for name in NEW} == NEW
    assert (project["id"], project["description"], project["neptun_user_id"]) == (791, None, 1)
    assert project["created_at"] == project["updated_at"] > "2026"
    assert (response.headers["Location"], response.headers["X-Quota"]) == (f"{PROJECTS}/791", "7")
    assert http.get(f"{PROJECTS}/791").json()["project"] == project
    assert neptun.project(791)["name"] == "New"
    assert http.post(PROJECTS, json=NEW).json()["project"]["id"] == 792


def test_a_key_makes_a_creation_safe_to_send_again(http: httpx.Client) -> None:
    first, again, other = (
        http.post(PROJECTS, json=NEW, headers={"Idempotency-Key": key}).json()["project"]["id"] for key in "aab"
    )
    assert first == again != other


WRONG_BODIES: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"name": "x"}, "'project_type' is a required property"),
    "of another type": ({**NEW, "name": 5}, "5 is not of type 'string'"),
    "too short": ({**NEW, "name": ""}, "'' should be non-empty"),
    "unknown value": ({**NEW, "project_type": "x"}, "Invalid enum value"),
}


@pytest.mark.parametrize(("body", "message"), WRONG_BODIES.values(), ids=WRONG_BODIES)
def test_an_invalid_body_has_the_status_and_the_body_that_the_contract_has_for_it(
    body: dict[str, Any], message: str, http: httpx.Client
) -> None:
    response = http.post(PROJECTS, json=body)
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")
    problem = response.json()
    assert (problem["title"], problem["status"]) == (HTTPStatus(422).phrase, 422)
    assert problem["type"] == "about:blank"
    assert message in problem["errors"][0]["detail"]


def test_a_body_that_is_no_json_is_a_bad_request(http: httpx.Client) -> None:
    response = http.post(PROJECTS, content=b"{", headers={"Content-Type": "application/json"})
    assert (response.status_code, response.headers["Content-Type"]) == (400, "application/json")


def test_a_list_holds_the_users_rows_page_by_page(http: httpx.Client) -> None:
    whole = http.get(PROJECTS).json()
    assert {name: whole[name] for name in ("total", "page", "per_page", "next_cursor")} == {
        "total": 2,
        "page": 1,
        "per_page": 20,
        "next_cursor": None,
    }
    assert [project["id"] for project in whole["projects"]] == [789, 123]
    assert whole["projects"][0] == http.get(PROJECT).json()["project"]
    second = http.get(PROJECTS, params={"page": 2, "per_page": 1}).json()
    assert [project["id"] for project in second["projects"]] == [123]
    assert (second["total"], second["page"]) == (2, 2)
    assert http.get(PROJECTS, params={"page": 9}).json()["projects"] == []


FILTERS: dict[str, tuple[dict[str, Any], list[int]]] = {
    "type": ({"type": "web-site"}, [789, 123]),
    "another type": ({"type": "web-app"}, []),
    "words": ({"q": "TRY THINGS"}, [789, 123]),
    "other words": ({"q": "nothing has them"}, []),
    "what no row has": ({"ids": ["1", "2"]}, [789, 123]),
    "unknown": ({"nope": "1"}, [789, 123]),
}


@pytest.mark.parametrize(("query", "ids"), FILTERS.values(), ids=FILTERS)
def test_a_query_filters_by_what_is_named_as_a_field_is(
    query: dict[str, Any], ids: list[int], http: httpx.Client
) -> None:
    assert [project["id"] for project in http.get(PROJECTS, params=query).json()["projects"]] == ids


@pytest.mark.parametrize(
    "query", ["page=0", "page=x", "page=1.5", "page=", "per_page=101", "type=x", "ids=1&ids=x", "page=01"]
)
def test_a_query_that_the_contract_does_not_allow_is_a_bad_request(query: str, http: httpx.Client) -> None:
    response = http.get(f"{PROJECTS}?{query}")
    assert response.status_code == 400
    assert response.json()["data"]["issues"][0]["path"] == [query.partition("=")[0]]


def test_fields_of_other_types_are_stored_and_cleared(http: httpx.Client) -> None:
    fields = {"priority": 9, "weight": 0.75, "done": False, "due_at": "2026-01-02T03:04:05Z", "labels": ["a", "b"]}
    first = http.get(f"{PROJECT}/tasks").json()[0]
    task = merge(http, TASK, **fields).json()
    assert task == {**first, **fields, "updated_at": task["updated_at"]}
    assert task["updated_at"] > first["updated_at"]
    assert merge(http, TASK, due_at=None, labels=[]).json() == {
        **task,
        "due_at": None,
        "labels": [],
        "updated_at": http.get(f"{PROJECT}/tasks").json()[0]["updated_at"],
    }


@pytest.mark.parametrize(
    "fields",
    [{"priority": "9"}, {"priority": 9.5}, {"priority": 2}, {"weight": None}, {"done": 1}, {"due_at": "soon"}],
    ids=str,
)
def test_a_value_of_another_type_is_refused(fields: dict[str, Any], http: httpx.Client) -> None:
    response = merge(http, TASK, **fields)
    assert response.status_code == 400
    assert response.json()["data"]["issues"][0]["path"] == list(fields)


def test_rows_of_a_new_resource_come_from_its_examples_and_types(http: httpx.Client) -> None:
    tasks = http.get(f"{PROJECT}/tasks").json()
    assert tasks == [
        {
            "id": number,
            "title": "Water the plants",
            "priority": 3,
            "weight": 0.5,
            "done": True,
            "due_at": "2025-02-16T17:42:11.000Z",
            "labels": ["sample"],
            "kind": "chore",
            "updated_at": "2025-02-16T17:42:11.000Z",
        }
        for number in (55, 56)
    ]


def test_a_row_belongs_to_its_user_and_to_its_parent(http: httpx.Client, neptun: Sandbox, missing: int) -> None:
    assert http.get(f"{PROJECTS}/123/tasks").json() == []
    assert merge(http, f"{PROJECTS}/123/tasks/55", done=True).status_code == missing
    assert merge(http, f"{PROJECT}/tasks/57", done=True).status_code == missing
    created = http.post(f"{PROJECTS}/123/tasks", json={"title": "Mine"}).json()
    assert (created["id"], created["title"]) == (58, "Mine")
    assert [task["id"] for task in http.get(f"{PROJECTS}/123/tasks").json()] == [58]
    http.headers["Cookie"] = f"neptun-session={neptun.accounts[1].session_cookie}"
    assert [task["id"] for task in http.get("/api/users/2/projects/790/tasks").json()] == [57]


def test_a_body_that_is_optional_may_be_left_out(http: httpx.Client) -> None:
    assert http.post(f"{PROJECT}/tasks").json()["title"] == "Water the plants"


def test_a_collection_can_be_deleted(http: httpx.Client) -> None:
    assert http.delete(f"{PROJECT}/tasks").status_code == 204
    assert http.get(f"{PROJECT}/tasks").json() == []


def test_an_action_returns_what_the_contract_says(http: httpx.Client, missing: int) -> None:
    assert http.post(f"{PROJECT}/archive").status_code == 202
    assert http.get(PROJECT).status_code == 200
    assert http.post(f"{PROJECTS}/999/archive").status_code == missing


def test_what_a_user_has_one_of_needs_no_id(http: httpx.Client) -> None:
    settings = f"{PROJECTS.removesuffix('projects')}settings"
    assert http.get(settings).json() == {"theme": "dark", "size": 12}
    assert http.patch(settings, json={"theme": "light"}).json() == {"theme": "light", "size": 12}
    assert http.patch(settings, json={"theme": "x"}).status_code == 400
    assert http.get(settings).json()["theme"] == "light"
    assert http.delete(settings).status_code == 204
    assert http.get(settings).json()["theme"] == "dark"


def test_a_user_is_a_row_too(http: httpx.Client, dialect: Dialect) -> None:
    assert http.get("/api/users/1").json() == {"user": {"id": 1, "email": "user@neptun.example"}}
    assert http.get("/api/users/2").status_code == (403 if dialect == "documented" else 401)


def test_a_row_is_found_by_a_text(http: httpx.Client, neptun: Sandbox, missing: int) -> None:
    response = http.patch(SLUG, json={"name": "By its slug"}, headers=FIRST)
    assert response.json()["project"]["name"] == "By its slug"
    assert neptun.project(789)["slug"] == "my-project"
    assert neptun.project(123)["slug"] == "my-project-2"
    other = "/api/projects/" + neptun.project(790)["slug"]
    for url in (other, "/api/projects/nope", "/api/projects/My-Project", "/api/projects/my-project%2F2"):
        assert http.patch(url, json={"name": "x"}, headers=FIRST).status_code == missing
    assert http.patch(f"/api/projects/{'x' * 41}", json={"name": "x"}, headers=FIRST).status_code == 400


def test_a_text_in_a_path_is_decoded_once(http: httpx.Client, neptun: Sandbox) -> None:
    project_id = neptun.add_project(slug="a/b %41é")
    url = "/api/projects/a%2Fb%20%2541%C3%A9"
    assert http.patch(url, json={"name": "x"}, headers={"If-Match": "*"}).json()["project"]["id"] == project_id


def test_a_row_that_has_changed_is_not_changed_by_who_saw_it_before(http: httpx.Client) -> None:
    assert http.get(PROJECT).headers["ETag"] == FIRST["If-Match"]
    first = http.patch(SLUG, json={"name": "First"}, headers=FIRST)
    stale = http.patch(SLUG, json={"name": "Stale"}, headers=FIRST)
    assert (stale.status_code, stale.headers["Content-Type"]) == (412, "application/problem+json")
    assert stale.json()["title"] == "Precondition Failed"
    assert http.get(PROJECT).json()["project"]["name"] == "First"
    for tags in (first.headers["ETag"], "*"):
        assert http.patch(SLUG, json={"name": "Second"}, headers={"If-Match": tags}).status_code == 200


def test_one_of_several_versions_is_enough(http: httpx.Client) -> None:
    assert http.patch(SLUG, json={"name": "x"}, headers={"If-Match": f'"0", {FIRST["If-Match"]}'}).status_code == 200


def test_an_update_by_another_operation_makes_a_new_version(http: httpx.Client) -> None:
    assert http.patch(PROJECT, json={"name": "x"}, headers={"Content-Type": "application/json"}).status_code == 200
    assert http.patch(SLUG, json={"name": "y"}, headers=FIRST).status_code == 412


def test_a_version_that_is_missing_has_the_contracts_status(http: httpx.Client) -> None:
    response = http.patch(SLUG, json={"name": "x"})
    assert (response.status_code, response.content) == (428, b"")


def test_scripted_errors_have_the_bodies_of_the_contract(http: httpx.Client, neptun: Sandbox) -> None:
    """A documented 409 of one operation, which another does not have."""
    neptun.fail_next(409, times=2, retry_after=3)
    described, usual = http.post(PROJECTS, json=NEW), http.get(PROJECT)
    assert (described.status_code, described.headers["Retry-After"]) == (409, "3")
    assert described.headers["Content-Type"] == "application/problem+json"
    assert described.json() == {"type": "about:blank", "title": "Conflict", "status": 409, "detail": "Conflict"}
    assert (usual.status_code, usual.headers["Content-Type"]) == (409, "application/json")
    assert usual.json()["statusCode"] == 409


def test_two_that_delete_at_once_delete_once(http: httpx.Client, missing: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: http.delete(PROJECT).status_code, range(8)))
    assert sorted(statuses) == sorted([204, *7 * [missing]])


DEPLOYED_FIELDS = {"name": "New", "type": "web-app", "main_language": "go"}


@pytest.mark.parametrize("dialect", ["deployed"], indirect=True)
def test_a_deployed_server_takes_a_field_under_either_name(http: httpx.Client, neptun: Sandbox) -> None:
    project = http.post(PROJECTS, json=DEPLOYED_FIELDS).json()["project"]
    assert (project["project_type"], project["programming_language"]) == ("web-app", "go")
    assert neptun.project(project["id"])["type"] == "web-app"
    assert http.patch(PROJECT, json={"type": "web-app"}).json()["type"] == "web-app"
    assert [each["id"] for each in http.get(PROJECTS, params={"type": "web-app"}).json()["projects"]] == [789, 791]


@pytest.mark.parametrize("dialect", ["deployed"], indirect=True)
def test_a_deployed_server_refuses_what_its_columns_do_not_take(http: httpx.Client) -> None:
    response = http.post(PROJECTS, json={**NEW, "programming_language": "cobol"})
    assert (response.status_code, "cobol" in response.text) == (422, True)
    assert http.get(f"{PROJECTS}/1.5").status_code == 400
    assert http.get(f"{PROJECTS}/2147483648").status_code == 500


def test_the_accept_header_is_that_of_the_success(http: httpx.Client, dialect: Dialect) -> None:
    for method, url in (("GET", PROJECTS), ("DELETE", TASK), ("DELETE", f"{PROJECT}/tasks")):
        refused = http.request(method, url, headers={"Accept": "text/html"})
        assert (refused.status_code == 400) == (dialect == "documented")


def test_an_unknown_method_names_those_of_the_path(http: httpx.Client, dialect: Dialect) -> None:
    response = http.put(PROJECTS)
    assert response.status_code == (405 if dialect == "documented" else 404)
    assert response.headers.get("Allow") == ("GET, HEAD, POST" if dialect == "documented" else None)


def test_the_reference_describes_them_and_its_curl_lines_fit(kinds: dict[str, Any]) -> None:
    text = markdown(kinds)
    lines = re.findall(r"curl -X .*", text)
    assert "curl -X PATCH 'https://neptun-webui.vercel.app/api/projects/my-project' \\" in lines
    assert """-H 'If-Match: "1"'""" in text
    assert 'client.update_project_by_slug(\n        "my-project",\n        if_match=' in text
    assert "`application/problem+json`." in text


def add(contract: dict[str, Any], path: str, method: str, status: str = "200", **parts: Any) -> dict[str, Any]:
    """Add an operation; ``content`` is that of its success, ``names`` are those of the parameters in its path."""
    declared = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
        for name in re.findall(r"{(\w+)}", path)
    ]
    success = {"description": "Done", "content": parts.pop("content", {})}
    operation: dict[str, Any] = {
        "operationId": "added",
        "parameters": [*declared, *parts.pop("parameters", [])],
        "responses": {status: success, **parts.pop("responses", {})},
        **parts,
    }
    contract["paths"].setdefault(path, {})[method] = operation
    return operation


def json_of(schema: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema, **parts}}


def ask(dialect: Dialect, method: str, url: str, **options: Any) -> httpx.Response:
    """Send one request to a new sandbox."""
    neptun = Sandbox(dialect)
    headers = {"Accept": "*/*", "Cookie": f"neptun-session={neptun.session_cookie}", **options.pop("headers", {})}
    with httpx.Client(transport=neptun.transport(), base_url="http://neptun.test", headers=headers) as http:
        return http.request(method, url, **options)


NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
ROW = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}, "name": {"type": "string"}}}
LIST = {"type": "array", "items": ROW}

# The path of a GET, what the contract says of its 200, and what comes back.
BODIES: dict[str, tuple[str, dict[str, Any], object]] = {
    "bare row": ("/api/boxes/{box_id}", ROW, {"id": 1, "name": "sample"}),
    "row without an id": ("/api/boxes/{box_id}", NAMED, {"name": "sample"}),
    "envelope of another name": (
        "/api/boxes/{box_id}",
        {"type": "object", "properties": {"data": ROW, "meta": {"type": "object"}}},
        {"data": {"id": 1, "name": "sample"}, "meta": {}},
    ),
    "bare list": ("/api/categories", LIST, [{"id": 1, "name": "sample"}, {"id": 2, "name": "sample"}]),
    "list of texts": ("/api/words", {"type": "array", "items": {"type": "string"}}, ["sample"]),
    "totals further in": (
        "/api/classes",
        {
            "type": "object",
            "properties": {
                "data": LIST,
                "meta": {
                    "type": "object",
                    "properties": {"total": {"type": "integer"}, "has_more": {"type": "boolean"}},
                },
            },
        },
        {
            "data": [{"id": 1, "name": "sample"}, {"id": 2, "name": "sample"}],
            "meta": {"total": 2, "has_more": False},
        },
    ),
    "parts": (
        "/api/boxes/{box_id}",
        {"allOf": [ROW, {"anyOf": [NAMED, ROW]}, {"properties": {"size": {"type": "number", "multipleOf": 2.5}}}]},
        {"id": 1, "name": "sample", "size": 2.5},
    ),
    "its own example": (
        "/api/boxes/{box_id}",
        {**ROW, "example": {"id": 9, "name": "Of the contract"}},
        {"id": 1, "name": "Of the contract"},
    ),
    "limits": (
        "/api/status",
        {
            "type": "object",
            "properties": {
                "short": {"type": "string", "maxLength": 2},
                "long": {"type": "string", "minLength": 8},
                "like": {"type": "string", "pattern": "^[0-9.]+$"},
                "below": {"type": "integer", "maximum": -3},
                "above": {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
                "two": {"type": "array", "minItems": 2, "items": {"type": "string", "format": "uuid"}},
                "any": {},
            },
        },
        {
            "short": "sa",
            "long": "samplexx",
            "like": "1",
            "below": -3,
            "above": 4,
            "two": 2 * ["00000000-0000-4000-8000-000000000001"],
            "any": "sample",
        },
    ),
}


@pytest.mark.parametrize(("path", "schema", "body"), BODIES.values(), ids=BODIES)
def test_a_body_is_made_for_any_schema(
    path: str, schema: dict[str, Any], body: object, dialect: Dialect, contract: dict[str, Any]
) -> None:
    add(contract, path, "get", content=json_of(schema))
    assert ask(dialect, "GET", re.sub("{.*}", "1", path)).json() == body


def test_a_schema_that_contains_itself_ends(dialect: Dialect, contract: dict[str, Any]) -> None:
    contract["components"]["schemas"]["Tree"] = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/Tree"}}},
    }
    add(contract, "/api/tree", "get", content=json_of({"$ref": "#/components/schemas/Tree"}))
    assert "children" in ask(dialect, "GET", "/api/tree").json()


EXAMPLES: dict[str, dict[str, Any]] = {
    "one": {"example": {"box": {"id": 9, "name": "Of the contract"}}},
    "several": {"examples": {"published": {"value": {"box": {"id": 9, "name": "Of the contract"}}}}},
}


@pytest.mark.parametrize("given", EXAMPLES.values(), ids=EXAMPLES)
def test_a_row_is_that_of_an_example_but_for_its_id(
    given: dict[str, Any], dialect: Dialect, contract: dict[str, Any]
) -> None:
    envelope = {"type": "object", "properties": {"box": ROW}}
    operation = add(contract, "/api/boxes/{box_id}", "get", content=json_of(envelope, **given))
    operation["parameters"][0]["examples"] = {"published": {"value": 77}}
    assert ask(dialect, "GET", "/api/boxes/77").json() == {"box": {"id": 77, "name": "Of the contract"}}
    assert "Of the contract" in markdown(contract)


def test_an_id_of_any_name_is_the_rows_id(dialect: Dialect, contract: dict[str, Any]) -> None:
    add(contract, "/api/boxes/{number}", "get", content=json_of(ROW))
    parts = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}}
    add(
        contract,
        "/api/boxes/{number}/parts",
        "get",
        content=json_of({"type": "array", "items": parts}),
        operationId="p",
    )
    assert ask(dialect, "GET", "/api/boxes/2").json()["id"] == 2
    assert [part["id"][-2:] for part in ask(dialect, "GET", "/api/boxes/1/parts").json()] == ["01", "02"]


def test_times_may_be_numbers(dialect: Dialect, contract: dict[str, Any]) -> None:
    row = {**ROW, "properties": {**ROW["properties"], "updated_at": {"type": "integer", "example": 100}}}  # type: ignore[dict-item]
    body = {"content": json_of({"type": "object", "properties": {"name": {"type": "string"}}})}
    add(contract, "/api/boxes/{box_id}", "patch", content=json_of(row), requestBody=body)
    response = ask(dialect, "PATCH", "/api/boxes/1", json={"name": "x"})
    assert response.json() == {"id": 1, "name": "x", "updated_at": 101}


def test_a_response_may_be_no_json(dialect: Dialect, contract: dict[str, Any]) -> None:
    problem = {"409": {"description": "No", "content": {"text/plain": {"schema": {"type": "string"}}}}}
    add(contract, "/api/users/{user_id}/export", "get", content={"text/csv": {}}, responses=problem)
    response = ask(dialect, "GET", "/api/users/1/export")
    assert (response.headers["Content-Type"], response.text) == ("text/csv", "sample")
    neptun = Sandbox(dialect)
    neptun.fail_next(409)
    with httpx.Client(transport=neptun.transport()) as http:
        assert http.get("http://neptun.test/api/users/1/export").text == "Conflict"
    assert "No body." in markdown(contract)


def test_a_request_may_be_no_json(dialect: Dialect, contract: dict[str, Any]) -> None:
    body = {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}
    add(contract, "/api/users/{user_id}/table", "put", "204", requestBody=body)
    response = ask(dialect, "PUT", "/api/users/1/table", content=b"a;b", headers={"Content-Type": "text/csv"})
    assert response.status_code == (204 if dialect == "documented" else 400)


HEADERS = [
    {"name": "X-Tenant", "in": "header", "required": True, "schema": {"type": "string"}},
    {"name": "Accept", "in": "header", "required": True, "schema": {"type": "string"}},
    {"name": "width", "in": "query", "schema": {"type": "number"}},
    {"name": "sizes", "in": "query", "explode": False, "schema": {"type": "array", "items": {"type": "integer"}}},
    {"name": "flag", "in": "query", "schema": {"type": "boolean"}},
    {"name": "kind", "in": "query", "schema": {"type": "string", "x-extensible-enum": ["a"]}},
    {"name": "other", "in": "cookie", "schema": {"type": "string"}},
]
TENANT = {"X-Tenant": "neptun"}
PARAMETERS: dict[str, tuple[str, dict[str, str], int]] = {
    "all of them": ("?width=1.5&sizes=1,2&flag=true&kind=a", TENANT, 200),
    "an integer for a number": ("?width=2", TENANT, 200),
    "header missing": ("", {}, 400),
    "not a number": ("?width=wide", TENANT, 400),
    "not a list of integers": ("?sizes=1,x", TENANT, 400),
    "not a boolean": ("?flag=1", TENANT, 400),
    "unknown value": ("?kind=b", TENANT, 400),
}


@pytest.mark.parametrize(("query", "headers", "status"), PARAMETERS.values(), ids=PARAMETERS)
def test_parameters_are_read_by_their_schemas(
    query: str, headers: dict[str, str], status: int, dialect: Dialect, contract: dict[str, Any]
) -> None:
    add(contract, "/api/boxes", "get", content=json_of(LIST), parameters=HEADERS)
    assert ask(dialect, "GET", f"/api/boxes{query}", headers=headers).status_code == status
    assert 'client.added(\n        x_tenant="sample",\n    )' in markdown(contract)


ERRORS: dict[str, tuple[dict[str, Any], object]] = {
    "by field": ({"type": "object"}, {"name": ["5 is not of type 'string'"]}),
    "texts": ({"type": "array", "items": {"type": "string"}}, ["name: 5 is not of type 'string'"]),
}


@pytest.mark.parametrize(("schema", "errors"), ERRORS.values(), ids=ERRORS)
def test_problems_of_fields_have_the_shape_that_the_contract_gives_them(
    schema: dict[str, Any], errors: object, dialect: Dialect, kinds: dict[str, Any]
) -> None:
    kinds["paths"]["/api/users/{user_id}/projects"]["post"]["responses"]["422"] = {
        "description": "Not valid",
        "content": {"application/problem+json": {"schema": {"type": "object", "properties": {"errors": schema}}}},
    }
    assert ask(dialect, "POST", PROJECTS, json={**NEW, "name": 5}).json() == {"errors": errors}


@pytest.mark.parametrize(("responses", "status"), [({"409": {"description": "There is one"}}, 409), ({}, 400)])
def test_a_text_that_chooses_a_row_is_there_once(
    responses: dict[str, Any], status: int, dialect: Dialect, kinds: dict[str, Any]
) -> None:
    body = {"content": json_of({"type": "object", "properties": {"slug": {"type": "string"}}})}
    content = json_of({"$ref": "#/components/schemas/ProjectEnvelope"})
    add(kinds, "/api/projects", "post", "201", requestBody=body, content=content, responses=responses)
    assert ask(dialect, "POST", "/api/projects", json={"slug": "my-project"}).status_code == status
    assert ask(dialect, "POST", "/api/projects", json={"slug": "another"}).status_code == 201


def test_a_request_may_not_set_what_no_response_may_hold(dialect: Dialect, contract: dict[str, Any]) -> None:
    body = {"content": json_of({"type": "object", "properties": {"id": {}, "name": {}}})}
    add(contract, "/api/boxes/{box_id}", "patch", content=json_of(ROW), requestBody=body)
    assert ask(dialect, "PATCH", "/api/boxes/1", json={"name": 5}).status_code == 400
