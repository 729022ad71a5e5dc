"""The exception tree: its shape, the defaults of each class, and what a caller may do with an error."""

import copy
import pickle
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

import neptun_sdk
from neptun_sdk import NeptunError, Project, errors

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

# What each class says of itself if nothing is passed, beside operation=None and attempts=0.
STATUS: dict[str, object] = {"server_message": "", "body": None, "headers": {}}
DEFAULTS: dict[str, tuple[type[NeptunError], dict[str, object]]] = {
    "NeptunError": (errors.NeptunError, {"applied": None}),
    "ArgumentError": (errors.ArgumentError, {"applied": False}),
    "NeptunConnectionError": (errors.NeptunConnectionError, {"applied": None, "status_code": None}),
    "NeptunTimeoutError": (errors.NeptunTimeoutError, {"applied": None, "status_code": None}),
    "StatusError": (errors.StatusError, {"applied": None, "status_code": 0, **STATUS}),
    "BadRequestError": (
        errors.BadRequestError,
        {"applied": False, "status_code": 400, **STATUS, "fields": {}},
    ),
    "AuthenticationError": (errors.AuthenticationError, {"applied": False, "status_code": 401, **STATUS}),
    "PermissionDeniedError": (errors.PermissionDeniedError, {"applied": False, "status_code": 403, **STATUS}),
    "NotFoundError": (errors.NotFoundError, {"applied": False, "status_code": 404, **STATUS}),
    "RateLimitError": (
        errors.RateLimitError,
        {"applied": False, "status_code": 429, **STATUS, "retry_after": None},
    ),
    "ServerError": (errors.ServerError, {"applied": None, "status_code": 500, **STATUS, "retry_after": None}),
    "ResponseError": (errors.ResponseError, {"applied": None, "status_code": None, "headers": {}}),
    "UpdateNotVerifiedError": (errors.UpdateNotVerifiedError, {"applied": None, "differences": {}, "resource": None}),
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
    expected = {"operation": None, "attempts": 0, **own}
    assert {name: getattr(error, name) for name in expected} == expected


@pytest.mark.parametrize(("error_class", "own"), DEFAULTS.values(), ids=DEFAULTS)
def test_the_defaults_are_all_attributes(error_class: type[NeptunError], own: dict[str, object]) -> None:
    named = {name for each in error_class.__mro__ for name in vars(each).get("__annotations__", {})}
    assert named == {"operation", "attempts", *own}


def test_an_error_made_by_hand_has_its_text_and_attributes() -> None:
    error = neptun_sdk.RateLimitError("busy", operation="update_project", retry_after=7.0, attempts=3)
    assert (str(error), error.operation, error.status_code) == ("busy", "update_project", 429)
    assert (error.retry_after, error.attempts, error.applied) == (7.0, 3, False)


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


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=EXAMPLES)
def test_every_error_pickles(error: NeptunError) -> None:
    """Task queues and process pools hand an exception on as a pickle."""
    twin = pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this line
    assert (type(twin), str(twin), vars(twin)) == (type(error), "text", vars(error))


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=EXAMPLES)
def test_every_error_copies(error: NeptunError) -> None:
    twin = copy.copy(error)
    assert (type(twin), str(twin), vars(twin)) == (type(error), "text", vars(error))


@pytest.mark.parametrize("error", EXAMPLES.values(), ids=EXAMPLES)
def test_every_error_copies_deeply(error: NeptunError) -> None:
    twin = copy.deepcopy(error)
    assert (type(twin), str(twin), vars(twin)) == (type(error), "text", vars(error))
