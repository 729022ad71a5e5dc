"""Operations that the drills add, one of each kind, as a maintainer would write them.

They are data: `tests/drills/test_new_operation.py` adds them to a copy of the repository, step by step, and
`tests/drills/behavior.py` calls them there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from textwrap import indent

ERRORS = """\
'400':
  $ref: '#/components/responses/BadRequest'
'401':
  $ref: '#/components/responses/Unauthorized'
'403':
  $ref: '#/components/responses/Forbidden'
'404':
  description: Not found
  content:
    application/json:
      schema:
        $ref: '#/components/schemas/ErrorBody'
'500':
  $ref: '#/components/responses/ServerError'
"""
PROBLEM = """\
Problem:
  type: object
  description: An error as RFC 9457 has it.
  properties:
    type:
      type: string
    title:
      type: string
    status:
      type: integer
    detail:
      type: string
    errors:
      type: array
      items:
        type: object
        properties:
          detail:
            type: string
          pointer:
            type: string
"""
_PROJECT = "/api/users/{user_id}/projects/{project_id}"
_IDS = """\
- $ref: '#/components/parameters/UserId'
- $ref: '#/components/parameters/ProjectId'
"""
_RAISES = {
    "ArgumentError": "An argument cannot be right; nothing was sent.",
    "NeptunConnectionError": "No usable response came back (`NeptunTimeoutError`: not in time).",
    "StatusError": "The server refused or failed.",
    "ResponseError": "The response is outside the contract.",
    "UpdateNotVerifiedError": "A field came back different.",
}


@dataclass(frozen=True, kw_only=True)
class Status:
    """An error status that the contract did not have, and the class by which callers catch it.

    Attributes:
        code: The status.
        error: The name of the class.
        means: The docstring of the class.
        body: The attributes of the class, as code.
        next_step: What the caller can do.
    """

    code: int
    error: str
    means: str
    body: str = ""
    next_step: str

    @property
    def message(self) -> str:
        """What the contract tests say until the status has a row."""
        return (
            f"{self.code}: add a row to STATUSES in neptun_sdk/outcomes.py, and, if callers want to catch it, a class "
            "to neptun_sdk/errors.py"
        )


CONFLICT = Status(
    code=409,
    error="ConflictError",
    means="409: the request does not fit what is stored, such as a name that is taken.",
    next_step="Choose another name",
)
PRECONDITION_FAILED = Status(
    code=412,
    error="PreconditionFailedError",
    means="412: the resource has changed since it was read.",
    next_step="Read the resource again for its ETag",
)
UNPROCESSABLE = Status(
    code=422,
    error="UnprocessableError",
    means="422: the server understood the request, and refused its values; ``fields`` is as in `BadRequestError`.",
    body="    fields: Mapping[str, str] = _NONE\n",
    next_step="Correct the arguments and call again",
)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation that a drill adds.

    Attributes:
        operation_id: Its operationId.
        noun: What errors call it: ``deletion``; ``request`` for what only reads.
        path: Its path.
        path_parameters: The parameters of its path, as YAML.
        method: Its method, in lower case.
        node: What stands below the method, but for the operationId, the tag and the errors of every operation.
        schemas: Its schemas, as YAML.
        returns: The class that its method returns.
        model: The code of that class, if models.py does not have it yet.
        statuses: The error statuses that the contract does not have yet.
        signature: The parameters of its method, as code.
        arguments: The docstring of each argument.
        imports: What client.py has to import.
    """

    operation_id: str
    noun: str
    path: str
    path_parameters: str
    method: str
    node: str
    schemas: str = ""
    returns: str | None
    model: str = ""
    statuses: tuple[Status, ...] = ()
    signature: str
    arguments: Mapping[str, str]
    imports: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The name of its method, and of the generated module."""
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in self.operation_id)

    @property
    def path_in_openapi(self) -> str:
        """Its path, with the parameters, as it stands in openapi.yaml before the first operation."""
        return f"  {self.path}:\n    parameters:\n{indent(self.path_parameters, ' ' * 6)}"

    @property
    def in_openapi(self) -> str:
        """The operation, as it stands in openapi.yaml below its path."""
        head = f"{self.method}:\n  operationId: {self.operation_id}\n  tags: [projects]\n"
        return indent(head, " " * 4) + indent(self.node + indent(ERRORS, "  "), " " * 6)

    @property
    def row(self) -> str:
        """Its row in operations.py."""
        return f"    {self.name.upper()} = Operation({self.name}, {self.returns})\n"

    @property
    def in_client(self) -> str:
        """Its method in client.py."""
        verifies = self.returns is not None and "requestBody" in self.node
        raised = {name: why for name, why in _RAISES.items() if verifies or name != "UpdateNotVerifiedError"}
        sections = {"Args": self.arguments, "Raises": raised}
        docstring = "".join(
            f"\n{title}:\n" + "".join(f"    {name}: {why}\n" for name, why in lines.items())
            for title, lines in sections.items()
        )
        if self.returns is not None:
            docstring = docstring.replace("\nRaises:", "\nReturns:\n    What the server returned.\n\nRaises:")
        summary = self.node.partition("summary: ")[2].partition("\n")[0]
        call = f"self._call(self._operations.{self.name.upper()}, locals())"
        body = f'"""{summary}.\n{docstring}"""\n{"return " if self.returns else ""}{call}\n'
        return f"    def {self.name}({self.signature}) -> {self.returns}:\n{indent(body, ' ' * 8)}\n"

    @property
    def files(self) -> set[str]:
        """The files of neptun_sdk/ that it changes."""
        found = {"_contract.py", "client.py", "operations.py"}
        return found | ({"models.py", "__init__.py"} if self.model else set())


def _returns(status: int, schema: str) -> str:
    return f"""\
