"""The deployed sandbox, held row by row against what a deployed server was seen to answer."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from neptun_sdk.sandbox import Sandbox

PROJECT = "/api/users/1/projects/789"
IMPORT = f"{PROJECT}/resources/imports/123"
FAILED = "Internal Server Error. Failed to update project."


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    """A bare HTTP client with the first user's session."""
    with Sandbox("deployed") as server:
        headers = {"Accept": "application/json", "Cookie": f"neptun-session={server.session_cookie}"}
        with httpx.Client(base_url=server.base_url, headers=headers) as client:
            yield client


def handled(response: httpx.Response, status_code: int, message: str, fields: list[str] | None = None) -> None:
    """The shape of what a handler answers: no ``message``, and ``data`` only where there is something to say."""
    body = response.json()
    assert response.status_code == status_code
    issues = body.pop("data", {"issues": []})["issues"]
    assert body == {"statusCode": status_code, "statusMessage": message, "stack": []}
    assert [issue["path"][0] for issue in issues] == (fields or [])


def thrown(response: httpx.Response, status_code: int) -> dict[str, Any]:
    """The shape of what is thrown: it has a ``message``."""
    body: dict[str, Any] = response.json()
    assert (response.status_code, body["statusCode"], body["error"]) == (status_code, status_code, True)
    assert set(body) == {"error", "url", "statusCode", "statusMessage", "message"}
    return body


def test_patch_answers_with_the_bare_row_under_its_own_names(http: httpx.Client) -> None:
    row = http.patch(PROJECT, json={"type": "web-app", "main_language": "elixir", "description": None}).json()
    assert set(row) == {
        *("id", "name", "description", "type", "main_language", "prompt_context"),
        *("created_at", "updated_at", "neptun_user_id"),
    }
    assert (row["type"], row["main_language"], row["description"]) == ("web-app", "elixir", None)
    assert datetime.fromisoformat(row["created_at"]) < datetime.fromisoformat(row["updated_at"])


def test_put_answers_with_the_bare_row_without_title_and_description(http: httpx.Client) -> None:
    row = http.put(IMPORT, json={"source_type": "local_folder", "source_path": "./x", "source_ref": "main"}).json()
    assert set(row) == {
        *("id", "source_type", "source_path", "source_ref", "import_status", "error_message", "file_tree"),
        *("created_at", "updated_at", "neptun_user_id", "project_id"),
    }
    assert (row["source_type"], row["source_path"], row["source_ref"]) == ("local_folder", "./x", "main")


def test_a_put_may_really_move_an_import(http: httpx.Client) -> None:
    assert http.put(IMPORT, json={"project_id": 790}).json()["project_id"] == 790
    handled(http.put(IMPORT, json={"source_path": "x"}), 401, "Unauthorized.")


@pytest.mark.parametrize(
    ("url", "method", "field", "values"),
    [
        (PROJECT, "PATCH", "type", ["web-site", "web-service", "web-app"]),
        (
            PROJECT,
            "PATCH",
            "main_language",
            ["typescript", "javascript", "php", "go", "python", "java", "kotlin", "ruby", "elixir"],
        ),
        (
            IMPORT,
            "PUT",
            "source_type",
            ["local_folder", "github_repository_installation", "public_github_repository_url"],
        ),
    ],
)
def test_an_enum_takes_its_values_and_no_other(
    url: str, method: str, field: str, values: list[str], http: httpx.Client
) -> None:
    for value in values:
        assert http.request(method, url, json={field: value}).json()[field] == value
    refused = http.request(method, url, json={field: "github"})
    handled(refused, 400, "Bad Request", [field])
    assert refused.json()["data"]["issues"][0]["options"] == values
    assert refused.json()["data"]["name"] == "ZodError"


def test_a_known_field_is_applied_and_an_unknown_one_silently_dropped(http: httpx.Client) -> None:
    row = http.patch(PROJECT, json={"name": "New", "project_type": "web-app"}).json()
    assert (row["name"], row["type"], "project_type" in row) == ("New", "web-site", False)


@pytest.mark.parametrize("body", [{}, {"project_type": "web-app"}, {"title": "x"}, {"unknown": 1}])
def test_an_update_without_a_known_field_is_500(body: dict[str, Any], http: httpx.Client) -> None:
    handled(http.patch(PROJECT, json=body), 500, FAILED)
    handled(http.put(IMPORT, json=body), 500, "Internal Server Error.")


