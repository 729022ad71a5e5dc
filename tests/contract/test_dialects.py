"""The names in dialects.py belong to fields that openapi.yaml has, and stand for columns that the sandbox has."""

from typing import get_args

import pytest

import neptun_sdk
from neptun_sdk.dialects import DEPLOYED_NAMES, DIALECTS
from neptun_sdk.models import Resource
from tests.contract.described import DESCRIBED

RESOURCES = {resource.__name__: resource for resource in DEPLOYED_NAMES}


def contract_names(resource: type[Resource]) -> set[str]:
    """Return the fields that any operation sends or returns of a resource."""
    described = [each for each in DESCRIBED.values() if each.resource.name == resource.__name__]
    return {field for each in described for field in (*each.fields, *each.resource.properties)}


@pytest.mark.parametrize("name", RESOURCES)
def test_a_deployed_name_belongs_to_a_field_of_the_contract(name: str) -> None:
    resource = RESOURCES[name]
    unknown = sorted(DEPLOYED_NAMES[resource].keys() - contract_names(resource))
    assert unknown == [], f"change DEPLOYED_NAMES[{name}] in neptun_sdk/dialects.py: {unknown} is in no schema"


@pytest.mark.parametrize("name", RESOURCES)
def test_a_deployed_name_is_no_other_field_of_the_contract(name: str) -> None:
    """A name with two meanings would put the value of one field into the other."""
    resource = RESOURCES[name]
    deployed = [each for each in DEPLOYED_NAMES[resource].values() if each]
    taken = sorted(contract_names(resource) & set(deployed))
    assert taken == [], f"change DEPLOYED_NAMES[{name}] in neptun_sdk/dialects.py: {taken} is a field of the contract"
    assert len(set(deployed)) == len(deployed), f"change DEPLOYED_NAMES[{name}] in neptun_sdk/dialects.py: {deployed}"


def test_the_dialects_are_those_of_the_public_alias() -> None:
    assert get_args(neptun_sdk.Dialect) == DIALECTS == ("documented", "deployed")
