"""The generated client, as the facade uses it: for each resource, what to call, what to fill and what to read."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import neptun_openapi
from neptun_openapi.api.imports import update_project_import
from neptun_openapi.api.projects import update_project
from neptun_openapi.models import UpdateProjectImportRequest, UpdateProjectRequest
from neptun_openapi.types import Unset
from neptun_sdk.models import Project, ProjectImport, Resource, contract_fields


class _Generated(NamedTuple):
    """What the generated client has for one operation.

    Attributes:
        send: The function that sends the request and reads the answer.
        request: The class of the request's body.
        envelope: The attribute of the answer that holds the resource.
    """

    send: Callable[..., Any]
    request: type[Any]
    envelope: str


_GENERATED = {
    Project: _Generated(update_project.sync_detailed, UpdateProjectRequest, "project"),
    ProjectImport: _Generated(update_project_import.sync_detailed, UpdateProjectImportRequest, "import_"),
}


def update(
    resource: type[Resource], client: neptun_openapi.Client, ids: Mapping[str, int], body: Mapping[str, str]
) -> Resource:
    """Send the update of a resource through the generated client, and return the resource of the answer."""
    send, request, envelope = _GENERATED[resource]
    response = send(**ids, client=client, body=request.from_dict(body))
    return from_generated(resource, getattr(response.parsed, envelope))


def from_generated(resource: type[Resource], model: Any) -> Resource:
    """Turn a model of the generated client into the resource of the same fields, an absent field into ``None``."""
    values: dict[str, Any] = {}
    for field in contract_fields(resource):
        value = getattr(model, field.name)
        values[field.name] = None if isinstance(value, Unset) else value
    return resource(**values, extra=model.additional_properties)