responses:
  '{status}':
    description: Success
    content:
      application/json:
        schema:
          {schema}
"""


def _takes(schema: str) -> str:
    return f"""\
requestBody:
  required: true
  content:
    application/json:
      schema:
        $ref: '#/components/schemas/{schema}'
"""


def _problem(status: int, description: str) -> str:
    return f"""\
  '{status}':
    description: {description}
    content:
      application/problem+json:
        schema:
          $ref: '#/components/schemas/Problem'
"""


_A_PROJECT = "$ref: '#/components/schemas/ProjectEnvelope'"
_PROJECT_ID = {"project_id": "The id of the project, a positive int."}

GET_PROJECT = Operation(
    operation_id="getProject",
    noun="request",
    path=_PROJECT,
    path_parameters=_IDS,
    method="get",
    node=f"summary: Get a project\n{_returns(200, _A_PROJECT)}",
    returns="Project",
    signature="self, project_id: int",
    arguments=_PROJECT_ID,
)

DELETE_PROJECT = Operation(
    operation_id="deleteProject",
    noun="deletion",
    path=_PROJECT,
    path_parameters=_IDS,
    method="delete",
    node="summary: Delete a project\nresponses:\n  '204':\n    description: Deleted\n",
    returns=None,
    signature="self, project_id: int",
    arguments=_PROJECT_ID,
)

DELETE_NOTE = Operation(
    operation_id="deleteNote",
    noun="deletion",
    path=f"{_PROJECT}/resources/notes/{{note_id}}",
    path_parameters=f"""\
{_IDS}- name: note_id
  in: path
  required: true
  schema:
    type: integer
    format: int64
    minimum: 1
""",
    method="delete",
    node=f"summary: Delete a note\n{_returns(200, '$ref: ' + repr('#/components/schemas/Deleted'))}",
    schemas="""\
Deleted:
  type: object
  required: [success]
  properties:
    success:
      type: boolean
""",
    returns=None,
    signature="self, project_id: int, note_id: int",
    arguments={**_PROJECT_ID, "note_id": "The id of the note, a positive int."},
)

LIST_PROJECTS = Operation(
    operation_id="listProjects",
    noun="request",
    path="/api/users/{user_id}/projects",
    path_parameters="- $ref: '#/components/parameters/UserId'\n",
    method="get",
    node=f"""\
