"""The embedded Neptun over HTTP: every rule of the contract, in the order in which a real server checks."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from datetime import datetime
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.spec import load_operations

JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """One server for all tests of this file: to start one takes longer than most of them."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def neptun(running: Sandbox) -> Sandbox:
    running.reset()
    return running


@pytest.fixture
def http(neptun: Sandbox) -> Iterator[httpx.Client]:
    """A bare HTTP client with the first user's session."""
    headers = {**JSON, "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(base_url=neptun.base_url, headers=headers, timeout=60) as client:
        yield client


WRONG_IDS = ["0", "-1", "abc", "1.5", "%00", "%0A1", "1%20", "1_0", "%2B1", "01", "%C3%A9", "%FF"]
PROJECT = "/api/users/1/projects/789"
IMPORT = f"{PROJECT}/resources/imports/123"


def refused(response: httpx.Response, status_code: int, message: str, fields: tuple[str, ...] = ()) -> None:
    body = response.json()
    assert (response.status_code, body["statusCode"]) == (status_code, status_code)
    assert message in body["message"]
    issues = body.get("data", {}).get("issues", [])
    assert tuple(issue["path"][0] for issue in issues) == fields


def test_only_the_fields_given_change_and_updated_at_moves_forward(http: httpx.Client) -> None:
    first = http.patch(PROJECT, json={"name": "First"}).json()["project"]
    second = http.patch(PROJECT, json={"name": "Second"}).json()["project"]
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"name", "updated_at"}
    assert datetime.fromisoformat(first["updated_at"]) < datetime.fromisoformat(second["updated_at"])
    assert second["updated_at"].endswith("Z")


def test_an_import_is_updated_the_same_way(http: httpx.Client) -> None:
    first = http.put(IMPORT, json={"title": "First"}).json()["import"]
    second = http.put(IMPORT, json={"title": "Second", "description": ""}).json()["import"]
    assert {name for name in first if first[name] != second[name]} == {"title", "description", "updated_at"}


@pytest.mark.parametrize("operation_id", ["updateProject", "updateProjectImport"])
def test_the_published_examples_work(operation_id: str, http: httpx.Client, spec: dict[str, Any]) -> None:
    operation = load_operations()[operation_id]
    request = spec["paths"][operation.path][operation.method.lower()]["requestBody"]
    body = request["content"]["application/json"]["examples"]["published"]["value"]
    url = operation.path.format(user_id=1, project_id=789, import_id=123)
    response = http.request(operation.method, url, json=body)
    assert response.status_code == 200
    (resource,) = response.json().values()
    assert {name: resource[name] for name in body} == body


def test_fields_that_the_contract_does_not_name_are_ignored(http: httpx.Client) -> None:
    response = http.put(IMPORT, json={"title": "New", "unknown": 1})
    assert "unknown" not in response.json()["import"]


@pytest.mark.parametrize("name", ["id", "neptun_user_id", "created_at", "updated_at"])
def test_what_the_server_owns_is_not_changed_by_a_request(name: str, http: httpx.Client) -> None:
    before = http.patch(PROJECT, json={}).json()["project"]
    after = http.patch(PROJECT, json={name: "1999-01-01T00:00:00Z"}).json()["project"]
    assert after[name] == before[name] or (name == "updated_at" and after[name] > before[name])


@pytest.mark.parametrize(
    "cookie",
    [None, "neptun-session=", "neptun-session=no", "neptun-session=\u00e9", "other=1"],
    ids=["none", "empty", "unknown", "not ASCII", "another"],
)
def test_without_a_valid_session_everything_is_401(cookie: str | None, http: httpx.Client) -> None:
    http.headers.pop("Cookie")
    headers = {} if cookie is None else {b"Cookie": cookie.encode("latin-1")}
    refused(http.patch("/api/users/0/projects/abc", content=b"{", headers=headers), 401, "Unauthorized")


@pytest.mark.parametrize(
    "wrong",
    [*WRONG_IDS, str(2**63), "9" * 19, "9" * 5000],
    ids=[*WRONG_IDS, "2**63", "19 digits", "5000 digits"],
)
def test_an_id_that_is_no_positive_integer_is_400(wrong: str, http: httpx.Client) -> None:
    refused(http.patch(f"/api/users/1/projects/{wrong}", json={"name": "x"}), 400, "positive integer")
    refused(http.put(f"{PROJECT}/resources/imports/{wrong}", json={"title": "x"}), 400, "positive integer")


