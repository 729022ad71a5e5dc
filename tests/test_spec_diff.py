"""``make changes`` tells changes of the contract that break somebody from those that do not."""

import copy
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import spec_diff
import yaml
from changes import LEVELS, Change, Level, at_least, highest, is_enough, parse

ROOT = Path(__file__).parent.parent
needs_tools = pytest.mark.needs("Java", "oasdiff", "Redocly")

Node = dict[str, Any]
PROJECT = "/api/users/{user_id}/projects/{project_id}"
IMPORT = f"{PROJECT}/resources/imports/{{import_id}}"


class Contract(dict[str, Any]):
    """A contract to change, and short names for its parts."""

    @property
    def patch(self) -> Any:
        return self["paths"][PROJECT]["patch"]

    @property
    def put(self) -> Any:
        return self["paths"][IMPORT]["put"]

    def query(self, name: str) -> Any:
        return next(each for each in self.patch["parameters"] if each["name"] == name)

    @staticmethod
    def json(node: Node) -> Any:
        return node["content"]["application/json"]

    @staticmethod
    def content(schema: str) -> Node:
        return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}

    @property
    def schemes(self) -> Any:
        return self["components"]["securitySchemes"]

    def parameter(self, name: str) -> Any:
        return self["components"]["parameters"][name]

    def schema(self, name: str) -> Any:
        return self["components"]["schemas"][name]

    def field(self, schema: str, name: str) -> Any:
        return self.schema(schema)["properties"][name]

    def add_field(self, schema: str, name: str, *, required: bool = False) -> None:
        self.schema(schema)["properties"][name] = {"type": "string"}
        if required:
            self.schema(schema).setdefault("required", []).append(name)

    def remove_field(self, schema: str, name: str) -> None:
        del self.schema(schema)["properties"][name]
        required = self.schema(schema).get("required", [])
        if name in required:
            required.remove(name)

    def rename_everywhere(self, old: str, new: str) -> None:
        """Rename a text wherever it is, in keys too."""
        changed = json.loads(json.dumps(self).replace(old, new))
        self.clear()
        self.update(changed)


def rename(node: Node, old: str, new: str) -> None:
    node[new] = node.pop(old)


def rename_path_parameter(it: Contract) -> None:
    it.rename_everywhere("{project_id}", "{id}")
    it.parameter("ProjectId")["name"] = "id"


def move_security(it: Contract) -> None:
    """Say of each operation what was said of the document."""
    security = it.pop("security")
    for item in it["paths"].values():
        for operation in (node for name, node in item.items() if name != "parameters"):
            operation["security"] = security


def move_parameters(it: Contract) -> None:
    """Say of each operation what was said of its path."""
    for item in it["paths"].values():
        parameters = item.pop("parameters")
        for operation in item.values():
            operation["parameters"] = [*parameters, *operation.get("parameters", [])]


