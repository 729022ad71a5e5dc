"""Fields are added that are no texts: an integer, a number, a boolean, a date-time that null clears, an array."""

from dataclasses import dataclass

from tests.drills import adding
from tests.drills.checkout import Checkout, checklist

DIALECTS = "neptun_sdk/dialects.py"
PAGE = "tests/contract/test_spec.py"
VALUES = "neptun_sdk/values.py"
MAX_LINES_OF_NULL = 15


@dataclass(frozen=True)
class Field:
    """A field that is added.

    Attributes:
        name: Its name.
        schema: Its schema, as YAML in one line.
        kind: What the page calls its type.
        given: The type of the keyword, without None.
        returned: The type of the field of the resource, without None.
    """

    name: str
    schema: str
    kind: str
    given: str
    returned: str


FIELDS = (
    Field("position", "type: integer, format: int64", "integer", "int", "int"),
    Field("weight", "type: number", "number", "float", "float"),
    Field("archived", "type: boolean", "boolean", "bool", "bool"),
    Field("due_at", "type: string, format: date-time, nullable: true", "string", "datetime | Null", "datetime"),
    Field("tags", "type: array, items: {type: string}", "array", "Sequence[str]", "tuple[str, ...]"),
)
IN_INTERFACE = {"integer": "number", "array": "a new type"}
KIND = "        project_type:\n          type: string\n"
NULL = '''\
class Null(Enum):
    """The type of `NULL`, which clears a field; ``None`` leaves it as it is."""

    NULL = "NULL"


NULL: Final = Null.NULL


'''
READ = """\
        return None if value is None else kind.read(value, dialect)

    return kind._replace(read=read)
"""
READ_AND_TAKE = """\
        return None if value is None else kind.read(value, dialect)

    def take(value: Any) -> Any:
        return None if value is NULL else kind.take(value)

    return kind._replace(read=read, take=take)
"""

KEYWORDS = [
    "name",
    "description",
    *(field.name for field in FIELDS),
    "project_type",
    "programming_language",
]
ALL = ["id", *KEYWORDS, "created_at", "updated_at", "neptun_user_id"]
NAMES = [field.name for field in FIELDS]
OF_CONTRACT = {field.name: field.given.replace("Sequence", "list").removesuffix(" | Null") for field in FIELDS}
NOT_ON_THE_PAGE = {
    "change fields of updateProject in tests/contract/test_spec.py to the page",
    "change interface of updateProject in tests/contract/test_spec.py to the page",
}
NOT_GENERATED = {"run `make generate`: generated/ and neptun_sdk/_contract.py are of another openapi.yaml"}
NOT_IN_THE_METHOD = {f"change update_project() in neptun_sdk/client.py: it takes the keywords {KEYWORDS}"}
NOT_IN_THE_RESOURCE = {
    f"change Project in neptun_sdk/models.py to the fields {ALL}",
    "change Project in neptun_sdk/models.py: "
    + "; ".join(f"{name} from missing to {kind} | None" for name, kind in OF_CONTRACT.items()),
    f"change Project in neptun_sdk/models.py: {['description', *NAMES]} and no others have the default None",
    f"change the docstring of Project in neptun_sdk/models.py: {NAMES} may be None",
}
NOT_IMPORTED = {
    "correct the imports of neptun_sdk/client.py, or the types of update_project(): name 'datetime' is not defined"
}
NOT_IN_THE_DIALECT = {
    "change DEPLOYED_NAMES in neptun_sdk/dialects.py, or the deployed dialect in neptun_sdk/sandbox/, to have "
    f"{name} of update_project"
    for name in NAMES
}

CALLS = """
from datetime import datetime, UTC
from neptun_sdk import ArgumentError, NULL, NeptunClient
from neptun_sdk.sandbox import Sandbox

def client_of(neptun):
    return NeptunClient(
        neptun.session_cookie, neptun.user_id, base_url=neptun.base_url, dialect=dialect, max_retries=0
    )

def refused(client, **fields):
    try:
        client.update_project(789, **fields)
    except ArgumentError as error:
        return str(error).partition(": ")[2]
    return "nothing"

wrong = {"position": ["3", 3.5, True, 2**63], "weight": ["1", float("nan")], "archived": [1, "true"],
         "due_at": ["2026-01-02", datetime(2026, 1, 2)], "tags": ["a text", ["a", 1]]}
right = {"position": 3, "weight": 1.5, "archived": False, "due_at": datetime(2026, 1, 2, tzinfo=UTC),
         "tags": ("a", "b")}
dialect = "documented"
with Sandbox() as neptun, client_of(neptun) as client:
    project = client.update_project(789, **right)
    print({name: getattr(project, name) for name in right} == right)
    project = client.update_project(789, due_at=NULL, tags=[])
    print(project.due_at, project.tags, project.position, neptun.requests[-1].body)
    count = len(neptun.requests)
    for name, values in wrong.items():
        for value in values:
            print(refused(client, **{name: value}))
    print(len(neptun.requests) - count)
dialect = "deployed"
with Sandbox("deployed") as neptun, client_of(neptun) as client:
    for name, value in right.items():
        print(refused(client, **{name: value}))
    print(len(neptun.requests), client.update_project(789, name="A new name").tags)
"""
PRINTED = """\
True
None () 3 {'due_at': None, 'tags': []}
position must be an int, not str; nothing was sent.
position must be an int, not float; nothing was sent.
position must be an int, not bool; nothing was sent.
position must be an int64, from -2**63 to 2**63 - 1; nothing was sent.
weight must be a number, not str; nothing was sent.
weight must be a finite number: JSON has no other; nothing was sent.
archived must be a bool, not int; nothing was sent.
archived must be a bool, not str; nothing was sent.
due_at must be a datetime, not str; nothing was sent.
due_at must be a datetime with a time zone; nothing was sent.
tags must be a list, not str; nothing was sent.
tags[1] must be a str, not int; nothing was sent.
0
a deployed server has no position: leave it out. Nothing was sent.
a deployed server has no weight: leave it out. Nothing was sent.
a deployed server has no archived: leave it out. Nothing was sent.
a deployed server has no due_at: leave it out. Nothing was sent.
a deployed server has no tags: leave it out. Nothing was sent.
0 None
"""


