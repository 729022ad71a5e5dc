"""The build's own step: ``openapi.yaml``, whose only copy is at the root, goes into the package of a wheel."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SpecInWheel(BuildHookInterface[Any]):
    """Put the contract into a wheel, but not into an editable install, where a copy would become outdated."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the file to what is built; hatchling calls this first."""
        if version != "editable":
            build_data["force_include"]["openapi.yaml"] = "neptun_sdk/openapi.yaml"
