"""`_http` is a storey of its own: it knows nothing of the facade above it."""

import ast
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

import neptun_sdk

HTTP = Path(neptun_sdk.__file__).parent / "_http"
MODULES = {path.stem: path for path in sorted(HTTP.glob("*.py"))}


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_it_imports_nothing_of_the_facade(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            imported.add(node.module or "")
    assert {name for name in imported if "neptun" in name and not name.startswith("neptun_sdk._http.")} == set()


@pytest.mark.parametrize("path", MODULES.values(), ids=MODULES)
def test_its_words_are_not_of_neptun(path: Path) -> None:
    """It would serve any client."""
    with path.open("rb") as file:
        words = [
            token for token in tokenize.tokenize(file.readline) if token.type in (tokenize.STRING, tokenize.COMMENT)
        ]
    assert [token.string for token in words if "neptun" in token.string.lower()] == []


def test_importing_the_sdk_imports_no_more_than_it_needs() -> None:
    """The rest comes with the first client, or with its extra."""
    code = "import sys, neptun_sdk; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    unwanted = ("neptun_sdk.sandbox", "neptun_sdk.bulk", "neptun_openapi", "httpcore", "socksio")
    assert [name for name in done.stdout.split() if name.startswith(unwanted)] == []
