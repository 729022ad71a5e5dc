"""The resources in models.py are the schemas of openapi.yaml, and its aliases know the known values."""

import dataclasses
import inspect
import re
from typing import Any, get_args, get_type_hints

import pytest

import neptun_sdk
from neptun_sdk import models
from neptun_sdk.models import Resource
from tests.contract.described import DESCRIBED, DESCRIBED_ROWS, ROWS, SPEC, Schema, bare, fits, snake_case, written

SCHEMAS = {name: Schema({"$ref": f"#/components/schemas/{name}"}) for name in SPEC["components"]["schemas"]}
RESOURCES: dict[str, type[Any]] = {
    name: each for name, each in vars(models).items() if isinstance(each, type) and Resource in each.__mro__[1:]
}
# What an operation returns, and the resources that stand inside of it.
DESCRIBED_RESOURCES = [name for name in RESOURCES if name in SCHEMAS]


def fields(name: str) -> dict[str, dataclasses.Field[Any]]:
    """Return the fields of a resource that the contract names."""
    return {bare(each.name): each for each in dataclasses.fields(RESOURCES[name]) if each.name != "extra"}


def properties(name: str) -> dict[str, Schema]:
    """Return the properties of a schema, by the names of Python."""
    return {snake_case(each): schema for each, schema in SCHEMAS[name].properties.items()}


def optional_fields(name: str) -> list[str]:
    """Return the fields that a response may lack, or give as null."""
    schema = SCHEMAS[name]
    return [snake_case(each) for each, its in schema.properties.items() if each not in schema.required or its.nullable]


def where(name: str) -> str:
    return f"{name} in neptun_sdk/models.py"


def known_values() -> dict[str, list[str]]:
    """Return the known values of every field whose values the server owns."""
    properties = [pair for schema in SCHEMAS.values() for pair in schema.properties.items()]
    return {name: schema.known_values for name, schema in properties if schema.known_values}


KNOWN_VALUES = known_values()


@pytest.mark.parametrize("name", DESCRIBED_ROWS)
def test_a_row_has_the_class_of_its_response(name: str) -> None:
    row, schema = ROWS[name], DESCRIBED[name].resource
    if row.resource is None:
        return
    found = written(row.resource)
    expected = schema.name or found
    assert bare(found) in (expected, f"list[{Schema(schema.node.get('items', {})).name}]"), (
        f"change the class of {name.upper()} in neptun_sdk/operations.py from {found} to {expected}"
    )


@pytest.mark.parametrize("name", RESOURCES)
def test_a_resource_has_the_name_of_its_schema(name: str) -> None:
    inline = {written(row.resource) for row in ROWS.values()}  # whose schema has no name
    assert name in SCHEMAS or name in inline, f"openapi.yaml has no schema for {where(name)}"


@pytest.mark.parametrize("name", RESOURCES)
def test_a_resource_is_public(name: str) -> None:
    exported = getattr(neptun_sdk, name, None)
    is_public = exported is RESOURCES[name] and name in neptun_sdk.__all__
    assert is_public, f"add {name} to the imports and to __all__ in neptun_sdk/__init__.py"


@pytest.mark.parametrize("name", DESCRIBED_RESOURCES)
def test_a_resource_has_the_fields_of_its_schema_in_their_order(name: str) -> None:
    expected = list(properties(name))
    assert list(fields(name)) == [bare(each) for each in expected], f"change {where(name)} to the fields {expected}"


@pytest.mark.parametrize("name", DESCRIBED_RESOURCES)
def test_a_resource_has_the_types_of_its_schema(name: str) -> None:
    hints = get_type_hints(RESOURCES[name])
    wrong: list[str] = []
    for each, schema in properties(name).items():
        field = fields(name).get(bare(each))
        try:
            expected = schema.type
        except LookupError as exc:
            pytest.fail(f"{each} of {name}: {exc}", pytrace=False)
        optional = each in optional_fields(name)
        if not field or not fits(hints[field.name], expected, optional=optional):
            found = written(hints[field.name]) if field else "missing"
            wrong.append(f"{each} from {found} to {expected}{' | None' if optional else ''}")
    assert wrong == [], f"change {where(name)}: {'; '.join(wrong)}"


@pytest.mark.parametrize("name", DESCRIBED_RESOURCES)
def test_a_resource_may_lack_what_its_schema_does_not_require(name: str) -> None:
    optional = list(map(bare, optional_fields(name)))
    defaults = {each: field.default for each, field in fields(name).items()}
    found = [each for each, default in defaults.items() if default is not dataclasses.MISSING]
    assert found == optional, f"change {where(name)}: {optional} and no others have the default None"
    assert {defaults[each] for each in found} <= {None}, f"change {where(name)}: the defaults are None"


@pytest.mark.parametrize("name", DESCRIBED_RESOURCES)
def test_a_docstring_says_which_fields_may_be_none(name: str) -> None:
    docstring = inspect.getdoc(RESOURCES[name]) or ""
    unnamed = [each for each in optional_fields(name) if f"``{each}``" not in docstring]
    assert unnamed == [], f"change the docstring of {where(name)}: {unnamed} may be None"


@pytest.mark.parametrize("name", DESCRIBED_RESOURCES)
def test_a_docstring_names_no_field_that_there_is_not(name: str) -> None:
    named = re.findall(r"``([a-z]+_[a-z_]+)``", inspect.getdoc(RESOURCES[name]) or "")
    unknown = sorted(set(named) - set(properties(name)))
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
    tables = {name: schema.properties for name, schema in SCHEMAS.items()}
    found = {name: each[field].known_values for name, each in tables.items() if field in each}
    assert set(map(tuple, found.values())) == {tuple(KNOWN_VALUES[field])}, f"openapi.yaml: {field} has {found}"
