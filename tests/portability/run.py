"""Build the drivers, give each the vectors, judge what they print, and show it all in one table.

A driver is a folder with a driver.json. README.md beside this file says what it holds and what a driver does.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judge import VECTORS, Vector, Verdict, call_line, judge, load_vectors
from replay import Replay

HERE = Path(__file__).parent
# This interpreter's environment first: it has a Python, and may have a Node.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
BUILD_TIMEOUT = 1200  # seconds
RUN_TIMEOUT = 120  # seconds for all vectors
_WARNING = re.compile(r"\bwarn(ing)?s?\b", re.IGNORECASE)
_OWN = "driver"  # the name of the one of --command
_MAX_SHOWN = 20  # failed vectors of a driver
_LOCK = threading.Lock()  # of the two below
_RUNNING: set[subprocess.Popen[bytes]] = set()
_ENDED = threading.Event()  # whether nothing may start any more
_TABLE = re.compile(r"(?<=<!-- table -->\n).*(?=<!-- end of table -->)", re.DOTALL)


@dataclass
class Result:
    """What came of one driver: a verdict, or the reason why there is none."""

    name: str
    info: Mapping[str, Any]
    verdict: Verdict | None = None
    reason: str = ""
    missing: bool = False  # whether that reason is a missing toolchain
    left_out: bool = False  # whether it is missing packages of Debian, which not every machine can have
    warnings: list[str] = field(default_factory=list[str])  # of the build

    @property
    def ok(self) -> bool:
        """Whether everything was built and run, and nothing differs."""
        return self.verdict is not None and self.verdict.ok

    def failures(self) -> int:
        """Count what failed: vectors, and one more for anything else."""
        failed = len(self.verdict.failed) if self.verdict else 0
        return failed + (self.verdict is None or bool(self.verdict.problems) or not failed)


def find_drivers(names: Sequence[str] = ()) -> dict[str, Mapping[str, Any]]:
    """Return the driver.json of every driver, or of those named, by the name of its folder."""
    found = {path.parent.name: path for path in sorted(HERE.glob("*/driver.json"))}
    if unknown := sorted(set(names) - set(found)):
        raise SystemExit(f"There is no driver {', '.join(unknown)}; there are {', '.join(found)}.")
    return {
        name: json.loads(path.read_text(encoding="utf-8")) for name, path in found.items() if name in (names or found)
    }


def try_drivers(drivers: Mapping[str, Mapping[str, Any]], vectors: Sequence[Vector], *, build: bool) -> list[Result]:
    """Build and run drivers, two at a time; those of Maven in turn, because two must not write to one repository."""

    def in_turn(names: Sequence[str]) -> list[Result]:
        results: list[Result] = []
        for name in names:
            print(f"{name} …\n", end="", file=sys.stderr, flush=True)  # in one piece, beside another thread
            results.append(try_driver(name, drivers[name], vectors, build=build))
        return results

    maven = [name for name, info in drivers.items() if "mvn" in info["tools"]]
    others = [name for name in drivers if name not in maven]
    with ThreadPoolExecutor(2) as threads:
        try:
            found = {result.name: result for results in threads.map(in_turn, (maven, others)) for result in results}
        except BaseException:  # such as Ctrl-C, which only this thread gets
            _end_all()
            raise
    return [found[name] for name in drivers]


def _end_all() -> None:
    """End everything that runs, and start nothing more."""
    with _LOCK:
        _ENDED.set()
        for process in _RUNNING:
            os.killpg(process.pid, signal.SIGKILL)


def try_driver(name: str, info: Mapping[str, Any], vectors: Sequence[Vector], *, build: bool = True) -> Result:
    """Build a driver, unless ``build`` is false, and run it."""
    result, folder = Result(name, info), HERE / name
    if absent := _not_installed(info.get("debian", ())):
        result.reason, result.left_out = f"left out, without Debian's {', '.join(absent)}", True
        return result
    if missing := [tool for tool in info["tools"] if not shutil.which(tool, path=PATH)]:
        result.reason, result.missing = f"missing toolchain: {', '.join(missing)}", True
        return result
    log = folder / ".build.log"
    if build and (folder / "build.sh").exists():
        with log.open("wb") as file:
            code = _run(["bash", "build.sh"], folder, file, timeout=BUILD_TIMEOUT)
        if code:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
            result.reason = f"the build {'timed out' if code == _TIMED_OUT else f'failed ({code})'}"
            print(f"{name}: {result.reason}; the end of {log}:\n{tail}", file=sys.stderr)
            return result
    if log.exists():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        result.warnings = list(dict.fromkeys(line.strip() for line in lines if _WARNING.search(line)))
    result.verdict = run_driver(info["run"], folder, select(vectors, facade=info.get("facade", False)), name)
    return result


def _not_installed(packages: Sequence[str]) -> list[str]:
    """Return those packages of Debian that are not installed; elsewhere, all."""
    query = shutil.which("dpkg-query", path=PATH)
    if not (packages and query):
        return list(packages)
    command = [query, "--show", "--showformat=${Package} ${db:Status-Status}\n", *packages]
    shown = subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines()
    return [package for package in packages if f"{package} installed" not in shown]


def select(vectors: Sequence[Vector], *, facade: bool) -> list[Vector]:
    """Return the vectors for a driver: ``core``, and for one that can judge an update ``facade`` too."""
    return [vector for vector in vectors if "core" in vector["tags"] or facade]


def skip(vectors: Sequence[Vector], ids: Sequence[str]) -> list[Vector]:
    """Return the vectors with those marked that a driver of one's own is not judged by."""
    if unknown := sorted(set(ids) - {vector["id"] for vector in vectors}):
        raise SystemExit(f"There is no vector {', '.join(unknown)} to skip: run it without --skip to see their names.")
    return [{**vector, "skip": {_OWN: "--skip"}} if vector["id"] in ids else vector for vector in vectors]


