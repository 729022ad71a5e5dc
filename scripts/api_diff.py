"""Compare two snapshots of the Python interface: the diff, a line a change, and the level of them all.

griffe judges what was removed or became required. What it does not look at is judged here: the types of parameters,
returns and attributes, the values of a ``Literal``, bases and decorators.
"""

import argparse
import ast
import difflib
import re
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TypeAlias

import griffe
from api_snapshot import NOT_EXPORTED
from changes import Change, at_least, highest, in_order, is_enough, parse

CALLERS, READERS, TYPED = "those who call it", "those who use what it returns", "those who check types"
_DEPRECATED = re.compile(r"(\w+\.)?deprecated\(")
_VARIADIC = (griffe.ParameterKind.var_positional, griffe.ParameterKind.var_keyword)

Interface: TypeAlias = dict[str, griffe.Module]


def compare(old: str, new: str) -> list[Change]:
    """Return what changed between the texts of two snapshots, the most breaking first."""
    before, after = _parse(old), _parse(new)
    changes: list[Change] = []
    for name, module in before.items():
        if name in after:
            changes += chain.from_iterable(rule(module, after[name]) for rule in (_by_griffe, _exports, _members))
        else:
            changes.append(Change("major", name, "the module was removed", "those who import it"))
    changes += [Change("minor", name, "the module was added") for name in after if name not in before]
    if not changes and old.splitlines()[1:] != new.splitlines()[1:]:
        changes.append(Change("patch", "the snapshot", "differs in a way that changes nothing for callers"))
    return in_order(changes)


