"""Make a release: check, set the versions, build, try what was built, commit and tag. Publishing is left to a person.

Whatever fails, and whichever signal comes, nothing is committed, and the files are put back as they were: signals are
noted, and looked at between the steps. The commit comes last, with the tag.
"""

import argparse
import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from datetime import date, timedelta
from pathlib import Path

import api_diff
import api_snapshot
import contract
import spec_diff
from changes import Change, at_least, highest, is_enough, parse

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
VERSION_FILE = ROOT / "neptun_sdk" / "_version.py"
SPEC, RELEASED_SPEC = ROOT / "openapi.yaml", ROOT / "interfaces" / "released.yaml"
SNAPSHOT, RELEASED_SNAPSHOT = ROOT / "interfaces" / "python.txt", ROOT / "interfaces" / "released.txt"
CONTRACTS, CONTRACT_CHANGES = ROOT / "interfaces" / "contracts.txt", ROOT / contract.CHANGELOG
# How long the CHANGELOG may have been written before the release.
MAX_AGE = timedelta(days=7)
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# Marks every process of this release, whichever session it has.
MARK = f"NEPTUN_RELEASE={secrets.token_hex(16)}"
GRACE = 10.0  # seconds for the processes of a step to end by themselves
CHANGED = ("neptun_sdk/_version.py", "neptun_sdk/_contract.py", "openapi.yaml", "generated", "interfaces")

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


class Stopped(Exception):
    """A signal came, and what was begun is put back."""


_received: list[int] = []


def release(version: str) -> None:
    """Make the release, or finish one that was killed between its commit and its tag.

    Raises:
        Refused: A rule is not met, or a step failed.
        Stopped: A signal came before the commit.
    """
    _check_version(version)
    with tempfile.TemporaryDirectory() as folder:
        if _is_unfinished(version):
            built = _build(Path(folder), version, "HEAD")
            _finish(version, built, commit=False)
            return
        _check_request(version)
        of_contract = _check_level(version)
        now = _contract_version(of_contract)
        _check_contract(now)
        start = _git("rev-parse", "HEAD").strip()
        try:
            _write_versions(version, now, of_contract)
            _run("make check and make test must pass", "make", "check", "test", environment={"CI": "true"})
            others = _git("status", "--porcelain", "--", ".", *(f":!{path}" for path in CHANGED))
            if others:
                raise Refused(f"files were changed during the tests; commit or remove them:\n{others.rstrip()}")
            shutil.copyfile(SPEC, RELEASED_SPEC)
            shutil.copyfile(SNAPSHOT, RELEASED_SNAPSHOT)
            built = _build(Path(folder), version, _tree(Path(folder)))
            _finish(version, built, commit=True)
        except BaseException:
            # Only these files: others may have been edited during the tests.
            for command in (
                ("reset", "--quiet", "--soft", start),
                ("checkout", "--quiet", start, "--", *CHANGED),
                ("clean", "--quiet", "--force", "-d", "--", *CHANGED),
            ):
                _git(*command, to_the_end=True)
            raise


def _finish(version: str, built: list[Path], *, commit: bool) -> None:
    """Commit and tag; a signal is too late from here on, which takes less than a second."""
    _stop_if_asked()
    if commit:
        _git("add", "--", *CHANGED, to_the_end=True)
        _git("commit", "--quiet", "--message", f"Release {version}", "--", *CHANGED, to_the_end=True)
    _git("tag", "--annotate", f"v{version}", "--message", f"Release {version}", to_the_end=True)
    DIST.mkdir(exist_ok=True)
    of_contract, *files = (Path(shutil.copy(file, DIST)).relative_to(ROOT).as_posix() for file in built)
    print(f"Released {version}: committed, and tagged v{version}. Nothing is published yet. To publish:")
    print(f"  git push origin HEAD v{version}\n  twine upload {' '.join(files)}")
    print(f"and attach {of_contract} to the release of the tag, for clients in other languages.")


def _is_unfinished(version: str) -> bool:
    """Tell whether the last commit is this release, without its tag: it was killed in between."""
    is_commit = _git("log", "--format=%s", "-1") == f"Release {version}\n"
    return is_commit and not _git("tag", "--list", f"v{version}") and not _git("status", "--porcelain")


