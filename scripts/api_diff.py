"""Compare two snapshots of the Python interface: the diff, a line a change, and the level of them all.

A snapshot is Python in form, and is read as that. What is accepted may grow, and what is returned may shrink; what a
user implements, such as a protocol, may do neither.
"""

import argparse
import ast
import difflib
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeAlias

import api_packaging
from api_snapshot import NOT_EXPORTED, PACKAGING
from api_types import Classes, ancestors, fits, same_value, union, value_of, written
from changes import Change, at_least, highest, in_order, is_enough, parse

CALLERS, READERS, TYPED = "those who call it", "those who use what it returns", "those who check types"
IMPORTERS, IMPLEMENTERS = "those who import it", "those who implement it"
POSITIONAL, BY_NAME = ("positional-only", "positional or keyword"), ("positional or keyword", "keyword-only")

# A member of a module or a class: every definition of its name, such as overloads, or a getter and a setter.
Member: TypeAlias = list[ast.stmt]
Def: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass
class Interface:
    """A snapshot, read.

    Attributes:
        modules: Of each module, its members by name.
        hidden: The members that nothing exports, as ``module.name``.
        classes: Every class, by name, with what it derives from.
        aliases: Every name for a type, with what it stands for.
        returned: The names in the types of what is returned or read.
    """

    modules: dict[str, dict[str, Member]] = field(default_factory=dict[str, dict[str, Member]])
    hidden: set[str] = field(default_factory=set[str])
    classes: dict[str, ast.ClassDef] = field(default_factory=dict[str, ast.ClassDef])
    aliases: dict[str, ast.expr] = field(default_factory=dict[str, ast.expr])
    returned: set[str] = field(default_factory=set[str])
    packaging: api_packaging.Packaging = field(default_factory=dict[str, dict[str, str]])

    @cached_property
    def bases(self) -> Classes:
        """What each class derives from, once all of the snapshot is read."""
        return {name: [_last(base) for base in node.bases] for name, node in self.classes.items()}


class Pair(NamedTuple):
    """The two interfaces that are compared."""

    old: Interface
    new: Interface


def compare(old: str, new: str) -> list[Change]:
    """Return what changed between the texts of two snapshots, the most breaking first."""
    pair = Pair(_read(old), _read(new))
    before, after = pair.old.modules, pair.new.modules
    removed, added, both = _names_of(before, after)
    changes = [Change("major", name, "the module was removed or renamed", IMPORTERS) for name in removed]
    changes += [Change("minor", name, "the module was added") for name in added]
    for name in both:
        changes += _exports(pair, name)
        changes += _members(pair, name, before[name], after[name])
    if pair.old.packaging:  # the first snapshots had none
        changes += api_packaging.compare(pair.old.packaging, pair.new.packaging)
    if not changes and old.splitlines()[1:] != new.splitlines()[1:]:
        changes.append(Change("patch", "the snapshot", "differs in a way that changes nothing for callers"))
    return in_order(changes)


