"""The contract of this SDK, written by `make generate`: what generated functions do not tell."""

from collections.abc import Mapping
from typing import NamedTuple

CONTRACT = "1.1.0+6320e9512877"  # info.version of openapi.yaml, and the start of its SHA-256
SERVER = "https://neptun-webui.vercel.app"
COOKIE_NAME = "neptun-session"
HEADERS: tuple[str, ...] = ()  # that operations take as parameters


class Facts(NamedTuple):
    """What openapi.yaml says of an operation.

    Attributes:
        method: The method of HTTP.
        status: The status of a success.
        envelope: The key of the success's JSON object under which the resource stands, or which says whether it is a
            success; empty if the whole body is the resource; ``None`` if there is no body.
        is_idempotent: Whether sending a request twice has the effect of sending it once.
        repeats: For each parameter of the path that the resource repeats, the name of its field.
    """

    method: str
    status: int
    envelope: str | None
    is_idempotent: bool
    repeats: Mapping[str, str]


FACTS: Mapping[str, Facts] = {
    "update_project": Facts("PATCH", 200, "project", True, {"user_id": "neptun_user_id", "project_id": "id"}),
    "update_project_import": Facts(
        "PUT", 200, "import", True, {"user_id": "neptun_user_id", "project_id": "project_id", "import_id": "id"}
    ),
}
