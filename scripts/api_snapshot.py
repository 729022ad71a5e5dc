"""Write interfaces/python.txt: every public name of the Python interface, with its full signature and types.

It is Python in form, so that a reviewer reads its diff, and griffe and ``api_diff.py`` read the whole.
"""

import argparse
import ast
import difflib
import pprint
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import griffe
from api_packaging import packaging

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "interfaces" / "python.txt"
# Stands before what an installation sees.
PACKAGING = "pyproject.toml"
# Stands before the classes that signatures and bases mention, although nothing exports them.
NOT_EXPORTED = "# not exported, but mentioned above"
HEADER = "# The public Python interface of neptun-sdk {}, written by `make changes`."
_POSITIONAL_ONLY, _KEYWORD_ONLY = griffe.ParameterKind.positional_only, griffe.ParameterKind.keyword_only
_STARS = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}


def snapshot(root: Path = ROOT) -> str:
    """Return the text for a checkout; nothing of it is imported."""
    loader = griffe.GriffeLoader(search_paths=[root], allow_inspection=False)
    for name in ("neptun_sdk", "pytest_neptun"):
        loader.load(name, try_relative_path=False)  # else a package in the working directory comes first
    loader.resolve_aliases(implicit=True)
    version = str(ast.literal_eval(str(loader.modules_collection["neptun_sdk._version.__version__"].value)))
    lines = [HEADER.format(version)]
    public = {module.path: _public(module) for module in _modules(loader.modules_collection)}
    documented = {each.path for objects in public.values() for each in objects}
    for name, objects in public.items():
        lines += ["", "", f"# from {name}"]
        for each in objects:
            lines += ["", *_object(each)]
        helpers = _helpers(objects, documented)
        lines += ["", "", NOT_EXPORTED] if helpers else []
        for each in helpers:
            lines += ["", *_object(each)]
    lines += ["", "", f"# from {PACKAGING}", "", f"packaging = {pprint.pformat(packaging(root), width=100)}"]
    return "\n".join(lines) + "\n"


def _modules(collection: griffe.ModulesCollection) -> list[griffe.Module]:
    """Return the packages that say what is public, and the plugin of pytest; other modules may move."""
    top = collection["neptun_sdk"]
    subpackages = [each for name, each in sorted(top.modules.items()) if each.is_subpackage and name[0] != "_"]
    return [top, *subpackages, collection["pytest_neptun"]]


def _public(module: griffe.Module) -> list[griffe.Object]:
    names = module.exports
    if names is None:  # a plugin of pytest: its functions are its fixtures
        return [each for each in module.members.values() if isinstance(each, griffe.Function)]
    for name in map(str, names):
        if name not in module.members:
            sys.exit(
                f"api-snapshot: __all__ of {module.path} has {name!r}, which the module does not have; correct it."
            )
    return [_target(module.members[str(name)]) for name in sorted(names, key=str)]


def _target(member: griffe.Object | griffe.Alias) -> griffe.Object:
    try:
        return member.final_target if isinstance(member, griffe.Alias) else member
    except griffe.AliasResolutionError:  # of another package
        path = griffe.ExprName(member.target_path) if isinstance(member, griffe.Alias) else None
        return griffe.Attribute(member.name, value=path, parent=member.parent)


def _helpers(public: list[griffe.Object], known: set[str]) -> list[griffe.Object]:
    """Return what else of the SDK signatures and bases mention, although nothing exports it: classes and aliases."""
    found: dict[str, griffe.Object] = {}
    todo = list(public)
    while todo:
        for expression in _expressions(todo.pop()):
            for name in expression.iterate(flat=True):
                each = _mentioned(name) if isinstance(name, griffe.ExprName) else None
                if each and each.path not in known and each.path not in found:
                    found[each.path] = each
                    todo.append(each)
    return sorted(found.values(), key=lambda each: each.name)


def _mentioned(name: griffe.ExprName) -> griffe.Object | None:
    """Return the class or alias of the SDK that a name in an expression stands for, if it is one."""
    parent, path = name.parent, name.canonical_path
    if not isinstance(parent, griffe.Object) or not path.startswith("neptun_sdk."):
        return None
    try:
        found = _target(parent.modules_collection[path])
    except KeyError:  # what only a type checker imports
        return None
    return found if isinstance(found, griffe.Class | griffe.Attribute) else None


def _expressions(each: griffe.Object) -> Iterator[griffe.Expr]:
    if isinstance(each, griffe.Class):
        yield from (base for base in each.bases if isinstance(base, griffe.Expr))
        for member in _members(each):
            yield from _expressions(member)
    elif isinstance(each, griffe.Function):
        annotations = [each.returns, *(parameter.annotation for parameter in each.parameters)]
        yield from (annotation for annotation in annotations if isinstance(annotation, griffe.Expr))
        yield from chain.from_iterable(map(_expressions, each.overloads or ()))
    elif isinstance(each, griffe.Attribute):
        shown = (each.annotation, each.value if "module-attribute" in each.labels else None)
        yield from (expression for expression in shown if isinstance(expression, griffe.Expr))
        if each.setter:
            yield from _expressions(each.setter)


