"""One mistake at a time, of every kind that a hand can make: a message names the file to change."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.drills import adding
from tests.drills.adding import CLIENT, MODELS, OPENAPI, OPERATIONS, OUTCOMES
from tests.drills.additions import OPERATIONS as ADDED
from tests.drills.checkout import Checkout

DIALECTS = "neptun_sdk/dialects.py"
WHERE = "change {0}() in neptun_sdk/client.py, or {1} in neptun_sdk/operations.py"
UPDATE = WHERE.format("update_project", "UPDATE_PROJECT")
LIST = WHERE.format("list_projects", "LIST_PROJECTS")
BY_SLUG = WHERE.format("update_project_by_slug", "UPDATE_PROJECT_BY_SLUG")
NOTE = WHERE.format("delete_note", "DELETE_NOTE")
SENT = "self._call(self._operations.{}, locals())"
OF_UPDATE, OF_LIST = SENT.format("UPDATE_PROJECT"), SENT.format("LIST_PROJECTS")
OF_SLUG, OF_NOTE = SENT.format("UPDATE_PROJECT_BY_SLUG"), SENT.format("DELETE_NOTE")
IMPORT_ROW = "Operation(update_project_import, ProjectImport)"
TYPES_OF_PROJECT = "Literal['web-site', 'web-service', 'web-app']"
TYPES_OF_SOURCE = (
    "Literal['github', 'local_folder', 'github_repository_installation', 'public_github_repository_url'] | str"
)

# The tests that find the mistake (empty: all), the file that it is in, what is replaced by what, and the message.
CASES = {
    "a field that is taken and not sent": (
        "test_every_operation.py",
        CLIENT,
        OF_UPDATE,
        OF_UPDATE.replace("locals()", '{**locals(), "description": None}'),
        f"{UPDATE}: it takes ['name', 'description', 'project_type', 'programming_language'] and sends {{'name': 'a "
        "text "
        "new', 'project_type': 'web-site', 'programming_language': 'go'}",
    ),
    "two fields in each other's place": (
        "test_every_operation.py",
        CLIENT,
        OF_UPDATE,
        OF_UPDATE.replace("locals()", '{**locals(), "name": description, "description": name}'),
        f"{UPDATE}: it sends {{'description'}}, which was not given",
    ),
    "a row without a method": (
        "test_operations.py",
        CLIENT,
        "def update_project_import(",
        "def update_import(",
        "add the method update_project_import to neptun_sdk/client.py",
    ),
    "a method without a row": (
        "test_operations.py",
        CLIENT,
        "def update_project_import(",
        "def update_import(",
        "add the row UPDATE_IMPORT to neptun_sdk/operations.py, or remove update_import() from neptun_sdk/client.py",
    ),
    "another generated module": (
        "test_operations.py",
        OPERATIONS,
        IMPORT_ROW,
        "Operation(update_project, ProjectImport)",
        "change the module of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py",
    ),
    "another resource": (
        "test_resources.py",
        OPERATIONS,
        IMPORT_ROW,
        "Operation(update_project_import, Project)",
        "change the class of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py from Project to ProjectImport",
    ),
    "an update that returns nothing": (
        "test_operations.py",
        OPERATIONS,
        IMPORT_ROW,
        "Operation(update_project_import, None)",
        "give UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py a class for its response, instead of None: it returns "
        "more than a yes or no",
    ),
    "a row without a resource": (
        "",
        OPERATIONS,
        IMPORT_ROW,
        "Operation(update_project_import)",
        "correct the rows or the imports of neptun_sdk/operations.py: TypeError: Operation.__init__() missing 1 "
        "required "
        "positional argument: 'resource'",
    ),
    "a resource that the table does not import": (
        "",
        OPERATIONS,
        IMPORT_ROW,
        "Operation(update_project_import, Import)",
        "correct the rows or the imports of neptun_sdk/operations.py: NameError: name 'Import' is not defined",
    ),
    "a type that the client does not import": (
        "",
        CLIENT,
        "        source_type: SourceType | None = None,\n",
        "        source_type: TypeOfSource | None = None,\n",
        "correct the imports of neptun_sdk/client.py, or the types of update_project_import(): name 'TypeOfSource' is "
        "not "
        "defined",
    ),
    "an id of another type": (
        "test_methods.py",
        CLIENT,
        "        import_id: int,\n",
        "        import_id: str,\n",
        "change import_id of update_project_import() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, "
        "from "
        "str to int",
    ),
    "a field with a default": (
        "test_methods.py",
        CLIENT,
        "        title: str | None = None,\n",
        '        title: str | None = "",\n',
        "change update_project_import() in neptun_sdk/client.py: title has the default None",
    ),
    "a field of another type": (
        "test_methods.py",
        CLIENT,
        "        source_type: SourceType | None = None,\n",
        "        source_type: str | None = None,\n",
        "change source_type of update_project_import() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, "
        f"from str | None to {TYPES_OF_SOURCE} | None",
    ),
    "an alias that takes known values only": (
        "test_resources.py",
        MODELS,
        '"web-app"] | str',
        '"web-app"]',
        f"change Project in neptun_sdk/models.py: project_type from {TYPES_OF_PROJECT} to {TYPES_OF_PROJECT} | str",
    ),
    "a field of a resource of another type": (
        "test_resources.py",
        MODELS,
        "    project_id: int\n",
        "    project_id: str\n",
        "change ProjectImport in neptun_sdk/models.py: project_id from str to int",
    ),
    "an error status without a row": (
        "test_operations.py",
        OPENAPI,
        "        '200':\n          description: Successfully updated import\n",
        "        '410': {description: Gone}\n        '200':\n          description: Successfully updated import\n",
        "410: add a row to STATUSES in neptun_sdk/outcomes.py, and, if callers want to catch it, a class to "
        "neptun_sdk/errors.py",
    ),
    "a type that no check is written for": (
        "test_resources.py",
        OPENAPI,
        "        source_path:\n          type: string\n        title:\n",
        "        source_path:\n          type: string\n          format: byte\n        title:\n",
        "source_path of ProjectImport: teach the type string byte to kind_of() in neptun_sdk/values.py, then add it to "
        "TYPES in tests/contract/described.py",
    ),
    "a closed enum": (
        "test_spec.py",
        OPENAPI,
        "          x-extensible-enum: *source_types\n        source_path:\n          type: string\n        title:\n",
        "          enum: *source_types\n        source_path:\n          type: string\n        title:\n",
        "openapi.yaml: say x-extensible-enum instead of enum for ['source_type'] of ProjectImport",
    ),
    "an operation without a session": (
        "test_operations.py",
        OPENAPI,
        "      operationId: getProject\n",
        "      operationId: getProject\n      security: []\n",
        "get_project in openapi.yaml has another security: add a class beside Session in neptun_sdk/session.py, and "
        "choose it in neptun_sdk/client.py",
    ),
    "a read that returns another resource": (
        "test_resources.py",
        OPERATIONS,
        "Operation(get_project, Project)",
        "Operation(get_project, ProjectImport)",
        "change the class of GET_PROJECT in neptun_sdk/operations.py from ProjectImport to Project",
    ),
    "a read that calls another row": (
        "test_every_operation.py",
        CLIENT,
        "self._operations.GET_PROJECT,",
        "self._operations.UPDATE_PROJECT,",
        WHERE.format("get_project", "GET_PROJECT"),
    ),
    "a deletion with its ids in another order": (
        "test_methods.py",
        CLIENT,
        "def delete_note(self, project_id: int, note_id: int)",
        "def delete_note(self, note_id: int, project_id: int)",
        "change delete_note() in neptun_sdk/client.py: it takes the ids of "
        "/api/users/{user_id}/projects/{project_id}/resources/notes/{note_id} by position",
    ),
    "a deletion with its ids in each other's place": (
        "test_every_operation.py",
        CLIENT,
        OF_NOTE,
        OF_NOTE.replace("locals()", '{"project_id": note_id, "note_id": project_id}'),
        NOTE,
    ),
    "a deletion that returns a resource": (
        "test_methods.py",
        CLIENT,
        "def delete_project(self, project_id: int) -> None",
        "def delete_project(self, project_id: int) -> Project",
        "change the return type of delete_project() in neptun_sdk/client.py to None",
    ),
    "a row with a class for a response that has no body": (
        "test_operations.py",
        OPERATIONS,
        "Operation(delete_project, None)",
        "Operation(delete_project, Project)",
        "change the class of DELETE_PROJECT in neptun_sdk/operations.py to None: a success has no body",
    ),
    "a query parameter that is not passed on": (
        "test_every_operation.py",
        CLIENT,
        OF_LIST,
        OF_LIST.replace("locals()", '{"page": page, "type_": type_, "q": q}'),
        f"{LIST}: it takes per_page, and sends []",
    ),
    "a query parameter that is forgotten": (
        "test_methods.py",
        CLIENT,
        "        q: str | None = None,\n",
        "",
        "change list_projects() in neptun_sdk/client.py: it takes the keywords ['page', 'per_page', 'type', 'q']",
    ),
    "a query parameter with the contract's default": (
        "test_methods.py",
        CLIENT,
        "        page: int | None = None,\n",
        "        page: int | None = 1,\n",
        "change list_projects() in neptun_sdk/client.py: page has the default None",
    ),
    "a default that is sent": (
        "test_every_operation.py",
        CLIENT,
        OF_LIST,
        OF_LIST.replace("locals()", '{**locals(), "page": page or 1}'),
        f"{LIST}: it sends {{'page'}}, which was not given",
    ),
    "an enum that is any text": (
        "test_methods.py",
        CLIENT,
        'type_: Literal["web-site", "web-app"] | None',
        "type_: str | None",
        "change type_ of list_projects() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, from str | "
        "None to "
        "Literal['web-site', 'web-app'] | None",
    ),
    "a list whose row and method differ": (
        "test_methods.py",
        OPERATIONS,
        "Operation(list_projects, ProjectPage)",
        "Operation(list_projects, list[Project])",
        "change the return type of list_projects() in neptun_sdk/client.py to list[Project]",
    ),
    "a required field with a default": (
        "test_methods.py",
        CLIENT,
        "*, name: str, project_type: ProjectType, description",
        '*, name: str, project_type: ProjectType = "web-site", description',
        "change create_project() in neptun_sdk/client.py: project_type has no default, because the contract requires "
        "it",
    ),
    "a required field that may be None": (
        "test_methods.py",
        CLIENT,
        "*, name: str, project_type: ProjectType, description",
        "*, name: str | None, project_type: ProjectType, description",
        "change name of create_project() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, from str | "
        "None to "
        "str",
    ),
    "a header that is not the caller's": (
        "test_every_operation.py",
        CLIENT,
        OF_SLUG,
        OF_SLUG.replace("locals()", "{**locals(), \"if_match\": '*'}"),
        f"{BY_SLUG}: it takes If-Match, and sends ['*']",
    ),
    "a required header with a default": (
        "test_methods.py",
        CLIENT,
        "        if_match: str,\n",
        '        if_match: str = "*",\n',
        "change update_project_by_slug() in neptun_sdk/client.py: if_match has no default, because the contract "
        "requires "
        "it",
    ),
    "a slug that is a number": (
        "test_methods.py",
        CLIENT,
        "        slug: str,\n",
        "        slug: int,\n",
        "change slug of update_project_by_slug() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, from "
        "int "
        "to str",
    ),
    "an error class without a row": (
        "test_operations.py",
        OUTCOMES,
        '    409: Rule(errors.ConflictError, applied=False, next_step="Choose another name"),\n',
        "",
        "409: add a row to STATUSES in neptun_sdk/outcomes.py, and, if callers want to catch it, a class to "
        "neptun_sdk/errors.py",
    ),
    "a resource that is not exported": (
        "test_resources.py",
        adding.PACKAGE,
        '    "ProjectPage",\n',
        "",
        "add ProjectPage to the imports and to __all__ in neptun_sdk/__init__.py",
    ),
    "an error that is not exported": (
        "test_operations.py",
        adding.PACKAGE,
        "    ConflictError,\n",
        "",
        "add ConflictError to the imports and to __all__ in neptun_sdk/__init__.py",
    ),
    "a row without an operation": (
        "test_operations.py",
        OPERATIONS,
        "    UPDATE_PROJECT_IMPORT = ",
        "    UPDATE_IMPORT = ",
        "openapi.yaml has no operationId for UPDATE_IMPORT in neptun_sdk/operations.py",
    ),
    "ids in another order": (
        "test_methods.py",
        CLIENT,
        "        project_id: int,\n        import_id: int,\n",
        "        import_id: int,\n        project_id: int,\n",
        "change update_project_import() in neptun_sdk/client.py: it takes the ids of "
        "/api/users/{user_id}/projects/{project_id}/resources/imports/{import_id} by position",
    ),
    "fields in another order": (
        "test_methods.py",
        CLIENT,
        "        source_path: str | None = None,\n        title: str | None = None,\n",
        "        title: str | None = None,\n        source_path: str | None = None,\n",
        "change update_project_import() in neptun_sdk/client.py: it takes the keywords ['source_type', 'source_path', "
        "'title', 'description']",
    ),
    "another type that is returned": (
        "test_methods.py",
        CLIENT,
        "    ) -> ProjectImport:\n",
        "    ) -> Project:\n",
        "change the return type of update_project_import() in neptun_sdk/client.py to ProjectImport",
    ),
    "an argument that is not explained": (
        "test_methods.py",
        CLIENT,
        "            title: The new title.\n",
        "",
        "change Args in the docstring of update_project_import() in neptun_sdk/client.py to ['project_id', "
        "'import_id', 'source_type', 'source_path', 'title', 'description']",
    ),
    "a result that is not explained": (
        "test_methods.py",
        CLIENT,
        "        Returns:\n            The import as",
        "        The import as",
        "add Returns to the docstring of update_project_import() in neptun_sdk/client.py",
    ),
    "a known value that is forgotten": (
        "test_resources.py",
        MODELS,
        '"github", "local_folder"',
        '"github"',
        "define SourceType in neptun_sdk/models.py as Literal[…] | str of ['github', 'local_folder', "
        "'github_repository_installation', 'public_github_repository_url'], and export it",
    ),
    "a field of a resource that may be missing": (
        "test_resources.py",
        MODELS,
        "    source_path: str\n",
        "    source_path: str | None = None\n",
        "change ProjectImport in neptun_sdk/models.py: ['title', 'description'] and no others have the default None",
    ),
    "a deployed name of no field": (
        "test_dialects.py",
        DIALECTS,
        '"project_type": "type"',
        '"kind": "type"',
        "change DEPLOYED_NAMES[Project] in neptun_sdk/dialects.py: ['kind'] is in no schema",
    ),
    "a deployed name that no server has": (
        "test_sandbox.py",
        DIALECTS,
        '"main_language"',
        '"language"',
        "change DEPLOYED_NAMES in neptun_sdk/dialects.py, or the deployed dialect in neptun_sdk/sandbox/, to have "
        "programming_language of update_project",
    ),
    "a deployed name that is another field": (
        "test_dialects.py",
        DIALECTS,
        '"main_language"',
        '"name"',
        "change DEPLOYED_NAMES[Project] in neptun_sdk/dialects.py: ['name'] is a field of the contract",
    ),
    "an id of 32 bits": (
        "test_operations.py",
        OPENAPI,
        "        project_id:\n          type: integer\n          format: int64\n",
        "        project_id:\n          type: integer\n",
        "openapi.yaml: say `format: int64` of ['project_id']",
    ),
}

# What `make generate` refuses: what is replaced by what in openapi.yaml, and the message.
REFUSED = {
    "a creation that poses as idempotent": (
        "      operationId: createProject\n",
        "      operationId: createProject\n      x-idempotent: true\n",
        "generate: createProject in openapi.yaml is a POST and says x-idempotent: true, but requires no "
        "Idempotency-Key "
        "header, by which a server recognises a request that comes twice. Remove x-idempotent: a caller who knows "
        "better "
        "has with_options(resend=True).",
    ),
    "a second security scheme": (
        "  securitySchemes:\n",
        "  securitySchemes:\n    bearer: {type: http, scheme: bearer}\n",
        "neptun_sdk/session.py",
    ),
    "a request that is multipart": (
        "          application/json:\n            schema:\n"
        "              $ref: '#/components/schemas/CreateProjectRequest'\n",
        "          multipart/form-data:\n            schema:\n"
        "              $ref: '#/components/schemas/CreateProjectRequest'\n",
        "generate: createProject in openapi.yaml: its request is multipart/form-data: only application/json is sent.",
    ),
    "two statuses of success": (
        "        '204':\n",
        "        '202': {description: Later}\n        '204':\n",
        "generate: deleteProject in openapi.yaml: it must have one success from 200 to 299, not 202, 204",
    ),
    "a success that is a redirect": (
        "        '204':\n          description: Deleted\n",
        "        '303': {description: Elsewhere}\n",
        "generate: deleteProject in openapi.yaml: it must have one success from 200 to 299, not 303",
    ),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One copy with every operation of the drills for all, as each mistake is taken back."""
    with closing(Checkout(tmp_path_factory.mktemp("mistakes") / "neptun")) as made:
        operations = tuple(ADDED.values())
        statuses = [status for each in operations for status in each.statuses]
        adding.describe(made, operations)
        made.generate()
        adding.add_models(made, operations)
        adding.add_errors(made, statuses)
        adding.export(made, "models", [each.returns or "" for each in operations if each.model])
        adding.export(made, "errors", [status.error for status in statuses])
        adding.add_rules(made, statuses)
        adding.add_rows(made, operations)
        adding.add_methods(made, operations)
        yield made


@pytest.mark.parametrize(("tests", "path", "old", "new", "message"), CASES.values(), ids=CASES)
def test_a_mistake_is_named_with_its_file(
    tests: str, path: str, old: str, new: str, message: str, checkout: Checkout
) -> None:
    file = checkout.folder / path
    text = file.read_text(encoding="utf-8")
    checkout.replace(path, old, new)
    try:
        assert message in checkout.contract(tests)
    finally:
        file.write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("old", "new", "message"), REFUSED.values(), ids=REFUSED)
def test_a_contract_that_the_sdk_cannot_keep_is_not_generated(
    old: str, new: str, message: str, checkout: Checkout
) -> None:
    """What was generated before stays as it was."""
    files = [checkout.folder / "neptun_sdk/_contract.py", *(checkout.folder / "generated").rglob("*.py")]
    before = {file: file.read_bytes() for file in files}
    file = checkout.folder / OPENAPI
    text = file.read_text(encoding="utf-8")
    checkout.replace(OPENAPI, old, new)
    try:
        done = checkout.run("scripts/generate.py")
    finally:
        file.write_text(text, encoding="utf-8")
    assert done.returncode == 1
    assert message in done.stderr
    assert {file: file.read_bytes() for file in files} == before
