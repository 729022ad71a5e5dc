"""``make contract``: what other teams get, built twice with the same bytes, and used outside the checkout."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
from datetime import date
from pathlib import Path

import contract
import jsonschema
import pytest
import yaml
from changes import Change
from openapi_spec_validator import validate

ROOT = Path(__file__).parent.parent
NAME = (
    f"{contract.identity(ROOT / 'openapi.yaml')[0]}+{hashlib.sha256((ROOT / 'openapi.yaml').read_bytes()).hexdigest()}"
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return contract.build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with tarfile.open(archive) as files:
        files.extractall(folder := tmp_path_factory.mktemp("elsewhere"), filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def test_the_same_files_give_the_same_bytes(archive: Path, tmp_path: Path) -> None:
    assert contract.build(ROOT, tmp_path).read_bytes() == archive.read_bytes()


def test_the_contract_is_the_text_of_the_repository(unpacked: Path) -> None:
    assert (unpacked / "openapi.yaml").read_bytes() == (ROOT / "openapi.yaml").read_bytes()
    assert (unpacked / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_the_copy_in_3_1_is_valid_and_says_the_same(unpacked: Path) -> None:
    text = (unpacked / "openapi-3.1.yaml").read_text(encoding="utf-8")
    assert text.startswith(f"# Derived from openapi.yaml {NAME}, which is the contract.\n")
    copy, original = yaml.safe_load(text), yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
    validate(copy)
    assert copy["openapi"] == "3.1.0"
    assert (copy["info"], copy["paths"].keys()) == (original["info"], original["paths"].keys())
    description = copy["components"]["schemas"]["Project"]["properties"]["description"]
    assert description["type"] == ["string", "null"]
    assert "nullable" not in text


def test_the_vectors_name_their_contract_and_are_valid(unpacked: Path) -> None:
    folder = unpacked / "vectors"
    schema = json.loads((folder / "vectors.schema.json").read_text(encoding="utf-8"))
    for path in folder.glob("update_*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        assert document["contract"] == NAME
        jsonschema.validate(document, schema)


def test_a_client_outside_the_checkout_is_held_to_the_vectors(unpacked: Path, tmp_path: Path) -> None:
    """Another team's client: here this SDK, whose driver is copied to a folder of its own."""
    shutil.copy(ROOT / "tests" / "portability" / "python_sdk" / "driver.py", tmp_path)
    command = [sys.executable, str(unpacked / "run.py"), "--command", f"{sys.executable} driver.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"[1-9][0-9]* passed", done.stdout), done.stdout


CHANGES = [Change("major", "PATCH /projects", "a field was removed", "callers that send it")]


def test_a_section_of_the_changelog_is_written_from_what_changed() -> None:
    text = contract.with_section("# Changes\n\n## 1.0.0 - 2026-01-01\n\n- All.\n", "2.0.0", CHANGES)
    section = "- **major** PATCH /projects: a field was removed (breaks callers that send it)"
    assert text == f"# Changes\n\n## 2.0.0 - {date.today()}\n\n{section}\n\n## 1.0.0 - 2026-01-01\n\n- All.\n"


def test_a_section_that_a_person_wrote_stays() -> None:
    text = "# Changes\n\n## 2.0.0 - 2026-01-01\n\n- In our own words.\n"
    assert contract.with_section(text, "2.0.0", CHANGES) == text
    unreleased = text.replace("2026-01-01", "unreleased")
    assert contract.with_section(unreleased, "2.0.0", CHANGES) == text.replace("2026-01-01", str(date.today()))


def test_a_version_without_a_section_is_refused(tmp_path: Path) -> None:
    (tmp_path / "interfaces").mkdir()
    (tmp_path / "interfaces" / "CHANGELOG.md").write_text("# Changes\n", encoding="utf-8")
    shutil.copy(ROOT / "openapi.yaml", tmp_path)
    with pytest.raises(
        SystemExit, match=r"contract: interfaces/CHANGELOG\.md has no section `## 1\.\S+ - .*`; write what changed"
    ):
        contract.build(tmp_path, tmp_path)


def test_the_digest_of_each_version_is_kept() -> None:
    """A version is one text for ever: the released one is that of the list."""
    released = " ".join(contract.identity(ROOT / "interfaces" / "released.yaml"))
    assert released in (ROOT / "interfaces" / "contracts.txt").read_text(encoding="utf-8").splitlines()
