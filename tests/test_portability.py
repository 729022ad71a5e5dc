"""The vectors, the replay server and the judge find each kind of difference, and this SDK passes every vector."""

import copy
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import run
from judge import VECTORS, Vector, Verdict, judge, load_vectors, outcome_differences
from replay import Replay

from neptun_sdk.sandbox.spec import Operation, Schema, load_operations

FOLDER = Path(__file__).parent / "portability"
ALL = {vector["id"]: vector for vector in load_vectors()}
COUNT = {tag: sum(tag in vector["tags"] for vector in ALL.values()) for tag in ("core", "facade")}
CLEAR, ABSENT, LARGE = (ALL[f"project-{name}"] for name in ("clear-text", "absent-text", "large-ids"))

# ---- the vectors


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / "vectors.schema.json").read_text(encoding="utf-8"))
    return found


def row(operation: Operation) -> dict[str, Any]:
    """Return what the schema of the vectors says of an operation: its parameters, and the fields of its body."""
    is_sent = [each for each in operation.parameters if each.place != "cookie"]
    body = operation.body.schema if operation.body else None
    fields = {"type": "object", "additionalProperties": False, "properties": {}}
    fields["properties"] = {name: simple(field) for name, field in body.fields.items()} if body else {}
    needed = [each.name for each in is_sent if each.required] + (["fields"] if operation.body_required else [])
    properties = {each.name: simple(each.schema) for each in is_sent} | ({"fields": fields} if body else {})
    return {"required": needed, "properties": {"operation": {"const": operation.operation_id}, **properties}}


def simple(schema: Schema) -> dict[str, Any]:
    if (schema.kind, schema.node.get("minimum")) == ("integer", 1):
        return {"$ref": "#/$defs/id"}
    kind = [schema.kind, "null"] if schema.node.get("nullable") else schema.kind
    return {"type": kind} | {key: schema.node[key] for key in ("enum", "items") if key in schema.node}


@pytest.mark.parametrize("name", load_operations())
def test_the_schema_has_the_parameters_and_fields_of_each_operation(name: str) -> None:
    wanted = row(load_operations()[name])
    assert wanted in schema()["$defs"]["call"]["oneOf"], (
        f"put this row of {name} into $defs.call.oneOf of tests/portability/vectors/vectors.schema.json:\n"
        f"{json.dumps(wanted, indent=2)}"
    )


def test_the_schema_has_no_other_operation() -> None:
    rows = schema()["$defs"]["call"]["oneOf"]
    assert [each["properties"]["operation"]["const"] for each in rows] == [*load_operations()]


@pytest.mark.parametrize("name", load_operations())
def test_each_operation_has_vectors_that_fit_their_schema(name: str) -> None:
    file = VECTORS / f"{re.sub('(?<!^)(?=[A-Z])', '_', name).lower()}.json"
    assert file.is_file(), f"describe {name} in tests/portability/vectors/{file.name}"
    document = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(document)
    assert {vector["call"]["operation"] for vector in document["vectors"]} == {name}


BROKEN: dict[str, Callable[[dict[str, Any]], object]] = {
    "no reason": lambda vector: vector.pop("why"),
    "an unknown key": lambda vector: vector.update(expects={}),
    "an id for a cookie": lambda vector: vector.update(id="not a cookie;"),
    "core with two exchanges": lambda vector: vector["exchanges"].append(vector["exchanges"][0]),
    "core with retries": lambda vector: vector["call"].update(max_retries=1),
    "an operation that is none": lambda vector: vector["call"].update(operation="dropProject"),
    "a field of another operation": lambda vector: vector["call"].update(fields={"title": "x"}),
    "a field of another type": lambda vector: vector["call"].update(fields={"name": 5}),
    "no fields": lambda vector: vector["call"].pop("fields"),
    "no id": lambda vector: vector["call"].pop("project_id"),
    "an import's id in a project": lambda vector: vector["call"].update(import_id=1),
    "a resource and an error": lambda vector: vector["outcome"].update(error="not_found"),
    "a facade's error without applied": lambda vector: vector.update(tags=["facade"], outcome={"error": "argument"}),
}


@pytest.mark.parametrize("break_it", BROKEN.values(), ids=BROKEN)
def test_the_schema_refuses_a_vector_that_is_not_one(break_it: Callable[[dict[str, Any]], object]) -> None:
    vector: Any = copy.deepcopy(CLEAR)
    break_it(vector)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema()).validate({"vectors": [vector]})


def test_the_readme_counts_the_vectors() -> None:
    readme = (VECTORS / "README.md").read_text(encoding="utf-8")
    assert f"{COUNT['core']} vectors" in readme
    assert f"{COUNT['facade']} vectors" in readme


