"""A third operation, of a kind that the SDK does not have: ``getProject`` reads, and its request has no body.

After each step the contract tests name what is still missing and the file to change. At the end it works like the rest,
and nothing of the SDK has changed but its table of operations, its client, and the embedded Neptun's two tables.
"""

from tests.drills.checkout import Checkout, checklist

MAX_LINES = 60  # of neptun_sdk/, docstring included

IN_OPENAPI = """\
    get:
      operationId: getProject
      tags: [projects]
      summary: Get a project
      description: Returns the details of an existing project, which must belong to the user.
      responses:
        '200':
          description: Successfully retrieved project
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/ProjectEnvelope'
        '400':
          $ref: '#/components/responses/BadRequest'
        '401':
          $ref: '#/components/responses/Unauthorized'
        '403':
          $ref: '#/components/responses/Forbidden'
        '404':
          description: Project not found
          content:
            application/json:
              schema:
                $ref: '#/components/schemas/ErrorBody'
        '500':
          $ref: '#/components/responses/ServerError'
"""

# The page would list all of this; what it shares with the page of updateProject is taken from there.
PAGE = """\
PAGES["getProject"] = Page(
    method="get",
    path=PAGES["updateProject"].path,
    statuses={
        "200": "Successfully retrieved project",
        "400": "Bad request (invalid parameters)",
        "401": "Unauthorized (invalid or missing session)",
        "403": "Forbidden (user_id mismatch)",
        "404": "Project not found",
        "500": "Server error",
    },
    interface=PAGES["updateProject"].interface,
    enums=PAGES["updateProject"].enums,
    notes=("must belong to the user",),
)


"""

ROW = """\
    GET_PROJECT = Operation(
        build=get_project._get_kwargs,  # pyright: ignore[reportPrivateUsage]
        body=None,
        model=models.Project,
        resource=Project,
        envelope="project",
        updates=False,
    )
"""

METHOD = '''\
    def get_project(self, project_id: int) -> Project:
        """Get the details of a project of this user (contract: *Get Project Endpoint*, GET).

        Args:
            project_id: The id of the project, a positive int.

        Returns:
            The project as it is stored.

        Raises:
            ArgumentError: The id cannot be right; nothing was sent.
            NeptunConnectionError, StatusError, ResponseError: As their classes say.
        """
        return self._call(self._operations.GET_PROJECT, locals())

'''

DOCUMENTED = """\
def _get(resource: Resource) -> Handler:
    \"\"\"Return a handler that returns the resource as it is stored.\"\"\"

    def handle(call: Call) -> Row:
        with call.state.lock:
            return {resource.name: dict(call.row)}

    return handle


"""

DEPLOYED = """\
def _get_project(call: Call) -> Row:
    with call.state.lock:
        return dict(call.row)


"""

# What `make test` runs besides the contract tests, and an operation may break; and the tests of this one.
TESTS = (
    "tests/drills/get_project.py",
    "tests/sandbox/test_api.py",
    "tests/sandbox/test_documented.py",
    "tests/contract/test_schemathesis.py",
)
NO_MODULE = "run `make generate`: generated/ has no neptun_openapi.api.projects.get_project, for getProject"
NO_ROW = "add the row GET_PROJECT to neptun_sdk/operations.py, for getProject of openapi.yaml"
NO_METHOD = "add the method get_project, which returns a resource, to neptun_sdk/client.py"
NO_PAGE = "change openapi.yaml, or add the page to PAGES in tests/contract/test_spec.py"
NOT_DOCUMENTED = (
    "openapi.yaml has the operation getProject, but the documented dialect of the sandbox has no handler for it: add "
    "one to HANDLERS in neptun_sdk/sandbox/documented.py"
)
NOT_DEPLOYED = (
    "openapi.yaml has the operation getProject, but the deployed dialect of the sandbox has no handler for it: add "
    "one to HANDLERS in neptun_sdk/sandbox/deployed.py"
)


def test_an_operation_is_added_with_a_row_a_method_and_two_handlers(checkout: Checkout) -> None:
    assert checkout.contract() == []

    checkout.add_before("openapi.yaml", "    patch:\n      operationId: updateProject\n", IN_OPENAPI)
    checkout.raise_contract("minor")
    assert checkout.contract() == [NO_MODULE, NO_ROW, NOT_DOCUMENTED, NOT_DEPLOYED, NO_PAGE]

    checkout.add_before("tests/contract/test_spec.py", "def described(", PAGE)
    assert checkout.contract() == [NO_MODULE, NO_ROW, NOT_DOCUMENTED, NOT_DEPLOYED]

    checkout.generate()
    assert checkout.contract() == [NO_ROW, NOT_DOCUMENTED, NOT_DEPLOYED]

    operations = "neptun_sdk/operations.py"
    checkout.replace(operations, "projects import update_project\n", "projects import get_project, update_project\n")
    checkout.add_before(operations, "    UPDATE_PROJECT = Operation(\n", ROW)
    assert checkout.contract() == [NO_METHOD, NOT_DOCUMENTED, NOT_DEPLOYED]

    checkout.add_before("neptun_sdk/client.py", "    def update_project(\n", METHOD)
    assert checkout.contract() == [NOT_DOCUMENTED, NOT_DEPLOYED]

    documented, deployed = "neptun_sdk/sandbox/documented.py", "neptun_sdk/sandbox/deployed.py"
    table = "HANDLERS: Mapping[str, Handler] = {\n"
    checkout.replace(documented, table, f'{DOCUMENTED}{table}    "getProject": _get(PROJECT),\n')
    assert checkout.contract() == [NOT_DEPLOYED]

    checkout.add_before(deployed, "HANDLERS: Mapping", DEPLOYED)
    checkout.replace(deployed, table, f'{table}    "getProject": _get_project,\n')
    assert checkout.contract() == []

    changes = checkout.changes("neptun_sdk")
    assert list(changes) == ["neptun_sdk/_contract.py", "neptun_sdk/client.py", operations, deployed, documented]
    assert sum(changes.values()) <= MAX_LINES, changes
    formatted = checkout.run("-m", "ruff", "format", "--check", "neptun_sdk")
    assert formatted.returncode == 0, formatted.stdout

    code, output = checkout.pytest(*TESTS)
    assert code == 0, output

    checkout.release_notes("Added", "`get_project`.")
    assert checkout.steps == checklist("A new operation")
    assert checkout.levels() == ("minor", "minor")
