"""Write what comes from openapi.yaml, the low-level client and the name of the contract: ``generate.py`` in place,
``generate.py --check`` to compare only.

openapi-python-client warns, drops an operation or skips its formatter and still exits with 0, so each of these is
checked here, and nothing is replaced before all of it went well.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "openapi.yaml"
TARGET = ROOT / "generated" / "neptun_openapi"
CONTRACT = ROOT / "neptun_sdk" / "_contract.py"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
BIN = Path(sysconfig.get_path("scripts"))


def generate(output: Path) -> None:
    """Generate the client into a folder, or exit with a message that says what went wrong."""
    for tool in ("openapi-python-client", "ruff"):
        if not shutil.which(tool, path=str(BIN)):
            sys.exit(f"generate: {tool} is not installed in this environment; run `make generate`, which installs it.")
    command = [
        str(BIN / "openapi-python-client"),
        "generate",
        f"--path={SPEC}",
        f"--config={ROOT / 'scripts' / 'generate.yaml'}",
        f"--output-path={output}",
        "--meta=none",
        "--fail-on-warning",
    ]
    # The post hooks find ruff by PATH, which must lead to the pinned one.
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    messages = done.stdout + done.stderr
    if done.returncode or "warning" in messages.lower() or "error" in messages.lower():
        sys.exit(f"generate: openapi-python-client failed or warned (exit code {done.returncode}):\n{messages}")
    missing = [module for module in operation_modules() if not (output / module).is_file()]
    if missing:
        sys.exit(f"generate: openapi-python-client dropped {', '.join(missing)}; check its operation in openapi.yaml.")
    # Written by the generator only together with the metadata of a package of its own.
    (output / "py.typed").touch()


def contract() -> str:
    """Return the module that names the contract by its version and hash, as a version with build metadata."""
    content = SPEC.read_bytes()
    version = yaml.safe_load(content)["info"]["version"]
    name = f"{version}+{hashlib.sha256(content).hexdigest()[:12]}"
    return (
        '"""The contract that this SDK is made for, written by `make generate`."""\n\n'
        f'CONTRACT = "{name}"  # info.version of openapi.yaml, and the start of its SHA-256\n'
    )


def operation_modules() -> list[str]:
    """Return the module that each operation of the contract must have: its tag, and its operationId in snake case."""
    paths: dict[str, dict[str, Any]] = yaml.safe_load(SPEC.read_text(encoding="utf-8"))["paths"]
    nodes = [item[method] for item in paths.values() for method in METHODS if method in item]
    return [f"api/{node['tags'][0]}/{snake_case(node['operationId'])}.py" for node in nodes]


def snake_case(name: str) -> str:
    """Return the name of a module for an operationId."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail with a diff where the output differs"
    )
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "neptun_openapi"
        generate(fresh)
        if not check:
            shutil.rmtree(TARGET, ignore_errors=True)  # what the contract no longer has must not stay behind
            shutil.copytree(fresh, TARGET)
            CONTRACT.write_text(contract(), encoding="utf-8", newline="\n")
            print(f"generated {TARGET.relative_to(ROOT)} and {CONTRACT.relative_to(ROOT)}")
            return
        command = ["diff", "-ru", "--exclude=__pycache__", str(TARGET), str(fresh)]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            sys.exit(
                "check-generated: generated/ is not what openapi.yaml gives; run `make generate` and commit the result."
            )
        if CONTRACT.read_text(encoding="utf-8") != contract():
            sys.exit(f"check-generated: {CONTRACT.relative_to(ROOT)} names another contract; run `make generate`.")
        print("check-generated: generated/ is what openapi.yaml gives")


if __name__ == "__main__":
    main()
