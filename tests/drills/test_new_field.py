"""An optional field is added to the request and to the resource of an operation.

A deployed server, which is older, does not have it. dialects.py must say so, and the embedded Neptun notices if it does
not.
"""

from tests.drills.checkout import Checkout, checklist

IN_REQUEST = """\
        homepage:
          type: string
          description: The updated address of the project's own site
"""
IN_RESOURCE = """\
        homepage:
          type: string
          nullable: true
          description: Absent or null where the project has none.
"""

NOT_ON_THE_PAGE = {
    "change fields of updateProject in tests/contract/test_spec.py to the page",
    "change interface of updateProject in tests/contract/test_spec.py to the page",
}
NOT_GENERATED = {"run `make generate`: generated/ and neptun_sdk/_contract.py are of another openapi.yaml"}
NOT_IN_THE_METHOD = {
    "change update_project() in neptun_sdk/client.py: it takes the keywords ['name', 'description', 'homepage', "
    "'project_type', 'programming_language']",
}
NOT_IN_THE_DOCSTRING = {
    "change Args in the docstring of update_project() in neptun_sdk/client.py to ['project_id', 'name', 'description', "
    "'homepage', 'project_type', 'programming_language']",
}
NOT_IN_THE_RESOURCE = {
    "change Project in neptun_sdk/models.py to the fields ['id', 'name', 'description', 'homepage', 'project_type', "
    "'programming_language', 'created_at', 'updated_at', 'neptun_user_id']",
    "change Project in neptun_sdk/models.py: homepage from missing to str | None",
    "change Project in neptun_sdk/models.py: ['description', 'homepage'] and no others have the default None",
}
NOT_IN_ITS_DOCSTRING = {"change the docstring of Project in neptun_sdk/models.py: ['homepage'] may be None"}
NOT_IN_THE_DIALECT = {
    "change DEPLOYED_NAMES in neptun_sdk/dialects.py, or the deployed dialect in neptun_sdk/sandbox/, to have homepage "
    "of update_project",
}


def test_a_field_is_added_to_a_method_a_resource_and_a_dialect(checkout: Checkout) -> None:
    openapi = "openapi.yaml"
    kind = "        project_type:\n          type: string\n"
    checkout.add_before(openapi, f"{kind}          description: >-\n", IN_REQUEST)
    checkout.add_before(openapi, f"{kind}          x-extensible-enum: *project_types\n", IN_RESOURCE)
    checkout.raise_contract("minor")
    sdk = NOT_IN_THE_RESOURCE | NOT_IN_ITS_DOCSTRING
    assert set(checkout.contract()) == NOT_IN_THE_METHOD | NOT_GENERATED | sdk | NOT_ON_THE_PAGE

    page = "tests/contract/test_spec.py"
    checkout.add_before(page, '"project_type", "programming_language"),', '"homepage", ')
    checkout.add_before(page, '                "project_type": "string",\n', '                "homepage?": "string",\n')
    assert set(checkout.contract()) == NOT_IN_THE_METHOD | NOT_GENERATED | sdk

    checkout.generate()
    assert set(checkout.contract()) == NOT_IN_THE_METHOD | sdk

    models = "neptun_sdk/models.py"
    checkout.add_before(models, "    project_type: ProjectType\n", "    homepage: str | None = None\n")
    assert set(checkout.contract()) == NOT_IN_THE_METHOD | NOT_IN_ITS_DOCSTRING

    client = "neptun_sdk/client.py"
    checkout.replace(models, '"""A project of a user', '"""A project of a user, with or without a ``homepage``')
    checkout.add_before(
        client, "        project_type: ProjectType | None = None,\n", "        homepage: str | None = None,\n"
    )
    assert set(checkout.contract()) == NOT_IN_THE_DOCSTRING | NOT_IN_THE_DIALECT

    checkout.add_before(
        client, "            project_type: ", "            homepage: The new address of its own site.\n"
    )
    assert set(checkout.contract()) == NOT_IN_THE_DIALECT

    checkout.replace("neptun_sdk/dialects.py", "    Project: {", '    Project: {"homepage": None, ')
    assert checkout.contract() == []
    contract = "neptun_sdk/_contract.py"
    assert checkout.changes("neptun_sdk") == {contract: 1, client: 2, "neptun_sdk/dialects.py": 1, models: 2}

    checkout.release_notes("Added", "`homepage` of a project.")
    assert checkout.steps == checklist("A new field")
    assert checkout.levels() == ("minor", "minor")
