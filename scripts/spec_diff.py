"""Compare two versions of the contract: a line a change, what it breaks and for whom, and the level of them all.

Three kinds of judges, because each misses what the others see: oasdiff and Redocly's ``diff`` compare the documents,
`generated_clients` compares what code generators make of them, and a few rules of our own are for what none of them
sees. A change counts as breaking if it breaks a caller, a reader, or code that uses a generated client.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import generated_clients
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
DOCUMENTED = ("description", "title", "example", "deprecated")
# Extensions from which generators take names and types: x-go-name, x-enum-varnames, x-java-type, x-class-name.
NAMING = r"name|type|enum|class|group|package"
# Words of a sentence that says what a caller or a server does.
RULES = r"\b(must|may|only|required?s?|optional|never|always|cannot|not|ignored|default|exactly|at (least|most))\b"

# What a document may say or leave out. (An empty object and an empty list equal none of these.)
DEFAULTS: list[tuple[str, object]] = [
    *((name, False) for name in ("required", "deprecated", "nullable", "readOnly", "writeOnly", "allowReserved")),
    *((name, False) for name in ("allowEmptyValue", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum")),
    *((name, 0) for name in ("minLength", "minItems", "minProperties")),
    ("required", []),
    ("additionalProperties", True),
    ("additionalProperties", {}),
]
UNORDERED = {"required", "enum", "x-extensible-enum"}
# Values of a caller's, in which the names of OpenAPI mean nothing.
DATA = {"default", "enum", "example", "examples", "x-extensible-enum"}

Node: TypeAlias = dict[str, Any]

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
    return compare_each(old, [new])[0]


def compare_each(old: Path, others: list[Path]) -> list[list[Change]]:
    """Return what changed from one contract to each of several; they share the time that Java takes to start."""
    before, *afters = (_normal(_load(path)) for path in (old, *others))
    changed = [number for number, after in enumerate(afters) if after != before]
    if not changed:
        return [[] for _ in others]
    for tool in ("oasdiff", "redocly"):  # before the work of the others
        _tool(tool)
    with tempfile.TemporaryDirectory() as name:
        paths = {number: Path(name) / f"{number}.json" for number in (-1, *changed)}
        for number, path in paths.items():
            # A value a line: tools name what they mean by its line.
            path.write_text(json.dumps(afters[number] if number >= 0 else before, indent=1), encoding="utf-8")
        clients = dict(zip(paths, generated_clients.clients(list(paths.values()), Path(name)), strict=True))

        def changes(number: int) -> list[Change]:
            if number not in changed:
                return []
            clients_of = (clients[-1], clients[number])
            return _changes(_Pair(before, afters[number], paths[-1], paths[number], *clients_of))

        with ThreadPoolExecutor(2) as threads:
            return list(threads.map(changes, range(len(others))))


class _Pair(NamedTuple):
    """Two contracts in each form in which they are compared."""

    before: Node
    after: Node
    old: Path
    new: Path
    old_clients: generated_clients.Clients
    new_clients: generated_clients.Clients


def _changes(pair: _Pair) -> list[Change]:
    by_oasdiff = list(_oasdiff(pair.old, pair.new))
    ours = [Found(change, None, None) for change in _own_rules(pair.before, pair.after)]
    ours += _by_generators(pair, [*ours, *by_oasdiff])
    by_redocly = [
        found
        for found in _redocly(pair.old, pair.new)
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


def _normal(node: Any, key: str = "") -> Any:
    """Return a contract without its version, without what is the default, and with lists sorted whose order is none."""
    if isinstance(node, list):
        values: list[Any] = cast("Any", node)
        items: list[Any] = [item if key in DATA else _normal(item) for item in values]
        return sorted(items, key=str) if key in UNORDERED else items
    if not _object(node) or key in DATA or key.startswith("x-"):
        return node
    found = {str(name): _normal(child, str(name)) for name, child in _object(node).items()}
    if key == "info":
        found["version"] = "1.0.0"
    if "in" in found or "style" in found:
        style = "form" if found.get("in") in ("query", "cookie") else "simple"
        defaults = [("style", style), ("explode", found.get("style", style) == "form")]
        found = {name: value for name, value in found.items() if (name, value) not in defaults}
    if set(found) <= {"allOf", *DOCUMENTED} and len(found.get("allOf", [])) == 1:
        return found["allOf"][0]  # how OpenAPI 3.0 puts a description beside a reference
    return {name: value for name, value in found.items() if (name, value) not in DEFAULTS}


def contract_version(path: Path) -> str:
    """Return the version of a contract; raises `SystemExit` if it is not one of three numbers."""
    version = _load(path)["info"].get("version")
    try:
        parse(str(version))
    except ValueError:
        sys.exit(f"spec-diff: info.version of {path} is {version!r}; write three numbers, such as '1.2.3'.")
    return str(version)


def _load(path: Path) -> Node:
    try:
        document: Node = yaml.load(path.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - a safe one
        document = {**document, "info": dict(document["info"]), "paths": dict(document["paths"])}
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError) as exc:
        sys.exit(f"spec-diff: {path} cannot be read as an OpenAPI document ({type(exc).__name__}: {exc}).")
    for pointer in _pointers(document):
        if _resolved(document, {"$ref": pointer}) is None:
            sys.exit(f"spec-diff: in {path}, $ref {pointer!r} leads to nothing; correct it.")
    return document


def _pointers(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        yield from chain.from_iterable(map(_pointers, cast("Any", node)))
    for name, child in _object(node).items():
        if name == "$ref" and isinstance(child, str):
            yield child
        elif name not in DATA:
            yield from _pointers(child)


def _tool(name: str) -> str:
    found = shutil.which(name, path=str(BIN))
    if not found:
        need = " It is built with Go, which is not installed." if name == "oasdiff" and not shutil.which("go") else ""
        sys.exit(f"spec-diff: {name} is not in {BIN}; run `make changes`, which installs it.{need}")
    return found


def _run(tool: str, *arguments: str) -> Any:
    """Run one of the tools and return the JSON that it prints."""
    # Redocly is a script for the Node.js beside it.
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    environment |= {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    command = [_tool(tool), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
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
        if rule in WITHOUT_INHERITANCE or re.match(r"description|summary|x-", name or ""):
            continue  # of words and extensions, `_prose` and `_extensions` say more
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


def _by_generators(pair: _Pair, others: list[Found]) -> Iterator[Found]:
    """Report what breaks code that uses a generated client, unless another line says the same of the contract."""
    said = set(chain.from_iterable(_names(each.change.what) for each in others if each.change.level == "major"))
    for languages, each in generated_clients.differences(pair.old_clients, pair.new_clients):
        if each.subject not in said:
            yield Found(Change("major", f"generated {languages}", each.what, GENERATED), None, None)


def _names(what: str) -> Iterator[str]:
    """Find the names in a line: tools write them in backticks, a field of a field as ``project/name``."""
    return (name.rpartition("/")[2] for name in re.findall(r"`([^`]*)`", what))


def _own_rules(old: Node, new: Node) -> Iterator[Change]:
    """Find what no tool sees, or takes for harmless."""
    was, now = (".".join(str(document["openapi"]).split(".")[:2]) for document in (old, new))
    if was != now:
        yield Change("major", "openapi", f"the version of OpenAPI went from {was} to {now}", GENERATED)
    yield from _components(old, new)
    yield from _servers(old, new)
    for place, before, after in _pairs(old, new):
        for rule in (_known_values, _discriminator, _reserved, _variables, _extensions, _prose):
            yield from rule(place, before, after)


def _components(old: Node, new: Node) -> Iterator[Change]:
    for section in NAMED:
        before, after = (document.get("components", {}).get(section, {}) for document in (old, new))
        for name in before:
            if name not in after:
                yield Change("major", f"components {section}", f"`{name}` was removed or renamed", GENERATED)


def _servers(old: Node, new: Node) -> Iterator[Change]:
    """The first server is the one that clients take; an operation or a path may have servers of its own."""
    shapes = {re.sub(r"{[^}]*}", "{}", path): item for path, item in new["paths"].items()}
    for path, item in old["paths"].items():
        other = shapes.get(re.sub(r"{[^}]*}", "{}", path), {})
        for method in (name for name in METHODS if name in item and name in other):
            before, after = _server(old, item, method), _server(new, other, method)
            if before != after:
                whom = f"{EVERYONE} that does not set the server itself"
                yield Change("major", f"{method.upper()} {path}", f"its server went from {before} to {after}", whom)


def _server(document: Node, item: Node, method: str) -> str:
    servers: list[Node] = item[method].get("servers") or item.get("servers") or document.get("servers") or []
    server: Node = servers[0] if servers else {"url": "/"}
    variables: Node = server.get("variables") or {}
    return re.sub(r"{([^}]*)}", lambda name: str(variables.get(name[1], {}).get("default", name[0])), server["url"])


def _known_values(place: str, old: Node, new: Node) -> Iterator[Change]:
    """Values of ``x-extensible-enum``: generated clients offer them, and this SDK's types name them."""
    before: list[Any] = old.get("x-extensible-enum") or []
    after: list[Any] = new.get("x-extensible-enum") or []
    if removed := [value for value in before if value not in after]:
        yield Change("major", place, f"the known values {removed} were removed", f"{CALLERS}, and {GENERATED}")
    if added := [value for value in after if value not in before]:
        yield Change("minor", place, f"the known values {added} were added")