def test_two_vectors_with_one_id_are_refused(tmp_path: Path) -> None:
    for name in ("one.json", "two.json"):
        (tmp_path / name).write_text(json.dumps({"vectors": [CLEAR]}), encoding="utf-8")
    with pytest.raises(ValueError, match="more than one vector is called project-clear-text"):
        load_vectors(tmp_path)


@pytest.mark.parametrize("content", [None, "[]", '{"vectors": []}'], ids=["no file", "an array", "an empty one"])
def test_a_folder_without_vectors_is_refused(content: str | None, tmp_path: Path) -> None:
    """It would otherwise count as passed by everybody."""
    if content:
        (tmp_path / "some.json").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="has no vectors"):
        load_vectors(tmp_path)


@pytest.mark.parametrize("name", load_operations())
def test_core_has_every_field_and_every_documented_status(name: str) -> None:
    """A new field or status of the contract needs a vector."""
    operation = load_operations()[name]
    mine = [vector for vector in ALL.values() if "core" in vector["tags"] and vector["call"]["operation"] == name]
    fields = set(operation.body.schema.fields) if operation.body and operation.body.schema else set()
    needed = set(operation.body.schema.required) if operation.body and operation.body.schema else set()
    sent = [set(vector["call"].get("fields", {})) for vector in mine]
    assert [field for field in fields if {field, *needed} not in sent] == [], "a vector that sends it alone is missing"
    assert fields in sent
    statuses = {str(vector["exchanges"][0]["response"]["status"]) for vector in mine}
    assert {*operation.responses, "429", "502", "503"} - statuses == set()


# ---- the replay server

HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/json",
    "Cookie": "neptun-session=vector.project-clear-text",
}
PATH = "/api/users/1/projects/789"
BODY = b'{"description": ""}'


def send(
    replay: Replay, method: str = "PATCH", path: str = PATH, body: bytes = BODY, **headers: str
) -> tuple[int, Any]:
    """Send the request of `CLEAR`, with some of it changed; a header that is given empty is left out."""
    given = HEADERS | {name.replace("_", "-").title(): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", int(replay.base_url.rpartition(":")[2]), timeout=10)
    connection.request(method, path, body, {name: value for name, value in given.items() if value})
    response = connection.getresponse()
    content = json.loads(response.read())
    connection.close()
    return response.status, content


@pytest.fixture
def replay() -> Iterator[Replay]:
    with Replay([CLEAR]) as server:
        yield server


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "application/json; charset=utf-8"},
        {"accept": "application/problem+json, */*;q=0.8"},
        {"cookie": "theme=dark; neptun-session=vector.project-clear-text"},
    ],
    ids=["as in the vector", "a charset", "a list of media types", "another cookie"],
)
def test_replay_takes_a_request_that_fits(headers: dict[str, Any], replay: Replay) -> None:
    assert send(replay, **headers) == (200, CLEAR["exchanges"][0]["response"]["json"])
    assert replay.differences() == {"project-clear-text": []}


def test_replay_compares_json_and_not_its_letters(replay: Replay) -> None:
    send(replay, body=b'{\n  "descr\\u0069ption" : ""\n}')
    assert replay.differences() == {"project-clear-text": []}


WRONG_REQUESTS: dict[str, tuple[dict[str, Any], str]] = {
    "method": ({"method": "PUT"}, 'method: expected "PATCH", got "PUT"'),
    "path": ({"path": "/api/users/1/projects/790"}, 'path: expected "/api/users/1/projects/789", got'),
    "query": ({"path": f"{PATH}?x=1"}, "path: expected"),
    "content type": ({"content_type": "text/plain"}, "header content-type: expected application/json, got text/plain"),
    "no accept": ({"accept": "text/html"}, "header accept: expected application/json, got text/html"),
    "two sessions": (
        {"cookie": "neptun-session=vector.project-clear-text; neptun-session=x"},
        "cookie neptun-session: expected",
    ),
    "field": ({"body": b'{"description": "x"}'}, 'json.description: expected "", got "x"'),
    "no field": ({"body": b"{}"}, 'json.description: expected "", got nothing'),
    "another field": ({"body": b'{"description": "", "name": "x"}'}, 'json.name: expected nothing, got "x"'),
    "null for absent": ({"body": b'{"description": "", "name": null}'}, "json.name: expected nothing, got null"),
    "null for empty": ({"body": b'{"description": null}'}, 'json.description: expected "", got null'),
    "no JSON": ({"body": b"description="}, "json: the body is not JSON"),
    "no UTF-8": ({"body": b'{"description": "\xff"}'}, "json: the body is not JSON in UTF-8"),
}


@pytest.mark.parametrize(("changes", "difference"), WRONG_REQUESTS.values(), ids=WRONG_REQUESTS)
def test_replay_names_what_is_wrong_with_a_request(changes: dict[str, Any], difference: str, replay: Replay) -> None:
    assert send(replay, **changes)[0] == 200, "the client goes on, so that its outcome is judged too"
    (found,) = replay.differences()["project-clear-text"]
    assert found.startswith(f"request 1: {difference}")


