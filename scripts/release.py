"""Make a release: check, set the versions, build, try what was built, commit and tag. Publishing is left to a person.

Whatever fails, nothing is committed, and the files are put back as they were.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
from datetime import date
from pathlib import Path

import api_diff
import api_snapshot
import spec_diff
from changes import at_least, highest, is_enough, parse

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
SPEC, RELEASED_SPEC = ROOT / "openapi.yaml", ROOT / "api" / "released.yaml"
SNAPSHOT, RELEASED_SNAPSHOT = ROOT / "api" / "python.txt", ROOT / "api" / "released.txt"
CHANGED = ("neptun_sdk/_version.py", "neptun_sdk/_contract.py", "openapi.yaml", "generated", "api")

# What a fresh installation must be able to do; it prints what the release then compares.
CALL = """
import json, sys
import neptun_sdk
with neptun_sdk.NeptunClient(sys.argv[1], int(sys.argv[2]), base_url=sys.argv[3]) as client:
    name = client.update_project(int(sys.argv[4]), name="Released").name
print(json.dumps([name, neptun_sdk.__version__, neptun_sdk.CONTRACT, neptun_sdk.__file__]))
"""


class Refused(Exception):
    """The release cannot be made; the text says why, and what to do."""


def release(version: str) -> None:
    """Make the release.

    Raises:
        Refused: A rule is not met, or a step failed.
    """
    _check_request(version)
    contract = _check_level(version)
    start = _git("rev-parse", "HEAD").strip()
    with tempfile.TemporaryDirectory() as folder:
        try:
            _write_versions(version, contract)
            _run("make check and make test must pass", "make", "check", "test")
            others = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in CHANGED))
            if others:
                raise Refused(f"files were changed during the tests; commit or remove them:\n{others.rstrip()}")
            shutil.copyfile(SPEC, RELEASED_SPEC)
            shutil.copyfile(SNAPSHOT, RELEASED_SNAPSHOT)
            _git("commit", "--quiet", "--message", f"Release {version}", "--", *CHANGED)
            built = _build(Path(folder), version)
            _git("tag", "--annotate", f"v{version}", "--message", f"Release {version}")
        except BaseException:
            # Only these files: others may have been edited during the tests.
            _git("reset", "--quiet", "--soft", start)
            _git("checkout", "--quiet", start, "--", *CHANGED)
            _git("clean", "--quiet", "--force", "-d", "--", *CHANGED)
            raise
        DIST.mkdir(exist_ok=True)
        files = " ".join(Path(shutil.copy(file, DIST)).relative_to(ROOT).as_posix() for file in built)
    print(f"Released {version}: committed, and tagged v{version}. Nothing is published yet. To publish:")
    print(f"  git push origin HEAD v{version}\n  twine upload {files}")


def _check_request(version: str) -> None:
    """Refuse what can be seen before any comparison."""
    try:
        parse(version)
    except ValueError:
        raise Refused(f"VERSION is {version!r}: run `make release VERSION=1.2.3`.") from None
    changes = _git("status", "--porcelain")
    if changes:
        raise Refused(f"there are changes that are not committed; commit or remove them:\n{changes.rstrip()}")
    if not _git("branch", "--show-current").strip():
        raise Refused("no branch is checked out, so that the release would be on none; check out the one to release.")
    if _git("tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} exists; a version is released once.")
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = f"## [{version}] - {date.today()}"
    found = re.search(rf"^## \[{re.escape(version)}\](.*)\n((?:(?!## ).*\n?)*)", text, re.MULTILINE)
    if not found:
        raise Refused(f"CHANGELOG.md has no section `{heading}`.")
    if not re.fullmatch(r" - \d{4}-\d\d-\d\d", found[1]) or not _is_date(found[1].removeprefix(" - ")):
        raise Refused(f"in CHANGELOG.md, the section of {version} has no date: `{heading}`.")
    if not re.search(r"^- \S", found[2], re.MULTILINE):
        raise Refused(f"in CHANGELOG.md, the section of {version} lists no change.")


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_level(version: str) -> str:
    """Refuse a version that is too low for what changed; return the version of the contract."""
    released, before = api_diff.read(RELEASED_SNAPSHOT)
    if parse(version) <= parse(before):
        raise Refused(f"{version} is not above {before}, which was released.")
    of_contract = spec_diff.compare(RELEASED_SPEC, SPEC)
    of_python = api_diff.compare(released, api_snapshot.snapshot(ROOT))
    level = highest([*of_contract, *of_python])
    if not is_enough(version, before, level):
        lines = [*map(str, of_contract), *map(str, of_python)]
        raise Refused(
            f"{version} is too low: after {before}, these changes call for {at_least(before, level)} or more:\n"
            + "\n".join(line for line in lines if line.startswith(level))
        )
    old, now = (spec_diff.contract_version(path) for path in (RELEASED_SPEC, SPEC))
    needed = highest(of_contract)
    return now if is_enough(now, old, needed) else at_least(old, needed)


def _write_versions(version: str, contract: str) -> None:
    _replace(ROOT / "neptun_sdk" / "_version.py", r'(?<=^__version__ = ")[^"]*', version)
    _replace(SPEC, r"(?<=^  version: )\S+", contract)
    _run("make generate must work", sys.executable, str(ROOT / "scripts" / "generate.py"))
    before = SNAPSHOT.read_text(encoding="utf-8").splitlines()[1:]
    _run("make api-snapshot must work", sys.executable, str(ROOT / "scripts" / "api_snapshot.py"))
    if _git("status", "--porcelain", "--", "generated"):
        raise Refused("generated/ is not what openapi.yaml gives; run `make generate` and commit the result.")
    if before != SNAPSHOT.read_text(encoding="utf-8").splitlines()[1:]:
        raise Refused("api/python.txt is not what the code says; run `make api-snapshot` and commit the result.")


def _replace(path: Path, pattern: str, text: str) -> None:
    content, count = re.subn(pattern, text, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if count != 1:
        raise Refused(f"{path.relative_to(ROOT)} has {count} lines with a version, not one.")
    path.write_text(content, encoding="utf-8", newline="\n")


def _build(folder: Path, version: str) -> list[Path]:
    """Build the wheel and the sdist of what was committed, and make a call with each, in an environment of its own."""
    archive, source = folder / "source.tar", folder / "source"
    _git("archive", f"--output={archive}", "HEAD")
    with tarfile.open(archive) as files:
        files.extractall(source, filter="data")
    _run("the build must work", sys.executable, "-m", "build", "--no-isolation", f"--outdir={folder}", str(source))
    built = sorted(folder.glob("neptun_sdk-*"))
    expected = [f"neptun_sdk-{version}-py3-none-any.whl", f"neptun_sdk-{version}.tar.gz"]
    if [file.name for file in built] != expected:
        raise Refused(f"the build made {[file.name for file in built]}, not {expected}.")
    for file in built:
        _try(file, folder / f"installed-{file.name}", version)
    return built


def _try(file: Path, folder: Path, version: str) -> None:
    from neptun_sdk.sandbox import Sandbox  # a web framework, which no refusal needs

    venv.create(folder, with_pip=False)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    pip = (sys.executable, "-m", "pip", f"--python={python}", "--disable-pip-version-check", "install", "--quiet")
    constraints = f"--constraint={ROOT / 'constraints.txt'}"
    _run(f"{file.name} must be installable", *pip, constraints, str(file))
    with Sandbox() as neptun:
        account = (neptun.session_cookie, str(neptun.user_id), neptun.base_url, str(neptun.project_id))
        printed = _run(f"{file.name} must make a call", str(python), "-I", "-c", CALL, *account)
    name, found, contract, where = json.loads(printed)
    named = (ROOT / "neptun_sdk" / "_contract.py").read_text(encoding="utf-8")
    if (name, found) != ("Released", version) or f'"{contract}"' not in named or not Path(where).is_relative_to(folder):
        raise Refused(f"{file.name} is not this release: it is {found}, of the contract {contract}, in {where}.")


def _git(*arguments: str) -> str:
    return _run("git must work", "git", *arguments)


def _run(rule: str, *command: str) -> str:
    """Run a command in the repository; return what it printed, or refuse with the rule and its last lines."""
    # The make that runs this script must not lend its options to another.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = (done.stdout + done.stderr).rstrip().splitlines()[-30:]
        raise Refused("\n".join([f"{rule}; `{' '.join(command[:4])}` failed:", *lines]))
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    arguments = parser.parse_args()
    try:
        release(arguments.version)
    except (Refused, SystemExit) as refusal:  # the scripts that compare exit with a text
        sys.exit(f"release: {refusal}\nNothing was released, and no file is changed.")


if __name__ == "__main__":
    main()