def _discriminator(place: str, old: Node, new: Node) -> Iterator[Change]:
    before, after = old.get("discriminator"), new.get("discriminator")
    if before != after and not place.endswith("properties"):
        yield Change("major", place, f"the discriminator went from {before} to {after}", GENERATED)


def _reserved(place: str, old: Node, new: Node) -> Iterator[Change]:
    """Without percent-encoding, the same text is another request."""
    before, after = (bool(each.get("allowReserved")) for each in (old, new))
    if before != after and "in" in new:
        yield Change("major", place, f"allowReserved went from {before} to {after}", CALLERS)


def _variables(place: str, old: Node, new: Node) -> Iterator[Change]:
    """The values that a variable of a server may have; `_servers` sees the default of the first server."""
    if not re.search(r"servers \S+ variables \S+$", place):
        return
    before, after = (each.get("enum") for each in (old, new))
    whom = f"{EVERYONE} that chooses the server"
    if after and (before is None or set(before) - set(after)):
        gone = sorted(set(before) - set(after)) if before else "all others"
        yield Change("major", place, f"the values {gone} of the variable were removed", whom)
    if before and (after is None or set(after) - set(before)):
        yield Change("minor", place, f"the variable takes {sorted(set(after) - set(before)) if after else 'any value'}")
    if old.get("default") != new.get("default"):
        yield Change("major", place, f"the default went from {old.get('default')} to {new.get('default')}", whom)