# Of each change that breaks somebody: what it does, and what the line about it must say.
BREAKING: dict[str, tuple[Callable[[Contract], object], str]] = {
    "a field of a request is removed": (
        lambda it: it.remove_field("UpdateProjectRequest", "description"),
        "PATCH .*removed the request property `description` .*callers that send it",
    ),
    "a field of a request is renamed": (
        lambda it: rename(it.schema("UpdateProjectRequest")["properties"], "project_type", "project_kind"),
        "removed the request property `project_type`",
    ),
    "a field of a request becomes required": (
        lambda it: it.schema("UpdateProjectRequest").update(required=["programming_language"]),
        "`programming_language` became required .*callers that send it",
    ),
    "a required field is added to a request": (
        lambda it: it.add_field("UpdateProjectImportRequest", "reason", required=True),
        "PUT .*new required request property `reason`",
    ),
    "a field of a request gets another type": (
        lambda it: it.field("UpdateProjectRequest", "name").update(type="integer"),
        "`name` request property `type` changed from `string` to `integer`",
    ),
    "a field of a request takes any number, not an integer only": (
        lambda it: it.parameter("ProjectId")["schema"].update(type="number"),
        "`project_id`.*generated client",
    ),
    "a text of a request gets a longest length": (
        lambda it: it.field("UpdateProjectRequest", "name").update(maxLength=50),
        "`name` request property's maxLength was set",
    ),
    "a field of a request gets a closed list of values": (
        lambda it: it.field("UpdateProjectRequest", "project_type").update(enum=["web-site"]),
        "`project_type` was restricted to a list of enum values",
    ),
    "a field of a request gets a default": (
        lambda it: it.field("UpdateProjectImportRequest", "source_type").update(default="github"),
        "`source_type` request property default value",
    ),
    "a field of a request becomes read-only": (
        lambda it: it.field("UpdateProjectRequest", "name").update(readOnly=True),
        "`name` became read-only",
    ),
    "a request takes no other fields": (
        lambda it: it.schema("UpdateProjectRequest").update(additionalProperties=False),
        "`additional_properties` of `UpdateProjectRequest` was removed|`UpdateProjectRequest` was set",
    ),
    "a request has another media type": (
        lambda it: rename(it.patch["requestBody"]["content"], "application/json", "application/merge-patch+json"),
        "Media type `application/json` became",
    ),
    "a known value is removed": (
        lambda it: it.field("UpdateProjectRequest", "project_type")["x-extensible-enum"].remove("web-app"),
        r"known values \['web-app'\] were removed",
    ),
    "a known value of a response is removed": (
        lambda it: it.field("Project", "programming_language")["x-extensible-enum"].remove("go"),
        r"Project .*known values \['go'\] were removed",
    ),
    "an optional field of a response is removed": (
        lambda it: it.remove_field("ProjectImport", "title"),
        "removed the optional property `import/title` .*callers that read it",
    ),
    "a required field of a response is removed": (
        lambda it: it.remove_field("Project", "created_at"),
        "removed the required property `project/created_at`",
    ),
    "a field of a response becomes optional": (
        lambda it: it.schema("Project")["required"].remove("name"),
        "`project/name` became optional .*callers that read it",
    ),
    "a field of a response becomes nullable": (
        lambda it: it.field("Project", "name").update(nullable=True),
        "`project/name` became nullable",
    ),
    "a field of a response gets another type": (
        lambda it: it.field("Project", "id").update(type="string"),
        "`project/id` response's property .*changed",
    ),
    "an id of a response loses its format": (
        lambda it: it.field("Project", "id").pop("format"),
        "`project/id` response's property `format` changed",
    ),
    "a field of a response gets a closed list of values": (
        lambda it: it.field("Project", "project_type").update(enum=["web-site", "web-app"]),
        "`project/project_type` response property .*enum",
    ),
    "an envelope is renamed": (
        lambda it: it.rename_everywhere('"project": {"$ref"', '"item": {"$ref"'),
        "removed the .* property `project` from the response",
    ),
    "a field of every error is removed": (
        lambda it: it.remove_field("ErrorBody", "message"),
        "removed the optional property `message` from the response",
    ),
    "a parameter of a path is renamed": (
        rename_path_parameter,
        "`project_id` of `ProjectsApi.updateProject` was removed or renamed .*generated client",
    ),
    "a parameter of a path gets 32 bits": (
        lambda it: it.parameter("UserId")["schema"].update(format="int32"),
        "`user_id`, the `format` was changed",
    ),
    "a parameter of a path becomes text": (
        lambda it: it.parameter("ImportId").update(schema={"type": "string"}),
        "`import_id`, the `type/format` was widened .*generated client",
    ),
    "a parameter of a path gets a maximum": (
        lambda it: it.parameter("ProjectId")["schema"].update(maximum=2147483647),
        "`project_id`, the max was set",
    ),
    "a required parameter of the query is added": (
        lambda it: it["paths"][PROJECT]["parameters"].append(
            {"name": "version", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "new required `query` request parameter `version`",
    ),
    "a path is moved": (
        lambda it: rename(it["paths"], IMPORT, IMPORT.replace("/resources", "")),
        "PUT .*removed .*callers of the operation",
    ),
    "a method is another one": (lambda it: rename(it["paths"][PROJECT], "patch", "post"), "PATCH .*removed"),
    "an operation is removed": (lambda it: it["paths"].pop(IMPORT), "PUT .*removed .*callers of the operation"),
    "an operation has another id": (
        lambda it: it.patch.update(operationId="patchProject"),
        "operation id `updateProject` removed .*generated client",
    ),
    "an operation has another tag": (
        lambda it: it.patch.update(tags=["imports"]),
        "tag `projects` removed .*generated client",
    ),
    "another tag of an operation comes first": (
        lambda it: it.patch.update(tags=["imports", "projects"]),
        "the operation `projects.update_project` was removed or renamed .*generated client",
    ),
    "a status of an error is removed": (lambda it: it.patch["responses"].pop("404"), "status `404`"),
    "a success has another status": (
        lambda it: rename(it.patch["responses"], "200", "201"),
        "removed the success response with the status `200`",
    ),
    "a success has another media type": (
        lambda it: rename(it.patch["responses"]["200"]["content"], "application/json", "application/xml"),
        "removed the media type `application/json`",
    ),
    "the cookie has another name": (
        lambda it: it.schemes["sessionCookie"].update(name="neptun"),
        "changed from `neptun-session` to `neptun` .*every caller: another authentication",
    ),
    "the session travels in a header": (
        lambda it: it.schemes["sessionCookie"].update({"in": "header"}),
        "from `cookie` to `header` .*every caller: another authentication",
    ),
    "anybody may call": (lambda it: it.update(security=[]), "anonymous access"),
    "an operation asks for another credential": (
        lambda it: (
            it.schemes.update(token={"type": "http", "scheme": "bearer"}),
            it.patch.update(security=[{"token": []}]),
        ),
        "PATCH .*security `sessionCookie` was removed .*every caller: another authentication",
    ),
    "a second credential is asked for": (
        lambda it: (
            it.schemes.update(key={"type": "apiKey", "in": "header", "name": "X-Key"}),
            it.update(security=[{"sessionCookie": [], "key": []}]),
        ),
        "`sessionCookie` now requires `key`|security `sessionCookie` was removed",
    ),
    "the server is another one": (
        lambda it: it["servers"][0].update(url="https://neptun.example"),
        "server went from https://neptun-webui.vercel.app to https://neptun.example .*every caller",
    ),
    "another server comes first": (
        lambda it: it["servers"].insert(0, {"url": "https://neptun.example"}),
        "server went from https://neptun-webui.vercel.app to https://neptun.example",
    ),
    "an operation has a server of its own": (
        lambda it: it.patch.update(servers=[{"url": "https://neptun.example"}]),
        "PATCH .*server went from",
    ),
    "a schema is renamed": (
        lambda it: it.rename_everywhere("ProjectImportEnvelope", "ImportEnvelope"),
        "`ProjectImportEnvelope` was removed or renamed .*generated client",
    ),
    # What generators make of it: the same requests, but code that uses a generated client changes.
    "two parameters of a path change places": (
        lambda it: it["paths"][PROJECT]["parameters"].reverse(),
        "order of parameters of `ProjectsApi.updateProject` went from user_id, project_id, .* to project_id, user_id",
    ),
    "a parameter moves to the operation, behind the others": (
        lambda it: it["paths"][IMPORT]["put"].update(parameters=[it["paths"][IMPORT]["parameters"].pop(0)]),
        "order of parameters of `ImportsApi.updateProjectImport` went from user_id, project_id, import_id",
    ),
    "a schema in the place of its name": (
        lambda it: it.schema("ProjectEnvelope")["properties"].update(project=copy.deepcopy(it.schema("Project"))),
        "Java and Python: the field `project` of `ProjectEnvelope` is `ProjectEnvelopeProject`, no longer `Project`",
    ),
    "the name of a twin": (
        lambda it: (
            it["components"]["schemas"].update(Import=copy.deepcopy(it.schema("ProjectImport"))),
            it.field("ProjectImportEnvelope", "import").update({"$ref": "#/components/schemas/Import"}),
        ),
        "`import_?` of `ProjectImportEnvelope` is `Import`, no longer `ProjectImport`",
    ),
    "the body of a request in its operation": (
        lambda it: it.json(it.put["requestBody"]).update(schema=copy.deepcopy(it.schema("UpdateProjectImportRequest"))),
        "`body` of `imports.update_project_import` is `UpdateProjectImportBody`, no longer",
    ),
    "the body of a response in its operation": (
        lambda it: it.json(it.patch["responses"]["200"]).update(schema=copy.deepcopy(it.schema("ProjectEnvelope"))),
        "`ProjectsApi.updateProject` returns `UpdateProject200Response`, no longer `ProjectEnvelope`",
    ),
    "a title of a schema": (
        lambda it: it.schema("ErrorData").update(title="Problems"),
        "generated Python: the model `ErrorData` was removed or renamed",
    ),
    "a name for one language": (
        lambda it: it.parameter("ImportId").update({"x-go-name": "Import"}),
        "`x-go-name` went from None to 'Import'",
    ),
    "another name for one language": (
        lambda it: it.field("ErrorBody", "kind").update({"x-enum-varnames": ["Person", "Machine"]}),
        r"`x-enum-varnames` went from \['User', 'Server'\]",
    ),
    "an operation that generators leave out": (
        lambda it: it.put.update({"x-internal": True}),
        "generated Java: the operation `ImportsApi.updateProjectImport` was removed",
    ),
    "the discriminator of a response": (
        lambda it: it.field("Issue", "detail").pop("discriminator"),
        "the discriminator went from .*propertyName.* to None",
    ),
    "another property as discriminator": (
        lambda it: it.field("Issue", "detail").update(discriminator={"propertyName": "where"}),
        "the discriminator went from .*kind.*where",
    ),
    "a response without further fields": (
        lambda it: it.schema("Project").update(additionalProperties=False),
        "generated Python: the field `additional_properties` of `Project` was removed",
    ),
    "further fields of a response have a type": (
        lambda it: it.schema("ProjectImport").update(additionalProperties={"type": "string"}),
        "`additional_properties` of `ProjectImport` is `dict.str, str.`",
    ),
    "a closed list of values of a response becomes open": (
        lambda it: it.field("ErrorBody", "kind").pop("enum"),
        "removed the enum constraint from the `kind` response property",
    ),
    "a closed list of values of a parameter becomes open": (
        lambda it: it.query("notify")["schema"].pop("enum"),
        "`notify` of `projects.update_project` is `str`, no longer `UpdateProjectNotify`",
    ),
    "a value of a closed list is removed": (
        lambda it: it.query("notify")["schema"]["enum"].remove("nobody"),
        "`nobody`",
    ),
    "a value of a closed list of a response is added": (
        lambda it: it.field("ErrorBody", "kind")["enum"].append("proxy"),
        "`proxy`",
    ),
    "reserved characters of a parameter": (
        lambda it: it.query("notify").update(allowReserved=True),
        "allowReserved went from False to True .*callers that send it",
    ),
    "another style of a parameter": (
        lambda it: it.parameter("ImportId").update(style="label"),
        "style",
    ),
    "a list in one parameter, not in several": (
        lambda it: it.query("only").update(explode=False),
        "explode",
    ),
    "an optional parameter becomes required": (
        lambda it: it.query("notify").update(required=True),
        "`notify` became required",
    ),
    "an optional parameter is removed": (
        lambda it: it.patch["parameters"].pop(0),
        "`notify`",
    ),
    "a value of a server variable is removed": (
        lambda it: it["servers"][1]["variables"]["region"]["enum"].remove("us"),
        r"the values \['us'\] of the variable were removed",
    ),
    "another default of a server variable": (
        lambda it: it["servers"][1]["variables"]["region"].update(default="us"),
        "the default went from eu to us",
    ),
    "a second server is removed": (lambda it: it["servers"].pop(), "server"),
    "a shorter longest text": (
        lambda it: it.field("UpdateProjectImportRequest", "title").update(maxLength=100),
        "`title` request property's maxLength was decreased",
    ),
    "a pattern of a request": (
        lambda it: it.field("UpdateProjectImportRequest", "source_path").update(pattern="^[a-z]+$"),
        "pattern .* request property `source_path`",
    ),
    "a smallest number of fields": (
        lambda it: it.schema("UpdateProjectRequest").update(minProperties=1),
        "minProperties",
    ),
    "a longer text of a response": (
        lambda it: it.field("ErrorBody", "text").update(maxLength=500),
        "`text`.*maxLength",
    ),
    "the body of a request becomes required": (
        lambda it: it["paths"][IMPORT]["put"]["requestBody"].update(required=True),
        "request body became required",
    ),
    "a header of a response is removed": (
        lambda it: it.put["responses"]["200"].pop("headers"),
        "`etag`",
    ),
    "a response has no body": (
        lambda it: it.patch["responses"]["200"].pop("content"),
        "application/json",
    ),
    "a field of a list becomes one of another type": (
        lambda it: it.field("ErrorData", "issues")["items"].update({"$ref": "#/components/schemas/ErrorData"}),
        "`issues`|`data/issues",
    ),
    "a list in the place of a resource": (
        lambda it: it.schema("ProjectEnvelope")["properties"].update(
            project={"type": "array", "items": {"$ref": "#/components/schemas/Project"}}
        ),
        "`project`",
    ),
    "a number of a request is a multiple": (
        lambda it: it.parameter("UserId")["schema"].update(multipleOf=2),
        "`multipleOf`.*callers that send it|multipleOf",
    ),
    "a request takes not every text": (
        lambda it: it.field("UpdateProjectRequest", "name").update({"not": {"enum": ["x"]}}),
        "[Nn]ot",
    ),
    "a response has another alternative": (
        lambda it: (
            it["components"]["schemas"].update(LineDetail=copy.deepcopy(it.schema("BodyDetail"))),
            it.field("Issue", "detail")["oneOf"].append({"$ref": "#/components/schemas/LineDetail"}),
        ),
        "`#/components/schemas/LineDetail`|oneOf",
    ),
    "a header of a response has another type": (
        lambda it: it.put["responses"]["200"]["headers"]["etag"]["schema"].update(type="integer"),
        "etag",
    ),
    "a parameter moves to the headers": (lambda it: it.query("notify").update({"in": "header"}), "`notify`"),
    "a security scheme is renamed": (
        lambda it: it.rename_everywhere("sessionCookie", "cookieAuth"),
        "`sessionCookie` was removed or renamed .*generated client",
    ),
    "known values are no longer listed": (
        lambda it: it.field("ProjectImport", "source_type").pop("x-extensible-enum"),
        "ProjectImport .*known values .* were removed",
    ),
    "an operation differs in a letter": (
        lambda it: it.put.update(operationId="UpdateProjectImport"),
        "`updateProjectImport`",
    ),
    "an update can be sent once only": (
        lambda it: it.put.pop("x-idempotent"),
        "`x-idempotent` went from True to None: it is no longer sent again .*callers that send it",
    ),
    "the document is of another OpenAPI": (lambda it: it.update(openapi="3.1.0"), "from 3.0 to 3.1 .*generated client"),
}

HARMLESS: dict[str, tuple[Callable[[Contract], object], Level]] = {
    "nothing": (lambda _: None, "none"),
    "the order of required fields": (lambda it: it.schema("Project")["required"].reverse(), "none"),
    "the order of a closed list": (lambda it: it.query("notify")["schema"]["enum"].reverse(), "none"),
    "the order of known values": (
        lambda it: it.field("Project", "project_type")["x-extensible-enum"].reverse(),
        "none",
    ),
    "the order of schemas and statuses": (
        lambda it: (
            it["components"].update(schemas=dict(reversed(it["components"]["schemas"].items()))),
            it.patch.update(responses=dict(reversed(it.patch["responses"].items()))),
        ),
        "none",
    ),
    "the style that is the default": (lambda it: it.parameter("UserId").update(style="simple", explode=False), "none"),
    "the style that is the default of a query": (
        lambda it: it.query("only").update(style="form", explode=True),
        "none",
    ),
    "further fields, as is the default": (
        lambda it: it.schema("Project").update(additionalProperties=True),
        "none",
    ),
    "flags that are off": (
        lambda it: it.field("Project", "name").update(nullable=False, deprecated=False, readOnly=False),
        "none",
    ),
    "an optional parameter, said once more": (lambda it: it.query("notify").update(required=False), "none"),
    "the order of fields": (
        lambda it: it.schema("Project").update(properties=dict(reversed(it.schema("Project")["properties"].items()))),
        "none",
    ),
    "the version alone": (lambda it: it["info"].update(version="7.0.0"), "none"),
    "a description": (lambda it: it.field("Project", "description").update(description="In short."), "patch"),
    "a summary": (lambda it: it.patch.update(summary="Change a project"), "patch"),
    "an example": (lambda it: it.parameter("UserId").update(example=7), "patch"),
    "the description of a tag": (lambda it: it["tags"][0].update(description="All projects."), "patch"),
    "the parameters of a path, at its operations": (move_parameters, "patch"),
    "the security of an operation, said once more": (lambda it: it.patch.update(security=it["security"]), "patch"),
    "the security of the document, at its operations": (move_security, "patch"),
    "known values in a schema of their own": (
        lambda it: (
            it["components"]["schemas"].update(ProjectType=it.field("UpdateProjectRequest", "project_type")),
            it.schema("UpdateProjectRequest")["properties"].update(
                project_type={"$ref": "#/components/schemas/ProjectType"}
            ),
        ),
        "patch",
    ),
    "a reference with a description": (
        lambda it: it.schema("ProjectEnvelope")["properties"].update(
            project={"allOf": [{"$ref": "#/components/schemas/Project"}], "description": "As it is now."}
        ),
        "none",
    ),
    "a parameter in the place of its name": (
        lambda it: it["paths"][IMPORT]["parameters"].__setitem__(2, copy.deepcopy(it.parameter("ImportId"))),
        "patch",
    ),
    "a response in the place of its name": (
        lambda it: it.patch["responses"].update({"400": copy.deepcopy(it["components"]["responses"]["BadRequest"])}),
        "patch",
    ),
    "an example of a response": (
        lambda it: it.json(it["components"]["responses"]["Forbidden"]).update(example={"statusCode": 403}),
        "patch",
    ),
    "a contact": (lambda it: it["info"].update(contact={"name": "Neptun"}), "patch"),
    "external documentation": (lambda it: it.update(externalDocs={"url": "https://neptun.example"}), "patch"),
    "the name of the document": (lambda it: it["info"].update(title="Neptun"), "patch"),
    "an extension that names nothing": (lambda it: it.patch.update({"x-owner": "web"}), "patch"),
    "a sentence with a rule": (
        lambda it: it.put.update(description="Both must belong to the user, and be active."),
        "patch",
    ),
    "a value of a closed list of a parameter": (
        lambda it: it.query("notify")["schema"]["enum"].append("team"),
        "minor",
    ),
    "a value of a server variable": (
        lambda it: it["servers"][1]["variables"]["region"]["enum"].append("ap"),
        "minor",
    ),
    "a longer longest text": (
        lambda it: it.field("UpdateProjectImportRequest", "title").update(maxLength=300),
        "minor",
    ),
    "a text of a request without a longest length": (
        lambda it: it.field("UpdateProjectImportRequest", "description").pop("maxLength"),
        "minor",
    ),
    "a field of a request may be null": (
        lambda it: it.field("UpdateProjectRequest", "description").update(nullable=True),
        "minor",
    ),
    "a field of a response is never null": (
        lambda it: it.field("ProjectImport", "title").pop("nullable"),
        "minor",
    ),
    "a schema that nothing uses": (
        lambda it: it["components"]["schemas"].update(Spare={"type": "object", "properties": {}}),
        "patch",
    ),
    "a header of a response": (
        lambda it: it.patch["responses"]["200"].update(headers={"ETag": {"schema": {"type": "string"}}}),
        "minor",
    ),
    "a tag of an operation, after the first": (lambda it: it.patch["tags"].append("imports"), "minor"),
    "a status of an error with a body of its own": (
        lambda it: (
            it["components"]["schemas"].update(TooMany={"type": "object", "properties": {"wait": {"type": "integer"}}}),
            it.put["responses"].update({"422": {"description": "Slow down", **it.content("TooMany")}}),
        ),
        "minor",
    ),
    "an optional field in a request": (lambda it: it.add_field("UpdateProjectRequest", "homepage"), "minor"),
    "an optional field in a response": (lambda it: it.add_field("Project", "homepage"), "minor"),
    "a required field in a response": (lambda it: it.add_field("Project", "homepage", required=True), "minor"),
    "a known value": (
        lambda it: it.field("UpdateProjectRequest", "project_type")["x-extensible-enum"].append("cli"),
        "minor",
    ),
    "an operation": (
        lambda it: it["paths"][PROJECT].update(
            get={"operationId": "getProject", "tags": ["projects"], "responses": it.patch["responses"]}
        ),
        "minor",
    ),
    "a status of an error": (
        lambda it: it.patch["responses"].update({"409": {"$ref": "#/components/responses/ServerError"}}),
        "minor",
    ),
    "a deprecated field": (lambda it: it.field("UpdateProjectRequest", "name").update(deprecated=True), "minor"),
    "a deprecated operation": (lambda it: it.patch.update(deprecated=True), "minor"),
    "an optional parameter": (
        lambda it: it.patch["parameters"].append({"name": "dry", "in": "query", "schema": {"type": "boolean"}}),
        "minor",
    ),
    "a field of a response that is always there": (
        lambda it: it.schema("Project")["required"].append("description"),
        "minor",
    ),
    "a second server": (lambda it: it["servers"].append({"url": "https://neptun.example"}), "minor"),
}


SPEC: Node = json.loads(json.dumps(yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))))
SPEC["info"]["version"] = "1.0.0"


