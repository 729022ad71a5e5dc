"""What the embedded Neptun stores: rows of every resource, in memory."""

import re
import secrets
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from neptun_sdk.models import Dialect

Row = dict[str, Any]

USER_ID = "user_id"  # the path parameter that says whose rows a request is about
OWNER = "neptun_user_id"  # the field that says whose a row is


@dataclass(frozen=True)
class Resource:
    """A kind of row.

    Attributes:
        name: What the contract calls it in envelopes and messages.
        path_id: The path parameter that holds its id; rows of its children hold the id in a field of this name.
        parent: The resource it belongs to, if any.
    """

    name: str
    path_id: str
    parent: "Resource | None" = None


PROJECT = Resource("project", "project_id")
IMPORT = Resource("import", "import_id", parent=PROJECT)
RESOURCES = {resource.path_id: resource for resource in (PROJECT, IMPORT)}

# What there is at the start. The first user's rows are those of the two published curl lines.
SEED_IDS: Mapping[Resource, list[Row]] = {
    PROJECT: [{"id": 123, OWNER: 1}, {"id": 789, OWNER: 1}, {"id": 790, OWNER: 2}],
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
_CREATED_AT = "2025-02-16T17:42:11.000Z"
_COOKIE = re.compile(r"[!#-+\--:<-\[\]-~]+")  # what RFC 6265 allows in the value of a cookie


@dataclass(frozen=True)
class Account:
    """A user of the embedded Neptun, with a session, a project and an import in it."""

    user_id: int
    project_id: int
    import_id: int
    session_cookie: str = field(repr=False)


class RowNotFoundError(LookupError):
    """There is no such row, or it is not the user's, or not its parent's."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        super().__init__(f"{resource.name.capitalize()} not found")


class State:
    """The rows and the users of one embedded Neptun. Every method may be called from many threads at once.

    Args:
        dialect: The dialect whose fields the rows have.
        session_cookie: The first user's session; None makes one.

    Raises:
        ValueError: ``session_cookie`` is no value of a cookie.
    """

    def __init__(self, dialect: Dialect, session_cookie: str | None = None) -> None:
        if session_cookie is not None and not _COOKIE.fullmatch(session_cookie):
            raise ValueError("session_cookie must be the value of a cookie: no space, comma, semicolon or quote")
        self._seeds = SEEDS[dialect]
        self.lock: AbstractContextManager[bool] = threading.RLock()
        self.accounts: list[Account] = [
            Account(user_id=1, project_id=789, import_id=123, session_cookie=session_cookie or new_session()),
            Account(user_id=2, project_id=790, import_id=124, session_cookie=new_session()),
        ]
        self.reset()

    def reset(self) -> None:
        """Store what there was at the start; sessions stay."""
        tables: dict[Resource, dict[int, Row]] = {
            resource: {ids["id"]: self.new_row(resource, ids) for ids in SEED_IDS.get(resource, ())}
            for resource in RESOURCES.values()
        }
        with self.lock:
            self._tables = tables

    def account_of(self, session_cookie: str) -> Account | None:
        """Return the user to whom a session belongs, or None."""
        for account in self.accounts:
            if secrets.compare_digest(account.session_cookie.encode(), session_cookie.encode()):
                return account
        return None

    def find(self, ids: Mapping[str, int]) -> Row:
        """Return the row that the ids of a path name: the stored one, not a copy; an empty one if they name none.

        Raises:
            RowNotFoundError: A row on the way is missing, is not the user's, or is in another parent.
        """
        row: Row = {}
        with self.lock:
            for resource in (RESOURCES[name] for name in ids if name != USER_ID):
                row = self._tables[resource].get(ids[resource.path_id], {})
                parent = resource.parent and resource.parent.path_id
                if row.get(OWNER) != ids[USER_ID] or (parent and row[parent] != ids[parent]):
                    raise RowNotFoundError(resource)
        return row

    def rows(self, resource: Resource) -> dict[int, Row]:
        """Return copies of all rows of a resource, by id."""
        with self.lock:
            return {row_id: dict(row) for row_id, row in self._tables[resource].items()}

    def new_row(self, resource: Resource, fields: Mapping[str, Any]) -> Row:
        """Return a row with these fields, and with those of the seeds for the rest; it is not stored."""
        times = {"created_at": _CREATED_AT, "updated_at": _CREATED_AT}
        return {"id": fields["id"], **self._seeds.get(resource, {}), **times, **fields}

    def next_id(self, resource: Resource) -> int:
        """Return an id that no row has."""
        with self.lock:
            return 1 + max(self._tables[resource], default=0)

    def add(self, resource: Resource, row: Row) -> None:
        """Store a new row."""
        with self.lock:
            self._tables[resource][row["id"]] = row

    def update(self, row: Row, changes: Mapping[str, Any]) -> Row:
        """Set fields of a stored row, move its ``updated_at`` forward, and return a copy of it."""
        with self.lock:
            # Two updates within one millisecond must still move it forward.
            moment = max(datetime.now(UTC), _parse(row["updated_at"] or _CREATED_AT) + timedelta(milliseconds=1))
            row.update(changes, updated_at=_format(moment))
            return dict(row)


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
