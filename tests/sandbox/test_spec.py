"""Where openapi.yaml is found."""

import subprocess
from pathlib import Path

import pytest

from neptun_sdk.sandbox import spec

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize("where", ["neptun_sdk", "."], ids=["inside the package", "beside the package"])
def test_the_contract_is_found(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "neptun_sdk"
    package.mkdir()
    (tmp_path / where / "openapi.yaml").write_text("openapi: 3.0.3", encoding="utf-8")
    monkeypatch.setattr(spec, "_PACKAGE", package)
    assert spec.load_spec.__wrapped__() == {"openapi": "3.0.3"}


def test_a_contract_that_is_in_neither_place_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spec, "_PACKAGE", tmp_path / "neptun_sdk")
    with pytest.raises(FileNotFoundError, match=r"no openapi\.yaml: looked for .*neptun_sdk/openapi\.yaml and .*"):
        spec.load_spec.__wrapped__()


@pytest.mark.needs("git", "a checkout")
def test_no_file_is_a_symbolic_link() -> None:
    """A checkout on Windows, and a zip of the repository, have none."""
    listed = subprocess.run(
        ["/usr/bin/env", "git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert [line for line in listed.stdout.splitlines() if line.startswith("120000")] == []
