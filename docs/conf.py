"""The site: `make docs` builds it with Sphinx, Furo and MyST. No page of it fetches anything from elsewhere."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import neptun_sdk
from neptun_sdk.sandbox.reference import markdown
from neptun_sdk.sandbox.spec import load_spec

if TYPE_CHECKING:
    from docutils.nodes import Element, TextElement
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

sys.path.insert(0, str(Path(__file__).parent))
import architecture  # beside this file

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
import truth_table

logging.getLogger("httpx").setLevel(logging.WARNING)  # each row of that table is a call

project = "neptun-sdk"
release = neptun_sdk.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.intersphinx", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = True
default_role = "py:obj"  # what stands in single backticks in a docstring
highlight_language = "text"

# A copy of the few names that docstrings refer to, so that the build needs no network.
intersphinx_mapping = {"python": ("https://docs.python.org/3", "python.inv.txt")}
nitpick_ignore = [("py:class", "httpx.BaseTransport"), ("py:obj", "httpx.BaseTransport")]  # httpx has no inventory
nitpick_ignore += [("py:class", "neptun_sdk.models.Resource"), ("py:class", "ssl.SSLContext")]

autodoc_member_order = "bysource"
ALIASES = {
    "Dialect": "What requests are written in.",
    "ProjectType": "The type of a project.",
    "ProgrammingLanguage": "The main programming language of a project.",
    "SourceType": "The type of the source of an import.",
}
autodoc_type_aliases = {name: f"neptun_sdk.{name}" for name in ALIASES}
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
WRITTEN: dict[str, Callable[[], str]] = {
    "HTTP reference": lambda: markdown(load_spec()),
    "architecture": architecture.drawing,
    "modules": architecture.table,
    "errors": lambda: "\n".join(tree(neptun_sdk.NeptunError)) + "\n",
    "outcomes": truth_table.markdown,
    "types": lambda: "".join(map(alias, ALIASES)),
}


def alias(name: str) -> str:
    """Return the description of a public alias: a literal, or a literal and any other text."""
    parts = get_args(getattr(neptun_sdk, name))
    literal, rest = (parts[0], " | str") if str in parts else (getattr(neptun_sdk, name), "")
    values = ", ".join(f'"{value}"' for value in get_args(literal))
    body = f".. py:type:: {name}\n   :canonical: Literal[{values}]{rest}\n\n   {ALIASES[name]}\n"
    return f"```{{eval-rst}}\n{body}```\n\n"


def tree(error: type[neptun_sdk.NeptunError], depth: int = 0) -> list[str]:
    """Return an error and all that derive from it as a list in Markdown, each with a link."""
    words = (error.__doc__ or "").split("\n\n")[0].split(". ")[0]
    line = f"{'  ' * depth}- {{py:exc}}`~neptun_sdk.{error.__name__}`: {' '.join(words.split()).rstrip('.')}"
    return [line, *(each for derived in error.__subclasses__() for each in tree(derived, depth + 1))]


def write(_app: Sphinx, _page: str, source: list[str]) -> None:
    """Put into a page what is written at each build."""
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
