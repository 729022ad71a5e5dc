"""Worker queues: what an error of a task says after it came back."""

import re
from typing import Any

import pytest

from tests.integrations.processes import CASES, run_case
from tests.needs import require

# What comes back, the class, and some of what the error must still know.
ERRORS: dict[str, tuple[str, dict[str, Any]]] = {
    "404": ("NotFoundError", {"applied": False, "status_code": 404}),
    "400": ("BadRequestError", {"applied": False, "fields": {"project_type": "Invalid"}}),
    "429": ("RateLimitError", {"applied": False, "retry_after": 2.5}),
    "another value": ("UpdateNotVerifiedError", {"applied": None, "differences": {"name": ["New name", "x"]}}),
    "late": ("NeptunTimeoutError", {"applied": None, "status_code": None}),
    "refused here": ("ArgumentError", {"applied": False, "attempts": 0}),
}


@pytest.fixture(scope="module")
def of_celery() -> Any:
    require("celery")
    return run_case("celery_results.py")


@pytest.mark.parametrize(("name", "kind", "known"), [(name, *row) for name, row in ERRORS.items()], ids=ERRORS)
def test_an_error_of_a_celery_task_comes_back_whole(
    of_celery: Any, name: str, kind: str, known: dict[str, Any]
) -> None:
    """Celery makes it again from its class and the JSON of its ``args``."""
    came_back, raised = of_celery[name]["came back"], of_celery[name]["raised"]
    for each in (came_back, raised):
        each["text"] = re.sub(r"after [0-9.]+ s", "after N s", each["text"])
    assert came_back == raised
    assert came_back["class"] == kind
    assert {each: came_back[each] for each in known} == known
    assert came_back["text"].startswith("update_project")


def test_an_error_of_an_rq_job_keeps_its_text() -> None:
    """RQ keeps the text of the traceback: what an error knows must stand in its text."""
    require("rq")
    require("fakeredis")
    found = run_case("rq_results.py", PYTHONPATH=str(CASES))
    *_, last = found["text"].strip().splitlines()
    assert found["status"] in ("failed", "JobStatus.FAILED")
    assert last == (
        "neptun_sdk.errors.NotFoundError: update_project(user_id=1, project_id=123): 404 no such project. The update "
        "was not applied. Check the ids."
    )
