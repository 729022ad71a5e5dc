"""The contract as the embedded Neptun serves it."""

import json
from functools import cache
from importlib import resources
from typing import Any

import yaml
from openapi_core import Config, OpenAPI


@cache
def load_spec() -> dict[str, Any]:
    """Read `openapi.yaml`, which stands inside the package: in a checkout it is a link to the one at the root."""
    text = resources.files("neptun_sdk").joinpath("openapi.yaml").read_text(encoding="utf-8")
    spec: dict[str, Any] = yaml.safe_load(text)
    return spec


@cache
def load_openapi() -> OpenAPI:
    """The contract as openapi-core reads it, for whatever host and port it is served from."""
    config = Config(extra_media_type_deserializers={"application/json": _decode_json})
    return OpenAPI.from_dict({**load_spec(), "servers": [{"url": "/"}]}, config=config)


def _decode_json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def request_fields(schema: str) -> dict[str, Any]:
    """What the contract says of each field of a request body, by name."""
    fields: dict[str, Any] = load_spec()["components"]["schemas"][schema]["properties"]
    return fields


def known_values(schema: str, field: str) -> list[str] | None:
    """The values that the contract knows for a field whose values the server owns; ``None`` for any other field."""
    values: list[str] | None = request_fields(schema)[field].get("x-extensible-enum")
    return values
