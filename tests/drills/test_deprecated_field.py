"""A field is deprecated in one release, and removed in the next one that may break callers."""

from tests.drills.checkout import Checkout, checklist

OPENAPI, CLIENT, MODELS = "openapi.yaml", "neptun_sdk/client.py", "neptun_sdk/models.py"
IN_REQUEST = "        title:\n          type: string\n          description: Title of the import\n"
IN_RESPONSE = """\
        title:
          type: string
          nullable: true
          description: Absent or null where the import has none.
"""
DEPRECATED = "          deprecated: true\n"
KEYWORD = "        title: str | None = None,\n"
IN_DOCSTRING = "            title: The new title.\n"
IMPORTS = "from __future__ import annotations\n\n"
SENT = "        return self._call(self._operations.UPDATE_PROJECT_IMPORT, locals())\n"
MESSAGE = "title of update_project_import is deprecated, set description"
WARNING = f"""\
        if title is not None:
            warnings.warn("{MESSAGE}", DeprecationWarning, stacklevel=2)
"""
CALL = """
from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import Sandbox

neptun = Sandbox()
local = "http://127.0.0.1"
with NeptunClient(neptun.session_cookie, neptun.user_id, base_url=local, transport=neptun.transport()) as client:
    print(client.update_project_import(neptun.project_id, neptun.import_id, title="Old").title)
"""


def deprecate(checkout: Checkout) -> None:
    """Follow the checklist of the first release."""
    for described in (IN_REQUEST, IN_RESPONSE):
        checkout.replace(OPENAPI, described, described + DEPRECATED)
    checkout.raise_contract("minor")
    checkout.generate()
    checkout.replace(CLIENT, IN_DOCSTRING, IN_DOCSTRING.replace(".", ". Deprecated: set ``description``."))
    checkout.add_before(CLIENT, SENT, WARNING)
    checkout.replace(CLIENT, IMPORTS, f"{IMPORTS}import warnings\n")
    checkout.replace("pyproject.toml", '= ["error"]', f'= ["error", "ignore:{MESSAGE}:DeprecationWarning"]')
    checkout.release_notes("Deprecated", "`title` of an import: set its `description`.")


def remove(checkout: Checkout) -> None:
    """Follow the checklist of the second release."""
    for described in (IN_REQUEST, IN_RESPONSE):
        checkout.replace(OPENAPI, described + DEPRECATED, "")
    example = "title: Updated GitHub Import\n"
    checkout.replace(
        OPENAPI, f"                  {example}                  description", "                  description"
    )
    checkout.replace(OPENAPI, f"                      {example}", "")
    checkout.raise_contract("major")
    pages = "tests/contract/test_spec.py"
    checkout.replace(pages, '"source_path", "title", ', '"source_path", ')
    checkout.replace(pages, '                "title?": "string",\n', "")
    checkout.replace(pages, '{"title": "Updated GitHub Import", ', "{")
    checkout.replace(pages, '                    "title": "Updated GitHub Import",\n', "")
    checkout.generate()
    checkout.replace(MODELS, "    title: str | None = None\n", "")
    checkout.replace(MODELS, "``title`` and ``description`` are ``None``", "``description`` is ``None``")
    for text in (KEYWORD, WARNING):
        checkout.replace(CLIENT, text, "")
    checkout.replace(CLIENT, IN_DOCSTRING.replace(".", ". Deprecated: set ``description``."), "")
    checkout.replace(CLIENT, f"{IMPORTS}import warnings\n", IMPORTS)
    checkout.replace("neptun_sdk/dialects.py", '"title": None, ', "")
    checkout.replace("neptun_sdk/sandbox/state.py", '            "title": "GitHub import",\n', "")
    checkout.replace("pyproject.toml", f', "ignore:{MESSAGE}:DeprecationWarning"', "")
    checkout.release_notes("Removed", "`title` of an import, deprecated before.")


def test_a_field_is_deprecated_and_then_removed(checkout: Checkout) -> None:
    deprecate(checkout)
    assert checkout.steps == checklist("A rename or a removal, first release")
    assert checkout.contract() == []
    call = checkout.run("-c", CALL)
    assert (call.stdout, f"DeprecationWarning: {MESSAGE}\n" in call.stderr) == ("Old\n", True)

    checkout.steps.clear()
    remove(checkout)
    assert checkout.steps == checklist("A rename or a removal, second release")
    assert checkout.contract() == []
    assert "unexpected keyword argument 'title'" in checkout.run("-c", CALL).stderr


def test_a_deprecation_is_an_addition_to_the_contract(checkout: Checkout) -> None:
    deprecate(checkout)
    assert checkout.levels() == ("minor", "none")


def test_a_removal_breaks_callers(checkout: Checkout) -> None:
    deprecate(checkout)
    remove(checkout)
    assert checkout.levels() == ("major", "major")