summary: List projects
parameters:
  - name: page
    in: query
    schema:
      type: integer
      minimum: 1
      default: 1
  - name: per_page
    in: query
    schema:
      type: integer
      minimum: 1
      maximum: 100
  - name: type
    in: query
    schema:
      type: string
      enum: [web-site, web-app]
  - name: q
    in: query
    schema:
      type: string
{_returns(200, "$ref: " + repr("#/components/schemas/ProjectPage"))}""",
    schemas="""\
ProjectPage:
  type: object
  required: [projects, total, page]
  properties:
    projects:
      type: array
      items:
        $ref: '#/components/schemas/Project'
    total:
      type: integer
      format: int64
    page:
      type: integer
      format: int64
""",
    returns="ProjectPage",
    model='''

@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectPage(Resource):
    """A page of the projects of a user (contract: *List Projects Endpoint*)."""

    projects: tuple[Project, ...]
    total: int
    page: int
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
''',
    signature="""
        self,
        *,
        page: int | None = None,
        per_page: int | None = None,
        type_: Literal["web-site", "web-app"] | None = None,
        q: str | None = None,
    """,
    arguments={
        "page": "The number of the page, from 1 on.",
        "per_page": "How many projects a page has.",
        "type_": "Only projects of this type.",
        "q": "Only projects in which this text is found.",
    },
    imports=("from typing import Literal",),
)

CREATE_PROJECT = Operation(
    operation_id="createProject",
    noun="creation",
    path="/api/users/{user_id}/projects",
    path_parameters="- $ref: '#/components/parameters/UserId'\n",
    method="post",
    node="summary: Create a project\n"
    + _takes("CreateProjectRequest")
    + _returns(201, _A_PROJECT)
    + _problem(409, "Conflict")
    + _problem(422, "Unprocessable content"),
    schemas=f"""\
CreateProjectRequest:
  type: object
  required: [name, project_type]
  properties:
    name:
      type: string
    project_type:
      type: string
      x-extensible-enum: [web-site, web-service, web-app]
    description:
      type: string
{PROBLEM}""",
    returns="Project",
    statuses=(CONFLICT, UNPROCESSABLE),
    signature="self, *, name: str, project_type: ProjectType, description: str | None = None",
    arguments={
        "name": "The name.",
        "project_type": "The type, one of the server's values, such as ``web-site``.",
        "description": "The description.",
    },
)

UPDATE_PROJECT_BY_SLUG = Operation(
    operation_id="updateProjectBySlug",
    noun="update",
    path="/api/projects/{slug}",
    path_parameters="""\
- name: slug
  in: path
  required: true
  schema:
    type: string
""",
    method="patch",
    node=f"""\
summary: Update a project by its slug
x-idempotent: true
parameters:
  - name: If-Match
    in: header
    required: true
    schema:
      type: string
{_takes("UpdateProjectRequest")}{_returns(200, _A_PROJECT)}"""
    + """\
  '412':
    description: Changed since it was read
    content:
      application/json:
        schema:
          $ref: '#/components/schemas/ErrorBody'
""",
    returns="Project",
    statuses=(PRECONDITION_FAILED,),
    signature="""
        self,
        slug: str,
        *,
        name: str | None = None,
        description: str | None = None,
        project_type: ProjectType | None = None,
        programming_language: ProgrammingLanguage | None = None,
        if_match: str,
    """,
    arguments={
        "slug": "The slug of the project.",
        "name": "The new name.",
        "description": "The new description.",
        "project_type": "The new type.",
        "programming_language": "The new main programming language.",
        "if_match": "The ETag of the project as it was read.",
    },
)

# What is added together, to one copy. Each operation still has its own row, method and messages.
GROUPS: Mapping[str, tuple[Operation, ...]] = {
    "what reads and what deletes": (GET_PROJECT, DELETE_PROJECT, DELETE_NOTE, LIST_PROJECTS),
    "what creates, and what updates on a condition": (CREATE_PROJECT, UPDATE_PROJECT_BY_SLUG),
}
OPERATIONS = {each.name: each for group in GROUPS.values() for each in group}
