"""The deployed dialect: what a Neptun server built from its public source answers, odd as some of it is."""

import json
import re
from typing import Any, cast

from werkzeug.wrappers import Request, Response

from neptun_sdk.sandbox.spec import known_values
from neptun_sdk.sandbox.state import Row, State, new_session, quoted, refused_value
from neptun_sdk.session import COOKIE_NAME

_ROUTE = re.compile(r"/api/users/([^/]+)/projects/([^/]+)(?:/resources/imports/([^/]+))?")
_LARGEST_ID = 2_147_483_647
_LARGEST_PUT = 2_000_000  # bytes, from which on a PUT is refused

# The columns that a request may set: the values of an enum, else the JSON type; and whether null will do.
_Column = tuple[list[str] | type[Any], bool]
_PROJECT: dict[str, _Column] = {
    "name": (str, False),
    "description": (str, True),
    "type": (known_values("UpdateProjectRequest", "project_type") or [], False),
    "main_language": (known_values("UpdateProjectRequest", "programming_language") or [], False),
}
_IMPORT: dict[str, _Column] = {
    # All that the contract knows but its own example, which this server does not have.
    "source_type": ((known_values("UpdateProjectImportRequest", "source_type") or [])[1:], False),
    "source_path": (str, False),
    "source_ref": (str, True),
    "import_status": (str, True),
    "error_message": (str, True),
    "file_tree": (object, True),
    "neptun_user_id": (int, False),
    "project_id": (int, False),
}
_KINDS: dict[type[Any], str] = {
    str: "string",
    int: "number",
    bool: "boolean",
    type(None): "null",
    list: "array",
    dict: "object",
}


class Deployed:
    """Answers as a deployed server does: in its order of checks, with its names, statuses and two error shapes."""

    def __init__(self, state: State) -> None:
        self._state = state

    def answer(self, request: Request) -> Response:
        """Answer a request."""
        route = _ROUTE.fullmatch(request.path)
        if route is None or request.method != ("PUT" if route[3] else "PATCH"):
            return _thrown(request, 404, "Server Error", f"Cannot find any route matching {request.path}.")
        account = self._state.account_of(request.cookies.get(COOKIE_NAME))
        if account is None:
            return _no_session(request)
        texts = [text for text in route.groups() if text is not None]
        if not all(re.fullmatch(r"[0-9]{1,20}", text) and int(text) > 0 for text in texts):
            return _handled(400, "Bad Request")
        ids = [int(text) for text in texts]
        if max(ids) > _LARGEST_ID:
            return _handled(500, "Internal Server Error.")
        mine = ids[0] == account.user_id and self._state.project(ids[0], ids[1])
        if len(ids) == 3:
            mine = mine and self._state.project_import(ids[0], ids[1], ids[2])
        if not mine:
            return _handled(401, "Unauthorized.")
        return self._update(request, ids)

    def _update(self, request: Request, ids: list[int]) -> Response:
        is_import = len(ids) == 3
        content = request.get_data()
        if is_import and len(content) >= _LARGEST_PUT:
            return _thrown(request, 413, "Request Entity Too Large", "Request Entity Too Large")
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return _thrown(request, 400, "Bad Request", "Invalid JSON body")
        columns = _IMPORT if is_import else _PROJECT
        issues = _issues(body, columns)
        if issues:
            return _handled(400, "Bad Request", {"issues": issues, "name": "ZodError"})
        # What is no column is dropped without a word.
        changes = {name: value for name, value in cast("Row", body).items() if name in columns}
        failure = "Internal Server Error." if is_import else "Internal Server Error. Failed to update project."
        if not changes:
            return _handled(500, failure)
        if "\0" in "".join(value for value in changes.values() if isinstance(value, str)):
            return _handled(404, "Not Found") if is_import else _handled(500, failure)
        if is_import:
            return _json(200, self._state.store_import(ids[2], changes))
        return _json(200, self._state.store_project(ids[1], changes))


def _issues(body: object, columns: dict[str, _Column]) -> list[Row]:
    if not isinstance(body, dict):
        return [_wrong_type("object", body, [])]
    issues: list[Row] = []
    for name, value in cast("Row", body).items():
        expected, nullable = columns.get(name, (object, True))
        if value is None and nullable:
            continue
        if isinstance(expected, list):
            if value not in expected:
                issues.append(_wrong_value(expected, value, name))
        elif not isinstance(value, expected) or isinstance(value, bool):
            issues.append(_wrong_type(_KINDS[expected], value, [name]))
    return issues


def _wrong_type(expected: str, value: object, path: list[str]) -> Row:
    received = _KINDS.get(type(value), "number")
    message = f"Expected {expected}, received {received}"
    return {"code": "invalid_type", "expected": expected, "received": received, "path": path, "message": message}


def _wrong_value(options: list[str], value: object, name: str) -> Row:
    if not isinstance(value, str):
        return _wrong_type(quoted(options), value, [name])
    message = refused_value(options, value)
    return {"code": "invalid_enum_value", "received": value, "options": options, "path": [name], "message": message}


def _handled(status: int, message: str, data: Row | None = None) -> Response:
    """An error that a handler answered: it has no ``message``."""
    body: Row = {"statusCode": status, "statusMessage": message, "stack": []}
    return _json(status, body if data is None else {**body, "data": data})


def _thrown(request: Request, status: int, status_message: str, message: str) -> Response:
    """An error that was thrown: it has a ``message``."""
    error = {"error": True, "url": request.url, "statusCode": status, "statusMessage": status_message}
    return _json(status, {**error, "message": message})


def _no_session(request: Request) -> Response:
    if "text/html" in request.headers.get("Accept", ""):
        page = "<!DOCTYPE html><html><head><title>401 - Server Error</title></head><body>{}</body></html>"
        response = Response(page.format("Unauthorized " * 11_500), 401, content_type="text/html; charset=utf-8")
    else:
        response = _thrown(request, 401, "Server Error", "Unauthorized")
    # A fresh anonymous session, which no client should adopt.
    response.set_cookie(COOKIE_NAME, new_session(), httponly=True, secure=True, samesite="Lax")
    return response


def _json(status: int, body: Row) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")
