"""Run the pages of docs/languages as printed, each from an empty folder to a verified update: ``make languages``.

Commands, files and the output that a page shows come from its text. Tools download packages with their own clients.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from neptun_sdk.sandbox import Sandbox

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "languages"
TOOLS = {
    "go": ("go",),
    "java": ("java", "mvn"),
    "kotlin": ("java", "mvn"),
    "php": ("java", "mvn", "php"),
    "python": ("python3",),
    "ruby": ("java", "mvn", "ruby"),
    "rust": ("cargo",),
    "typescript": ("node", "npm"),
}
BLOCK = re.compile(r"^```([^\n]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"(?:<\?php\n)?(?://|#) (\S+\.\w+)\n")
MARK = "@@ "  # in front of each command, in the output
TIMEOUT = 600  # seconds for a page


def script(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return a page as a shell script, and its commands with the output that it shows for them."""
    lines = ["set -e"]
    commands: list[tuple[str, str]] = []
    for language, code in BLOCK.findall(text):
        if language != "console":
            if found := FILE_NAME.match(code):
                lines.append(f"cat > {found[1]} <<'END OF FILE'\n{code}END OF FILE")
            continue
        for each in re.findall(r"^\$ (.*\n(?:(?!\$ ).*\n)*)", code, re.MULTILINE):
            command, _, output = each.partition("\n")
            lines += [f"echo '{MARK}{len(commands)}'", command.replace("…/", f"{ROOT}/")]
            commands.append((command, output))
    return "\n".join(lines) + "\n", commands


def problem(name: str) -> str:
    """Run one page; return what is wrong, or nothing."""
    text, commands = script((PAGES / f"{name}.md").read_text(encoding="utf-8"))
    with Sandbox(session_cookie="a-session") as neptun, tempfile.TemporaryDirectory() as folder:
        text = text.replace("http://127.0.0.1:8080", neptun.base_url)
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        done = subprocess.run(  # noqa: S603 - the pages are ours
            [shutil.which("bash") or "/bin/bash", "-c", text],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        stored = neptun.project(789)
    plain = re.sub(r"\x1b\[[0-9;]*m\n?", "", done.stdout)
    printed = dict(re.findall(rf"^{MARK}(\d+)\n((?:(?!{MARK}).*\n?)*)", plain, re.MULTILINE))
    if done.returncode:
        return f"{commands[len(printed) - 1][0]}\n{done.stdout}{done.stderr}"
    for number, (command, output) in enumerate(commands):
        shown = ".*".join(map(re.escape, output.split("…")))
        if output and not re.fullmatch(shown, printed[str(number)], re.DOTALL):
            return f"{command}\nprints {printed[str(number)]!r}, and the page shows {output!r}"
    if (stored["name"], stored["description"]) != ("Updated Project Name", ""):
        return f"the project was not updated: {stored}"
    return ""


def main() -> None:
    """Run each page whose tools are here, or those named."""
    failed = 0
    chosen = {name: tools for name, tools in TOOLS.items() if name in sys.argv[1:] or not sys.argv[1:]}
    for name, tools in chosen.items():
        if missing := [tool for tool in tools if not shutil.which(tool)]:
            wrong, failed = f"left out: there is no {', '.join(missing)}", failed + bool(os.environ.get("CI"))
        elif wrong := problem(name):
            failed += 1
        print(f"docs/languages/{name}.md: {wrong or 'runs as printed'}")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
