"""The deployed dialect: the responses of a Neptun server built from its public source, oddities included."""

import json
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs, unquote

from werkzeug.wrappers import Request, Response

from neptun_sdk._contract import COOKIE_NAME
from neptun_sdk.dialects import DEPLOYED_NAMES
from neptun_sdk.models import Dialect, Project, ProjectImport
from neptun_sdk.sandbox.api import Api, Handler, RejectedError, described, finite, json_response, load_json, raw_path
from neptun_sdk.sandbox.columns import COLUMNS, MAX_ID, issues, json_type, read_id, row_problems, wrong_type
from neptun_sdk.sandbox.defaults import Call, Refusal, invalid_status
from neptun_sdk.sandbox.resources import Resource, Target
from neptun_sdk.sandbox.script import phrase
from neptun_sdk.sandbox.spec import Content, Issue, Operation
from neptun_sdk.sandbox.state import IMPORT, OWNER, PROJECT, Account, Row, RowNotFoundError, later, new_session

_MAX_PUT_SIZE = 2_000_000  # bytes; a PUT of this size and more is refused
_HTML_WORDS = "Server Error. " * 11_000  # a page of about 150 KB
_SECOND_WRITE = 5  # milliseconds after the first
_NAMES: Mapping[Resource, Mapping[str, str | None]] = {
    PROJECT: DEPLOYED_NAMES[Project],
    IMPORT: DEPLOYED_NAMES[ProjectImport],
}
_CORS = {"Access-Control-Allow-Origin": "*"}
_LOGGED_IN_AT = "2025-02-16T17:42:11.000Z"
# In a JSON text: half of a surrogate pair, and a NUL character, which is not "\\u0000". The database takes neither.
_UNSTORABLE = re.compile(r"[\ud800-\udfff]|(?<!\\)(?:\\\\)*\\u0000")
# Bodies that are not JSON, but that the server accepts, and their types.
_WORDS: Mapping[str, str] = {"": "undefined", "undefined": "undefined", "nan": "nan", "infinity": "number"}


def _update_project(call: Call) -> Row:
    changes = _changes(call.body, PROJECT)
    if not changes or _UNSTORABLE.search(json.dumps(changes, ensure_ascii=False)):
        raise RejectedError(_handled(500, "Internal Server Error. Failed to update project."))
    returned = call.state.update(call.row, changes)
    # The server writes the row again after it has read the row that it returns.
    trees = [row["file_tree"] for row in call.state.rows(IMPORT).values() if row["project_id"] == returned["id"]]
    files = [tree for tree in trees if tree is not None]
    call.row["prompt_context"] = {"files": files} if files else None
    call.row["updated_at"] = later(returned["updated_at"], milliseconds=_SECOND_WRITE)
    return returned


def _update_import(call: Call) -> Row:
    changes = _changes(call.body, IMPORT)
    if not changes:
        raise RejectedError(_handled(500, "Internal Server Error.", {}))
    # Everything that the database refuses in a PUT is a 404.
    users = [account.user_id for account in call.state.accounts]
    projects = [None, *call.state.rows(PROJECT)]
    unknown_user = changes.get(OWNER, users[0]) not in users
    if (
        _UNSTORABLE.search(json.dumps(changes, ensure_ascii=False))
        or unknown_user
        or changes.get(PROJECT.path_id) not in projects
    ):
        raise RejectedError(_handled(404, "Not Found."))
    return call.state.update(call.row, changes)


HANDLERS: Mapping[str, Handler] = {
    "updateProject": _update_project,
    "updateProjectImport": _update_import,
}


