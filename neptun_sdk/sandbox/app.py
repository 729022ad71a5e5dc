"""The embedded Neptun as a WSGI app: openapi.yaml decides what is valid, the state decides the rest."""

import json
import re
import threading
from collections import deque
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, cast

from openapi_core.contrib.werkzeug import WerkzeugOpenAPIRequest, WerkzeugOpenAPIResponse
from openapi_core.templating.paths.exceptions import OperationNotFound, PathNotFound
from openapi_core.unmarshalling.request.datatypes import RequestUnmarshalResult
from openapi_core.validation.request.exceptions import RequestBodyValidationError
from werkzeug.wrappers import Request, Response

from neptun_sdk.dialects import Dialect
from neptun_sdk.sandbox.deployed import Deployed
from neptun_sdk.sandbox.spec import load_openapi
from neptun_sdk.sandbox.state import Issue, Row, State
from neptun_sdk.session import COOKIE_NAME


class App:
    """A WSGI app that speaks one dialect. It may be called from many threads at once."""

    def __init__(self, dialect: Dialect = "documented") -> None:
        self.state: State = State(dialect)
        self._speaker = Documented(self.state) if dialect == "documented" else Deployed(self.state)
        self._lock = threading.Lock()
        self._faults: deque[Response] = deque()

    def fail_next(self, status: int, times: int, retry_after: int | None) -> None:
        """Script the answers to the next requests; see `Sandbox.fail_next`."""
        if not 400 <= status <= 599:
            raise ValueError(f"status must be from 400 to 599, not {status}")
        if times < 1:
            raise ValueError(f"times must be 1 or more, not {times}")
        if retry_after is not None and retry_after < 0:
            raise ValueError(f"retry_after must be 0 or more, not {retry_after}")
        headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
        with self._lock:
            self._faults.extend(_error(status, _phrase(status), headers=headers) for _ in range(times))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        with self._lock:
            fault = self._faults.popleft() if self._faults else None
        return (fault or self._speaker.answer(request))(environ, start_response)


class Documented:
    """Answers as the contract says."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._openapi = load_openapi()

    def answer(self, request: Request) -> Response:
        """Answer a request, which openapi-core validates against the contract; so it does the answer."""
        described = WerkzeugOpenAPIRequest(request)
        result = self._openapi.unmarshal_request(described)
        if any(isinstance(problem, PathNotFound) for problem in result.errors):
            return _error(404, "No such route")
        if any(isinstance(problem, OperationNotFound) for problem in result.errors):
            allowed = "PUT" if "/imports/" in request.path else "PATCH"
            return _error(405, f"This route takes {allowed} only", headers={"Allow": allowed})
        response = self._update(request.path, request.cookies.get(COOKIE_NAME), result)
        # A server that breaks its own contract must not go unnoticed.
        self._openapi.validate_response(described, WerkzeugOpenAPIResponse(response))
        return response

    def _update(self, path: str, session_cookie: str | None, result: RequestUnmarshalResult) -> Response:
        """Check in the order of a real server: the session, the ids, access, the body; then update."""
        account = self._state.account_of(session_cookie)
        if account is None:
            return _error(401, "Unauthorized")
        problems = list(result.errors)
        body_problems = [problem for problem in problems if isinstance(problem, RequestBodyValidationError)]
        ids = result.parameters.path
        # Python reads " 1", "1_0" and "+1" as integers too; a URL should not.
        plain = re.findall(r"/([1-9][0-9]*)(?=/|$)", path) == [str(value) for value in ids.values()]
        if len(body_problems) < len(problems) or not plain:
            return _error(400, "Invalid parameters: every id must be a positive integer")
        if ids["user_id"] != account.user_id:
            return _error(403, "Forbidden")
        if self._state.project(ids["user_id"], ids["project_id"]) is None:
            return _error(404, "Project not found")
        if "import_id" in ids and self._state.project_import(**ids) is None:
            return _error(404, "Import not found")
        if body_problems:
            return _error(400, "Invalid request body", _schema_issues(body_problems[0]))
        changes = cast("Row", result.body)
        if "import_id" in ids:
            envelope, outcome = "import", self._state.update_project_import(ids["import_id"], changes)
        else:
            envelope, outcome = "project", self._state.update_project(ids["project_id"], changes)
        if isinstance(outcome, list):
            return _error(400, "Invalid request body", outcome)
        return _json({envelope: outcome})


def _schema_issues(problem: Exception) -> list[Issue]:
    """What the contract's schema says of each field; nothing where the body as a whole cannot be read."""
    errors = getattr(problem.__cause__, "schema_errors", ())
    return [Issue(str(error.path[0]), error.message) for error in errors if error.path]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _error(
    status: int, message: str, issues: list[Issue] | None = None, headers: dict[str, str] | None = None
) -> Response:
    """An error body of the contract; the problems of fields stand where deployed servers put them."""
    body: Row = {"statusCode": status, "message": message}
    if issues:
        body["data"] = {"issues": [{"path": [issue.field], "message": issue.message} for issue in issues]}
    return _json(body, status, headers)


def _json(body: Row, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")
