"""What the embedded Neptun stores: rows of every resource, in memory."""

import re
import secrets
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox.resources import USER, Resource, Step, Table
from neptun_sdk.sandbox.spec import SAMPLE_TIME

Row = dict[str, Any]

OWNER = "neptun_user_id"  # the field that names the owner of a row
TIMES = ("created_at", "updated_at")

PROJECT = Resource("project", "project_id")
IMPORT = Resource("import", "import_id", parent=PROJECT)

# The initial rows of resources that are not made from the contract alone. The first user's rows are those of the two
# published curl lines; the first of them is the one in the examples of the contract.
SEED_IDS: Mapping[Resource, list[Row]] = {
    PROJECT: [{"id": 789, OWNER: 1}, {"id": 123, OWNER: 1}, {"id": 790, OWNER: 2}],
    IMPORT: [{"id": 123, OWNER: 1, "project_id": 789}, {"id": 124, OWNER: 2, "project_id": 790}],
}
SEEDS: Mapping[Dialect, Mapping[Resource, Row]] = {
    "documented": {
        PROJECT: {
            "name": "My project",
            "description": "A project to try things on",
            "project_type": "web-site",
            "programming_language": "typescript",
        },
        IMPORT: {
            "source_type": "github",
            "source_path": "username/repository",
            "title": "GitHub import",
            "description": "Imported from a GitHub repository",
        },
    },
    "deployed": {
        PROJECT: {
            "name": "My project",
            "description": "A project to try things on",
            "type": "web-site",
            "main_language": "typescript",
            "prompt_context": None,
        },
        IMPORT: {
            "source_type": "public_github_repository_url",
            "source_path": "https://github.com/username/repository",
            "source_ref": None,
            "import_status": "complete",
            "error_message": None,
            "file_tree": None,
        },
    },
}
_OWNERS = (1, 1, 2)  # of the rows that are made from the contract
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # what RFC 6265 allows in the value of a cookie


@dataclass(frozen=True)
class Account:
    """A user of the embedded Neptun, with a session, a project and an import in it."""

    user_id: int
    project_id: int
    import_id: int
    session_cookie: str = field(repr=False)


