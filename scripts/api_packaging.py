"""What an installation sees of the SDK: its name, Pythons, dependencies, extras, commands, plugins and types."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

from changes import Change
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

# Of a section: what is in it, each with its value.
Packaging: TypeAlias = dict[str, dict[str, str]]
INSTALL, RUN = "those who install it", "those who run it"
BREAKS = {
    "python": INSTALL,
    "dependencies": INSTALL,
    "extras": INSTALL,
    "name": INSTALL,
    "commands": RUN,
    "plugins": "those who load it",
    "typed": "those who check types",
}


def packaging(root: Path) -> Packaging:
    """Read it from ``pyproject.toml`` and from the files of a checkout."""
    project: dict[str, Any] = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras: dict[str, list[str]] = project.get("optional-dependencies", {})
    points: dict[str, dict[str, str]] = project.get("entry-points", {})
    packages = ("neptun_sdk", "generated/neptun_openapi")
    return {
        "name": {project["name"]: ""},
        "python": {"Python": project.get("requires-python", "")},
        "dependencies": _requirements("", project.get("dependencies", [])),
        "extras": {
            name: value
            for extra, texts in sorted(extras.items())
            for name, value in {f"[{extra}]": "", **_requirements(f"[{extra}] ", texts)}.items()
        },
        "commands": dict(sorted({**project.get("scripts", {}), **project.get("gui-scripts", {})}.items())),
        "plugins": {f"{group} {name}": value for group, each in sorted(points.items()) for name, value in each.items()},
        "typed": {path.rpartition("/")[2]: "" for path in packages if (root / path / "py.typed").is_file()},
    }


def _requirements(prefix: str, texts: list[str]) -> dict[str, str]:
    """Return what is required, by its name, with its extras and its marker."""
    found: dict[str, str] = {}
    for each in sorted(map(Requirement, texts), key=str):
        extras = f"[{','.join(sorted(each.extras))}]" if each.extras else ""
        name = each.name.lower().replace("_", "-")
        found[f"{prefix}{name}{extras}{f'; {each.marker}' if each.marker else ''}"] = str(each.specifier)
    return found


def compare(old: Packaging, new: Packaging) -> Iterator[Change]:
    """Find what changed between two releases."""
    for section, whom in BREAKS.items():
        before, after = old.get(section, {}), new.get(section, {})
        for name in sorted(before.keys() - after.keys()):
            if section == "dependencies" or (section == "extras" and " " in name):
                yield Change("minor", f"packaging {section}", f"{name} is no longer required")
            else:
                yield Change("major", f"packaging {section}", f"{name} was removed or renamed", whom)
        for name in sorted(after.keys() - before.keys()):
            yield Change("minor", f"packaging {section}", f"{name} was added")
        for name in sorted(before.keys() & after.keys()):
            if section in ("commands", "plugins"):
                continue  # which function runs is no promise
            yield from _versions(f"packaging {section}", name, before[name], after[name])


def _versions(where: str, name: str, old: str, new: str) -> Iterator[Change]:
    """Judge versions by those that one side allows and the other does not: they are near the ones that are named."""
    before, after = SpecifierSet(old), SpecifierSet(new)
    probes = {probe for each in (*before, *after) for probe in _near(each.version)}
    allowed, allowed_now = (
        {probe for probe in probes if each.contains(probe, prereleases=True)} for each in (before, after)
    )
    what = f"{name} {old or 'of any version'} is now {new or 'of any version'}"
    if allowed - allowed_now:
        yield Change("major", where, what, f"those who have {name} {min(allowed - allowed_now)}")
    elif allowed_now - allowed:
        yield Change("minor", where, what)


def _near(version: str) -> Iterator[Version]:
    release = Version(version.removesuffix(".*")).release
    yield from (Version("0"), Version("99999"))
    for length in range(1, len(release) + 1):
        start, last = release[: length - 1], release[length - 1]
        yield Version(".".join(map(str, (*start, last))))
        yield Version(".".join(map(str, (*start, last, 1))))
        yield Version(".".join(map(str, (*start, last + 1))))
        if last:
            yield Version(".".join(map(str, (*start, last - 1, 99999))))
    yield from (Version(version.removesuffix(".*")), Version(".".join(map(str, (*release, 1)))))
