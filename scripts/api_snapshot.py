"""Write api/python.txt: every public name of the Python interface, with its full signature and types.

It is Python in form, so that a reviewer reads its diff, and griffe and ``api_diff.py`` read the whole.
"""

import argparse
import ast
import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import griffe

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "api" / "python.txt"
MODULES = ("neptun_sdk", "neptun_sdk.bulk", "neptun_sdk.sandbox", "pytest_neptun")
# Stands before the classes that signatures and bases mention, although nothing exports them.
NOT_EXPORTED = "# not exported, but mentioned above"
HEADER = "# The public Python interface of neptun-sdk {}, written by `make api-snapshot`."
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
    public = {name: _public(loader.modules_collection[name]) for name in MODULES}
    documented = {each.path for objects in public.values() for each in objects}
    for name, objects in public.items():
        lines += ["", "", f"# from {name}"]
        for each in objects:
            lines += ["", *_object(each)]
        helpers = _helpers(objects, documented)
        lines += ["", "", NOT_EXPORTED] if helpers else []
        for each in helpers:
            lines += ["", *_object(each)]
    return "\n".join(lines) + "\n"


def _public(module: griffe.Module) -> list[griffe.Object]:
    names = module.exports
    if names is None:  # a plugin of pytest: its functions are its fixtures
        return [each for each in module.members.values() if isinstance(each, griffe.Function)]
    return [_target(module.members[str(name)]) for name in sorted(names, key=str)]


def _target(member: griffe.Object | griffe.Alias) -> griffe.Object:
    return member.final_target if isinstance(member, griffe.Alias) else member


def _helpers(public: list[griffe.Object], known: set[str]) -> list[griffe.Class]:
    """Return the classes of the SDK that signatures and bases mention, although nothing exports them."""
    found: dict[str, griffe.Class] = {}
    todo = list(public)
    while todo:
        for expression in _expressions(todo.pop()):
            for name in expression.iterate(flat=True):
                each = _class(name) if isinstance(name, griffe.ExprName) else None
                if each and each.path not in known and each.path not in found:
                    found[each.path] = each
                    todo.append(each)
    return sorted(found.values(), key=lambda each: each.name)


def _class(name: griffe.ExprName) -> griffe.Class | None:
    """Return the class of the SDK that a name in an expression stands for, if it is one."""
    parent, path = name.parent, name.canonical_path
    if not isinstance(parent, griffe.Object) or not path.startswith("neptun_sdk."):
        return None
    found = _target(parent.modules_collection[path])
    return found if isinstance(found, griffe.Class) else None


def _expressions(each: griffe.Object) -> Iterator[griffe.Expr]:
    if isinstance(each, griffe.Class):
        yield from (base for base in each.bases if isinstance(base, griffe.Expr))
        for member in _members(each):
            yield from _expressions(member)
    elif isinstance(each, griffe.Function):
        annotations = [each.returns, *(parameter.annotation for parameter in each.parameters)]
        yield from (annotation for annotation in annotations if isinstance(annotation, griffe.Expr))
    elif isinstance(each, griffe.Attribute) and isinstance(each.annotation, griffe.Expr):
        yield each.annotation


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
        decorators = [f"@{decorator.value}" for decorator in each.decorators]
        keyword = "async def" if "async" in each.labels else "def"
        return [*decorators, *_signature(f"{keyword} {each.name}", each.parameters, each.returns)]
    assert isinstance(each, griffe.Attribute)  # noqa: S101
    if "property" in each.labels:
        return ["@property", f"def {each.name}(self) -> {each.annotation}: ..."]
    if each.annotation is None:  # a constant, such as the version: its value is no promise
        return [f"{each.name}: {type(ast.literal_eval(str(each.value))).__name__}"]
    of_class_or_module = each.labels & {"class-attribute", "module-attribute"}
    value = f" = {_value(each.value)}" if each.value is not None and of_class_or_module else ""
    return f"{each.name}: {each.annotation}{_wrapped(value)}".splitlines()


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
        sys.exit(f"api-diff: {path} is not what the code says; run `make api-snapshot` and commit the result.")


if __name__ == "__main__":
    main()
