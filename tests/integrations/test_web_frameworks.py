"""Web frameworks take what the SDK returns as it is."""

from typing import Any

import pytest

from tests.integrations.processes import run_case
from tests.needs import require

# The times of a project as each writes them: created_at and updated_at.
WRITTEN = {
    "FastAPI, annotated": ("2025-02-16T17:42:11Z", "2025-02-16T18:42:11Z"),
    "FastAPI, not annotated": ("2025-02-16T17:42:11+00:00", "2025-02-16T18:42:11+00:00"),
    "FastAPI, in a body": ("2025-02-16T17:42:11Z", "2025-02-16T18:42:11Z"),
    "pydantic": ("2025-02-16T17:42:11Z", "2025-02-16T18:42:11Z"),
    "Flask": ("Sun, 16 Feb 2025 17:42:11 GMT", "Sun, 16 Feb 2025 18:42:11 GMT"),
    "json": ("2025-02-16 17:42:11+00:00", "2025-02-16 18:42:11+00:00"),
}
VALIDATION = (
    "pydantic keeps the project",
    "pydantic dumps a dict",
    "pydantic reads what it wrote",
    "pydantic refuses a wrong type",
    "pydantic refuses a missing field",
)


@pytest.fixture(scope="module")
def results() -> Any:
    require("fastapi", "flask", "pydantic")
    return run_case("web_frameworks.py")


@pytest.mark.parametrize(("framework", "times"), WRITTEN.items(), ids=WRITTEN)
def test_a_project_is_written_as_json(results: Any, framework: str, times: tuple[str, str]) -> None:
    created_at, updated_at = times
    assert results[framework] == {
        "id": 789,
        "name": "New name",
        "description": None,
        "project_type": "web-site",
        "programming_language": "typescript",
        "created_at": created_at,
        "updated_at": updated_at,
        "neptun_user_id": 1,
        "extra": {"stars": [1, {"two": 2}]},
    }


@pytest.mark.parametrize("what", VALIDATION)
def test_pydantic_validates_a_project(results: Any, what: str) -> None:
    assert results[what] is True


def test_fastapi_describes_a_project(results: Any) -> None:
    properties = results["schemas"]["Project"]["properties"]
    assert properties["id"] == {"type": "integer", "title": "Id"}
    assert properties["description"] == {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Description"}
    assert properties["created_at"] == {"type": "string", "format": "date-time", "title": "Created At"}
    assert properties["project_type"] == {
        "anyOf": [{"type": "string", "enum": ["web-site", "web-service", "web-app"]}, {"type": "string"}],
        "title": "Project Type",
    }


def test_fastapi_describes_an_import(results: Any) -> None:
    required = ["id", "source_type", "source_path", "created_at", "updated_at", "neptun_user_id", "project_id"]
    assert results["schemas"]["ProjectImport"]["required"] == required
