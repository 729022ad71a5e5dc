"""Update and Outcome: what goes into a bulk run, and what comes out of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, Protocol, TypeAlias, cast, runtime_checkable

from neptun_sdk.arguments import check_id
from neptun_sdk.errors import ArgumentError, NeptunError
from neptun_sdk.models import Dialect
from neptun_sdk.operations import ROWS, Operation, prepare
from neptun_sdk.values import Mismatch

NULL = "<null>"  # in a cell of a CSV file

_encode = json.JSONEncoder(sort_keys=True, default=repr).encode

Status: TypeAlias = Literal["applied", "refused", "unknown", "unsent"]
FILE_HASH = "file:"  # how the hash of a file begins: it is not compared with one of updates
Target: TypeAlias = tuple[int, int | None]  # a project, or an import inside it


@dataclass(frozen=True, slots=True)
class Update:
    """One update of a project, or of an import inside it.

    Attributes:
        project_id: The id of the project.
        import_id: The id of the import; ``None`` updates the project itself.
        fields: The fields to set, by the names that `NeptunClient.update_project` or
            `NeptunClient.update_project_import` takes. ``None`` leaves a field as it is, ``""`` clears a text.
    """

    project_id: int
    import_id: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)

    def __str__(self) -> str:
        return f"project {self.project_id}" + ("" if self.import_id is None else f", import {self.import_id}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one update.

    Attributes:
        update: The update.
        status: ``applied``, ``refused`` (it was not applied), ``unknown`` (it may have been applied) or ``unsent``;
            that is also one for which no connection could be made.
        error: The error of the last attempt, whose ``.applied`` the status follows; ``None`` if there was none. Of an
            earlier run, it is made again from the journal: its class, its text, ``.applied``.
        row: The number of the update in the input, from 1.
        attempts: How many requests this run sent, or tried to.
        earlier: The outcome is that of an earlier run with the same journal; nothing was sent now.
        again: A later run with the same journal sends the update again. It is unsent, or a further attempt may show
            what became of it, or the reason for its refusal may pass: a 429, the session, a wrong user. Else its
            outcome is final, an unknown one too, and the next update of the same project or import is sent.
        resent: An earlier run may have applied the update: it was under way when that run ended, or its outcome was
            unknown. It was sent again.
    """

    update: Update
    status: Status
    error: NeptunError | None = None
    row: int = 0
    attempts: int = 0
    earlier: bool = False
    again: bool = False
    resent: bool = False


def target_of(update: Update) -> Target:
    """Return what is updated: rows with the same target are sent one after the other."""
    return update.project_id, update.import_id


def ids_of(update: Update) -> tuple[int, ...]:
    """Return the ids of an update, in the order of the client's method."""
    return (update.project_id,) if update.import_id is None else (update.project_id, update.import_id)


def operation_of(update: Update) -> Operation[Any]:
    """Return the operation that sends an update: the one that updates what its ids name."""
    return _operations()["project_id" if update.import_id is None else "import_id"]


@cache
def _operations() -> Mapping[str, Operation[Any]]:
    """Return the operations that update, by the id of what they update; of two with the same, the first row's."""
    return {each.ids[-1]: each for each in reversed(ROWS) if each.updates}


@cache
def _texts(operation: Operation[Any]) -> frozenset[str]:
    """Return the fields of an operation that are texts."""
    return frozenset(name for name, known in operation.fields.items() if known.kind.is_text)


def of_file(project_id: int, import_id: int | None, values: Mapping[str, Any], *, are_cells: bool) -> Update | str:
    """Return the update of a row of a file, with values of the types of its fields, or what is wrong with it.

    Args:
        project_id: The id of the project.
        import_id: The id of the import, if it is one.
        values: The fields, as decoded JSON or as the cells of CSV. In a cell, a text stands as it is, a date-time as in
            JSON without quotes, anything else as JSON, and ``<null>`` for null.
        are_cells: Whether they are cells.
    """
    update = Update(project_id, import_id, values)
    operation = operation_of(update)
    if values.keys() <= _texts(operation) and NULL not in values.values():
        return update
    known = operation.fields
    typed = dict(values)
    for name, value in values.items():
        if name not in known or (known[name].kind.is_text and value != NULL):
            continue  # `check` says what is wrong with it
        kind = known[name].kind
        if value is None or (are_cells and value == NULL):
            typed[name] = kind.null
            if are_cells and kind.null is None:
                return f"{name} cannot be null"
            continue
        if are_cells:
            with suppress(ValueError):
                value = json.loads(value)
        try:
            typed[name] = kind.read(value, "documented")
        except Mismatch as exc:
            return f"{name}{exc.path}: {exc.problem}"
    return Update(project_id, import_id, typed)


