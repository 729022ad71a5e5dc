"""What the embedded Neptun remembers, and the rules that a schema cannot say."""

import re
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from neptun_sdk.dialects import Dialect
from neptun_sdk.sandbox.spec import known_values, request_fields

Row = dict[str, Any]

# The format of a source_path, by source_type; a type that is not here takes any path but an empty one.
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
_PATH_FORMATS = {
    "github": (_REPOSITORY, "owner/repository"),
    "github_repository_installation": (_REPOSITORY, "owner/repository"),
    "public_github_repository_url": (
        re.compile(r"https://github\.com/" + _REPOSITORY.pattern + "/?"),
        "https://github.com/owner/repository",
    ),
}
_ANY_PATH = (re.compile(r"[^\0]+"), "a path that is not empty")


@attrs.frozen
class Account:
    """A seeded user: whose session it is, and what they own."""

    user_id: int
    project_id: int
    import_id: int
    session_cookie: str = attrs.field(repr=False)


@attrs.frozen
class Issue:
    """One problem of a request: which field it is about, and what is wrong with it."""

    field: str
    message: str


class State:
    """Two users, a project and an import each, in memory. Every method may be called from many threads at once.

    Args:
        dialect: Whose fields the rows have.
    """

    def __init__(self, dialect: Dialect = "documented") -> None:
        self._lock = threading.Lock()
        self.accounts: list[Account] = [
            Account(user_id=1, project_id=789, import_id=123, session_cookie=new_session()),
            Account(user_id=2, project_id=790, import_id=124, session_cookie=new_session()),
        ]
        new_project, new_import = _SEEDS[dialect]
        self._projects = {account.project_id: new_project(account) for account in self.accounts}
        self._imports = {account.import_id: new_import(account) for account in self.accounts}

    def account_of(self, session_cookie: str | None) -> Account | None:
        """The user to whom a session belongs, or ``None`` where there is no such session."""
        for account in self.accounts:
            if secrets.compare_digest(account.session_cookie.encode(), (session_cookie or "").encode()):
                return account
        return None

    def project(self, user_id: int, project_id: int) -> Row | None:
        """A project as it is now, or ``None`` where the user has no such project."""
        with self._lock:
            row = self._projects.get(project_id)
            return dict(row) if row and row["neptun_user_id"] == user_id else None

    def project_import(self, user_id: int, project_id: int, import_id: int) -> Row | None:
        """An import as it is now, or ``None`` where the user's project has no such import."""
        with self._lock:
            row = self._imports.get(import_id)
            return dict(row) if row and (row["neptun_user_id"], row["project_id"]) == (user_id, project_id) else None

    def store_project(self, project_id: int, changes: Mapping[str, Any]) -> Row:
        """Set fields of a project, whatever they are, and return it."""
        with self._lock:
            return _store(self._projects[project_id], changes)

    def store_import(self, import_id: int, changes: Mapping[str, Any]) -> Row:
        """Set fields of an import, whatever they are, and return it."""
        with self._lock:
            return _store(self._imports[import_id], changes)

    def update_project(self, project_id: int, changes: Mapping[str, Any]) -> Row | list[Issue]:
        """Apply the fields given to a project and return it, or change nothing and return what is wrong with them."""
        return self._update(self._projects[project_id], "UpdateProjectRequest", changes, lambda row: [])

    def update_project_import(self, import_id: int, changes: Mapping[str, Any]) -> Row | list[Issue]:
        """Apply the fields given to an import and return it, or change nothing and return what is wrong with them."""

        def path_issues(row: Row) -> list[Issue]:
            pattern, expected = _PATH_FORMATS.get(row["source_type"], _ANY_PATH)
            if "source_path" not in changes or pattern.fullmatch(row["source_path"]):
                return []
            return [Issue("source_path", f"Invalid source_path for {row['source_type']}. Expected {expected}")]

        return self._update(self._imports[import_id], "UpdateProjectImportRequest", changes, path_issues)

    def _update(
        self, row: Row, schema: str, changes: Mapping[str, Any], rules: Callable[[Row], list[Issue]]
    ) -> Row | list[Issue]:
        # Fields that the contract does not let a request set are ignored.
        changes = {name: value for name, value in changes.items() if name in request_fields(schema)}
        issues: list[Issue] = []
        for name, value in changes.items():
            known = known_values(schema, name)
            if known and value not in known:
                issues.append(Issue(name, refused_value(known, value)))
        with self._lock:
            issues = issues or rules({**row, **changes})
            if issues:
                return issues
            return _store(row, changes)


def _store(row: Row, changes: Mapping[str, Any]) -> Row:
    # Two updates within one millisecond must still move it forward.
    earliest = datetime.fromisoformat(row["updated_at"]) + timedelta(milliseconds=1)
    row.update(changes, updated_at=_timestamp(max(datetime.now(UTC), earliest)))
    return dict(row)


def new_session() -> str:
    """A session that looks like a real one, of 441 characters."""
    return f"Fe26.2**{secrets.token_urlsafe(400)}"[:441]


def quoted(options: list[str]) -> str:
    """The values of an enum, as an error lists them."""
    return " | ".join(f"'{option}'" for option in options)


def refused_value(options: list[str], value: str) -> str:
    """What a server says of a value that is not one of an enum's."""
    return f"Invalid enum value. Expected {quoted(options)}, received '{value}'"


def _new_project(account: Account) -> Row:
    return {
        "id": account.project_id,
        "name": "My project",
        "description": "A project to try things on",
        "project_type": "web-site",
        "programming_language": "typescript",
        **_origin(account),
    }


def _new_import(account: Account) -> Row:
    return {
        "id": account.import_id,
        "source_type": "github",
        "source_path": "username/repository",
        "title": "GitHub import",
        "description": "Imported from a GitHub repository",
        **_origin(account),
        "project_id": account.project_id,
    }


def _new_deployed_project(account: Account) -> Row:
    return {
        "id": account.project_id,
        "name": "My project",
        "description": "A project to try things on",
        "type": "web-site",
        "main_language": "typescript",
        "prompt_context": None,
        **_origin(account),
    }


def _new_deployed_import(account: Account) -> Row:
    return {
        "id": account.import_id,
        "source_type": "public_github_repository_url",
        "source_path": "https://github.com/username/repository",
        "source_ref": None,
        "import_status": "complete",
        "error_message": None,
        "file_tree": None,
        **_origin(account),
        "project_id": account.project_id,
    }


_SEEDS: Mapping[Dialect, tuple[Callable[[Account], Row], Callable[[Account], Row]]] = {
    "documented": (_new_project, _new_import),
    "deployed": (_new_deployed_project, _new_deployed_import),
}


def _origin(account: Account) -> Row:
    created = "2025-02-16T17:42:11.000Z"
    return {"created_at": created, "updated_at": created, "neptun_user_id": account.user_id}


def _timestamp(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
