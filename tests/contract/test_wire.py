"""Each method puts on the wire what openapi.yaml describes: every field at once, and each alone, in both dialects."""

import inspect
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from neptun_sdk import Dialect, NeptunClient, NeptunError
from neptun_sdk.dialects import DIALECTS, wire_name
from tests.contract.described import CALLABLE, DESCRIBED, METHODS, ROWS, SPEC, fields_to_send, sample

COOKIE = "Fe26.2**a-session-cookie"


def cases() -> Iterator[tuple[str, tuple[str, Dialect, list[str]]]]:
    """Yield every field at once and each alone, of each operation, in each dialect that has it."""
    for name in CALLABLE:
        for dialect in DIALECTS:
            fields = fields_to_send(name, dialect)
            yield f"{name}, {dialect}, all", (name, dialect, fields)
            yield from ((f"{name}, {dialect}, {field}", (name, dialect, [field])) for field in fields)


CASES = dict(cases())


def returned(name: str, dialect: Dialect, ids: dict[str, int], sent: dict[str, Any]) -> dict[str, Any]:
    """Return the body of a 200: the resource that the ids name, with the values that were sent."""
    resource = ROWS[name].resource
    properties = DESCRIBED[name].resource.properties
    row: dict[str, Any] = {field: sample(each, f"an old {field}") for field, each in properties.items()}
    named = {"id": [*ids.values()][-1], "neptun_user_id": ids["user_id"], **ids}
    row |= {field: named[field] for field in row if field in named}
    row |= sent
    if dialect == "documented":
        return {ROWS[name].envelope: row}
    return {wire_name(resource, dialect, field) or field: value for field, value in row.items()}


@pytest.mark.parametrize(("name", "dialect", "fields"), CASES.values(), ids=CASES)
def test_a_call_sends_what_the_contract_describes(name: str, dialect: Dialect, fields: list[str]) -> None:
    """A field that a method takes and does not send would be lost without a word."""
    described, row = DESCRIBED[name], ROWS[name]
    ids = {each: number for number, each in enumerate(described.ids, start=11)}
    sent = {field: sample(described.fields[field], f"a new {field}") for field in fields}
    taken = inspect.signature(METHODS[name]).parameters
    query = {each: sample(schema, f"a new {each}") for each, schema in described.query.items() if each in taken}
    requests: list[tuple[httpx.Request, dict[str, str]]] = []  # the client takes the cookie out again

    def respond(request: httpx.Request) -> httpx.Response:
        requests.append((request, dict(request.headers)))
        return httpx.Response(200, json=returned(name, dialect, ids, sent))

    options: dict[str, Any] = {"base_url": "https://neptun.test", "dialect": dialect}
    with NeptunClient(COOKIE, ids["user_id"], transport=httpx.MockTransport(respond), **options) as client:
        try:
            result = getattr(client, name)(*[*ids.values()][1:], **sent, **query)
        except NeptunError as error:
            result = error

    where = f"change {name}() in neptun_sdk/client.py, or {name.upper()} in neptun_sdk/operations.py"
    assert len(requests) == 1, f"{where}\n{result}"
    request, headers = requests[0]
    assert (request.method, request.url.path) == (described.method.upper(), described.path.format(**ids)), where
    assert [headers["accept"]] == [*described.response_content], "change the headers in neptun_sdk/call.py"
    assert [headers.get("content-type")] == [*(described.request_content or [None])], where
    (scheme,) = SPEC["components"]["securitySchemes"].values()
    assert headers["cookie"] == f"{scheme['name']}={COOKIE}", "change the header in neptun_sdk/session.py"
    expected = {wire_name(row.resource, dialect, field): value for field, value in sent.items()}
    on_the_wire = json.loads(request.content) if request.content else {}
    assert on_the_wire == expected, f"{where}: it takes {fields} and sends {on_the_wire}"
    params = request.url.params
    assert params == httpx.QueryParams(query), f"{where}: it takes {[*query]} for the query, and sends {params}"
    assert type(result) is row.resource, f"{where}\n{result}"
