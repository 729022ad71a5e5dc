"""Write the pages of the reference that follow from the code, so that they read as Markdown on a code host.

The text between ``<!-- NAME -->`` and ``<!-- end -->`` in a page of docs/reference is written here. ``--check`` writes
nothing, and fails if a page differs. On the site, docs/conf.py replaces the descriptions of Python names by Sphinx's
directives.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import inspect
import logging
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import truth_table

import neptun_sdk
from neptun_sdk.sandbox.reference import markdown
from neptun_sdk.sandbox.spec import load_spec

PAGES = Path(__file__).parent.parent / "docs" / "reference"
BLOCK = re.compile(r"(<!-- ([\w. ]+) -->\n).*?(<!-- end -->)", re.DOTALL)
ALIASES = {
    "Dialect": "The dialect of requests.",
    "ProjectType": "The type of a project.",
    "ProgrammingLanguage": "The main programming language of a project.",
    "SourceType": "The type of the source of an import.",
}
DATA = {
    "neptun_sdk.__version__": ("str", "The version of the SDK."),
    "neptun_sdk.CONTRACT": (
        "str",
        "The version of the contract, and the first 12 digits of the SHA-256 of ``openapi.yaml``: ``1.0.0+…``. It is "
        "also in the User-Agent and in the text of a `ResponseError`.",
    ),
    "neptun_sdk.bulk.Status": ('Literal["applied", "refused", "unknown", "unsent"]', "What became of an update."),
}
Error = type[neptun_sdk.NeptunError]
_SECTION = re.compile(r"(Args|Attributes|Returns|Raises):")
_ITEM = re.compile(r"(\*{0,2}\w+): ")
_WIDTH = 100  # of a signature on one line


def errors(error: Error = neptun_sdk.NeptunError, depth: int = 0) -> Iterator[tuple[Error, int]]:
    """Yield an error and all that derive from it, each with its depth in the tree."""
    yield error, depth
    for derived in error.__subclasses__():
        yield from errors(derived, depth + 1)


def literal(name: str) -> tuple[list[str], bool]:
    """Return the values that a public alias names, and whether it takes any other text."""
    alias = getattr(neptun_sdk, name)
    parts = get_args(alias)
    return [str(value) for value in (get_args(parts[0]) if str in parts else parts)], str in parts


def tree(link: Callable[[type], str]) -> str:
    """Return the tree of errors as a list, each with a link and the first sentence about it."""
    lines: list[str] = []
    for error, depth in errors():
        words = " ".join((error.__doc__ or "").split("\n\n")[0].split(". ")[0].split()).rstrip(".")
        lines.append(f"{'  ' * depth}- {link(error)}: {_inline(words)}")
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """Return a page with everything in it that is written here."""
    return BLOCK.sub(lambda found: f"{found[1]}\n{_block(found[2]).strip()}\n\n{found[3]}", text)


def _block(name: str) -> str:
    if name in _BLOCKS:
        return _BLOCKS[name]()
    if name in DATA:
        kind, what = DATA[name]
        return "\n".join(
            [f"### {name.rpartition('.')[2]}", "", *_fence(f"{name.rpartition('.')[2]}: {kind}"), _inline(what)]
        )
    return "\n".join(_described(name))


def _reference() -> str:
    """Return the HTTP reference without its title, which the page has itself."""
    return markdown(load_spec()).partition("\n")[2]


def _types() -> str:
    lines = ["| name | values | what it is |", "|---|---|---|"]
    for name, what in ALIASES.items():
        values, is_open = literal(name)
        lines.append(f"| `{name}` | {', '.join(f'`{each}`' for each in values)}{', or any text' * is_open} | {what} |")
    return "\n".join(lines)


def _tree_of_links() -> str:
    return tree(lambda error: f"[`{error.__name__}`](#{error.__name__.lower()})")


_BLOCKS: dict[str, Callable[[], str]] = {
    "HTTP reference": _reference,
    "outcomes": truth_table.markdown,
    "tree": _tree_of_links,
    "types": _types,
}


def _described(path: str) -> Iterator[str]:
    """Yield the description of a public class or function: a heading, its signature, its docstring, its members."""
    module, _, name = path.rpartition(".")
    found: Any = getattr(importlib.import_module(module), name)
    yield from (f"### {name}", "")
    node = _node(found)
    if isinstance(node, ast.ClassDef):
        yield from _class(found, node)
    else:
        yield from _function(node, name, found.__doc__)


def _class(found: type[Any], node: ast.ClassDef) -> Iterator[str]:
    if issubclass(found, BaseException):
        bases = ", ".join(f"`{base.__name__}`" for base in found.__bases__)
        yield from (f"Derives from {bases}.", "")
    fields = [ast.unparse(each) for each in node.body if _is_field(each)]
    functions = [each for each in node.body if isinstance(each, ast.FunctionDef)]
    init = next((each for each in functions if each.name == "__init__"), None)
    if fields:
        yield from _fence("\n".join([f"class {found.__name__}:", *(f"    {_short(each)}" for each in fields)]))
    elif init and not found.__name__.endswith("Run"):  # nobody makes a run
        yield from _fence(_signature(found.__name__, init))
    yield from _text(found.__doc__)
    inherited = [_node(base) for base in found.__mro__[1:] if base.__module__ == "neptun_sdk.models"]
    functions += [each for base in inherited for each in base.body if isinstance(each, ast.FunctionDef)]
    for each in functions:
        if not each.name.startswith("_") and (doc := ast.get_docstring(each)):
            yield from (f"#### {found.__name__}.{each.name}", "")
            decorators = {ast.unparse(decorator) for decorator in each.decorator_list}
            if "property" in decorators:
                yield from _fence(f"{each.name}: {ast.unparse(each.returns) if each.returns else 'object'}")
                yield from _text(doc)
            else:
                yield from _function(each, each.name, doc)


def _function(node: Any, name: str, doc: str | None) -> Iterator[str]:
    yield from _fence(_signature(name, node))
    yield from _text(doc)


def _node(found: Any) -> Any:
    """Return the source of a class or function as a tree: annotations there read the same on every Python."""
    return ast.parse(textwrap.dedent(inspect.getsource(found))).body[0]


def _is_field(node: ast.stmt) -> bool:
    return isinstance(node, ast.AnnAssign) and not ast.unparse(node.target).startswith("_")


def _short(field: str) -> str:
    """Return a field without what dataclasses need to make its default."""
    return re.sub(r" = (field\(|_NONE).*", " = {}", field)


def _signature(name: str, node: ast.FunctionDef) -> str:
    arguments = node.args
    listed = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(listed) - len(arguments.defaults)) + [*arguments.defaults]
    parts = [_argument(*each) for each in zip(listed, defaults, strict=True) if each[0].arg not in ("self", "cls")]
    if arguments.kwonlyargs:
        parts.append("*")
        parts += [_argument(*each) for each in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        parts.append(f"**{arguments.kwarg.arg}")
    returns = "" if node.returns is None or node.name == "__init__" else f" -> {ast.unparse(node.returns)}"
    line = f"{name}({', '.join(parts)}){returns}"
    return line if len(line) <= _WIDTH else f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    annotation = f": {ast.unparse(argument.annotation)}" if argument.annotation else ""
    return f"{argument.arg}{annotation}{f' = {ast.unparse(default)}' if default else ''}"


def _fence(code: str) -> Iterator[str]:
    yield from ("```pyi", code.replace("'", '"'), "```", "")  # as ruff formats it


def _text(doc: str | None) -> Iterator[str]:
    """Yield a docstring as Markdown; its sections become lists."""
    section = ""
    for paragraph in inspect.cleandoc(doc or "").split("\n\n"):
        lines = paragraph.splitlines()
        if found := _SECTION.fullmatch(lines[0]):
            section = found[1]
            yield from (f"**{section.replace('Args', 'Arguments')}**", "")
            if section == "Returns":
                yield from (_inline(" ".join(" ".join(lines[1:]).split())), "")
                continue
            for item in re.split(r"\n(?=\S)", textwrap.dedent("\n".join(lines[1:]))):
                words = _inline(" ".join(item.split()))
                yield "- " + _ITEM.sub(r"`\1`: ", words, count=1)
            yield ""
        else:
            yield from (_inline(" ".join(paragraph.split())), "")


def _inline(text: str) -> str:
    return text.replace("``", "`")


def main() -> None:
    """Write the pages, or compare them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page differs from the code")
    options = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)  # each row of the table of outcomes is a call
    changed: list[str] = []
    for path in sorted(PAGES.glob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (written := page(text)) != text:
            changed.append(path.name)
            if not options.check:
                path.write_text(written, encoding="utf-8")
    if changed and options.check:
        sys.exit(f"docs/reference: {', '.join(changed)} differs from the code: run `make pages`")


if __name__ == "__main__":
    main()
