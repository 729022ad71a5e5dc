"""The deployed dialect: what a Neptun server built from its public source responds, odd as some of it is."""

from collections.abc import Mapping
from typing import ClassVar, cast
from urllib.parse import parse_qsl

from werkzeug.wrappers import Request, Response

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.api import Api, Call, Handler, RejectedError, decode_json, json_response
from neptun_sdk.sandbox.columns import COLUMNS, MAX_ID, id_issues, issues, json_type, row_problems, wrong_type
from neptun_sdk.sandbox.spec import Operation
from neptun_sdk.sandbox.state import (
    IMPORT,
    OWNER,
    PROJECT,
    USER_ID,
    Account,
    Resource,
    Row,
    RowNotFoundError,
    later,
    new_session,
)
from neptun_sdk.session import COOKIE_NAME

_MAX_PUT_SIZE = 2_000_000  # bytes; a PUT of this size and more is refused
_HTML_WORDS = 11_000  # make a page of about 150 KB
_SECOND_WRITE = 5  # milliseconds after the first


def _update_project(call: Call) -> Row:
    changes = _changes(call.body, PROJECT)
    if not changes or _has_nul(changes):
        raise RejectedError(_handled(500, "Internal Server Error. Failed to update project."))
    with call.state.lock:
        returned = call.state.update(call.row, changes)
        # The server writes the row once more after it has read what it returns.
        trees = [row["file_tree"] for row in call.state.rows(IMPORT).values() if row["project_id"] == returned["id"]]
        files = [tree for tree in trees if tree is not None]
        call.row["prompt_context"] = {"files": files} if files else None
        call.row["updated_at"] = later(returned["updated_at"], milliseconds=_SECOND_WRITE)
    return returned


def _update_import(call: Call) -> Row:
    changes = _changes(call.body, IMPORT)
    if not changes:
        raise RejectedError(_handled(500, "Internal Server Error.", {}))
    users = [account.user_id for account in call.state.accounts]
    changes = {name: call.row[name] if value is None and name in _KEPT else value for name, value in changes.items()}
    # Everything that the database refuses in a PUT is a 404.
    unknown_user = changes.get(OWNER, users[0]) not in users
    unknown_project = "project_id" in changes and changes["project_id"] not in call.state.rows(PROJECT)
    if _has_nul(changes) or unknown_user or unknown_project:
        raise RejectedError(_handled(404, "Not Found."))
    return call.state.update(call.row, changes)


_KEPT = {name for name, column in COLUMNS[IMPORT].items() if column.keeps_on_null}
HANDLERS: Mapping[str, Handler] = {
    "updateProject": _update_project,
    "updateProjectImport": _update_import,
}


class DeployedApi(Api):
    """The API as a deployed server has it: with its own names, statuses, and two shapes of errors."""

    dialect: ClassVar[Dialect] = "deployed"
    source: ClassVar[str] = "neptun_sdk/sandbox/deployed.py"
    handlers: ClassVar[Mapping[str, Handler]] = HANDLERS

    def route_path(self, path: str) -> str:
        return path.removesuffix("/")

    def finish(self, request: Request, response: Response, /) -> Response:
        response.headers["Access-Control-Allow-Origin"] = "*"
        if response.status_code >= 400 and "text/html" in request.headers.get("Accept", ""):
            page = "<!DOCTYPE html><html><head><title>{0}</title></head><body>{1}</body></html>"
            response.set_data(page.format(response.status, "Server Error. " * _HTML_WORDS))
            response.content_type = "text/html; charset=utf-8"
        return response

    def unknown_route(self, request: Request, /) -> Response:
        message = f"Page not found: {request.path}"
        return _thrown(request, 404, message, message, {"path": request.path})

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

    def check_parameters(self, _request: Request, operation: Operation, texts: Mapping[str, str], /) -> dict[str, int]:
        problems = [issue for name in operation.path_parameters for issue in id_issues(name, texts[name])]
        if problems:
            raise RejectedError(_invalid(problems))
        return {name: int(texts[name]) for name in operation.path_parameters}

    def check_access(self, request: Request, account: Account, ids: Mapping[str, int], /) -> Row:
        if ids[USER_ID] != account.user_id:
            raise RejectedError(_handled(401, "Unauthorized."))
        if max(ids.values()) > MAX_ID:
            raise RejectedError(_thrown(request, 500, "Server Error", "Server Error"))
        try:
            return self.state.find(ids)
        except RowNotFoundError:
            raise RejectedError(_handled(401, "Unauthorized.")) from None

    def read_body(self, request: Request, _operation: Operation, /) -> Row:
        content = request.get_data()
        body: object
        if not content:
            raise RejectedError(_invalid([wrong_type("object", "undefined", [], "Required")]))
        if request.mimetype == "application/x-www-form-urlencoded":
            body = dict(parse_qsl(content.decode("utf-8", "replace")))
        elif request.mimetype.startswith("text/"):
            body = content.decode("utf-8", "replace")
        else:
            try:
                body = decode_json(content, errors="replace")
            except ValueError:
                raise RejectedError(_thrown(request, 400, "Bad Request", "Invalid JSON body")) from None
        if not isinstance(body, dict):
            raise RejectedError(_invalid([wrong_type("object", json_type(body), [])]))
        return cast("Row", body)

    def success(self, operation: Operation, body: Row) -> Response:
        return json_response(body, operation.success)

    def error(self, request: Request, status: int, message: str, /) -> Response:
        return _thrown(request, status, message, message)

    def row_problems(self, resource: Resource, row: Row) -> list[str]:
        return row_problems(resource, row)


def _changes(body: Row, resource: Resource) -> Row:
    """Return the fields of a body that are columns; the others are dropped without notice."""
    columns = COLUMNS[resource]
    if problems := issues(body, columns):
        raise RejectedError(_invalid(problems))
    return {name: body[name] for name in columns if name in body}


def _has_nul(value: object) -> bool:
    """Return whether a NUL character is in any text of a JSON value, which may be nested deeply."""
    pending = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            pending += [*cast("Row", item), *cast("Row", item).values()]
        elif isinstance(item, list):
            pending += cast("list[object]", item)
        elif isinstance(item, str) and "\0" in item:
            return True
    return False


def _handled(status: int, message: str, data: Row | None = None) -> Response:
    """Return an error that a handler returned: it has no ``message``."""
    body: Row = {"statusCode": status, "statusMessage": message, "stack": []}
    return json_response(body if data is None else {**body, "data": data}, status)


def _invalid(problems: list[Row]) -> Response:
    return _handled(400, "Bad Request", {"issues": problems, "name": "ZodError"})


def _thrown(request: Request, status: int, status_message: str, message: str, data: Row | None = None) -> Response:
    """Return an error that was thrown: it has a ``message``."""
    body: Row = {"error": True, "url": request.url, "statusCode": status, "statusMessage": status_message}
    body["message"] = message
    return json_response(body if data is None else {**body, "data": data}, status)
