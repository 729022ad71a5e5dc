"""Record ``neptun-bulk`` on a real terminal, and write docs/tasks/bulk.svg."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sysconfig
import tempfile
import termios
from io import StringIO
from pathlib import Path

from rich.console import Console

from neptun_sdk.sandbox import Sandbox

FILE = Path(__file__).parent.parent / "docs" / "tasks" / "bulk.svg"
COMMAND = ("neptun-bulk", "renames.csv", "--rejects", "rejects.csv")
ROWS, COLUMNS, LINES = 3_000, 100, 22
MOMENTS = (0.12, 0.38, 0.62, 0.85, 1.0)  # what part of the rows is done
SECONDS = 1.2  # for each picture; the last one stays longer


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, Sandbox() as neptun:
        ids = [neptun.add_project(name="Before") for _ in range(ROWS - 1)]
        rows = [f"{project_id},acme/{project_id}" for project_id in [*ids[:1700], 999_999, *ids[1700:]]]
        Path(folder, "renames.csv").write_text("\n".join(["project_id,name", *rows, ""]), encoding="utf-8")
        screens = record(neptun, folder)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(animation([picture(screen, number) for number, screen in enumerate(screens)]), encoding="utf-8")
    print(f"wrote docs/tasks/{FILE.name}")
    print(screens[-1])


def record(neptun: Sandbox, folder: str) -> list[str]:
    """Run the command on a terminal, and return what it shows at each of the moments."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        os.chdir(folder)
        for name in ("base_url", "session_cookie", "user_id"):
            os.environ[f"NEPTUN_{name.upper()}"] = str(getattr(neptun, name))
        script = str(Path(sysconfig.get_path("scripts")) / COMMAND[0])
        os.execv(script, COMMAND)  # noqa: S606 - our own command
    screens: list[str] = []
    printed = f"$ {' '.join(COMMAND)}\r\n"
    while True:
        select.select([terminal], [], [])
        try:
            printed += os.read(terminal, 4096).decode("utf-8", "replace")
        except OSError:  # the command has ended
            break
        done = re.findall(r"(\d+)/\d+ \[", printed)
        if len(screens) < len(MOMENTS) - 1 and done and int(done[-1]) >= MOMENTS[len(screens)] * ROWS:
            screens.append(shown(printed))
            if len(screens) == 2:
                neptun.fail_next(status=429, retry_after=1)
    os.waitpid(process, 0)
    return [*screens, shown(printed)]


def shown(printed: str) -> str:
    """Return what a terminal shows of a text: a carriage return begins its line again, and long lines wrap."""
    lines: list[str] = []
    for line in printed.replace("\r\n", "\n").split("\n"):
        text = ""
        for part in line.split("\r"):
            text = part + text[len(part) :]
        lines += [text[start : start + COLUMNS].rstrip() for start in range(0, max(1, len(text)), COLUMNS)]
    return "\n".join(lines)


def picture(screen: str, number: int) -> str:
    """Return a screen as SVG, as high as every other, and without fonts of other hosts."""
    console = Console(record=True, width=COLUMNS, file=StringIO(), highlight=False, markup=False)
    console.print("\n".join((screen.split("\n") + [""] * LINES)[:LINES]), soft_wrap=True)
    svg = console.export_svg(title="neptun-bulk", unique_id=f"bulk-{number}")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def animation(pictures: list[str]) -> str:
    """Return one SVG that shows the pictures one after the other; the last one alone to whoever wants no motion."""
    box = re.search(r'viewBox="([^"]+)"', pictures[0])
    size = box[1] if box else ""
    whole = SECONDS * (len(pictures) + 2)
    styles = [".frame { visibility: hidden }", f".frame:nth-of-type({len(pictures)}) {{ visibility: visible }}"]
    motion: list[str] = []
    for number in range(len(pictures)):
        start = number * SECONDS / whole * 100
        end = 100.0 if number == len(pictures) - 1 else start + SECONDS / whole * 100
        before = f"0%, {start - 0.01:.2f}% {{ visibility: hidden }} " if number else ""
        after = f"{end + 0.01:.2f}%, 100% {{ visibility: hidden }}" if end < 100 else ""
        motion.append(
            f"@keyframes show-{number} {{ {before}{start:.2f}%, {end:.2f}% {{ visibility: visible }} {after} }}"
        )
        motion.append(f".frame:nth-of-type({number + 1}) {{ animation: show-{number} {whole:.1f}s infinite }}")
    styles.append(f"@media (prefers-reduced-motion: no-preference) {{ {' '.join(motion)} }}")
    frames = "\n".join(f'<g class="frame">{each}</g>' for each in pictures)
    style = "\n".join(styles)
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}"><style>{style}</style>\n{frames}\n</svg>\n'


if __name__ == "__main__":
    main()
