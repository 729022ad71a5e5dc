"""What type checkers make of the public interface: checked by ``make types``, never run."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_type

from neptun_sdk import (
    BadRequestError,
    NeptunClient,
    NeptunError,
    Project,
    ProjectImport,
    RateLimitError,
    StatusError,
    UpdateNotAppliedError,
)


def calls(client: NeptunClient) -> None:
    project = client.update_project(1, name="a", description=None)
    assert_type(project, Project)
    assert_type(project.name, str)
    assert_type(project.description, str | None)
    assert_type(project.updated_at, datetime)
    assert_type(project.extra, Mapping[str, Any])
    updated = client.update_project_import(1, 2, title="a")
    assert_type(updated, ProjectImport)
    assert_type(updated.title, str | None)
    assert_type(client.with_session("a", 1), NeptunClient)
    with client as entered:
        assert_type(entered, NeptunClient)


def catching(error: NeptunError) -> None:
    assert_type(error.operation, str | None)
    assert_type(error.applied, bool | None)
    if isinstance(error, StatusError):
        assert_type(error.status_code, int)
        assert_type(error.message, str)
    if isinstance(error, BadRequestError):
        assert_type(error.fields, Mapping[str, str])
    if isinstance(error, RateLimitError):
        assert_type(error.retry_after, float | None)
    if isinstance(error, UpdateNotAppliedError):
        assert_type(error.ignored, Mapping[str, tuple[str, str | None]])
        assert_type(error.resource, Project | ProjectImport | None)


def refused(client: NeptunClient) -> None:
    client.update_project("1", name="a")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.update_project(1, name=5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    client.update_project(1, "a")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    client.update_project(1, title="a")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