def read(path: Path) -> tuple[str, str]:
    """Return the text of a snapshot, and the version of the SDK that it names; raises `SystemExit` if it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        sys.exit(f"api-diff: {path} cannot be read ({exc.strerror}); `make api-snapshot` writes one.")
    found = re.match(r"# The public Python interface of neptun-sdk (\S+),", text)
    if not found:
        sys.exit(f"api-diff: {path} is no snapshot of the Python interface; `make api-snapshot` writes one.")
    try:
        parse(found[1])
    except ValueError:
        sys.exit(f"api-diff: __version__ is {found[1]!r}; write three numbers, such as '1.2.3'.")
    return text, found[1]


def _parse(text: str) -> Interface:
    """Read the modules of a snapshot, which are Python in form."""
    _, *parts = re.split(r"^# from (\S+)$", text, flags=re.MULTILINE)
    modules: Interface = {}
    for name, code in zip(parts[::2], parts[1::2], strict=True):
        collection = griffe.ModulesCollection()
        module = griffe.visit(name, Path(f"{name}.py"), code, modules_collection=collection)
        collection[name.partition(".")[0]] = module  # where griffe looks bases up
        module.exports = list(module.members)  # all of it is judged, underscore or not
        exported, marked, _ = code.partition(NOT_EXPORTED)
        for member in module.members.values() if marked else ():
            if (member.lineno or 0) > exported.count("\n"):
                member.labels.add(NOT_EXPORTED)
        modules[name] = module
    return modules


def _by_griffe(old: griffe.Module, new: griffe.Module) -> Iterator[Change]:
    for each in griffe.find_breaking_changes(old, new):
        if each.kind is griffe.BreakageKind.CLASS_REMOVED_BASE:
            continue  # it counts the bases; `_class` follows them
        parameter = each.old_value or each.new_value
        what = each.kind.value[0].lower() + each.kind.value[1:]
        if isinstance(parameter, griffe.Parameter):
            what += f": {parameter.name}"
        if each.kind is griffe.BreakageKind.PARAMETER_CHANGED_DEFAULT:
            what += f" = {each.old_value.default}, now {each.new_value.default}"
        yield Change("major", each.obj.path, what, "those who use it")


def _exports(old: griffe.Module, new: griffe.Module) -> Iterator[Change]:
    """What is no longer exported stays in the snapshot if something else mentions it."""
    for name in (name for name in old.members if name in new.members):
        before, after = (NOT_EXPORTED not in each.members[name].labels for each in (old, new))
        if before and not after:
            yield Change("major", f"{new.path}.{name}", "is no longer exported", "those who import it")
        elif after and not before:
            yield Change("minor", f"{new.path}.{name}", "is exported now")


def _members(old: griffe.Module | griffe.Class, new: griffe.Module | griffe.Class) -> Iterator[Change]:
    for name, after in new.members.items():
        before = old.members.get(name)
        if before is None and name not in old.all_members:
            yield Change("minor", after.path, "was added")
        elif isinstance(before, griffe.Class) and isinstance(after, griffe.Class):
            yield from _class(before, after)
        elif isinstance(before, griffe.Function) and isinstance(after, griffe.Function):
            yield from _function(before, after)
        elif isinstance(before, griffe.Attribute) and isinstance(after, griffe.Attribute):
            yield from _attribute(before, after)


def _class(old: griffe.Class, new: griffe.Class) -> Iterator[Change]:
    for name in sorted(_ancestors(old) - _ancestors(new)):
        yield Change("major", new.path, f"is no longer a {name}", "those who catch or check for it")
    for name in sorted(_ancestors(new) - _ancestors(old)):
        yield Change("minor", new.path, f"is now a {name} too")
    yield from _decorators(old, new)
    if old.keywords != new.keywords:
        yield Change("major", new.path, "the keywords of the class changed", TYPED)
    yield from _members(old, new)


def _ancestors(each: griffe.Class) -> set[str]:
    found: set[str] = set()
    for base in map(str, each.bases):
        found.add(base)
        parent = each.module.members.get(base)
        if isinstance(parent, griffe.Class):
            found |= _ancestors(parent)
    return found


def _decorators(old: griffe.Class | griffe.Function, new: griffe.Class | griffe.Function) -> Iterator[Change]:
    before, after = ([str(decorator.value) for decorator in each.decorators] for each in (old, new))
    deprecated, deprecated_now = (any(map(_DEPRECATED.match, decorators)) for decorators in (before, after))
    if deprecated_now and not deprecated:
        yield Change("minor", new.path, "is deprecated")
    before, after = ([name for name in each if not _DEPRECATED.match(name)] for each in (before, after))
    if before != after:
        yield Change("major", new.path, f"the decorators went from {before} to {after}", "those who use it")


def _function(old: griffe.Function, new: griffe.Function) -> Iterator[Change]:
    yield from _decorators(old, new)
    if old.labels & {"async"} != new.labels & {"async"}:
        yield Change("major", new.path, "async was added or removed", CALLERS)
    for after in new.parameters:
        if after.name not in old.parameters:
            if not after.required or after.kind in _VARIADIC:
                yield Change("minor", new.path, f"the optional parameter {after.name} was added")
            continue
        before = old.parameters[after.name]
        if after.kind and before.kind is not after.kind:
            yield Change("minor", new.path, f"the parameter {after.name} is {after.kind.value} now")
        if before.required and not after.required:
            yield Change("minor", new.path, f"the parameter {after.name} became optional")
        yield from _type(f"{new.path}({after.name})", before.annotation, after.annotation, accepts=True)
    if str(old.returns) != "None":
        yield from _type(f"{new.path}()", old.returns, new.returns, accepts=False)
    elif str(new.returns) != "None":  # nobody uses what returns nothing
        yield Change("minor", f"{new.path}()", f"returns {new.returns} now, not None")


def _type(where: str, old: object, new: object, *, accepts: bool) -> Iterator[Change]:
    """Judge a type: what is accepted may grow, and what is returned may shrink."""
    before, after = _union(old), _union(new)
    if before == after:
        return
    safe = before <= after if accepts else after <= before
    what = f"the type went from {old} to {new}"
    yield Change("minor", where, what) if safe else Change("major", where, what, CALLERS if accepts else READERS)


def _attribute(old: griffe.Attribute, new: griffe.Attribute) -> Iterator[Change]:
    if str(new.annotation) == str(old.annotation) == "TypeAlias":
        before, after = _union(old.value), _union(new.value)
        if before - after:
            yield Change("major", new.path, f"no longer takes {', '.join(sorted(before - after))}", TYPED)
        if after - before:
            yield Change("minor", new.path, f"takes {', '.join(sorted(after - before))} too")
        return
    if old.labels & {"property"} != new.labels & {"property"} and "writable" not in new.labels:
        yield Change("minor", new.path, "a property became an attribute, or the other way round")
    keyword = isinstance(new.parent, griffe.Class) and "TypedDict" in map(str, new.parent.bases)
    yield from _type(new.path, old.annotation, new.annotation, accepts=keyword)
    default, default_now = (None if each.value is None else str(each.value) for each in (old, new))
    if default is None and default_now is not None:
        yield Change("minor", new.path, f"has a default now: {default_now}")
    elif default != default_now:
        yield Change("major", new.path, f"its default went from {default} to {default_now or 'none'}", READERS)


def _union(annotation: object) -> frozenset[str]:
    """Return the members of a union, each value of a ``Literal`` for itself."""
    return frozenset() if annotation is None else frozenset(_split(ast.parse(str(annotation), mode="eval").body))


def _split(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from chain(_split(node.left), _split(node.right))
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Literal":
        values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        yield from (f"Literal[{ast.unparse(value)}]" for value in values)
    elif isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] in ("Optional", "Union"):
        members = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice, ast.Constant(None)]
        yield from chain.from_iterable(map(_split, members))
    else:
        yield ast.unparse(node)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--check-version", action="store_true", help="fail where the SDK's version rises too little")
    arguments = parser.parse_args()
    (old, released), (new, now) = read(arguments.old), read(arguments.new)
    for line in difflib.unified_diff(
        old.splitlines()[1:], new.splitlines()[1:], str(arguments.old), str(arguments.new), lineterm=""
    ):
        print(line)
    changes = compare(old, new)
    for change in changes:
        print(change)
    level = highest(changes)
    needed = at_least(released, level)
    # Between two releases the version is still that of the last one.
    failed = arguments.check_version and now != released and not is_enough(now, released, level)
    if failed:
        print(f"api-diff: __version__ is {now}: after {released}, {needed} is the lowest that fits.", file=sys.stderr)
    elif now == released and level != "none":
        print(f"the next release: {needed} or more")
    print(f"level: {level}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