def contract() -> Contract:
    """Return the contract of this repository, with a few things that it does not have, to take away or change."""
    it = Contract(copy.deepcopy(SPEC))
    it["servers"].append(
        {"url": "https://{region}.neptun.example", "variables": {"region": {"default": "eu", "enum": ["eu", "us"]}}}
    )
    it.patch["parameters"] = [
        {"name": "notify", "in": "query", "schema": {"type": "string", "enum": ["nobody", "owner"]}},
        {"name": "only", "in": "query", "schema": {"type": "array", "items": {"type": "string"}}},
    ]
    it.put.update({"x-idempotent": True})
    it.put["requestBody"]["required"] = False
    it.put["responses"]["200"]["headers"] = {"etag": {"schema": {"type": "string"}}}
    it.field("UpdateProjectImportRequest", "title")["maxLength"] = 200
    it.field("UpdateProjectImportRequest", "description")["maxLength"] = 200
    it.schema("ErrorBody")["properties"] |= {
        "kind": {"type": "string", "enum": ["user", "server"], "x-enum-varnames": ["User", "Server"]},
        "text": {"type": "string", "maxLength": 100},
    }
    names = ("FieldDetail", "BodyDetail")
    for name in names:
        fields = {"kind": {"type": "string"}, "where": {"type": "string"}}
        it["components"]["schemas"][name] = {"type": "object", "required": ["kind"], "properties": fields}
    it.schema("Issue")["properties"]["detail"] = {
        "oneOf": [{"$ref": f"#/components/schemas/{name}"} for name in names],
        "discriminator": {"propertyName": "kind"},
    }
    return it