SEALED = ALL["project-sealed-session"]
SEALED_HEADERS: dict[str, tuple[dict[str, str], list[str]]] = {
    "as it is": ({}, []),
    "a second cookie": (
        {"cookie": f"neptun-session={SEALED['session']}; theme=dark"},
        ["header cookie: expected neptun-session=Fe26.2**"],
    ),
    "another header": ({"authorization": "Bearer x"}, ["header authorization: expected nothing, got Bearer x"]),
}


@pytest.mark.parametrize(("headers", "differences"), SEALED_HEADERS.values(), ids=SEALED_HEADERS)
def test_replay_names_what_must_not_be_sent(headers: dict[str, str], differences: list[str]) -> None:
    body = json.dumps(SEALED["call"]["fields"]).encode()
    with Replay([SEALED]) as server:
        assert send(server, body=body, **{"cookie": f"neptun-session={SEALED['session']}", **headers})[0] == 200
        found = server.differences()[SEALED["id"]]
    assert [each.removeprefix("request 1: ")[: len(start)] for each, start in zip(found, differences, strict=True)] == (
        differences
    )


def test_replay_does_not_decode_a_session() -> None:
    encoded = SEALED["session"].replace("*", "%2A")
    with Replay([SEALED]) as server:
        assert send(server, cookie=f"neptun-session={encoded}")[0] == 401


@pytest.mark.parametrize(
    ("cookie", "stray"),
    [("", "no cookie neptun-session"), ("neptun-session=vector.no-such", "neptun-session=vector.no-such")],
    ids=["missing", "unknown"],
)
def test_replay_names_a_request_without_the_cookie_of_a_vector(cookie: str, stray: str, replay: Replay) -> None:
    assert send(replay, cookie=cookie)[0] == 401
    assert replay.strays == [f"PATCH {PATH} with {stray}"]
    assert replay.differences() == {"project-clear-text": ["expected 1 requests, got 0"]}


def test_replay_counts_the_requests(replay: Replay) -> None:
    assert [send(replay)[0], send(replay)[0]] == [200, 500]
    assert replay.differences() == {"project-clear-text": ["expected 1 requests, got 2"]}


def test_replay_reads_a_body_in_chunks(replay: Replay) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", int(replay.base_url.rpartition(":")[2]), timeout=10)
    connection.request("PATCH", PATH, iter([BODY[:5], BODY[5:]]), HEADERS, encode_chunked=True)
    connection.getresponse().read()
    connection.close()
    assert replay.differences() == {"project-clear-text": []}


def test_replay_hands_out_the_exchanges_in_their_order() -> None:
    vector = ALL["project-retry-503"]
    with Replay([vector]) as server:
        cookie, body = "neptun-session=vector.project-retry-503", json.dumps(vector["call"]["fields"]).encode()
        assert [send(server, cookie=cookie, body=body)[0] for _ in range(2)] == [503, 200]
        assert server.differences() == {"project-retry-503": []}


def test_replay_can_close_the_connection_instead() -> None:
    with Replay([ALL["project-no-retry-unless-allowed"]]) as server, pytest.raises(http.client.RemoteDisconnected):
        send(server, cookie="neptun-session=vector.project-no-retry-unless-allowed")


# ---- the judge


def resource(vector: Vector, **changes: Any) -> dict[str, Any]:
    """Return the outcome of a vector with some fields changed; ``...`` takes one out."""
    fields = {**vector["outcome"]["resource"], **changes}
    return {"resource": {name: value for name, value in fields.items() if value is not ...}}


