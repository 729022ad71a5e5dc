"""Libraries that mock httpx mock the SDK. Each runs the tests of ``cases/`` in a pytest of its own."""

import os

import httpx
import pytest

from neptun_sdk import NeptunClient, NotFoundError
from tests.conftest import CANARY, PROJECT
from tests.integrations.processes import CASES, run
from tests.needs import require


def run_pytest(file: str, *options: str) -> str:
    """Run the tests of a file without this project's configuration and plugins, and return the summary."""
    alone = ("-c", os.devnull, "--noconftest", "-p", "no:cacheprovider", "-q", "-W", "error", *options)
    output = run("-m", "pytest", *alone, str(CASES / file), PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    return output.splitlines()[-1].partition(" in ")[0]


def test_respx_mocks_the_sdk_in_both_modes() -> None:
    require("respx")
    assert run_pytest("with_respx.py") == "10 passed"


def test_pytest_httpx_mocks_the_sdk() -> None:
    require("pytest-httpx")
    assert run_pytest("with_pytest_httpx.py", "-p", "pytest_httpx") == "5 passed"


def test_a_mock_transport_mocks_the_sdk() -> None:
    """No package is needed: it comes with httpx."""
    requests: list[tuple[str, str, bytes, str]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append((request.method, request.url.path, request.content, request.headers["Cookie"]))
        return httpx.Response(200, json={"project": PROJECT})

    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(respond)) as client:
        assert client.update_project(123, name="New name").name == "New name"
    expected = ("PATCH", "/api/users/1/projects/123", b'{"name":"New name"}', f"neptun-session={CANARY}")
    assert requests == [expected]


def test_each_attempt_reaches_a_mock_transport() -> None:
    responses = [httpx.Response(503), httpx.Response(404, json={"statusCode": 404, "message": "no such project"})]
    transport = httpx.MockTransport(lambda _: responses.pop(0))
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport) as client:
        with pytest.raises(NotFoundError, match="no such project"):
            client.update_project(123, name="New name")
        assert responses == []
