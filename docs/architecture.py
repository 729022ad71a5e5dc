"""The diagram of the architecture: the modules of neptun_sdk and their imports, as an SVG that follows the theme."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "neptun_sdk"
GENERATED = "neptun_openapi"
CONTRACT = "openapi.yaml"

PACKAGES = ("_http", "bulk", "sandbox")  # each drawn as one module
# Where each module stands: column and row. The lines between them come from the imports, and must run downwards.
PLACES: Mapping[str, tuple[float, int]] = {
    "bulk": (1, 0),
    "client": (2, 1),
    "call": (2, 2),
    "verify": (2, 3),
    "texts": (3, 4),
    "sandbox": (0, 4),
    "outcomes": (3, 5),
    "session": (0.4, 6),
    "operations": (3, 6),
    "values": (2.4, 7),
    "arguments": (1, 8),
    "dialects": (1.6, 9),
    "_http": (0.4, 10),
    "errors": (2, 10),
    "models": (1.6, 11),
    GENERATED: (3, 11),
    CONTRACT: (3, 12),
}
_WIDTH, _HEIGHT = 120, 32  # of a box
_COLUMN, _ROW = 127, 66  # from one to the next


def imports() -> dict[str, set[str]]:
    """Return the modules of the SDK, each with those it imports, unless it does so for type checkers alone."""
    found = {path.stem: set(_imported(path)) for path in PACKAGE.glob("*.py") if not path.stem.startswith("_")}
    for package in PACKAGES:
        found[package] = {name for path in (PACKAGE / package).glob("*.py") for name in _imported(path)}
    found[GENERATED] = set()
    return {name: (others & found.keys()) - {name} for name, others in found.items()}


def lines() -> dict[str, set[str]]:
    """Return the imports without those that others imply, so that a person can follow the lines.

    Raises:
        ValueError: ``PLACES`` does not fit the modules; the message says how.
    """
    all_imports = imports()
    if unplaced := all_imports.keys() ^ (PLACES.keys() - {CONTRACT}):
        raise ValueError(f"change PLACES in docs/architecture.py: {', '.join(sorted(unplaced))}")
    for name, others in all_imports.items():
        for other in others:
            if PLACES[name][1] >= PLACES[other][1]:
                raise ValueError(
                    f"the import of {other} in {name} does not run downwards; see PLACES in docs/architecture.py"
                )
    implied = {
        name: {far for near in near_by for far in _below(near, all_imports)} for name, near_by in all_imports.items()
    }
    return {name: others - implied[name] for name, others in all_imports.items()}


def drawing() -> str:
    """Return the diagram, to stand in a page of Markdown."""
    arrows = [_arrow(name, other) for name, others in lines().items() for other in sorted(others)]
    arrows.append(_arrow(GENERATED, CONTRACT, dashed=True))
    x, y = _centre("sandbox")
    end_x, end_y = _centre(CONTRACT)
    corner = f"M{x - 30} {y} V{end_y} H{end_x - _WIDTH / 2 - 6}"
    arrows.append(f'<path class="dashed" d="{corner}" marker-end="url(#tip)"/>')
    boxes = [_box(name) for name in PLACES]
    width, height = round(3 * _COLUMN + _WIDTH + 4), 12 * _ROW + _HEIGHT + 4
    return "\n".join(
        [
            f'<svg class="architecture" viewBox="0 0 {width} {height}" role="img" aria-labelledby="modules-title">',
            '<title id="modules-title">The modules of neptun_sdk, from bulk at the top to _http, models and the '
            "generated client at the bottom. Each line runs down, from a module to one that it imports. The table "
            "below says the same.</title>",
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path class="tip" d="M0 0 L8 4 L0 8 z"/></marker></defs>',
            *arrows,
            *boxes,
            "</svg>\n",
        ]
    )


def table() -> str:
    """Return what each module is for, by its docstring, and what it imports, as a table in Markdown."""
    rows = ["| module | what it is for | imports |", "|---|---|---|"]
    all_imports = imports()
    for name in PLACES:
        if name in (GENERATED, CONTRACT):
            continue
        path = PACKAGE / name / "__init__.py" if name in PACKAGES else PACKAGE / f"{name}.py"
        purpose = (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
        others = ", ".join(f"`{other}`" for other in PLACES if other in all_imports[name])
        rows.append(f"| `{name}` | {' '.join(purpose.split()).replace('|', ' ')} | {others or 'nothing'} |")
    return "\n".join(rows) + "\n"


def _imported(path: Path) -> Iterator[str]:
    """Yield the modules of the SDK that a file imports at any place where it runs."""
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            pending += node.orelse
            continue
        pending += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{each.name}" for each in node.names]
        elif isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        else:
            continue
        for name in names:
            package, _, rest = name.partition(".")
            if package == GENERATED:
                yield GENERATED
            elif package == "neptun_sdk":
                yield rest.partition(".")[0]


def _below(name: str, all_imports: Mapping[str, set[str]]) -> set[str]:
    return all_imports[name].union(*(_below(other, all_imports) for other in all_imports[name]))


def _centre(name: str) -> tuple[float, float]:
    column, row = PLACES[name]
    return round(2 + _WIDTH / 2 + column * _COLUMN, 1), 2 + _HEIGHT / 2 + row * _ROW


def _arrow(name: str, other: str, *, dashed: bool = False) -> str:
    (x, y), (end_x, end_y) = _centre(name), _centre(other)
    y, end_y = y + _HEIGHT / 2, end_y - _HEIGHT / 2 - 2
    middle = (y + end_y) / 2
    kind = ' class="dashed"' if dashed else ""
    return f'<path{kind} d="M{x} {y} C{x} {middle} {end_x} {middle} {end_x} {end_y}" marker-end="url(#tip)"/>'


def _box(name: str) -> str:
    x, y = _centre(name)
    kind = ' class="outside"' if name in (GENERATED, CONTRACT, "sandbox") else ""
    box = f'<rect{kind} x="{x - _WIDTH / 2}" y="{y - _HEIGHT / 2}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
    return f'{box}<text x="{x}" y="{y + 5}">{name}</text>'
