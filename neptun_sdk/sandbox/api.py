"""What both dialects share: routing, and the order of the checks."""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import unquote

from werkzeug.wrappers import Request, Response

from neptun_sdk._contract import COOKIE_NAME
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import defaults
from neptun_sdk.sandbox.defaults import Call, Refusal
from neptun_sdk.sandbox.resources import Resource, Target, read_tables, read_targets
from neptun_sdk.sandbox.script import phrase
from neptun_sdk.sandbox.spec import JSON, Content, Issue, Operation, Reply, Schema, load_operations
from neptun_sdk.sandbox.state import SEED_IDS, Account, Row, RowNotFoundError, State

_MAX_DEPTH = 500  # of JSON

Handler = Callable[[Call], Row]


class RejectedError(Exception):
    """A request that failed a check, with the response that says so."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status)


class Api(ABC):
    """One dialect of the API. A subclass defines the checks; their order is the same in every dialect.

    The method and path of an operation decide what it does (``defaults.py``), unless a dialect has a handler for it.

    Args:
        session_cookie: The first user's session; None makes one.

    Raises:
        RuntimeError: ``openapi.yaml`` and the tables of the sandbox do not fit; the message names the file to change.
    """

    dialect: ClassVar[Dialect]
    source: ClassVar[str]  # the file that an error names
    handlers: ClassVar[Mapping[str, Handler]] = {}  # by operationId: what an operation does, and the body it returns
    headers: ClassVar[Mapping[str, str]] = {}  # of every success

    def __init__(self, session_cookie: str | None = None) -> None:
        self.operations: Mapping[str, Operation] = load_operations()
        self.targets: Mapping[str, Target] = read_targets(self.operations.values(), SEED_IDS)
        self.state: State = State(self.dialect, read_tables(self.targets.values(), SEED_IDS), session_cookie)
        self._check_tables()
        self._routes = sorted(map(_Route, self.operations.values()), key=lambda route: route.generality)

    def respond(self, request: Request) -> Response:
        """Respond to a request."""
        operation = None
        try:
            operation, texts = self._route(request)
            return self._respond(request, operation, texts)
        except RejectedError as exc:
            return exc.response
        except RowNotFoundError as exc:
            return self.not_found(operation, exc)
        except Refusal as exc:
            return self.refuse(operation, exc)

    def fail(self, request: Request, status: int) -> Response:
        """Respond to a request with an error, in the body that the contract describes for it."""
        try:
            operation, _ = self._route(request)
            reply = operation.reply(status)
        except RejectedError:
            reply = None
        failed = Refusal(status, phrase(status))
        return described(reply, failed) or self.error(request, status, phrase(status))

    def _route(self, request: Request) -> tuple[Operation, dict[str, str]]:
        """Find the operation that a request asks for, and the texts in its path."""
        segments = self.segments(request)
        allowed: set[str] = set()
        for route in self._routes:
            texts = route.match(segments)
            if texts is not None:
                if request.method in route.methods:
                    return route.operation, texts
                allowed |= route.methods
        if allowed:
            raise RejectedError(self.unknown_method(request, sorted(allowed)))
        raise RejectedError(self.unknown_route(request))

    def _respond(self, request: Request, operation: Operation, texts: Mapping[str, str]) -> Response:
        account = self.account(request)
        if account is None:
            raise RejectedError(self.no_session(request))
        self.check_size(request)
        parameters = self.read_parameters(request, operation, texts)
        target = self.targets[operation.operation_id]
        # One lock for both steps: a row that is found still exists when it is changed.
        with self.state.lock:
            rows = self.check_access(request, account, target, parameters)
            given = self._body(request, operation)
            call = Call(target, account, rows, parameters, given, self.state, self.columns(target), self.rules)
            handler = self.handlers.get(operation.operation_id)
            body, headers = (handler(call), dict[str, str]()) if handler else defaults.respond(call)
            return self._success(operation, body, headers)

    def segments(self, request: Request) -> list[str]:
        """Return the parts of the path by which to look for a route."""
        return [unquote(segment) for segment in raw_path(request).split("/")]

    def account(self, request: Request) -> Account | None:
        """Return the user to whom the session of a request belongs, or None."""
        return self.state.account_of(unquote(request.cookies.get(COOKIE_NAME, "")))

    def check_size(self, request: Request, /) -> None:  # noqa: B027
        """Reject a request that is too large; by default, accept every size."""

    def columns(self, _target: Target, /) -> Mapping[str, str | None]:
        """Map fields of the contract to their names in a row, where these differ; None if a row has no such field."""
        return {}

    @abstractmethod
    def unknown_route(self, request: Request, /) -> Response:
        """Return the response to a path that the contract does not have."""

    @abstractmethod
    def unknown_method(self, request: Request, allowed: list[str], /) -> Response:
        """Return the response to a method that the path does not have."""

    @abstractmethod
    def no_session(self, request: Request, /) -> Response:
        """Return the response to a request without a valid session."""

    @abstractmethod
    def not_found(self, operation: Operation | None, missing: RowNotFoundError, /) -> Response:
        """Return the response to a request for a row that is missing or belongs to another user."""

    @abstractmethod
    def refuse(self, operation: Operation | None, refusal: Refusal, /) -> Response:
        """Return the response to a request that an operation refuses."""

    @abstractmethod
    def read_parameters(self, request: Request, operation: Operation, texts: Mapping[str, str], /) -> dict[str, Any]:
        """Return the values of the parameters, or raise `RejectedError` or `Refusal`."""

    @abstractmethod
    def check_access(
        self, request: Request, account: Account, target: Target, parameters: Mapping[str, Any], /
    ) -> list[Row]:
        """Return the rows that the path names, or raise `RejectedError`, `RowNotFoundError` or `Refusal`."""

    @abstractmethod
    def read_body(self, request: Request, operation: Operation, content: Content, /) -> Row:
        """Return the decoded body, or raise `RejectedError` or `Refusal`."""

    @abstractmethod
    def rules(self, target: Target, row: Row, given: Row, /) -> list[Issue]:
        """Return the rules, besides its schema, that a row would break after these fields are set."""

    @abstractmethod
    def error(self, request: Request, status: int, message: str, /) -> Response:
        """Return an error with a message, in the shape of the dialect."""

    @abstractmethod
    def row_problems(self, resource: Resource, row: Row) -> list[str]:
        """Return what is wrong with a row that is to be stored."""

    def options(self, request: Request, operation: Operation) -> dict[str, Any]:
        """Return the values of the parameters in the query and in headers.

        Raises:
            Refusal: One is missing or not valid; a missing version is a 428 if the contract has that status.
        """
        values: dict[str, Any] = {}
        issues: list[Issue] = []
        for parameter in operation.parameters:
            if parameter.place not in ("query", "header"):
                continue
            given = request.args if parameter.place == "query" else request.headers
            texts = given.getlist(parameter.name)
            if texts:
                value = values[parameter.name] = parameter.read(texts)
                problems = parameter.schema.issues(value) or parameter.schema.unknown(value)
                issues += [Issue(parameter.name, problem.message) for problem in problems[:1]]
            elif parameter.required and parameter.is_if_match and "428" in operation.responses:
                raise Refusal(428, f"{parameter.name} is missing")
            elif parameter.required:
                issues.append(Issue(parameter.name, "Required"))
            elif "default" in parameter.schema.node:
                values[parameter.name] = parameter.schema.node["default"]
        if issues:
            raise Refusal(400, "Invalid parameters", issues)
        return values

    def _body(self, request: Request, operation: Operation) -> Row:
        content = operation.body
        if content is None or (not operation.body_required and not request.get_data()):
            return {}
        return self.read_body(request, operation, content)

    def _success(self, operation: Operation, body: object, headers: Mapping[str, str]) -> Response:
        reply = operation.reply(operation.success)
        content = reply.content if reply else None
        headers = {**self.headers, **headers}
        if content is None:
            response = Response(status=operation.success, headers=headers)
            del response.headers["Content-Type"]
            return response
        if content.schema is None:
            return Response("sample", operation.success, headers, content_type=content.media_type)
        # Fail loudly if the sandbox breaks the contract.
        if operation.operation_id not in self.handlers and (issues := content.schema.issues(body)):
            raise RuntimeError(f"the sandbox's response to {operation.operation_id} is not the contract's: {issues}")
        return json_response(body, operation.success, headers, media_type=content.media_type)

    def _check_tables(self) -> None:
        sandbox = f"the {self.dialect} dialect of the sandbox"
        for name in self.handlers.keys() - self.operations.keys():
            raise RuntimeError(
                f"{sandbox} has a handler for {name}, an operation that openapi.yaml does not have: change HANDLERS in "
                f"{self.source}"
            )
        for resource in self.state.tables:
            for row in self.state.rows(resource).values():
                if problems := self.row_problems(resource, row):
                    raise RuntimeError(
                        f"{sandbox} starts with a {resource.name} that is not valid: {'; '.join(problems)}. "
                        "Change its example in openapi.yaml, or SEEDS in neptun_sdk/sandbox/state.py"
                    )


class _Route:
    """A path of the contract with one of its methods."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.methods = {operation.method, "HEAD"} if operation.method == "GET" else {operation.method}
        segments = operation.path.split("/")
        self._patterns = [re.compile(_pattern(segment), re.DOTALL) for segment in segments]
        self.generality = [segment.count("{") for segment in segments]  # a fixed text goes before an id

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """Return the texts of the parameters in a path; None if it is another path."""
        if len(segments) != len(self._patterns):
            return None
        found = [pattern.fullmatch(segment) for pattern, segment in zip(self._patterns, segments, strict=True)]
        if not all(found):
            return None
        texts = [text for each in found if each for text in each.groups()]
        return dict(zip(self.operation.path_parameters, texts, strict=True))