class RowNotFoundError(LookupError):
    """The row does not exist, or belongs to another user or another parent."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        super().__init__(f"{resource.name.capitalize()} not found")


class State:
    """The rows and the users of one embedded Neptun. Every method may be called from many threads at once.

    Args:
        dialect: The dialect whose fields the rows have.
        tables: One for each resource of the contract, parents first.
        session_cookie: The first user's session; None makes one.

    Attributes:
        answers: The responses to successful requests with an idempotency key, by operation, user and key.

    Raises:
        ValueError: ``session_cookie`` is not a valid cookie value.
    """

    def __init__(self, dialect: Dialect, tables: Mapping[Resource, Table], session_cookie: str | None = None) -> None:
        if session_cookie is not None and not _COOKIE.fullmatch(session_cookie):
            raise ValueError("session_cookie must be the value of a cookie: no space, comma, semicolon or quote")
        self.tables: Mapping[Resource, Table] = tables
        self._bases = {resource: _base(dialect, table) for resource, table in tables.items()}
        self.lock: AbstractContextManager[bool] = threading.RLock()
        self.accounts: list[Account] = [
            Account(user_id=1, project_id=789, import_id=123, session_cookie=session_cookie or new_session()),
            Account(user_id=2, project_id=790, import_id=124, session_cookie=new_session()),
        ]
        self.reset()

    def reset(self) -> None:
        """Store the initial rows; sessions stay."""
        with self.lock:
            self.answers: dict[tuple[str, int, object], tuple[object, Mapping[str, str]]] = {}
            self._rows: dict[Resource, dict[Any, Row]] = {resource: {} for resource in self.tables}
            for resource in self.tables:
                for fields in self._seeds(resource):
                    self.add(resource, self.new_row(resource, fields))

    def _seeds(self, resource: Resource) -> Iterator[Row]:
        """Yield the distinguishing fields of each initial row."""
        if resource in SEED_IDS:
            yield from SEED_IDS[resource]
        elif resource == USER:
            yield from ({"id": account.user_id, OWNER: account.user_id} for account in self.accounts)
        else:
            for owner in _OWNERS:
                row: Row = {OWNER: owner}
                if resource.parent:
                    row[resource.parent.path_id] = next(each["id"] for each in self.owned(resource.parent, row))
                yield row

    def account_of(self, session_cookie: str) -> Account | None:
        """Return the user to whom a session belongs, or None."""
        for account in self.accounts:
            if secrets.compare_digest(account.session_cookie.encode(), session_cookie.encode()):
                return account
        return None

    def find(self, steps: Sequence[Step], values: Mapping[str, Any], owner: int) -> list[Row]:
        """Return the stored rows that a path names, in its order: not copies.

        Raises:
            RowNotFoundError: One of them is missing, is not the user's, or is in another parent.
        """
        found: list[Row] = []
        links: Row = {OWNER: owner}
        with self.lock:
            for step in steps:
                rows = self.find_all(step.resource, step.key, values[step.parameter.name])
                row = next((row for row in rows if _is_linked(row, links)), None)
                if row is None:
                    raise RowNotFoundError(step.resource)
                found.append(row)
                links[step.resource.path_id] = row["id"]
        return found

    def find_all(self, resource: Resource, key: str, value: object) -> list[Row]:
        """Return the stored rows with this value of a field."""
        with self.lock:
            rows = self._rows[resource]
            if key == "id":
                return [rows[value]] if value in rows else []
            return [row for row in rows.values() if row.get(key) == value]

    def owned(self, resource: Resource, links: Mapping[str, Any]) -> list[Row]:
        """Return the stored rows of a user and of the rows that a path names, by the values of the fields ``links``."""
        with self.lock:
            return [row for row in self._rows[resource].values() if _is_linked(row, links)]

    def rows(self, resource: Resource) -> dict[Any, Row]:
        """Return copies of all rows of a resource, by id."""
        with self.lock:
            return {row_id: dict(row) for row_id, row in self._rows[resource].items()}

    def problems(self, resource: Resource, row: Row) -> list[str]:
        """Return the problems of a row by the contract."""
        table = self.tables[resource]
        parent = resource.parent
        hidden = {"id", OWNER, *TIMES, *table.keys, *([parent.path_id] if parent else [])}
        unknown = [name for name in row if table.fields and name not in table.fields and name not in hidden]
        problems = [f"{name} is not one of its fields" for name in unknown]
        for schema in table.schemas:
            shown = {name: row[name] for name in schema.fields if name in row}
            for issue in schema.issues(shown) or schema.unknown(shown):
                problems.append(f"{issue.field}: {issue.message}".removeprefix(": "))
        return list(dict.fromkeys(problems))

    def new_row(self, resource: Resource, fields: Mapping[str, Any]) -> Row:
        """Return a row with these fields, unused ids, and samples for the rest, without storing it."""
        with self.lock:
            keys = [key for key in ("id", *self.tables[resource].keys) if key not in fields]
            return {**self._bases[resource], **{key: self._new_key(resource, key) for key in keys}, **fields}

    def _new_key(self, resource: Resource, key: str) -> object:
        table = self.tables[resource]
        parameter = table.keys.get(key)
        schema = table.fields.get(key) or (parameter.schema if parameter else None)
        first = parameter.sample if parameter else schema.sample() if schema else 1
        taken = {row[key] for row in self._rows[resource].values()}
        if not isinstance(first, str):
            return 1 + max(taken) if taken else first
        # "sample-2" of "sample"; where the contract does not allow it, the last digits change, as of a UUID.
        texts = (
            text for number in map(str, count(2)) for text in (f"{first}-{number}", first[: -len(number)] + number)
        )
        free = (text for text in texts if text not in taken and (schema is None or not schema.issues(text)))
        return first if first not in taken else next(free)

    def add(self, resource: Resource, row: Row) -> Row:
        """Store a new row, and return it."""
        with self.lock:
            self._rows[resource][row["id"]] = row
            return row

    def update(self, row: Row, changes: Mapping[str, Any]) -> Row:
        """Set fields of a stored row, move its ``updated_at`` forward, and return a copy of it."""
        with self.lock:
            row.update(changes, updated_at=_moved(row["updated_at"]))
            return dict(row)

    def delete(self, resource: Resource, row: Row) -> None:
        """Delete a stored row, and what belongs to it."""
        with self.lock:
            del self._rows[resource][row["id"]]
            for child in self.tables:
                if child.parent == resource:
                    for each in self.find_all(child, resource.path_id, row["id"]):
                        self.delete(child, each)

    def tag(self, resource: Resource, row: Row) -> str:
        """Return the entity tag of a stored row; before its first update, the example of the contract."""
        version = self.tables[resource].version
        is_new = row["updated_at"] == self._bases[resource]["updated_at"]
        return str(version.sample) if version and is_new else f'"{row["updated_at"]}"'


def _is_linked(row: Row, links: Mapping[str, Any]) -> bool:
    return all(row.get(name, value) == value for name, value in links.items())


def _base(dialect: Dialect, table: Table) -> Row:
    """Return the fields that every new row of a resource has."""
    seeds = SEEDS[dialect].get(table.resource, {})
    # A deployed server has other names for some of these.
    is_known = dialect == "deployed" and bool(seeds)
    samples = [] if is_known else [*(schema.sample() for schema in reversed(table.schemas)), table.example]
    made: Row = {name: value for sample in samples for name, value in sample.items()}
    times = {name: made.get(name) if isinstance(made.get(name), int) else SAMPLE_TIME for name in TIMES}
    return {"id": None, **made, **seeds, **times}


def _moved(timestamp: Any) -> Any:
    """Return a later timestamp: this moment, or the next if two updates are within one millisecond."""
    if isinstance(timestamp, int):
        return timestamp + 1
    return _format(max(datetime.now(UTC), _parse(timestamp or SAMPLE_TIME) + timedelta(milliseconds=1)))


def now() -> str:
    """Return this moment as a timestamp."""
    return _format(datetime.now(UTC))


def later(timestamp: str, *, milliseconds: int) -> str:
    """Return a timestamp moved forward."""
    return _format(_parse(timestamp) + timedelta(milliseconds=milliseconds))


def new_session() -> str:
    """Return a session that looks like a real one, of 441 characters."""
    return f"Fe26.2**{secrets.token_urlsafe(400)}"[:441]


def _parse(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp)


def _format(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
