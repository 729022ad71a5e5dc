"""What holds for every operation: its request, its checks, when it is sent again, its errors, its verification."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, get_origin

import httpx
import pytest

from neptun_sdk import (
    ArgumentError,
    Dialect,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NotFoundError,
    ResponseError,
    UpdateNotVerifiedError,
)
from neptun_sdk.dialects import DIALECTS, wire_name
from neptun_sdk.values import python_name
from tests.contract.described import CLIENT, COMPLETE, DESCRIBED, ROWS, SPEC, Schema, bare, snake_case
from tests.contract.test_methods import KEYWORD_ONLY, POSITIONAL, parameters

COOKIE = "Fe26.2**a-session-cookie"
OF_CHANGES = re.compile(r"applied|updat|creat|delet|same values|twice", re.IGNORECASE)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)


class Server:
    """A server that returns one response to every request, or loses it, and remembers what came in.

    Args:
        responses: What it returns, the last of them for ever; ``None`` loses the request.
    """

    def __init__(self, *responses: httpx.Response | None) -> None:
        self.responses = list(responses)
        self.requests: list[tuple[httpx.Request, dict[str, str]]] = []  # the client takes the cookie out again

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append((request, dict(request.headers)))
        response = self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]
        if response is None:
            raise httpx.ReadError("lost")
        return response


class Sample:
    """A call of an operation with every argument that it takes, and the success that a server returns.

    Args:
        name: The name of the method.
        dialect: What the server speaks.
    """

    def __init__(self, name: str, dialect: Dialect = "documented") -> None:
        self.name = name
        self.dialect: Dialect = dialect
        self.described, self.row = DESCRIBED[name], ROWS[name]
        self.where = f"change {name}() in {CLIENT}, or {name.upper()} in neptun_sdk/operations.py"
        self.ids = {each: self.described.id_schema(each).sample(each) for each in self.described.ids}
        self.fields = {
            each: schema.sample("new")
            for each, schema in self.described.fields.items()
            if wire_name(self.row.resource, dialect, each)
        }
        self.options = {each: schema.sample("given") for each, schema in self.described.options.items()}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments, under the names that the method has for them."""
        given = {
            **{name: value for name, value in self.ids.items() if name != "user_id"},
            **self.fields,
            **self.options,
        }
        taken = {name: parameter.name for name, parameter in parameters(self.name, POSITIONAL, KEYWORD_ONLY).items()}
        schemas = {**self.described.fields, **self.described.options}
        return {
            taken[bare(snake_case(name))]: _value(schemas[name], value) if name in schemas else value
            for name, value in given.items()
            if bare(snake_case(name)) in taken
        }

    def call(
        self, server: Server, changes: Mapping[str, Any] | None = None, *, retries: int = 0, resend: bool = False
    ) -> Any:
        """Make the call, with other arguments than those of the sample; return its result, or its error."""
        options: dict[str, Any] = {"base_url": "https://neptun.test", "dialect": self.dialect, "max_retries": retries}
        user_id = self.ids.get("user_id", 1)
        with NeptunClient(COOKIE, user_id, transport=httpx.MockTransport(server), **options) as client:
            try:
                return getattr(client.with_options(resend=resend), self.name)(**{**self.arguments, **(changes or {})})
            except NeptunError as error:
                return error

    def refused(self, changes: Mapping[str, Any]) -> str:
        """Return why a call is refused before anything is sent; empty if it is not."""
        server = Server(None)
        error = self.call(server, changes)
        return str(error) if isinstance(error, ArgumentError) and not server.requests else ""

    def resource(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the resource that a success holds: it repeats what was sent, but for changes."""
        row: dict[str, Any] = self.described.resource.sample()
        row |= {name: value for name, value in self.fields.items() if name in row}
        return row | {field: self.ids[name] for name, field in self.row.facts.repeats.items()} | dict(changes)

    def success(self, changes: Mapping[str, Any] | None = None) -> httpx.Response:
        """Return the response of a success."""
        if not self.described.response:
            return httpx.Response(self.described.status)
        document = self.described.response.sample()
        if self.row.resource is not None and self.described.resource.properties:
            row = self.resource(changes or {})
            document = {**document, self.row.envelope: row} if self.row.envelope else row
            if self.dialect == "deployed" and self.row.envelope:
                names = {name: wire_name(self.row.resource, "deployed", name) or name for name in row}
                document = {names[name]: value for name, value in row.items()}
        return httpx.Response(self.described.status, json=document)


def _value(schema: Schema, value: Any) -> Any:
    """Return the argument for a value in JSON: a datetime for a date-time."""
    return datetime.fromisoformat(value) if schema.type == "datetime" else value


BOTH = pytest.mark.parametrize("dialect", DIALECTS)
EVERY = pytest.mark.parametrize("name", COMPLETE)


@BOTH
@EVERY
def test_every_argument_reaches_the_wire(name: str, dialect: Dialect) -> None:
    """What a method takes and does not send would be lost without a word."""
    sample = Sample(name, dialect)
    server = Server(sample.success())
    result = sample.call(server)
    assert len(server.requests) == 1, f"{sample.where}\n{result}"
    request, headers = server.requests[0]
    path = sample.described.path.format(**sample.ids)
    assert (request.method, request.url.path) == (sample.described.method.upper(), path), sample.where
    expected = {wire_name(sample.row.resource, dialect, field): value for field, value in sample.fields.items()}
    sent = json.loads(request.content) if request.content else {}
    assert _same(sent, expected), f"{sample.where}: it takes {list(sample.fields)} and sends {sent}"
    declared = {each["name"]: each["in"] for each in sample.described.parameters}
    for each, value in sample.options.items():
        given = httpx.QueryParams({each: value}).get_list(each)
        found = request.url.params.get_list(each) if declared[each] == "query" else [headers.get(each.lower())]
        assert found == given, f"{sample.where}: it takes {each}, and sends {found}"
    assert headers["accept"] == "application/json", "change the headers in neptun_sdk/call.py"
    assert [headers.get("content-type")] == [*(sample.described.request_content or [None])], sample.where
    (scheme,) = SPEC["components"]["securitySchemes"].values()
    assert headers["cookie"] == f"{scheme['name']}={COOKIE}", "change the header in neptun_sdk/session.py"
    assert not isinstance(result, NeptunError), f"{sample.where}\n{result}"
    assert isinstance(result, get_origin(sample.row.resource) or sample.row.resource or type(None)), sample.where


@BOTH
@EVERY
def test_a_field_or_option_that_is_not_given_is_not_sent(name: str, dialect: Dialect) -> None:
    """Not even with the default that the contract names."""
    sample = Sample(name, dialect)
    required = sample.described.required
    optional = [each for each in {**sample.fields, **sample.options} if snake_case(each) not in required]
    for kept in optional:
        left_out = {bare(snake_case(each)) for each in optional if each != kept}
        server = Server(sample.success())
        result = sample.call(server, dict.fromkeys(each for each in sample.arguments if bare(each) in left_out))
        assert not isinstance(result, NeptunError), f"{sample.where}\n{result}"
        request, headers = server.requests[0]
        sent = {*(json.loads(request.content) if request.content else ()), *request.url.params, *headers}
        missing = {wire_name(sample.row.resource, dialect, each) for each in optional if each != kept}
        assert not missing & sent, f"{sample.where}: it sends {missing & sent}, which was not given"


@EVERY
def test_what_is_required_cannot_be_left_out(name: str) -> None:
    sample = Sample(name)
    for each in sample.arguments:
        if bare(each) in set(map(bare, sample.described.required)):
            assert each in sample.refused({each: None}), f"{sample.where}: {each} can be None"


@EVERY
def test_a_value_of_another_type_is_refused_by_its_name(name: str) -> None:
    sample = Sample(name)
    for each, value in sample.arguments.items():
        for wrong in (object(), b"bytes", {"a": [1]}, "yes" if value is True else True):
            assert f"{name}: {each}" in sample.refused({each: wrong}), f"{sample.where}: {each} can be {wrong!r}"


@EVERY
def test_hostile_texts_stay_in_their_place(name: str) -> None:
    """In a path they are one segment, in a query one value, in a header nothing; the session is in none of them."""
    sample = Sample(name)
    declared = {bare(snake_case(each["name"])): each["in"] for each in sample.described.parameters}
    for each, value in sample.arguments.items():
        if not isinstance(value, str) or "enum" in sample.described.node_of(each):
            continue
        place = declared.get(bare(each), "body")
        for hostile in (f"a {COOKIE}", "\ud800", *(("", ".", "..") if place == "path" else ())):
            assert sample.refused({each: hostile}), f"{sample.where}: {each} can be {hostile!r}"
        for hostile in ("../..", "a/b?c#d", "a\r\nX-Evil: 1", "ü 漢", "%2e%2e"):
            server = Server(sample.success())
            sample.call(server, {each: hostile})
            if place == "header" and not (hostile.isprintable() and hostile.isascii()):
                assert not server.requests, f"{sample.where}: {each} can be {hostile!r}"
            for request, headers in server.requests:
                segments = request.url.raw_path.count(b"/")
                is_one = segments == sample.described.path.count("/") or place == "query"
                assert is_one, f"{sample.where}: {each} as {hostile!r} is more than one segment"
                assert "x-evil" not in headers, f"{sample.where}: {each} can be {hostile!r}"


@pytest.mark.parametrize("resend", [False, True])
@EVERY
def test_it_is_sent_again_only_where_that_is_safe_or_asked_for(name: str, *, resend: bool) -> None:
    """A request that creates something, sent again after its response was lost, creates it twice."""
    sample = Sample(name)
    server = Server(None, sample.success())
    result = sample.call(server, retries=1, resend=resend)
    is_idempotent = sample.described.method in ("get", "head", "put", "delete", "options", "trace")
    expected = 2 if resend or sample.described.node.get("x-idempotent", is_idempotent) else 1
    again = f"{sample.where}, or run `make generate`: it is sent {len(server.requests)} times"
    assert len(server.requests) == expected, f"{again}\n{result}"
    if expected == 1:
        warns = (result.applied, "before you call again" in str(result))
        assert warns == (None, True), f"{sample.where}, or neptun_sdk/outcomes.py\n{result}"


@EVERY
def test_what_was_refused_for_now_is_sent_again(name: str) -> None:
    sample = Sample(name)
    server = Server(httpx.Response(429), sample.success())
    result = sample.call(server, retries=1)
    assert (len(server.requests), isinstance(result, NeptunError)) == (2, False), f"{sample.where}\n{result}"


@EVERY
def test_errors_speak_of_what_the_operation_does(name: str) -> None:
    sample = Sample(name)
    refused = sample.call(Server(httpx.Response(404, json={"statusCode": 404, "message": "Nothing there"})))
    lost = sample.call(Server(None))
    found = (type(refused), type(lost), getattr(lost, "applied", False))
    assert found == (NotFoundError, NeptunConnectionError, None), f"{sample.where}\n{refused}\n{lost}"
    for error in (refused, lost):
        assert error.operation == name, f"{sample.where}: its errors are of {error.operation}"
        if sample.row.is_safe:
            words = str(error).partition(": ")[2]
            speaks = (error.applied, OF_CHANGES.search(words))
            assert speaks == (None, None), f"change neptun_sdk/texts.py: {name} only reads\n{error}"
        else:
            assert f"The {sample.row.noun} " in str(error), f"change noun() in neptun_sdk/operations.py\n{error}"


@EVERY
def test_the_errors_of_a_deployed_server_are_understood(name: str) -> None:
    """Some of them are about an id, which may be a text."""
    sample = Sample(name, "deployed")
    for status in (400, 401, 403, 404, 413, 500):
        thrown = {"error": True, "statusCode": status, "statusMessage": "No", "message": "No"}
        for body in (thrown, {"statusCode": status, "statusMessage": "No"}):
            error = sample.call(Server(httpx.Response(status, json=body)))
            found = getattr(error, "status_code", error)
            assert found == status, f"{sample.where}, or meaning() in neptun_sdk/dialects.py: {status} is {found}"


@EVERY
def test_a_success_that_is_not_one_is_an_error(name: str) -> None:
    sample = Sample(name)
    wrong = {"a page": "<html>Hello</html>", "null": "null", "an empty object": "{}"}
    if sample.row.resource is None:
        wrong["false"] = json.dumps({sample.row.envelope: False})
    for what, content in wrong.items():
        if sample.described.response is not None:
            result = sample.call(Server(httpx.Response(sample.described.status, text=content)))
            found = (type(result), getattr(result, "applied", False))
            assert found == (ResponseError, None), f"{sample.where}: {what} is {result!r}"


@BOTH
@EVERY
def test_what_comes_back_different_is_not_verified(name: str, dialect: Dialect) -> None:
    sample = Sample(name, dialect)
    for each in sample.fields if sample.row.resource is not None else ():
        if each in sample.described.resource.properties and each not in sample.row.facts.repeats.values():
            result = sample.call(Server(sample.success({each: _other(sample.fields[each])})))
            assert isinstance(result, UpdateNotVerifiedError), f"{sample.where}: another {each} is {result!r}"
            found = list(result.differences)
            assert found == [python_name(each, sample.row.fields)], f"{sample.where}: another {each} is {found}"


@BOTH
@EVERY
def test_another_resource_than_the_one_asked_for_is_not_taken(name: str, dialect: Dialect) -> None:
    sample = Sample(name, dialect)
    for each in sample.row.facts.repeats.values():
        if each not in sample.fields:
            result = sample.call(Server(sample.success({each: _other(sample.resource({})[each])})))
            assert isinstance(result, ResponseError), f"{sample.where}: another {each} is {result!r}"


def _other(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if isinstance(value, list):
        return [*value, *value]
    is_time = isinstance(value, str) and re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T", value)
    return value.replace("2025", "2024") if is_time else f"{value} and more"


def _same(sent: Any, expected: Any) -> bool:
    """Tell whether two values in JSON are the same; a date-time may be spelled in UTC."""
    if isinstance(sent, dict):
        return sent.keys() == expected.keys() and all(_same(sent[name], expected[name]) for name in sent)
    return bool(sent == expected or f"{sent}".replace("Z", "+00:00") == f"{expected}".replace("Z", "+00:00"))
