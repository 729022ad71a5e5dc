"""Errors of Celery tasks, as a caller gets them from a result back end that keeps JSON."""

import json
from typing import Any

import celery
import httpx
from celery.contrib.testing.worker import start_worker

import neptun_sdk
from neptun_sdk import NeptunClient

app = celery.Celery("case", broker="memory://", backend="cache+memory://")
app.conf.update(
    task_serializer="json", result_serializer="json", accept_content=["json"], result_accept_content=["json"]
)

ANSWERS: dict[str, Any] = {
    "404": httpx.Response(404, json={"statusCode": 404, "message": "no such project"}),
    "400": httpx.Response(400, json={"data": {"issues": [{"path": ["type"], "message": "Invalid"}]}}),
    "429": httpx.Response(429, headers={"Retry-After": "2.5"}),
    "another value": httpx.Response(
        200,
        json={"project": {
            "id": 123, "name": "x", "project_type": "a", "programming_language": "b", "neptun_user_id": 1,
            "created_at": "2025-02-16T17:42:11Z", "updated_at": "2025-02-16T17:42:11Z",
        }},
    ),
    "late": httpx.ReadTimeout("late"),
    "refused here": None,
}  # fmt: skip


def respond(answer: Any) -> Any:
    def handler(_: httpx.Request) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return httpx.MockTransport(handler)


def fail(name: str) -> None:
    client = NeptunClient(transport=respond(ANSWERS[name]), max_retries=0)
    client.update_project(0 if name == "refused here" else 123, name="New name")


@app.task(serializer="json")  # type: ignore[untyped-decorator]
def update(name: str) -> None:
    """Make the call whose error is looked at."""
    fail(name)


def described(error: BaseException) -> dict[str, Any]:
    names = ("operation", "applied", "attempts", "status_code", "headers", "fields", "retry_after", "differences")
    facts = {name: getattr(error, name) for name in names if hasattr(error, name)}
    return {"class": type(error).__name__, "text": str(error), **facts}


results: dict[str, Any] = {}
with start_worker(app, pool="solo", perform_ping_check=False, shutdown_timeout=30):
    for name in ANSWERS:
        sent = update.delay(name)
        try:
            sent.get(timeout=30, interval=0.01)
        except neptun_sdk.NeptunError as error:
            results[name] = {"came back": described(error)}
        try:
            fail(name)
        except neptun_sdk.NeptunError as error:
            results[name]["raised"] = described(error)
print(json.dumps(results))
