"""The site: `make docs` builds it with Sphinx, Furo and MyST. No page of it fetches anything from elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import neptun_sdk

if TYPE_CHECKING:
    from docutils.nodes import Element, TextElement
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

sys.path.insert(0, str(Path(__file__).parent))
import architecture  # beside this file

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import write_pages

logging.getLogger("httpx").setLevel(logging.WARNING)

project = "neptun-sdk"
release = neptun_sdk.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.napoleon"]
extensions += ["sphinx_copybutton", "sphinx_design"]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "py:obj"  # what stands in single backticks in a docstring
highlight_language = "text"

# A copy of the few names that docstrings refer to, so that the build needs no network.
intersphinx_mapping = {"python": ("https://docs.python.org/3", "python.inv.txt")}
nitpick_ignore = [("py:class", "httpx.BaseTransport"), ("py:obj", "httpx.BaseTransport")]  # httpx has no inventory
nitpick_ignore += [("py:class", "neptun_sdk.models.Resource"), ("py:class", "ssl.SSLContext")]

autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"  # so that names fit the column "on this page"
autodoc_type_aliases = {name: f"neptun_sdk.{name}" for name in write_pages.ALIASES}
python_maximum_signature_line_length = 72
napoleon_use_ivar = True
napoleon_use_rtype = False

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"neptun-sdk {release}"
html_favicon = "_static/icon.svg"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_copyright = False
html_show_sphinx = False
html_copy_source = False
html_use_index = False
html_theme_options: dict[str, object] = {"top_of_page_buttons": []}  # there is no page of the source to link to
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

# What stands in a page as `<!-- name -->` and is written at each build, from what it is about.
WRITTEN: dict[str, Callable[[], str]] = {"architecture": architecture.drawing, "modules": architecture.table}
# How Sphinx describes what scripts/write_pages.py describes in Markdown.
DIRECTIVES = {
    "neptun_sdk.NeptunClient": "autoclass:: {}\n   :members:",
    "neptun_sdk.Project": "autoclass:: {}\n   :members:\n   :undoc-members:",
    "neptun_sdk.ProjectImport": "autoclass:: {}\n   :members:\n   :undoc-members:",
    "neptun_sdk.bulk.bulk_update": "autofunction:: {}",
    "neptun_sdk.bulk.Update": "autoclass:: {}\n   :undoc-members:",
    "neptun_sdk.bulk.Outcome": "autoclass:: {}\n   :undoc-members:",
    "neptun_sdk.bulk.BulkRun": "autoclass:: {}\n   :members:\n   :exclude-members: __init__",
}

EXCEPTION = "autoexception:: {}\n   :show-inheritance:"


def alias(name: str, what: str) -> str:
    """Return the description of a public alias: a literal, or a literal and any other text."""
    values, is_open = write_pages.literal(name)
    listed = ", ".join(f'"{value}"' for value in values)
    return f".. py:type:: {name}\n   :canonical: Literal[{listed}]{' | str' * is_open}\n\n   {what}\n"


def directive(name: str) -> str:
    """Return the reST that describes a public name, or the aliases."""
    if name == "types":
        text = "\n".join(alias(*each) for each in write_pages.ALIASES.items())
    elif name in write_pages.DATA:
        kind, what = write_pages.DATA[name]
        text = f".. py:data:: {name.removeprefix('neptun_sdk.')}\n   :type: {kind}\n\n   {what}\n"
    else:
        text = f".. {DIRECTIVES.get(name, EXCEPTION).format(name)}\n"
    return f"```{{eval-rst}}\n.. py:currentmodule:: neptun_sdk\n\n{text}```\n"


EXAMPLE = re.compile(r"(?<=^### Example\n\n).*?(?=^### )", re.DOTALL | re.MULTILINE)
CAPTIONED = re.compile(r"^([^\n]+):\n\n(```\w+\n.*?^```)$", re.DOTALL | re.MULTILINE)


def side_by_side(example: re.Match[str]) -> str:
    """Return the site's version of an example: a tab for each language, and the response beside them."""
    tabs, rest = "", ""
    for caption, code in CAPTIONED.findall(example[0]):
        language = caption.removeprefix("With ").removeprefix("the ")
        if caption.startswith("With "):
            tabs += f":::{{tab-item}} {language}\n:sync: {language}\n\n{code}\n:::\n"
        else:
            rest += f":::{{div}} response\n{caption}:\n\n{code}\n:::\n"
    columns = f"::::{{tab-set}}\n:sync-group: language\n\n{tabs}::::\n{rest}"
    return f"::::::{{div}} example\n:::::{{div}} example-columns\n{columns}:::::\n::::::\n\n"


def replaced(block: re.Match[str]) -> str:
    """Return the site's version of a block of Markdown."""
    name = block[2]
    if name == "tree":
        return write_pages.tree(lambda error: f"{{py:exc}}`~neptun_sdk.{error.__name__}`")
    if name == "HTTP reference":
        return EXAMPLE.sub(side_by_side, block[0])
    return directive(name) if name == "types" or name.startswith("neptun_sdk.") else block[0]


# The pages of the site that include these files. Links name the files, so that they also work on a code host.
INCLUDED = {"CHANGELOG": "changelog", "CONTRIBUTING": "contributing", "SECURITY": "policy"}
TO_INCLUDED = re.compile(rf"(?<=\]\()\.\./((?:\.\./)*)({'|'.join(INCLUDED)})(?=\.md\b)")


def write(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put into a page what is written at each build."""
    source[0] = write_pages.BLOCK.sub(replaced, source[0])
    source[0] = TO_INCLUDED.sub(lambda link: link[1] + INCLUDED[link[2]], source[0])
    for name, text in WRITTEN.items():
        mark = f"<!-- {name} -->\n"
        if mark in source[0]:
            source[0] = source[0].replace(mark, text())


def shorten(
    _app: Sphinx, _what: str, name: str, _obj: object, _options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Show a signature as a person would write it."""
    if name in ("neptun_sdk.Project", "neptun_sdk.ProjectImport"):
        return "", None  # the fields stand below
    if name == "neptun_sdk.bulk.Outcome":
        return "", None  # nobody makes one
    if name == "neptun_sdk.bulk.Update":
        return "(project_id, import_id=None, fields={})", None
    if signature:
        signature = re.sub(r"TypeAliasForwardRef\('([\w.]+)'\)", r"\1", signature)
        signature = re.sub(r"\*\*settings: .*", "**settings)", signature)
    return signature, returns


def find(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: TextElement) -> Element | None:
    """Look a name up in ``neptun_sdk``, for the docstrings of the modules below it."""
    target = f"neptun_sdk.{node.get('reftarget')}"
    if node.get("refdomain") != "py" or env.domains.python_domain.find_obj(env, "", "", target, None) == []:
        return None
    return env.domains.python_domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], target, node, text)


def setup(app: Sphinx) -> None:
    """Let Sphinx call these functions."""
    app.connect("source-read", write)
    app.connect("missing-reference", find)
    app.connect("autodoc-process-signature", shorten)
