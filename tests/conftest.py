"""Fixtures that every test may use. No test reaches further than loopback."""

import os
import shutil
import sys
import sysconfig
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from hypothesis import HealthCheck, settings

from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.spec import load_spec

# A session that no message, log or repr may ever show; it looks like a real one.
CANARY = "Fe26.2**canary-0123456789abcdef*CANARY_session_value*~sealed"

# A project as the contract's 200 body holds it.
PROJECT: dict[str, object] = {
    "id": 123,
    "name": "New name",
    "description": "About it",
    "project_type": "web-site",
    "programming_language": "typescript",
    "created_at": "2025-02-16T17:42:11.000Z",
    "updated_at": "2025-02-16T18:42:11.000Z",
    "neptun_user_id": 1,
}

# Whether the tests that compare contracts can run. With SPEC_DIFF=strict, as in .ci/run, they fail instead of being
# skipped.
HAS_TOOLS = os.environ.get("SPEC_DIFF") == "strict" or all(
    shutil.which(tool, path=sysconfig.get_path("scripts")) for tool in ("oasdiff", "redocly")
)

# Hypothesis fails an example that takes over 200 ms, as any may on a busy machine.
settings.register_profile("busy machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

# For a call that is to time out: a busy machine may not get as far in the first as the test needs.
TIMEOUTS = (0.2, 1, 5, 25)

# The files that take longest, which begin first: at the end, the other processes would wait for them.
LONGEST_FILES = (
    "docs/test_site.py",
    "test_release.py",
    "bulk/test_ten_thousand.py",
    "faults/test_threads.py",
    "drills/test_new_operation.py",
    "contract/test_schemathesis.py",
    "docs/test_examples.py",
    "test_api_diff.py",
    "drills/test_mistakes.py",
    "drills/test_deprecated_field.py",
    "test_record.py",
    "bulk/test_terminal.py",
    "bulk/test_kills.py",
    "test_readme_typescript.py",
    "faults/test_fuzz.py",
)

Respond = Callable[[httpx.Request], httpx.Response]
ClientFor = Callable[[Respond], NeptunClient]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(LONGEST_FILES)}
    folder = Path(__file__).parent
    items.sort(key=lambda item: ranks.get(item.path.relative_to(folder).as_posix(), len(ranks)))


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SESSION_COOKIE", "USER_ID", "BASE_URL", "DIALECT"):
        monkeypatch.delenv(f"NEPTUN_{name}", raising=False)
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    for name in (*proxies, *map(str.lower, proxies), "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def without_coverage() -> Iterator[None]:
    """Measure no coverage in a test and in its threads, which can take as long again as the test.

    pytest-cov's own mark does nothing in the processes of pytest-xdist.
    """
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(cast("Any", None))
    yield
    sys.settrace(here)
    threading.settrace(cast("Any", in_threads))


@pytest.fixture
def neptun() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def client(neptun: Sandbox) -> Iterator[NeptunClient]:
    with NeptunClient(neptun.session_cookie, neptun.user_id, base_url=neptun.base_url) as made:
        yield made


@pytest.fixture
def client_for() -> ClientFor:
    """Make a client that gets every response from a function, with no socket."""

    def make(respond: Respond) -> NeptunClient:
        return NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(respond))

    return make


@pytest.fixture
def project() -> dict[str, object]:
    """A project as the contract's 200 body holds it."""
    return dict(PROJECT)


@pytest.fixture
def project_import() -> dict[str, object]:
    """An import as the contract's 200 body holds it."""
    return {
        "id": 123,
        "source_type": "github",
        "source_path": "username/repository",
        "title": "New title",
        "description": "About it",
        "created_at": "2025-02-16T17:42:11.000Z",
        "updated_at": "2025-02-16T18:42:11.000Z",
        "neptun_user_id": 1,
        "project_id": 789,
    }


@pytest.fixture(scope="session")
def spec() -> dict[str, Any]:
    """The contract, as it stands in openapi.yaml."""
    return load_spec()