UTC_AND_OFFSET = {"created_at": "2025-02-16T19:42:11+02:00", "updated_at": "2025-02-16T18:42:11.000000Z"}
NULL = ALL["project-null-text"]
UNKNOWN = ALL["project-unknown-fields"]
NOT_FOUND = ALL["project-404"]
HTML = ALL["project-200-html"]
APPLIED = ALL["project-applied-after-500"]
NOT_VERIFIED = ALL["project-not-verified-changed"]
LIST: Vector = {**CLEAR, "outcome": {"resource": [{"id": 1, "name": "Neptun"}, {"id": 2, "name": None}]}}
GONE: Vector = {**CLEAR, "outcome": {"resource": None}}
RIGHT_OUTCOMES: dict[str, tuple[Vector, Any]] = {
    "the same": (CLEAR, CLEAR["outcome"]),
    "the same instants": (CLEAR, resource(CLEAR, **UTC_AND_OFFSET)),
    "an instant in small letters": (CLEAR, resource(CLEAR, created_at="2025-02-16t17:42:11z")),
    "rows of a list": (LIST, {"resource": [{"id": 1, "name": "Neptun"}, {"id": 2}]}),
    "no body": (GONE, {"resource": None}),
    "null as null": (NULL, resource(NULL, description=None)),
    "null as absent": (NULL, resource(NULL, description=...)),
    "unknown fields kept": (UNKNOWN, {"resource": UNKNOWN["exchanges"][0]["response"]["json"]["project"]}),
    "unknown fields dropped": (UNKNOWN, UNKNOWN["outcome"]),
    "more than a core vector asks": (NOT_FOUND, NOT_FOUND["outcome"] | {"applied": False, "attempts": 1}),
    "no status of an unreadable response": (HTML, {"error": "invalid_response"}),
}
WRONG_OUTCOMES: dict[str, tuple[Vector, Any, str]] = {
    "wrong field": (CLEAR, resource(CLEAR, name="X"), 'outcome.resource.name: expected "Neptun", got "X"'),
    "missing field": (CLEAR, resource(CLEAR, name=...), 'outcome.resource.name: expected "Neptun", got nothing'),
    "null for absent": (
        ABSENT,
        resource(ABSENT, description=None),
        "outcome.resource.description: expected none, got null",
    ),
    "text for absent": (
        ABSENT,
        resource(ABSENT, description=""),
        'outcome.resource.description: expected none, got ""',
    ),
    "absent for empty": (
        CLEAR,
        resource(CLEAR, description=...),
        'outcome.resource.description: expected "", got nothing',
    ),
    "null for empty": (CLEAR, resource(CLEAR, description=None), 'outcome.resource.description: expected "", got null'),
    "text for null": (NULL, resource(NULL, description=""), 'outcome.resource.description: expected null, got ""'),
    "id of 32 bits": (
        LARGE,
        resource(LARGE, id=705_032_704),
        "outcome.resource.id: expected 5000000000, got 705032704",
    ),
    "id as text": (
        LARGE,
        resource(LARGE, id="5000000000"),
        'outcome.resource.id: expected 5000000000, got "5000000000"',
    ),
    "true for 1": (
        CLEAR,
        resource(CLEAR, neptun_user_id=True),
        "outcome.resource.neptun_user_id: expected 1, got true",
    ),
    "wrong instant": (
        CLEAR,
        resource(CLEAR, created_at="2025-02-16T17:42:11.000+02:00"),
        'outcome.resource.created_at: expected "2025-02-16T17:42:11.000Z", got "2025-02-16T17:42:11.000+02:00"',
    ),
    "lost decimals": (
        ALL["project-date-fractions"],
        resource(ALL["project-date-fractions"], created_at="2025-02-16T17:42:11Z"),
        'outcome.resource.created_at: expected "2025-02-16T17:42:11.5Z", got "2025-02-16T17:42:11Z"',
    ),
    "no zone": (
        CLEAR,
        resource(CLEAR, created_at="2025-02-16T17:42:11.000"),
        'outcome.resource.created_at: expected "2025-02-16T17:42:11.000Z", got "2025-02-16T17:42:11.000"',
    ),
    "unknown field changed": (UNKNOWN, resource(UNKNOWN, stars=13), "outcome.resource.stars: expected none, got 13"),
    "error for resource": (CLEAR, NOT_FOUND["outcome"], 'outcome: expected a resource, got {"error": "not_found"'),
    "resource for error": (NOT_FOUND, CLEAR["outcome"], 'outcome: expected not_found, got {"resource": {"id"'),
    "no outcome": (CLEAR, None, "outcome: expected a resource, got null"),
    "a resource that is none": (CLEAR, {"resource": None}, "outcome.resource: expected an object, got null"),
    "a row of a list": (
        LIST,
        {"resource": [{"id": 1, "name": "X"}, {"id": 2}]},
        'outcome.resource[0].name: expected "Neptun", got "X"',
    ),
    "too few rows": (LIST, {"resource": [{"id": 1, "name": "Neptun"}]}, "outcome.resource: expected ["),
    "something for nothing": (GONE, {"resource": {}}, "outcome.resource: expected null, got {}"),
    "wrong error": (
        NOT_FOUND,
        NOT_FOUND["outcome"] | {"error": "bad_request"},
        'outcome.error: expected "not_found", got "bad_request"',
    ),
    "no message": (NOT_FOUND, {"error": "not_found", "status": 404}, "outcome.message: expected"),
    "invented message": (
        HTML,
        HTML["outcome"] | {"message": "Sign in"},
        'outcome.message: expected none, got "Sign in"',
    ),
    "no status": (NOT_FOUND, {"error": "not_found", "message": "Project not found"}, "outcome.status: expected 404"),
    "wrong status": (HTML, {"error": "invalid_response", "status": 500}, "outcome.status: expected 200, got 500"),
    "wrong applied": (APPLIED, APPLIED["outcome"] | {"applied": False}, "outcome.applied: expected null, got false"),
    "no applied": (
        APPLIED,
        {"error": "server_error", "status": 500, "message": "No", "attempts": 1},
        "outcome.applied: expected null, got nothing",
    ),
    "wrong attempts": (APPLIED, APPLIED["outcome"] | {"attempts": 2}, "outcome.attempts: expected 1, got 2"),
    "wrong differences": (
        NOT_VERIFIED,
        NOT_VERIFIED["outcome"] | {"differences": {"project_type": ["web-app", "web-app"]}},
        'outcome.differences.project_type[1]: expected "web-site", got "web-app"',
    ),
}