def _extensions(place: str, old: Node, new: Node) -> Iterator[Change]:
    for name in sorted(name for name in {*old, *new} if str(name).startswith("x-") and name != "x-extensible-enum"):
        if old.get(name) == new.get(name):
            continue
        what = f"`{name}` went from {old.get(name)!r} to {new.get(name)!r}"
        if name == "x-idempotent" and old.get(name):
            yield Change("major", place, f"{what}: it is no longer sent again", CALLERS)
        elif re.search(NAMING, name):
            yield Change("major", place, what, GENERATED)
        else:
            yield Change("patch", place, f"{what}; decide whom it breaks")


def _prose(place: str, old: Node, new: Node) -> Iterator[Change]:
    """A sentence that says what callers must do may break them: a person decides."""
    for name in ("description", "summary"):
        before, after = old.get(name), new.get(name)
        if before == after or not isinstance(before or after, str):
            continue
        sentences = [re.split(r"(?<=[.;:])\s+|\n+", each or "") for each in (before, after)]
        gone, come = ([each for each in mine if each not in its] for mine, its in (sentences, sentences[::-1]))
        what = f"{name} changed"
        if re.search(RULES, " ".join([*gone, *come]), re.IGNORECASE):
            what += f'; decide whom it breaks: "{" ".join(gone)}" is now "{" ".join(come)}"'
        yield Change("patch", place, what)


def _pairs(old: Node, new: Node) -> Iterator[tuple[str, Node, Node]]:
    """Find every object that both documents have at one place, whether it stands there or behind a ``$ref``."""
    todo: list[tuple[str, Any, Any]] = [("", old, new)]
    while todo:
        place, before, after = todo.pop()
        if "$ref" in _object(before) and _object(before).get("$ref") == _object(after).get("$ref"):
            continue  # both are the same name, whose object has a place of its own
        before, after = _resolved(old, before), _resolved(new, after)
        if before == after:
            continue
        if _object(before) and _object(after):
            yield place.strip() or "document", before, after
        befores, afters = _children(old, before), _children(new, after)
        todo += [(f"{place} {key}", befores[key], afters[key]) for key in befores if key in afters]


def _object(node: Any) -> Node:
    return cast("Node", node) if isinstance(node, dict) else {}


def _resolved(document: Node, node: Any) -> Any:
    while isinstance(pointer := _object(node).get("$ref"), str):
        node = document
        for key in pointer.removeprefix("#/").split("/"):
            node = _object(node).get(key.replace("~1", "/").replace("~0", "~"))
    return node


def _children(document: Node, node: Any) -> Node:
    """Return what is in an object or a list; what has a name in a list is found by it, wherever it stands."""
    if not isinstance(node, list):
        return _object(node)
    items: list[Any] = cast("Any", node)
    objects = [_object(_resolved(document, item)) for item in items]
    return {str(each.get("name") or each.get("url") or index): items[index] for index, each in enumerate(objects)}


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
