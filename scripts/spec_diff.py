"""Compare two versions of the contract: a line a change, what it breaks and for whom, and the level of them all.

oasdiff and Redocly's ``diff`` judge together, because each misses what the other sees. A few rules of our own are for
what neither sees. A change counts as breaking if it breaks a caller, a reader, or code that uses a generated client.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import yaml
from changes import Change, Level, at_least, highest, in_order, is_enough, parse

BIN = Path(sysconfig.get_path("scripts"))
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the one in C is ten times as fast
# What oasdiff takes for harmless although generated code no longer compiles, or a caller gets another result; and what
# is reported here in other words.
OASDIFF_LEVELS = Path(__file__).with_name("oasdiff-levels.txt")
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
# Sections of ``components`` whose names become types, or parts of names, in generated clients.
NAMED = ("schemas", "responses", "parameters", "requestBodies", "headers", "securitySchemes")
# Kinds of nodes that hold nothing but documentation: what is added there is a patch.
DOCUMENTATION = {"Contact", "Example", "ExamplesMap", "ExternalDocs", "Info", "License", "Tag", "TagList"}
# Rules of Redocly that do not know what an operation takes over from its path or the document; oasdiff has its own.
WITHOUT_INHERITANCE = {"parameter-removed", "parameter-became-required", "security-requirement-changed"}
PROSE = ("description", "summary", "example", "title")

CALLERS, READERS = "callers that send it", "callers that read it"
GENERATED = "code that uses a generated client"
EVERYONE = "every caller"
# Whom a breaking change breaks, by the name of the rule that found it; the first row that fits counts.
BREAKS_FOR = (
    (r"security", f"{EVERYONE}: another authentication"),
    (r"^server", f"{EVERYONE} that does not set the server itself"),
    (r"operation-id|^api-tag|component|type-(generalized|specialized)", GENERATED),
    (r"^(api|operation|path|endpoint)-", "callers of the operation"),
    (r"request|parameter|required-properties-added|enum-values-removed", CALLERS),
    (r"response|property-removed|required-properties-removed|enum-values-added", READERS),
)


class Found(NamedTuple):
    """What a tool found, and the lines of either document that it is about: ``(first, last)``."""

    change: Change
    old_lines: tuple[int, int] | None
    new_lines: tuple[int, int] | None

    def covers(self, other: "Found") -> bool:
        """Tell whether this one says at least as much of the same lines."""
        pairs = ((self.old_lines, other.old_lines), (self.new_lines, other.new_lines))
        return highest([self.change, other.change]) == self.change.level and any(
            mine[0] <= its[0] + 1 and its[0] <= mine[1] for mine, its in pairs if mine and its
        )


def compare(old: Path, new: Path) -> list[Change]:
    """Return what changed between two contracts, the most breaking first.

    Raises:
        SystemExit: A tool is missing or failed, or a document cannot be read.
    """
    before, after = _load(old), _load(new)
    for document in (before, after):
        document["info"].pop("version", None)
    if before == after:
        return []
    by_oasdiff = list(_oasdiff(old, new))
    ours = [Found(change, None, None) for change in _own_rules(before, after)]
    by_redocly = [
        found
        for found in _redocly(old, new)
        if found.change.what.startswith(PROSE) or not any(other.covers(found) for other in by_oasdiff)
    ]
    grouped: dict[object, list[Change]] = {}
    for found in [*ours, *by_oasdiff, *by_redocly]:
        # The same change of something that several operations and statuses share is one line.
        what = re.sub(r"`[0-9]{3}`", "", found.change.what)
        grouped.setdefault((what, found.old_lines, found.new_lines), []).append(found.change)
    changes: list[Change] = []
    for first, *others in grouped.values():
        more = f" and {len(others)} more" if others else ""
        changes.append(first._replace(where=first.where + more))
    if not changes:
        changes.append(Change("patch", "document", "changed in a way that no rule has words for"))
    return in_order(changes)


def contract_version(path: Path) -> str:
    """Return the version of a contract; raises `SystemExit` if it is not one of three numbers."""
    version = _load(path)["info"].get("version")
    try:
        parse(str(version))
    except ValueError:
        sys.exit(f"spec-diff: info.version of {path} is {version!r}; write three numbers, such as '1.2.3'.")
    return str(version)


def _load(path: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe one
        return {**document, "info": dict(document["info"]), "paths": dict(document["paths"])}
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as exc:
        sys.exit(f"spec-diff: {path} cannot be read as an OpenAPI document ({type(exc).__name__}: {exc}).")


def _run(tool: str, *arguments: str) -> Any:
    """Run one of the tools and return the JSON that it prints."""
    found = shutil.which(tool, path=str(BIN))
    if not found:
        need = " It is built with Go, which is not installed." if tool == "oasdiff" and not shutil.which("go") else ""
        sys.exit(f"spec-diff: {tool} is not in {BIN}; run `make spec-diff`, which installs it.{need}")
    # Redocly is a script for the Node.js beside it.
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    done = subprocess.run([found, *arguments], env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        sys.exit(f"spec-diff: {tool} failed (exit code {done.returncode}):\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def _breaks(rule: str) -> str:
    return next((whom for pattern, whom in BREAKS_FOR if re.search(pattern, rule)), EVERYONE)


def _oasdiff(old: Path, new: Path) -> Iterator[Found]:
    options = ("--flatten-params", f"--severity-levels={OASDIFF_LEVELS}", "--format=json")
    for each in _run("oasdiff", "changelog", *options, str(old), str(new)):
        if each["id"].startswith("api-global-security"):
            continue  # each operation that takes it over has a change of its own
        breaking = each["level"] > 1  # a warning is not certain to break anybody, and not certain not to
        where = f"{each['operation']} {each['path']}" if "operation" in each else each["section"]
        change = Change("major" if breaking else "minor", where, each["text"], _breaks(each["id"]) if breaking else "")
        yield Found(change, *(_lines(each.get(source)) for source in ("baseSource", "revisionSource")))


def _lines(source: dict[str, int] | None) -> tuple[int, int] | None:
    return (source["line"], source.get("endLine", source["line"])) if source else None


def _redocly(old: Path, new: Path) -> Iterator[Found]:
    for each in _run("redocly", "diff", "--format=json", "--fail-on=none", str(old), str(new))["changes"]:
        kind, node, name = each["kind"], each["typeName"], each.get("property")
        rule, message = next(((verdict["ruleId"], verdict["message"]) for verdict in each["verdicts"]), ("", ""))
        if (node, name) == ("Info", "version") or rule in WITHOUT_INHERITANCE:
            continue
        level: Level = "patch" if node in DOCUMENTATION else each["impact"]
        what = message.rstrip(".") or f"{node} {kind}"
        if name and not message:
            what = f"{name} {kind}" if name in PROSE else f"`{name}` of this {node} {kind}"
        sides = ((each[side]["line"],) * 2 if side in each else None for side in ("base", "revision"))
        breaks = _breaks(f"{rule} {each['path']}") if level == "major" else ""
        yield Found(Change(level, _place(each["path"]), what, breaks), *sides)


def _place(pointer: str) -> str:
    """Write a JSON pointer as oasdiff writes places: the method, the path and the rest."""
    keys = [key.replace("~1", "/").replace("~0", "~") for key in pointer.removeprefix("#/").split("/")]
    if keys[0] != "paths" or len(keys) < 2:
        return " ".join(keys).strip() or "document"
    method = [keys[2].upper()] if len(keys) > 2 and keys[2] in METHODS else keys[2:3]
    return " ".join([*method, keys[1], *keys[3:]])


def _own_rules(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Find what neither tool sees, or takes for harmless."""
    before, after = (".".join(str(document["openapi"]).split(".")[:2]) for document in (old, new))
    if before != after:
        yield Change("major", "openapi", f"the version of OpenAPI went from {before} to {after}", GENERATED)
    for rule in (_components, _path_parameters, _servers, _first_tags, _known_values):
        yield from rule(old, new)


