"""The exception tree: its shape, the defaults of each class, and what a caller may do with an error."""

import copy
import json
import pickle
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest

import neptun_sdk
from neptun_sdk import NeptunError, Project, errors
from tests import conftest

MOMENT = datetime(2025, 2, 16, 17, 42, 11, tzinfo=UTC)
PROJECT = Project(
    id=123,
    name="Old name",
    project_type="web-site",
    programming_language="go",
    created_at=MOMENT,
    updated_at=MOMENT,
    neptun_user_id=1,
)

# What each class says of itself if nothing is passed, beside operation=None, attempts=0 and applied=None: a class
# cannot know what an earlier attempt did.
RESPONSE: dict[str, object] = {"status_code": None, "headers": {}}
STATUS: dict[str, object] = {"server_message": "", "body": None, "headers": {}}
DEFAULTS: dict[str, tuple[type[NeptunError], dict[str, object]]] = {
    "NeptunError": (errors.NeptunError, {}),
    "ArgumentError": (errors.ArgumentError, {}),
    "NeptunConnectionError": (errors.NeptunConnectionError, RESPONSE),
    "NeptunTimeoutError": (errors.NeptunTimeoutError, RESPONSE),
    "StatusError": (errors.StatusError, {"status_code": 0, **STATUS}),
    "BadRequestError": (errors.BadRequestError, {"status_code": 400, **STATUS, "fields": {}}),
    "AuthenticationError": (errors.AuthenticationError, {"status_code": 401, **STATUS}),
    "PermissionDeniedError": (errors.PermissionDeniedError, {"status_code": 403, **STATUS}),
    "NotFoundError": (errors.NotFoundError, {"status_code": 404, **STATUS}),
    "RateLimitError": (errors.RateLimitError, {"status_code": 429, **STATUS, "retry_after": None}),
    "ServerError": (errors.ServerError, {"status_code": 500, **STATUS, "retry_after": None}),
    "ResponseError": (errors.ResponseError, RESPONSE),
    "UpdateNotVerifiedError": (errors.UpdateNotVerifiedError, {**RESPONSE, "differences": {}, "resource": None}),
}

# One error of each class, with every attribute set.
COMMON = {"operation": "update_project", "applied": None, "attempts": 2}
STATUS_COMMON = {
    **COMMON,
    "server_message": "Oh",
    "body": {"statusCode": 418, "a": [1]},
    "headers": {"x-request-id": "7"},
}
DIFFERENCES = {"name": ("New name", "Old name"), "description": ("", None)}
EXAMPLES = {
    "NeptunError": errors.NeptunError("text", **COMMON),
    "ArgumentError": errors.ArgumentError("text", **COMMON),
    "NeptunConnectionError": errors.NeptunConnectionError("text", **COMMON, status_code=200),
    "NeptunTimeoutError": errors.NeptunTimeoutError("text", **COMMON, status_code=200),
    "StatusError": errors.StatusError("text", **STATUS_COMMON, status_code=418),
    "BadRequestError": errors.BadRequestError("text", **STATUS_COMMON, fields={"name": "Too short"}),
    "AuthenticationError": errors.AuthenticationError("text", **STATUS_COMMON),
    "PermissionDeniedError": errors.PermissionDeniedError("text", **STATUS_COMMON),
    "NotFoundError": errors.NotFoundError("text", **STATUS_COMMON),
    "RateLimitError": errors.RateLimitError("text", **STATUS_COMMON, retry_after=7.0),
    "ServerError": errors.ServerError("text", **STATUS_COMMON, status_code=503, retry_after=7.0),
    "ResponseError": errors.ResponseError("text", **COMMON, status_code=302, headers={"x-request-id": "7"}),
    "UpdateNotVerifiedError": errors.UpdateNotVerifiedError(
        "text", **COMMON, differences=DIFFERENCES, resource=PROJECT
    ),
}


def classes(root: type[NeptunError] = NeptunError) -> Iterator[type[NeptunError]]:
    """A class of the SDK's tree and all below it, in the order of their definition."""
    yield root
    for each in root.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from classes(each)


def drawing(root: type[NeptunError], below: str = "") -> Iterator[str]:
    """The tree as the docstring draws it, without the explanations."""
    children = [each for each in classes(root) if root in each.__bases__]
    for each in children:
        others = "".join(f" ({base.__name__})" for base in each.__bases__[1:])
        branch, trunk = ("└── ", "    ") if each is children[-1] else ("├── ", "│   ")
        yield f"{below}{branch}{each.__name__}{others}"
        yield from drawing(each, below + trunk)