def test_the_published_import_example_is_500(http: httpx.Client) -> None:
    handled(http.put(IMPORT, json={"title": "a", "description": "b"}), 500, "Internal Server Error.")


@pytest.mark.parametrize("cookie", ["", "neptun-session=garbage"])
def test_without_a_valid_session_it_is_401_with_a_fresh_anonymous_one(cookie: str, http: httpx.Client) -> None:
    response = http.patch(PROJECT, json={"name": "x"}, headers={"Cookie": cookie})
    assert thrown(response, 401)["message"] == "Unauthorized"
    anonymous = response.headers["Set-Cookie"]
    assert anonymous.startswith("neptun-session=Fe26.2**")
    assert {"Path=/", "HttpOnly", "Secure", "SameSite=Lax"} <= set(anonymous.split("; "))
    assert "Expires" not in anonymous


def test_a_browser_gets_a_large_page_instead(http: httpx.Client) -> None:
    response = http.patch(PROJECT, json={}, headers={"Cookie": "", "Accept": "text/html"})
    assert (response.status_code, response.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert 140_000 < len(response.content) < 160_000


@pytest.mark.parametrize(
    "url",
    [
        "/api/users/2/projects/789",
        "/api/users/1/projects/999",
        "/api/users/1/projects/790",
        f"{PROJECT}/resources/imports/999",
        f"{PROJECT}/resources/imports/124",
        "/api/users/1/projects/999/resources/imports/123",
    ],
)
def test_what_is_missing_or_another_users_is_401(url: str, http: httpx.Client) -> None:
    handled(http.request("PUT" if "imports" in url else "PATCH", url, content=b"{"), 401, "Unauthorized.")


@pytest.mark.parametrize("wrong", ["0", "-1", "abc", "1.5"])
def test_an_id_that_is_no_positive_integer_is_400(wrong: str, http: httpx.Client) -> None:
    handled(http.patch(f"/api/users/1/projects/{wrong}", content=b"{"), 400, "Bad Request")


def test_an_id_above_the_largest_is_500(http: httpx.Client) -> None:
    handled(http.patch("/api/users/1/projects/2147483647", json={}), 401, "Unauthorized.")
    assert http.patch("/api/users/1/projects/2147483648", json={}).status_code == 500


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000], ids=["empty", "cut", "not UTF-8", "deep"])
def test_a_body_that_is_not_json_is_400(content: bytes, http: httpx.Client) -> None:
    thrown(http.patch(PROJECT, content=content), 400)


@pytest.mark.parametrize("content", [b"[]", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_400(content: bytes, http: httpx.Client) -> None:
    response = http.patch(PROJECT, content=content)
    assert response.status_code == 400
    assert response.json()["data"]["issues"][0]["path"] == []


def test_wrong_types_and_nulls_are_400_with_every_problem_listed(http: httpx.Client) -> None:
    handled(http.patch(PROJECT, json={"name": None, "type": 5, "description": 1.5}), 400, "Bad Request", [
        "name",
        "type",
        "description",
    ])  # fmt: skip
    handled(http.put(IMPORT, json={"source_path": None, "project_id": True}), 400, "Bad Request", [
        "source_path",
        "project_id",
    ])  # fmt: skip


def test_a_nul_character_is_500_on_patch_and_404_on_put(http: httpx.Client) -> None:
    handled(http.patch(PROJECT, json={"name": "\0"}), 500, FAILED)
    handled(http.put(IMPORT, json={"source_path": "\0"}), 404, "Not Found")


def test_a_put_of_two_million_bytes_is_413_and_a_patch_is_not(http: httpx.Client) -> None:
    frame = len(b'{"source_path":""}')
    assert http.put(IMPORT, json={"source_path": "x" * (1_999_999 - frame)}).status_code == 200
    thrown(http.put(IMPORT, json={"source_path": "x" * (2_000_000 - frame)}), 413)
    assert http.patch(PROJECT, json={"name": "x" * 2_000_000}).status_code == 200


@pytest.mark.parametrize(("method", "url"), [("GET", PROJECT), ("PUT", PROJECT), ("PATCH", IMPORT), ("GET", "/nope")])
def test_an_unknown_route_or_method_is_404(method: str, url: str, http: httpx.Client) -> None:
    thrown(http.request(method, url), 404)
