"""Fixtures that every test may use. No test reaches further than loopback."""

import gc
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, cast

import certifi
import httpx
import pytest
from hypothesis import HealthCheck, settings

from neptun_sdk import NeptunClient
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.spec import load_spec
from tests.needs import missing, require

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

# Hypothesis fails an example that takes over 200 ms, as any may on a busy machine.
settings.register_profile("busy machine", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy machine")

# A shell lets what it starts in the background ignore Ctrl-C, and so do the processes that a test starts in it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# For a call that is to time out: a busy machine may not get as far in the first as the test needs.
TIMEOUTS = (0.2, 1, 5, 25)

# The files that take longest, which begin first: at the end, the other processes would wait for them.
LONGEST_FILES = (
    "docs/test_site.py",
    "sandbox/test_defaults.py",
    "test_portability_mutants.py",
    "test_release.py",
    "bulk/test_ten_thousand.py",
    "http/test_threads.py",
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

# The folders whose tests are of other processes, or of what other packages make of the SDK.
WITHOUT_COVERAGE = ("docs", "drills", "integrations")

Respond = Callable[[httpx.Request], httpx.Response]
ClientFor = Callable[[Respond], NeptunClient]


def pytest_report_header() -> list[str]:
    return missing()


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        require(*mark.args)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ranks = {name: rank for rank, name in enumerate(LONGEST_FILES)}
    paths = {item: item.path.relative_to(Path(__file__).parent) for item in items}
    items.sort(key=lambda item: ranks.get(paths[item].as_posix(), len(ranks)))
    for item, path in paths.items():
        if path.parts[0] in WITHOUT_COVERAGE:
            item.add_marker("without_coverage")


def pytest_collection_finish() -> None:
    gc.freeze()  # no test makes garbage of what was collected: it need not be searched


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Measure no coverage in a test with that mark, nor in its fixtures and threads: it can take as long again.

    pytest-cov's own mark does nothing in the processes of pytest-xdist.
    """
    if item.get_closest_marker("without_coverage") is None:
        return (yield)
    here, in_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(cast("Any", None))
    try:
        return (yield)
    finally:
        sys.settrace(here)
        threading.settrace(cast("Any", in_threads))


@pytest.fixture(autouse=True, scope="session")
def _one_public_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let httpx trust one CA instead of some 140: it reads them for each client, which takes longer than most tests."""
    path = tmp_path_factory.mktemp("certifi") / "cacert.pem"
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----\n")
    path.write_text(first + end, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(certifi, "where", lambda: str(path))
        yield


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SESSION_COOKIE", "USER_ID", "BASE_URL", "DIALECT", "HEADERS", "MAX_RESPONSE_SIZE"):
        monkeypatch.delenv(f"NEPTUN_{name}", raising=False)
    proxies = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    for name in (*proxies, *map(str.lower, proxies), "SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


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