def _members(each: griffe.Class) -> list[griffe.Object]:
    """Return the public members of a class itself; ``__slots__`` and the like are none."""
    return [
        member
        for name, member in each.members.items()
        if isinstance(member, griffe.Function | griffe.Attribute)
        and (name[0] != "_" or (name.startswith("__") and isinstance(member, griffe.Function)))
    ]


def _object(each: griffe.Object) -> list[str]:
    if isinstance(each, griffe.Class):
        decorators = [f"@{decorator.value}" for decorator in each.decorators]
        bases = ", ".join([*map(str, each.bases), *(f"{name}={value}" for name, value in each.keywords.items())])
        body = [f"    {line}" for member in _members(each) for line in _object(member)]
        return [*decorators, f"class {each.name}{f'({bases})' if bases else ''}:", *(body or ["    ..."])]
    if isinstance(each, griffe.Function):
        return [line for function in each.overloads or [each] for line in _function(function)]
    if isinstance(each, griffe.Module):
        return [f"{each.name}: module"]
    assert isinstance(each, griffe.Attribute | griffe.TypeAlias)  # noqa: S101
    if isinstance(each, griffe.TypeAlias):
        return f"{each.name}: TypeAlias = {_wrapped(str(each.value))}".splitlines()
    if "property" in each.labels:
        getter = ["@property", f"def {each.name}(self) -> {each.annotation}: ..."]
        return [*getter, *(_function(each.setter) if each.setter else [])]
    if each.annotation is None:
        try:  # a constant, such as the version: its value is no promise
            return [f"{each.name}: {type(ast.literal_eval(str(each.value))).__name__}"]
        except (ValueError, SyntaxError):  # an alias, a TypeVar
            return [f"{each.name} = {each.value}"]
    of_class_or_module = each.labels & {"class-attribute", "module-attribute"}
    value = f" = {_value(each.value)}" if each.value is not None and of_class_or_module else ""
    return f"{each.name}: {each.annotation}{_wrapped(value)}".splitlines()


def _function(each: griffe.Function) -> list[str]:
    decorators = [f"@{decorator.value}" for decorator in each.decorators]
    keyword = "async def" if "async" in each.labels else "def"
    return [*decorators, *_signature(f"{keyword} {each.name}", each.parameters, each.returns)]


def _wrapped(value: str) -> str:
    """Give each value of a long Literal a line of its own."""
    if len(value) < 80:
        return value
    return re.sub(r"(?<=Literal\[)[^]]+", lambda values: "\n    " + values[0].replace(", ", ",\n    ") + ",\n", value)


def _signature(start: str, parameters: Iterable[griffe.Parameter], returns: object) -> list[str]:
    shown: list[str] = []
    last: griffe.ParameterKind | None = None
    for each in parameters:
        if last is _POSITIONAL_ONLY and each.kind is not _POSITIONAL_ONLY:
            shown.append("/")
        if each.kind is _KEYWORD_ONLY and last not in (_KEYWORD_ONLY, griffe.ParameterKind.var_positional):
            shown.append("*")
        last = each.kind
        annotation = "" if each.annotation is None else f": {each.annotation}"
        default = "" if each.default is None or each.kind in _STARS else f" = {_value(each.default)}"
        shown.append(f"{_STARS.get(each.kind or _KEYWORD_ONLY, '')}{each.name}{annotation}{default}")
    if last is _POSITIONAL_ONLY:
        shown.append("/")
    ending = f" -> {'None' if returns is None else returns}: ..."
    if len(shown) <= 2:
        return [f"{start}({', '.join(shown)}){ending}"]
    return [f"{start}(", *(f"    {each}," for each in shown), f"){ending}"]


def _value(value: object) -> str:
    """Return a default; one that is made from private names may change."""
    return "..." if re.search(r"\b_[A-Za-z]", str(value)) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail with a diff where the file differs")
    check = parser.parse_args().check
    text, path = snapshot(), SNAPSHOT.relative_to(ROOT).as_posix()
    if not check:
        SNAPSHOT.write_text(text, encoding="utf-8", newline="\n")
        print(f"wrote {path}")
        return
    written = SNAPSHOT.read_text(encoding="utf-8")
    if written != text:
        lines = (written.splitlines(), text.splitlines())
        print(*difflib.unified_diff(*lines, path, "the code", lineterm=""), sep="\n")
        sys.exit(f"api-snapshot: {path} is not what the code says; run `make changes` and commit the result.")


if __name__ == "__main__":
    main()
