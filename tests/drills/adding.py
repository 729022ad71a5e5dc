"""The steps of the checklists for an operation and for an error status, each for several of them at once."""

from collections.abc import Sequence
from textwrap import indent

from tests.drills.additions import Operation, Status
from tests.drills.checkout import Checkout

CLIENT = "neptun_sdk/client.py"
ERRORS = "neptun_sdk/errors.py"
MODELS = "neptun_sdk/models.py"
OPENAPI = "openapi.yaml"
OPERATIONS = "neptun_sdk/operations.py"
OUTCOMES = "neptun_sdk/outcomes.py"
PACKAGE = "neptun_sdk/__init__.py"


def describe(checkout: Checkout, operations: Sequence[Operation]) -> None:
    """Add operations to the contract."""
    for each in operations:
        if each.path_in_openapi not in (checkout.folder / OPENAPI).read_text(encoding="utf-8"):
            checkout.add_before(OPENAPI, "\ncomponents:\n", f"\n{each.path_in_openapi}")
        checkout.replace(OPENAPI, each.path_in_openapi, each.path_in_openapi + each.in_openapi)
        if each.schemas:
            add_schemas(checkout, each.schemas)
    checkout.raise_contract("minor")


def add_schemas(checkout: Checkout, schemas: str) -> None:
    checkout.add_before(OPENAPI, "    UpdateProjectRequest:\n", indent(schemas, " " * 4))


def add_models(checkout: Checkout, operations: Sequence[Operation]) -> None:
    """Add the classes of new resources."""
    for each in operations:
        if each.model:
            checkout.append(MODELS, each.model)


def add_errors(checkout: Checkout, statuses: Sequence[Status]) -> None:
    """Add the classes of new error statuses."""
    for each in statuses:
        code = f'    """{each.means}"""\n\n    status_code: int = {each.code}\n{each.body}'
        checkout.add_before(ERRORS, "class RateLimitError(", f"class {each.error}(StatusError):\n{code}\n\n")


def export(checkout: Checkout, module: str, names: Sequence[str]) -> None:
    """Make names public."""
    for name in names:
        checkout.add_before(PACKAGE, '    "CONTRACT",\n', f'    "{name}",\n')
        checkout.import_names(PACKAGE, f"from neptun_sdk.{module} import {name}")
    checkout.sort(PACKAGE)


def add_rows(checkout: Checkout, operations: Sequence[Operation]) -> None:
    """Add a row for each operation."""
    for each in operations:
        checkout.add_before(OPERATIONS, "    UPDATE_PROJECT = ", each.row)
        checkout.import_names(OPERATIONS, f"from neptun_openapi.api.projects import {each.name}")
        if each.model:
            checkout.import_names(OPERATIONS, f"from neptun_sdk.models import {each.returns}")
    checkout.sort(OPERATIONS)


def add_methods(checkout: Checkout, operations: Sequence[Operation]) -> None:
    """Add a method for each operation."""
    for each in operations:
        checkout.add_before(CLIENT, "    def update_project(\n", each.in_client)
        models = [f"from neptun_sdk.models import {each.returns}"] if each.model else []
        for line in (*each.imports, *models):
            checkout.import_names(CLIENT, line)
    checkout.sort(CLIENT)


def add_rules(checkout: Checkout, statuses: Sequence[Status]) -> None:
    """Add a row for each error status, in the order of the statuses."""
    for each in statuses:
        rule = f'    {each.code}: Rule(errors.{each.error}, applied=False, next_step="{each.next_step}"),\n'
        after = "    413: Rule(" if each.code < 413 else "    429: Rule("
        checkout.add_before(OUTCOMES, after, rule)