def _pattern(segment: str) -> str:
    parts = re.split(r"{[^{}]+}", segment)
    return "(.+)".join(map(re.escape, parts))


def described(reply: Reply | None, refusal: Refusal) -> Response | None:
    """Return an error as the contract describes it, in its media type and of its schema.

    Return None for an error that it does not describe, and for the usual error body: each dialect has its own shape.
    """
    if reply is None:
        return None
    status, headers = refusal.status, refusal.headers
    if reply.content is None:
        response = Response(status=status, headers=headers)
        del response.headers["Content-Type"]
        return response
    schema, media_type = reply.content.schema, reply.content.media_type
    if schema is None:
        return Response(refusal.message, status, headers, content_type=media_type)
    if "statusCode" in schema.fields:
        return None
    texts = dict.fromkeys(("message", "detail"), refusal.message) | {"title": phrase(status), "type": "about:blank"}
    facts = {"status": status, **texts, **_errors(schema, refusal.issues)}
    return json_response(schema.sample(facts, whole=False), status, headers, media_type=media_type)


def _errors(schema: Schema, issues: Iterable[Issue]) -> dict[str, Any]:
    """Return the problems of fields as the member ``errors`` of an RFC 9457 problem, in the shape of the contract."""
    errors = schema.fields.get("errors")
    if errors is None or not issues:
        return {}
    if errors.kind != "array":
        return {"errors": {issue.field: [issue.message] for issue in issues}}
    if not errors.items.fields:
        return {"errors": [f"{issue.field}: {issue.message}" for issue in issues]}
    facts = [
        {
            **dict.fromkeys(("field", "name", "parameter"), issue.field),
            **dict.fromkeys(("detail", "message", "reason"), issue.message),
            "pointer": f"#/{issue.field}",
            "path": [issue.field],
        }
        for issue in issues
    ]
    return {"errors": [errors.items.sample(each, whole=False) for each in facts]}


