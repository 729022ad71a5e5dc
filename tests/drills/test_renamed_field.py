"""A field is renamed that has known values, another name in the deployed dialect, and a place in every table."""

from tests.drills.checkout import Checkout

NOT_ON_THE_PAGE = {
    "change fields of updateProject in tests/contract/test_spec.py to the page",
    "change interface of updateProject in tests/contract/test_spec.py to the page",
    "change examples of updateProject in tests/contract/test_spec.py to the page",
    "change notes of updateProject in tests/contract/test_spec.py to the page",
    "change enums of updateProject in tests/contract/test_spec.py to the page",
}
NOT_GENERATED = {
    "run `make generate`: generated/ and neptun_sdk/_contract.py are of another openapi.yaml",
}
NOT_IN_THE_METHOD = {
    "change update_project() in neptun_sdk/client.py: it takes the keywords ['name', 'description', 'project_kind', "
    "'programming_language']",
}
NOT_IN_THE_RESOURCE = {
    "change Project in neptun_sdk/models.py to the fields ['id', 'name', 'description', 'project_kind', "
    "'programming_language', 'created_at', 'updated_at', 'neptun_user_id']",
    "change Project in neptun_sdk/models.py: project_kind from missing to Literal['web-site', 'web-service', "
    "'web-app'] | str",
    "change the docstring of Project in neptun_sdk/models.py: there is no ['project_type']",
}
NO_ALIAS = {
    "define ProjectKind in neptun_sdk/models.py as Literal[…] | str of ['web-site', 'web-service', 'web-app'], and "
    "export it",
}
NOT_EXPORTED = {
    "add ProjectKind to __all__ in neptun_sdk/__init__.py",
}
NOT_IN_THE_DIALECT = {
    "change DEPLOYED_NAMES[Project] in neptun_sdk/dialects.py: ['project_type'] is in no schema",
}
NOT_IN_THE_SANDBOX = {
    "the documented dialect of the sandbox starts with a project that is not valid: project_type is not one of its "
    "fields. Change its example in openapi.yaml, or SEEDS in neptun_sdk/sandbox/state.py",
}


def test_a_field_is_renamed_in_every_place_that_a_message_names(checkout: Checkout) -> None:
    old, new = "project_type", "project_kind"
    in_sdk = NOT_IN_THE_RESOURCE | NO_ALIAS | NOT_IN_THE_SANDBOX
    checkout.replace_all("openapi.yaml", old, new)
    assert set(checkout.contract()) == NOT_IN_THE_DIALECT | NOT_IN_THE_METHOD | NOT_GENERATED | in_sdk | NOT_ON_THE_PAGE

    checkout.replace_all("tests/contract/test_spec.py", old, new)
    assert set(checkout.contract()) == NOT_IN_THE_DIALECT | NOT_IN_THE_METHOD | NOT_GENERATED | in_sdk

    checkout.generate()
    assert set(checkout.contract()) == NOT_IN_THE_DIALECT | NOT_IN_THE_METHOD | in_sdk

    checkout.replace_all("neptun_sdk/dialects.py", old, new)
    assert set(checkout.contract()) == NOT_IN_THE_METHOD | in_sdk

    checkout.replace_all("neptun_sdk/models.py", old, new)
    assert set(checkout.contract()) == NOT_IN_THE_METHOD | NO_ALIAS | NOT_IN_THE_SANDBOX

    checkout.replace_all("neptun_sdk/client.py", old, new)
    assert set(checkout.contract()) == NO_ALIAS | NOT_IN_THE_SANDBOX

    for module in ("models", "client"):
        checkout.replace_all(f"neptun_sdk/{module}.py", "ProjectType", "ProjectKind")
    package = "neptun_sdk/__init__.py"
    checkout.replace(package, "ProjectType, SourceType", "ProjectKind, SourceType")
    checkout.replace(package, '    "ProjectType",\n', "")
    assert set(checkout.contract()) == NOT_EXPORTED | NOT_IN_THE_SANDBOX

    checkout.add_before(package, '    "RateLimitError",\n', '    "ProjectKind",\n')
    assert set(checkout.contract()) == NOT_IN_THE_SANDBOX

    checkout.replace_all("neptun_sdk/sandbox/state.py", old, new)
    assert checkout.contract() == []
