"""Update Neptun projects and project imports from Python."""

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
    UpdateNotAppliedError,
)
from neptun_sdk.models import Project, ProjectImport

__all__ = [
    "ArgumentError",
    "AuthenticationError",
    "BadRequestError",
    "NeptunClient",
    "NeptunConnectionError",
    "NeptunError",
    "NeptunTimeoutError",
    "NotFoundError",
    "PermissionDeniedError",
    "Project",
    "ProjectImport",
    "RateLimitError",
    "ResponseError",
    "ServerError",
    "StatusError",
    "UpdateNotAppliedError",
    "__version__",
]
