# pyright: reportUnnecessaryTypeIgnoreComment=true
"""What type checkers make of the public interface: checked by ``make types``, never run.

A line that must be refused has a comment that suppresses the error, and a comment without an error is one itself.
"""

import dataclasses
import os
import ssl
from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_type

import httpx

from neptun_sdk import (
    CONTRACT,
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    Dialect,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NeptunTimeoutError,
    NotFoundError,
    PermissionDeniedError,
    ProgrammingLanguage,
    Project,
    ProjectImport,
    ProjectType,
    RateLimitError,
    ResponseError,
    ServerError,
    SourceType,
    StatusError,
    UpdateNotVerifiedError,
    __version__,
)
from neptun_sdk.bulk import BulkRun, Outcome, Status, Update, bulk_update


class Tenant(NeptunClient):
    """A subclass of a user's own."""

    tenant: str = "acme"


def calls(client: NeptunClient, anything: str) -> None:
    project = client.update_project(1, name="a", description=None)
    assert_type(project, Project)
    assert_type(project.id, int)
    assert_type(project.name, str)
    assert_type(project.description, str | None)
    assert_type(project.updated_at, datetime)
    assert_type(project.extra, Mapping[str, Any])
    updated = client.update_project_import(1, 2, title="a")
    assert_type(updated, ProjectImport)
    assert_type(updated.title, str | None)
    client.update_project(1, project_type="web-site", programming_language="go")
    client.update_project(1, project_type=anything, programming_language="a language of next year")
    client.update_project_import(1, 2, source_type=anything)
    client.update_project_import(1, 2, source_type="github")


def aliases(project: Project, updated: ProjectImport, anything: str) -> None:
    """The values belong to the server, so that an alias takes any text, and is one."""
    kinds: list[ProjectType] = ["web-site", "a kind of next year", anything, project.project_type]
    languages: list[ProgrammingLanguage] = ["go", "a language of next year", anything, project.programming_language]
    sources: list[SourceType] = ["github", "a source of next year", anything, updated.source_type]
    texts: list[str] = [*kinds, *languages, *sources]
    project.project_type.upper()
    assert_type(texts, list[str])


def versions() -> tuple[str, str]:
    return __version__, CONTRACT


def making(dialect: Dialect, transport: httpx.BaseTransport) -> None:
    assert_type(NeptunClient(), NeptunClient)
    NeptunClient("a", 1, base_url="https://host", dialect="deployed", timeout=5, max_retries=0)
    NeptunClient(None, None, dialect=dialect, max_response_size=1, allow_http=True, transport=transport)
    assert_type(NeptunClient.shared(), NeptunClient)
    assert_type(NeptunClient.shared(base_url="https://host", dialect=dialect, timeout=5.5), NeptunClient)
    NeptunClient.shared(max_retries=0, max_response_size=1, allow_http=True, transport=transport)
    NeptunClient("a", 1, headers={"X-Key": "a"}, ssl_context=ssl.create_default_context(), proxy="http://proxy:8080")
    NeptunClient.shared(headers=os.environ, ssl_context=None, proxy=None)


def deriving(client: NeptunClient) -> None:
    assert_type(client.with_session("a", 1), NeptunClient)
    assert_type(client.with_options(timeout=5), NeptunClient)
    assert_type(client.with_options(timeout=0.5, max_retries=0, headers={"X-Request-Id": "7"}), NeptunClient)
    assert_type(client.close(), None)
    with client as entered:
        assert_type(entered, NeptunClient)


def deriving_from_a_subclass(tenant: Tenant) -> None:
    assert_type(Tenant.shared(timeout=5), Tenant)
    assert_type(Tenant.shared().with_session("a", 1).tenant, str)
    assert_type(tenant.with_session("a", 1), Tenant)
    assert_type(tenant.with_options(max_retries=1), Tenant)
    assert_type(tenant.update_project(1, name="a"), Project)
    with tenant as entered:
        assert_type(entered, Tenant)


def resources(project: Project, updated: ProjectImport) -> None:
    """A resource is a dataclass, as FastAPI, pydantic and Flask know it."""
    documents: list[dict[str, Any]] = [dataclasses.asdict(project), dataclasses.asdict(updated)]
    assert_type(documents[0]["name"], Any)
    assert_type(dataclasses.replace(project, name="b"), Project)
    assert_type({project, project}, set[Project])
    assert_type(project.response_headers, Mapping[str, str])
    assert_type(updated.response_headers["x-request-id"], str)


