"""schemathesis fuzzes the embedded Neptun with everything that the contract allows and forbids, and finds nothing."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from neptun_sdk.sandbox import Sandbox

MAX_EXAMPLES = os.environ.get("NEPTUN_SCHEMATHESIS_EXAMPLES", "50")  # of each operation; the drills make do with fewer
ROOT = Path(__file__).parent.parent.parent
SCHEMATHESIS = Path(sysconfig.get_path("scripts")) / "schemathesis"

# A request that fits the schema may still get a 400: the values of enums and the format of a source_path are rules that
# the contract states and a schema of open strings cannot.
# Its warnings are about its own data, which may not reach an operation that requires much.
CONFIG = """
warnings = false

[auth.openapi.sessionCookie]
api_key = "{session_cookie}"

[checks.positive_data_acceptance]
expected-statuses = ["2xx", "400", "403", "404", "409", "412", "422"]
"""


@pytest.mark.soak
@pytest.mark.without_coverage
def test_schemathesis_finds_nothing(neptun: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(session_cookie=neptun.session_cookie))
    command = [
        str(SCHEMATHESIS),
        "--config-file=schemathesis.toml",
        "run",
        str(ROOT / "openapi.yaml"),
        f"--url={neptun.base_url}",
        "--checks=all",
        "--seed=1",
        f"--max-examples={MAX_EXAMPLES}",
        "--generation-database=none",
        "--no-color",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        "change neptun_sdk/sandbox/defaults.py, or RULES in neptun_sdk/sandbox/documented.py, to serve openapi.yaml\n"
        f"{done.stdout}{done.stderr}"
    )
    assert "No issues found" in done.stdout