def _check_version(version: str) -> None:
    try:
        parse(version)
    except ValueError:
        raise Refused(f"VERSION is {version!r}: run `make release VERSION=1.2.3`.") from None


def _check_request(version: str) -> None:
    """Refuse what can be seen before any comparison."""
    changes = _git("status", "--porcelain")
    if changes:
        hint = ""
        if " M neptun_sdk/_version.py" in changes:
            hint = f"\nIf a release that was killed has left them: git checkout HEAD -- {' '.join(CHANGED)}"
        raise Refused(f"there are changes that are not committed; commit or remove them:\n{changes.rstrip()}{hint}")
    try:
        # What git makes up from the names of the user and the machine is no identity.
        _git("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")
    except Refused:
        raise Refused("git does not know who commits; set it: git config user.name and user.email.") from None
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
    age = date.today() - date.fromisoformat(found[1].removeprefix(" - "))
    if not timedelta(0) <= age <= MAX_AGE:
        when = "in the future" if age < timedelta(0) else f"{age.days} days ago"
        raise Refused(f"in CHANGELOG.md, the section of {version} has a date {when}; write today's: `{heading}`.")
    if not re.search(r"^- \S", found[2], re.MULTILINE):
        raise Refused(f"in CHANGELOG.md, the section of {version} lists no change.")


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _check_level(version: str) -> list[Change]:
    """Refuse a version that is too low for what changed; return what changed in the contract."""
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
    return of_contract


def _contract_version(of_contract: list[Change]) -> str:
    """Return the version that the contract is to have: other bytes, such as a comment, are another version too."""
    old, now = (spec_diff.contract_version(path) for path in (RELEASED_SPEC, SPEC))
    needed = highest(of_contract)
    if needed == "none" and _with_version(now) != RELEASED_SPEC.read_text(encoding="utf-8"):
        needed = "patch"
    return now if is_enough(now, old, needed) else at_least(old, needed)


def _with_version(contract_version: str) -> str:
    """Return the text of the contract with a version."""
    return _replaced(SPEC, r"(?<=^  version: )\S+", contract_version)


def _check_contract(now: str) -> None:
    """Refuse a version of the contract that has other bytes on any branch, or in any tag: it is one text for ever."""
    digest = hashlib.sha256(_with_version(now).encode()).hexdigest()
    for ref in _git("for-each-ref", "--format=%(refname)").split():
        try:
            known = _git("show", f"{ref}:{CONTRACTS.relative_to(ROOT).as_posix()}")
        except Refused:
            continue  # older than this list
        for line in known.splitlines():
            if line.startswith(f"{now} ") and line != f"{now} {digest}":
                raise Refused(
                    f"contract {now} was released with other bytes, as {CONTRACTS.relative_to(ROOT)} of {ref} says; "
                    f"raise info.version of {SPEC.name} above all that were released."
                )


def _write_versions(version: str, now: str, of_contract: list[Change]) -> None:
    _write(VERSION_FILE, _replaced(VERSION_FILE, r'(?<=^__version__ = ")[^"]*', version))
    _write(SPEC, _with_version(now))
    _run("make generate must work", sys.executable, str(ROOT / "scripts" / "generate.py"))
    before = SNAPSHOT.read_text(encoding="utf-8").splitlines()[1:]
    _run("make changes must work", sys.executable, str(ROOT / "scripts" / "api_snapshot.py"))
    if _git("status", "--porcelain", "--", "generated"):
        raise Refused("generated/ is not what openapi.yaml gives; run `make generate` and commit the result.")
    if before != SNAPSHOT.read_text(encoding="utf-8").splitlines()[1:]:
        raise Refused("interfaces/python.txt is not what the code says; run `make changes` and commit the result.")
    changes = CONTRACT_CHANGES.read_text(encoding="utf-8")
    _write(CONTRACT_CHANGES, contract.with_section(changes, now, of_contract))
    lines = dict.fromkeys([*CONTRACTS.read_text(encoding="utf-8").splitlines(), " ".join(contract.identity(SPEC))])
    _write(CONTRACTS, "".join(f"{line}\n" for line in lines))


