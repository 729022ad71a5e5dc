"""The methods of NeptunClient take and return what openapi.yaml describes, and say so."""

import inspect
import re
from typing import get_type_hints

import pytest

from neptun_sdk import ArgumentError, NeptunError
from neptun_sdk.arguments import check_fields
from tests.contract.described import COMPLETE, DESCRIBED, DESCRIBED_METHODS, METHODS, ROWS, sample, written

POSITIONAL = inspect.Parameter.POSITIONAL_OR_KEYWORD
KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY


def parameters(name: str, *kinds: object) -> list[inspect.Parameter]:
    """Return the parameters of a method of some kinds, without ``self``."""
    _, *found = inspect.signature(METHODS[name]).parameters.values()
    return [parameter for parameter in found if parameter.kind in kinds]


def section(name: str, title: str) -> str:
    """Return a section of a method's docstring; empty if it has none."""
    found = re.search(rf"^{title}:\n((?: +.*\n?|\n)+)", inspect.getdoc(METHODS[name]) or "", re.MULTILINE)
    return found[1] if found else ""


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_method_takes_the_ids_of_its_path_but_the_users(name: str) -> None:
    described = DESCRIBED[name]
    taken = [(parameter.name, parameter.default) for parameter in parameters(name, POSITIONAL)]
    expected = [(each, inspect.Parameter.empty) for each in described.ids[1:]]
    assert taken == expected, (
        f"change {name}() in neptun_sdk/client.py: it takes the ids of {described.path} by position"
    )


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_an_id_is_an_int(name: str) -> None:
    hints = get_type_hints(METHODS[name])
    wrong = [parameter.name for parameter in parameters(name, POSITIONAL) if hints[parameter.name] is not int]
    assert wrong == [], f"change {name}() in neptun_sdk/client.py: {wrong} should be int"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_method_takes_the_fields_of_its_request_in_the_order_of_the_contract(name: str) -> None:
    described = DESCRIBED[name]
    taken = [parameter.name for parameter in parameters(name, KEYWORD_ONLY)]
    expected = list(described.keywords)
    assert taken == expected, f"change {name}() in neptun_sdk/client.py: it takes the keywords {expected}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_method_takes_nothing_else(name: str) -> None:
    """What is neither an id nor a field of the contract would be sent as one."""
    every = [parameter.name for parameter in parameters(name, *inspect._ParameterKind)]
    known = [parameter.name for parameter in parameters(name, POSITIONAL, KEYWORD_ONLY)]
    assert every == known, f"change {name}() in neptun_sdk/client.py: no *args, no **kwargs"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_field_that_is_not_given_stays_as_it_is(name: str) -> None:
    described = DESCRIBED[name]
    required = described.request.required if described.request else set()
    assert required == set(), f"openapi.yaml requires {required}: check_fields in neptun_sdk/arguments.py requires none"
    wrong = [parameter.name for parameter in parameters(name, KEYWORD_ONLY) if parameter.default is not None]
    assert wrong == [], f"change {name}() in neptun_sdk/client.py: None is the default of {wrong}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_field_has_the_type_of_the_contract(name: str) -> None:
    hints = get_type_hints(METHODS[name])
    for field, schema in DESCRIBED[name].keywords.items():
        expected = schema.type | None
        try:
            check_fields({field: sample(schema, "a text")})
        except ArgumentError:
            pytest.fail(f"{field} of {name} is no text: teach its type to check_fields in neptun_sdk/arguments.py")
        found = hints.get(field)
        assert found == expected, (
            f"change {field} of {name}() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, "
            f"to {written(expected)}"
        )


@pytest.mark.parametrize("name", COMPLETE)
def test_a_method_returns_the_resource_of_its_row(name: str) -> None:
    returned = get_type_hints(METHODS[name])["return"]
    expected = ROWS[name].resource
    assert returned is expected, f"change the return type of {name}() in neptun_sdk/client.py to {expected.__name__}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_docstring_explains_every_argument(name: str) -> None:
    documented = re.findall(r"^    (\w+):", section(name, "Args"), re.MULTILINE)
    taken = [parameter.name for parameter in parameters(name, POSITIONAL, KEYWORD_ONLY)]
    assert documented == taken, f"change Args in the docstring of {name}() in neptun_sdk/client.py to {taken}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_docstring_says_what_is_returned(name: str) -> None:
    assert section(name, "Returns"), f"add Returns to the docstring of {name}() in neptun_sdk/client.py"


@pytest.mark.parametrize("name", COMPLETE)
def test_a_docstring_says_what_is_raised(name: str) -> None:
    """An operation that only reads raises no error of an update."""
    lines = re.findall(r"^    (\w[\w, ]+):", section(name, "Raises"), re.MULTILINE)
    documented = sorted(error for line in lines for error in line.split(", "))
    classes = {error.__name__ for error in NeptunError.__subclasses__()}
    raised = sorted(classes if ROWS[name].updates else classes - {"UpdateNotVerifiedError"})
    assert documented == raised, f"change Raises in the docstring of {name}() in neptun_sdk/client.py to {raised}"


@pytest.mark.parametrize("name", DESCRIBED_METHODS)
def test_a_docstring_names_nothing_that_there_is_not(name: str) -> None:
    described = DESCRIBED[name]
    named = re.findall(r"``([a-z]+_[a-z_]+)``", inspect.getdoc(METHODS[name]) or "")
    unknown = sorted(set(named) - {*described.ids, *described.keywords, *described.resource.properties})
    assert unknown == [], f"change the docstring of {name}() in neptun_sdk/client.py: there is no {unknown}"
