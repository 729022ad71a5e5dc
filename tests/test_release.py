"""``make release`` in a clone of this repository: each refusal, and one release from the clean tree to the tag.

In the clone, ``make check test`` is a single run of ruff, so that a release takes seconds and a failing check is real.
Most refusals are seen in the process of the tests: a few show that the command does the same.
"""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tarfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import pytest
import release
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sysconfig.get_path("scripts"))
# Filled by the Makefile, so that these tests need no network.
WHEELS = ROOT / ".venv" / "wheels"
pytestmark = pytest.mark.needs("git", "Java", "oasdiff", "Redocly")
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "dist", "mutants", "tests", "docs")
VERSION = "0.2.0"
CHECKS = f"check test:\n\t@{BIN / 'ruff'} check --no-cache neptun_sdk\n"
HEADING = f"## [{VERSION}] - {date.today()}"
CHANGELOG = (
    f"# Changelog\n\n## [Unreleased]\n\n{HEADING}\n\n### Changed\n\n- Something.\n\n## [0.1.0] - 2026-01-01\n\n- All.\n"
)
# Steps that take seconds: what they write is committed already, unless that is the mistake.
SLOW = ("make generate must work", "make changes must work", "the contract must build")
NEW_METHOD = ("neptun_sdk/client.py", "    def close(self)", "    def ping(self) -> None: ...\n\n    def close(self)")
Build: TypeAlias = Callable[[Path, str, str], list[Path]]


class Clone:
    """A clone in which a release has been prepared: 0.1.0 is out, and ``HEADING`` is in the CHANGELOG."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{folder}{os.pathsep}{folder / 'generated'}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **{f"GIT_{who}_NAME": "A Maintainer" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "maintainer@localhost" for who in ("AUTHOR", "COMMITTER")},
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(WHEELS),
            "PIP_CONFIG_FILE": os.devnull,
        }

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

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

    def release_here(self, version: str = VERSION, *, steps: Sequence[str] = (), build: Build | None = None) -> None:
        """Release from this process, whose start took as long as most refusals do.

        Args:
            version: The version to release.
            steps: Which of ``SLOW`` to run.
            build: What stands for the build of the contract, the wheel and the sdist.
        """
        root, run = release.ROOT, release._run

        def quick(rule: str, *command: str, **options: Any) -> str:
            return "" if rule in SLOW and rule not in steps else run(rule, *command, **options)

        with pytest.MonkeyPatch.context() as patch:
            for name, path in vars(release).items():
                if isinstance(path, Path) and path.is_relative_to(root):
                    patch.setattr(release, name, self.folder / path.relative_to(root))
            for name in os.environ.keys() - self.environment.keys():
                patch.delenv(name)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(release, "_run", quick)
            if build:
                patch.setattr(release, "_build", build)
            release.release(version)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone that every test copies."""
    folder = tmp_path_factory.mktemp("release") / "neptun"
    shutil.copytree(ROOT, folder, ignore=IGNORED)
    shutil.copy(ROOT / ".gitignore", folder)
    shutil.copytree(
        ROOT / "tests" / "portability", folder / "tests" / "portability", ignore=shutil.ignore_patterns(".*")
    )
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
    shutil.copy(folder / "interfaces" / "python.txt", folder / "interfaces" / "released.txt")
    shutil.copy(spec, folder / "interfaces" / "released.yaml")
    (folder / "interfaces" / "contracts.txt").write_text(f"1.0.0 {sha256(spec)}\n", encoding="utf-8")
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
    """What is wrong with a release.

    Attributes:
        make: What is done to the clone.
        reason: The reason of the refusal.
        version: The version to release.
        step: The step of ``SLOW`` that finds the mistake.
        is_built: Whether the build finds it.
    """

    make: Callable[[Clone], object]
    reason: str
    version: str = VERSION
    step: str = ""
    is_built: bool = False


OTHER_COOKIE = ("openapi.yaml", "      name: neptun-session\n", "      name: neptun\n")


def release_elsewhere(clone: Clone, kind: str, name: str) -> None:
    """The contract changes here by a comment, and its next version has been released from another branch."""
    contracts = clone.folder / "interfaces" / "contracts.txt"
    clone.git("checkout", "--quiet", "-b", "other")
    contracts.write_text(f"{contracts.read_text(encoding='utf-8')}1.0.1 {'0' * 64}\n", encoding="utf-8")
    clone.commit()
    clone.git(kind, name)
    clone.git("checkout", "--quiet", "main")
    clone.git("branch", "--quiet", "-D", "other")
    changed("openapi.yaml", "  version: 1.0.0\n", "  version: 1.0.0\n  # A comment.\n")(clone)


