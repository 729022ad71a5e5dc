"""Compare what code generators make of two contracts: the public names, types and parameters of their clients.

Two generators write each client: openapi-generator (Java), with templates that print signatures instead of code, and
openapi-python-client. They see what tools that compare documents miss: the order of parameters, which name stands
behind a ``$ref``, a body that was moved into its operation, a title, an open enum.
"""

import ast
import contextlib
import importlib.resources
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeAlias

import openapi_python_client
from openapi_python_client.config import Config, ConfigFile, MetaType

TEMPLATES = Path(__file__).with_name("signatures")
# Whether something may be absent or null is for the tools to judge, which tell a request from a response.
_ABSENT = {"None", "Unset", "", "void"}


@dataclass
class Signature:
    """An operation or a model of a generated client.

    Attributes:
        kind: ``operation`` or ``model``. The order of members counts for an operation.
        types: What the operation returns, or what the model derives from or stands for.
        members: The parameters or fields, each with its types and whether a caller must give it.
    """

    kind: str
    types: frozenset[str]
    members: dict[str, tuple[frozenset[str], bool]] = field(default_factory=dict[str, tuple[frozenset[str], bool]])


# The signatures of one client, by name; the name of an operation has its class or module.
Client: TypeAlias = dict[str, Signature]
# The clients of one contract, by language.
Clients: TypeAlias = dict[str, Client]


class Difference(NamedTuple):
    """A difference that breaks code that uses a generated client.

    ``subject`` is the name of what was removed or changed, which other tools may report too.
    """

    what: str
    subject: str | None = None


def differences(old: Clients, new: Clients) -> Iterator[tuple[str, Difference]]:
    """Find what breaks code that uses the clients of an old contract, with the languages that it is about."""
    found: dict[Difference, list[str]] = {}
    for language, before in old.items():
        for each in _compare(before, new[language]):
            found.setdefault(each, []).append(language)
    for each, languages in found.items():
        yield " and ".join(languages), each


def _compare(old: Client, new: Client) -> Iterator[Difference]:
    for name, before in old.items():
        after = new.get(name)
        if after is None:
            yield Difference(f"the {before.kind} `{name}` was removed or renamed", name.rpartition(".")[2])
            continue
        if gone := before.types - after.types:
            verb = "returns" if before.kind == "operation" else "is"
            yield Difference(f"`{name}` {verb} {_listed(after.types)}, no longer {_listed(gone)}", name)
        yield from _compare_members(name, before, after)


def _compare_members(name: str, old: Signature, new: Signature) -> Iterator[Difference]:
    noun = "parameter" if old.kind == "operation" else "field"
    for member, (types, _) in old.members.items():
        if member not in new.members:
            yield Difference(f"the {noun} `{member}` of `{name}` was removed or renamed", member)
        elif gone := types - (now := new.members[member][0]):
            what = f"the {noun} `{member}` of `{name}` is {_listed(now)}, no longer {_listed(gone)}"
            yield Difference(what, member)
    if old.kind == "operation":
        for member, (_, required) in new.members.items():
            if required and member not in old.members:
                yield Difference(f"the parameter `{member}` of `{name}` was added as required", member)
        before, after = ([each for each in a.members if each in b.members] for a, b in ((old, new), (new, old)))
        if before != after:
            order = f"the order of parameters of `{name}` went from {', '.join(before)} to {', '.join(after)}"
            yield Difference(order)


def _listed(types: frozenset[str]) -> str:
    return " or ".join(f"`{name}`" for name in sorted(types)) or "nothing"


def clients(contracts: list[Path], folder: Path) -> list[Clients]:
    """Write the clients of contracts into a folder, and read their signatures.

    Raises:
        SystemExit: A generator is missing, or cannot read a contract.
    """
    _java(contracts, folder)
    return [
        {"Java": _java_client(folder / f"java{number}"), "Python": _python_client(path, folder / f"python{number}")}
        for number, path in enumerate(contracts)
    ]


