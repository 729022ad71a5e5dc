"""The core vectors tell a client that does right from each of many that do one thing wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import run
from judge import Vector, Verdict, load_vectors

CORE: Sequence[Vector] = run.select(load_vectors(), facade=False)

# A client of a few lines that does all that the vectors ask for, as its own driver.
DRIVER = """
import http.client, json, os, re, sys
from datetime import datetime
from urllib.parse import quote

PROJECT = "/api/users/{user_id}/projects/{project_id}"
IMPORT = PROJECT + "/resources/imports/{import_id}"
OPERATIONS = {"updateProject": ("PATCH", PROJECT, "project"), "updateProjectImport": ("PUT", IMPORT, "import")}
ERRORS = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "rate_limited"}
IDS = ["id", "neptun_user_id"]
TIMES = ["created_at", "updated_at"]
TEXTS = {"project": ["name", "project_type", "programming_language"], "import": ["source_type", "source_path"]}
OPTIONAL = {"project": ["description"], "import": ["title", "description"]}

def send(connection, method, path, body, session):
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    headers["Cookie"] = f"neptun-session={session}"
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    return response.status, response.read(), response.headers

def read(name, content):
    row = json.loads(content.decode())[name]
    for key in IDS + (["project_id"] if name == "import" else []):
        if type(row[key]) is not int:
            raise ValueError(key)
    for key in TEXTS[name]:
        if type(row[key]) is not str:
            raise ValueError(key)
    for key in TIMES:
        if datetime.fromisoformat(re.sub("([.][0-9]{6})[0-9]+", "\\\\1", row[key])).tzinfo is None:
            raise ValueError(key)
    for key in OPTIONAL[name]:
        if type(row.get(key, "")) not in (str, type(None)):
            raise ValueError(key)
    return row

def message(content):
    try:
        body = json.loads(content.decode())
        text = body.get("message") or body.get("statusMessage")
    except (ValueError, AttributeError):
        return {}
    return {"message": text} if text else {}

def outcome(connection, call):
    method, path, name = OPERATIONS[call["operation"]]
    body = json.dumps(call["fields"], ensure_ascii=False).encode()
    status, content, headers = send(connection, method, path.format(**call), body, call["session"])
    if status != 200:
        error = ERRORS.get(status, "server_error" if status >= 500 else "invalid_response")
        return {"error": error, "status": status, **message(content)}
    try:
        return {"resource": read(name, content)}
    except (ValueError, TypeError, KeyError):
        return {"error": "invalid_response", "status": status}

connection = http.client.HTTPConnection(os.environ["NEPTUN_BASE_URL"].removeprefix("http://"))
for line in sys.stdin:
    call = json.loads(line)
    print(json.dumps({"id": call["id"], "outcome": outcome(connection, call)}), flush=True)