def raw_path(request: Request) -> str:
    """Return the path of a request as it was sent: percent-encoded, without the query."""
    return re.sub(r"^\w+://[^/?]*", "", request.environ["REQUEST_URI"]).partition("?")[0]


def json_response(
    body: object,
    status: int | str = 200,
    headers: Mapping[str, str] | None = None,
    *,
    indent: int | None = None,
    media_type: str = JSON,
) -> Response:
    """Return a response of UTF-8 JSON; ``status`` may include a reason phrase."""
    # UTF-8 cannot encode a lone surrogate; its escape is valid JSON.
    content = json.dumps(body, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")
    return Response(content, status, headers, content_type=media_type)


def decode_json(content: bytes) -> Any:
    """Decode UTF-8 JSON.

    Raises:
        ValueError: It is not JSON. ``json.loads`` alone accepts ``NaN``, and numbers too large for a float.
    """
    return load_json(content.decode(), _STRICT)


def load_json(text: str, decoder: json.JSONDecoder) -> Any:
    """Decode JSON.

    Raises:
        ValueError: It is not JSON, or is nested so deeply that Python could not encode it again.
    """
    try:
        decoded = decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    level: list[Any] = [decoded]
    for _ in range(_MAX_DEPTH):
        level = [item for each in level if isinstance(each, dict | list) for item in _items(each)]
        if not level:
            return decoded
    raise ValueError("nested too deeply")


def _items(container: Any) -> Iterable[Any]:
    items: Iterable[Any] = container.values() if hasattr(container, "values") else container
    return items


def finite(text: str) -> float:
    """Read a number of JSON; refuse ``NaN``, infinity, and what is too large for a float."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a JSON number")
    return number


_STRICT = json.JSONDecoder(parse_float=finite, parse_constant=finite)
