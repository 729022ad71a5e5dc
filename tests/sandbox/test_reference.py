"""The HTTP reference that the embedded Neptun shows to a browser."""

import copy
import json
import re
import subprocess
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from openapi_schema_validator import OAS30Validator

from neptun_sdk.models import Dialect
from neptun_sdk.sandbox import Sandbox
from neptun_sdk.sandbox.reference import markdown, page
from neptun_sdk.sandbox.spec import load_operations, load_spec

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class Page(HTMLParser):
    """What a page of HTML shows: its text, its blocks of code, its links, and what it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = ""
        self.blocks: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self._in_code = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.fetched += [tag] if tag in ("script", "img", "iframe", "object") or "src" in given else []
        self.fetched += [given["href"]] if tag == "link" else []
        if tag == "pre":
            self._in_code = True
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "pre"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_code:
            self.blocks[-1] += data


def open_page(neptun: Sandbox) -> Page:
    response = httpx.get(f"{neptun.base_url}/", headers=BROWSER)
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    return Page(response.text)


def test_a_browser_finds_both_operations_with_their_fields_and_errors(neptun: Sandbox) -> None:
    shown = open_page(neptun)
    for operation in load_operations().values():
        assert f"{operation.method} {operation.path}" in shown.text
        for status in operation.responses:
            assert f"{status}: " in shown.text
    for words in (
        "programming_language",
        "web-service",
        "source_path",
        "import.title",
        "Error bodies",
        "statusMessage",
    ):
        assert words in shown.text


def test_every_link_has_its_target_and_nothing_is_fetched(neptun: Sandbox) -> None:
    shown = open_page(neptun)
    assert len(shown.links) > 8
    assert {link.removeprefix("#") for link in shown.links} <= set(shown.ids)
    assert len(set(shown.ids)) == len(shown.ids)
    assert shown.fetched == ["data:,"]


@pytest.mark.needs("curl")
def test_every_curl_line_works_as_it_stands(neptun: Sandbox) -> None:
    lines = [block for block in open_page(neptun).blocks if block.startswith("curl")]
    assert len(lines) == len(load_operations())
    for line in lines:
        command = ["/bin/sh", "-c", f"{line.strip()} --silent --fail"]
        subprocess.run(command, capture_output=True, timeout=30, check=True)
    assert neptun.project(789)["name"] == "Updated Project Name"
    assert neptun.project_import(789, 123)["title"] == "Updated GitHub Import"


def test_an_example_shows_a_request_in_each_language_and_its_response() -> None:
    """docs/conf.py shows these blocks side by side."""
    for example in re.findall(r"### Example\n(.*?)\n###", markdown(load_spec()), re.S):
        assert re.findall(r"^(.+):\n\n```(\w+)$", example, re.M) == [
            ("With curl", "bash"),
            ("With the Python SDK", "python"),
            ("With JavaScript in Node", "javascript"),
            ("The response, with status 200", "json"),
        ]


def test_every_error_body_is_one_of_the_contract() -> None:
    schema = {**load_spec()["components"]["schemas"]["ErrorBody"], "components": load_spec()["components"]}
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", markdown(load_spec()), re.S)]
    errors = [block for block in blocks if "statusCode" in block]
    assert sorted({error["statusCode"] for error in errors}) == [400, 401, 403, 404, 429, 500]
    for error in errors:
        OAS30Validator(schema).validate(error)
    named = [error["data"]["issues"][0]["path"] for error in errors if error["statusCode"] == 400]
    assert ["project_type"] in named
    assert ["source_type"] in named


def test_an_error_without_an_example_gets_one_of_its_status() -> None:
    """An operation that is added needs none: what a 400 says follows from the fields of its request."""
    document = copy.deepcopy(load_spec())
    for response in document["components"]["responses"].values():
        del response["content"]["application/json"]["examples"]
    blocks = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", markdown(document), re.S)]
    errors = {block["statusCode"]: block for block in blocks if "statusCode" in block}
    assert errors[401] == {"statusCode": 401, "message": "Unauthorized (invalid or missing session)"}
    assert errors[400]["data"]["issues"][0]["path"] in (["project_type"], ["source_type"])


def test_looking_at_it_changes_nothing_for_a_test_that_runs(neptun: Sandbox) -> None:
    """It is not among the requests, and takes no scripted response away."""
    neptun.fail_next(503)
    assert httpx.head(f"{neptun.base_url}/", headers=BROWSER).status_code == 200
    assert neptun.requests == []
    assert httpx.get(f"{neptun.base_url}/").status_code == 503


NOT_A_BROWSER = {
    "another type": ("GET", "/", {"Accept": "application/json"}),
    "any type": ("GET", "/", {"Accept": "*/*"}),
    "another method": ("POST", "/", BROWSER),
    "another path": ("GET", "/nope", BROWSER),
}


@pytest.mark.parametrize(("method", "path", "headers"), NOT_A_BROWSER.values(), ids=NOT_A_BROWSER)
def test_to_a_client_of_the_api_it_is_not_there(method: str, path: str, headers: Any, neptun: Sandbox) -> None:
    assert httpx.request(method, f"{neptun.base_url}{path}", headers=headers).status_code in (404, 405)


@pytest.mark.parametrize(("dialect", "words"), [("documented", "work without an edit"), ("deployed", "main_language")])
def test_it_says_which_dialect_it_is(dialect: Dialect, words: str) -> None:
    with Sandbox(dialect) as neptun:
        assert words in open_page(neptun).text


def test_a_new_operation_of_any_shape_is_described() -> None:
    """Without examples, without a body, with a query parameter, with a response that has no content."""
    spec = copy.deepcopy(load_spec())
    stars = {"type": "object", "properties": {"stars": {"type": "integer"}, "tags": {"type": "array", "items": {}}}}
    spec["paths"]["/api/stars/{star_id}"] = {
        "post": {
            "operationId": "rateStar",
            "parameters": [
                {"name": "star_id", "in": "path", "required": True, "schema": {"type": "integer"}},
                {"name": "dry|run", "in": "query", "schema": {"type": "boolean"}, "description": "a | b"},
            ],
            "requestBody": {"content": {"application/json": {"schema": stars}}},
            "responses": {"204": {"description": "Done"}, "400": {"description": "No", "content": {}}},
        },
        "delete": {"operationId": "dropStar", "responses": {"204": {"description": "Gone"}}},
    }
    text = markdown(spec)
    for words in ("## rateStar", "`POST /api/stars/{star_id}`", '"stars": 1', "204: Done", "No body.", "a \\| b"):
        assert words in text
    assert "client.drop_star()" in text
    assert text.count("The response, with status") == len(load_operations()), "a 204 has none"
    assert "curl -X DELETE 'https://neptun-webui.vercel.app/api/stars/{star_id}'" in text


def test_what_a_contract_says_is_text_and_no_html() -> None:
    spec = copy.deepcopy(load_spec())
    spec["info"] |= {"title": "A <b>", "description": "<script>alert(1)</script>"}
    text = page(spec, base_url="http://127.0.0.1:1", session_cookie="<i>")
    assert "<title>A &lt;b&gt;</title>" in text
    assert Page(text).fetched == ["data:,"]
    assert "<i>" not in text
