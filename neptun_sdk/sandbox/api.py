"""What both dialects share: routing, and the order of the checks."""

import json
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import unquote

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from neptun_sdk._contract import COOKIE_NAME
from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.spec import Operation, load_operations
from neptun_sdk.sandbox.state import RESOURCES, USER_ID, Account, Resource, Row, State

_MAX_DEPTH = 500  # of JSON


@dataclass(frozen=True)
class Call:
    """A request that passed every check.

    Attributes:
        operation: The operation of the contract that it asks for.
        row: The stored row that its path names.
        body: Its decoded body; empty for an operation without one.
        state: All that is stored.
    """

    operation: Operation
    row: Row
    body: Row
    state: State


Handler = Callable[[Call], Row]


class RejectedError(Exception):
    """A request that failed a check, with the response that says so."""

    def __init__(self, response: Response) -> None:
        self.response = response
        super().__init__(response.status)


class Api(ABC):
    """One dialect of the API. A subclass says what its checks are; the order in which they run is the same for all.

    Raises:
        RuntimeError: ``openapi.yaml`` and the tables of the sandbox do not fit; the message names the file to change.
    """

    dialect: ClassVar[Dialect]
    source: ClassVar[str]  # the file that an error names
    handlers: ClassVar[Mapping[str, Handler]]  # by operationId: what the operation does, and the body it returns

    def __init__(self, state: State) -> None:
        self.state: State = state
        self.operations: Mapping[str, Operation] = load_operations()
        self._check_tables()
        rules = [
            Rule(re.sub(r"{(\w+)}", r"<\1>", operation.path), methods=[operation.method], endpoint=name)
            for name, operation in self.operations.items()
        ]
        self._routes = Map(rules, merge_slashes=False).bind("localhost")

    def respond(self, request: Request) -> Response:
        """Respond to a request."""
        try:
            return self._respond(request)
        except NotFound:
            return self.unknown_route(request)
        except MethodNotAllowed as exc:
            return self.unknown_method(request, sorted(exc.valid_methods or ()))
        except RejectedError as exc:
            return exc.response

    def _respond(self, request: Request) -> Response:
        # Leading slashes would be taken together, or for the start of a host.
        if raw_path(request).startswith("//"):
            raise NotFound
        name, texts = self._routes.match(self.route_path(request), request.method)
        operation = self.operations[name]
        account = self.account(request)
        if account is None:
            raise RejectedError(self.no_session(request))
        self.check_size(request)
        ids = self.check_parameters(request, operation, texts)
        row = self.check_access(request, account, ids)
        body = self.read_body(request, operation) if operation.body else {}
        call = Call(operation, row, body, self.state)
        return self.success(operation, self.handlers[name](call))

    def route_path(self, request: Request) -> str:
        """Return the path by which to look for a route."""
        return request.path

    def account(self, request: Request) -> Account | None:
        """Return the user to whom the session of a request belongs, or None."""
        return self.state.account_of(unquote(request.cookies.get(COOKIE_NAME, "")))

    def check_size(self, request: Request, /) -> None:  # noqa: B027
        """Reject a request that is too large; by default none is."""

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
    def check_parameters(self, request: Request, operation: Operation, texts: Mapping[str, str], /) -> dict[str, int]:
        """Return the ids in the path, or raise `RejectedError`."""

    @abstractmethod
    def check_access(self, request: Request, account: Account, ids: Mapping[str, int], /) -> Row:
        """Return the row that the ids name, or raise `RejectedError`."""

    @abstractmethod
    def read_body(self, request: Request, operation: Operation, /) -> Row:
        """Return the decoded body, or raise `RejectedError`."""

    @abstractmethod
    def success(self, operation: Operation, body: Row) -> Response:
        """Return the response to a call that succeeded."""

    @abstractmethod
    def error(self, request: Request, status: int, message: str, /) -> Response:
        """Return an error with a message, in the shape of the dialect."""

    @abstractmethod
    def row_problems(self, resource: Resource, row: Row) -> list[str]:
        """Return what is wrong with a row that is to be stored."""

    def _check_tables(self) -> None:
        sandbox = f"the {self.dialect} dialect of the sandbox"
        for name, operation in self.operations.items():
            if name not in self.handlers:
                raise RuntimeError(
                    f"openapi.yaml has the operation {name}, but {sandbox} has no handler for it: "
                    f"add one to HANDLERS in {self.source}"
                )
            for parameter in operation.path_parameters:
                if parameter not in (USER_ID, *RESOURCES):
                    raise RuntimeError(
                        f"the path of {name} in openapi.yaml has the parameter {parameter}, which is the id of no "
                        "resource of the sandbox: add a row to RESOURCES in neptun_sdk/sandbox/state.py"
                    )
        for name in self.handlers.keys() - self.operations.keys():
            raise RuntimeError(
                f"{sandbox} has a handler for {name}, an operation that openapi.yaml does not have: change HANDLERS in "
                f"{self.source}"
            )
        for resource in RESOURCES.values():
            for row in self.state.rows(resource).values():
                if problems := self.row_problems(resource, row):
                    raise RuntimeError(
                        f"{sandbox} starts with a {resource.name} that is not valid: {'; '.join(problems)}. "
                        "Change SEEDS in neptun_sdk/sandbox/state.py"
                    )


def raw_path(request: Request) -> str:
    """Return the path of a request as it was sent: percent-encoded, without the query."""
    return re.sub(r"^\w+://[^/?]*", "", request.environ["REQUEST_URI"]).partition("?")[0]


def json_response(
    body: object, status: int | str = 200, headers: Mapping[str, str] | None = None, *, indent: int | None = None
) -> Response:
    """Return a response of UTF-8 JSON; a ``status`` may have a reason phrase of its own."""
    # A lone surrogate has no UTF-8 form; the escape that takes its place is valid JSON.
    content = json.dumps(body, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")
    return Response(content, status, headers, content_type="application/json")


def decode_json(content: bytes) -> Any:
    """Decode UTF-8 JSON.

    Raises:
        ValueError: It is not JSON. Python's reader alone would take ``NaN``, and numbers too large for a float.
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


def quoted(options: list[str]) -> str:
    """Return the values of an enum, as an error lists them."""
    return " | ".join(f"'{option}'" for option in options)


def refused_value(options: list[str], value: object) -> str:
    """Return what a server says of a value that is not one of an enum's."""
    return f"Invalid enum value. Expected {quoted(options)}, received '{value}'"
