"""Every Python block of the README runs as it stands against the embedded Neptun, or fails as one test."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_examples import CodeExample, find_examples

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
EXAMPLES = list(find_examples(ROOT / "README.md"))


def run(example: CodeExample, neptun: Sandbox, folder: Path) -> str:
    """Run a block in a process of its own, which it may end as it likes, and return what it prints."""
    script = folder / "example.py"
    # The lines before it keep the line numbers of the README in a traceback.
    script.write_text("\n" * example.start_line + example.source, encoding="utf-8")
    environment = {
        **os.environ,
        "NEPTUN_BASE_URL": neptun.base_url,
        "NEPTUN_SESSION_COOKIE": neptun.session_cookie,
        "NEPTUN_USER_ID": str(neptun.user_id),
    }
    command = [sys.executable, "-X", "utf8", "-W", "error", str(script)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        pytest.fail(f"README.md, line {example.start_line}:\n\n{example.source}\n{done.stderr}", pytrace=False)
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"line {example.start_line}")
def test_the_example_runs(example: CodeExample, neptun: Sandbox, tmp_path: Path) -> None:
    run(example, neptun, tmp_path)


@pytest.mark.parametrize("code", ["raise ValueError('a mistake')", "import sys; sys.exit('a mistake')"])
def test_an_example_that_fails_is_shown(code: str, neptun: Sandbox, tmp_path: Path) -> None:
    example = CodeExample.create(code)
    with pytest.raises(pytest.fail.Exception) as caught:
        run(example, neptun, tmp_path)
    assert code in str(caught.value)
    assert "a mistake" in str(caught.value)


def test_every_python_block_is_found() -> None:
    fences = (ROOT / "README.md").read_text(encoding="utf-8").count("```python")
    assert len(EXAMPLES) == fences >= 4
