"""Under Python's strictest flags nothing of ours warns: the client, the sandbox, the command for many updates."""

import subprocess
import sys
from pathlib import Path

import pytest

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
FLAGS = {
    "warnings are errors": ("-W", "error"),
    "development mode": ("-X", "dev"),
    "no asserts and no docstrings": ("-OO",),
    "bytes are not text": ("-bb",),
    "all together": ("-W", "error", "-X", "dev", "-OO", "-bb"),
}


BULK = "import sys; from neptun_sdk.bulk.cli import main; sys.exit(main())"


def run(neptun: Sandbox, *arguments: str) -> str:
    """Run Python, and return what it prints, on both streams."""
    environment = {
        "NEPTUN_BASE_URL": neptun.base_url,
        "NEPTUN_SESSION_COOKIE": neptun.session_cookie,
        "NEPTUN_USER_ID": str(neptun.user_id),
    }
    done = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    assert (done.returncode, "Warning" in printed, "Exception ignored" in printed) == (0, False, False), printed
    return printed


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_the_client_and_the_sandbox_warn_of_nothing(flags: tuple[str, ...], neptun: Sandbox) -> None:
    assert "Updated Project Name" in run(neptun, *flags, str(ROOT / "scripts" / "demo.py"))


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_neptun_bulk_warns_of_nothing(flags: tuple[str, ...], neptun: Sandbox, tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text(f"project_id,name\n{neptun.project_id},From a file\n", encoding="utf-8")
    run(neptun, *flags, "-c", BULK, str(rows))
    assert neptun.project(neptun.project_id)["name"] == "From a file"
