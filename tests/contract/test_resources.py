"""The resources in models.py are the schemas of openapi.yaml, and its aliases know the known values."""

import dataclasses
import inspect
import re
from typing import Any, cast, get_args

import pytest

import neptun_sdk
from tests.contract.described import DESCRIBED, DESCRIBED_ROWS, ROWS, SPEC, Schema, written


def fields(name: str) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of an operation's resource that the contract names."""
    return {
        field.name: field for field in dataclasses.fields(cast("Any", ROWS[name].resource)) if field.name != "extra"
    }


def optional_fields(name: str) -> list[str]:
    """Return the fields that a response may lack, or give as null."""
    resource = DESCRIBED[name].resource
    return [each for each, schema in resource.properties.items() if each not in resource.required or schema.nullable]


def where(name: str) -> str:
    return f"{ROWS[name].resource.__name__} in neptun_sdk/models.py"


def known_values() -> dict[str, list[str]]:
    """Return the known values of every field whose values the server owns."""
    schemas = map(Schema, SPEC["components"]["schemas"].values())
    properties = [pair for schema in schemas for pair in schema.properties.items()]
    return {name: schema.known_values for name, schema in properties if schema.known_values}


KNOWN_VALUES = known_values()


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_resource_has_the_name_of_its_schema(name: str) -> None:
    expected = DESCRIBED[name].resource.name
    assert ROWS[name].resource.__name__ == expected, (
        f"change resource of {name.upper()} in neptun_sdk/operations.py to {expected}"
    )


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_resource_is_public(name: str) -> None:
    resource = ROWS[name].resource
    exported = getattr(neptun_sdk, resource.__name__, None)
    assert exported is resource, f"add {resource.__name__} to neptun_sdk/__init__.py"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_resource_has_the_fields_of_its_schema_in_their_order(name: str) -> None:
    expected = list(DESCRIBED[name].resource.properties)
    assert list(fields(name)) == expected, f"change {where(name)} to the fields {expected}"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_resource_has_the_types_of_its_schema(name: str) -> None:
    for field, schema in DESCRIBED[name].resource.properties.items():
        expected = schema.type | None if field in optional_fields(name) else schema.type
        found = fields(name)[field].type if field in fields(name) else "missing"
        assert found == expected, f"change {field} of {where(name)} from {written(found)} to {written(expected)}"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_resource_may_lack_what_its_schema_does_not_require(name: str) -> None:
    optional = optional_fields(name)
    defaults = {each: field.default for each, field in fields(name).items()}
    found = [each for each, default in defaults.items() if default is not dataclasses.MISSING]
    assert found == optional, f"change {where(name)}: {optional} and no others have the default None"
    assert {defaults[each] for each in found} <= {None}, f"change {where(name)}: the defaults are None"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_docstring_says_which_fields_may_be_none(name: str) -> None:
    docstring = inspect.getdoc(ROWS[name].resource) or ""
    unnamed = [each for each in optional_fields(name) if f"``{each}``" not in docstring]
    assert unnamed == [], f"change the docstring of {where(name)}: {unnamed} may be None"


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_docstring_names_no_field_that_there_is_not(name: str) -> None:
    named = re.findall(r"``([a-z]+_[a-z_]+)``", inspect.getdoc(ROWS[name].resource) or "")
    unknown = sorted(set(named) - {*DESCRIBED[name].resource.properties})
    assert unknown == [], f"change the docstring of {where(name)}: there is no {unknown}"


@pytest.mark.parametrize("field", KNOWN_VALUES)
def test_known_values_have_a_public_alias(field: str) -> None:
    """The alias of ``project_type`` is ``ProjectType``: it lets an editor complete what the contract knows."""
    name = field.title().replace("_", "")
    alias = getattr(neptun_sdk, name, None)
    expected = {*KNOWN_VALUES[field], str}
    literal, *others = get_args(alias) or ((),)
    message = f"define {name} in neptun_sdk/models.py as Literal[…] | str of {KNOWN_VALUES[field]}, and export it"
    assert {*get_args(literal), *others} == expected, message
    assert name in neptun_sdk.__all__, f"add {name} to __all__ in neptun_sdk/__init__.py"


@pytest.mark.parametrize("field", KNOWN_VALUES)
def test_a_field_has_the_same_known_values_in_every_schema(field: str) -> None:
    schemas = {name: Schema(node).properties for name, node in SPEC["components"]["schemas"].items()}
    found = {name: each[field].known_values for name, each in schemas.items() if field in each}
    assert set(map(tuple, found.values())) == {tuple(KNOWN_VALUES[field])}, f"openapi.yaml: {field} has {found}"
