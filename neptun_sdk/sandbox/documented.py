"""The documented dialect: what ``openapi.yaml`` says, and the rules of its notes that a schema cannot express."""

import re
from collections.abc import Callable, Mapping
from typing import ClassVar, cast

from werkzeug.wrappers import Request, Response

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.api import Api, Call, Handler, RejectedError, decode_json, json_response, refused_value
from neptun_sdk.sandbox.spec import Issue, Operation, Schema
from neptun_sdk.sandbox.state import IMPORT, PROJECT, USER_ID, Account, Resource, Row, RowNotFoundError

_JSON = "application/json"
_INVALID_BODY = "Invalid request body"

# The format of a source_path, by source_type; any other type takes any path but an empty one.
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_PATH_FORMATS = {
    "github": (_REPOSITORY, "owner/repository"),
    "github_repository_installation": (_REPOSITORY, "owner/repository"),
    "public_github_repository_url": (
        re.compile(r"https://github\.com/" + _REPOSITORY.pattern + "/?"),
        "https://github.com/owner/repository",
    ),
}
_ANY_PATH = (re.compile(r"[^\0]+"), "a path that is not empty")

Rule = Callable[[Row, Row], list[Issue]]  # takes the row as it would be, and the fields given


def _source_path_fits(row: Row, given: Row) -> list[Issue]:
    pattern, expected = _PATH_FORMATS.get(row["source_type"], _ANY_PATH)
    if "source_path" not in given or pattern.fullmatch(row["source_path"]):
        return []
    return [Issue("source_path", f"Invalid source_path for {row['source_type']}. Expected {expected}")]


def _update(resource: Resource, *rules: Rule) -> Handler:
    """Return a handler that applies the fields given, if the rules allow them, and returns the resource."""

    def handle(call: Call) -> Row:
        # What the contract does not let a request set is ignored.
        fields = call.operation.body.fields if call.operation.body else {}
        changes = {name: call.body[name] for name in fields if name in call.body}
        with call.state.lock:
            issues = [issue for rule in rules for issue in rule({**call.row, **changes}, changes)]
            if issues:
                raise RejectedError(_error(400, _INVALID_BODY, issues))
            return {resource.name: call.state.update(call.row, changes)}

    return handle


HANDLERS: Mapping[str, Handler] = {
    "updateProject": _update(PROJECT),
    "updateProjectImport": _update(IMPORT, _source_path_fits),
}


class DocumentedApi(Api):
    """The API as the contract describes it."""

    dialect: ClassVar[Dialect] = "documented"
    source: ClassVar[str] = "neptun_sdk/sandbox/documented.py"
    handlers: ClassVar[Mapping[str, Handler]] = HANDLERS

    def unknown_route(self, _request: Request, /) -> Response:
        return _error(404, "No such route")

    def unknown_method(self, _request: Request, allowed: list[str], /) -> Response:
        methods = ", ".join(allowed)
        return _error(405, f"This route takes {methods} only", headers={"Allow": methods})

    def no_session(self, _request: Request, /) -> Response:
        return _error(401, "Unauthorized")

    def check_parameters(self, request: Request, operation: Operation, texts: Mapping[str, str], /) -> dict[str, int]:
        if not _accepts_json(request):
            raise RejectedError(_error(400, f"Invalid headers: Accept must admit {_JSON}"))
        if operation.body and request.mimetype != _JSON:
            raise RejectedError(_error(400, f"Invalid headers: Content-Type must be {_JSON}"))
        ids: dict[str, int] = {}
        for name, schema in operation.path_parameters.items():
            # Python reads " 1", "1_0" and "+1" as integers too; a URL should not.
            ids[name] = int(texts[name]) if re.fullmatch(r"[1-9][0-9]{0,18}", texts[name]) else 0
            if schema.issues(ids[name]):
                raise RejectedError(_error(400, f"Invalid parameters: {name} must be a positive integer"))
        return ids

    def check_access(self, _request: Request, account: Account, ids: Mapping[str, int], /) -> Row:
        if ids[USER_ID] != account.user_id:
            raise RejectedError(_error(403, "Forbidden"))
        try:
            return self.state.find(ids)
        except RowNotFoundError as exc:
            raise RejectedError(_error(404, str(exc))) from None

    def read_body(self, request: Request, operation: Operation, /) -> Row:
        try:
            body = decode_json(request.get_data())
        except ValueError:
            raise RejectedError(_error(400, f"{_INVALID_BODY}: it is not JSON")) from None
        schema = cast("Schema", operation.body)
        if issues := schema.issues(body) or _unknown_values(schema, body):
            raise RejectedError(_error(400, _INVALID_BODY, issues))
        return cast("Row", body)

    def success(self, operation: Operation, body: Row) -> Response:
        schema = operation.responses[operation.success]
        if schema is None:
            return Response(status=operation.success)
        # A server that breaks its own contract must not go unnoticed.
        if issues := schema.issues(body):
            raise RuntimeError(f"the sandbox's response to {operation.operation_id} is not the contract's: {issues}")
        return json_response(body, operation.success)

    def error(self, _request: Request, status: int, message: str, /) -> Response:
        return _error(status, message)

    def row_problems(self, resource: Resource, row: Row) -> list[str]:
        schema = self._row_schema(resource)
        if schema is None:
            return []
        problems = [f"{name} is no field of it" for name in row if name not in schema.fields]
        return problems + [
            f"{issue.field}: {issue.message}".removeprefix(": ")
            for issue in schema.issues(row) or _unknown_values(schema, row)
        ]

    def _row_schema(self, resource: Resource) -> Schema | None:
        """Return the schema of a resource, from an operation that returns it in an envelope of its name."""
        schemas = [operation.responses[operation.success] for operation in self.operations.values()]
        return next(
            (schema.fields[resource.name] for schema in schemas if schema and resource.name in schema.fields), None
        )


def _unknown_values(schema: Schema, row: Row) -> list[Issue]:
    """Return an issue for each field whose value is not one that the server knows."""
    return [
        Issue(name, refused_value(field.known_values, row[name]))
        for name, field in schema.fields.items()
        if name in row and field.known_values and row[name] not in field.known_values
    ]


def _accepts_json(request: Request) -> bool:
    # The page requires the header, so a missing one admits nothing. The most specific range decides, as in RFC 9110.
    qualities = {value.partition(";")[0].strip().lower(): quality for value, quality in request.accept_mimetypes}
    return next((qualities[name] for name in (_JSON, "application/*", "*/*") if name in qualities), 0) > 0


def _error(
    status: int, message: str, issues: list[Issue] | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error body of the contract; problems of fields are where deployed servers put them."""
    whole = "; ".join(issue.message for issue in issues or () if not issue.field)
    body: Row = {"statusCode": status, "message": f"{message}: {whole}" if whole else message}
    if fields := [issue for issue in issues or () if issue.field]:
        body["data"] = {"issues": [{"path": [issue.field], "message": issue.message} for issue in fields]}
    return json_response(body, status, headers)
