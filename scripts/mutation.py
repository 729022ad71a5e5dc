"""Tell what ``mutmut run`` found: the score, and every mutant that no test noticed, as the line that was changed.

The reasons why those that are left may live are in docs/mutation.md. The exit code is 1 below the target.
"""

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MUTMUT = Path(sysconfig.get_path("scripts")) / "mutmut"
TARGET = 95.0  # percent


def mutmut(*arguments: str) -> str:
    done = subprocess.run([str(MUTMUT), *arguments], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S603
    return done.stdout


def main() -> None:
    mutmut("export-cicd-stats")
    stats: dict[str, int] = json.loads((ROOT / "mutants" / "mutmut-cicd-stats.json").read_text(encoding="utf-8"))
    survivors = [line.split(":")[0].strip() for line in mutmut("results").splitlines() if line.endswith(": survived")]
    for name in survivors:
        changed = [
            line for line in mutmut("show", name).splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
        ]
        print(name, *changed, sep="\n  ")
    noticed = stats["killed"] + stats["timeout"]
    score = 100 * noticed / stats["total"]
    print(
        f"\n{stats['total']} mutants: {noticed} noticed, {len(survivors)} not, {score:.1f} % (target: {TARGET:.0f} %)"
    )
    if score < TARGET:
        sys.exit(1)


if __name__ == "__main__":
    main()
