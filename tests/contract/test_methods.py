"""The methods of NeptunClient take and return what openapi.yaml describes, and say so."""

import inspect
import re
from typing import get_type_hints

import pytest

from neptun_sdk import NeptunError
from tests.contract.described import (
    CLIENT,
    COMPLETE,
    DESCRIBED,
    DESCRIBED_METHODS,
    METHODS,
    ROWS,
    Schema,
    bare,
    fits,
    problem_of,
    snake_case,
    written,
)

POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


def parameters(name: str, *kinds: object) -> dict[str, inspect.Parameter]:
    """Return the parameters of a method of some kinds, without ``self``."""
    _, *found = inspect.signature(METHODS[name]).parameters.values()
    return {bare(parameter.name): parameter for parameter in found if parameter.kind in kinds}


def ids(name: str) -> list[str]:
    """Return the parameters of the path that a caller gives: the user is the session's."""
    return [snake_case(each) for each in DESCRIBED[name].ids if each != "user_id"]


def section(name: str, title: str) -> str:
    """Return a section of a method's docstring; empty if it has none."""
    found = re.search(rf"^{title}:\n((?: +.*\n?|\n)+)", inspect.getdoc(METHODS[name]) or "", re.MULTILINE)
    return found[1] if found else ""


def check_type(name: str, parameter: str, schema: Schema, *, optional: bool) -> None:
    hint = get_type_hints(METHODS[name])[parameter]
    try:
        expected = schema.type
    except LookupError as exc:
        pytest.fail(f"{parameter} of {name}: {exc}", pytrace=False)
    assert fits(hint, expected, optional=optional), (
        f"change {parameter} of {name}() in {CLIENT}, or its alias in neptun_sdk/models.py, from {written(hint)} to "
        f"{expected}{' | None' if optional else ''}"
    )


@pytest.mark.parametrize("name", METHODS)
def test_the_types_of_a_method_can_be_looked_at(name: str) -> None:
    assert not problem_of(METHODS[name]), problem_of(METHODS[name])


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_method_takes_the_ids_of_its_path_by_position(name: str) -> None:
    taken = [(each, parameter.default) for each, parameter in parameters(name, POSITIONAL).items()]
    expected = [(each, inspect.Parameter.empty) for each in ids(name)]
    assert taken == expected, f"change {name}() in {CLIENT}: it takes the ids of {DESCRIBED[name].path} by position"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_an_id_has_the_type_of_the_contract(name: str) -> None:
    described, taken = DESCRIBED[name], parameters(name, POSITIONAL)
    for each in described.ids:
        if snake_case(each) in taken:
            check_type(name, taken[snake_case(each)].name, described.id_schema(each), optional=False)


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_method_takes_its_fields_and_options_in_the_order_of_the_contract(name: str) -> None:
    expected = list(DESCRIBED[name].keywords)
    taken = list(parameters(name, KEYWORD_ONLY))
    assert taken == [bare(each) for each in expected], f"change {name}() in {CLIENT}: it takes the keywords {expected}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_method_takes_nothing_else(name: str) -> None:
    """What is neither an id, a field nor an option of the contract has no place in a request."""
    every = parameters(name, *inspect._ParameterKind)
    known = parameters(name, POSITIONAL, KEYWORD_ONLY)
    assert every.keys() == known.keys(), f"change {name}() in {CLIENT}: no *args, no **kwargs"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_what_the_contract_requires_has_no_default_and_the_rest_has_none(name: str) -> None:
    required = set(map(bare, DESCRIBED[name].required))
    for each, parameter in parameters(name, KEYWORD_ONLY).items():
        default = inspect.Parameter.empty if each in required else None
        message = "has no default, because the contract requires it" if each in required else "has the default None"
        assert parameter.default is default, f"change {name}() in {CLIENT}: {each} {message}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_keyword_has_the_type_of_the_contract(name: str) -> None:
    described, taken = DESCRIBED[name], parameters(name, KEYWORD_ONLY)
    for each, schema in described.keywords.items():
        if bare(each) in taken:
            check_type(name, taken[bare(each)].name, schema, optional=each not in described.required)


@pytest.mark.parametrize("name", COMPLETE)
def test_a_method_returns_what_its_row_says(name: str) -> None:
    returned, expected = get_type_hints(METHODS[name]).get("return", "nothing"), ROWS[name].resource
    assert returned in (expected, type(expected) if expected is None else expected), (
        f"change the return type of {name}() in {CLIENT} to {written(expected)}"
    )


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_docstring_explains_every_argument(name: str) -> None:
    documented = re.findall(r"^    (\w+):", section(name, "Args"), re.MULTILINE)
    taken = [parameter.name for parameter in parameters(name, POSITIONAL, KEYWORD_ONLY).values()]
    assert documented == taken, f"change Args in the docstring of {name}() in {CLIENT} to {taken}"


@pytest.mark.parametrize("name", COMPLETE)
def test_a_docstring_says_what_is_returned(name: str) -> None:
    assert section(name, "Returns") or ROWS[name].resource is None, (
        f"add Returns to the docstring of {name}() in {CLIENT}"
    )


@pytest.mark.parametrize("name", COMPLETE)
def test_a_docstring_says_what_is_raised(name: str) -> None:
    """What sends no field has none that could come back different."""
    lines = re.findall(r"^    (\w[\w, ]+):", section(name, "Raises"), re.MULTILINE)
    documented = sorted(error for line in lines for error in line.split(", "))
    classes = {error.__name__ for error in NeptunError.__subclasses__()}
    verifies = ROWS[name].resource is not None and DESCRIBED[name].fields
    raised = sorted(classes if verifies else classes - {"UpdateNotVerifiedError"})
    assert documented == raised, f"change Raises in the docstring of {name}() in {CLIENT} to {raised}"


@pytest.mark.parametrize("name", COMPLETE)
def test_a_docstring_says_what_cannot_be_verified(name: str) -> None:
    """What was sent is compared with the response, which may not have it, such as a password."""
    described, text = DESCRIBED[name], inspect.getdoc(METHODS[name]) or ""
    unverified = [each for each in described.fields if each not in described.resource.properties]
    silent = [each for each in unverified if f"``{each}`` is not in the response" not in text]
    assert silent == [] or ROWS[name].resource is None, (
        f"say in the docstring of {name}() in {CLIENT}: ``{silent[0]}`` is not in the response, and is not verified"
    )


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_docstring_names_nothing_that_there_is_not(name: str) -> None:
    described = DESCRIBED[name]
    named = re.findall(r"``([a-z]+_[a-z_]+)``", inspect.getdoc(METHODS[name]) or "")
    known = {*described.ids, *described.keywords, *map(snake_case, described.resource.properties)}
    unknown = sorted(set(map(bare, named)) - set(map(bare, known)))
    assert unknown == [], f"change the docstring of {name}() in {CLIENT}: there is no {unknown}"