def _replaced(path: Path, pattern: str, text: str) -> str:
    content, count = re.subn(pattern, text, path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if count != 1:
        raise Refused(f"{path.relative_to(ROOT)} has {count} lines with a version, not one.")
    return content


def _write(path: Path, content: str) -> None:
    path.write_text(content, encoding="utf-8", newline="\n")


def _tree(folder: Path) -> str:
    """Return the tree that the commit will have, without a commit, and without git's own index."""
    index = {"GIT_INDEX_FILE": str(folder / "index")}
    _git("read-tree", "HEAD", environment=index)
    _git("add", "--", *CHANGED, environment=index)
    return _git("write-tree", environment=index).strip()


def _build(folder: Path, version: str, tree: str) -> list[Path]:
    """Build the contract, the wheel and the sdist of a tree; make a call with each of these two, freshly installed."""
    archive, source = folder / "source.tar", folder / "source"
    _git("archive", f"--output={archive}", tree)
    with tarfile.open(archive) as files:
        files.extractall(source, filter="data")
    python = sys.executable
    _run("the contract must build", python, str(source / "scripts" / "contract.py"), f"--output={folder}")
    _run("the build must work", python, "-m", "build", "--no-isolation", f"--outdir={folder}", str(source))
    built = sorted(folder.glob("neptun_sdk-*"))
    expected = [f"neptun_sdk-{version}-py3-none-any.whl", f"neptun_sdk-{version}.tar.gz"]
    if [file.name for file in built] != expected:
        raise Refused(f"the build made {[file.name for file in built]}, not {expected}.")
    for file in built:
        _try(file, folder / f"installed-{file.name}", version)
    return [*folder.glob("neptun-contract-*"), *built]


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
    name, found, contract_name, where = json.loads(printed)
    named = (ROOT / "neptun_sdk" / "_contract.py").read_text(encoding="utf-8")
    if (
        (name, found) != ("Released", version)
        or f'"{contract_name}"' not in named
        or not Path(where).is_relative_to(folder)
    ):
        raise Refused(f"{file.name} is not this release: it is {found}, of the contract {contract_name}, in {where}.")


def _git(*arguments: str, to_the_end: bool = False, environment: dict[str, str] | None = None) -> str:
    return _run("git must work", "git", *arguments, to_the_end=to_the_end, environment=environment)


def _run(rule: str, *command: str, to_the_end: bool = False, environment: dict[str, str] | None = None) -> str:
    """Run a command in the repository; return what it printed, or refuse with the rule and its last lines.

    It has a session of its own, so that Ctrl-C reaches this script alone; unless ``to_the_end``, a signal stops it.
    """
    # The make that runs this script must not lend its options to another.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    name, _, value = MARK.partition("=")
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as output:
        if not to_the_end:
            _stop_if_asked()
        process = subprocess.Popen(  # noqa: S603
            command,
            cwd=ROOT,
            env={**inherited, name: value, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        while process.poll() is None:
            if _received and not to_the_end:
                _end(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        if not to_the_end:
            _stop_if_asked()
        output.seek(0)
        printed = output.read()
    if process.returncode:
        lines = printed.rstrip().splitlines()[-30:]
        raise Refused("\n".join([f"{rule}; `{' '.join(command[:4])}` failed:", *lines]))
    return printed


def _stop_if_asked() -> None:
    if _received:
        raise Stopped


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a command with all that it started: at first as Ctrl-C does, so that tests end their servers."""
    for number in (signal.SIGINT, signal.SIGTERM):
        for pid in {process.pid, *_marked()}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        until = time.monotonic() + GRACE / 2
        while (process.poll() is None or _marked()) and time.monotonic() < until:
            time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # where nothing tells which processes are marked
    for pid in _marked():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _marked() -> list[int]:
    """Return the processes of this release that run, also those with a session of their own; only Linux tells."""
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if MARK.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version")
    arguments = parser.parse_args()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, lambda number, _: _received.append(number))
    try:
        release(arguments.version)
    except (Refused, Stopped, SystemExit) as refusal:  # the scripts that compare exit with a text
        if _received:
            name = signal.Signals(_received[0]).name
            print(f"release: stopped by {name}; nothing was released, and every file is as it was.", file=sys.stderr)
            sys.exit(128 + _received[0])
        sys.exit(f"release: {refusal}\nNothing was released, and no file is changed.")


if __name__ == "__main__":
    main()