def run_driver(
    command: Sequence[str], folder: Path, vectors: Sequence[Vector], name: str = "", *, timeout: float = RUN_TIMEOUT
) -> Verdict:
    """Give a driver the calls of the vectors, and judge what it prints."""
    with Replay(vectors) as replay, tempfile.TemporaryFile() as output:
        calls = "".join(f"{call_line(vector)}\n" for vector in vectors).encode()
        variables = {"NEPTUN_BASE_URL": replay.base_url, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
        code = _run(command, folder, output, calls, variables, timeout=timeout)
        output.seek(0)
        printed = output.read().decode("utf-8", "replace").removesuffix("\n")
        verdict = judge(vectors, printed.split("\n") if printed else [], replay.differences(), name)
        verdict.problems += [f"a request of no vector: {stray}" for stray in replay.strays]
    if code:
        verdict.problems.append(
            f"it was not done after {timeout:g} s" if code == _TIMED_OUT else f"it ended with {code}"
        )
    return verdict


_TIMED_OUT = -1000  # no exit code of a process


def _run(
    command: Sequence[str],
    folder: Path,
    output: Any,
    calls: bytes | None = None,
    variables: Mapping[str, str] = MappingProxyType({}),
    *,
    timeout: float,
) -> int:
    """Run a command and return its exit code; what it prints goes to a file.

    Without ``calls`` it is a build, whose standard error goes there too.
    """
    program = str(folder / command[0]) if "/" in command[0] else shutil.which(command[0], path=PATH) or command[0]
    try:
        with _LOCK:
            if _ENDED.is_set():
                return -signal.SIGKILL
            process = subprocess.Popen(
                [program, *command[1:]],
                cwd=folder,
                env={**os.environ, "PATH": PATH, **variables},
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT if calls is None else None,
                start_new_session=True,  # so that what it starts ends with it
            )
            _RUNNING.add(process)
    except OSError as exc:
        print(f"{program}: {exc}", file=sys.stderr)
        return 127
    try:
        process.communicate(calls, timeout=timeout)
    except subprocess.TimeoutExpired:
        return _TIMED_OUT
    finally:
        with _LOCK:
            _RUNNING.discard(process)
            if process.poll() is None:  # also after Ctrl-C, which a session of its own does not get
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


def table(results: Sequence[Result]) -> str:
    """Return the results as a table in Markdown."""
    lines = [
        "| language | generator | version | vectors passed | written by hand | warnings |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        passed = result.reason
        if verdict := result.verdict:
            count = len(verdict.passed) + len(verdict.failed) + len(verdict.skipped)
            passed = f"{len(verdict.passed)} of {count}"
            passed += "".join(f"; not {name}: {reason}" for name, reason in verdict.skipped.items())
            passed += "; and see above" if verdict.problems else ""
        info = result.info
        cells = (
            info["language"],
            info["generator"],
            info["version"],
            passed,
            info["by_hand"],
            len(result.warnings) or "none",
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def write_table(text: str, page: Path) -> None:
    """Put the table into a page, with today's date, unless it stands there already."""
    old = page.read_text(encoding="utf-8")
    if text not in old:
        dated = f"`make portability`, {datetime.now(UTC):%Y-%m-%d}:\n\n{text}"
        page.write_text(_TABLE.sub(lambda _: dated, old), encoding="utf-8")


def report(result: Result) -> None:
    """Print what differs, and the warnings."""
    verdict = result.verdict or Verdict(problems=[result.reason])
    for problem in verdict.problems:
        print(f"{result.name}: {problem}")
    for count, (name, differences) in enumerate(verdict.failed.items()):
        if count == _MAX_SHOWN:
            print(f"{result.name}: … and {len(verdict.failed) - count} more")
            break
        print(f"{result.name}: {name}", *differences, sep="\n    ")
    for warning in result.warnings:
        print(f"{result.name}: {warning}")


def main() -> int:
    """Run the drivers named, or all; the exit code is 1 if one of them failed."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("driver", nargs="*", help="a folder beside this file; by default every one")
    parser.add_argument("--vectors", type=Path, default=VECTORS, help="a folder of vectors (default: vectors/)")
    parser.add_argument("--no-build", action="store_true", help="run what was built before")
    parser.add_argument("--command", help="run this instead: a driver of your own, with its arguments")
    parser.add_argument("--facade", action="store_true", help="with --command: run the vectors tagged facade too")
    parser.add_argument(
        "--skip", metavar="ID", action="append", default=[], help="with --command: do not judge a vector"
    )
    parser.add_argument("--page", type=Path, help="a page to write the table to, if every driver passed")
    options = parser.parse_args()
    began, vectors = time.monotonic(), load_vectors(options.vectors)
    results: list[Result] = []
    if options.command:
        own = {"language": options.command, "generator": "", "version": "", "by_hand": ""}
        mine = skip(select(vectors, facade=options.facade), options.skip)
        verdict = run_driver(shlex.split(options.command), Path.cwd(), mine, _OWN)
        results.append(Result(_OWN, own, verdict))
    else:
        results += try_drivers(find_drivers(options.driver), vectors, build=not options.no_build)
    for result in results:
        report(result)
    text = table(results)
    print(f"\n{text}")
    strict = os.environ.get("PORTABILITY") == "strict"
    skipped = [result for result in results if result.left_out or (result.missing and not strict)]
    failed = [result for result in results if not result.ok and result not in skipped]
    if options.page and not (failed or skipped or options.driver or options.command):
        write_table(text, options.page)
    counts = {
        "failed": sum(result.failures() for result in failed),
        "passed": sum(len(result.verdict.passed) for result in results if result.verdict),
        "skipped": len(skipped),
    }
    summary = ", ".join(f"{count} {word}" for word, count in counts.items() if count)
    print(f"==== make portability: {summary or 'nothing ran'} in {time.monotonic() - began:.2f}s ====")
    return 1 if failed or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
