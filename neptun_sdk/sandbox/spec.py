"""The contract as the embedded Neptun serves it."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from openapi_core import OpenAPI

_HERE = Path(__file__).parent


@cache
def load_spec() -> dict[str, Any]:
    """Read `openapi.yaml`: beside this package's top in a wheel, at the root in a checkout."""
    for path in (_HERE.parent / "openapi.yaml", _HERE.parent.parent / "openapi.yaml"):
        if path.exists():
            spec: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
            return spec
    raise FileNotFoundError("openapi.yaml is not in this installation of neptun-sdk; install it again")


@cache
def load_openapi() -> OpenAPI:
    """The contract as openapi-core reads it, for whatever host and port it is served from."""
    return OpenAPI.from_dict({**load_spec(), "servers": [{"url": "/"}]})


def known_values(schema: str, field: str) -> list[str] | None:
    """The values that the contract knows for a field whose values the server owns; ``None`` for any other field."""
    values: list[str] | None = (
        load_spec()["components"]["schemas"][schema]["properties"].get(field, {}).get("x-extensible-enum")
    )
    return values
