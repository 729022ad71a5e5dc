"""Cases in processes of their own: the tools of these tests patch httpx, sockets or threads for good."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CASES = Path(__file__).parent / "cases"
# The session of every case. Tools quote source code, in which no eight letters in a row of it occur.
COOKIE = "Fe26.2**9b1f0c7ad2e84653*Qz7xW3kV9tRm2LpY8sNc*~4e1d7f60"

_LOOPBACK_ONLY = Path(__file__).parent / "loopback_only"
_TIMEOUT = 60  # seconds; a case takes one or two
# Nothing else of the environment is passed on, so that no setting of this machine reaches a tool.
_KEPT = ("HOME", "LANG", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")


def run(*arguments: str, base_url: str = "http://127.0.0.1:9", **environment: str) -> str:
    """Run Python in an environment of its own, from which it reaches loopback only, and return what it prints.

    Args:
        arguments: The arguments of Python.
        base_url: The Neptun that the process calls; by default none.
        environment: More variables, such as the settings of a tool.
    """
    env = {name: value for name, value in os.environ.items() if name in _KEPT}
    env |= {"NEPTUN_BASE_URL": base_url, "NEPTUN_SESSION_COOKIE": COOKIE, "NEPTUN_USER_ID": "1"}
    env |= {"PYTHONPATH": str(_LOOPBACK_ONLY), **environment}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=env, timeout=_TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def run_case(script: str, *arguments: str, base_url: str = "http://127.0.0.1:9", **environment: str) -> Any:
    """Run a script of ``cases/`` and return the JSON that it prints."""
    return json.loads(run(str(CASES / script), *arguments, base_url=base_url, **environment))


def shows_cookie(text: str) -> bool:
    """Tell whether a text holds the cookie, or any eight letters in a row of it."""
    return any(COOKIE[start : start + 8] in text for start in range(len(COOKIE) - 7))
