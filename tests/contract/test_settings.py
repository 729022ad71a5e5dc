"""The SDK sends to the server, and with the cookie, that openapi.yaml names."""

import pytest

from neptun_sdk.arguments import DEFAULT_BASE_URL
from neptun_sdk.session import COOKIE_NAME
from tests.contract.described import DESCRIBED, SPEC


def test_the_default_server_is_the_one_of_the_contract() -> None:
    assert SPEC["servers"][0]["url"] == DEFAULT_BASE_URL, "change DEFAULT_BASE_URL in neptun_sdk/arguments.py"


def test_the_cookie_is_the_one_of_the_contract() -> None:
    (scheme,) = SPEC["components"]["securitySchemes"].values()
    assert (scheme["in"], scheme["name"]) == ("cookie", COOKIE_NAME), "change COOKIE_NAME in neptun_sdk/session.py"


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_operation_needs_a_session(name: str) -> None:
    """The client sends the cookie with each request."""
    security = DESCRIBED[name].node.get("security", SPEC["security"])
    (scheme,) = SPEC["components"]["securitySchemes"]
    assert security == [{scheme: []}], (
        f"openapi.yaml: {name} has another security; change neptun_sdk/client.py if it must"
    )
