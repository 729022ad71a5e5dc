"""Build the contract as an artefact of its own, for teams that write clients in other languages.

It has the contract, a copy in OpenAPI 3.1 for tools that want it, the vectors with what runs them, the contract's own
changelog, and the licence. The same files give the same bytes.
"""

import argparse
import gzip
import hashlib
import io
import json
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml
from changes import Change

ROOT = Path(__file__).resolve().parent.parent
SPEC, CHANGELOG = Path("openapi.yaml"), Path("interfaces/CHANGELOG.md")
PORTABILITY = Path("tests/portability")
RUNNER = ("README.md", "judge.py", "replay.py", "run.py")

Node: TypeAlias = dict[str, Any]


def build(root: Path, output: Path) -> Path:
    """Build the archive of a checkout into a folder; return its path.

    Raises:
        SystemExit: The contract's changelog has no section for its version, or the copy in 3.1 is not valid.
    """
    version, digest = identity(root / SPEC)
    name = f"neptun-contract-{version}"
    changelog = (root / CHANGELOG).read_text(encoding="utf-8")
    if not has_section(changelog, version):
        sys.exit(f"contract: {CHANGELOG} has no section `## {version} - unreleased`; write what changed.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        (folder / "vectors").mkdir(parents=True)
        for path in (SPEC, CHANGELOG, Path("LICENSE"), *(PORTABILITY / each for each in RUNNER)):
            shutil.copy(root / path, folder)
        (folder / "openapi-3.1.yaml").write_text(_in_3_1(root / SPEC, version, digest), encoding="utf-8")
        for path in sorted(each for each in (root / PORTABILITY / "vectors").iterdir() if each.is_file()):
            text = _named(path, f"{version}+{digest}")
            (folder / "vectors" / path.name).write_text(text, encoding="utf-8")
        output.mkdir(parents=True, exist_ok=True)
        archive = output / f"{name}.tar.gz"
        archive.write_bytes(_packed(folder))
    return archive


def _named(path: Path, contract: str) -> str:
    """Return a file of the vectors that says for which contract they are, or the schema that allows it."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".json":
        return text
    if not path.name.endswith(".schema.json"):
        # As text, because the layout is for people.
        return text.replace("{\n", f'{{\n  "contract": {json.dumps(contract)},\n', 1)
    schema: Node = json.loads(text)
    schema["properties"]["contract"] = {"const": contract}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def identity(spec: Path) -> tuple[str, str]:
    """Return the version of a contract, and the SHA-256 of its bytes."""
    content = spec.read_bytes()
    return str(yaml.safe_load(content)["info"]["version"]), hashlib.sha256(content).hexdigest()


def has_section(changelog: str, version: str) -> bool:
    """Tell whether the contract's changelog says what changed in a version."""
    return re.search(_heading(version), changelog, re.MULTILINE) is not None


def _heading(version: str) -> str:
    return rf"^## {re.escape(version)} - (\d{{4}}-\d\d-\d\d|unreleased)$"


def with_section(changelog: str, version: str, changes: Iterable[Change]) -> str:
    """Return the changelog with a section for a version, on top; one that a person has written stays, with a date."""
    if has_section(changelog, version):
        return changelog.replace(f"## {version} - unreleased", f"## {version} - {date.today()}")
    lines = [
        f"- **{each.level}** {each.where}: {each.what}" + (f" (breaks {each.breaks})" if each.breaks else "")
        for each in changes
    ] or ["- **patch** Nothing but comments and layout."]
    section = "\n".join([f"## {version} - {date.today()}", "", *lines, "", ""])
    start = re.search(r"^## ", changelog, re.MULTILINE)
    place = start.start() if start else len(changelog)
    return changelog[:place] + section + changelog[place:]


def _in_3_1(spec: Path, version: str, digest: str) -> str:
    """Return the contract in OpenAPI 3.1: what may be null, and examples of schemas, are said in another way there."""
    from openapi_spec_validator import validate  # a second, which nothing else here needs

    document: Node = yaml.safe_load(spec.read_text(encoding="utf-8"))
    document["openapi"] = "3.1.0"
    for schema in _schemas(document):
        if schema.pop("nullable", False):
            if "type" not in schema:
                sys.exit(f"contract: a nullable schema without a type cannot be said in OpenAPI 3.1: {schema}.")
            schema["type"] = [schema["type"], "null"]
            if "enum" in schema:
                schema["enum"] = [*schema["enum"], None]
        for name, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
            if schema.pop(name, False) and bound in schema:
                schema[name] = schema.pop(bound)
        if "example" in schema:
            schema["examples"] = [schema.pop("example")]
    validate(document)
    header = f"# Derived from openapi.yaml {version}+{digest}, which is the contract.\n"
    return header + yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes what stands twice twice, since readers in other languages know no anchors, and prose in lines."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the name is PyYAML's
        return True


def _text(_: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return yaml.ScalarNode("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def _schemas(node: Any, key: str = "") -> Iterable[Node]:
    """Find every schema of a document."""
    if isinstance(node, list):
        for child in cast("Any", node):
            yield from _schemas(child, "schema" if key in ("allOf", "anyOf", "oneOf") else "")
    elif isinstance(node, dict):
        found = cast("Node", node)
        if key == "schema":
            yield found
        for name, child in found.items():
            if name in ("example", "examples", "enum", "default") or name.startswith("x-"):
                continue
            if name in ("schemas", "properties"):
                for each in cast("Node", child).values():
                    yield from _schemas(each, "schema")
            else:
                yield from _schemas(
                    child, "schema" if name in ("items", "schema", "not", "additionalProperties") else name
                )


def _packed(folder: Path) -> bytes:
    """Pack a folder so that the same files give the same bytes: no times, no owners, one order."""
    packed, content = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(each for each in folder.rglob("*") if each.is_file()):
            member = tarfile.TarInfo(path.relative_to(folder.parent).as_posix())
            member.size, member.mode = path.stat().st_size, 0o644
            archive.addfile(member, io.BytesIO(path.read_bytes()))
    with gzip.GzipFile(fileobj=content, mode="w", mtime=0) as compressed:
        compressed.write(packed.getvalue())
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="the folder of the archive (default: dist/)")
    print(build(ROOT, parser.parse_args().output))


if __name__ == "__main__":
    main()
