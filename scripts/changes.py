"""A change of an interface, its level, and the version that it calls for."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple, TypeAlias, get_args

Level: TypeAlias = Literal["none", "patch", "minor", "major"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Change(NamedTuple):
    """One change; ``breaks`` says for whom, if it is breaking."""

    level: Level
    where: str
    what: str
    breaks: str = ""

    def __str__(self) -> str:
        return f"{self.level:5}  {self.where}: {self.what}{f' (breaks {self.breaks})' if self.breaks else ''}"


def highest(changes: Iterable[Change]) -> Level:
    """Return the level of all changes together; ``none`` if there are none."""
    return LEVELS[max((LEVELS.index(change.level) for change in changes), default=0)]


def in_order(changes: Iterable[Change]) -> list[Change]:
    """Return each change once, the most breaking first."""
    return sorted(dict.fromkeys(changes), key=lambda change: -LEVELS.index(change.level))


def parse(version: str) -> tuple[int, int, int]:
    """Read a version of three numbers; raises `ValueError` for anything else."""
    found = re.fullmatch(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)", version)
    if not found:
        raise ValueError(f"{version!r} is not a version of the form 1.2.3")
    return int(found[1]), int(found[2]), int(found[3])


def at_least(released: str, level: Level) -> str:
    """Return the lowest version that changes of a level call for.

    Before 1.0.0 the second number counts breaking changes and additions, because the first one stays 0.
    """
    major, minor, patch = parse(released)
    if level == "major" and major:
        return f"{major + 1}.0.0"
    if level in ("major", "minor"):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + (level == 'patch')}"


def is_enough(version: str, released: str, level: Level) -> bool:
    """Tell whether a version may carry changes of a level since the released one."""
    return parse(version) >= parse(at_least(released, level))
