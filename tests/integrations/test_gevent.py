"""The SDK works in a process that gevent has patched."""

import json

from neptun_sdk.sandbox import Sandbox
from tests.integrations.processes import run_case
from tests.needs import require


def test_a_hundred_greenlets_call_at_once(neptun: Sandbox) -> None:
    """Each gets its own update back, as its own user."""
    require("gevent")
    users = [
        {"session_cookie": account.session_cookie, "user_id": account.user_id, "project_id": account.project_id}
        for account in neptun.accounts
    ]
    results = run_case("gevent_greenlets.py", json.dumps(users), base_url=neptun.base_url)
    assert results == ["as sent"] * 100