@pytest.mark.parametrize(("vector", "outcome"), RIGHT_OUTCOMES.values(), ids=RIGHT_OUTCOMES)
def test_judge_takes_what_says_the_same(vector: Vector, outcome: Any) -> None:
    assert outcome_differences(vector, outcome) == []


@pytest.mark.parametrize(("vector", "outcome", "difference"), WRONG_OUTCOMES.values(), ids=WRONG_OUTCOMES)
def test_judge_names_what_differs(vector: Vector, outcome: Any, difference: str) -> None:
    (found,) = outcome_differences(vector, outcome)
    assert found.startswith(difference)


def test_a_facade_keeps_unknown_fields() -> None:
    """It prints exactly what the vector names."""
    vector = ALL["project-deployed-prompt-context"]
    (found,) = outcome_differences(vector, resource(vector, prompt_context=...))
    assert found.startswith("outcome.resource.prompt_context: expected")


def line(vector: Vector, **changes: Any) -> str:
    return json.dumps({"id": vector["id"], "outcome": vector["outcome"], **changes})


BAD_LINES: dict[str, tuple[list[str], str]] = {
    "garbage": ([line(CLEAR), "Segmentation fault", line(ABSENT)], 'line 2 is not JSON: "Segmentation fault"'),
    "an empty line": ([line(CLEAR), "", line(ABSENT)], 'line 2 is not JSON: ""'),
    "JSON of another kind": ([line(CLEAR), "[]", line(ABSENT)], 'line 2 is not an object with id and outcome: "[]"'),
    "an id that is a number": ([line(CLEAR), line(ABSENT), line(ABSENT, id=1)], "line 3 has an id that is no text"),
    "nothing that was asked": (
        [line(CLEAR), line(ABSENT), line(LARGE)],
        "line 3 is an outcome of 'project-large-ids', which was not asked for",
    ),
    "a second time": ([line(CLEAR), line(CLEAR), line(ABSENT)], "line 2 is a second outcome of 'project-clear-text'"),
    "another order": ([line(ABSENT), line(CLEAR)], "the outcomes are not in the order of the calls"),
}


@pytest.mark.parametrize(("lines", "problem"), BAD_LINES.values(), ids=BAD_LINES)
def test_judge_names_lines_that_are_no_outcomes(lines: list[str], problem: str) -> None:
    verdict = judge([CLEAR, ABSENT], lines, {})
    assert (verdict.problems, verdict.failed, verdict.ok) == ([problem], {}, False)


def test_what_was_not_printed_or_not_requested_has_not_passed() -> None:
    requests = {CLEAR["id"]: ["expected 1 requests, got 0"]}
    verdict = judge([CLEAR, ABSENT], [line(CLEAR)], requests)
    assert verdict.failed == {CLEAR["id"]: ["expected 1 requests, got 0"], ABSENT["id"]: ["no outcome was printed"]}
    assert not verdict.ok


def test_a_vector_is_skipped_for_the_driver_it_names_only() -> None:
    skipped = {**CLEAR, "skip": {"cobol": "no empty texts"}}
    assert judge([skipped], [], {}, "cobol").skipped == {CLEAR["id"]: "no empty texts"}
    assert not judge([skipped], [], {}, "cobol").ok, "nothing passed"
    assert judge([skipped], [line(CLEAR)], {}, "go").passed == [CLEAR["id"]]


# ---- drivers


def test_this_sdk_passes_every_vector() -> None:
    result = run.try_driver("python_sdk", run.find_drivers(["python_sdk"])["python_sdk"], list(ALL.values()))
    assert result.verdict is not None
    assert (result.verdict.failed, result.verdict.problems) == ({}, [])
    assert len(result.verdict.passed) == len(ALL)


def drive(program: str, folder: Path) -> Verdict:
    """Run a driver, written in Python, with the call of `CLEAR`."""
    (folder / "driver.py").write_text(textwrap.dedent(program), encoding="utf-8")
    return run.run_driver([sys.executable, "driver.py"], folder, [CLEAR])


