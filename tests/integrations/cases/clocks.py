"""Calls while a test tool holds the clock: what they return, and that a timeout still ends them."""

import json
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any
from unittest import mock

tool, when = sys.argv[1:]


def hold() -> AbstractContextManager[Any]:
    if tool == "freezegun":
        from freezegun import freeze_time

        return freeze_time("2026-01-01")
    if tool == "freezegun, ticking":
        from freezegun import freeze_time

        return freeze_time("2026-01-01", tick=True)
    if tool == "time-machine":
        import time_machine

        return time_machine.travel("2026-01-01", tick=False)
    return mock.patch("time.time", return_value=1e9)


def results() -> dict[str, Any]:
    from neptun_sdk import NeptunClient, NeptunTimeoutError

    found: dict[str, Any] = {}
    with NeptunClient() as client:
        project = client.update_project(789, name="x")
        found["project"] = [project.name, project.created_at.isoformat(), project.created_at.tzinfo is not None]
        found["import"] = client.update_project_import(789, 123, title="x").title
    import httpx

    responses = [httpx.Response(429, headers={"Retry-After": "0"}), httpx.Response(404, json={"message": "no"})]
    with NeptunClient(transport=httpx.MockTransport(lambda _: responses.pop(0))) as client:
        try:
            client.update_project(1, name="x")
        except Exception as error:
            found["retried"] = [type(error).__name__, getattr(error, "attempts", None)]
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        NeptunClient(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.5, max_retries=0) as client,
    ):
        try:
            client.update_project(1, name="x")
        except NeptunTimeoutError as error:
            found["timeout"] = [error.applied, "timed out after" in str(error)]
    return found


def in_a_thread(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: found.update(function()), daemon=True)
    thread.start()
    thread.join(30)
    return found


def bulk() -> list[str]:
    from neptun_sdk import NeptunClient
    from neptun_sdk.bulk import Update, bulk_update

    updates = [Update(789, fields={"name": str(number)}) for number in range(3)]
    with NeptunClient() as client:
        return [outcome.status for outcome in bulk_update(client, updates)]


def held() -> dict[str, Any]:
    with hold():
        return results()


with ExitStack() as stack:
    if when == "before the import":
        stack.enter_context(hold())
        found: dict[str, Any] = {"": results(), "in a thread": in_a_thread(results)}
    else:
        import neptun_sdk  # noqa: F401

        found = {"in a thread": in_a_thread(held)}
        stack.enter_context(hold())
        found[""] = results()
    print(json.dumps({**found, "in bulk": bulk()}))