def drawn() -> Iterator[tuple[str, str]]:
    """Each class as the docstring draws it, and the rest of its line."""
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"([│├└─ ]*\w+Error(?: \(\w+\))?)(  .*|$)", line)
        if found:
            yield found[1], found[2]


def test_the_docstring_draws_the_real_tree() -> None:
    assert [name for name, _ in drawn()] == ["NeptunError", *drawing(NeptunError)]


def test_the_docstring_names_the_new_attributes_of_each_class() -> None:
    named = {re.findall(r"\w+Error", name)[0]: re.findall(r" \.(\w+)", rest) for name, rest in drawn()}
    real = {
        each.__name__: [name for name in vars(each).get("__annotations__", {}) if not hasattr(each.__base__, name)]
        for each in classes()
    }
    assert named == real


def test_every_error_is_public() -> None:
    assert {each.__name__ for each in classes()} == {name for name in neptun_sdk.__all__ if name.endswith("Error")}


def test_callers_catch_an_argument_error_as_a_value_error() -> None:
    assert issubclass(neptun_sdk.ArgumentError, ValueError)


def test_the_tables_of_this_file_have_every_class() -> None:
    names = [each.__name__ for each in classes()]
    assert sorted(DEFAULTS) == sorted(EXAMPLES) == sorted(names)


@pytest.mark.parametrize(("error_class", "own"), DEFAULTS.values(), ids=DEFAULTS)
def test_each_class_has_its_own_defaults(error_class: type[NeptunError], own: dict[str, object]) -> None:
    """An error that a user makes for a test is right without naming what every such error has."""
    error = error_class()
    expected = {"operation": None, "attempts": 0, "applied": None, **own}
    assert {name: getattr(error, name) for name in expected} == expected


@pytest.mark.parametrize(("error_class", "own"), DEFAULTS.values(), ids=DEFAULTS)
def test_the_defaults_are_all_attributes(error_class: type[NeptunError], own: dict[str, object]) -> None:
    named = {name for each in error_class.__mro__ for name in vars(each).get("__annotations__", {})}
    assert named == {"operation", "attempts", "applied", *own}


def test_an_error_made_by_hand_has_its_text_and_attributes() -> None:
    error = neptun_sdk.RateLimitError("busy", operation="update_project", retry_after=7.0, attempts=3)
    assert (str(error), error.operation, error.status_code) == ("busy", "update_project", 429)
    assert (error.retry_after, error.attempts, error.applied) == (7.0, 3, None)


def test_an_error_made_by_hand_needs_no_text() -> None:
    assert str(neptun_sdk.NeptunError()) == ""


UNKNOWN_ATTRIBUTES: dict[str, tuple[type[NeptunError], str]] = {
    "misspelt": (errors.RateLimitError, "retry_afer"),
    "of another class": (errors.NotFoundError, "fields"),
    "of every exception": (errors.NeptunError, "args"),
}


@pytest.mark.parametrize(("error_class", "name"), UNKNOWN_ATTRIBUTES.values(), ids=UNKNOWN_ATTRIBUTES)
def test_an_unknown_attribute_is_a_type_error(error_class: type[NeptunError], name: str) -> None:
    with pytest.raises(TypeError, match=f"^{error_class.__name__} has no attribute '{name}'$"):
        error_class("busy", **{name: 7})


def test_a_class_of_the_callers_own_may_add_attributes() -> None:
    class QuotaError(neptun_sdk.RateLimitError):
        quota: int = 0

    error = QuotaError("busy", quota=5, retry_after=7.0)
    assert (error.quota, error.retry_after, error.status_code) == (5, 7.0, 429)


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=EXAMPLES)
def test_no_error_has_an_attribute_named_message(error: NeptunError) -> None:
    """Error trackers show an attribute of that name instead of the error's text."""
    assert not hasattr(error, "message")


def test_the_defaults_that_errors_share_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        neptun_sdk.NotFoundError().headers["x-request-id"] = "7"  # type: ignore[index]


def made_again(error: NeptunError) -> NeptunError:
    """Make an error again as a worker queue with JSON results does: from its class and its ``args``."""
    return type(error)(*json.loads(json.dumps(error.args, allow_nan=False)))


