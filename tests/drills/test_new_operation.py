"""Operations are added of kinds that the SDK does not have: reads, deletions, a list, a creation, a condition.

After each step the contract tests name what is still missing, and the file to change. At the end each works like those
of today, and of neptun_sdk/ only the files have changed that the checklist names.
"""

import pytest

from tests.drills import adding
from tests.drills.additions import GROUPS, Operation, Status
from tests.drills.checkout import Checkout, checklist

TITLE = "A new operation"
NOT_GENERATED = "run `make generate`: generated/ and neptun_sdk/_contract.py are of another openapi.yaml"
IN_EVERY_CASE = {"_contract.py", "operations.py", "client.py"}


def no_row(each: Operation) -> str:
    return f"add the row {each.name.upper()} to neptun_sdk/operations.py, for {each.operation_id}"


def no_method(each: Operation) -> str:
    return f"add the method {each.name} to neptun_sdk/client.py"


def statuses_of(operations: tuple[Operation, ...]) -> list[Status]:
    return [status for each in operations for status in each.statuses]


def files_of(operations: tuple[Operation, ...]) -> set[str]:
    """Return the files of neptun_sdk/ that the operations change."""
    found = set(IN_EVERY_CASE)
    if any(each.model for each in operations):
        found |= {"models.py", "__init__.py"}
    if statuses_of(operations):
        found |= {"errors.py", "outcomes.py", "__init__.py"}
    return {f"neptun_sdk/{name}" for name in found}


@pytest.mark.parametrize("operations", GROUPS.values(), ids=GROUPS)
def test_an_operation_is_a_row_a_method_and_what_is_its_own(
    operations: tuple[Operation, ...], checkout: Checkout
) -> None:
    models, statuses = [each.returns or "" for each in operations if each.model], statuses_of(operations)
    rows, methods = {no_row(each) for each in operations}, {no_method(each) for each in operations}
    rules = {each.message for each in statuses}

    adding.describe(checkout, operations)
    assert set(checkout.contract()) == {NOT_GENERATED} | rows | rules

    checkout.generate()
    assert set(checkout.contract()) == rows | rules

    adding.add_models(checkout, operations)
    adding.add_errors(checkout, statuses)
    not_exported = {
        f"add {name} to the imports and to __all__ in neptun_sdk/__init__.py"
        for name in (*models, *(each.error for each in statuses))
    }
    assert set(checkout.contract()) == rows | rules | not_exported

    adding.export(checkout, "models", models)
    adding.export(checkout, "errors", [each.error for each in statuses])
    adding.add_rules(checkout, statuses)
    assert set(checkout.contract()) == rows

    adding.add_rows(checkout, operations)
    assert set(checkout.contract()) == methods

    adding.add_methods(checkout, operations)
    assert checkout.contract() == []

    changes = checkout.changes("neptun_sdk")
    assert changes.keys() == files_of(operations)
    assert changes[adding.OPERATIONS] <= 3 * len(operations)

    checkout.release_notes("Added", f"{', '.join(f'`{each.name}`' for each in operations)}.")
    assert checkout.steps == steps_for(operations)

    code, output = checkout.pytest("tests/drills/behavior.py", "tests/contract/test_schemathesis.py")
    assert code == 0, output
    checkout.check_style()
    assert checkout.levels() == ("minor", "minor")


def steps_for(operations: tuple[Operation, ...]) -> list[str]:
    """Return the steps of the checklist that hold for these operations."""
    wanted = files_of(operations)
    return [step for step in checklist(TITLE) if not step.startswith("neptun_sdk/") or step in wanted]


def test_every_step_of_the_checklist_is_needed() -> None:
    wanted = {step for operations in GROUPS.values() for step in steps_for(operations)}
    assert sorted(wanted) == sorted(checklist(TITLE))