def _java(contracts: list[Path], folder: Path) -> None:
    java = shutil.which("java")
    if not java:
        sys.exit("spec-diff: openapi-generator needs Java 11 or newer, which is not on the PATH; install it.")
    configs: list[str] = []
    for number, path in enumerate(contracts):
        config = {
            "generatorName": "java",
            "library": "native",
            "templateDir": str(TEMPLATES),
            "inputSpec": str(path.resolve()),
            "outputDir": str(folder / f"java{number}"),
            # A document that uses what it does not know is for the other judges.
            "validateSpec": False,
            "globalProperties": {
                **dict.fromkeys(("apis", "models"), ""),
                **{f"{each}{of}": "false" for each in ("api", "model") for of in ("Tests", "Docs")},
            },
        }
        configs.append(str(folder / f"java{number}.json"))
        Path(configs[-1]).write_text(json.dumps(config), encoding="utf-8")
    jar = importlib.resources.files("openapi_generator_cli") / "openapi-generator.jar"
    # Faster for a short run: one compiler, one collector.
    command = [java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-jar", str(jar), "batch", "--fail-fast", *configs]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if "INFO" not in line]
        sys.exit("\n".join([f"spec-diff: openapi-generator failed (exit code {done.returncode}):", *lines[-30:]]))


def _java_client(folder: Path) -> Client:
    client: Client = {}
    signature = Signature("", frozenset())
    for path in sorted(folder.rglob("*.java")):
        for line in filter(str.strip, path.read_text(encoding="utf-8").splitlines()):
            kind, name, types, *required = line.split("\t")
            if kind == "member":
                signature.members[name] = (_types(types), required == ["required"])
            else:
                signature = client[name] = Signature(kind, _types(types))
    return client


def _python_client(contract: Path, folder: Path) -> Client:
    settings = ConfigFile(post_hooks=[])  # they format, which changes no signature
    config = Config.from_sources(settings, MetaType.NONE, contract, "utf-8", overwrite=True, output_path=folder)
    with contextlib.redirect_stdout(io.StringIO()):
        problems = openapi_python_client.generate(config=config)
    if not (folder / "api").is_dir():
        lines = [f"{each.header} {each.detail or ''}" for each in problems]
        sys.exit("\n".join([f"spec-diff: openapi-python-client cannot read {contract}:", *lines]))
    modules = chain(folder.glob("models/*.py"), folder.glob("api/*/*.py"))
    return dict(chain.from_iterable(map(_signatures, sorted(modules))))


def _signatures(path: Path) -> Iterator[tuple[str, Signature]]:
    """Read the class of a model, or the function of an operation, whose name has its module as generators count it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ClassDef):
            fields = [each for each in node.body if isinstance(each, ast.AnnAssign)]
            members = {ast.unparse(each.target): (_types(each.annotation), False) for each in fields}
            yield node.name, Signature("model", frozenset(map(ast.unparse, node.bases)), members)
        elif isinstance(node, ast.FunctionDef) and node.name == "sync_detailed":
            positional, keywords = node.args.args, node.args.kwonlyargs
            defaults = [*([None] * (len(positional) - len(node.args.defaults))), *node.args.defaults]
            pairs = [*zip(positional, defaults, strict=True), *zip(keywords, node.args.kw_defaults, strict=True)]
            members = {
                each.arg: (_types(each.annotation), default is None) for each, default in pairs if each.arg != "client"
            }
            yield f"{path.parent.name}.{path.stem}", Signature("operation", _types(node.returns), members)


def _types(annotation: ast.expr | str | None) -> frozenset[str]:
    """Return the members of a union, without those that say that nothing is there."""
    if isinstance(annotation, ast.BinOp):
        return _types(annotation.left) | _types(annotation.right)
    if isinstance(annotation, ast.Subscript) and ast.unparse(annotation.value) == "Response":
        return _types(annotation.slice)
    names = annotation.split("|") if isinstance(annotation, str) else [ast.unparse(annotation)] if annotation else []
    return frozenset(names) - _ABSENT