def add_to_the_contract(checkout: Checkout) -> None:
    described = "".join(f"        {field.name}: {{{field.schema}}}\n" for field in FIELDS)
    for after in ("description: >-\n", "x-extensible-enum: *project_types\n"):
        checkout.add_before(adding.OPENAPI, f"{KIND}          {after}", described)
    checkout.raise_contract("minor")


def add_to_the_page(checkout: Checkout) -> None:
    fields = "".join(f'"{each.name}{"" if each.kind == "string" else f": {each.kind}"}", ' for each in FIELDS)
    checkout.add_before(PAGE, '"project_type", "programming_language"),', fields)
    interface = "".join(f'"{each.name}?": "{IN_INTERFACE.get(each.kind, each.kind)}", ' for each in FIELDS)
    checkout.add_before(PAGE, '                "project_type": "string",\n', interface)


def add_to_the_resource(checkout: Checkout) -> None:
    fields = "".join(f"    {each.name}: {each.returned} | None = None\n" for each in FIELDS)
    checkout.add_before(adding.MODELS, "    project_type: ProjectType\n", fields)
    named = ", ".join(f"``{name}``" for name in NAMES)
    ends = "The server may know other\n    values of ``project_type``"
    checkout.replace(adding.MODELS, ends, f"So may\n    {named} be.\n    {ends}")


def add_null(checkout: Checkout) -> None:
    """Add what clears a field, which the first such field brings with it."""
    checkout.add_before(adding.MODELS, "class Resource:\n", NULL)
    for line in ("from enum import Enum", "from typing import Final"):
        checkout.import_names(adding.MODELS, line)
    checkout.sort(adding.MODELS)
    checkout.replace(VALUES, READ, READ_AND_TAKE)
    checkout.import_names(VALUES, "from neptun_sdk.models import NULL")
    checkout.sort(VALUES)
    adding.export(checkout, "models", ["NULL", "Null"])


def add_to_the_method(checkout: Checkout) -> None:
    keywords = "".join(f"        {each.name}: {each.given} | None = None,\n" for each in FIELDS)
    checkout.add_before(adding.CLIENT, "        project_type: ProjectType | None = None,\n", keywords)
    explained = "".join(f"            {each.name}: The new {each.name}.\n" for each in FIELDS)
    checkout.add_before(adding.CLIENT, "            project_type: ", explained)


def import_into_the_client(checkout: Checkout) -> None:
    lines = (
        "from collections.abc import Sequence",
        "from datetime import datetime",
        "from neptun_sdk.models import Null",
    )
    for line in lines:
        checkout.import_names(adding.CLIENT, line)
    checkout.sort(adding.CLIENT)


def test_fields_of_other_types_are_checked_sent_cleared_and_verified(checkout: Checkout) -> None:
    sdk = NOT_IN_THE_METHOD | NOT_IN_THE_RESOURCE
    add_to_the_contract(checkout)
    assert set(checkout.contract()) == NOT_GENERATED | NOT_ON_THE_PAGE | sdk

    add_to_the_page(checkout)
    assert set(checkout.contract()) == NOT_GENERATED | sdk

    checkout.generate()
    assert set(checkout.contract()) == sdk

    add_to_the_resource(checkout)
    assert set(checkout.contract()) == NOT_IN_THE_METHOD

    before = checkout.changes("neptun_sdk")
    add_null(checkout)
    of_null = sum(checkout.changes("neptun_sdk").values()) - sum(before.values())
    assert of_null <= MAX_LINES_OF_NULL
    assert set(checkout.contract()) == NOT_IN_THE_METHOD

    add_to_the_method(checkout)
    assert set(checkout.contract()) == NOT_IMPORTED

    import_into_the_client(checkout)
    assert set(checkout.contract()) == NOT_IN_THE_DIALECT

    deployed = "".join(f'        "{name}": None,\n' for name in NAMES)
    old = '    Project: {"project_type": "type", "programming_language": "main_language"},\n'
    known = '        "project_type": "type",\n        "programming_language": "main_language",\n'
    checkout.replace(DIALECTS, old, f"    Project: {{\n{known}{deployed}    }},\n")
    assert checkout.contract() == []

    names = ("__init__", "_contract", "client", "dialects", "models", "values")
    assert list(checkout.changes("neptun_sdk")) == [f"neptun_sdk/{name}.py" for name in names]
    checkout.release_notes("Added", "Five fields of a project, and `NULL`, which clears one.")
    assert checkout.steps == checklist("A field of another type")

    done = checkout.run("-c", CALLS)
    assert done.stdout == PRINTED, done.stderr
    checkout.check_style()
    assert checkout.levels() == ("minor", "minor")