def forget_what_was_released(clone: Clone) -> None:
    clone.git("rm", "--quiet", "interfaces/released.txt")
    clone.commit()


def changed(path: str, old: str, new: str) -> Callable[[Clone], None]:
    def make(clone: Clone) -> None:
        clone.replace(path, old, new)
        clone.commit()

    return make


def as_a_patch(make: Callable[[Clone], None]) -> Callable[[Clone], None]:
    def make_both(clone: Clone) -> None:
        changed("CHANGELOG.md", HEADING, f"## [0.1.1] - {date.today()}")(clone)
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
        changed("CHANGELOG.md", HEADING, f"## [0.0.9] - {date.today()}"), r"0\.0\.9 is not above 0\.1\.0", "0.0.9"
    ),
    "a CHANGELOG without the version": Mistake(nothing, r"has no section `## \[0\.3\.0\] - ", "0.3.0"),
    "a CHANGELOG without a date": Mistake(
        changed("CHANGELOG.md", HEADING, f"## [{VERSION}]"), r"the section of 0\.2\.0 has no date"
    ),
    "a CHANGELOG with a date that is none": Mistake(
        changed("CHANGELOG.md", HEADING, f"## [{VERSION}] - 2026-02-30"), r"the section of 0\.2\.0 has no date"
    ),
    "a CHANGELOG that was written long ago": Mistake(
        changed("CHANGELOG.md", HEADING, f"## [{VERSION}] - {date.today() - timedelta(days=8)}"),
        r"the section of 0\.2\.0 has a date 8 days ago; write today's: `## \[0\.2\.0\] - ",
    ),
    "a CHANGELOG with a day to come": Mistake(
        changed("CHANGELOG.md", HEADING, f"## [{VERSION}] - {date.today() + timedelta(days=2)}"),
        r"the section of 0\.2\.0 has a date in the future; write today's",
    ),
    "nobody who commits": Mistake(
        lambda clone: [
            clone.environment.pop(name) for name in list(clone.environment) if name.startswith("GIT_COMMITTER")
        ],
        r"git does not know who commits; set it: git config user\.name and user\.email",
    ),
    "a contract that was released with other bytes, in a tag": Mistake(
        lambda clone: release_elsewhere(clone, "tag", "v9"),
        r"contract 1\.0\.1 was released with other bytes, as interfaces/contracts\.txt of refs/tags/v9 says; raise",
    ),
    "a contract that was released with other bytes, on a branch": Mistake(
        lambda clone: release_elsewhere(clone, "branch", "stable"),
        r"contract 1\.0\.1 was released with other bytes, as interfaces/contracts\.txt of refs/heads/stable says",
    ),
    "a CHANGELOG without a change": Mistake(
        changed("CHANGELOG.md", "- Something.\n", ""), r"the section of 0\.2\.0 lists no change"
    ),
    "a renamed field, as a patch": Mistake(
        as_a_patch(changed("neptun_sdk/models.py", "    id: int\n    name: str\n", "    id: int\n    label: str\n")),
        r"0\.1\.1 is too low: after 0\.1\.0, these changes call for 0\.2\.0 or more:\nmajor  neptun_sdk\.Project",
        "0.1.1",
    ),
    "an addition, as a patch": Mistake(
        as_a_patch(changed(*NEW_METHOD)),
        r"call for 0\.2\.0 or more:\nminor  neptun_sdk\.NeptunClient\.ping: was added",
        "0.1.1",
    ),
    "a contract that breaks callers, as a patch": Mistake(
        as_a_patch(changed(*OTHER_COOKIE)),
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
        changed("generated/neptun_openapi/errors.py", '"""Contains', '"""Holds'),
        "generated/ is not what openapi.yaml",
        step="make generate must work",
    ),
    "a snapshot that is not up to date": Mistake(
        changed(*NEW_METHOD), r"interfaces/python\.txt is not what the code says", step="make changes must work"
    ),
    "a package that cannot be imported": Mistake(
        changed("pyproject.toml", '"generated/neptun_openapi", ', ""),
        r"neptun_sdk-0\.2\.0-py3-none-any\.whl must make a call; (.*\n)*.*No module named 'neptun_openapi'",
        is_built=True,
    ),
    "a commit that is refused": Mistake(
        lambda clone: hook(clone, "pre-commit"), r"git must work; `git commit .*` failed:\nnot on a Friday"
    ),
}


def hook(clone: Clone, name: str) -> None:
    path = clone.folder / ".git" / "hooks" / name
    path.write_text("#!/bin/sh\necho not on a Friday >&2\nexit 1\n", encoding="utf-8")
    path.chmod(0o755)


