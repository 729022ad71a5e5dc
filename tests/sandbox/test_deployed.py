"""The deployed dialect, row by row against what a deployed server was seen to respond.

The limits and the malformed requests that both dialects share are in ``test_http_server.py``.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.columns import COLUMNS
from neptun_sdk.sandbox.state import IMPORT as IMPORTS
from neptun_sdk.sandbox.state import PROJECT as PROJECTS

PROJECT = "/api/users/1/projects/789"
IMPORT = f"{PROJECT}/resources/imports/123"
FAILED_PATCH = "Internal Server Error. Failed to update project."
FAILED_PUT = "Internal Server Error."
TIMES = {"created_at", "updated_at", "neptun_user_id"}
PROJECT_COLUMNS = {"id", "name", "description", "type", "main_language", "prompt_context", *TIMES}
IMPORT_COLUMNS = {
    *("id", "source_type", "source_path", "source_ref", "import_status", "error_message", "file_tree", "project_id"),
    *TIMES,
}
LANGUAGES = ["typescript", "javascript", "php", "go", "python", "java", "kotlin", "ruby", "elixir"]
SOURCE_TYPES = ["local_folder", "github_repository_installation", "public_github_repository_url"]
PROJECT_TYPES = ["web-site", "web-service", "web-app"]


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """One server for all tests of this file: to start one takes longer than most of them."""
    with Sandbox("deployed") as sandbox:
        yield sandbox


@pytest.fixture
def neptun(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def http(neptun: Sandbox) -> Iterator[httpx.Client]:
    """A bare HTTP client with the first user's session."""
    headers = {"Accept": "application/json", "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(base_url=neptun.base_url, headers=headers, timeout=60) as client:
        yield client


def update(http: httpx.Client, url: str, **kwargs: Any) -> httpx.Response:
    """Send the update that a URL takes."""
    return http.request("PUT" if "/imports/" in url else "PATCH", url, **kwargs)


def handled(response: httpx.Response, status_code: int, message: str, fields: list[str] | None = None) -> None:
    """Expect shape 1: no ``message``, and ``data`` only if there is something to say."""
    body = response.json()
    expected: dict[str, Any] = {"statusCode": status_code, "statusMessage": message, "stack": []}
    assert response.status_code == status_code
    if fields is not None:
        data = body.pop("data")
        assert [issue["path"] for issue in data.pop("issues")] == [[name] if name else [] for name in fields]
        assert data == {"name": "ZodError"}
    assert body == expected


def thrown(response: httpx.Response, status_code: int, message: str, data: object = None) -> None:
    """Expect shape 2: it has a ``message``."""
    body = response.json()
    assert (response.status_code, body["statusCode"], body["error"]) == (status_code, status_code, True)
    assert (body["message"], body.get("data")) == (message, data)
    assert body["url"] == str(response.url)
    assert set(body) - {"data"} == {"error", "url", "statusCode", "statusMessage", "message"}


BARE_ROWS = {
    "project": (PROJECT, {"name": "x"}, PROJECT_COLUMNS),
    "import": (IMPORT, {"source_path": "x"}, IMPORT_COLUMNS),
}


@pytest.mark.parametrize(("url", "body", "columns"), BARE_ROWS.values(), ids=BARE_ROWS)
def test_a_success_is_the_bare_row(url: str, body: dict[str, str], columns: set[str], http: httpx.Client) -> None:
    row = update(http, url, json=body).json()
    assert set(row) == columns
    assert row["updated_at"].endswith("Z")
    assert datetime.fromisoformat(row["created_at"]) < datetime.fromisoformat(row["updated_at"])


STORED: dict[str, tuple[str, dict[str, Any]]] = {
    "every column of a project": (
        PROJECT,
        {"name": "Ü", "description": "y", "type": "web-app", "main_language": "elixir"},
    ),
    "no description": (PROJECT, {"description": None}),
    "every column of an import": (
        IMPORT,
        {
            "source_type": "local_folder",
            "source_path": "x",
            "source_ref": "main",
            "import_status": "failed",
            "error_message": "y",
            "file_tree": [{"a": 1}],
        },
    ),
    "nulls of an import": (IMPORT, {"source_ref": None, "error_message": None, "file_tree": None}),
    "an empty source_path": (IMPORT, {"source_path": ""}),
    "a source_path that does not fit": (IMPORT, {"source_type": "local_folder", "source_path": "https://x"}),
    "file_tree true": (IMPORT, {"file_tree": True}),
    "file_tree a number": (IMPORT, {"file_tree": 1.5}),
    "file_tree a string": (IMPORT, {"file_tree": "x"}),
    "a 2 MB PATCH": (PROJECT, {"name": "x" * 2_000_000}),
}


@pytest.mark.parametrize(("url", "body"), STORED.values(), ids=STORED)
def test_it_is_stored_as_it_is(url: str, body: dict[str, Any], http: httpx.Client, neptun: Sandbox) -> None:
    response = update(http, url, json=body)
    assert response.status_code == 200
    row = response.json()
    assert {name: row[name] for name in body} == body
    stored = neptun.project_import(789, 123) if url == IMPORT else neptun.project(789)
    assert {name: stored[name] for name in body} == body


ENUMS = {
    "type": (PROJECT, PROJECT_TYPES, "project_type"),
    "main_language": (PROJECT, LANGUAGES, "programming_language"),
    "source_type": (IMPORT, SOURCE_TYPES, "source_type"),
}


@pytest.mark.parametrize("name", ENUMS)
def test_an_enum_takes_its_values_and_no_other(name: str, http: httpx.Client) -> None:
    url, values, _ = ENUMS[name]
    for value in values:
        assert update(http, url, json={name: value}).json()[name] == value
    refused = update(http, url, json={name: "github"})
    handled(refused, 400, "Bad Request", [name])
    (issue,) = refused.json()["data"]["issues"]
    quoted = " | ".join(f"'{value}'" for value in values)
    assert issue == {
        "code": "invalid_enum_value",
        "received": "github",
        "options": values,
        "path": [name],
        "message": f"Invalid enum value. Expected {quoted}, received 'github'",
    }


@pytest.mark.parametrize("name", ENUMS)
def test_the_contract_knows_the_values_of_a_deployed_server(name: str, spec: dict[str, Any]) -> None:
    url, values, documented = ENUMS[name]
    schemas = spec["components"]["schemas"]
    schema = schemas["UpdateProjectImportRequest" if url == IMPORT else "UpdateProjectRequest"]
    known = schema["properties"][documented]["x-extensible-enum"]
    columns = COLUMNS[IMPORTS if url == IMPORT else PROJECTS]
    assert list(columns[name].options) == values, "change COLUMNS in neptun_sdk/sandbox/columns.py"
    assert set(values) <= set(known), f"add the values of {documented} to openapi.yaml"


def test_an_unknown_field_is_silently_dropped(http: httpx.Client) -> None:
    row = http.patch(PROJECT, json={"name": "New", "project_type": "web-app", "id": 5}).json()
    assert (row["name"], row["type"], row["id"], "project_type" in row) == ("New", "web-site", 789, False)


NOTHING_KNOWN: dict[str, dict[str, Any]] = {
    "nothing": {},
    "project_type alone": {"project_type": "web-app"},
    "title alone": {"title": "x"},
    "unknown": {"unknown": 1},
    "the published import example": {"title": "a", "description_": "b"},
}


@pytest.mark.parametrize("body", NOTHING_KNOWN.values(), ids=NOTHING_KNOWN)
def test_an_update_without_a_known_field_is_500(body: dict[str, Any], http: httpx.Client) -> None:
    handled(http.patch(PROJECT, json=body), 500, FAILED_PATCH)
    response = http.put(IMPORT, json=body)
    assert response.json() == {"statusCode": 500, "statusMessage": FAILED_PUT, "stack": [], "data": {}}


def test_the_published_import_example_is_500(http: httpx.Client) -> None:
    assert http.put(IMPORT, json={"title": "a", "description": "b"}).status_code == 500


def test_the_returned_updated_at_is_of_the_moment_before_the_stored_one(neptun: Sandbox, http: httpx.Client) -> None:
    for name in ("first", "second"):
        returned = http.patch(PROJECT, json={"name": name}).json()
        stored = neptun.project(789)
        moved = datetime.fromisoformat(stored["updated_at"]) - datetime.fromisoformat(returned["updated_at"])
        assert moved == timedelta(milliseconds=5)
        assert stored["name"] == returned["name"] == name
    row = http.put(IMPORT, json={"source_path": "x"}).json()
    assert row == neptun.project_import(789, 123)


def test_the_text_of_every_imported_file_is_in_a_projects_response(neptun: Sandbox, http: httpx.Client) -> None:
    tree = [{"path": "a.py", "text": "x" * 1_000_000}]
    assert http.patch(PROJECT, json={"name": "x"}).json()["prompt_context"] is None
    http.put(IMPORT, json={"file_tree": tree})
    assert http.patch(PROJECT, json={"name": "x"}).json()["prompt_context"] is None, "of the moment before"
    assert http.patch(PROJECT, json={"name": "x"}).json()["prompt_context"] == {"files": [tree]}
    assert neptun.project(789)["prompt_context"] == {"files": [tree]}


@pytest.mark.parametrize("cookie", ["", "neptun-session=garbage"], ids=["none", "unknown"])
def test_without_a_valid_session_it_is_401_with_a_fresh_anonymous_one(cookie: str, http: httpx.Client) -> None:
    response = http.patch("/api/users/0/projects/abc", content=b"{", headers={"Cookie": cookie})
    thrown(response, 401, "Unauthorized")
    assert response.json()["statusMessage"] == "Server Error"
    anonymous = response.headers["Set-Cookie"]
    assert anonymous.startswith("neptun-session=Fe26.2**")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(anonymous.split("; "))
    assert "Expires" not in anonymous


def positive(*, float_too: bool = False) -> list[dict[str, Any]]:
    """Return the issues of an id that is not above 0, without their paths."""
    small = {"code": "too_small", "minimum": 0, "type": "number", "inclusive": False, "exact": False}
    small["message"] = "Number must be greater than 0"
    return [*(FLOAT if float_too else []), small]


def wrong_type(expected: str, received: str) -> list[dict[str, Any]]:
    message = f"Expected {expected}, received {received}"
    return [{"code": "invalid_type", "expected": expected, "received": received, "message": message}]


FLOAT, NAN = wrong_type("integer", "float"), wrong_type("number", "nan")
WRONG_IDS: dict[str, list[dict[str, Any]]] = {
    **dict.fromkeys(("0", "-1", "0x0", "-0.0", "-1e3"), positive()),
    **dict.fromkeys(("-1.5", "-Infinity"), positive(float_too=True)),
    **dict.fromkeys(("1.5", ".5", "1e-1", "Infinity", "1e400", "9" * 4001, "0x" + "f" * 300), FLOAT),
    **dict.fromkeys(("abc", "NaN", "1_0", "1e", "e1", "+0x1", "0b2", "%31", "%20789", "1%20", "\u0661"), NAN),
}


@pytest.mark.parametrize(("wrong", "issues"), WRONG_IDS.items(), ids=[name[:9] for name in WRONG_IDS])
def test_an_id_that_is_no_positive_integer_is_400(wrong: str, issues: list[dict[str, Any]], http: httpx.Client) -> None:
    """Before access and the body are looked at; every id is in the issues, which `Number()` of JavaScript decides."""
    response = http.put(f"/api/users/2/projects/{wrong}/resources/imports/{wrong}", content=b"{")
    names = [name for name in ("project_id", "import_id") for _ in issues]
    handled(response, 400, "Bad Request.", names)
    expected = [{**issue, "path": [name]} for name, issue in zip(names, 2 * issues, strict=True)]
    assert response.json()["data"]["issues"] == expected
    handled(
        http.patch(f"/api/users/{wrong}/projects/789", content=b"{"), 400, "Bad Request.", len(issues) * ["user_id"]
    )


@pytest.mark.parametrize(
    "text", ["789", "789.0", "789.", "+789", "7.89e2", "7890E-1", "0789", "0x315", "0o1425", "0B1100010101"]
)
def test_an_id_is_read_as_a_number_of_javascript(text: str, http: httpx.Client) -> None:
    assert http.patch(f"/api/users/1.0/projects/{text}", json={"name": "x"}).json()["id"] == 789


NO_ACCESS = [
    "/api/users/2/projects/789",
    "/api/users/2147483648/projects/789",
    "/api/users/2/projects/2147483648",
    "/api/users/1/projects/999",
    "/api/users/1/projects/2147483647",
    "/api/users/1/projects/790",
    f"{PROJECT}/resources/imports/999",
    f"{PROJECT}/resources/imports/124",
    "/api/users/1/projects/999/resources/imports/123",
    "/api/users/1/projects/123/resources/imports/123",
]


@pytest.mark.parametrize("url", NO_ACCESS)
def test_what_is_missing_or_another_users_is_401(url: str, http: httpx.Client) -> None:
    """Before the body is looked at."""
    response = update(http, url, content=b"{")
    handled(response, 401, "Unauthorized.")
    assert "Set-Cookie" not in response.headers


TOO_LARGE = ["2147483648", "9" * 300, "1e300"]


@pytest.mark.parametrize("too_large", TOO_LARGE, ids=[text[:10] for text in TOO_LARGE])
@pytest.mark.parametrize("url", ["/api/users/1/projects/{}", f"{PROJECT}/resources/imports/{{}}"])
def test_a_project_or_import_id_that_is_too_large_is_500(url: str, too_large: str, http: httpx.Client) -> None:
    thrown(update(http, url.format(too_large), content=b"{"), 500, "Server Error")


MALFORMED = {
    "cut off": b"{",
    "not UTF-8": b"\xff",
    "white space": b" ",
    "NaN in it": b'{"name": NaN}',
    "infinite in it": b'{"name": -Infinity}',
    "byte order mark": b"\xef\xbb\xbf{}",
    "__proto__": b'{"name": "x", "__proto__": 1}',
    "__proto__ within": b'{"name": "x", "unknown": [{"__proto__": {}}]}',
    "constructor, escaped": rb'{"name": "x", "\u0063onstructor": {}}',
    "unfinished and deep": b"[" * 100_000,
    "deep": b'{"name": "x", "unknown": ' + b"[" * 600 + b"]" * 600 + b"}",  # a deployed server reads some thousands
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("url", [PROJECT, IMPORT], ids=["project", "import"])
def test_a_body_that_is_not_json_is_400(url: str, content: bytes, http: httpx.Client) -> None:
    thrown(update(http, url, content=content), 400, "Invalid JSON body")


NO_OBJECT: dict[str, tuple[bytes, str | None, str]] = {
    "empty": (b"", "application/json", "undefined"),
    "undefined": (b"undefined", "application/json", "undefined"),
    "NaN": (b"NaN", "application/json", "nan"),
    "Infinity": (b"Infinity", "application/json", "number"),
    "list": (b"[]", "application/json", "array"),
    "null": (b"null", None, "null"),
    "string": (b'"x"', None, "string"),
    "number": (b"1", None, "number"),
    "text": (b'{"name": "x"}', "text/plain", "string"),
    "text with a charset": (b'{"name": "x"}', "text/plain; charset=utf-8", "string"),
}


@pytest.mark.parametrize(("content", "content_type", "received"), NO_OBJECT.values(), ids=NO_OBJECT)
@pytest.mark.parametrize("url", [PROJECT, IMPORT], ids=["project", "import"])
def test_a_body_that_is_no_object_is_400(
    url: str, content: bytes, content_type: str | None, received: str, http: httpx.Client
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    response = update(http, url, content=content, headers=headers)
    handled(response, 400, "Bad Request", [""])
    assert response.json()["data"]["issues"][0]["received"] == received


def test_json_that_is_sent_as_a_form_is_500(http: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    handled(http.patch(PROJECT, content=b'{"name": "x"}', headers=headers), 500, FAILED_PATCH)
    assert http.put(IMPORT, content=b'{"title": "x"}', headers=headers).status_code == 500
    assert http.patch(PROJECT, data={"name": "x", "description": ""}).json()["description"] == ""
    handled(http.patch(PROJECT, content=b"name=a&name=b", headers=headers), 400, "Bad Request", ["name"])


INVALID: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "null for a required column": (PROJECT, {"name": None}, ["name"]),
    "wrong types, in the order of the schema": (
        PROJECT,
        {"main_language": 5, "type": None, "description": 1.5, "unknown": 1, "name": []},
        ["name", "description", "type", "main_language"],
    ),
    "wrong types of an import": (
        IMPORT,
        {"project_id": True, "source_ref": 1, "source_path": None, "source_type": "github"},
        ["source_type", "source_path", "source_ref", "project_id"],
    ),
    "import_status null": (IMPORT, {"import_status": None}, ["import_status"]),
    "project_id too large": (IMPORT, {"project_id": 2147483648}, ["project_id"]),
    "project_id too small": (IMPORT, {"project_id": -2147483649}, ["project_id"]),
    "project_id not an integer": (IMPORT, {"project_id": 1.5}, ["project_id"]),
    "project_id a string": (IMPORT, {"project_id": "790"}, ["project_id"]),
    "neptun_user_id null": (IMPORT, {"neptun_user_id": None}, ["neptun_user_id"]),
    "neptun_user_id too large": (IMPORT, {"neptun_user_id": 2147483648}, ["neptun_user_id"]),
}


@pytest.mark.parametrize(("url", "body", "fields"), INVALID.values(), ids=INVALID)
def test_a_wrong_value_is_400_with_every_problem_listed(
    url: str, body: dict[str, Any], fields: list[str], http: httpx.Client, neptun: Sandbox
) -> None:
    before = (neptun.project(789), neptun.project_import(789, 123))
    handled(update(http, url, json=body), 400, "Bad Request", fields)
    assert (neptun.project(789), neptun.project_import(789, 123)) == before


LARGEST = {"type": "number", "inclusive": True, "exact": False}
NUMBERS: dict[str, list[dict[str, Any]]] = {
    '"790"': wrong_type("number", "string"),
    "true": wrong_type("number", "boolean"),
    "1.5": FLOAT,
    "2147483648": [
        {
            "code": "too_big",
            "maximum": 2147483647,
            **LARGEST,
            "message": "Number must be less than or equal to 2147483647",
        }
    ],
    "-2147483649": [
        {
            "code": "too_small",
            "minimum": -2147483648,
            **LARGEST,
            "message": "Number must be greater than or equal to -2147483648",
        }
    ],
}


@pytest.mark.parametrize(("value", "issues"), NUMBERS.items(), ids=NUMBERS)
def test_a_wrong_project_id_says_what_is_wrong(value: str, issues: list[dict[str, Any]], http: httpx.Client) -> None:
    response = http.put(IMPORT, content=f'{{"project_id": {value}}}')
    assert response.json()["data"]["issues"] == [{**issue, "path": ["project_id"]} for issue in issues]


def test_a_number_that_is_too_large_for_javascript_is_a_wrong_value(http: httpx.Client) -> None:
    for value in ("1e999", "9" * 5_000):
        handled(http.patch(PROJECT, content=f'{{"name": {value}}}'), 400, "Bad Request", ["name"])


LATER: dict[str, tuple[str, str, object]] = {
    "a lone surrogate": ("source_path", r'"a\ud800b"', "a\ufffdb"),
    "a pair of surrogates": ("source_path", r'"\ud83d\ude80"', "\U0001f680"),
    "a number without a fraction": ("project_id", "789.0", 789),
    "file_tree 1.0": ("file_tree", "[1.0, -0.0]", [1, 0]),
    "file_tree with a large integer": ("file_tree", "12345678901234567890", 12345678901234567168),
    "file_tree with a number that is too large": ("file_tree", '{"a": [1e999, -1e999]}', {"a": [None, None]}),
    "file_tree as a string of JSON": ("file_tree", r'"[1, {\"a\": 1.0}]"', [1, {"a": 1}]),
    "file_tree as another string": ("file_tree", '"[1"', "[1"),
}


@pytest.mark.parametrize(("name", "sent", "stored"), LATER.values(), ids=LATER)
def test_what_is_stored_may_differ_from_what_was_sent(
    name: str, sent: str, stored: object, http: httpx.Client, neptun: Sandbox
) -> None:
    returned = http.put(IMPORT, content=f'{{"{name}": {sent}}}').json()[name]
    assert returned == stored
    assert neptun.project_import(789, 123)[name] == returned


REFUSED_BY_THE_DATABASE: dict[str, dict[str, Any]] = {
    "NUL in a string": {"source_path": "\0"},
    "NUL in file_tree": {"file_tree": [{"a": ["x", 1, {"b": "\0"}]}]},
    "NUL in a key of file_tree": {"file_tree": {"\0": 1}},
    "NUL after a backslash": {"file_tree": "\\\0"},
    "a lone surrogate in file_tree": {"file_tree": ["\ud800"]},
    "a project that is missing": {"project_id": 999},
    "project 0": {"project_id": 0},
    "project -1": {"project_id": -1},
    "a user that is missing": {"neptun_user_id": 999},
    "user 0": {"neptun_user_id": 0},
}


@pytest.mark.parametrize("body", REFUSED_BY_THE_DATABASE.values(), ids=REFUSED_BY_THE_DATABASE)
def test_what_the_database_refuses_in_a_put_is_404(body: dict[str, Any], http: httpx.Client, neptun: Sandbox) -> None:
    before = neptun.project_import(789, 123)
    handled(http.put(IMPORT, content=json.dumps(body)), 404, "Not Found.")
    assert neptun.project_import(789, 123) == before


def test_a_nul_character_in_a_patch_is_500(http: httpx.Client) -> None:
    handled(http.patch(PROJECT, json={"name": "\0"}), 500, FAILED_PATCH)


def test_a_backslash_is_not_a_nul_character(http: httpx.Client) -> None:
    assert http.put(IMPORT, json={"file_tree": "\\u0000 \U0001f680"}).json()["file_tree"] == "\\u0000 \U0001f680"


def test_a_put_may_really_move_an_import(http: httpx.Client, neptun: Sandbox) -> None:
    assert http.put(IMPORT, json={"project_id": 790}).json()["project_id"] == 790
    assert neptun.project_import(790, 123)["neptun_user_id"] == 1
    handled(http.put(IMPORT, json={"source_path": "x"}), 401, "Unauthorized.")
    neptun.reset()
    assert http.put(IMPORT, json={"neptun_user_id": 2}).json()["neptun_user_id"] == 2
    handled(http.put(IMPORT, json={"source_path": "x"}), 401, "Unauthorized.")
    neptun.reset()
    assert http.put(IMPORT, json={"project_id": None}).json()["project_id"] is None
    handled(http.put(IMPORT, json={"source_path": "x"}), 401, "Unauthorized.")


def test_a_put_of_two_million_bytes_is_413(http: httpx.Client) -> None:
    frame = len(b'{"source_path": ""}')
    content = json.dumps({"source_path": "x" * (1_999_999 - frame)})
    assert http.put(IMPORT, content=content).status_code == 200
    response = http.put(IMPORT, content=content + " ")
    thrown(response, 413, "Payload Too Large")
    assert response.json()["statusMessage"] == "Payload Too Large"
    assert http.patch(PROJECT, content=json.dumps({"name": "x" * 9_000_000})).status_code == 200, "a PATCH has no limit"


# Session, size, ids, access, body: each row fails the check of its name, and all that come later.
CHECKS: dict[str, tuple[str, dict[str, str], bytes, int]] = {
    "session": ("/api/users/0/projects/1/resources/imports/1", {"Cookie": ""}, b"{" * 2_000_000, 401),
    "size": ("/api/users/0/projects/1/resources/imports/1", {}, b"{" * 2_000_000, 413),
    "ids": ("/api/users/2/projects/0/resources/imports/1", {}, b"{", 400),
    "another's user_id": ("/api/users/2147483648/projects/2147483648/resources/imports/1", {}, b"{", 401),
    "an id that is too large": ("/api/users/1/projects/2147483648/resources/imports/1", {}, b"{", 500),
    "access": (f"{PROJECT}/resources/imports/999", {}, b"{", 401),
    "body": (IMPORT, {}, b"{", 400),
}


@pytest.mark.parametrize(("path", "headers", "content", "status_code"), CHECKS.values(), ids=CHECKS)
def test_the_checks_run_in_this_order(
    path: str, headers: dict[str, str], content: bytes, status_code: int, http: httpx.Client
) -> None:
    assert http.put(path, content=content, headers=headers).status_code == status_code


UNKNOWN_ROUTES = {
    "a method": ("TRACE", PROJECT),
    "OPTIONS": ("OPTIONS", PROJECT),
    "PUT of a project": ("PUT", PROJECT),
    "PATCH of an import": ("PATCH", IMPORT),
    "the root": ("GET", "/"),
    "a wrong base URL": ("PATCH", f"/nope{PROJECT}"),
    "encoded": ("PATCH", "/api/users/1/project%73/789"),
    "two slashes at the end": ("PATCH", f"{PROJECT}//"),
}


@pytest.mark.parametrize(("method", "path"), UNKNOWN_ROUTES.values(), ids=UNKNOWN_ROUTES)
def test_an_unknown_route_or_method_is_404(method: str, path: str, http: httpx.Client) -> None:
    response = http.request(method, path)
    thrown(response, 404, f"Page not found: {path}", {"path": path})
    assert response.reason_phrase == response.json()["statusMessage"] == f"Page not found: {path}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PATCH"])
@pytest.mark.parametrize("path", ["/api/users", "/api/users/1", "/api/users/1/nope", PROJECT])
def test_under_users_a_session_is_checked_before_the_route(method: str, path: str, http: httpx.Client) -> None:
    assert http.request(method, path, headers={"Cookie": ""}).status_code == 401
    assert http.request("OPTIONS", "/api/other", headers={"Cookie": ""}).status_code == 404


def test_a_trailing_slash_is_accepted(http: httpx.Client) -> None:
    assert http.patch(f"{PROJECT}/?a=b", json={"name": "x"}).json()["name"] == "x"


def test_a_whole_address_as_the_target_is_accepted(http: httpx.Client) -> None:
    target = f"http://127.0.0.1{PROJECT}".encode()
    assert http.patch(PROJECT, json={"name": "x"}, extensions={"target": target}).status_code == 200


def test_a_percent_encoded_session_is_accepted(neptun: Sandbox, http: httpx.Client) -> None:
    encoded = "".join(f"%{ord(character):02x}" for character in neptun.session_cookie)
    headers = {"Cookie": f"neptun-session={encoded}"}
    assert http.patch(PROJECT, json={"name": "x"}, headers=headers).status_code == 200


@pytest.mark.parametrize(("cookie", "user"), [(None, {"id": 1}), ("", None)], ids=["of a user", "anonymous"])
def test_the_session_says_whose_it_is(cookie: str | None, user: object, http: httpx.Client) -> None:
    response = http.get("/api/_auth/session", headers={} if cookie is None else {"Cookie": cookie})
    assert (response.status_code, response.json().get("user")) == (200, user)
    assert "loggedInAt" in response.json() or user is None


# What is thrown is a page for a browser; what a handler returns stays JSON. The last column: JSON with the CORS header.
ERRORS: dict[str, tuple[str, str, dict[str, str], bytes, str, bool, bool]] = {
    "no session": ("PATCH", PROJECT, {"Cookie": ""}, b"{}", "401 Server Error", True, False),
    "size": ("PUT", IMPORT, {}, b"x" * 2_000_000, "413 Payload Too Large", True, False),
    "bad JSON": ("PATCH", PROJECT, {}, b"{", "400 Bad Request", True, True),
    "an unknown route": ("PATCH", "/nope", {}, b"", "404 Page not found: /nope", True, True),
    "a large id": ("PATCH", "/api/users/1/projects/2147483648", {}, b"{}", "500 Server Error", True, True),
    "no access": ("PATCH", "/api/users/2/projects/789", {}, b"{}", "401 Unauthorized.", False, True),
    "a bad id": ("PATCH", "/api/users/0/projects/789", {}, b"{}", "400 Bad Request.", False, True),
    "a bad body": ("PATCH", PROJECT, {}, b'{"name": 5}', "400 Bad Request", False, True),
    "nothing known in a PATCH": ("PATCH", PROJECT, {}, b"{}", f"500 {FAILED_PATCH}", False, True),
    "nothing known in a PUT": ("PUT", IMPORT, {}, b"{}", f"500 {FAILED_PUT}", False, True),
    "refused by the database": ("PUT", IMPORT, {}, b'{"project_id": 0}', "404 Not Found.", False, True),
    "a success": ("PATCH", PROJECT, {}, b'{"name": "x"}', "200 OK", False, True),
}


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "line", "is_thrown", "cors"), ERRORS.values(), ids=ERRORS
)
def test_what_is_thrown_is_a_page_for_a_browser_and_has_other_headers(
    method: str,
    path: str,
    headers: dict[str, str],
    content: bytes,
    line: str,
    is_thrown: bool,
    cors: bool,
    http: httpx.Client,
) -> None:
    of_json = http.request(method, path, content=content, headers=headers)
    page = http.request(method, path, content=content, headers={**headers, "Accept": "text/html,*/*"})
    for response in (of_json, page):
        assert f"{response.status_code} {response.reason_phrase}" == line
        assert response.headers.get("Cache-Control") == ("no-cache" if is_thrown else None)
    assert of_json.headers.get("Access-Control-Allow-Origin") == ("*" if cors else None)
    assert page.headers["Access-Control-Allow-Origin"] == "*"
    assert page.headers["Content-Type"] == ("text/html; charset=utf-8" if is_thrown else "application/json")
    assert not is_thrown or 140_000 < len(page.content) < 160_000
    assert ("Set-Cookie" in of_json.headers) == (line == "401 Server Error")
    indented = json.dumps(of_json.json(), indent=2, ensure_ascii=False) == of_json.text
    assert indented == (of_json.status_code >= 400)


def test_a_row_without_times_can_be_updated(neptun: Sandbox, http: httpx.Client) -> None:
    """The columns take null."""
    project_id = neptun.add_project(created_at=None, updated_at=None)
    row = http.patch(f"/api/users/1/projects/{project_id}", json={"name": "x"}).json()
    assert row["created_at"] is None
    assert row["updated_at"].endswith("Z")


def test_a_scripted_error_has_the_shape_of_the_dialect(neptun: Sandbox, http: httpx.Client) -> None:
    neptun.fail_next(503)
    response = http.patch(PROJECT, json={"name": "x"})
    thrown(response, 503, "Service Unavailable")
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_text_is_sent_as_utf_8_and_not_as_escapes(http: httpx.Client) -> None:
    assert "Ünï 🚀".encode() in http.patch(PROJECT, json={"name": "Ünï 🚀"}).content
