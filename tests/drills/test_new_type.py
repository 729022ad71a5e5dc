"""A field is added that is no text: the first one of a request."""

from tests.drills.checkout import Checkout

IN_OPENAPI = "        archived:\n          type: boolean\n"
TEXT_ONLY = "        if not isinstance(value, str):\n"
BOOLEANS_TOO = """\
        if type(value) is bool:
            fields[name] = value
            continue
"""

NOT_CHECKED = [
    "archived of update_project is no text: teach its type to check_fields in neptun_sdk/arguments.py",
    "change DEPLOYED_NAMES in neptun_sdk/dialects.py, or the documented dialect in neptun_sdk/sandbox/, to have "
    "archived of update_project",
    "change update_project() in neptun_sdk/client.py, or UPDATE_PROJECT in neptun_sdk/operations.py",
]


def test_a_field_that_is_no_text_is_checked_sent_and_verified(checkout: Checkout) -> None:
    kind = "        project_type:\n          type: string\n"
    checkout.add_before("openapi.yaml", f"{kind}          description: The updated type of the project\n", IN_OPENAPI)
    checkout.add_before("openapi.yaml", f"{kind}          x-extensible-enum: *project_types\n", IN_OPENAPI)
    page = "tests/contract/test_spec.py"
    checkout.add_before(page, '"project_type", "programming_language"),', '"archived: boolean", ')
    checkout.add_before(
        page, '                "project_type": "string",\n', '                "archived?": "boolean",\n'
    )
    checkout.generate()
    models, client = "neptun_sdk/models.py", "neptun_sdk/client.py"
    checkout.add_before(models, "    project_type: ProjectType\n", "    archived: bool | None = None\n")
    checkout.replace(models, '"""A project of a user', '"""A project of a user, perhaps ``archived``')
    keyword = "        project_type: ProjectType | None = None,\n"
    checkout.add_before(client, keyword, "        archived: bool | None = None,\n")
    checkout.add_before(client, "            project_type: ", "            archived: Whether it is out of use.\n")
    checkout.replace("neptun_sdk/dialects.py", "    Project: {", '    Project: {"archived": None, ')
    assert checkout.contract() == NOT_CHECKED

    checkout.add_before("neptun_sdk/arguments.py", TEXT_ONLY, BOOLEANS_TOO)
    assert checkout.contract() == []
