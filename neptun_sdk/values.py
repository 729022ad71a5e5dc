"""Python values and JSON, by the annotations of resources and of generated code: one check for both ways."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from neptun_openapi import models as generated
from neptun_openapi.types import UNSET, Unset
from neptun_sdk import dialects
from neptun_sdk.arguments import integer, text
from neptun_sdk.models import Dialect, Resource


class Mismatch(ValueError):
    """A value does not have its type: what is wrong, and where, such as ``.owner.id``, from the value as a whole."""

    def __init__(self, problem: str, path: str = "") -> None:
        self.problem = problem
        self.path = path


class Kind(NamedTuple):
    """What an annotation allows. Both functions raise `Mismatch`.

    Attributes:
        read: From decoded JSON, in the names of a dialect, to a value.
        take: From an argument, of any like class, to a plain value that generated code takes.
        is_text: Whether it is a text.
        null: What a caller passes for null, if null has a meaning; ``None`` leaves a field as it is.
    """

    read: Callable[[Any, Dialect], Any]
    take: Callable[[Any], Any]
    is_text: bool = False
    null: object = None


class Field(NamedTuple):
    """A field of a resource or of a body, or a parameter."""

    kind: Kind
    is_required: bool


@cache
def kind_of(annotation: Any) -> Kind:
    """Return what an annotation of a resource or of generated code allows, but for `Unset`."""
    origin, arguments = get_origin(annotation), [each for each in get_args(annotation) if each is not Unset]
    if origin in (Union, UnionType):
        kinds = [each for each in arguments if each is not NoneType]
        if str in kinds:  # an open list of values
            kinds = [each for each in kinds if get_origin(each) is not Literal]
        if len(kinds) == 1:
            return _nullable(kind_of(kinds[0])) if NoneType in arguments else kind_of(kinds[0])
    elif origin is Literal:
        return _one_of(arguments)
    elif origin in (list, tuple):
        return _array(origin, kind_of(arguments[0]))
    elif Resource in getattr(annotation, "__mro__", ()):
        return _resource(annotation)
    elif hasattr(annotation, "from_dict"):  # a generated class
        return _object(annotation)
    # By what the class can do: freezegun replaces it.
    name = "datetime" if hasattr(annotation, "utcoffset") else getattr(annotation, "__name__", "")
    if name in _SCALARS:
        return _SCALARS[name]
    raise TypeError(f"teach the type {annotation} to kind_of() in neptun_sdk/values.py")


@cache
def fields_of(owner: Any) -> Mapping[str, Field]:
    """Return the fields of a resource or of a generated class, or the parameters of a generated function."""
    hints = get_type_hints(owner, localns=vars(generated))
    if hasattr(owner, "__dataclass_fields__"):
        required = {each.name for each in fields(owner) if each.default is MISSING}
    else:
        required = {name for name, hint in hints.items() if Unset not in get_args(hint)}
    found: dict[str, Field] = {}
    for name, hint in hints.items():
        if name in ("additional_properties", "body", "extra", "return"):  # whose types are other classes' matter
            continue
        try:
            found[name] = Field(kind_of(hint), name in required)
        except TypeError as exc:
            raise TypeError(f"{name} of {owner.__name__}: {exc}") from None
    return found


def take_all(known: Mapping[str, Field], given: Any) -> dict[str, Any]:
    """Return what generated code takes for the fields of a mapping, each checked, under their names in Python."""
    if not isinstance(given, Mapping):
        raise _must_be("a mapping", given)
    taken: dict[str, Any] = {}
    for name, value in cast("Mapping[str, Any]", given).items():
        own = python_name(name, known)
        if own not in known:
            raise Mismatch(f"is not one of {', '.join(known)}", f".{name}")
        try:
            taken[own] = known[own].kind.take(value)
        except Mismatch as exc:
            raise Mismatch(exc.problem, f".{name}{exc.path}") from None
    for name, (_, is_required) in known.items():
        if is_required and name not in taken:
            raise Mismatch("is missing", f".{name}")
    return taken


def make(body: Any, taken: Mapping[str, Any]) -> Any:
    """Make a generated object of what was taken; what was not given is `UNSET`, not the default of the contract."""
    return body(**{**dict.fromkeys(fields_of(body), UNSET), **taken})


def is_same(kind: Kind, sent: object, returned: object, dialect: Dialect) -> bool:
    """Tell whether JSON that came back is the value that was sent, which may be spelled in another way."""
    if isinstance(sent, str) and sent == returned:
        return True
    with suppress(Mismatch):
        return bool(kind.read(sent, dialect) == kind.read(returned, dialect))
    return False


def python_name(name: str, known: Mapping[str, object]) -> str:
    """Return the name in Python for one of the contract: in snake case, with ``_`` where it is Python's own."""
    if name in known:
        return name
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", name).lower()
    return next((each for each in (snake, f"{snake}_", snake.removesuffix("_")) if each in known), name)


def named_row(resource: Any, row: Mapping[str, Any], dialect: Dialect) -> Mapping[str, Any]:
    """Return the JSON object of a resource under the names of its fields in Python; no key is lost."""
    known = fields_of(resource)
    row = dialects.contract_row(resource, row, dialect)
    if row.keys() <= known.keys():
        return row
    names = {key: python_name(key, known) for key in row}
    return {key if names[key] in row else names[key]: value for key, value in row.items()}


