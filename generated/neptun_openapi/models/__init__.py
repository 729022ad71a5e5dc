"""Contains all the data models used in inputs/outputs"""

from .error_body import ErrorBody
from .error_data import ErrorData
from .issue import Issue
from .project import Project
from .project_envelope import ProjectEnvelope
from .project_import import ProjectImport
from .project_import_envelope import ProjectImportEnvelope
from .update_project_import_request import UpdateProjectImportRequest
from .update_project_request import UpdateProjectRequest

__all__ = (
    "ErrorBody",
    "ErrorData",
    "Issue",
    "Project",
    "ProjectEnvelope",
    "ProjectImport",
    "ProjectImportEnvelope",
    "UpdateProjectImportRequest",
    "UpdateProjectRequest",
)