def state(clone: Clone) -> tuple[str, ...]:
    """Return what a refused release must leave as it was."""
    return (clone.git("rev-parse", "HEAD"), clone.git("tag"), clone.git("status", "--porcelain"), clone.git("diff"))


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_release_with_a_mistake_is_refused_and_leaves_nothing_behind(
    mistake: Mistake, clone: Clone, capsys: pytest.CaptureFixture[str]
) -> None:
    mistake.make(clone)
    before = state(clone)
    with pytest.raises((release.Refused, SystemExit), match=mistake.reason):
        clone.release_here(mistake.version, steps=(mistake.step,), build=None if mistake.is_built else lambda *_: [])
    assert capsys.readouterr().out == ""
    assert state(clone) == before
    assert not (clone.folder / "dist").exists()


REFUSED_BY_THE_COMMAND = ("no version", "a contract whose version is none", "a failing check")


@pytest.mark.parametrize("name", REFUSED_BY_THE_COMMAND)
def test_the_command_says_why_it_refuses_and_leaves_nothing_behind(name: str, clone: Clone) -> None:
    """Before any work, by a script that compares, and after the versions were set."""
    make, reason, version, *_ = MISTAKES[name]
    make(clone)
    before = state(clone)
    done = clone.release(version)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.match(f"release: (.*\n)*?.*{reason}", done.stderr), done.stderr
    assert done.stderr.endswith("Nothing was released, and no file is changed.\n")
    assert state(clone) == before
    assert not (clone.folder / "dist").exists()


SETSID = f'{sys.executable} -c \'import os, time; os.setsid(); open("began", "w").close(); time.sleep(600)\''
# Stands for generate.py, which runs other processes too; elsewhere in these tests an empty script does.
WAITING = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
MOMENTS: dict[str, tuple[int, Callable[[Path], bool]]] = {
    "Ctrl-C during the checks": (signal.SIGINT, lambda folder: (folder / "began").exists()),
    "a system that shuts down during the checks": (signal.SIGTERM, lambda folder: (folder / "began").exists()),
    "a terminal that is closed during the checks": (signal.SIGHUP, lambda folder: (folder / "began").exists()),
    "Ctrl-C before the checks": (signal.SIGINT, lambda folder: "0.2.0" in text_of(folder / "neptun_sdk/_version.py")),
    "a system that shuts down during the build": (
        signal.SIGTERM,
        lambda folder: "0.2.0" in text_of(folder / "interfaces" / "released.txt"),
    ),
}


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def processes_in(folder: Path) -> list[str]:
    """Return the commands of the processes that work in a folder."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").resolve() == folder:
                found.append((process / "cmdline").read_text(encoding="utf-8"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_signal_leaves_every_file_as_it_was_and_no_process(moment: str, clone: Clone) -> None:
    """The checks have a process with a session of its own, as tests do: it must end too."""
    number, came = MOMENTS[moment]
    (clone.folder / "scripts" / "generate.py").write_text(WAITING if "before" in moment else "", encoding="utf-8")
    clone.commit()
    if "during the checks" in moment:
        changed("Makefile", CHECKS, f"{CHECKS}\t@{SETSID}\n")(clone)
        (clone.folder / ".git" / "info" / "exclude").write_text("began\n", encoding="utf-8")
    before = (clone.git("rev-parse", "HEAD"), clone.git("tag"), clone.git("status", "--porcelain"))
    # A shell's background job and nohup let their children ignore signals: begin as a terminal does.
    code = "import os, signal, sys; [signal.signal(each, signal.SIG_DFL) for each in map(int, sys.argv[1].split())]; "
    code += "os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
    numbers = " ".join(str(int(each)) for each, _ in MOMENTS.values())
    command = [sys.executable, "-c", code, numbers, "scripts/release.py", VERSION]
    with subprocess.Popen(
        command, cwd=clone.folder, env=clone.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as release:
        until = time.monotonic() + 120
        while not came(clone.folder) and release.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
        release.send_signal(number)
        stdout, stderr = release.communicate(timeout=120)
    name = signal.Signals(number).name
    line = f"release: stopped by {name}; nothing was released, and every file is as it was.\n"
    assert (stdout, stderr, release.returncode) == ("", line, 128 + number)
    assert (clone.git("rev-parse", "HEAD"), clone.git("tag"), clone.git("status", "--porcelain")) == before
    assert processes_in(clone.folder) == []
    assert not (clone.folder / "dist").exists()


def test_a_release_that_was_killed_before_its_tag_is_finished(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    """As it is after SIGKILL, which nothing can catch: the commit is there, and the tag is not."""
    clone.replace("neptun_sdk/_version.py", "0.1.0", VERSION)
    clone.git("commit", "--all", "--quiet", "--message", f"Release {VERSION}")
    released = clone.git("rev-parse", "HEAD")
    names = ["contract", "wheel", "sdist"]
    built: list[tuple[str, str]] = []

    def build(folder: Path, version: str, tree: str) -> list[Path]:
        built.append((version, tree))
        for name in names:
            (folder / name).touch()
        return [folder / name for name in names]

    clone.release_here(build=build)
    printed = capsys.readouterr().out
    assert printed.startswith("Released 0.2.0: committed, and tagged v0.2.0. Nothing is published yet.")
    assert built == [(VERSION, "HEAD")]
    assert clone.git("rev-parse", "HEAD") == clone.git("rev-parse", "v0.2.0^{commit}") == released
    assert sorted(file.name for file in (clone.folder / "dist").iterdir()) == sorted(names)


def test_files_that_a_killed_release_left_are_named_with_what_puts_them_back(clone: Clone) -> None:
    clone.replace("neptun_sdk/_version.py", "0.1.0", "0.2.0")
    assert re.search(
        r"If a release that was killed has left them: git checkout HEAD -- neptun_sdk/_version\.py ",
        clone.release().stderr,
    )


def test_a_file_that_changes_during_the_tests_is_refused_and_kept(clone: Clone) -> None:
    """What was tested would not be what is released; and the change is somebody's work."""
    changed("Makefile", CHECKS, f"{CHECKS}\t@echo Mine > README.md\n")(clone)
    start = clone.git("rev-parse", "HEAD")
    with pytest.raises(
        release.Refused, match=r"^files were changed during the tests; commit or remove them:\n M README\.md$"
    ):
        clone.release_here()
    assert (clone.git("rev-parse", "HEAD"), clone.git("tag")) == (start, "v0.1.0\n")
    assert clone.git("status", "--porcelain") == " M README.md\n"
    assert (clone.folder / "README.md").read_text(encoding="utf-8") == "Mine\n"


