"""The HTTP reference, written from ``openapi.yaml``: as Markdown, and as one self-contained page of HTML."""

from __future__ import annotations

import html
import json
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote, urlencode

from markdown_it import MarkdownIt

from neptun_sdk._contract import COOKIE_NAME
from neptun_sdk.sandbox.resources import USER_ID
from neptun_sdk.sandbox.spec import JSON, METHODS, Parameter, Schema, is_json, read_parameters, refused_value, resolve

Node = Mapping[str, Any]


def markdown(document: Node, *, base_url: str | None = None, session_cookie: str = "your-session-cookie") -> str:
    """Describe every operation of a contract in Markdown, with tables.

    Args:
        document: The contract: OpenAPI 3.0, as decoded.
        base_url: The server that the curl lines are for; by default the first one of the contract.
        session_cookie: The session in the curl lines.
    """
    return _Reference(document, base_url or document["servers"][0]["url"], session_cookie).text()


def page(document: Node, *, base_url: str, session_cookie: str, note: str = "") -> str:
    """Return the reference as a page of HTML without scripts or external files.

    Args:
        document: As for `markdown`.
        base_url: As for `markdown`.
        session_cookie: As for `markdown`.
        note: A paragraph of Markdown to begin with.
    """
    title, _, text = markdown(document, base_url=base_url, session_cookie=session_cookie).partition("\n")
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(f"{title}\n\n{note}\n{text}")
    links: list[str] = []
    for number, (token, inline) in enumerate(pairwise(tokens)):
        if token.type == "heading_open":
            token.attrSet("id", f"s{number}")
            if token.tag in ("h2", "h3"):
                words = html.escape(inline.content.replace("`", ""))
                links.append(f'<li class="{token.tag}"><a href="#s{number}">{words}</a></li>')
        elif token.type == "fence":
            token.attrJoin("tabindex", "0")  # a block that scrolls can be scrolled from the keyboard
    template = Template(Path(__file__).with_name("reference.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=html.escape(title.removeprefix("# ")),
        links="\n".join(links),
        body=reader.renderer.render(tokens, reader.options, {}),
    )


class _Reference:
    """The lines of the reference, section by section."""

    def __init__(self, document: Node, base_url: str, session_cookie: str) -> None:
        self._document = document
        self._base_url = base_url.rstrip("/")
        self._session_cookie = session_cookie

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        info = self._document["info"]
        yield from (f"# {info['title']}", "", f"Version {info['version']} of the contract.", "", info["description"])
        yield from ("## Server and session", "")
        for server in self._document["servers"]:
            yield f"- {server.get('description', 'Server')}: `{server['url']}`"
        for scheme in self._document["components"]["securitySchemes"].values():
            yield f"- {_line(scheme['description'])} Send it as `Cookie: {scheme['name']}=…`."
        yield ""
        for path, item in self._document["paths"].items():
            for method in filter(item.__contains__, METHODS):
                yield from self._operation(method.upper(), path, item, item[method])
        yield from self._error_schema()

    def _operation(self, method: str, path: str, item: Node, operation: Node) -> Iterator[str]:
        yield from (f"## {operation.get('summary', operation['operationId'])}", "")
        yield from (f"`{method} {path}`", "", operation.get("description", ""))
        parameters = [self._resolve(each) for each in (*item.get("parameters", ()), *operation.get("parameters", ()))]
        if parameters:
            yield from ("### Parameters", "")
            # The description of a parameter is beside its schema; that of a field is in it.
            yield from _table((f"`{each['name']}`, {each['in']}", {**each["schema"], **each}) for each in parameters)
        media_type, content = self._content(operation.get("requestBody", {}))
        body: Any = None
        if content:
            schema = self._resolve(content["schema"])
            yield from ("### Request body", "", f"`{media_type}`. {_line(schema.get('description', ''))}", "")
            yield from _table(self._fields(schema))
            (_, body), *_ = self._examples(content)
        needed = [each for each in read_parameters(parameters, self._document) if each.required]
        # docs/conf.py shows the blocks of this section side by side, and those that begin with "With" as tabs.
        yield from ("### Example", "", "With curl:", "")
        yield from _fence("bash", self._curl(method, path, needed, media_type, body))
        yield from ("With the Python SDK:", "")
        yield from _fence("python", self._python(operation["operationId"], needed, body))
        yield from ("With JavaScript in Node:", "")
        yield from _fence("javascript", self._javascript(method, path, needed, media_type, body))
        responses: Mapping[str, Node] = {status: self._resolve(each) for status, each in operation["responses"].items()}
        example = next(
            (status for status in responses if int(status) < 400 and self._content(responses[status])[1]), ""
        )
        if example:
            (_, value), *_ = self._examples(self._content(responses[example])[1])
            yield from (f"The response, with status {example}:", "")
            yield from _fence("json", json.dumps(value, indent=2, ensure_ascii=False))
        yield from ("### Responses", "")
        fields: Node = self._resolve(content["schema"]).get("properties", {}) if content else {}
        for status, response in responses.items():
            yield from self._response(status, response, fields, is_example=status == example)

    def _response(self, status: str, response: Node, fields: Node, *, is_example: bool) -> Iterator[str]:
        yield from (f"#### {status}: {_line(response['description'])}", "")
        media_type, content = self._content(response)
        if not content:
            yield from ("No body.", "")
            return
        yield from (f"`{media_type}`.", "") if media_type != JSON else ()
        examples = self._examples(content)
        schema = self._resolve(content["schema"])
        if int(status) < 400:
            yield from _table(self._fields(schema))
        elif "statusCode" in schema.get("properties", {}) and not {"example", "examples"} & content.keys():
            # All errors share one schema: its example may belong to another status.
            examples = [("", self._error(int(status), response["description"], fields))]
        for summary, example in examples[is_example:]:
            yield from (f"{summary}:", "") if summary else ()
            yield from _fence("json", json.dumps(example, indent=2, ensure_ascii=False))

    def _error(self, status: int, description: str, fields: Node) -> dict[str, Any]:
        """Return an error body; a 400 names a field with an unknown value."""
        error: dict[str, Any] = {"statusCode": status, "message": description}
        known = {name: self._resolve(each).get("x-extensible-enum", []) for name, each in fields.items()}
        name = next((name for name, values in known.items() if values), None)
        if status == 400 and name:
            issue = {"path": [name], "message": refused_value(known[name], "no-such-value")}
            error["data"] = {"issues": [issue]}
        return error

    def _error_schema(self) -> Iterator[str]:
        error = self._document["components"]["schemas"]["ErrorBody"]
        yield from ("## Error bodies", "", error["description"], "")
        yield from _table(self._fields(error))

    def _content(self, node: Node) -> tuple[str, Node]:
        """Return the media type of a body and its part of the contract; of several types, the first JSON."""
        content: Mapping[str, Node] = self._resolve(node).get("content", {})
        found = sorted(content.items(), key=lambda item: not is_json(item[0]))
        return found[0] if found and "schema" in found[0][1] else (JSON, {})

    def _examples(self, content: Node) -> list[tuple[str, Any]]:
        """Return the examples of a body with their summaries; without any, one made from the schema."""
        if "example" in content:
            return [("", content["example"])]
        found: Mapping[str, Node] = content.get("examples", {})
        made = [("", Schema(content["schema"], self._document).sample())]
        return [(example.get("summary", ""), example["value"]) for example in found.values()] or made

    def _fields(self, schema: Node, prefix: str = "") -> Iterator[tuple[str, Node]]:
        """Yield the fields of an object and of the objects in it, with dotted names."""
        required = schema.get("required", ())
        for name, field in schema.get("properties", {}).items():
            node = self._resolve(field)
            yield f"`{prefix}{name}`", {**node, "required": name in required}
            items = self._resolve(node.get("items", {}))
            yield from self._fields(node, f"{prefix}{name}.")
            yield from self._fields(items, f"{prefix}{name}[].")

    def _curl(self, method: str, path: str, needed: list[Parameter], media_type: str, body: Any) -> str:
        headers = self._headers(needed, media_type, body)
        lines = [f"curl -X {method} '{self._url(path, needed)}'"]
        lines += [f"-H '{name}: {value}'" for name, value in headers.items()]
        if body is not None:
            data = textwrap.indent(json.dumps(body, indent=2, ensure_ascii=False), "  ").lstrip()
            lines.append("-d '{}'".format(data.replace("'", "'\\''")))
        return " \\\n  ".join(lines)

    def _javascript(self, method: str, path: str, needed: list[Parameter], media_type: str, body: Any) -> str:
        headers = json.dumps(self._headers(needed, media_type, body), indent=2, ensure_ascii=False)
        options = [f"method: {_literal(method)}", f"headers: {headers}", f"redirect: {_literal('manual')}"]
        if body is not None:
            options.append(f"body: JSON.stringify({json.dumps(body, indent=2, ensure_ascii=False)})")
        listed = textwrap.indent("".join(f"{option},\n" for option in options), "  ")
        call = f"const response = await fetch({_literal(self._url(path, needed))}, {{\n{listed}}});"
        return f"{call}\nconsole.log(response.status, await response.text());"

    def _url(self, path: str, needed: list[Parameter]) -> str:
        for each in needed:
            path = path.replace(f"{{{each.name}}}", quote(str(each.sample), safe=""))
        query = urlencode({each.name: each.sample for each in needed if each.place == "query"})
        return f"{self._base_url}{path}{'?' if query else ''}{query}"

    def _headers(self, needed: list[Parameter], media_type: str, body: Any) -> dict[str, str]:
        headers = {"Accept": JSON}
        if body is not None:
            headers["Content-Type"] = media_type
        headers |= {each.name: str(each.sample) for each in needed if each.place == "header"}
        return {**headers, "Cookie": f"{COOKIE_NAME}={self._session_cookie}"}

    def _python(self, operation_id: str, needed: list[Parameter], body: dict[str, Any] | None) -> str:
        arguments = [_literal(each.sample) for each in needed if each.place == "path" and each.name != USER_ID]
        arguments += [f"{_snake(each.name)}={_literal(each.sample)}" for each in needed if each.place != "path"]
        arguments += [f"{name}={_literal(value)}" for name, value in (body or {}).items()]
        listed = "".join(f"\n        {each}," for each in arguments) + "\n    " if arguments else ""
        call = f"client.{_snake(operation_id)}({listed})"
        return f"from neptun_sdk import NeptunClient\n\nwith NeptunClient() as client:\n    {call}"

    def _resolve(self, node: Node) -> Node:
        return resolve(node, self._document)


def _snake(name: str) -> str:
    """Return the Python name of an operation or a parameter."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|-", "_", name).lower()


def _literal(value: object) -> str:
    """Return a value as a Python literal, a text in double quotes."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _table(rows: Iterable[tuple[str, Node]]) -> Iterator[str]:
    """Yield a table of names and their schemas, which include whether each is required."""
    yield from ("| name | type | what it is |", "|---|---|---|")
    for name, node in rows:
        yield "| " + " | ".join(_cell(each) for each in (name, _type(node), _meaning(node))) + " |"
    yield ""


def _type(node: Node) -> str:
    kind: str = node.get("type", "any")
    if node.get("format"):
        kind += f" ({node['format']})"
    if node.get("nullable"):
        kind += " or null"
    return kind if node.get("required") else f"{kind}, optional"


def _meaning(node: Node) -> str:
    parts = [str(node.get("description", ""))]
    if node.get("minimum") is not None:
        parts.append(f"At least {node['minimum']}")
    values = node.get("x-extensible-enum")
    if values and "Known: " not in parts[0]:
        parts.append(f"Known values: {', '.join(f'`{value}`' for value in values)}")
    if "example" in node and not values:
        example = node["example"]
        parts.append(f"Example: `{example if isinstance(example, str) else json.dumps(example)}`")
    return " ".join(f"{part.strip().removesuffix('.')}." for part in parts if part)


def _line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _fence(language: str, code: str) -> Iterator[str]:
    yield from (f"```{language}", code, "```", "")