def write(path: Path, document: Node) -> Path:
    # JSON is YAML. Each value has a line of its own, by which changes are told apart.
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return path


# Each process of the tools takes half a second, so that changes share documents: breaking ones, of which each has a
# line of its own, unless they move what others change, and harmless ones by their level, which none may exceed.
ALONE = (
    "a field of a request is renamed",
    "a field of a response gets another type",
    "a parameter of a path is renamed",
    "a path is moved",
    "a method is another one",
    "an operation is removed",
    "a success has another status",
    "a success has another media type",
    "anybody may call",
    "an envelope is renamed",
    "a schema is renamed",
    "the parameters of a path, at its operations",
    "two parameters of a path change places",
    "a parameter moves to the operation, behind the others",
    "a parameter moves to the headers",
    "a security scheme is renamed",
    "an operation differs in a letter",
    "an operation that generators leave out",
    "a list in the place of a resource",
    "a response has no body",
    "a schema in the place of its name",
    "the body of a request in its operation",
    "the body of a response in its operation",
)
TOGETHER = [name for name in BREAKING if name not in ALONE]
SHARED = {
    **{name: [name] for name in ALONE},
    **{f"breaking {number}": TOGETHER[number::8] for number in range(8)},
    **{
        f"harmless {level}": [name for name in HARMLESS if HARMLESS[name][1] == level and name not in ALONE]
        for level in LEVELS[:-1]
    },
}


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Change]]:
    """What is found of every change above."""
    folder = tmp_path_factory.mktemp("contracts")
    old = write(folder / "old.yaml", contract())
    edits = {name: edit for name, (edit, _) in [*BREAKING.items(), *HARMLESS.items()]}

    def changed(document: str) -> Path:
        it = contract()
        for name in SHARED[document]:
            edits[name](it)
        return write(folder / f"{document}.yaml", it)

    found = dict(zip(SHARED, spec_diff.compare_each(old, [changed(document) for document in SHARED]), strict=True))
    return {name: found[document] for document, names in SHARED.items() for name in names}


