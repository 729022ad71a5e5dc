"""httpx2, the maintained successor of httpx, in its place."""

from neptun_sdk.sandbox import Sandbox
from tests.integrations.processes import COOKIE, run_case
from tests.needs import require


def test_the_sdk_works_where_httpx2_stands_for_httpx() -> None:
    """The same errors, the same claims and the same retries."""
    require("httpx2")
    with Sandbox(session_cookie=COOKIE) as server:
        for _ in range(1):
            server.fail_next(disconnect=True)
        found = run_case("httpx2_alias.py", base_url=server.base_url)
        statuses = [request.status for request in server.requests]
    assert found == {
        "updated": ["returned", "x"],
        "refused": ["NeptunConnectionError", False, 1],
        "late": ["NeptunTimeoutError", None, 1],
        "reset": ["NeptunConnectionError", None, 1],
        "404": ["NotFoundError", False, 1],
        "retried": ["returned", "y"],
    }
    assert statuses[-2:] == [200, 200]
