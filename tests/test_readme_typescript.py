"""The published TypeScript functions on the site compile under ``tsc --strict`` and update the embedded Neptun."""

import json
import os
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from neptun_sdk.sandbox import Sandbox

PAGE = Path(__file__).parent.parent / "docs" / "languages" / "published-examples.md"
OPTIONS = ["--strict", "--target", "es2022", "--lib", "es2022,dom", "--module", "commonjs"]
HOST = "https://neptun-webui.vercel.app"
# The environment's own Node, if there is one.
PATH = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"

pytestmark = pytest.mark.needs("TypeScript")

# As they stand on the two pages of the contract.
PROJECT_INTERFACES = """\
interface Project {
  id: number
  name: string
  description?: string
  project_type: string
  programming_language: string
  created_at: string
  updated_at: string
  neptun_user_id: number
}

interface UpdateProjectRequest {
  name?: string
  description?: string
  project_type?: string
  programming_language?: string
}

interface ApiResponse {
  project: Project
}
"""
IMPORT_INTERFACES = """\
interface ProjectImport {
  id: number
  source_type: string
  source_path: string
  title?: string
  description?: string
  created_at: string
  updated_at: string
  neptun_user_id: number
  project_id: number
}

interface UpdateProjectImportRequest {
  source_type?: string
  source_path?: string
  title?: string
  description?: string
}

interface ApiResponse {
  import: ProjectImport
}
"""

PROJECT_FIELDS = {
    "name": "Updated Project Name",
    "description": "Updated project description",
    "project_type": "web-site",
    "programming_language": "typescript",
}
IMPORT_FIELDS = {"title": "Updated GitHub Import", "description": "Updated import from GitHub repository"}
FUNCTIONS = {
    "updateProject": (PROJECT_INTERFACES, "1, 789", PROJECT_FIELDS, "project"),
    "updateProjectImport": (IMPORT_INTERFACES, "1, 789, 123", IMPORT_FIELDS, "import"),
}


def run(folder: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PATH": PATH}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def program(name: str, fields: dict[str, str], neptun: Sandbox) -> str:
    """Return a module with a function of the page, and one call of it."""
    interfaces, ids, _, envelope = FUNCTIONS[name]
    blocks = re.findall(r"```typescript\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    (function,) = [block for block in blocks if f"function {name}(" in block]
    assert HOST in function
    function = function.replace(HOST, neptun.base_url)
    call = f"{name}({ids}, {json.dumps(fields)}, {json.dumps(neptun.session_cookie)})"
    use = f"{call}.then((response) => console.log(JSON.stringify(response.{envelope})))"
    return f"export {{}}\n{interfaces}\n{function}\n{use}\n"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_published_function_updates(name: str, neptun: Sandbox, tmp_path: Path) -> None:
    fields = FUNCTIONS[name][2]
    (tmp_path / "example.ts").write_text(program(name, fields, neptun), encoding="utf-8")
    compiled = run(tmp_path, "tsc", *OPTIONS, "example.ts")
    assert compiled.returncode == 0, compiled.stdout
    done = run(tmp_path, "node", "example.js")
    assert done.returncode == 0, done.stderr
    row: dict[str, Any] = json.loads(done.stdout)
    assert {field: row[field] for field in fields} == fields
    stored = neptun.project(789) if name == "updateProject" else neptun.project_import(789, 123)
    assert row == stored


def test_a_field_that_the_contract_does_not_have_is_an_error(neptun: Sandbox, tmp_path: Path) -> None:
    """Else the test above would show nothing about types."""
    (tmp_path / "example.ts").write_text(program("updateProject", {"nmae": "x"}, neptun), encoding="utf-8")
    compiled = run(tmp_path, "tsc", *OPTIONS, "--noEmit", "example.ts")
    assert compiled.returncode != 0
    assert "does not exist in type 'UpdateProjectRequest'" in compiled.stdout
