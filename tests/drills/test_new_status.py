"""Error statuses are documented of an operation that there is, with the body of RFC 9457."""

import itertools

from neptun_sdk.dialects import DIALECTS
from tests.drills import adding
from tests.drills.additions import CONFLICT, PROBLEM, UNPROCESSABLE
from tests.drills.checkout import Checkout, checklist

STATUSES = (CONFLICT, UNPROCESSABLE)
IN_OPENAPI = "".join(
    f"""\
        '{status.code}':
          description: {status.error}
          content:
            application/problem+json:
              schema:
                $ref: '#/components/schemas/Problem'
"""
    for status in STATUSES
)
OF_THE_IMPORT = "        '404':\n          description: Import not found\n"
ON_THE_PAGE = '"404": "Import not found"'
NOT_ON_THE_PAGE = {"change statuses of updateProjectImport in tests/contract/test_spec.py to the page"}
NOT_GENERATED = {"run `make generate`: generated/ and neptun_sdk/_contract.py are of another openapi.yaml"}
NO_RULE = {status.message for status in STATUSES}
CALL = """
import httpx
from neptun_sdk import NeptunClient, {error}

issue = {{"detail": "taken", "pointer": "#/title"}}
problem = {{"title": "Refused", "detail": "The title is taken.", "errors": [issue]}}
headers = {{"Content-Type": "application/problem+json"}}
response = httpx.Response({code}, json=problem, headers=headers)
options = {{"base_url": "https://neptun.test", "transport": httpx.MockTransport(lambda _: response)}}
with NeptunClient("a-session", 1, dialect="{dialect}", **options) as client:
    try:
        client.update_project_import(789, 123, source_path="a/b")
    except {error} as error:
        print(error.applied, getattr(error, "fields", None))
        print(error)
"""


def test_a_status_is_a_row_and_a_class(checkout: Checkout) -> None:
    checkout.add_before(adding.OPENAPI, OF_THE_IMPORT, IN_OPENAPI)
    adding.add_schemas(checkout, PROBLEM)
    checkout.raise_contract("minor")
    assert set(checkout.contract()) == NOT_GENERATED | NO_RULE | NOT_ON_THE_PAGE

    page = ", ".join(f'"{status.code}": "{status.error}"' for status in STATUSES)
    checkout.add_before("tests/contract/test_spec.py", ON_THE_PAGE, f"{page}, ")
    assert set(checkout.contract()) == NOT_GENERATED | NO_RULE

    checkout.generate()
    assert set(checkout.contract()) == NO_RULE

    adding.add_errors(checkout, STATUSES)
    adding.export(checkout, "errors", [status.error for status in STATUSES])
    adding.add_rules(checkout, STATUSES)
    assert checkout.contract() == []

    changes = checkout.changes("neptun_sdk")
    assert list(changes) == [f"neptun_sdk/{name}.py" for name in ("__init__", "_contract", "errors", "outcomes")]
    assert changes[adding.OUTCOMES] == len(STATUSES)
    checkout.release_notes("Added", "`ConflictError` and `UnprocessableError`.")
    assert checkout.steps == checklist("A new error status")

    for status, dialect in itertools.product(STATUSES, DIALECTS):
        done = checkout.run("-c", CALL.format(code=status.code, error=status.error, dialect=dialect))
        facts, _, text = done.stdout.partition("\n")
        assert facts == ("False {'title': 'taken'}" if status is UNPROCESSABLE else "False None"), done.stderr
        assert text.startswith("update_project_import(user_id=1, project_id=789, import_id=123): "), text
        assert f"{status.code} The title is taken. The update was not applied." in text
        assert f"{status.next_step}." in text
    checkout.check_style()
    assert checkout.levels() == ("minor", "minor")
