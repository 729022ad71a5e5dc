"""``make release`` in a clone of this repository: each refusal, and one release from the clean tree to the tag.

In the clone, ``make check test`` is a single run of ruff, so that a release takes seconds and a failing check is real.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sysconfig.get_path("scripts"))
# Filled by the Makefile, so that these tests need no network.
WHEELS = ROOT / ".venv" / "wheels"
pytestmark = pytest.mark.needs("git", "oasdiff", "Redocly")
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "dist", "mutants", "tests", "docs")
VERSION = "0.2.0"
CHECKS = f"check test:\n\t@{BIN / 'ruff'} check --no-cache neptun_sdk\n"
HEADING = f"## [{VERSION}] - {date.today()}"
CHANGELOG = (
    f"# Changelog\n\n## [Unreleased]\n\n{HEADING}\n\n### Changed\n\n- Something.\n\n## [0.1.0] - 2026-01-01\n\n- All.\n"
)
NEW_METHOD = ("neptun_sdk/client.py", "    def close(self)", "    def ping(self) -> None: ...\n\n    def close(self)")


class Clone:
    """A clone in which a release has been prepared: 0.1.0 is out, and ``HEADING`` is in the CHANGELOG."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{self.folder}{os.pathsep}{self.folder / 'generated'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "A Maintainer" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "maintainer@localhost" for who in ("AUTHOR", "COMMITTER")},
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(WHEELS),
            "PIP_CONFIG_FILE": os.devnull,
        }
        return subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)

    def git(self, *arguments: str) -> str:
        done = self.run("git", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def release(self, version: str = VERSION) -> "subprocess.CompletedProcess[str]":
        return self.run(sys.executable, "scripts/release.py", version)

    def replace(self, path: str, old: str, new: str) -> None:
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has {text.count(old)} times, not once:\n{old}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A change")

    def write(self, script: str) -> None:
        """Run one of the scripts that write what is committed."""
        done = self.run(sys.executable, f"scripts/{script}.py")
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone that every test copies."""
    folder = tmp_path_factory.mktemp("release") / "neptun"
    shutil.copytree(ROOT, folder, ignore=IGNORED)
    shutil.copy(ROOT / ".gitignore", folder)
    clone = Clone(folder)
    makefile = folder / "Makefile"
    kept = re.sub(r"^(check|test):.*\n(\t.*\n)*", "", makefile.read_text(encoding="utf-8"), flags=re.MULTILINE)
    makefile.write_text(kept + CHECKS, encoding="utf-8")
    (folder / "CHANGELOG.md").write_text(CHANGELOG, encoding="utf-8")
    (folder / "neptun_sdk" / "_version.py").write_text('__version__ = "0.1.0"\n', encoding="utf-8")
    spec = folder / "openapi.yaml"
    text = re.sub(r"^  version: .*$", "  version: 1.0.0", spec.read_text(encoding="utf-8"), flags=re.MULTILINE)
    spec.write_text(text, encoding="utf-8")
    clone.write("generate")
    clone.write("api_snapshot")
    shutil.copy(folder / "api" / "python.txt", folder / "api" / "released.txt")
    shutil.copy(spec, folder / "api" / "released.yaml")
    clone.git("init", "--quiet", "--initial-branch=main")
    clone.commit()
    clone.git("tag", "v0.1.0")
    return folder


@pytest.fixture
def clone(prepared: Path, tmp_path: Path) -> Clone:
    """A clone to change, and to release from."""
    shutil.copytree(prepared, tmp_path / "neptun")
    return Clone(tmp_path / "neptun")


class Mistake(NamedTuple):
    """What is wrong with a release: what is done to the clone, the version, and the reason of the refusal."""

    make: Callable[[Clone], object]
    reason: str
    version: str = VERSION


def rename_a_field(clone: Clone) -> None:
    """A field gets another name in the Python interface only, and the snapshot is written again."""
    clone.replace("neptun_sdk/models.py", "    id: int\n    name: str\n", "    id: int\n    label: str\n")
    clone.write("api_snapshot")
    clone.commit()


def add_a_method(clone: Clone) -> None:
    clone.replace(*NEW_METHOD)
    clone.write("api_snapshot")
    clone.commit()


def break_the_contract(clone: Clone) -> None:
    clone.replace("openapi.yaml", "      name: neptun-session\n", "      name: neptun\n")
    clone.write("generate")
    clone.commit()


def forget_what_was_released(clone: Clone) -> None:
    clone.git("rm", "--quiet", "api/released.txt")
    clone.commit()


def changed(path: str, old: str, new: str) -> Callable[[Clone], None]:
    def make(clone: Clone) -> None:
        clone.replace(path, old, new)
        clone.commit()

    return make


def as_a_patch(make: Callable[[Clone], None]) -> Callable[[Clone], None]:
    def make_both(clone: Clone) -> None:
        changed("CHANGELOG.md", HEADING, "## [0.1.1] - 2026-01-01")(clone)
        make(clone)

    return make_both


def nothing(_: Clone) -> None:
    """The mistake is the version alone."""


MISTAKES = {
    "no version": Mistake(nothing, r"VERSION is '': run `make release VERSION=1\.2\.3`", ""),
    "a version of two numbers": Mistake(nothing, "VERSION is '0.2'", "0.2"),
    "a tag for a version": Mistake(nothing, "VERSION is 'v0.2.0'", "v0.2.0"),
    "a changed file": Mistake(
        lambda clone: clone.replace("CHANGELOG.md", "- Something.", "- Something else."),
        r"changes that are not committed.*\n M CHANGELOG\.md",
    ),
    "a new file": Mistake(lambda clone: (clone.folder / "notes.txt").touch(), r"not committed.*\n\?\? notes\.txt"),
    "no branch": Mistake(
        lambda clone: clone.git("checkout", "--quiet", "--detach"),
        "no branch is checked out",
    ),
    "a version that was released": Mistake(nothing, r"the tag v0\.1\.0 exists", "0.1.0"),
    "a version below the released one": Mistake(
        changed("CHANGELOG.md", HEADING, "## [0.0.9] - 2026-01-01"), r"0\.0\.9 is not above 0\.1\.0", "0.0.9"
    ),
    "a CHANGELOG without the version": Mistake(nothing, r"has no section `## \[0\.3\.0\] - ", "0.3.0"),
    "a CHANGELOG without a date": Mistake(
        changed("CHANGELOG.md", HEADING, f"## [{VERSION}]"), r"the section of 0\.2\.0 has no date"
    ),
    "a CHANGELOG with a date that is none": Mistake(
        changed("CHANGELOG.md", HEADING, f"## [{VERSION}] - 2026-02-30"), r"the section of 0\.2\.0 has no date"
    ),
    "a CHANGELOG without a change": Mistake(
        changed("CHANGELOG.md", "- Something.\n", ""), r"the section of 0\.2\.0 lists no change"
    ),
    "a renamed field, as a patch": Mistake(
        as_a_patch(rename_a_field),
        r"0\.1\.1 is too low: after 0\.1\.0, these changes call for 0\.2\.0 or more:\nmajor  neptun_sdk\.Project",
        "0.1.1",
    ),
    "an addition, as a patch": Mistake(
        as_a_patch(add_a_method),
        r"call for 0\.2\.0 or more:\nminor  neptun_sdk\.NeptunClient\.ping: was added",
        "0.1.1",
    ),
    "a contract that breaks callers, as a patch": Mistake(
        as_a_patch(break_the_contract),
        r"call for 0\.2\.0 or more:\nmajor  components: .* from `neptun-session` to `neptun`",
        "0.1.1",
    ),
    "a contract whose version is none": Mistake(
        changed("openapi.yaml", "  version: 1.0.0\n", "  version: 1.0.0-beta\n"),
        r"info\.version of .*openapi\.yaml is '1\.0\.0-beta'; write three numbers",
    ),
    "no snapshot of the release": Mistake(
        forget_what_was_released,
        r"released\.txt cannot be read \(No such file or directory\)",
    ),
    "a failing check": Mistake(
        changed("neptun_sdk/client.py", "import httpx\n", "import httpx\nimport zipfile\n"),
        r"make check and make test must pass; `make check test` failed:\n(.*\n)*.*`zipfile` imported but unused",
    ),
    "a generated client that was edited": Mistake(
        changed("generated/neptun_openapi/errors.py", '"""Contains', '"""Holds'), "generated/ is not what openapi.yaml"
    ),
    "a snapshot that is not up to date": Mistake(
        changed(
            "neptun_sdk/client.py", "    def close(self)", "    def ping(self) -> None: ...\n\n    def close(self)"
        ),
        r"api/python\.txt is not what the code says",
    ),
    "a package that cannot be imported": Mistake(
        changed("pyproject.toml", '"generated/neptun_openapi", ', ""),
        r"neptun_sdk-0\.2\.0-py3-none-any\.whl must make a call; (.*\n)*.*No module named 'neptun_openapi'",
    ),
    "a commit that is refused": Mistake(
        lambda clone: hook(clone, "pre-commit"), r"git must work; `git commit .*` failed:\nnot on a Friday"
    ),
}


def hook(clone: Clone, name: str) -> None:
    path = clone.folder / ".git" / "hooks" / name
    path.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_release_with_a_mistake_is_refused_and_leaves_nothing_behind(mistake: Mistake, clone: Clone) -> None:
    mistake.make(clone)
    before = (clone.git("rev-parse", "HEAD"), clone.git("tag"), clone.git("status", "--porcelain"), clone.git("diff"))
    done = clone.release(mistake.version)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(f"release: (.*\n)*?.*{mistake.reason}", done.stderr), done.stderr
    assert done.stderr.endswith("Nothing was released, and no file is changed.\n")
    after = (clone.git("rev-parse", "HEAD"), clone.git("tag"), clone.git("status", "--porcelain"), clone.git("diff"))
    assert after == before
    assert not (clone.folder / "dist").exists()


def test_a_file_that_changes_during_the_tests_is_refused_and_kept(clone: Clone) -> None:
    """What was tested would not be what is released; and the change is somebody's work."""
    changed("Makefile", CHECKS, f"{CHECKS}\t@echo Mine > README.md\n")(clone)
    start = clone.git("rev-parse", "HEAD")
    done = clone.release()
    assert done.returncode == 1
    assert "files were changed during the tests; commit or remove them:\n M README.md\n" in done.stderr
    assert (clone.git("rev-parse", "HEAD"), clone.git("tag")) == (start, "v0.1.0\n")
    assert clone.git("status", "--porcelain") == " M README.md\n"
    assert (clone.folder / "README.md").read_text(encoding="utf-8") == "Mine\n"


def test_a_release_checks_builds_tries_commits_and_tags(clone: Clone) -> None:
    break_the_contract(clone)
    done = clone.release()
    assert done.returncode == 0, done.stderr

    built = ["dist/neptun_sdk-0.2.0-py3-none-any.whl", "dist/neptun_sdk-0.2.0.tar.gz"]
    assert sorted(f"dist/{file.name}" for file in (clone.folder / "dist").iterdir()) == built
    assert done.stdout == (
        "Released 0.2.0: committed, and tagged v0.2.0. Nothing is published yet. To publish:\n"
        f"  git push origin HEAD v0.2.0\n  twine upload {' '.join(built)}\n"
    )
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("log", "--format=%s", "-1") == "Release 0.2.0\n"
    assert clone.git("rev-parse", "v0.2.0^{commit}") == clone.git("rev-parse", "HEAD")

    text = {path: (clone.folder / path).read_text(encoding="utf-8") for path in clone.git("ls-files").split()}
    assert '__version__ = "0.2.0"' in text["neptun_sdk/_version.py"]
    # The contract has a version of its own, which the change of its cookie raises.
    assert yaml.safe_load(text["openapi.yaml"])["info"]["version"] == "2.0.0"
    assert 'CONTRACT = "2.0.0+' in text["neptun_sdk/_contract.py"]
    assert text["api/released.yaml"] == text["openapi.yaml"]
    assert text["api/released.txt"] == text["api/python.txt"]
    assert text["api/python.txt"].startswith("# The public Python interface of neptun-sdk 0.2.0,")