def test_a_release_checks_builds_tries_commits_and_tags(clone: Clone) -> None:
    clone.replace(*OTHER_COOKIE)
    clone.write("generate")
    clone.commit()
    done = clone.release()
    assert done.returncode == 0, done.stderr

    built = ["dist/neptun_sdk-0.2.0-py3-none-any.whl", "dist/neptun_sdk-0.2.0.tar.gz"]
    of_contract = "dist/neptun-contract-2.0.0.tar.gz"
    assert sorted(f"dist/{file.name}" for file in (clone.folder / "dist").iterdir()) == sorted([of_contract, *built])
    assert done.stdout == (
        "Released 0.2.0: committed, and tagged v0.2.0. Nothing is published yet. To publish:\n"
        f"  git push origin HEAD v0.2.0\n  twine upload {' '.join(built)}\n"
        f"and attach {of_contract} to the release of the tag, for clients in other languages.\n"
    )
    assert clone.git("status", "--porcelain") == ""
    assert clone.git("log", "--format=%s", "-1") == "Release 0.2.0\n"
    assert clone.git("rev-parse", "v0.2.0^{commit}") == clone.git("rev-parse", "HEAD")

    text = {path: (clone.folder / path).read_text(encoding="utf-8") for path in clone.git("ls-files").split()}
    assert '__version__ = "0.2.0"' in text["neptun_sdk/_version.py"]
    # The contract has a version of its own, which the change of its cookie raises.
    assert yaml.safe_load(text["openapi.yaml"])["info"]["version"] == "2.0.0"
    assert 'CONTRACT = "2.0.0+' in text["neptun_sdk/_contract.py"]
    assert text["interfaces/released.yaml"] == text["openapi.yaml"]
    assert text["interfaces/released.txt"] == text["interfaces/python.txt"]
    assert text["interfaces/contracts.txt"].splitlines()[-1] == f"2.0.0 {sha256(clone.folder / 'openapi.yaml')}"
    section = text["interfaces/CHANGELOG.md"].split("## ")[1]
    assert section.startswith(f"2.0.0 - {date.today()}\n\n- **major** components: ")
    assert "from `neptun-session` to `neptun`" in section
    with tarfile.open(clone.folder / of_contract) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"openapi.yaml", "openapi-3.1.yaml", "CHANGELOG.md", "LICENSE", "run.py", "vectors/README.md"} <= names
    assert text["interfaces/python.txt"].startswith("# The public Python interface of neptun-sdk 0.2.0,")
