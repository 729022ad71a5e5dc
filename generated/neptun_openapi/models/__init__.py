"""Contains all the data models used in inputs/outputs"""

from .error import Error
from .project import Project
from .project_import import ProjectImport
from .update_project_import_request import UpdateProjectImportRequest
from .update_project_import_response import UpdateProjectImportResponse
from .update_project_request import UpdateProjectRequest
from .update_project_response import UpdateProjectResponse

__all__ = (
    "Error",
    "Project",
    "ProjectImport",
    "UpdateProjectImportRequest",
    "UpdateProjectImportResponse",
    "UpdateProjectRequest",
    "UpdateProjectResponse",
)