class DeployedApi(Api):
    """The API of a deployed server: with different names, statuses, and two shapes of errors.

    It is unknown how a deployed server performs operations without a handler here. They have the bodies of the
    contract, and take a field under either name.
    """

    dialect: ClassVar[Dialect] = "deployed"
    source: ClassVar[str] = "neptun_sdk/sandbox/deployed.py"
    handlers: ClassVar[Mapping[str, Handler]] = HANDLERS

    headers: ClassVar[Mapping[str, str]] = _CORS

    def segments(self, request: Request) -> list[str]:
        return raw_path(request).removesuffix("/").split("/")

    def columns(self, target: Target, /) -> Mapping[str, str | None]:
        return _NAMES.get(target.resource, {})

    def unknown_route(self, request: Request, /) -> Response:
        path = raw_path(request)
        account = self.account(request)
        if path.startswith("/api/users") and account is None:
            return self.no_session(request)
        if (request.method, path) == ("GET", "/api/_auth/session"):
            user = {"user": {"id": account.user_id}, "loggedInAt": _LOGGED_IN_AT} if account else {}
            return json_response({"id": secrets.token_hex(16), **user}, headers=_CORS)
        message = f"Page not found: {path}"
        return _thrown(request, 404, message, message, {"path": path})

    def unknown_method(self, request: Request, _allowed: list[str], /) -> Response:
        return self.unknown_route(request)

    def check_size(self, request: Request, /) -> None:
        if request.method == "PUT" and len(request.get_data()) >= _MAX_PUT_SIZE:
            raise RejectedError(_thrown(request, 413, "Payload Too Large", "Payload Too Large"))

    def no_session(self, request: Request, /) -> Response:
        response = _thrown(request, 401, "Server Error", "Unauthorized")
        # A fresh anonymous session, which no client should adopt.
        response.set_cookie(COOKIE_NAME, new_session(), httponly=True, secure=True, samesite="Lax")
        return response

    def not_found(self, _operation: Operation | None, _missing: RowNotFoundError, /) -> Response:
        return _handled(401, "Unauthorized.")

    def refuse(self, operation: Operation | None, refusal: Refusal, /) -> Response:
        reply = operation.reply(refusal.status) if operation else None
        data = {"issues": [{"path": [each.field], "message": each.message} for each in refusal.issues]}
        own = _handled(refusal.status, phrase(refusal.status), data if refusal.issues else None)
        return described(reply, refusal) or own

    def read_parameters(self, request: Request, operation: Operation, texts: Mapping[str, str], /) -> dict[str, Any]:
        values: dict[str, Any] = {}
        problems: list[Row] = []
        for name, parameter in operation.path_parameters.items():
            if parameter.schema.kind == "integer":
                values[name], found = read_id(name, texts[name])
                problems += found
            else:
                values[name] = parameter.read([unquote(texts[name])])
                wrong = parameter.schema.issues(values[name])
                problems += [{"code": "custom", "path": [name], "message": issue.message} for issue in wrong]
        if problems:
            raise RejectedError(_invalid(problems, "Bad Request."))
        whole = {name: int(value) if isinstance(value, float) else value for name, value in values.items()}
        return {**whole, **self.options(request, operation)}

    def check_access(
        self, request: Request, account: Account, target: Target, parameters: Mapping[str, Any], /
    ) -> list[Row]:
        if target.user and parameters[target.user] != account.user_id:
            raise RejectedError(_handled(401, "Unauthorized."))
        ids = [parameters[step.parameter.name] for step in target.steps]
        if any(isinstance(each, int) and each > MAX_ID for each in ids):
            raise RejectedError(_thrown(request, 500, "Server Error", "Server Error"))
        return self.state.find(target.steps, parameters, account.user_id)

    def read_body(self, request: Request, operation: Operation, content: Content, /) -> Row:
        text = request.get_data().decode("utf-8", "replace")
        body: object
        if text.lower() in _WORDS:
            message = "Required" if _WORDS[text.lower()] == "undefined" else None
            raise RejectedError(_invalid([wrong_type("object", _WORDS[text.lower()], [], message)]))
        if request.mimetype == "application/x-www-form-urlencoded":
            fields = parse_qs(text, keep_blank_values=True)
            body = {name: values if len(values) > 1 else values[0] for name, values in fields.items()}
        elif request.mimetype.startswith("text/"):
            body = text
        else:
            try:
                body = load_json(text, _JAVASCRIPT)
            except ValueError:
                raise RejectedError(_thrown(request, 400, "Bad Request", "Invalid JSON body")) from None
        if not isinstance(body, dict):
            raise RejectedError(_invalid([wrong_type("object", json_type(body), [])]))
        row = cast("Row", body)
        if operation.operation_id in self.handlers or content.schema is None:
            return row
        columns = self.columns(self.targets[operation.operation_id])
        ours = {column: name for name, column in columns.items() if column is not None}
        row = {ours.get(name, name): value for name, value in row.items()}
        if problems := content.schema.issues(row) or content.schema.unknown(row):
            raise Refusal(invalid_status(operation), "Bad Request", problems)
        return row

    def rules(self, target: Target, row: Row, given: Row, /) -> list[Issue]:
        columns = COLUMNS.get(target.resource, {})
        return [Issue(str(issue["path"][0]), issue["message"]) for issue in issues(row, columns)] if given else []

    def error(self, request: Request, status: int, message: str, /) -> Response:
        return _thrown(request, status, message, message)

    def row_problems(self, resource: Resource, row: Row) -> list[str]:
        if resource not in COLUMNS:
            return self.state.problems(resource, row)
        return row_problems(resource, row, self.state.tables[resource].keys)