def _resource(resource: Any) -> Kind:
    def read(value: Any, dialect: Dialect) -> Any:
        if not isinstance(value, dict):
            raise Mismatch("missing" if value is None else f"expected an object, got {type(value).__name__}")
        known = fields_of(resource)
        row = named_row(resource, cast("dict[str, Any]", value), dialect)
        values: dict[str, Any] = {}
        for name, (kind, is_required) in known.items():
            item = row.get(name)
            if item is None and (not is_required or name not in row):
                if is_required:
                    raise Mismatch("missing", f".{name}")
                values[name] = None
            else:
                try:  # as `_at` does, which would cost a call for each field
                    values[name] = kind.read(item, dialect)
                except Mismatch as exc:
                    raise Mismatch(exc.problem, f".{name}{exc.path}") from None
        return resource(**values, extra={key: item for key, item in row.items() if key not in known})

    return Kind(read, _take_text)  # no request has one


def _object(body: Any) -> Kind:
    def take(value: Any) -> Any:
        return make(body, take_all(fields_of(body), value))

    return Kind(_as_it_is, take)


def _as_it_is(value: Any, _: Dialect) -> Any:
    return value


def _at(place: str, function: Callable[..., Any], *values: Any) -> Any:
    try:
        return function(*values)
    except Mismatch as exc:
        raise Mismatch(exc.problem, place + exc.path) from None


def _expected(name: str, value: object) -> Mismatch:
    return Mismatch(f"expected {name}, got {'null' if value is None else type(value).__name__}")


def _must_be(name: str, value: object) -> Mismatch:
    return Mismatch(f"must be {name}, not {type(value).__name__}")


def _nullable(kind: Kind) -> Kind:
    def read(value: Any, dialect: Dialect) -> Any:
        return None if value is None else kind.read(value, dialect)

    return kind._replace(read=read)


def _one_of(values: list[Any]) -> Kind:
    words = " or ".join(map(repr, values))

    def take(value: Any) -> Any:
        if value in values:
            return values[values.index(value)]  # of an enum, the plain value
        raise Mismatch(f"must be {words}")

    def read(value: Any, _: Dialect) -> Any:
        if value in values:
            return value
        raise Mismatch(f"expected {words}, got {str(value)[:40]!a}")

    return Kind(read, take, is_text=isinstance(values[0], str))


def _array(make: Callable[[Iterable[Any]], Any], item: Kind) -> Kind:
    def read(value: Any, dialect: Dialect) -> Any:
        if not hasattr(value, "sort"):  # decoded JSON is a list, or has no order
            raise _expected("a list", value)
        return make(_at(f"[{at}]", item.read, each, dialect) for at, each in enumerate(value))

    def take(value: Any) -> Any:
        if any(hasattr(value, name) for name in ("encode", "decode", "keys")) or not hasattr(value, "__iter__"):
            raise _must_be("a list", value)
        return [_at(f"[{at}]", item.take, each) for at, each in enumerate(value)]

    return Kind(read, take)


def _read_scalar(types: tuple[type[Any], ...], value: Any, _: Dialect) -> Any:
    if type(value) in types:  # exactly, because JSON's true is a Python int
        return value
    raise _expected(types[0].__name__, value)


# RFC 3339, section 5.6; Python's own parser also reads week dates, a comma, a zone without minutes and more.
_DATE_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")


def _read_datetime(value: object, _: Dialect) -> datetime:
    if not isinstance(value, str):
        raise _expected("date-time", value)
    upper = value.upper()
    with suppress(ValueError):  # such as a leap second, which Python cannot hold
        if _DATE_TIME.fullmatch(upper):
            return datetime.fromisoformat(upper)
    raise Mismatch(f"expected a date-time with a time zone, got {value[:40]!a}")


def _take_int(value: object) -> int:
    number = integer(value)
    if number is None:
        raise _must_be("an int", value)
    if not -(2**63) <= number < 2**63:
        raise Mismatch("must be an int64, from -2**63 to 2**63 - 1")
    return number


def _take_float(value: Any) -> float:
    if integer(value) is not None:
        return _take_int(value)
    if isinstance(value, bool | str) or not hasattr(value, "__float__"):
        raise _must_be("a number", value)
    if not math.isfinite(value):
        raise Mismatch("must be a finite number: JSON has no other")
    return float(value)


def _take_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise _must_be("a bool", value)


def _take_text(value: object) -> str:
    if not isinstance(value, str):
        raise _must_be("a str", value)
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Mismatch("has a lone surrogate, which UTF-8 cannot encode") from None
    return text(value)


def _take_datetime(value: Any) -> datetime:
    if not hasattr(value, "utcoffset"):
        raise _must_be("a datetime", value)
    if value.utcoffset() is None:
        raise Mismatch("must be a datetime with a time zone")
    return cast("datetime", value.astimezone(UTC))


_SCALARS: Mapping[str, Kind] = {
    "bool": Kind(partial(_read_scalar, (bool,)), _take_bool),
    "int": Kind(partial(_read_scalar, (int,)), _take_int),
    "float": Kind(partial(_read_scalar, (float, int)), _take_float),  # JSON has one type of number
    "str": Kind(partial(_read_scalar, (str,)), _take_text, is_text=True),
    "datetime": Kind(_read_datetime, _take_datetime),
}
