"""Test tools that hold or move the clock: updates return, and a timeout still ends a call."""

import pytest

from neptun_sdk.sandbox import Sandbox
from tests.integrations.processes import COOKIE, run_case
from tests.needs import require

TOOLS = {
    "freezegun": "freezegun",
    "freezegun, ticking": "freezegun",
    "time-machine": "time-machine",
    "a patched time.time": "",
}
FOUND = {
    "project": ["x", "2025-02-16T17:42:11+00:00", True],
    "import": "x",
    "retried": ["NotFoundError", 2],
    "timeout": [None, True],
}


@pytest.mark.parametrize("when", ["after the import", "before the import"])
@pytest.mark.parametrize(("tool", "distribution"), TOOLS.items(), ids=TOOLS)
def test_nothing_depends_on_the_clock_of_the_day(tool: str, distribution: str, when: str) -> None:
    """In the main thread, in another one, and in a bulk run."""
    if distribution:
        require(distribution)
    with Sandbox(session_cookie=COOKIE) as server:
        found = run_case("clocks.py", tool, when, base_url=server.base_url)
    assert found == {"": FOUND, "in a thread": FOUND, "in bulk": ["applied"] * 3}
