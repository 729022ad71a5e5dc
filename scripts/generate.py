"""Write what comes from openapi.yaml, the low-level client and the name of the contract: ``generate.py`` in place,
``generate.py --check`` to compare only.

openapi-python-client warns, drops an operation or skips its formatter and still exits with 0, so each of these is
checked here, and nothing is replaced before all of it went well.
"""

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, NoReturn

import yaml

ROOT = Path(__file__).resolve().parent.parent
SPEC = ROOT / "openapi.yaml"
TARGET = ROOT / "generated" / "neptun_openapi"
CONTRACT = ROOT / "neptun_sdk" / "_contract.py"
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
IDEMPOTENT = ("get", "put", "delete", "options", "head", "trace")  # RFC 9110, section 9.2.2
BIN = Path(sysconfig.get_path("scripts"))
TEMPLATE = '''"""The contract of this SDK, written by `make generate`: what generated functions do not tell."""

from collections.abc import Mapping
from typing import NamedTuple

CONTRACT = "{contract}"  # info.version of openapi.yaml, and the start of its SHA-256
SERVER = "{server}"
COOKIE_NAME = "{cookie}"
HEADERS: tuple[str, ...] = {headers}  # that operations take as parameters


class Facts(NamedTuple):
    """What openapi.yaml says of an operation.

    Attributes:
        method: The method of HTTP.
        status: The status of a success.
        envelope: The key of the success's JSON object under which the resource stands, or which says whether it is a
            success; empty if the whole body is the resource; ``None`` if there is no body.
        is_idempotent: Whether sending a request twice has the effect of sending it once.
        repeats: For each parameter of the path that the resource repeats, the name of its field.
    """

    method: str
    status: int
    envelope: str | None
    is_idempotent: bool
    repeats: Mapping[str, str]


FACTS: Mapping[str, Facts] = {{
    {rows}
}}
'''