@needs_tools
@pytest.mark.parametrize("name", BREAKING)
def test_a_breaking_change_is_major_and_says_what_it_breaks_for_whom(
    name: str, compared: dict[str, list[Change]]
) -> None:
    major = [str(change) for change in compared[name] if change.level == "major"]
    assert any(re.search(BREAKING[name][1], line) for line in major), compared[name]
    assert all(re.search(r"\(breaks .+\)$", line) for line in major)


@needs_tools
@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_change_breaks_nobody(name: str, compared: dict[str, list[Change]]) -> None:
    assert highest(compared[name]) == HARMLESS[name][1], compared[name]


def test_there_are_enough_changes() -> None:
    assert len(BREAKING) + len(HARMLESS) >= 60


Run = Callable[..., tuple[object, list[str], str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process: return how it ends, and what it prints."""

    def main(*arguments: str | Path) -> tuple[object, list[str], str]:
        monkeypatch.setattr(sys, "argv", ["spec_diff.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            spec_diff.main()
        shown = capsys.readouterr()
        return ended.value.code, shown.out.splitlines(), shown.err

    return main


@pytest.fixture
def documents(tmp_path: Path) -> tuple[Path, Path]:
    """A contract, and one in which a field of every error is gone."""
    changed = contract()
    changed.remove_field("ErrorBody", "message")
    return write(tmp_path / "old.yaml", contract()), write(tmp_path / "new.yaml", changed)


@needs_tools
def test_each_change_is_one_line_and_the_last_line_is_the_level(documents: tuple[Path, Path]) -> None:
    """The field is in twelve responses, of two operations."""
    command = [sys.executable, str(ROOT / "scripts" / "spec_diff.py"), *map(str, documents)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"major  PATCH {PROJECT} and 11 more: removed the optional property `message` from the response with the `400` "
        "status (breaks callers that read it)",
        "level: major",
    ]


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the judges find a breaking change: what follows from one is the same for all."""
    monkeypatch.setattr(spec_diff, "compare", lambda *_: [Change("major", "PATCH /", "removed", "everybody")])


@pytest.mark.usefixtures("breaking")
def test_a_version_that_does_not_rise_enough_fails(documents: tuple[Path, Path], run: Run) -> None:
    old, new = documents
    code, printed, error = run("--check-version", old, new)
    assert (code, printed[-1]) == (1, "level: major")
    assert error == f"spec-diff: set info.version of {new} to 2.0.0 or more: it is 1.0.0, and 1.0.0 in {old}.\n"


@pytest.mark.usefixtures("breaking")
def test_a_version_that_rises_enough_passes(documents: tuple[Path, Path], run: Run) -> None:
    old, new = documents
    document = json.loads(new.read_text(encoding="utf-8"))
    document["info"]["version"] = "2.0.0"
    code, printed, error = run("--check-version", old, write(new, document))
    assert (code, error, printed[-1]) == (0, "", "level: major")


@pytest.mark.parametrize("version", ["1.0.0-beta", "1.1", "", None], ids=repr)
def test_a_version_that_is_none_fails_and_is_named(version: str | None, tmp_path: Path, run: Run) -> None:
    """It is seen before any tool runs."""
    document = contract()
    document["info"]["version"] = version
    new = write(tmp_path / "new.yaml", document)
    reason = f"spec-diff: info.version of {new} is {version!r}; write three numbers, such as '1.2.3'."
    assert run("--check-version", ROOT / "openapi.yaml", new) == (reason, [], "")


def test_a_reference_to_nothing_fails(tmp_path: Path, run: Run) -> None:
    broken = contract()
    broken.patch["requestBody"] = {"$ref": "#/components/requestBodies/NoSuch"}
    new = write(tmp_path / "new.yaml", broken)
    reason = f"spec-diff: in {new}, $ref '#/components/requestBodies/NoSuch' leads to nothing; correct it."
    assert run(ROOT / "openapi.yaml", new) == (reason, [], "")


@pytest.mark.parametrize("text", ["openapi: 3.0.3\n", "- a list\n", "a: b: c\n"], ids=["no paths", "a list", "no YAML"])
def test_a_file_that_is_no_contract_fails(text: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / "new.yaml").write_text(text, encoding="utf-8")
    reason, printed, _ = run(ROOT / "openapi.yaml", tmp_path / "new.yaml")
    assert str(reason).startswith(f"spec-diff: {tmp_path / 'new.yaml'} cannot be read as an OpenAPI document (")
    assert printed == []


def test_a_missing_tool_fails_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is compared with half of the judges."""
    monkeypatch.setattr(spec_diff, "BIN", tmp_path)
    changed = contract()
    changed.remove_field("ErrorBody", "message")
    with pytest.raises(SystemExit, match=r"spec-diff: oasdiff is not in .*; run `make changes`, which installs it"):
        spec_diff.compare(ROOT / "openapi.yaml", write(tmp_path / "new.yaml", changed))


@pytest.mark.needs("oasdiff", "Redocly")
def test_without_java_nothing_is_compared_and_it_is_named(
    documents: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="openapi-generator needs Java 11 or newer, which is not on the PATH; install"):
        spec_diff.compare(*documents)


CALLED_FOR = {
    ("1.2.3", "none"): "1.2.3",
    ("1.2.3", "patch"): "1.2.4",
    ("1.2.3", "minor"): "1.3.0",
    ("1.2.3", "major"): "2.0.0",
    ("0.2.3", "patch"): "0.2.4",
    ("0.2.3", "minor"): "0.3.0",
    ("0.2.3", "major"): "0.3.0",
    ("0.0.0", "major"): "0.1.0",
}


@pytest.mark.parametrize(("released", "level"), CALLED_FOR)
def test_each_level_calls_for_a_version(released: str, level: Level) -> None:
    """Before 1.0.0 the second number counts what breaks and what is added."""
    assert at_least(released, level) == CALLED_FOR[released, level]


@pytest.mark.parametrize(("version", "enough"), [("1.2.9", False), ("1.3.0", True), ("1.10.0", True), ("2.0.0", True)])
def test_a_higher_version_is_enough_too(version: str, *, enough: bool) -> None:
    assert is_enough(version, "1.2.3", "minor") is enough


@pytest.mark.parametrize("text", ["", "1", "1.2", "1.2.3.4", "v1.2.3", "1.2.3rc1", "01.2.3", "1.2.3\n", "1.2.x"])
def test_a_version_has_three_numbers(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        parse(text)


def test_the_highest_level_counts() -> None:
    changes = [Change(level, "here", "something") for level in LEVELS[1:]]
    assert [highest(changes[:count]) for count in range(4)] == list(LEVELS)
