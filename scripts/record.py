"""Record the cassettes of tests/test_recorded.py again, from the embedded Neptun or a server of your choice.

With ``NEPTUN_BASE_URL``, that server gets real updates: ``NEPTUN_USER_ID``, ``NEPTUN_SESSION_COOKIE``,
``NEPTUN_PROJECT_ID`` and ``NEPTUN_IMPORT_ID`` must name a project and an import that may be changed, and
``NEPTUN_DIALECT`` says how the server speaks. A 500 cannot be asked for there, so that cassette keeps what it has.

Ids, times, addresses, and values that were not sent are replaced by fixed ones. So the cassettes of every server can be
replayed, nothing private is in them, and recording again changes only what a server does differently.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).resolve().parent.parent
CASSETTES = ROOT / "tests" / "cassettes"
# The ids and the address in the cassettes.
REPLAY: dict[str, Any] = json.loads((CASSETTES / "recorded.json").read_text(encoding="utf-8"))
TIMES = {"created_at": "2025-02-16T17:42:11.000Z", "updated_at": "2025-02-16T18:42:11.000Z"}
SCRUBBED = "scrubbed"
NAMES = ("user_id", "project_id", "import_id", "session_cookie")


def main() -> None:
    dialect = os.environ.get("NEPTUN_DIALECT", "")
    if dialect not in ("", *DIALECTS):
        sys.exit(f"record: NEPTUN_DIALECT must be {' or '.join(DIALECTS)}.")
    if base_url := os.environ.get("NEPTUN_BASE_URL", ""):
        found = {name: os.environ.get(f"NEPTUN_{name.upper()}", "") for name in NAMES}
        if missing := [f"NEPTUN_{name.upper()}" for name in NAMES if not found[name]]:
            sys.exit(f"record: set {', '.join(missing)} too; what they name will be changed.")
        ids = {name: int(value) for name, value in found.items() if name.endswith("_id")}
        record({**found, **ids, "base_url": base_url}, f"{dialect or 'documented'} and not server_error")
        return
    for each in DIALECTS:
        if dialect in ("", each):
            with Sandbox(each) as neptun:
                account = {name: getattr(neptun, name) for name in ("base_url", *NAMES)}
                record(account, f"{each} and not server_error")
                neptun.fail_next(500)
                record(account, f"{each} and server_error")


def record(account: Mapping[str, Any], which: str) -> None:
    """Run the chosen tests against a server, and put what they record into the cassettes; all of it or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_recording.plugin"]
        command += ["--record-mode=rewrite", "-m", "vcr", "-k", which, "tests/test_recorded.py"]
        settings = {"RECORD": json.dumps({**account, "folder": folder}), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        environment = {**os.environ, **settings}
        done = subprocess.run(command, cwd=ROOT, env=environment, check=False)  # noqa: S603
        if done.returncode:
            sys.exit("record: the server does not respond as the tests above expect; the cassettes are as they were.")
        recorded = {
            path.relative_to(folder): scrub(path.read_text(encoding="utf-8"), account)
            for path in Path(folder).rglob("*.yaml")
        }
    for name, text in recorded.items():
        (CASSETTES / name).parent.mkdir(exist_ok=True)
        (CASSETTES / name).write_text(text, encoding="utf-8", newline="\n")


def scrub(text: str, account: Mapping[str, Any]) -> str:
    """Replace in a cassette what belongs to one server: ids, times, addresses, and values that were not sent."""
    cassette = yaml.safe_load(text)
    for interaction in cassette["interactions"]:
        request, response = interaction["request"], interaction["response"]
        request["uri"] = _scrub_uri(request["uri"], account)
        sent = json.loads(request["body"])
        body = _decode(response["body"]["string"])
        if response["status"]["code"] == 200:
            row: dict[str, Any] = body if "id" in body else next(iter(body.values()))
            ids = {"id": int(request["uri"].rpartition("/")[2]), "neptun_user_id": REPLAY["user_id"]}
            fixed: dict[str, Any] = {**TIMES, **ids, "project_id": REPLAY["project_id"], **sent}
            row.update({name: fixed.get(name, _scrub_value(value)) for name, value in row.items()})
        else:
            own: dict[str, Any] = {"url": request["uri"], "stack": []}
            body.update({name: value for name, value in own.items() if name in body})
        response["body"]["string"] = json.dumps(body, ensure_ascii=False)
    scrubbed = yaml.safe_dump(cassette, allow_unicode=True, width=120)
    if account["session_cookie"] in scrubbed:
        sys.exit("record: the server sent the session back; the cassettes are as they were.")
    return scrubbed


def _scrub_uri(uri: str, account: Mapping[str, Any]) -> str:
    # The test of a user_id that is not the session's asks for the next one.
    fixed = {f"users/{account['user_id'] + more}": f"users/{REPLAY['user_id'] + more}" for more in (0, 1)}
    for name in ("project", "import"):
        fixed[f"{name}s/{account[f'{name}_id']}"] = f"{name}s/{REPLAY[f'{name}_id']}"
    path = uri[uri.index("/api/users/") :]
    path = re.sub(r"\w+/\d+", lambda found: fixed.get(found[0], found[0]), path)
    return f"{REPLAY['base_url']}{path}"


def _scrub_value(value: object) -> object:
    if isinstance(value, str):
        return SCRUBBED
    if isinstance(value, dict):
        return {}
    return [] if isinstance(value, list) else value


def _decode(body: str | bytes) -> dict[str, Any]:
    try:
        decoded = json.loads(body)
    except ValueError:
        decoded = None
    if not isinstance(decoded, dict):
        sys.exit("record: the body of a response is not a JSON object; the cassettes are as they were.")
    return cast("dict[str, Any]", decoded)


if __name__ == "__main__":
    main()