def generate(output: Path) -> None:
    """Generate the client into a folder, or exit with a message that says what went wrong."""
    for tool in ("openapi-python-client", "ruff"):
        if not shutil.which(tool, path=str(BIN)):
            sys.exit(f"generate: {tool} is not installed in this environment; run `make generate`, which installs it.")
    command = [
        str(BIN / "openapi-python-client"),
        "generate",
        f"--path={SPEC}",
        f"--config={ROOT / 'scripts' / 'generate.yaml'}",
        f"--output-path={output}",
        "--meta=none",
        "--fail-on-warning",
    ]
    # The post hooks find ruff by PATH, which must lead to the pinned one.
    environment = {"PATH": f"{BIN}:/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    messages = done.stdout + done.stderr
    if done.returncode or "warning" in messages.lower() or "error" in messages.lower():
        sys.exit(f"generate: openapi-python-client failed or warned (exit code {done.returncode}):\n{messages}")
    missing = [module for module in operation_modules() if not (output / module).is_file()]
    if missing:
        sys.exit(f"generate: openapi-python-client dropped {', '.join(missing)}; check its operation in openapi.yaml.")
    # Written by the generator only together with the metadata of a package of its own.
    (output / "py.typed").touch()


def contract() -> str:
    """Return the module that names the contract, and says of each operation what a generated function does not tell."""
    content = SPEC.read_bytes()
    document: dict[str, Any] = yaml.safe_load(content)
    name = f"{document['info']['version']}+{hashlib.sha256(content).hexdigest()[:12]}"
    rows = [
        f'"{snake_case(node["operationId"])}": {facts(document, path, method, node)},'
        for path, method, node in operations(document)
    ]
    module = TEMPLATE.format(
        contract=name,
        server=document["servers"][0]["url"],
        cookie=session_cookie(document),
        headers=tuple(sorted(header_names(document))),
        rows="\n".join(rows),
    )
    command = [str(BIN / "ruff"), "format", "--isolated", "--line-length", "120", "-"]
    return subprocess.run(command, input=module, capture_output=True, text=True, check=True).stdout  # noqa: S603


def facts(document: Any, path: str, method: str, node: Any) -> str:
    """Return the facts of one operation as code, or exit with what the SDK cannot send or read."""
    name = node["operationId"]
    media_types = follow(document, node.get("requestBody", {})).get("content", {"application/json": None})
    if list(media_types) != ["application/json"]:
        refuse(name, f"its request is {', '.join(media_types)}: only application/json is sent. The generated client")
    if any(each["in"] == "cookie" for each in parameters(document, document["paths"][path], node)):
        refuse(name, "it has a cookie beside the session's, which the session would replace. Another cookie")
    successes = [status for status in node["responses"] if str(status)[0] in "123"]
    if len(successes) != 1 or not re.fullmatch("2[0-9]{2}", str(successes[0])):
        refuse(name, f"it must have one success from 200 to 299, not {', '.join(map(str, successes)) or 'none'}: more")
    success = int(successes[0])
    content = follow(document, node["responses"][successes[0]]).get("content", {})
    if content and list(content) != ["application/json"]:
        refuse(name, f"its response is {', '.join(content)}: only application/json is read. Anything else")
    envelope: str | None = None
    found: dict[str, Any] = {}
    if content:
        body = properties(document, content["application/json"].get("schema", {}))
        envelope = envelope_of(document, body)
        found = properties(document, body[envelope]) if envelope else body
    of_sending = f"{method.upper()!r}, {success}, {envelope!r}, {is_idempotent(document, method, node)}"
    return f"Facts({of_sending}, {repeated(document, path, node, found)})"


def is_idempotent(document: Any, method: str, node: Any) -> bool:
    """Tell whether sending an operation twice has the effect of sending it once: by its method, or as it says."""
    said: bool | None = node.get("x-idempotent")
    if said and method == "post" and not any("idempotency" in name for name in required_headers(document, node)):
        sys.exit(
            f"generate: {node['operationId']} in openapi.yaml is a POST and says x-idempotent: true, but requires no "
            "Idempotency-Key header, by which a server recognises a request that comes twice. Remove x-idempotent: a "
            "caller who knows better has with_options(resend=True)."
        )
    return method in IDEMPOTENT if said is None else said


def envelope_of(document: Any, body: dict[str, Any]) -> str:
    """Return the property of a success under which its resource stands, or that says whether it is one; else \"\"."""
    for kind in ("object", "array", "boolean"):
        names = [name for name, schema in body.items() if kind == kind_of(document, schema)]
        if names:
            return names[0] if len(names) == 1 else ""
    return ""


def repeated(document: Any, path: str, node: Any, found: dict[str, Any]) -> dict[str, str]:
    """Return, for each parameter of a path that the resource of the response repeats, the name of its property."""
    types = {
        each["name"]: kind_of(document, each["schema"])
        for each in parameters(document, document["paths"][path], node)
        if each["in"] == "path"
    }
    repeats: dict[str, str] = {}
    for name, kind in types.items():
        candidates = [name, f"neptun_{name}", *(["id"] if path.endswith(f"{{{name}}}") else [])]
        same = [each for each in candidates if each in found and kind_of(document, found[each]) == kind]
        repeats.update((name, each) for each in same[:1])
    return repeats


def session_cookie(document: Any) -> str:
    """Return the name of the session cookie, which is how every request is authenticated."""
    schemes = document["components"]["securitySchemes"]
    cookies = [each["name"] for each in schemes.values() if each.get("in") == "cookie"]
    if len(cookies) != 1 or len(schemes) != 1:
        sys.exit(
            f"generate: openapi.yaml has the security schemes {', '.join(schemes)}; the SDK knows one cookie: add a "
            "class beside Session to neptun_sdk/session.py, let NeptunClient in neptun_sdk/client.py choose between "
            "them, and then write both into _contract.py, in session_cookie() of scripts/generate.py."
        )
    return str(cookies[0])


def header_names(document: Any) -> set[str]:
    """Return the names of the headers that any operation takes as parameters, in lower case."""
    return {
        each["name"].lower()
        for path, _, node in operations(document)
        for each in parameters(document, document["paths"][path], node)
        if each["in"] == "header"
    }


def required_headers(document: Any, node: Any) -> list[str]:
    """Return the headers that an operation requires, in lower case."""
    found = parameters(document, {}, node)
    return [each["name"].lower() for each in found if each["in"] == "header" and each.get("required")]


def parameters(document: Any, item: Any, node: Any) -> list[dict[str, Any]]:
    """Return the parameters of a path and of an operation."""
    return [follow(document, each) for each in (*item.get("parameters", ()), *node.get("parameters", ()))]


def properties(document: Any, schema: Any) -> dict[str, Any]:
    """Return the properties of a schema, with those of the schemas that it is composed of."""
    schema = follow(document, schema)
    found: dict[str, Any] = {}
    for part in schema.get("allOf", ()):
        found |= properties(document, part)
    found.update(schema.get("properties", {}))
    return found


def kind_of(document: Any, schema: Any) -> str:
    """Return the JSON type of a schema; of one that is composed, ``object``."""
    schema = follow(document, schema)
    return str(schema.get("type", "object" if "properties" in schema or "allOf" in schema else ""))


def follow(document: Any, node: Any) -> Any:
    """Return what a node refers to, or the node itself if it is not a reference."""
    while "$ref" in node:
        target = document
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def operations(document: Any) -> list[tuple[str, str, Any]]:
    """Return the path, the method and the node of each operation, in the order of the contract."""
    paths = document["paths"].items()
    return [(path, method, item[method]) for path, item in paths for method in METHODS if method in item]


def refuse(name: str, problem: str) -> NoReturn:
    """Exit, because the SDK cannot send or read an operation."""
    sys.exit(
        f"generate: {name} in openapi.yaml: {problem} must be taught to facts() in scripts/generate.py and to "
        "neptun_sdk/call.py first."
    )


def operation_modules() -> list[str]:
    """Return the module that each operation of the contract must have: its tag, and its operationId in snake case."""
    nodes = [node for _, _, node in operations(yaml.safe_load(SPEC.read_text(encoding="utf-8")))]
    return [f"api/{node.get('tags', ['default'])[0]}/{snake_case(node['operationId'])}.py" for node in nodes]


def snake_case(name: str) -> str:
    """Return the name of a module for an operationId."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail with a diff where the output differs"
    )
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / "neptun_openapi"
        generate(fresh)
        module = contract()  # before anything is replaced: it may refuse
        if not check:
            shutil.rmtree(TARGET, ignore_errors=True)  # what the contract no longer has must not stay behind
            shutil.copytree(fresh, TARGET)
            CONTRACT.write_text(module, encoding="utf-8", newline="\n")
            print(f"generated {TARGET.relative_to(ROOT)} and {CONTRACT.relative_to(ROOT)}")
            return
        command = ["diff", "-ru", "--exclude=__pycache__", str(TARGET), str(fresh)]
        if subprocess.run(command, check=False).returncode:  # noqa: S603
            sys.exit(
                "check-generated: generated/ is not what openapi.yaml gives; run `make generate` and commit the result."
            )
        if CONTRACT.read_text(encoding="utf-8") != module:
            sys.exit(f"check-generated: {CONTRACT.relative_to(ROOT)} names another contract; run `make generate`.")
        print("check-generated: generated/ is what openapi.yaml gives")


if __name__ == "__main__":
    main()