AGAIN: dict[str, Callable[[NeptunError], NeptunError]] = {
    "pickle": lambda error: pickle.loads(pickle.dumps(error)),  # noqa: S301 - made in this line
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "JSON": made_again,
    "JSON twice": lambda error: made_again(made_again(error)),
    "JSON, then pickle": lambda error: pickle.loads(pickle.dumps(made_again(error))),  # noqa: S301 - made in this line
}


@pytest.mark.parametrize("again", AGAIN.values(), ids=AGAIN)
@pytest.mark.parametrize("error", EXAMPLES.values(), ids=EXAMPLES)
def test_every_error_survives_a_queue(
    request: pytest.FixtureRequest, error: NeptunError, again: Callable[[NeptunError], NeptunError]
) -> None:
    """Task queues and process pools hand an exception on as a pickle, or as the JSON of its ``args``."""
    twin = again(error)
    expected = dict(vars(error))
    if "JSON" in request.node.callspec.id:
        expected.pop("resource", None)  # it is no JSON
        twin.__dict__.pop("resource", None)
    assert (type(twin), str(twin), repr(twin), vars(twin)) == (type(error), "text", repr(error), expected)


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=EXAMPLES)
def test_the_text_of_an_error_is_its_text_alone(error: NeptunError) -> None:
    """The facts stand in ``args`` too, and logs show the text."""
    assert str(error) == error.args[0] == "text"
    assert repr(error) == f"{type(error).__name__}('text')"


@pytest.mark.parametrize("applied", [True, False, None])
def test_an_error_that_is_made_again_claims_what_it_claimed(applied: bool | None) -> None:
    assert made_again(errors.NotFoundError("no", applied=applied)).applied is applied


def test_an_error_that_is_made_again_from_its_text_claims_nothing() -> None:
    """Some queues keep the text only."""
    assert [each("text").applied for each, _ in DEFAULTS.values()] == [None] * len(DEFAULTS)


def test_an_error_of_a_newer_sdk_is_made_again_too() -> None:
    """The workers of a service are not all updated at once."""
    facts = {"applied": None, "retry_after": 2.5, "a_new_fact": 1, "_rule": 1, "with_traceback": 1}
    error = errors.RateLimitError("busy", facts)
    assert (error.retry_after, error.args) == (2.5, ("busy", facts))
    assert vars(error) == {"applied": None, "retry_after": 2.5}


REAL: dict[str, httpx.Response | Exception] = {
    "400": httpx.Response(400, json={"data": {"issues": [{"path": ["name"], "message": "no"}]}}),
    "401": httpx.Response(401),
    "403": httpx.Response(403),
    "404": httpx.Response(404, content=rb'{"message": "\ud800 \ud83d\ude80", "more": [1, 1.5, null, {"a": true}]}'),
    "429": httpx.Response(429, headers={"Retry-After": "2.5"}),
    "500": httpx.Response(500, content=b"\xff\0"),
    "302": httpx.Response(302, headers={"Location": "/login"}),
    "another value": httpx.Response(200, json={"project": {**conftest.PROJECT, "name": "x", "description": None}}),
    "reset": httpx.ReadError("reset"),
    "late": httpx.ReadTimeout("late"),
}


@pytest.mark.parametrize("answer", REAL.values(), ids=REAL)
def test_an_error_of_a_call_is_the_same_after_a_queue(answer: httpx.Response | Exception) -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with (
        neptun_sdk.NeptunClient(conftest.CANARY, 1, transport=httpx.MockTransport(respond), max_retries=0) as client,
        pytest.raises(NeptunError) as caught,
    ):
        client.update_project(123, name="New name", description="About it")
    error, twin = caught.value, made_again(caught.value)
    public = [
        name
        for name in {**vars(type(error)), **vars(error)}
        if name[0] != "_" and name.isascii() and name != "resource"
    ]
    assert {name: getattr(twin, name) for name in public} == {name: getattr(error, name) for name in public}
    assert (str(twin), type(twin)) == (str(error), type(error))


def test_an_argument_error_of_a_call_is_the_same_after_a_queue() -> None:
    with neptun_sdk.NeptunClient(conftest.CANARY, 1) as client, pytest.raises(errors.ArgumentError) as caught:
        client.update_project(0, name="x")
    twin = made_again(caught.value)
    assert (twin.applied, twin.operation, str(twin)) == (False, "update_project", str(caught.value))