# What a driver needs at least.
GOOD = """
import json, os, sys, urllib.request
for line in sys.stdin:
    call = json.loads(line)
    url = f"{os.environ['NEPTUN_BASE_URL']}/api/users/{call['user_id']}/projects/{call['project_id']}"
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    headers["Cookie"] = f"neptun-session={call['session']}"
    request = urllib.request.Request(url, json.dumps(call["fields"]).encode(), headers, method="PATCH")
    project = json.load(urllib.request.urlopen(request))["project"]
    print(json.dumps({"id": call["id"], "outcome": {"resource": project}}))
"""


def test_a_driver_of_ten_lines_passes(tmp_path: Path) -> None:
    verdict = drive(GOOD, tmp_path)
    assert (verdict.passed, verdict.ok) == ([CLEAR["id"]], True)


def test_a_driver_that_sends_no_cookie_has_not_passed(tmp_path: Path) -> None:
    verdict = drive(GOOD.replace('"Cookie"', '"X-Cookie"'), tmp_path)
    assert "a request of no vector: PATCH /api/users/1/projects/789 with no cookie neptun-session" in verdict.problems
    assert verdict.failed == {CLEAR["id"]: ["expected 1 requests, got 0", "no outcome was printed"]}


def test_a_driver_that_dies_after_its_work_has_not_passed(tmp_path: Path) -> None:
    verdict = drive(f"{GOOD}\nsys.exit(3)", tmp_path)
    assert (verdict.passed, verdict.problems, verdict.ok) == ([CLEAR["id"]], ["it ended with 3"], False)


def test_a_driver_that_prints_garbage_has_not_passed(tmp_path: Path) -> None:
    verdict = drive(f"print('starting')\n{GOOD}", tmp_path)
    assert (verdict.problems, verdict.ok) == (['line 1 is not JSON: "starting"'], False)


def test_a_driver_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    command = ["sh", "-c", "sleep 600 & echo $! > child; wait"]
    verdict = run.run_driver(command, tmp_path, [CLEAR], timeout=2.0)
    assert verdict.problems == ["it was not done after 2 s"]
    assert verdict.failed == {CLEAR["id"]: ["expected 1 requests, got 0", "no outcome was printed"]}
    child = int((tmp_path / "child").read_text(encoding="utf-8"))
    assert _within_seconds(lambda: not _is_running(child))


def _within_seconds(condition: Callable[[], bool]) -> bool:
    """Wait until a condition holds; tell whether it does."""
    deadline = time.monotonic() + 20
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def _is_running(process: int) -> bool:
    """Tell whether a process runs; one that has ended, but that nobody waited for, does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_driver_that_does_not_start_has_not_passed(tmp_path: Path) -> None:
    verdict = run.run_driver(["no-such-program"], tmp_path, [CLEAR])
    assert (verdict.problems, verdict.ok) == (["it ended with 127"], False)


# ---- make portability

INFO: Mapping[str, Any] = {
    "language": "Cobol",
    "generator": "a generator",
    "version": "1.2.3",
    "tools": ["sh"],
    "run": ["sh", "-c", "exit 0"],
    "by_hand": "everything",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of drivers."""
    monkeypatch.setattr(run, "HERE", tmp_path)
    (tmp_path / "page.md").write_text("Before\n<!-- table -->\n<!-- end of table -->\nAfter\n", encoding="utf-8")
    return tmp_path


def add_driver(folder: Path, name: str, *, build: str = "", **changes: Any) -> None:
    (folder / name).mkdir()
    (folder / name / "driver.json").write_text(json.dumps({**INFO, **changes}), encoding="utf-8")
    if build:
        (folder / name / "build.sh").write_text(build, encoding="utf-8")


def portability(folder: Path, monkeypatch: pytest.MonkeyPatch, *, strict: bool = False) -> int:
    monkeypatch.setattr(sys, "argv", ["run.py", "--page", str(folder / "page.md")])
    monkeypatch.setenv("PORTABILITY", "strict" if strict else "")
    return run.main()


@pytest.fixture
def good(folder: Path) -> Path:
    """A driver that passes all core vectors: this SDK's."""
    driver = FOLDER / "python_sdk" / "driver.py"
    add_driver(folder, "good", run=[sys.executable, str(driver)], build="echo 'warning: odd'\necho 'warning: odd'\n")
    return folder