"""

# What is wrong with each: a part of the driver, and what stands in its place.
SENT = 'json.dumps(call["fields"], ensure_ascii=False)'
MUTANTS = {
    "another method": ('"PATCH", PROJECT', '"PUT", PROJECT'),
    "ids change places": ("users/{user_id}/projects/{project_id}", "users/{project_id}/projects/{user_id}"),
    "the import's id is the project's": ("imports/{import_id}", "imports/{project_id}"),
    "a slash at the end": ("imports/{import_id}", "imports/{import_id}/"),
    "a query": ("path.format(**call)", 'path.format(**call) + "?source=client"'),
    "ids of 32 bits": (
        "path.format(**call)",
        "path.format(**{k: v % 2**32 if type(v) is int else v for k, v in call.items()})",
    ),
    "ids through floats": (
        "path.format(**call)",
        "path.format(**{k: int(float(v)) if type(v) is int else v for k, v in call.items()})",
    ),
    "no Accept": ('"Accept": "application/json", ', ""),
    "another Accept": ('"Accept": "application/json"', '"Accept": "text/html"'),
    "another Content-Type": ('"Content-Type": "application/json"', '"Content-Type": "text/plain"'),
    "no cookie": ('headers["Cookie"]', 'headers["X-Cookie"]'),
    "another cookie's name": ("neptun-session=", "session="),
    "the cookie percent-encoded": ("={session}", "={quote(session)}"),
    "the cookie in quotes": ('f"neptun-session={session}"', "f'neptun-session=\"{session}\"'"),
    "the session as a bearer too": (
        "    connection.request(method",
        '    headers["Authorization"] = f"Bearer {session}"\n    connection.request(method',
    ),
    "a cookie of its own": ("={session}", "={session}; client=mine"),
    "empty texts are left out": (SENT, 'json.dumps({k: v for k, v in call["fields"].items() if v})'),
    "empty texts are null": (SENT, 'json.dumps({k: v or None for k, v in call["fields"].items()})'),
    "fields that are not given are null": (SENT, 'json.dumps({"description": None} | call["fields"])'),
    "fields that are not given are empty": (SENT, 'json.dumps({"description": ""} | call["fields"])'),
    "the body in Latin-1": ("False).encode()", 'False).encode("latin-1", "replace")'),
    "texts are trimmed": (SENT, 'json.dumps({k: v.strip() for k, v in call["fields"].items()})'),
    "texts are cut off": (SENT, 'json.dumps({k: v[:255] for k, v in call["fields"].items()})'),
    "texts are normalized": (
        SENT,
        'json.dumps({k: __import__("unicodedata").normalize("NFC", v) for k, v in call["fields"].items()})',
    ),
    "texts are escaped as HTML": (
        SENT,
        'json.dumps({k: __import__("html").escape(v) for k, v in call["fields"].items()})',
    ),
    "only known values are sent": (
        SENT,
        'json.dumps({k: v for k, v in call["fields"].items() if k != "project_type" or v.startswith("web-")})',
    ),
    "the fields in an envelope": (SENT, "json.dumps({name: call['fields']})"),
    "the response in Latin-1": ("json.loads(content.decode())[name]", 'json.loads(content.decode("latin-1"))[name]'),
    "the whole body for the resource": ("json.loads(content.decode())[name]", "json.loads(content.decode())"),
    "unknown fields are refused": (
        "    return row",
        "    if row.keys() - {*IDS, *TIMES, *TEXTS[name], *OPTIONAL[name], 'project_id'}:\n"
        "        raise ValueError\n    return row",
    ),
    "unknown values are refused": (
        "    return row",
        '    if row.get("project_type", "web-").find("web-"):\n        raise ValueError\n    return row',
    ),
    "null becomes empty": ("    return row", '    return {k: "" if v is None else v for k, v in row.items()}'),
    "absent becomes null": ("    return row", "    return {**dict.fromkeys(OPTIONAL[name]), **row}"),
    "empty becomes absent": ("    return row", '    return {k: v for k, v in row.items() if v != ""}'),
    "ids of the response as texts": ("    return row", '    return {**row, "id": str(row["id"])}'),
    "ids of the response of 32 bits": ("    return row", '    return {**row, "id": row["id"] % 2**32}'),
    "times without their offset": ("    return row", '    return {**row, "created_at": row["created_at"][:19] + "Z"}'),
    "times in whole seconds": (
        "    return row",
        '    return {**row, "created_at": re.sub("[.][0-9]+", "", row["created_at"])}',
    ),
    "the times change places": (
        "    return row",
        '    return {**row, "created_at": row["updated_at"], "updated_at": row["created_at"]}',
    ),
    "an id may be a text": ("type(row[key]) is not int", "type(row[key]) not in (int, str)"),
    "an id may be null": ("type(row[key]) is not int", "type(row[key]) not in (int, type(None))"),
    "an id may be missing": ("if type(row[key]) is not int", "if type(row.get(key, 1)) is not int"),
    "a text may be null": ("type(row[key]) is not str", "type(row[key]) not in (str, type(None))"),
    "a text may be a number": ("type(row[key]) is not str", "type(row[key]) not in (str, int)"),
    "a text may be missing": ("if type(row[key]) is not str", 'if type(row.get(key, "")) is not str'),
    "a time may have no offset": (".tzinfo is None", ".year == 1"),
    "a time may be missing": ("    for key in TIMES:", "    for key in filter(row.get, TIMES):"),
    "every 2xx is a success": ("if status != 200:", "if not 200 <= status < 300:"),
    "a 401 is a 403": ('401: "unauthorized", 403: "forbidden"', '401: "forbidden", 403: "unauthorized"'),
    "a 404 is a bad request": ('404: "not_found"', '404: "bad_request"'),
    "a 429 is an error of the server": ('429: "rate_limited"', '429: "server_error"'),
    "only a 500 is an error of the server": ("status >= 500", "status == 500"),
    "a 4xx is a bad request": ('"invalid_response")\n', '"bad_request" if status >= 400 else "invalid_response")\n'),
    "the status of the body": (
        '        return {"error": error',
        '        if content[:1] == b"{":\n            status = json.loads(content.decode()).get("statusCode", status)\n'
        '        return {"error": error',
    ),
    "the body decides": ("if status != 200:", "if status != 200 and b'\"project\"' not in content:"),
    "the status's phrase alone": ('body.get("message") or body.get("statusMessage")', 'body.get("statusMessage")'),
    "no status's phrase": ('body.get("message") or body.get("statusMessage")', 'body.get("message")'),
    "the status's phrase first": (
        'body.get("message") or body.get("statusMessage")',
        'body.get("statusMessage") or body.get("message")',
    ),
    "an empty message": (
        'body.get("message") or body.get("statusMessage")',
        'body.get("message", body.get("statusMessage"))',
    ),
    "a page is a message": ("        return {}", '        return {"message": content.decode()}'),
    "a message of the client": ('return {"message": text} if text else {}', 'return {"message": text or "no message"}'),
    "redirects are followed": (
        "    if status != 200:",
        '    if 300 <= status < 400:\n        status, content, headers = send(connection, method, headers["Location"], '
        'body, call["session"])\n    if status != 200:',
    ),
    "a failure is sent again": (
        "    if status != 200:",
        "    if status == 503:\n        status, content, headers = send(connection, method, path.format(**call), body, "
        'call["session"])\n    if status != 200:',
    ),
    "a response that cannot be read ends the client": ("except (ValueError, TypeError, KeyError)", "except OSError"),
    "a response that cannot be read is an empty resource": (
        '        return {"error": "invalid_response", "status": status}',
        '        return {"resource": {}}',
    ),
}


def drive(program: str, folder: Path) -> Verdict:
    (folder / "driver.py").write_text(program, encoding="utf-8")
    compile(program, "driver.py", "exec")  # what does not compile shows nothing
    return run.run_driver([sys.executable, "-S", "driver.py"], folder, CORE)


def test_a_client_that_does_right_passes(tmp_path: Path) -> None:
    verdict = drive(DRIVER, tmp_path)
    assert (verdict.failed, verdict.problems) == ({}, [])


@pytest.mark.soak
@pytest.mark.without_coverage
@pytest.mark.parametrize(("part", "wrong"), MUTANTS.values(), ids=MUTANTS)
def test_a_client_that_does_one_thing_wrong_fails(part: str, wrong: str, tmp_path: Path) -> None:
    assert part in DRIVER
    assert not drive(DRIVER.replace(part, wrong), tmp_path).ok