def _components(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    for section in NAMED:
        before, after = (document.get("components", {}).get(section, {}) for document in (old, new))
        for name in before:
            if name not in after:
                yield Change("major", f"components {section}", f"`{name}` was removed or renamed", GENERATED)


def _path_parameters(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """A path with other names in it is the same path for a server, and for both tools."""
    shapes = {re.sub(r"{[^}]*}", "{}", path): path for path in new["paths"]}
    for path in old["paths"]:
        renamed = shapes.get(re.sub(r"{[^}]*}", "{}", path), path)
        for before, after in zip(re.findall(r"{([^}]*)}", path), re.findall(r"{([^}]*)}", renamed), strict=True):
            if before != after:
                yield Change("major", path, f"the path parameter `{before}` is now `{after}`", GENERATED)


def _operations(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Find the operations of both documents: the place, the method, and its path in each."""
    shapes = {re.sub(r"{[^}]*}", "{}", path): item for path, item in new["paths"].items()}
    for path, item in old["paths"].items():
        other = shapes.get(re.sub(r"{[^}]*}", "{}", path), {})
        for method in (name for name in METHODS if name in item and name in other):
            yield f"{method.upper()} {path}", method, item, other


def _servers(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """The first server is the one that clients take; an operation or a path may have servers of its own."""
    for place, method, item, other in _operations(old, new):
        before, after = _server(old, item, method), _server(new, other, method)
        if before != after:
            whom = f"{EVERYONE} that does not set the server itself"
            yield Change("major", place, f"its server went from {before} to {after}", whom)


def _first_tags(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Some generators name the module of an operation by its first tag; both tools compare tags without their order."""
    for place, method, item, other in _operations(old, new):
        before, after = ([*each[method].get("tags", []), ""][0] for each in (item, other))
        if before != after and before in other[method].get("tags", []):  # of one that was removed, oasdiff reports that
            yield Change("major", place, f"its first tag went from {before} to {after}", GENERATED)


def _server(document: dict[str, Any], item: dict[str, Any], method: str) -> str:
    servers: list[dict[str, Any]] = item[method].get("servers") or item.get("servers") or document.get("servers") or []
    server: dict[str, Any] = servers[0] if servers else {"url": "/"}
    variables: dict[str, Any] = server.get("variables") or {}
    return re.sub(r"{([^}]*)}", lambda name: str(variables[name[1]]["default"]), server["url"])


def _known_values(old: dict[str, Any], new: dict[str, Any]) -> Iterator[Change]:
    """Values of ``x-extensible-enum``: generated clients offer them, and this SDK's types name them."""
    before, after = dict(_objects(old)), dict(_objects(new))
    for place in before.keys() & after.keys():  # of a field that was added or removed as a whole, the tools report that
        values: list[Any] = before[place].get("x-extensible-enum", [])
        values_now: list[Any] = after[place].get("x-extensible-enum", [])
        removed = [value for value in values if value not in values_now]
        if removed:
            yield Change("major", place, f"the known values {removed} were removed", f"{CALLERS}, and {GENERATED}")
        added = [value for value in values_now if value not in values]
        if added:
            yield Change("minor", place, f"the known values {added} were added")


def _objects(node: Any, *path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Find every object in a document, with its place."""
    children: dict[Any, Any] = {}
    if isinstance(node, dict):
        children = cast("Any", node)
        yield " ".join(path), children
    elif isinstance(node, list):
        items: list[Any] = cast("Any", node)
        children = dict(enumerate(items))
    for key, child in children.items():
        yield from _objects(child, *path, str(key))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--check-version", action="store_true", help="fail where info.version does not rise enough")
    arguments = parser.parse_args()
    before, after = contract_version(arguments.old), contract_version(arguments.new)
    changes = compare(arguments.old, arguments.new)
    for change in changes:
        print(change)
    level = highest(changes)
    failed = arguments.check_version and not is_enough(after, before, level)
    if failed:
        needed = f"set info.version of {arguments.new} to {at_least(before, level)} or more"
        print(f"spec-diff: {needed}: it is {after}, and {before} in {arguments.old}.", file=sys.stderr)
    print(f"level: {level}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
