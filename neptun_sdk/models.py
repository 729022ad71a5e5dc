"""What a caller gets back: one frozen dataclass for each resource of the contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

Dialect: TypeAlias = Literal["documented", "deployed"]

# The server owns these values and may add others, so that any str is accepted; a test compares the literals with
# x-extensible-enum in openapi.yaml.
ProjectType: TypeAlias = Literal["web-site", "web-service", "web-app"] | str
ProgrammingLanguage: TypeAlias = (
    Literal["typescript", "javascript", "php", "go", "python", "java", "kotlin", "ruby", "elixir"] | str
)
SourceType: TypeAlias = (
    Literal["github", "local_folder", "github_repository_installation", "public_github_repository_url"] | str
)


class Resource:
    """The base class of what operations return: dataclasses with ``extra`` and the fields of the contract."""

    __slots__ = ("__weakref__", "_response_headers")

    if TYPE_CHECKING:
        _response_headers: Mapping[str, str]

        def __init__(self, *, extra: Mapping[str, Any], **fields: Any) -> None: ...

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the response, such as a request id: names in lower case, without ``Set-Cookie``.

        They are not a field of the resource: equality, ``repr`` and `dataclasses.asdict` leave them out.
        """
        return getattr(self, "_response_headers", _NO_HEADERS)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {each.name: getattr(self, each.name) for each in fields(cast("Any", self))}
        return _made_again, (type(self), values, dict(self.response_headers))


ResourceT = TypeVar("ResourceT", bound=Resource)
ResultT = TypeVar("ResultT")  # what an operation returns: a resource, a list, or None
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


def with_headers(resource: ResourceT, headers: Mapping[str, str]) -> ResourceT:
    """Keep the headers of the response with a resource that was just made; return it."""
    object.__setattr__(resource, "_response_headers", headers)
    return resource


def _made_again(resource: type[ResourceT], values: Mapping[str, Any], headers: Mapping[str, str]) -> ResourceT:
    return with_headers(resource(**values), headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project(Resource):
    """A project of a user (contract: *Update Project Endpoint*).

    Datetimes are timezone-aware. ``description`` is ``None`` if the server returned none. The server may know other
    values of ``project_type`` and ``programming_language`` than the contract. ``extra`` holds the fields that the
    contract does not name, as decoded JSON. A deployed server stores a later ``updated_at`` just after it has sent the
    response: do not use it to detect changes.
    """

    id: int
    name: str
    description: str | None = None
    project_type: ProjectType
    programming_language: ProgrammingLanguage
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectImport(Resource):
    """An import of source material inside a project (contract: *Update Project Import Endpoint*).

    Datetimes are timezone-aware. ``title`` and ``description`` are ``None`` if the server returned none. The server may
    know other values of ``source_type`` than the contract. ``extra`` and ``updated_at`` are as for `Project`.
    """

    id: int
    source_type: SourceType
    source_path: str
    title: str | None = None
    description: str | None = None
    created_at: datetime
    updated_at: datetime
    neptun_user_id: int
    project_id: int
    extra: Mapping[str, Any] = field(default_factory=dict[str, Any], hash=False)
