"""The rows of the operations: what is derived for each, the requests they build, the resources they read."""

from datetime import UTC, datetime
from typing import Any

import pytest

from neptun_openapi.types import UNSET, Unset
from neptun_sdk import ArgumentError, Project, ProjectImport
from neptun_sdk._contract import Facts
from neptun_sdk.operations import Operation, Operations, prepare
from tests.operations import call_of, made

Row = dict[str, object]

CREATED = datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC)
UPDATED = datetime(2025, 2, 16, 18, 42, 11, tzinfo=UTC)
JSON_HEADERS = {"Content-Type": "application/json"}


def build_list(user_id: int, *, page: int | Unset = 1, type_: str | Unset = UNSET, if_match: str) -> dict[str, Any]:
    """What the generator writes for an operation with a query, with a name of Python's own, and with a header."""
    given = {"page": page, "type": type_}
    params = {name: value for name, value in given.items() if value is not UNSET}
    url = f"/api/users/{user_id}/projects"
    return {"method": "get", "url": url, "params": params, "headers": {"If-Match": if_match}}


def build_slug(slug: str) -> dict[str, Any]:
    return {"method": "delete", "url": f"/api/projects/{slug}"}


LIST = made("list_projects", build_list, Facts("GET", 200, "projects", True, {}), list[Project])
DELETE = made("delete_project", build_slug, Facts("DELETE", 204, None, True, {}), None)


def test_a_row_is_named_by_its_generated_module() -> None:
    assert Operations.UPDATE_PROJECT.name == "update_project"
    assert repr(Operations.UPDATE_PROJECT_IMPORT) == "<Operation update_project_import>"


def test_a_row_knows_the_ids_of_its_path_in_their_order() -> None:
    assert Operations.UPDATE_PROJECT.ids == ("user_id", "project_id")
    assert Operations.UPDATE_PROJECT_IMPORT.ids == ("user_id", "project_id", "import_id")
    assert (LIST.ids, DELETE.ids) == (("user_id",), ("slug",))


def test_a_row_that_the_contract_does_not_have_says_what_to_run() -> None:
    unknown = made("get_nothing", build_list, Facts("GET", 200, "", True, {}), None)
    del vars(unknown)["facts"]
    with pytest.raises(LookupError, match="has no get_nothing: run `make generate`"):
        _ = unknown.is_safe


def test_a_type_without_a_check_names_the_file_to_change() -> None:
    def build(user_id: int, *, since: bytes) -> dict[str, Any]:
        return {"url": f"{user_id}{since!r}"}

    operation = made("get_more", build, Facts("GET", 200, "", True, {}), None)
    with pytest.raises(
        TypeError, match=r"since of build: teach the type <class 'bytes'> to kind_of\(\) in neptun_sdk/val"
    ):
        _ = operation.parameters


NOUNS = {
    "PATCH": (200, "update"),
    "PUT": (200, "update"),
    "DELETE": (204, "deletion"),
    "GET": (200, "request"),
    "POST": (201, "creation"),
}


@pytest.mark.parametrize(("method", "status", "noun"), [(name, *each) for name, each in NOUNS.items()], ids=NOUNS)
def test_a_call_is_named_by_its_method(method: str, status: int, noun: str) -> None:
    assert made("do", build_slug, Facts(method, status, "", True, {}), None).noun == noun


def test_a_post_that_creates_nothing_is_a_request() -> None:
    assert made("do", build_slug, Facts("POST", 200, "", True, {}), None).noun == "request"


WHATS: dict[str, tuple[Operation[Any], str]] = {
    "an envelope": (Operations.UPDATE_PROJECT_IMPORT, "import"),
    "the whole body": (made("do", build_slug, Facts("GET", 200, "", True, {}), ProjectImport), "project import"),
    "a list": (made("do", build_slug, Facts("GET", 200, "", True, {}), list[Project]), "list"),
    # The envelope of a resource that has a field of its name is that field.
    "a field": (made("do", build_slug, Facts("GET", 200, "title", True, {}), ProjectImport), "project import"),
}


@pytest.mark.parametrize(("operation", "what"), WHATS.values(), ids=WHATS)
def test_a_success_is_named_by_what_it_holds(operation: Operation[Any], what: str) -> None:
    assert operation.what == what


REQUESTS: dict[str, tuple[Operation[Any], dict[str, object], dict[str, Any]]] = {
    "update a project": (
        Operations.UPDATE_PROJECT,
        {"project_id": 123, "name": "New name", "description": "", "project_type": None},
        {
            "method": "patch",
            "url": "/api/users/1/projects/123",
            "json": {"name": "New name", "description": ""},
            "headers": JSON_HEADERS,
        },
    ),
    "update an import": (
        Operations.UPDATE_PROJECT_IMPORT,
        {"project_id": 789, "import_id": 123, "title": "New title"},
        {
            "method": "put",
            "url": "/api/users/1/projects/789/resources/imports/123",
            "json": {"title": "New title"},
            "headers": JSON_HEADERS,
        },
    ),
    "query and header": (
        LIST,
        {"page": 2, "type": "web-app", "if_match": '"1"'},
        {
            "method": "get",
            "url": "/api/users/1/projects",
            "params": {"page": 2, "type": "web-app"},
            "headers": {"If-Match": '"1"'},
        },
    ),
    "what is left out has no default": (
        LIST,
        {"page": None, "type": None, "if_match": "1"},
        {"method": "get", "url": "/api/users/1/projects", "params": {}, "headers": {"If-Match": "1"}},
    ),
    "another user than the session's": (
        LIST,
        {"user_id": 7, "if_match": "1"},
        {"method": "get", "url": "/api/users/7/projects", "params": {}, "headers": {"If-Match": "1"}},
    ),
    "without a user": (DELETE, {"slug": "a-slug"}, {"method": "delete", "url": "/api/projects/a-slug"}),
}


