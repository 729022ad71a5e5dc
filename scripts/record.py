"""Record the cassettes of the tests anew, from the embedded Neptun or from the server named by ``NEPTUN_BASE_URL``.

A server named there gets real updates: ``NEPTUN_USER_ID``, ``NEPTUN_SESSION_COOKIE``, ``NEPTUN_PROJECT_ID`` and
``NEPTUN_IMPORT_ID`` must name a project and an import that may be changed. A 500 cannot be asked for there, so that
cassette keeps what it has.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
CASSETTES = ROOT / "tests" / "cassettes"
# In replay, requests go to an address that nothing listens on, which proves that no socket is used.
NOWHERE = "http://127.0.0.1:9"


def main() -> None:
    if base_url := os.environ.get("NEPTUN_BASE_URL", "").rstrip("/"):
        names = ("USER_ID", "PROJECT_ID", "IMPORT_ID", "SESSION_COOKIE")
        missing = [f"NEPTUN_{name}" for name in names if not os.environ.get(f"NEPTUN_{name}")]
        if missing:
            sys.exit(f"record: set {', '.join(missing)} too; what they name will be changed.")
        user_id, project_id, import_id = (int(os.environ[f"NEPTUN_{name}"]) for name in names[:3])
        record(base_url, user_id, project_id, import_id, os.environ["NEPTUN_SESSION_COOKIE"], "not server_error")
        return
    with Sandbox() as neptun:
        account = (neptun.base_url, neptun.user_id, neptun.project_id, neptun.import_id, neptun.session_cookie)
        record(*account, "not server_error")
        neptun.fail_next(500)
        record(*account, "server_error")


def record(base_url: str, user_id: int, project_id: int, import_id: int, session_cookie: str, which: str) -> None:
    """Run the chosen tests against a server, recording; leave the settings for replay behind."""
    settings = CASSETTES / "recorded.json"
    ids = {"user_id": user_id, "project_id": project_id, "import_id": import_id}
    settings.write_text(json.dumps({"base_url": base_url, **ids}), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "--record-mode=rewrite", "-k", f"vcr and {which}"]
    environment = {**os.environ, "RECORD_SESSION_COOKIE": session_cookie}
    try:
        done = subprocess.run([*command, "tests/test_recorded.py"], cwd=ROOT, env=environment, check=False)  # noqa: S603
    finally:
        settings.write_text(json.dumps({"base_url": NOWHERE, **ids}, indent=2) + "\n", encoding="utf-8")
        for cassette in CASSETTES.glob("*.yaml"):
            text = cassette.read_text(encoding="utf-8")
            cassette.write_text(text.replace(base_url, NOWHERE), encoding="utf-8")
    if done.returncode:
        sys.exit("record: a server that answers otherwise fails the tests above; look at `git diff tests/cassettes`.")


if __name__ == "__main__":
    main()