def catching(error: NeptunError) -> None:
    assert_type(error.operation, str | None)
    assert_type(error.applied, bool | None)
    assert_type(error.attempts, int)
    if isinstance(error, NeptunConnectionError):
        assert_type(error.status_code, int | None)
        assert_type(error.headers, Mapping[str, str])
    if isinstance(error, StatusError):
        assert_type(error.status_code, int)
        assert_type(error.server_message, str)
        assert_type(error.body, object)
        assert_type(error.headers, Mapping[str, str])
    if isinstance(error, BadRequestError):
        assert_type(error.fields, Mapping[str, str])
    if isinstance(error, RateLimitError | ServerError):
        assert_type(error.retry_after, float | None)
    if isinstance(error, ResponseError):
        assert_type(error.status_code, int | None)
        assert_type(error.headers, Mapping[str, str])
    if isinstance(error, UpdateNotVerifiedError):
        assert_type(error.differences, Mapping[str, tuple[str, str | None]])
        assert_type(error.status_code, int | None)
        assert_type(error.headers, Mapping[str, str])
        if isinstance(error.resource, Project):
            assert_type(error.resource.project_type, ProjectType)


def tree() -> tuple[list[type[NeptunError]], list[type[StatusError]], type[NeptunConnectionError], type[ValueError]]:
    """Which class is caught with which."""
    status_errors: list[type[StatusError]] = [BadRequestError, AuthenticationError, PermissionDeniedError]
    status_errors += [NotFoundError, RateLimitError, ServerError]
    errors: list[type[NeptunError]] = [NeptunConnectionError, ResponseError, UpdateNotVerifiedError, *status_errors]
    return errors, status_errors, NeptunTimeoutError, ArgumentError


def by_hand() -> None:
    """A user's test makes the errors that it wants to see handled."""
    assert_type(NotFoundError(), NotFoundError)
    assert_type(RateLimitError("busy", retry_after=7.0, status_code=429), RateLimitError)


def refused(client: NeptunClient, project: Project, error: StatusError) -> None:
    client.update_project("1", name="a")  # type: ignore[arg-type]
    client.update_project(1, name=5)  # type: ignore[arg-type]
    client.update_project(1, project_type=5)  # type: ignore[arg-type]
    client.update_project(1, "a")  # type: ignore[call-arg]
    client.update_project(1, title="a")  # type: ignore[call-arg]
    client.update_project_import(1, title="a")  # type: ignore[call-arg]
    client.with_session("a", None)  # type: ignore[arg-type]
    client.with_session(None, 1)  # type: ignore[arg-type]
    client.with_session("a")  # type: ignore[call-arg]
    client.with_options(5)  # type: ignore[call-arg]
    client.with_options(base_url="a")  # type: ignore[call-arg]
    NeptunClient(dialect="other")  # type: ignore[arg-type]
    NeptunClient("a", 1, "https://host")  # type: ignore[call-arg]
    NeptunClient("a", 1, headers={"X-Key": 5})  # type: ignore[dict-item]
    NeptunClient("a", 1, headers=[("X-Key", "a")])  # type: ignore[arg-type]
    NeptunClient("a", 1, ssl_context=True)  # type: ignore[arg-type]
    project.response_headers = {}  # type: ignore[misc]
    NeptunClient.shared(user_id=1)  # type: ignore[call-arg]
    NeptunClient.shared(dialect="other")  # type: ignore[arg-type]
    project.name = "b"  # type: ignore[misc]
    print(error.message)  # type: ignore[attr-defined]


def many(client: NeptunClient, updates: list[Update]) -> None:
    run = bulk_update(client, updates, journal="journal.jsonl", max_workers=8)
    assert_type(run, BulkRun)
    for outcome in run:
        assert_type(outcome, Outcome)
        assert_type(outcome.status, Status)
        assert_type(outcome.error, NeptunError | None)
        assert_type(outcome.update.project_id, int)
    assert_type(run.ended_by, NeptunError | None)
    bulk_update(client, (Update(number, fields={"name": "a", "description": None}) for number in range(3)))
    bulk_update(client, [{"project_id": 1}])  # type: ignore[list-item]
    Update(1, 2, [("title", 7)])  # type: ignore[arg-type]