def test_a_missing_toolchain_is_named_and_not_counted(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_driver(good, "cobol", tools=["no-such-cobc"])
    assert portability(good, monkeypatch) == 0
    shown = capsys.readouterr().out
    assert "| Cobol | a generator | 1.2.3 | missing toolchain: no-such-cobc | everything | none |" in shown
    assert re.search(rf"^==== make portability: {COUNT['core']} passed, 1 skipped in [0-9.]+s ====$", shown, re.M)
    assert "Cobol" not in (good / "page.md").read_text(encoding="utf-8"), "a table that is not whole"


def test_a_missing_toolchain_fails_where_every_change_is_tested(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_driver(good, "cobol", tools=["no-such-cobc"])
    assert portability(good, monkeypatch, strict=True) == 1
    assert f"==== make portability: 1 failed, {COUNT['core']} passed in " in capsys.readouterr().out


@pytest.mark.parametrize("strict", [False, True], ids=["here", "where every change is tested"])
def test_a_language_without_its_debian_packages_is_left_out_by_name(
    *, strict: bool, good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not every machine is a Debian: it is never a failure, nor counted as passed."""
    add_driver(good, "cobol", tools=["no-such-cobc"], debian=["dpkg", "no-such-package"])
    (dpkg := good / "dpkg-query").write_text("#!/bin/sh\necho 'dpkg installed'\n", encoding="utf-8")
    dpkg.chmod(0o755)
    monkeypatch.setattr(run, "PATH", f"{good}{os.pathsep}{run.PATH}")
    assert portability(good, monkeypatch, strict=strict) == 0
    shown = capsys.readouterr().out
    assert "| Cobol | a generator | 1.2.3 | left out, without Debian's no-such-package | everything | none |" in shown
    assert re.search(rf"^==== make portability: {COUNT['core']} passed, 1 skipped in [0-9.]+s ====$", shown, re.M)
    assert "Cobol" not in (good / "page.md").read_text(encoding="utf-8"), "a table that is not whole"


def test_where_there_is_no_debian_its_packages_are_not_either(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_driver(good, "cobol", tools=[], debian=["dpkg"])
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **path: None if name == "dpkg-query" else which(name, **path))
    assert portability(good, monkeypatch) == 0
    assert "| left out, without Debian's dpkg |" in capsys.readouterr().out


def test_the_table_shows_what_was_skipped_and_why() -> None:
    verdict = Verdict(passed=["one", "two"], failed={"three": ["odd"]}, skipped={"four": "no such letters"})
    assert "| 2 of 4; not four: no such letters |" in run.table([run.Result("cobol", INFO, verdict)])


def test_nothing_but_missing_toolchains_is_no_success(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_driver(folder, "cobol", tools=["no-such-cobc"])
    assert portability(folder, monkeypatch) == 1


def test_a_build_that_fails_is_shown(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add_driver(good, "cobol", build="echo 'missing a dot' >&2\nexit 4\n")
    assert portability(good, monkeypatch) == 1
    shown = capsys.readouterr()
    assert "missing a dot" in shown.err
    assert "| the build failed (4) |" in shown.out


def test_the_table_is_written_with_its_date_and_kept_until_it_changes(
    good: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = good / "page.md"
    assert portability(good, monkeypatch) == 0
    whole = f"| Cobol | a generator | 1.2.3 | {COUNT['core']} of {COUNT['core']} | everything | 1 |"
    assert "good: warning: odd" in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    assert whole in text
    assert re.search(r"^`make portability`, [0-9]{4}-[0-9]{2}-[0-9]{2}:$", text, re.M)
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    dated = re.sub(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", "2001-01-01", text)
    page.write_text(dated, encoding="utf-8")
    assert portability(good, monkeypatch) == 0
    assert page.read_text(encoding="utf-8") == dated


def test_ctrl_c_ends_every_driver(folder: Path) -> None:
    """Drivers of Maven run beside the others, each in a session of its own."""
    for module in ("judge.py", "replay.py", "run.py"):
        shutil.copy(FOLDER / module, folder)
    (folder / "mvn").symlink_to("/bin/sh")
    hang = ["sh", "-c", "sleep 600 & echo $! > part; mv part child; wait"]
    add_driver(folder, "cobol", run=hang)
    add_driver(folder, "java", run=hang, tools=["mvn"])
    add_driver(folder, "kotlin", run=["sh", "-c", "touch ../started"], tools=["mvn"])
    command = [sys.executable, "run.py", "--vectors", str(VECTORS)]
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "PATH": path}, stderr=subprocess.PIPE) as process:
        found = [folder / name / "child" for name in ("cobol", "java")]
        assert _within_seconds(lambda: all(child.exists() for child in found))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    children = [int(child.read_text(encoding="utf-8")) for child in found]
    assert _within_seconds(lambda: not any(map(_is_running, children)))
    assert process.returncode != 0
    assert not (folder / "started").exists()


def test_a_driver_that_does_not_exist_is_named(folder: Path) -> None:
    add_driver(folder, "cobol")
    with pytest.raises(SystemExit, match="There is no driver fortran; there are cobol"):
        run.find_drivers(["fortran"])


def test_the_folder_works_alone_with_a_driver_of_ones_own(tmp_path: Path) -> None:
    """As README.md there says: without this repository, and without anything installed."""
    program = tmp_path / "driver.py"
    program.write_text(GOOD, encoding="utf-8")
    vectors = tmp_path / "some vectors"
    vectors.mkdir()
    for module in ("judge.py", "replay.py", "run.py"):
        shutil.copy(FOLDER / module, tmp_path)
    (vectors / "one.json").write_text(json.dumps({"vectors": [CLEAR]}), encoding="utf-8")
    command = [sys.executable, "-S", str(tmp_path / "run.py"), "--vectors", str(vectors)]
    done = subprocess.run(
        [*command, "--command", f"{sys.executable} {program}"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "==== make portability: 1 passed in " in done.stdout


def own(folder: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    """Run a driver of one's own with the vectors `CLEAR` and `ABSENT`."""
    (folder / "vectors").mkdir(exist_ok=True)
    (folder / "vectors" / "two.json").write_text(json.dumps({"vectors": [CLEAR, ABSENT]}), encoding="utf-8")
    (folder / "driver.py").write_text(GOOD, encoding="utf-8")
    command = f"{sys.executable} {folder / 'driver.py'}"
    monkeypatch.setattr(sys, "argv", ["run.py", "--vectors", str(folder / "vectors"), "--command", command, *options])
    return run.main()


def test_a_vector_can_be_skipped_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert own(tmp_path, monkeypatch, "--skip", ABSENT["id"]) == 0
    assert "| 1 of 2; not project-absent-text: --skip |" in capsys.readouterr().out


def test_a_vector_that_does_not_exist_cannot_be_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="There is no vector no-such to skip"):
        own(tmp_path, monkeypatch, "--skip", "no-such")


DRIVERS = [path.parent for path in sorted(FOLDER.glob("*/driver.json"))]


@pytest.mark.parametrize("driver", DRIVERS, ids=[path.name for path in DRIVERS])
def test_a_driver_says_which_versions_it_pins(driver: Path) -> None:
    info = json.loads((driver / "driver.json").read_text(encoding="utf-8"))
    assert sorted(info) == sorted({*INFO, *({"facade", "debian"} & set(info))})
    names = {path for path in driver.iterdir() if path.is_file() and path.name != "driver.json"}
    pins = "".join(path.read_text(encoding="utf-8") for path in names if not path.name.startswith("."))
    pins += (FOLDER.parent.parent / "pyproject.toml").read_text(encoding="utf-8") if driver.name == "python_sdk" else ""
    assert [version for version in info["version"].split(", ") if version not in pins] == []


# What a project needs that begins in an empty folder.
ONLY_ON_THE_PAGE = {"java": ["3.5.0"]}


@pytest.mark.parametrize("driver", DRIVERS, ids=[path.name for path in DRIVERS])
def test_a_language_page_names_the_versions_that_were_run(driver: Path) -> None:
    page = FOLDER.parent.parent / "docs" / "languages" / f"{driver.name}.md"
    if driver.name == "python_sdk":
        assert not page.exists()
        return
    files = (path for path in driver.iterdir() if path.is_file() and not path.name.startswith("."))
    pins = "".join(path.read_text(encoding="utf-8") for path in files)
    versions = re.findall(r"(?<![\d.])\d+\.\d+\.\d+(?![\d.])", page.read_text(encoding="utf-8"))
    assert versions
    assert [version for version in versions if version not in pins] == ONLY_ON_THE_PAGE.get(driver.name, [])


@pytest.mark.parametrize("driver", DRIVERS, ids=[path.name for path in DRIVERS])
def test_the_table_of_the_site_is_of_these_drivers_and_vectors(driver: Path) -> None:
    """`make portability` writes it; who changes a driver or the vectors must not forget to run that."""
    info = json.loads((driver / "driver.json").read_text(encoding="utf-8"))
    page = (FOLDER.parent.parent / "docs" / "portability.md").read_text(encoding="utf-8")
    start = f"| {info['language']} | {info['generator']} | {info['version']} | "
    row = next((line for line in page.splitlines() if line.startswith(start)), "")
    assert f"{sum(COUNT.values()) if info.get('facade') else COUNT['core']}" in row
    assert f" | {info['by_hand']} | " in row


@pytest.mark.parametrize("driver", DRIVERS, ids=[path.name for path in DRIVERS])
def test_a_driver_only_translates(driver: Path) -> None:
    """It is short, knows no vector, and nothing in its folder records where a package was downloaded."""
    skipped = {path for path in driver.rglob("*") if any(part.startswith(".build") for part in path.parts)}
    for path in set(driver.rglob("*")) - skipped:
        if path.is_dir() or path.name.startswith("."):
            continue
        text = path.read_text(encoding="utf-8")
        assert not any(f'"{name}"' in text for name in ALL), path
        assert '"resolved"' not in text, path
        if path.suffix in (".go", ".java", ".kt", ".php", ".py", ".rb", ".rs", ".ts"):
            assert len(text.splitlines()) < 150, path
