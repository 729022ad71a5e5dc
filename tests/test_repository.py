"""What a stranger's tools read: the hooks, the workflow, the metadata."""

import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.needs("a checkout")


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_every_hook_is_local_and_calls_a_tool_of_the_environment() -> None:
    """So that a commit downloads nothing, and uses the pinned versions."""
    repositories = read(".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert all(hook["entry"].startswith(".venv/bin/") for hook in hooks)
    scripts = [word for hook in hooks for word in hook["entry"].split() if word.startswith("scripts/")]
    assert len(scripts) == 2
    assert all((ROOT / script).is_file() for script in scripts)


def test_the_workflow_calls_the_one_script_that_decides() -> None:
    steps = read(".github/workflows/ci.yml")["jobs"]["check"]["steps"]
    assert steps[-1] == {"run": "bash .ci/run"}


MAKE = """#!/bin/sh
case $1 in
check) sleep 3; echo checked >>ended;;
portability) sleep 1; exit 7;;
esac
"""


def test_the_script_that_decides_leaves_nothing_running_if_a_step_fails(tmp_path: Path) -> None:
    """The checks run beside the clients: they would go on and take a core from the next run."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(ROOT / ".ci/run", tmp_path / ".ci/run")
    shutil.copytree(ROOT / "tests/portability/php", tmp_path / "tests/portability/php")
    (tmp_path / "bin").mkdir()
    for name, text in {"make": MAKE, "chromium": "#!/bin/sh\n", "id": "#!/bin/sh\necho 1000\n"}.items():
        (tmp_path / "bin" / name).write_text(text, encoding="utf-8")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([tmp_path / ".ci/run"], env=environment, capture_output=True, check=False)
    assert done.returncode == 7, done.stderr
    time.sleep(3)
    assert not (tmp_path / "ended").exists()


def test_the_metadata_agrees() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = read("CITATION.cff")
    assert [each["name"] for each in citation["authors"]] == [each["name"] for each in project["authors"]]
    assert (citation["title"], citation["license"]) == (project["name"], project["license"])
