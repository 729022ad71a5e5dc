"""The embedded Neptun over HTTP: every rule of the contract, in the order in which a real server checks."""

import json
from collections.abc import Iterator
from datetime import datetime
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest

from neptun_sdk.sandbox import Sandbox

JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@pytest.fixture
def http(neptun: Sandbox) -> Iterator[httpx.Client]:
    """A bare HTTP client with the first user's session."""
    headers = {**JSON, "Cookie": f"neptun-session={neptun.session_cookie}"}
    with httpx.Client(base_url=neptun.base_url, headers=headers) as client:
        yield client


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


def test_the_published_examples_work(http: httpx.Client, spec: dict[str, Any]) -> None:
    for path, url in zip(spec["paths"].values(), (PROJECT, IMPORT), strict=True):
        method = "patch" if "patch" in path else "put"
        body = path[method]["requestBody"]["content"]["application/json"]["examples"]["published"]["value"]
        response = http.request(method, url, json=body)
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


@pytest.mark.parametrize("cookie", [None, "neptun-session=", "neptun-session=no", "neptun-session=\u00e9", "other=1"])
def test_without_a_valid_session_everything_is_401(cookie: str | None, http: httpx.Client) -> None:
    http.headers.pop("Cookie")
    headers = {} if cookie is None else {b"Cookie": cookie.encode("latin-1")}
    refused(http.patch("/api/users/0/projects/abc", content=b"{", headers=headers), 401, "Unauthorized")


@pytest.mark.parametrize("wrong", ["0", "-1", "abc", "1.5", "9" * 5000, "%00", "1%20", "1_0", "%2B1", "01"])
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
    ],
)
def test_what_is_missing_or_another_users_is_404(path: str, message: str, http: httpx.Client) -> None:
    refused(http.put(path, content=b"{"), 404, message)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff", b'"text"', b"[" * 100_000], ids=lambda content: repr(content[:9])
)
def test_a_body_that_is_no_json_object_is_400(content: bytes, http: httpx.Client) -> None:
    refused(http.patch(PROJECT, content=content), 400, "Invalid request body")


def test_a_body_of_another_type_is_400(http: httpx.Client) -> None:
    refused(http.patch(PROJECT, content=b"name=x", headers={"Content-Type": "text/plain"}), 400, "Invalid request body")


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
)
def test_a_source_path_must_fit_its_source_type(source_type: str, fits: str, does_not: str, http: httpx.Client) -> None:
    assert http.put(IMPORT, json={"source_type": source_type, "source_path": fits}).status_code == 200
    refused(http.put(IMPORT, json={"source_path": does_not}), 400, "Invalid", ("source_path",))
    assert http.put(IMPORT, json={}).json()["import"]["source_path"] == fits


def test_an_unknown_route_is_404_and_an_unknown_method_405(http: httpx.Client) -> None:
    refused(http.get("/"), 404, "No such route")
    for path, method in ((PROJECT, "PATCH"), (IMPORT, "PUT")):
        response = http.get(path)
        refused(response, 405, method)
        assert response.headers["Allow"] == method


def test_a_scripted_fault_answers_the_next_requests_and_changes_nothing(neptun: Sandbox, http: httpx.Client) -> None:
    neptun.fail_next(status=503, times=2, retry_after=1)
    neptun.fail_next(status=599)
    answers = [http.patch(PROJECT, json={"name": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 599]
    assert [answer.headers.get("Retry-After") for answer in answers] == ["1", "1", None]
    assert http.patch(PROJECT, json={}).json()["project"]["name"] == "My project"


@pytest.mark.parametrize("wrong", [{"status": 200}, {"status": 600}, {"times": 0}, {"retry_after": -1}])
def test_a_fault_that_is_none_is_refused(wrong: dict[str, int], neptun: Sandbox) -> None:
    with pytest.raises(ValueError, match="must be"):
        neptun.fail_next(**wrong)


def test_a_connection_is_kept_alive_and_answers_do_not_wait_for_an_acknowledgement(neptun: Sandbox) -> None:
    connection = HTTPConnection("127.0.0.1", int(neptun.base_url.rsplit(":", 1)[1]), timeout=5)
    headers = {**JSON, "Cookie": f"neptun-session={neptun.session_cookie}"}
    sockets = set()
    for _ in range(3):
        connection.request("PATCH", PROJECT, json.dumps({"name": "x"}), headers)
        assert json.load(connection.getresponse())["project"]["name"] == "x"
        assert connection.sock is not None
        sockets.add(connection.sock.getsockname())
    connection.close()
    assert len(sockets) == 1
