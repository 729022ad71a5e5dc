"""An authority that a client trusts where a test says so."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import trustme

from neptun_sdk import Project


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture
def trusted(authority: trustme.CA, ca_file: Path, monkeypatch: pytest.MonkeyPatch) -> trustme.CA:
    """Trust the test's own authority, as a company does with its own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    return authority


@pytest.fixture
def submit() -> Iterator[Callable[..., Future[Project]]]:
    """Run a call in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit


@pytest.fixture
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once."""
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