def read(path: Path) -> tuple[str, str]:
    """Return the text of a snapshot, and the version of the SDK that it names; raises `SystemExit` if it is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as exc:
        sys.exit(f"api-diff: {path} cannot be read ({exc.strerror}); `make changes` writes one.")
    found = re.match(r"# The public Python interface of neptun-sdk (\S+),", text)
    if not found:
        sys.exit(f"api-diff: {path} is not a snapshot of the Python interface; `make changes` writes one.")
    try:
        parse(found[1])
    except ValueError:
        sys.exit(f"api-diff: __version__ is {found[1]!r}; write three numbers, such as '1.2.3'.")
    return text, found[1]


def _read(text: str) -> Interface:
    found = Interface()
    _, *parts = re.split(r"^# from (\S+)$", text, flags=re.MULTILINE)
    for module, code in zip(parts[::2], parts[1::2], strict=True):
        body = ast.parse(code).body
        if module == PACKAGING:
            found.packaging = ast.literal_eval(body[0].value) if isinstance(body[0], ast.Assign) else {}
            continue
        found.modules[module] = _by_name(body)
        exported, marked, _ = code.partition(NOT_EXPORTED)
        for node in body:
            if marked and node.lineno > exported.count("\n"):
                found.hidden.add(f"{module}.{_name(node)}")
            if isinstance(node, ast.ClassDef):
                found.classes[node.name] = node
            elif alias := _alias(node):
                found.aliases[_name(node)] = alias
    for node in chain.from_iterable(chain.from_iterable(each.values()) for each in found.modules.values()):
        found.returned |= _returned(node)
    for name, value in reversed(found.aliases.items()):  # an alias of an alias
        found.returned |= _names(value) if name in found.returned else set()
    return found


def _by_name(body: list[ast.stmt]) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for node in body:
        if name := _name(node):
            members.setdefault(name, []).append(node)
    return members


def _name(node: ast.stmt) -> str:
    if isinstance(node, ast.ClassDef | Def):
        return node.name
    targets = [node.target] if isinstance(node, ast.AnnAssign) else node.targets if isinstance(node, ast.Assign) else []
    return ast.unparse(targets[0]) if targets else ""


def _alias(node: ast.stmt) -> ast.expr | None:
    """Return what a name stands for, if it is one for a type."""
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation).endswith("TypeAlias"):
        return node.value
    return node.value if isinstance(node, ast.Assign) and not isinstance(node.value, ast.Call) else None


def _names(node: ast.AST | None) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)} if node else set()


def _returned(node: ast.stmt) -> set[str]:
    """Return the names in the types of what callers get: returns and attributes."""
    if isinstance(node, Def):
        return _names(node.returns)
    if isinstance(node, ast.ClassDef):
        accepted = "TypedDict" in map(_last, node.bases)
        return set() if accepted else set(chain.from_iterable(map(_returned, node.body)))
    return _names(node.annotation) if isinstance(node, ast.AnnAssign) else set()


def _last(node: ast.expr) -> str:
    """Return a name without its module and its arguments."""
    return ast.unparse(node.value if isinstance(node, ast.Subscript) else node).rpartition(".")[2]


def _exports(pair: Pair, module: str) -> Iterator[Change]:
    """What is no longer exported stays in the snapshot if something else mentions it."""
    for name in _names_of(pair.old.modules[module], pair.new.modules[module])[2]:
        path = f"{module}.{name}"
        if path not in pair.old.hidden and path in pair.new.hidden:
            yield Change("major", path, "is no longer exported", IMPORTERS)
        elif path in pair.old.hidden and path not in pair.new.hidden:
            yield Change("minor", path, "is exported now")


def _members(pair: Pair, path: str, old: dict[str, Member], new: dict[str, Member]) -> Iterator[Change]:
    removed, added, both = _names_of(old, new)
    for name in removed:
        yield Change("major", f"{path}.{name}", "was removed or renamed", "those who use it")
    for name in added:
        yield Change("minor", f"{path}.{name}", "was added")
    for name in both:
        yield from _member(pair, f"{path}.{name}", old[name], new[name])


def _names_of(old: Iterable[str], new: Iterable[str]) -> tuple[list[str], list[str], list[str]]:
    """Return what was removed, what was added, and what is in both, in their order."""
    before, after = list(old), list(new)
    removed, both = ([name for name in before if (name in after) is wanted] for wanted in (False, True))
    return removed, [name for name in after if name not in before], both


def _member(pair: Pair, path: str, old: Member, new: Member) -> Iterator[Change]:
    before, after = old[0], new[0]
    if isinstance(before, ast.ClassDef) and isinstance(after, ast.ClassDef):
        yield from _class(pair, path, before, after)
    elif _is_attribute(old) and _is_attribute(new):
        yield from _attribute(pair, path, old, new)
    elif _kind(old) != _kind(new):
        yield Change("major", path, f"is {_kind(new)}, no longer {_kind(old)}", "those who use it")
    elif isinstance(before, Def):
        yield from _overloads(pair, path, _functions(old), _functions(new))
    elif ast.unparse(before) != ast.unparse(after):
        yield from _value(pair, path, before, after)


def _kind(member: Member) -> str:
    node = member[0]
    if isinstance(node, ast.ClassDef):
        return "a class"
    return "an attribute" if _is_attribute(member) else "a function" if isinstance(node, Def) else "a name"


def _decorators(node: Def | ast.ClassDef) -> list[str]:
    return [ast.unparse(each) for each in node.decorator_list]


def _is_attribute(member: Member) -> bool:
    node = member[0]
    return (isinstance(node, ast.AnnAssign) and not _alias(node)) or (
        isinstance(node, Def) and "property" in _decorators(node)[-1:]
    )


def _functions(member: Member) -> list[Def]:
    return [node for node in member if isinstance(node, Def)]


def _value(pair: Pair, path: str, old: ast.stmt, new: ast.stmt) -> Iterator[Change]:
    """Judge an alias, by its values, or a `TypeVar`, by its text."""
    before, after = _alias(old), _alias(new)
    if before is None or after is None:
        yield Change("major", path, f"went from {ast.unparse(old)} to {ast.unparse(new)}", TYPED)
        return
    was, now = union(before, pair.old.aliases), union(after, pair.new.aliases)
    if removed := was - now:
        yield Change("major", path, f"no longer takes {written(removed)}", TYPED)
    if added := now - was:
        matched = path.rpartition(".")[2] in pair.old.returned and not fits(added, was, pair.old.bases)
        what = f"takes {written(added)} too"
        whom = "those who match each value of what is returned"
        yield Change("major", path, what, whom) if matched else Change("minor", path, what)


def _class(pair: Pair, path: str, old: ast.ClassDef, new: ast.ClassDef) -> Iterator[Change]:
    bases, bases_now = (ancestors(node.name, side.bases) for node, side in ((old, pair.old), (new, pair.new)))
    for name in sorted(bases - bases_now):
        yield Change("major", path, f"is no longer a {name}", "those who catch or check for it")
    for name in sorted(bases_now - bases):
        yield Change("minor", path, f"is now a {name} too")
    yield from _decorated(path, old, new)
    keywords, keywords_now = ({each.arg: ast.unparse(each.value) for each in node.keywords} for node in (old, new))
    if keywords != keywords_now:
        yield Change("major", path, "the keywords of the class changed", TYPED)
    mine, mine_now = _by_name(old.body), _by_name(new.body)
    inherited, inherited_now = _inherited(pair.old, old), _inherited(pair.new, new)
    # A change of what both inherit is one of the class that has it.
    old_members = mine | {name: each for name, each in inherited.items() if name in mine_now and name not in mine}
    new_members = mine_now | {
        name: each for name, each in inherited_now.items() if name in mine and name not in mine_now
    }
    changes = _members(pair, path, old_members, new_members)
    fields, fields_now = (
        [name for name in members if name in mine and name in mine_now] for members in (mine, mine_now)
    )
    if "NamedTuple" in bases and fields != fields_now:
        yield Change("major", path, "the order of its fields changed", "those who make or unpack it")
    if "Protocol" in bases:
        yield from (each._replace(level="major", breaks=each.breaks or IMPLEMENTERS) for each in changes)
        return
    for change in changes:
        added = new_members.get(change.where.rpartition(".")[2], [])
        abstract = any("abstractmethod" in " ".join(_decorators(each)) for each in added if isinstance(each, Def))
        matched = old.name in pair.old.returned and bases & {"Enum", "StrEnum", "IntEnum", "Flag", "IntFlag"}
        if change.what == "was added" and "NamedTuple" in bases:
            yield change._replace(level="major", breaks="those who make or unpack it")
        elif change.what == "was added" and abstract:
            yield change._replace(level="major", breaks=IMPLEMENTERS)
        elif change.what == "was added" and matched and isinstance(added[0], ast.Assign | ast.AnnAssign):
            yield change._replace(level="major", breaks="those who match each value of what is returned")
        else:
            yield change


def _inherited(side: Interface, node: ast.ClassDef) -> dict[str, Member]:
    found: dict[str, Member] = {}
    for name in ancestors(node.name, side.bases):
        found |= _by_name(side.classes[name].body) if name in side.classes else {}
    return found


def _decorated(path: str, old: Def | ast.ClassDef, new: Def | ast.ClassDef) -> Iterator[Change]:
    before, after = (dict(map(_decorator, node.decorator_list)) for node in (old, new))
    for name in ("override", "overload"):  # they say nothing to callers
        before.pop(name, None)
        after.pop(name, None)
    deprecated, deprecated_now = before.pop("deprecated", None), after.pop("deprecated", None)
    if deprecated_now and not deprecated:
        yield Change("minor", path, "is deprecated")
    for name, added in (("abstractmethod", IMPLEMENTERS), ("final", "those who derive from it")):
        was, now = before.pop(name, None), after.pop(name, None)
        if now is not None and was is None:
            yield Change("major", path, f"is {name.removesuffix('method')} now", added)
        elif was is not None and now is None:
            yield Change("minor", path, f"is no longer {name.removesuffix('method')}")
    for each in (before, after):
        each.get("dataclass", {}).pop("order", None)  # more comparisons break nobody; fewer are a method that is gone
    if before != after:
        texts = " to ".join(str(_decorators(node)) for node in (old, new))
        yield Change("major", path, f"the decorators went from {texts}", "those who use it")


# What `dataclass` does unless it is told otherwise.
DATACLASS = {"init": True, "repr": True, "eq": True}


def _decorator(node: ast.expr) -> tuple[str, dict[str | None, object]]:
    if not isinstance(node, ast.Call):
        return _last(node), {}
    keywords = {each.arg: value_of(each.value) for each in node.keywords}
    if _last(node.func) == "dataclass":
        keywords = {name: value for name, value in keywords.items() if value is not DATACLASS.get(str(name), False)}
    return _last(node.func), {**keywords, **({"": [ast.unparse(each) for each in node.args]} if node.args else {})}


def _overloads(pair: Pair, path: str, old: list[Def], new: list[Def]) -> Iterator[Change]:
    """Compare each signature with the one that fits best: whoever called an overload must still be able to."""
    for before in old:
        candidates = [list(_function(pair, path, before, after)) for after in new]
        yield from min(candidates, key=lambda changes: ("none", "patch", "minor", "major").index(highest(changes)))
    if len(new) > len(old):
        yield Change("minor", path, "an overload was added")


def _function(pair: Pair, path: str, old: Def, new: Def) -> Iterator[Change]:
    yield from _decorated(path, old, new)
    if type(old) is not type(new):
        yield Change("major", path, "async was added or removed", CALLERS)
    yield from _parameters(pair, path, old.args, new.args)
    if old.returns is None or ast.unparse(old.returns) != "None":
        yield from _type(pair, f"{path}()", old.returns, new.returns, accepts=False)
    elif new.returns is not None and ast.unparse(new.returns) != "None":  # nobody uses what returns nothing
        yield Change("minor", f"{path}()", f"returns {ast.unparse(new.returns)} now, not None")


class _Parameter(NamedTuple):
    kind: str
    position: int
    annotation: ast.expr | None
    default: ast.expr | None


def _signature(arguments: ast.arguments) -> dict[str, _Parameter]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults = [*([None] * (len(positional) - len(arguments.defaults))), *arguments.defaults]
    found: dict[str, _Parameter] = {}
    for position, (each, default) in enumerate(zip(positional, defaults, strict=True)):
        kind = POSITIONAL[0] if position < len(arguments.posonlyargs) else POSITIONAL[1]
        found[each.arg] = _Parameter(kind, position, each.annotation, default)
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        found[each.arg] = _Parameter(BY_NAME[1], -1, each.annotation, default)
    for star, variadic in (("*", arguments.vararg), ("**", arguments.kwarg)):
        if variadic:
            found[star] = _Parameter(star, -1, variadic.annotation, ast.Constant(None))
    return found


def _parameters(pair: Pair, path: str, old: ast.arguments, new: ast.arguments) -> Iterator[Change]:
    before, after = _signature(old), _signature(new)
    # What has no name for callers is found by its place.
    places = {parameter.position: name for name, parameter in after.items() if parameter.position >= 0}
    before = {
        places.get(parameter.position, name)
        if parameter.kind == POSITIONAL[0] and name not in after
        else name: parameter
        for name, parameter in before.items()
    }
    for name in _names_of(before, after)[0]:
        yield Change("major", path, f"the parameter {name} was removed or renamed", CALLERS)
    for name, parameter in after.items():
        if name not in before and parameter.default is None:
            yield Change("major", path, f"the parameter {name} was added as required", CALLERS)
        elif name not in before:
            yield Change("minor", path, f"the optional parameter {name} was added")
    for name in _names_of(before, after)[2]:
        was, now = before[name], after[name]
        if any(was.kind in kinds and now.kind not in kinds for kinds in (POSITIONAL, BY_NAME)):
            yield Change("major", path, f"the parameter {name} is {now.kind} now, no longer {was.kind}", CALLERS)
        elif was.kind != now.kind:
            yield Change("minor", path, f"the parameter {name} is {now.kind} now")
        if was.kind in POSITIONAL and now.kind in POSITIONAL and was.position != now.position:
            yield Change(
                "major", path, f"the parameter {name} moved from place {was.position} to {now.position}", CALLERS
            )
        if was.default is None and now.default is not None:
            yield Change("minor", path, f"the parameter {name} became optional")
        elif was.default is not None and now.default is None:
            yield Change("major", path, f"the parameter {name} is required now", CALLERS)
        elif was.default is not None and now.default is not None and not same_value(was.default, now.default):
            what = f"the default of {name} went from {ast.unparse(was.default)} to {ast.unparse(now.default)}"
            yield Change("major", path, what, CALLERS)
        yield from _type(pair, f"{path}({name})", was.annotation, now.annotation, accepts=True)


def _type(pair: Pair, where: str, old: ast.expr | None, new: ast.expr | None, *, accepts: bool) -> Iterator[Change]:
    """Judge a type: what is accepted may grow, and what is returned may shrink."""
    before, after = (written(union(each, {})) for each in (old, new))
    if before == after:  # a change of an alias is one of the alias
        return
    was, now = union(old, pair.old.aliases), union(new, pair.new.aliases)
    classes = pair.new.bases
    grew, shrank = fits(was, now, classes), fits(now, was, classes)
    what = f"the type went from {before} to {after}"
    if grew if accepts else shrank:
        if not (grew and shrank):
            yield Change("minor", where, what)
    else:
        yield Change("major", where, what, CALLERS if accepts else READERS)


def _attribute(pair: Pair, path: str, old: Member, new: Member) -> Iterator[Change]:
    (was, setter), (now, setter_now) = _accessors(old), _accessors(new)
    owner = path.split(".")[-2]
    if isinstance(old[0], Def) != isinstance(new[0], Def):
        yield Change("minor", path, "a property became an attribute, or the other way round")
        if isinstance(new[0], Def) and not setter_now and not _is_frozen(pair.old, owner):
            yield Change("major", path, "can no longer be set", "those who set it")
    in_typed_dict = "TypedDict" in ancestors(owner, pair.old.bases)
    yield from _type(pair, path, was, now, accepts=in_typed_dict)
    if setter and not setter_now:
        yield Change("major", path, "can no longer be set", "those who set it")
    elif setter_now and not setter:
        yield Change("minor", path, "can be set now")
    elif setter and setter_now:
        yield from _type(pair, f"{path} =", setter[0], setter_now[0], accepts=True)
    default, default_now = (node.value if isinstance(node, ast.AnnAssign) else None for node in (old[0], new[0]))
    if default is None and default_now is not None:
        yield Change("minor", path, f"has a default now: {ast.unparse(default_now)}")
    elif default is not None and (default_now is None or not same_value(default, default_now)):
        now_text = "none" if default_now is None else ast.unparse(default_now)
        yield Change("major", path, f"its default went from {ast.unparse(default)} to {now_text}", READERS)


def _is_frozen(side: Interface, owner: str) -> bool:
    node = side.classes.get(owner)
    return node is not None and dict(map(_decorator, node.decorator_list)).get("dataclass", {}).get("frozen") is True


def _accessors(member: Member) -> tuple[ast.expr | None, tuple[ast.expr | None] | None]:
    """Return the type that is read, and the one that may be set, if there is a setter."""
    if isinstance(member[0], ast.AnnAssign):
        return member[0].annotation, None
    getter, *others = _functions(member)
    for each in others:
        if any(name.endswith(".setter") for name in _decorators(each)):
            return getter.returns, (each.args.args[-1].annotation,)
    return getter.returns, None


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