class Checker:
    """Checks the updates of a run, as the client's methods do, before anything is sent.

    What depends on the names of the fields is checked once for each set of names, by `prepare`. Later updates with the
    same names only have their values checked.

    Args:
        dialect: The dialect of the client that sends the updates.
        mask: Takes the session out of a text: a field that holds it would take it into a task.
    """

    def __init__(self, dialect: Dialect, mask: Callable[[str], str] | None = None) -> None:
        self._dialect: Dialect = dialect
        self._mask = mask
        self._known: dict[tuple[object, ...], list[Callable[[Any], Any]]] = {}

    def fields(self, update: Update) -> dict[str, Any]:
        """Return the fields to send, or raise `ArgumentError`."""
        if not isinstance(cast("object", update.fields), dict):
            return self._check(update)
        given = cast("dict[str, Any]", update.fields)
        names = (update.import_id is None, *given)
        checks = self._known.get(names)
        if checks is not None and self._is_right(update, checks):
            return dict(given)
        fields = self._check(update)
        if len(fields) == len(given):  # None is left out, and its name not checked for the dialect
            operation = operation_of(update)
            self._known[names] = [operation.fields[name].kind.take for name in given]
        return fields

    def _is_right(self, update: Update, checks: list[Callable[[Any], Any]]) -> bool:
        """Tell whether the ids and the values of an update are right. If not, `_check` says what is wrong."""
        try:
            ids = [check_id("id", each) for each in ids_of(update)]
            values = [take(value) for take, value in zip(checks, update.fields.values(), strict=True)]
        except (ArgumentError, Mismatch):  # None is one: it leaves a field out
            return False
        if self._mask is None:
            return True
        texts = "\n".join(map(str, (*ids, *values)))
        return self._mask(texts) == texts

    def _check(self, update: Update) -> dict[str, Any]:
        operation = operation_of(update)
        try:
            names = field_names(operation)
            given = cast("object", update.fields)
            if not isinstance(given, Mapping):
                raise ArgumentError(f"fields must be a mapping, not {type(given).__name__}; nothing was sent.")
            for name in update.fields:
                if name not in names:
                    raise ArgumentError(f"there is no field {name!r}, only {', '.join(names)}; nothing was sent.")
            ids = {"project_id": update.project_id, "import_id": update.import_id}
            arguments = {name: ids.get(name) for name in operation.ids[1:]} | dict.fromkeys(names) | dict(update.fields)
            prepare(operation, arguments, user_id=1, dialect=self._dialect, mask=self._mask or str)
        except ArgumentError as error:
            raise ArgumentError(f"{operation.name}: {error}", operation=operation.name, applied=False) from None
        return {name: value for name, value in update.fields.items() if value is not None}


def all_fields() -> tuple[str, ...]:
    """Return the fields that any operation that updates can set."""
    return tuple(dict.fromkeys(name for operation in _operations().values() for name in operation.fields))


def field_names(operation: Operation[Any]) -> tuple[str, ...]:
    """Return the fields that an operation can set, which are keywords of the client's method."""
    return tuple(operation.fields)


def canonical(update: Update) -> bytes:
    """Return an update as bytes that are the same for the same update, whatever the order of its fields."""
    given = cast("object", update.fields)
    if not isinstance(given, dict) and isinstance(given, Mapping):  # the encoder knows dictionaries only
        given = dict(cast("Mapping[object, object]", given))
    try:
        text = _encode([update.project_id, update.import_id, given])
    except (TypeError, ValueError):  # keys that are not texts; such an update is refused
        text = repr(update)
    return text.encode("ascii", "backslashreplace") + b"\n"


def content_of(row: int, update: object) -> bytes:
    """Return the bytes of a row, or raise `ArgumentError` if it is not an update."""
    if not isinstance(update, Update):
        raise ArgumentError(
            f"row {row} must be a neptun_sdk.bulk.Update, not {type(update).__name__}; it was not sent."
        )
    return canonical(update)


def hash_of(updates: Iterable[Update]) -> str:
    """Return the hash of an input that can be read again; of a file, that of its bytes."""
    if isinstance(updates, _File):
        return updates.input_hash()
    whole = hashlib.sha256()
    for row, update in enumerate(updates, 1):
        whole.update(content_of(row, update))
    return whole.hexdigest()


@runtime_checkable
class _File(Protocol):
    def input_hash(self) -> str: ...


def digest(content: bytes) -> str:
    """Return a short hash of an update, by which a later run recognizes it."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()
