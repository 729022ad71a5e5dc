"""docs/tasks/endpoint.md: each framework answers each row of the table as the table says, and the files are typed."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.needs import require

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tasks" / "endpoint.md").read_text(encoding="utf-8")
FILES = {name: code for code, name in re.findall(r"```python\n(# (\w+\.py)\n.*?)```", TEXT, re.S)}
STATUS = {
    name: int(status)
    for errors, status in re.findall(r"^\| (`.+?) \| (\d+)", TEXT, re.M)
    for name in re.findall(r"`(\w+)`", errors)
}
WITHIN_A_ROW = {"no session": 401, "no name": 422, "an id of 0": 422, "success": 200}
FRAMEWORKS = ("FastAPI", "Flask", "Django")


def write_files(folder: Path) -> None:
    for name, code in FILES.items():
        (folder / name).write_text(code, encoding="utf-8")


@pytest.fixture(scope="module", params=FRAMEWORKS)
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    require(request.param.lower())
    folder = tmp_path_factory.mktemp("service")
    write_files(folder)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("endpoint_rows.py")), request.param],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_row_has_its_status(answers: Any) -> None:
    assert {name: status for name, (status, _, _) in answers.items()} == STATUS | WITHIN_A_ROW


def test_the_body_tells_what_the_user_may_know(answers: Any) -> None:
    """`applied` in each, the fields of a bad request, no id and no session."""
    bodies = {name: body for name, (status, body, _) in answers.items() if status not in (200, 500)}
    unknown = {name for name, body in bodies.items() if body["applied"] is None}
    assert unknown == {
        "NeptunConnectionError",
        "NeptunTimeoutError",
        "ResponseError",
        "ServerError",
        "UpdateNotVerifiedError",
    }
    assert bodies["BadRequestError"]["fields"] == {"name": "Too long"}
    assert bodies["no name"]["fields"] == {"name": "must not be empty"}
    assert not re.search(r"789|999|127\.0\.0\.1|neptun-session|update_project", json.dumps(bodies))


def test_the_rate_limit_says_when_to_come_back(answers: Any) -> None:
    assert {name: wait for name, (_, _, wait) in answers.items() if wait} == {"RateLimitError": "60"}


@pytest.mark.needs("mypy", "fastapi", "flask", "django", "celery")
def test_the_files_pass_mypy_strict(tmp_path: Path) -> None:
    write_files(tmp_path)
    settings = tmp_path / "mypy.ini"
    # Celery and Django have no types.
    untyped = "[mypy-celery.*,django.*]\nignore_missing_imports = True\n"
    decorated = "[mypy-tasks,django_service]\ndisallow_untyped_decorators = False\n"
    settings.write_text(f"[mypy]\nstrict = True\n{untyped}{decorated}", encoding="utf-8")
    command = [Path(sysconfig.get_path("scripts")) / "mypy", "--config-file", settings, *sorted(FILES)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "gateway.py").write_text(FILES["gateway.py"].replace("(422, ", '("422", '), encoding="utf-8")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "gateway.py" in done.stdout, "a wrong type must be found"
