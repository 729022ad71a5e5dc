"""One mistake at a time, of every kind that a hand can make: the contract tests name the file to change."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.drills.checkout import Checkout

CLIENT = "neptun_sdk/client.py"
DIALECTS = "neptun_sdk/dialects.py"
MODELS = "neptun_sdk/models.py"
OPENAPI = "openapi.yaml"
OPERATIONS = "neptun_sdk/operations.py"
SENT = "return self._call(self._operations.UPDATE_PROJECT, locals())"
PATH = "  /api/users/{user_id}/projects/{project_id}:\n"
IMPORT_PATH = """\
imports/{import_id}:
    parameters:
      - $ref: '#/components/parameters/UserId'
      - $ref: '#/components/parameters/ProjectId'
      - $ref: '#/components/parameters/ImportId'
"""
NOTE_PATH = IMPORT_PATH.replace("import_id", "note_id").replace(
    "$ref: '#/components/parameters/ImportId'",
    "{name: note_id, in: path, required: true, schema: {type: integer, format: int64, minimum: 1}}",
)

# The tests that find the mistake, the file that it is in, what is replaced by what, and the message.
CASES = {
    "a field that is taken and not sent": (
        "test_wire.py",
        CLIENT,
        SENT,
        SENT.replace("locals()", '{**locals(), "description": None}'),
        "change update_project() in neptun_sdk/client.py, or UPDATE_PROJECT in neptun_sdk/operations.py: it takes "
        "['name', 'description', 'project_type', 'programming_language'] and sends {'name': 'a new name', "
        "'project_type': 'a new project_type', 'programming_language': 'a new programming_language'}",
    ),
    "two fields in each other's place": (
        "test_wire.py",
        CLIENT,
        SENT,
        SENT.replace("locals()", '{**locals(), "name": description, "description": name}'),
        "change update_project() in neptun_sdk/client.py, or UPDATE_PROJECT in neptun_sdk/operations.py: it takes "
        "['name'] and sends {'description': 'a new name'}",
    ),
    "a row without a method": (
        "test_operations.py",
        CLIENT,
        "def update_project_import(",
        "def update_import(",
        "add the method update_project_import, which returns a resource, to neptun_sdk/client.py",
    ),
    "a method without a row": (
        "test_operations.py",
        CLIENT,
        "def update_project_import(",
        "def update_import(",
        "add the row UPDATE_IMPORT to neptun_sdk/operations.py, or remove update_import() from client.py",
    ),
    "a row without an operation": (
        "test_operations.py",
        OPERATIONS,
        "UPDATE_PROJECT_IMPORT = ",
        "UPDATE_IMPORT = ",
        "openapi.yaml has no operationId for UPDATE_IMPORT in neptun_sdk/operations.py",
    ),
    "another generated function": (
        "test_operations.py",
        OPERATIONS,
        "build=update_project_import._get_kwargs",
        "build=update_project._get_kwargs",
        "change build of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py",
    ),
    "another generated body": (
        "test_operations.py",
        OPERATIONS,
        "body=models.UpdateProjectImportRequest",
        "body=models.UpdateProjectRequest",
        "change body of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py: it should be UpdateProjectImportRequest",
    ),
    "another generated model": (
        "test_operations.py",
        OPERATIONS,
        "model=models.ProjectImport,",
        "model=models.Project,",
        "change model of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py to ProjectImport",
    ),
    "another resource": (
        "test_resources.py",
        OPERATIONS,
        "resource=ProjectImport,",
        "resource=Project,",
        "change resource of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py to ProjectImport",
    ),
    "another envelope": (
        "test_operations.py",
        OPERATIONS,
        'envelope="import"',
        'envelope="project_import"',
        "change envelope of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py to ['import']",
    ),
    "an update that poses as a read": (
        "test_operations.py",
        OPERATIONS,
        'envelope="import",\n        updates=True',
        'envelope="import",\n        updates=False',
        "change updates of UPDATE_PROJECT_IMPORT in neptun_sdk/operations.py to True",
    ),
    "ids in another order": (
        "test_methods.py",
        CLIENT,
        "        project_id: int,\n        import_id: int,\n",
        "        import_id: int,\n        project_id: int,\n",
        "change update_project_import() in neptun_sdk/client.py: it takes the ids of "
        "/api/users/{user_id}/projects/{project_id}/resources/imports/{import_id} by position",
    ),
    "an id of another type": (
        "test_methods.py",
        CLIENT,
        "        import_id: int,\n",
        "        import_id: str,\n",
        "change update_project_import() in neptun_sdk/client.py: ['import_id'] should be int",
    ),
    "fields in another order": (
        "test_methods.py",
        CLIENT,
        "        source_path: str | None = None,\n        title: str | None = None,\n",
        "        title: str | None = None,\n        source_path: str | None = None,\n",
        "change update_project_import() in neptun_sdk/client.py: it takes the keywords ['source_type', 'source_path', "
        "'title', 'description']",
    ),
    "a field with a default": (
        "test_methods.py",
        CLIENT,
        "        title: str | None = None,\n",
        '        title: str | None = "",\n',
        "change update_project_import() in neptun_sdk/client.py: None is the default of ['title']",
    ),
    "a field of another type": (
        "test_methods.py",
        CLIENT,
        "        source_type: SourceType | None = None,\n",
        "        source_type: str | None = None,\n",
        "change source_type of update_project_import() in neptun_sdk/client.py, or its alias in neptun_sdk/models.py, "
        "to Literal['github', 'local_folder', 'github_repository_installation', 'public_github_repository_url'] "
        "| str | None",
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
    "an alias that takes known values only": (
        "test_resources.py",
        MODELS,
        '"web-app"] | str',
        '"web-app"]',
        "change _KINDS in neptun_sdk/models.py: project_type has the new type typing.Literal['web-site', "
        "'web-service', 'web-app']",
    ),
    "a field of a resource of another type": (
        "test_resources.py",
        MODELS,
        "    project_id: int\n",
        "    project_id: str\n",
        "change project_id of ProjectImport in neptun_sdk/models.py from str to int",
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
    "another server": (
        "test_settings.py",
        "neptun_sdk/arguments.py",
        "neptun-webui.vercel.app",
        "neptun.example",
        "change DEFAULT_BASE_URL in neptun_sdk/arguments.py",
    ),
    "another cookie": (
        "test_settings.py",
        "neptun_sdk/session.py",
        '"neptun-session"',
        '"session"',
        "change COOKIE_NAME in neptun_sdk/session.py",
    ),
    "a path that is not generated": (
        "test_operations.py",
        OPENAPI,
        PATH,
        PATH.replace("/projects/", "/project/"),
        "run `make generate`: generated/ has another request for updateProject than openapi.yaml",
    ),
    "a method of HTTP that is not generated": (
        "test_operations.py",
        OPENAPI,
        "    patch:\n",
        "    post:\n",
        "run `make generate`: generated/ has another request for updateProject than openapi.yaml",
    ),
    "a parameter that is not in the path": (
        "test_operations.py",
        OPENAPI,
        "      operationId: updateProject\n",
        "      operationId: updateProject\n      parameters: [{name: q, in: query, schema: {type: string}}]\n",
        "updateProject in openapi.yaml: query parameters are not supported by neptun_sdk/operations.py yet: teach "
        "Operation.request to send them, then add 'query' to SENT_IN in tests/contract/test_operations.py",
    ),
    "a parameter of the path that is not declared": (
        "test_operations.py",
        OPENAPI,
        PATH,
        PATH.replace("{project_id}", "{project}"),
        "openapi.yaml: declare each {parameter} of /api/users/{user_id}/projects/{project}, and no other",
    ),
    "a parameter of the path of no resource": (
        "test_sandbox.py",
        OPENAPI,
        IMPORT_PATH,
        NOTE_PATH,
        "the path of updateProjectImport in openapi.yaml has the parameter note_id, which is the id of no resource of "
        "the sandbox: add a row to RESOURCES in neptun_sdk/sandbox/state.py",
    ),
    "a resource of which nothing is stored": (
        "test_sandbox.py",
        "neptun_sdk/sandbox/state.py",
        'IMPORT: [{"id": 123, OWNER: 1, "project_id": 789}, ',
        "IMPORT: [",
        "SEED_IDS in neptun_sdk/sandbox/state.py has no import of the user 1: add one, and its fields to SEEDS",
    ),
    "an id of 32 bits": (
        "test_operations.py",
        OPENAPI,
        "        project_id:\n          type: integer\n          format: int64\n",
        "        project_id:\n          type: integer\n",
        "openapi.yaml: say `format: int64` of ['project_id']",
    ),
    "an integer without a format": (
        "test_methods.py",
        OPENAPI,
        "        source_path:\n          type: string\n          description: Path",
        "        source_path:\n          type: integer\n          description: Path",
        "add `format: int64` in openapi.yaml to the field {'type': 'integer', 'description': 'Path or identifier for "
        "the import source', 'example': 'username/repository'}",
    ),
    "a field to send that is no text": (
        "test_methods.py",
        OPENAPI,
        "        source_path:\n          type: string\n          description: Path",
        "        source_path:\n          type: boolean\n          description: Path",
        "source_path of update_project_import is no text: teach its type to check_fields in neptun_sdk/arguments.py",
    ),
    "a type that no check is written for": (
        "test_methods.py",
        OPENAPI,
        "        source_path:\n          type: string\n          description: Path",
        "        source_path:\n          type: array\n          items: {type: string}\n          description: Path",
        "openapi.yaml has a field of the type ('array', None), which is new: teach it to the checks of "
        "neptun_sdk/models.py, then add it to TYPES in tests/contract/described.py",
    ),
    "a closed enum": (
        "test_spec.py",
        OPENAPI,
        "          x-extensible-enum: *source_types\n",
        "          enum: *source_types\n",
        "openapi.yaml: say x-extensible-enum instead of enum for ['source_type'] of ProjectImport",
    ),
    "another status of success": (
        "test_operations.py",
        OPENAPI,
        "        '200':\n          description: Successfully updated import\n",
        "        '201': {description: Created}\n        '200':\n          description: Successfully updated import\n",
        "change neptun_sdk/call.py, which takes nothing but a 200: ['201', '200']",
    ),
    "an operation that must not be sent twice": (
        "test_operations.py",
        OPENAPI,
        "    patch:\n",
        "    post:\n",
        "updateProject is a POST: change EXCEPTIONS and RETRY in neptun_sdk/outcomes.py, "
        "which take it for safe to send an operation twice",
    ),
    "a success that is no 200": (
        "test_operations.py",
        OPENAPI,
        "        '200':\n          description: Successfully updated import\n",
        "        '201':\n          description: Successfully updated import\n",
        "change neptun_sdk/call.py, which takes nothing but a 200: ['201']",
    ),
    "a success without a body": (
        "test_operations.py",
        OPENAPI,
        "        '200':\n          description: Successfully updated import\n",
        "        '204': {description: Updated}\n        '418':\n          description: I am a teapot\n",
        "change neptun_sdk/call.py, which takes nothing but a 200: ['204']",
    ),
    "a type that no page has": (
        "test_spec.py",
        OPENAPI,
        "        source_path:\n          type: string\n        title:\n",
        "        source_path:\n          type: boolean\n        title:\n",
        "change openapi.yaml, or interface of updateProjectImport in tests/contract/test_spec.py",
    ),
    "an error status without a class": (
        "test_operations.py",
        OPENAPI,
        "        '200':\n          description: Successfully updated import\n",
        "        '409': {description: Conflict}\n        '200':\n          description: Successfully updated import\n",
        "409: add a class to neptun_sdk/errors.py, and its row to neptun_sdk/outcomes.py",
    ),
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """One copy for all, as each mistake is taken back."""
    with closing(Checkout(tmp_path_factory.mktemp("mistakes") / "neptun")) as made:
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
