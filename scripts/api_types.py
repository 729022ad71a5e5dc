"""Types and default values of the Python interface, compared by what they mean and not by how they are written."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

# What a type may stand in for, beside itself; the classes of the SDK come in addition.
BASES: Mapping[str, tuple[str, ...]] = {
    "bool": ("int",),
    "int": ("float",),
    "float": ("complex",),
    "datetime": ("date",),
    "Path": ("PurePath",),
    "PurePath": ("PathLike",),
    "list": ("MutableSequence",),
    "MutableSequence": ("Sequence",),
    "tuple": ("Sequence",),
    "str": ("Sequence",),
    "bytes": ("Sequence",),
    "Sequence": ("Collection", "Reversible"),
    "dict": ("MutableMapping",),
    "MutableMapping": ("Mapping",),
    "Mapping": ("Collection",),
    "set": ("MutableSet",),
    "MutableSet": ("AbstractSet",),
    "frozenset": ("AbstractSet",),
    "AbstractSet": ("Collection",),
    "Collection": ("Iterable", "Sized", "Container"),
    "Generator": ("Iterator",),
    "Iterator": ("Iterable",),
}
# Old spellings of typing.
SPELLED = {"List": "list", "Dict": "dict", "Tuple": "tuple", "Set": "set", "FrozenSet": "frozenset", "Type": "type"}
# Can be changed by who gets it, so that a list of something else is another type, however close.
MUTABLE = {"list", "dict", "set", "MutableSequence", "MutableMapping", "MutableSet"}
OPERATORS: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Div: lambda left, right: left / right,
    ast.Pow: lambda left, right: left**right,
    ast.LShift: lambda left, right: left << right,
}


class Type(NamedTuple):
    """A type that is no union: its name without its module, and its arguments, each a union."""

    name: str
    arguments: tuple["Union", ...] = ()

    def __str__(self) -> str:
        return self.name + (f"[{', '.join(map(written, self.arguments))}]" if self.arguments else "")


Union: TypeAlias = frozenset[Type]
# Names that stand for a type, and what they stand for.
Aliases: TypeAlias = Mapping[str, ast.expr]
# What each class of the SDK derives from.
Classes: TypeAlias = Mapping[str, Iterable[str]]


def written(union: Union) -> str:
    """Return a union as text; the order of its members means nothing."""
    return " | ".join(sorted(map(str, union)))


def union(annotation: ast.expr | None, aliases: Aliases) -> Union:
    """Read an annotation; one that is missing takes anything."""
    return frozenset(_read(annotation, aliases)) if annotation is not None else frozenset({Type("Any")})


def _read(node: ast.expr, aliases: Aliases) -> Iterator[Type]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        yield from _read(node.left, aliases)
        yield from _read(node.right, aliases)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # a forward reference
        try:
            yield from _read(ast.parse(node.value, mode="eval").body, aliases)
        except SyntaxError:
            yield Type(node.value)
    elif isinstance(node, ast.Name | ast.Attribute):
        name = ast.unparse(node).rpartition(".")[2]
        alias = aliases.get(name)
        if alias is None:
            yield Type(SPELLED.get(name, name))
        else:
            yield from _read(alias, {other: value for other, value in aliases.items() if other != name})
    elif isinstance(node, ast.Subscript):
        yield from _read_generic(node, aliases)
    else:
        yield Type(ast.unparse(node))


def _read_generic(node: ast.Subscript, aliases: Aliases) -> Iterator[Type]:
    name = ast.unparse(node.value).rpartition(".")[2]
    arguments = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if name == "Literal":
        yield from (Type(f"Literal[{ast.unparse(each)}]") for each in arguments)
    elif name == "Optional":
        yield from (*_read(arguments[0], aliases), Type("None"))
    elif name == "Union":
        for each in arguments:
            yield from _read(each, aliases)
    elif name == "Annotated":
        yield from _read(arguments[0], aliases)
    else:
        yield Type(SPELLED.get(name, name), tuple(frozenset(_read(each, aliases)) for each in arguments))


def fits(given: Union, wanted: Union, classes: Classes) -> bool:
    """Tell whether each member of a union may stand where another union is wanted."""
    return all(any(_fits(each, other, classes) for other in wanted) for each in given)


def _fits(given: Type, wanted: Type, classes: Classes) -> bool:
    if given == wanted or wanted.name in ("Any", "object"):
        return True
    if given.name.startswith("Literal["):
        value = value_of(ast.parse(given.name[len("Literal[") : -1], mode="eval").body)
        return wanted.name == type(value).__name__
    if wanted.name != given.name and wanted.name not in ancestors(given.name, classes):
        return False
    if not wanted.arguments or (wanted.name != given.name and not given.arguments):
        return True
    if wanted.name in MUTABLE or len(given.arguments) != len(wanted.arguments):
        return given.arguments == wanted.arguments
    return all(fits(mine, its, classes) for mine, its in zip(given.arguments, wanted.arguments, strict=True))


def ancestors(name: str, classes: Classes) -> set[str]:
    """Return what a class derives from, however far."""
    found: set[str] = set()
    todo = [name]
    while todo:
        for base in (*BASES.get(name := todo.pop(), ()), *classes.get(name, ())):
            if base not in found:
                found.add(base)
                todo.append(base)
    return found


def value_of(node: ast.expr) -> Any:
    """Return the value of a default, or its text if it is no literal and no sum of literals."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = value_of(node.left), value_of(node.right)
        if isinstance(left, int | float) and isinstance(right, int | float):
            return OPERATORS[type(node.op)](left, right)
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)


def same_value(old: ast.expr, new: ast.expr) -> bool:
    """Tell whether two defaults are the same: 2 is 2.0, but True is not 1."""
    before, after = value_of(old), value_of(new)
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)