def test_another_users_id_is_403_before_anything_is_looked_up(http: httpx.Client) -> None:
    refused(http.patch("/api/users/2/projects/999", content=b"{"), 403, "Forbidden")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/users/1/projects/999/resources/imports/123", "Project not found"),
        ("/api/users/1/projects/790/resources/imports/124", "Project not found"),
        ("/api/users/1/projects/789/resources/imports/999", "Import not found"),
        ("/api/users/1/projects/789/resources/imports/124", "Import not found"),
        ("/api/users/1/projects/123/resources/imports/123", "Import not found"),
    ],
    ids=["project missing", "project of another user", "import missing", "import of another user", "other project"],
)
def test_what_is_missing_or_another_users_is_404(path: str, message: str, http: httpx.Client) -> None:
    refused(http.put(path, content=b"{"), 404, message)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"\xff", b'"text"', b"[" * 100_000, b'{"a": NaN}', b'{"a": 1e999}', b"\xef\xbb\xbf{}"],
    ids=["empty", "cut off", "list", "null", "not UTF-8", "string", "deep", "NaN", "infinite", "byte order mark"],
)
def test_a_body_that_is_no_json_object_is_400(content: bytes, http: httpx.Client) -> None:
    refused(http.patch(PROJECT, content=content), 400, "Invalid request body")


ACCEPTED = {
    "JSON": "application/json",
    "with a charset": "application/json; charset=utf-8",
    "upper case": "Application/JSON",
    "anything": "*/*",
    "any application": "application/*",
    "one of several": "text/html, application/json;q=0.5",
}


@pytest.mark.parametrize("accept", ACCEPTED.values(), ids=ACCEPTED)
def test_an_accept_header_that_admits_json_is_enough(accept: str, http: httpx.Client) -> None:
    assert http.patch(PROJECT, json={}, headers={"Accept": accept}).status_code == 200


NOT_ACCEPTED = {
    "missing": None,
    "empty": "",
    "HTML": "text/html",
    "any text": "text/*",
    "JSON excluded": "application/json;q=0, */*",
}


@pytest.mark.parametrize("accept", NOT_ACCEPTED.values(), ids=NOT_ACCEPTED)
def test_an_accept_header_that_does_not_admit_json_is_400(accept: str | None, http: httpx.Client) -> None:
    """The page says that the header is required."""
    del http.headers["Accept"]
    headers = {} if accept is None else {"Accept": accept}
    refused(http.patch(PROJECT, json={"name": "x"}, headers=headers), 400, "Accept must admit application/json")


CONTENT_TYPES = ["application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"]


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_json_may_have_parameters(content_type: str, http: httpx.Client) -> None:
    """openapi-core passed them to its deserialisers as keywords, and a charset was a 400."""
    response = http.patch(PROJECT, content=b'{"name": "x"}', headers={"Content-Type": content_type})
    assert response.json()["project"]["name"] == "x"


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/jsonx"])
def test_another_content_type_is_400(content_type: str | None, http: httpx.Client) -> None:
    del http.headers["Content-Type"]
    headers = {} if content_type is None else {"Content-Type": content_type}
    response = http.patch(PROJECT, content=b'{"name": "x"}', headers=headers)
    refused(response, 400, "Content-Type must be application/json")


def test_the_session_is_checked_before_the_headers(http: httpx.Client) -> None:
    refused(httpx.patch(http.base_url.join(PROJECT)), 401, "Unauthorized")


def test_text_is_sent_as_utf_8_and_not_as_escapes(http: httpx.Client) -> None:
    response = http.patch(PROJECT, json={"name": "Ünïcode 🚀"})
    assert "Ünïcode 🚀".encode() in response.content
    assert response.headers["Content-Type"] == "application/json"


def test_a_lone_surrogate_comes_back_as_the_escape_that_it_came_as(http: httpx.Client) -> None:
    response = http.patch(PROJECT, content=rb'{"name": "\ud800"}')
    assert rb'"\ud800"' in response.content
    assert response.json()["project"]["name"] == "\ud800"


def test_wrong_types_are_400_field_by_field_and_nothing_changes(http: httpx.Client) -> None:
    refused(http.patch(PROJECT, json={"name": 5, "description": []}), 400, "Invalid", ("name", "description"))
    assert http.patch(PROJECT, json={}).json()["project"]["name"] == "My project"


def test_values_that_the_server_does_not_know_are_400_field_by_field(http: httpx.Client) -> None:
    wrong = {"name": "x", "project_type": "x", "programming_language": "x"}
    response = http.patch(PROJECT, json=wrong)
    refused(response, 400, "Invalid", ("project_type", "programming_language"))
    assert "'web-site' | 'web-service' | 'web-app', received 'x'" in response.json()["data"]["issues"][0]["message"]
    assert http.patch(PROJECT, json={}).json()["project"]["name"] == "My project"


