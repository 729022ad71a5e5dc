"""Update Neptun projects and project imports from Python.

Only the names in ``__all__`` are public; modules may move.
"""

from neptun_sdk._contract import CONTRACT
from neptun_sdk._version import __version__
from neptun_sdk.client import NeptunClient
from neptun_sdk.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    NeptunConnectionError,
    NeptunError,
    NeptunTimeoutError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
    StatusError,
    UpdateNotVerifiedError,
)
from neptun_sdk.models import Dialect, ProgrammingLanguage, Project, ProjectImport, ProjectType, SourceType

__all__ = [
    "CONTRACT",
    "ArgumentError",
    "AuthenticationError",
    "BadRequestError",
    "Dialect",
    "NeptunClient",
    "NeptunConnectionError",
    "NeptunError",
    "NeptunTimeoutError",
    "NotFoundError",
    "PermissionDeniedError",
    "ProgrammingLanguage",
    "Project",
    "ProjectImport",
    "ProjectType",
    "RateLimitError",
    "ResponseError",
    "ServerError",
    "SourceType",
    "StatusError",
    "UpdateNotVerifiedError",
    "__version__",
]
