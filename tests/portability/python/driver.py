"""Makes the calls it reads with the client of openapi-generator, and prints what came of each."""

import json
import os
import sys
from collections.abc import Callable
from datetime import datetime
from typing import Any

from neptun_client import (
    ApiClient,
    ApiException,
    Configuration,
    ErrorBody,
    ImportsApi,
    ProjectsApi,
    UpdateProjectImportRequest,
    UpdateProjectRequest,
)

ERRORS = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}


Ids = dict[str, Any]
OPERATIONS: dict[str, Callable[[ApiClient, Ids, dict[str, Any]], Any]] = {
    "updateProject": lambda client, ids, fields: (
        ProjectsApi(client).update_project(**ids, update_project_request=UpdateProjectRequest(**fields)).project
    ),
    "updateProjectImport": lambda client, ids, fields: (
        ImportsApi(client)
        .update_project_import(**ids, update_project_import_request=UpdateProjectImportRequest(**fields))
        .var_import
    ),
}


def make_call(call: dict[str, Any]) -> Any:
    configuration = Configuration(
        host=os.environ["NEPTUN_BASE_URL"],
        api_key={"sessionCookie": call["session"]},
        retries=False,
    )
    ids = {name: value for name, value in call.items() if name not in ("id", "session", "operation", "fields")}
    with ApiClient(configuration) as client:
        return OPERATIONS[call["operation"]](client, ids, call.get("fields", {}))


def error_body(error: ApiException) -> ErrorBody | None:
    """Read the body of an error, which the client leaves as text where the contract has no such status."""
    if isinstance(error.data, ErrorBody):
        return error.data
    try:
        return ErrorBody.from_json(error.body or "")
    except ValueError:
        return None


def outcome(call: dict[str, Any]) -> dict[str, Any]:
    try:
        resource = make_call(call)
    except ApiException as error:
        status, body = error.status or 0, error_body(error)
        name = ERRORS.get(status, "server_error" if status >= 500 else "invalid_response")
        message = body and (body.message or body.status_message)
        return {"error": name, "status": status, **({"message": message} if message else {})}
    except Exception:
        return {"error": "invalid_response"}
    # The model does not keep null and absent apart, and takes a date-time without an offset.
    found = {name: value for name, value in resource.to_dict().items() if value is not None}
    if any(isinstance(value, datetime) and value.tzinfo is None for value in found.values()):
        return {"error": "invalid_response"}
    return {"resource": found}


for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps({"id": call["id"], "outcome": outcome(call)}, default=datetime.isoformat), flush=True)
