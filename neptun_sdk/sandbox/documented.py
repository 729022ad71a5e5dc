"""The documented dialect: ``openapi.yaml``, and the rules in its notes that a schema cannot express."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

from werkzeug.wrappers import Request, Response

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.api import Api, decode_json, described, json_response
from neptun_sdk.sandbox.defaults import Refusal, invalid_status
from neptun_sdk.sandbox.resources import Resource, Target
from neptun_sdk.sandbox.spec import JSON, Content, Issue, Operation
from neptun_sdk.sandbox.state import IMPORT, Account, Row, RowNotFoundError

_INVALID_BODY = "Invalid request body"

# The format of a source_path, by source_type; any other type accepts every path that is not empty.
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

Rule = Callable[[Row, Row], list[Issue]]  # takes the row after the change, and the fields given


def _source_path_fits(row: Row, given: Row) -> list[Issue]:
    pattern, expected = _PATH_FORMATS.get(row["source_type"], _ANY_PATH)
    if "source_path" not in given or pattern.fullmatch(row["source_path"]):
        return []
    return [Issue("source_path", f"Invalid source_path for {row['source_type']}. Expected {expected}")]


# Rules for fields that the contract has in its notes, because a schema cannot express them.
RULES: Mapping[Resource, Sequence[Rule]] = {IMPORT: [_source_path_fits]}


class DocumentedApi(Api):
    """The API as the contract describes it."""

    dialect: ClassVar[Dialect] = "documented"
    source: ClassVar[str] = "neptun_sdk/sandbox/documented.py"

    def unknown_route(self, _request: Request, /) -> Response:
        return _error(404, "No such route")

    def unknown_method(self, _request: Request, allowed: list[str], /) -> Response:
        methods = ", ".join(allowed)
        return _error(405, f"This route takes {methods} only", headers={"Allow": methods})

    def no_session(self, _request: Request, /) -> Response:
        raise Refusal(401, "Unauthorized")

    def not_found(self, operation: Operation | None, missing: RowNotFoundError, /) -> Response:
        return self.refuse(operation, Refusal(404, str(missing)))

    def refuse(self, operation: Operation | None, refusal: Refusal, /) -> Response:
        reply = operation.reply(refusal.status) if operation else None
        return described(reply, refusal) or _error(refusal.status, refusal.message, refusal.issues, refusal.headers)

    def read_parameters(self, request: Request, operation: Operation, texts: Mapping[str, str], /) -> dict[str, Any]:
        reply = operation.reply(operation.success)
        media_type = reply.content.media_type if reply and reply.content else JSON
        if not _accepts(request, media_type):
            raise Refusal(400, f"Invalid headers: Accept must admit {media_type}")
        content = operation.body
        if content and request.mimetype != content.media_type and (operation.body_required or request.get_data()):
            raise Refusal(400, f"Invalid headers: Content-Type must be {content.media_type}")
        values: dict[str, Any] = {}
        for name, parameter in operation.path_parameters.items():
            value = values[name] = parameter.read([texts[name]])
            if issues := parameter.schema.issues(value):
                is_id = parameter.schema.kind == "integer" and parameter.schema.node.get("minimum") == 1
                message = "must be a positive integer" if is_id else f"is not valid: {issues[0].message}"
                raise Refusal(400, f"Invalid parameters: {name} {message}")
        return {**values, **self.options(request, operation)}

    def check_access(
        self, _request: Request, account: Account, target: Target, parameters: Mapping[str, Any], /
    ) -> list[Row]:
        if target.user and parameters[target.user] != account.user_id:
            raise Refusal(403, "Forbidden")
        return self.state.find(target.steps, parameters, account.user_id)

    def read_body(self, request: Request, operation: Operation, content: Content, /) -> Row:
        if content.schema is None:
            return {}
        try:
            body = decode_json(request.get_data())
        except ValueError:
            raise Refusal(400, f"{_INVALID_BODY}: it is not JSON") from None
        if issues := content.schema.issues(body) or content.schema.unknown(body):
            raise Refusal(invalid_status(operation), _INVALID_BODY, issues)
        return cast("Row", body) if isinstance(body, dict) else {}

    def rules(self, target: Target, row: Row, given: Row, /) -> list[Issue]:
        return [issue for rule in RULES.get(target.resource, ()) for issue in rule(row, given)]

    def error(self, _request: Request, status: int, message: str, /) -> Response:
        return _error(status, message)

    def row_problems(self, resource: Resource, row: Row) -> list[str]:
        return self.state.problems(resource, row)


def _accepts(request: Request, media_type: str) -> bool:
    # The page requires the header, so without it no type is accepted. The most specific range decides, as in RFC 9110.
    qualities = {value.partition(";")[0].strip().lower(): quality for value, quality in request.accept_mimetypes}
    ranges = (media_type, f"{media_type.partition('/')[0]}/*", "*/*")
    return next((qualities[name] for name in ranges if name in qualities), 0) > 0


def _error(
    status: int, message: str, issues: Sequence[Issue] = (), headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error body of the contract; problems of fields are under the same key as on a deployed server."""
    whole = "; ".join(issue.message for issue in issues if not issue.field)
    body: Row = {"statusCode": status, "message": f"{message}: {whole}" if whole else message}
    if fields := [issue for issue in issues if issue.field]:
        body["data"] = {"issues": [{"path": [issue.field], "message": issue.message} for issue in fields]}
    return json_response(body, status, headers)