@pytest.mark.parametrize(
    ("source_type", "fits", "does_not"),
    [
        ("github", "octocat/hello-world", "hello-world"),
        ("github_repository_installation", "octocat/hello.world", "https://github.com/octocat/hello-world"),
        ("public_github_repository_url", "https://github.com/octocat/hello-world", "octocat/hello-world"),
        ("local_folder", "./src", ""),
    ],
    ids=["github", "installation", "url", "folder"],
)
def test_a_source_path_must_fit_its_source_type(source_type: str, fits: str, does_not: str, http: httpx.Client) -> None:
    assert http.put(IMPORT, json={"source_type": source_type, "source_path": fits}).status_code == 200
    refused(http.put(IMPORT, json={"source_path": does_not}), 400, "Invalid", ("source_path",))
    assert http.put(IMPORT, json={}).json()["import"]["source_path"] == fits


BAD_PATHS = [
    *("/", "//", "/nope", "/api", "/neptun" + PROJECT, "/" + PROJECT, PROJECT + "/", PROJECT + "/resources"),
    *("/api//users/1/projects/789", "//host" + PROJECT, "/api/users/%2e%2e/projects", "/%00", "/%FF%FE"),
    *(
        "/api/users//projects/789",
        "/api/users/1/projects/789/resources/imports/123/more",
        "/" + "x" * 4000,
        "/_sandboxes",
    ),
]


@pytest.mark.parametrize("method", ["GET", "PATCH", "PUT"])
@pytest.mark.parametrize("path", BAD_PATHS, ids=[path[:40] for path in BAD_PATHS])
def test_an_unknown_route_is_404(path: str, method: str, http: httpx.Client) -> None:
    host, port = http.base_url.host, http.base_url.port
    # Not with httpx, which would tidy some of them up.
    connection = HTTPConnection(host, port, timeout=10)
    connection.putrequest(method, path)
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, json.load(response)) == (404, {"statusCode": 404, "message": "No such route"})
    connection.close()


def unknown_methods() -> Iterator[tuple[str, str, str]]:
    """Yield a method, a path of the contract that does not have it, and the methods that the path has."""
    for path in dict.fromkeys(operation.path for operation in load_operations().values()):
        allowed = {operation.method for operation in load_operations().values() if operation.path == path}
        if "GET" in allowed:
            allowed.add("HEAD")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "NONSENSE"):
            if method not in allowed:
                yield method, path, ", ".join(sorted(allowed))


UNKNOWN_METHODS = {f"{method} {path}": (method, path, allowed) for method, path, allowed in unknown_methods()}


@pytest.mark.parametrize(("method", "path", "allowed"), UNKNOWN_METHODS.values(), ids=UNKNOWN_METHODS)
def test_an_unknown_method_is_405(method: str, path: str, allowed: str, http: httpx.Client) -> None:
    response = http.request(method, re.sub(r"{\w+}", "1", path))
    refused(response, 405, f"This route takes {allowed} only")
    assert response.headers["Allow"] == allowed


def test_a_path_that_is_no_path_is_404_without_a_traceback(
    http: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_connection((http.base_url.host, http.base_url.port or 0), timeout=10) as connection:
        connection.sendall(b"GET //[ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 404 ")
    assert capfd.readouterr().err == ""


CURL_LINES = {
    "project": ("PATCH", "/api/users/1/projects/123", {
        "name": "Updated Project Name",
        "description": "Updated project description",
        "project_type": "web-site",
        "programming_language": "typescript",
    }),
    "import": ("PUT", "/api/users/1/projects/789/resources/imports/123", {
        "title": "Updated GitHub Import",
        "description": "Updated import from GitHub repository",
    }),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), CURL_LINES.values(), ids=CURL_LINES)
@pytest.mark.parametrize("tool", ["httpx", pytest.param("curl", marks=pytest.mark.needs("curl"))])
def test_the_published_curl_lines_run_as_printed(
    tool: str, method: str, path: str, body: dict[str, str], http: httpx.Client
) -> None:
    """But for the host and the cookie."""
    if tool == "curl":
        headers = [f"-H{name}: {http.headers[name]}" for name in ("Accept", "Content-Type", "Cookie")]
        url = f"{http.base_url}".rstrip("/") + path
        command = ["curl", "--silent", "-X", method, url, *headers, "-d", json.dumps(body)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        envelope = json.loads(done.stdout)
    else:
        envelope = http.request(method, path, json=body).json()
    (resource,) = envelope.values()
    assert {name: resource[name] for name in body} == body
    assert f"{resource['id']}" == path.rsplit("/", 1)[1]
