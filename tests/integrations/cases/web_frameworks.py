"""A service that passes on what the SDK returns: by FastAPI, pydantic, Flask and json."""

import dataclasses
import json
from typing import Any

import flask
import httpx
import pydantic
from fastapi import FastAPI
from fastapi.testclient import TestClient

from neptun_sdk import NeptunClient, Project, ProjectImport

PROJECT = {
    "id": 789,
    "name": "New name",
    "description": None,
    "project_type": "web-site",
    "programming_language": "typescript",
    "created_at": "2025-02-16T17:42:11.000Z",
    "updated_at": "2025-02-16T18:42:11.000Z",
    "neptun_user_id": 1,
    "stars": [1, {"two": 2}],  # not in the contract
}


class Job(pydantic.BaseModel):
    """A model of the service's own."""

    project: Project


client = NeptunClient(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"project": PROJECT})))
project = client.update_project(789, name="New name")
fastapi = FastAPI()


@fastapi.get("/annotated")
def annotated() -> Project:
    """Return a project, which FastAPI validates and describes."""
    return client.update_project(789, name="New name")


@fastapi.get("/plain", response_model=None)
def plain() -> Any:
    """Return a project as it is."""
    return client.update_project(789, name="New name")


@fastapi.get("/imports")
def imports() -> list[ProjectImport]:
    """Return imports, for the description only."""
    return []


@fastapi.post("/jobs")
def echo(job: Job) -> Job:
    """Take a project, and return it."""
    return job


def is_refused(values: dict[str, Any]) -> bool:
    """Tell whether pydantic refuses a project."""
    try:
        Job.model_validate({"project": values})
    except pydantic.ValidationError:
        return True
    return False


job = Job(project=project)
web = TestClient(fastapi)
from_fastapi = web.get("/annotated").json()
with flask.Flask("service").app_context():
    from_flask = flask.jsonify(project).get_json()
print(
    json.dumps(
        {
            "FastAPI, annotated": from_fastapi,
            "FastAPI, not annotated": web.get("/plain").json(),
            "FastAPI, in a body": web.post("/jobs", json={"project": from_fastapi}).json()["project"],
            "pydantic": json.loads(job.model_dump_json())["project"],
            "Flask": from_flask,
            "json": json.loads(json.dumps(dataclasses.asdict(project), default=str)),
            "schemas": web.get("/openapi.json").json()["components"]["schemas"],
            "pydantic keeps the project": job.project is project,
            "pydantic dumps a dict": job.model_dump() == {"project": dataclasses.asdict(project)},
            "pydantic reads what it wrote": Job.model_validate_json(job.model_dump_json()) == job,
            "pydantic refuses a wrong type": is_refused({**from_fastapi, "created_at": "yesterday"}),
            "pydantic refuses a missing field": is_refused({"id": 789}),
        }
    )
)