def _changes(body: Row, resource: Resource) -> Row:
    """Return the fields of a body that are columns, as stored; drop the others silently."""
    columns = COLUMNS[resource]
    if problems := issues(body, columns):
        raise RejectedError(_invalid(problems))
    return {name: _stored(body[name], column.kind) for name, column in columns.items() if name in body}


def _stored(value: object, kind: str) -> object:
    if kind == "string" and isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if kind != "any":
        return value
    with suppress(ValueError):  # a text that is JSON is stored as its value
        value = load_json(value, _JAVASCRIPT) if isinstance(value, str) else value
    return json.loads(json.dumps(value), parse_constant=lambda _: None)  # JavaScript writes null for Infinity


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() else number


def _without_prototypes(members: list[tuple[str, Any]]) -> Row:
    found = dict(members)
    if "__proto__" in found or "constructor" in found:
        raise ValueError("a key that would change the prototype of an object")
    return found


_JAVASCRIPT = json.JSONDecoder(
    parse_int=_number, parse_float=_number, parse_constant=finite, object_pairs_hook=_without_prototypes
)


def _handled(status: int, message: str, data: Row | None = None) -> Response:
    """Return the error of a handler: without ``message``, and JSON even for a browser."""
    body: Row = {"statusCode": status, "statusMessage": message, "stack": []}
    return json_response(body if data is None else {**body, "data": data}, f"{status} {message}", _CORS, indent=2)


def _invalid(problems: list[Row], message: str = "Bad Request") -> Response:
    return _handled(400, message, {"issues": problems, "name": "ZodError"})


def _thrown(request: Request, status: int, status_message: str, message: str, data: Row | None = None) -> Response:
    """Return the error of an exception: with ``message``, and a page of HTML for a browser."""
    line = f"{status} {status_message}"
    headers = {"Cache-Control": "no-cache"}
    if "text/html" in request.headers.get("Accept", ""):
        page = f"<!DOCTYPE html><html><head><title>{status}</title></head><body>{_HTML_WORDS}</body></html>"
        return Response(page, line, {**headers, **_CORS}, content_type="text/html; charset=utf-8")
    url = request.host_url.removesuffix("/") + raw_path(request)
    body: Row = {"error": True, "url": url, "statusCode": status, "statusMessage": status_message, "message": message}
    headers |= {} if status in (401, 413) else _CORS
    return json_response(body if data is None else {**body, "data": data}, line, headers, indent=2)