@pytest.mark.parametrize(("operation", "arguments", "parts"), REQUESTS.values(), ids=REQUESTS)
def test_a_call_has_its_request(operation: Operation[Any], arguments: Row, parts: dict[str, Any]) -> None:
    assert call_of(operation, arguments).request == parts


def test_a_request_is_written_in_the_names_of_a_deployed_server() -> None:
    arguments = {"project_id": 123, "project_type": "web-app", "programming_language": "go"}
    call = prepare(Operations.UPDATE_PROJECT, arguments, user_id=1, dialect="deployed", mask=str)
    assert call.request["json"] == {"type": "web-app", "main_language": "go"}
    assert call.fields == {"project_type": "web-app", "programming_language": "go"}


REFUSED: dict[str, tuple[Operation[Any], dict[str, object], str]] = {
    "no field": (
        Operations.UPDATE_PROJECT,
        {"project_id": 1, "name": None, "description": None},
        "no field was given: pass at least one of name, description, project_type, programming_language. "
        "Nothing was sent.",
    ),
    "no text": (
        Operations.UPDATE_PROJECT,
        {"project_id": 1, "name": 5},
        "name must be a str, not int; nothing was sent.",
    ),
    "half a character": (
        Operations.UPDATE_PROJECT,
        {"project_id": 1, "name": "\ud800"},
        "name has a lone surrogate, which UTF-8 cannot encode; nothing was sent.",
    ),
    "an unknown name": (
        Operations.UPDATE_PROJECT,
        {"project_id": 1, "nme": "a"},
        "nme is not one of name, description, project_type, programming_language; nothing was sent.",
    ),
    "no id": (
        Operations.UPDATE_PROJECT,
        {"name": "a"},
        "project_id must be a positive int, not NoneType; nothing was sent.",
    ),
    "what is required": (LIST, {"if_match": None}, "if_match is missing; nothing was sent."),
    "a header of two lines": (
        LIST,
        {"if_match": "1\r\nX-Evil: 1"},
        "the value of If-Match must be visible ASCII without a line break.",
    ),
    "a page that is no number": (
        LIST,
        {"if_match": "1", "page": "3"},
        "page must be an int, not str; nothing was sent.",
    ),
    "a path of two segments": (
        DELETE,
        {"slug": ".."},
        "slug must be one segment of a path, not '..'; nothing was sent.",
    ),
    "the path itself": (DELETE, {"slug": "."}, "slug must be one segment of a path, not '.'; nothing was sent."),
    "an empty segment": (DELETE, {"slug": ""}, "slug must be one segment of a path, not ''; nothing was sent."),
    "a number for a text": (DELETE, {"slug": 5}, "slug must be a str, not int; nothing was sent."),
}


@pytest.mark.parametrize(("operation", "arguments", "text"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_right_is_refused_by_its_name(operation: Operation[Any], arguments: Row, text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call_of(operation, arguments)
    assert str(caught.value) == text


def test_no_argument_may_hold_a_secret() -> None:
    for operation, arguments in ((DELETE, {"slug": "a key"}), (LIST, {"if_match": "a key"})):
        with pytest.raises(ArgumentError, match="holds the session cookie or a value of headers"):
            prepare(operation, arguments, user_id=1, dialect="documented", mask=lambda text: text.replace("key", "***"))


def read(operation: Operation[Any], row: Row) -> Any:
    return operation.kind.read(row, "documented")


def test_a_project_is_read_field_by_field(project: Row) -> None:
    assert read(Operations.UPDATE_PROJECT, project | {"prompt_context": {"a": 1}}) == Project(
        id=123,
        name="New name",
        description="About it",
        project_type="web-site",
        programming_language="typescript",
        created_at=CREATED,
        updated_at=UPDATED,
        neptun_user_id=1,
        extra={"prompt_context": {"a": 1}},
    )


def test_an_import_is_read_field_by_field(project_import: Row) -> None:
    assert read(Operations.UPDATE_PROJECT_IMPORT, project_import) == ProjectImport(
        id=123,
        source_type="github",
        source_path="username/repository",
        title="New title",
        description="About it",
        created_at=CREATED,
        updated_at=UPDATED,
        neptun_user_id=1,
        project_id=789,
        extra={},
    )


def test_an_absent_optional_field_reads_as_none(project_import: Row) -> None:
    """A caller never meets the generated client's ``Unset``."""
    del project_import["title"], project_import["description"]
    found = read(Operations.UPDATE_PROJECT_IMPORT, project_import)
    assert (found.title, found.description) == (None, None)


def test_a_null_optional_field_reads_as_none(project: Row) -> None:
    assert read(Operations.UPDATE_PROJECT, project | {"description": None}).description is None


def test_a_field_named_like_the_sdks_own_stays_in_extra(project: Row) -> None:
    assert read(Operations.UPDATE_PROJECT, project | {"extra": 1}).extra == {"extra": 1}


def test_a_call_is_described_by_its_operation_and_ids() -> None:
    call = call_of(Operations.UPDATE_PROJECT_IMPORT, {"project_id": 789, "import_id": 123, "title": "not shown"})
    assert str(call_of(DELETE, {"slug": "a\n"})) == "delete_project(slug='a\\n')"
    assert str(call) == "update_project_import(user_id=1, project_id=789, import_id=123)"
