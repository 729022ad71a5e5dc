"""Fixtures of this folder."""

import json
import re
import threading
import time

import httpx
import pytest

from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import Sandbox
from tests.conftest import PROJECT, ClientFor

PROJECT_IMPORT = {
    "source_type": "github",
    "source_path": "acme/shop",
    "title": "Shop",
    "description": None,
    "created_at": "2025-02-16T17:42:11.000Z",
    "updated_at": "2025-02-16T18:42:11.000Z",
    "neptun_user_id": 1,
}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch, neptun: Sandbox) -> Sandbox:
    """A sandbox that remembers every request."""
    monkeypatch.setattr(neptun._app, "_requests", [])
    return neptun


class Server:
    """A Neptun without a socket that sets what it is asked to, unless a step is scripted for the project."""

    def __init__(self) -> None:
        self.steps: dict[int, list[httpx.Response | Exception]] = {}
        self.sent: list[tuple[int, float]] = []  # the project of each request, and when it came
        self.stored: dict[int, dict[str, str]] = {}
        self._lock = threading.Lock()

    @property
    def projects(self) -> list[int]:
        return [project_id for project_id, _ in self.sent]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        found = re.search(r"/projects/(\d+)(?:/resources/imports/(\d+))?$", request.url.path)
        assert found
        project_id, import_id = int(found[1]), found[2]
        fields = json.loads(request.content)
        with self._lock:
            self.sent.append((project_id, time.monotonic()))
            step = self.steps[project_id].pop(0) if self.steps.get(project_id) else None
            if step is None:
                self.stored.setdefault(project_id, {}).update(fields)
        if isinstance(step, Exception):
            raise step
        if step is not None:
            return step
        if import_id is None:
            return httpx.Response(200, json={"project": {**PROJECT, "id": project_id, **fields}})
        row = {**PROJECT_IMPORT, "id": int(import_id), "project_id": project_id, **fields}
        return httpx.Response(200, json={"import": row})


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def bulk_client(server: Server, client_for: ClientFor) -> NeptunClient:
    return client_for(server)


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send again without waiting."""
    monkeypatch.setattr("neptun_sdk.bulk.loop.backoff", lambda _: 0.0)
    monkeypatch.setattr("neptun_sdk.bulk.pace._FIRST_WAIT", 0.0)


def failed(status: int, **headers: str) -> httpx.Response:
    """Return a response of the contract with an error status."""
    body = {"statusCode": status, "message": "No"}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})
