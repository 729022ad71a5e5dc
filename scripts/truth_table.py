"""The truth table: what each thing that can come back means, for each operation, as the code decides it.

``docs/reference/outcomes.md`` shows it: `make pages` writes it there. Every row is a call that was made.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import httpx

from neptun_sdk import NeptunClient, NeptunError
from neptun_sdk.bulk import Update, bulk_update
from neptun_sdk.outcomes import rule_of

Json = dict[str, object]
Respond = Callable[[httpx.Request], httpx.Response]

MAX_RESPONSE_SIZE = 10_000
_TIMES = dict.fromkeys(("created_at", "updated_at"), "2025-02-16T17:42:11.000Z")
PROJECT: Json = {"name": "", "description": "", "project_type": "web-site", "programming_language": "go", **_TIMES}
IMPORT: Json = {"source_type": "github", "source_path": "", "title": "", "description": "", "project_id": 789, **_TIMES}
ENVELOPES = {"update_project": "project", "update_project_import": "import"}
# What each call sends: a field that every server has, and one that a deployed server drops.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "update_project": {"name": "new", "project_type": "web-app"},
    "update_project_import": {"source_path": "new", "title": "new"},
}
OPERATIONS = tuple(FIELDS)

# Whose body an error has, and what stands in it.
BODIES: Mapping[str, Callable[[int], Json]] = {
    "documented": lambda status: {"statusCode": status, "message": "no"},
    "deployed (handler)": lambda status: {"statusCode": status, "statusMessage": "No.", "stack": []},
    "deployed (thrown)": lambda status: {"error": True, "statusCode": status, "statusMessage": "No", "message": "No"},
}
# Bodies that Neptun did not write.
FOREIGN: Mapping[str, bytes] = {
    "HTML": b"<html><title>No</title></html>",
    "empty": b"",
    "other JSON": b'{"data": null, "message": "no"}',
}
STATUSES = (400, 401, 403, 404, 408, 409, 413, 429, 460, 499, 500, 501, 502, 503, 504, 520)


class Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b"{"
        raise httpx.ReadError("connection reset")


def unreadable(status: int) -> dict[str, httpx.Response]:
    """Return responses whose body cannot be read, by the reason."""

    def response(body: httpx.SyncByteStream, encoding: str = "") -> httpx.Response:
        return httpx.Response(status, stream=body, headers={"Content-Encoding": encoding})

    return {
        "cut": response(Broken()),
        "too large": response(httpx.ByteStream(b" " * (MAX_RESPONSE_SIZE + 1))),
        "encoded as br": response(httpx.ByteStream(b"\x0b\x02"), "br"),
        "encoded as zstd": response(httpx.ByteStream(b"\x28\xb5\x2f\xfd"), "zstd"),
        "not gzip": response(httpx.ByteStream(b"<html>"), "gzip"),
    }


class Evidence(NamedTuple):
    """What came back: the words for it, whose body it was, and the response or the exception itself."""

    what: str
    body: str
    respond: Respond
    fields: Mapping[str, Mapping[str, str]] = FIELDS
    large_id: bool = False


def _json(status: int, document: object) -> Respond:
    return lambda _: httpx.Response(status, json=document)


def _content(status: int, content: bytes) -> Respond:
    return lambda _: httpx.Response(status, content=content)


def _unreadable(status: int, body: str) -> Respond:
    return lambda _: unreadable(status)[body]


def _raise(exc: Exception) -> Respond:
    def respond(_: httpx.Request) -> httpx.Response:
        raise exc

    return respond


def stored(request: httpx.Request, **changes: object) -> Json:
    """Return the resource that a request is about, with every field as it was sent."""
    parts = request.url.path.split("/")
    row = IMPORT if "imports" in parts else PROJECT
    return {"id": int(parts[-1]), "neptun_user_id": int(parts[3]), **row, **json.loads(request.content), **changes}


def enveloped(request: httpx.Request, **changes: object) -> Json:
    """Return the documented body of a success."""
    return {ENVELOPES[_operation(request)]: stored(request, **changes)}


def deployed_row(request: httpx.Request, **changes: object) -> Json:
    """Return the body of a success as a deployed server writes it, which has dropped what it does not know."""
    row = stored(request)
    if _operation(request) == "update_project":
        row.update(type="web-site", main_language=row.pop("programming_language"))
    for name in ("title", "project_type", *(["description"] if "source_path" in row else [])):
        row.pop(name, None)
    return row | changes


def _operation(request: httpx.Request) -> str:
    return "update_project" if request.method == "PATCH" else "update_project_import"


def _success(make: Callable[[httpx.Request], object], *, cut: bool = False) -> Respond:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=json.dumps(make(request)).encode()[: -3 if cut else None])

    return respond


_KEPT: Mapping[str, Mapping[str, str]] = {
    "update_project": {"name": "new"},
    "update_project_import": {"source_path": "new"},
}
_DROPPED = {"update_project": {"project_type": "web-app"}, "update_project_import": {"title": "new"}}
_NUL = {"update_project": {"name": "\0"}, "update_project_import": {"source_path": "\0"}}


def evidence() -> Iterator[Evidence]:
    """Yield everything that can come back."""
    for status in STATUSES:
        for body, make in BODIES.items():
            yield Evidence(str(status), body, _json(status, make(status)))
        for body, content in FOREIGN.items():
            yield Evidence(str(status), body, _content(status, content))
        for body in unreadable(status):
            yield Evidence(str(status), body, _unreadable(status, body))
    handler, thrown = BODIES["deployed (handler)"], BODIES["deployed (thrown)"]
    for status in (404, 500):
        what = f"{status}, and a NUL was sent"
        yield Evidence(what, "deployed (handler)", _json(status, handler(status)), _NUL)
    yield Evidence("500, and an id is above 2147483647", "deployed (thrown)", _json(500, thrown(500)), large_id=True)
    dropped = {"update_project": {"project_type": "\0"}, "update_project_import": {"title": "\0"}}
    yield Evidence(
        "404, and a NUL was sent in a field that is dropped", "deployed (handler)", _json(404, handler(404)), dropped
    )
    no_route = {**thrown(404), "message": "Page not found: /api"}
    yield Evidence("404 of a route", "deployed (thrown)", _json(404, no_route))
    for status in (204, 302, 999):
        yield Evidence(str(status), "empty", _content(status, b""))
        for body in unreadable(status):
            yield Evidence(str(status), body, _unreadable(status, body))
    yield from _successes()
    yield from _exceptions()


def _successes() -> Iterator[Evidence]:
    yield Evidence("200, every field as sent", "documented", _success(enveloped))
    yield Evidence("200, every field as sent", "deployed", _success(deployed_row), _KEPT)
    other = {"name": "other", "source_path": "other"}
    yield Evidence("200, a field different", "documented", _success(lambda request: enveloped(request, **other)))
    yield Evidence("200, a field dropped, another stored", "deployed", _success(deployed_row))
    yield Evidence("200, every field dropped", "deployed", _success(deployed_row), _DROPPED)
    late = _success(lambda request: enveloped(request, created_at="yesterday"))
    yield Evidence("200, every field as sent, another of a wrong type", "documented", late)
    wrong = _success(lambda request: enveloped(request, id=5))
    yield Evidence("200, another resource", "documented", wrong)
    missing = _success(lambda request: enveloped(request, **dict.fromkeys(FIELDS["update_project"]), source_path=None))
    yield Evidence("200, a field that was sent is of a wrong type", "documented", missing)
    yield Evidence("200, cut by its Content-Length", "documented", _success(enveloped, cut=True))
    for body, content in FOREIGN.items():
        yield Evidence("200", body, _content(200, content))
    for body in unreadable(200):
        yield Evidence("200", body, _unreadable(200, body))


def _exceptions() -> Iterator[Evidence]:
    for what, exc in {
        "no free connection in time": httpx.PoolTimeout(""),
        "no connection in time": httpx.ConnectTimeout(""),
        "no connection": httpx.ConnectError(""),
        "the proxy refuses": httpx.ProxyError(""),
        "no response in time": httpx.ReadTimeout(""),
        "the request not sent in time": httpx.WriteTimeout(""),
        "the connection broke": httpx.ReadError(""),
        "the connection broke while sending": httpx.WriteError(""),
        "closed without a response, or not HTTP": httpx.RemoteProtocolError(""),
        "an error of the system": OSError(24, "Too many open files"),
    }.items():
        yield Evidence(what, "none", _raise(exc))


def client_of(evidence: Evidence) -> NeptunClient:
    """Return a client to which this comes back, whatever it sends."""
    return NeptunClient(
        "a-session-of-nobody",
        1,
        base_url="https://neptun.test",
        transport=httpx.MockTransport(evidence.respond),
        max_retries=0,
        max_response_size=MAX_RESPONSE_SIZE,
    )


def ids_of(operation: str, evidence: Evidence) -> tuple[int, ...]:
    """Return the ids of a call, without the user's."""
    number = 2**31 if evidence.large_id else 123
    return (number,) if operation == "update_project" else (789, number)


def call(client: NeptunClient, operation: str, evidence: Evidence) -> NeptunError | None:
    """Make a call; return its error, or ``None`` if it returned the resource."""
    try:
        getattr(client, operation)(*ids_of(operation, evidence), **evidence.fields[operation])
    except NeptunError as error:
        return error
    return None


def row_of(operation: str, evidence: Evidence) -> Update:
    """Return the same call as a row of a bulk run."""
    project_id, *import_id = ids_of(operation, evidence)
    return Update(project_id, import_id[0] if import_id else None, evidence.fields[operation])


class Meaning(NamedTuple):
    """What came of a call."""

    kind: str  # the class of the error, or ``returned``
    applied: str
    sent_again: str
    in_bulk: str  # ``again`` if a later run with the same journal sends it again, else ``final``


def meaning(operation: str, evidence: Evidence) -> Meaning:
    """Make the call alone and in a bulk run; return what came of it."""
    error = call(client_of(evidence), operation, evidence)
    (outcome,) = bulk_update(client_of(evidence), [row_of(operation, evidence)])
    in_bulk = "again" if outcome.again else "final"
    if error is None:
        return Meaning("returned", "True", "no", in_bulk)
    rule = rule_of(error)
    applied = f"{error.applied}, whatever came before" if rule.never_applied else str(error.applied)
    return Meaning(type(error).__name__, applied, "yes" if rule.retryable else "no", in_bulk)


def markdown() -> str:
    """Return the table in Markdown: rows that say the same stand together."""
    lines = [
        "| what came back | its body | operation | outcome | `.applied` | sent again | in bulk |",
        "|" + "---|" * 7,
    ]
    for what, group in itertools.groupby(evidence(), lambda each: each.what):
        bodies: dict[tuple[Meaning, ...], list[str]] = {}
        for each in group:
            bodies.setdefault(tuple(meaning(operation, each) for operation in OPERATIONS), []).append(each.body)
        for meanings, names in bodies.items():
            body = "any" if len(bodies) == 1 and len(names) > 3 else ", ".join(_grouped(names))
            rows = (
                {"both": meanings[0]}
                if len(set(meanings)) == 1
                else dict(zip(ENVELOPES.values(), meanings, strict=True))
            )
            for operation, (kind, applied, sent_again, in_bulk) in rows.items():
                value, comma, rest = applied.partition(",")
                outcome = kind if kind == "returned" else f"`{kind}`"
                cells = (what, body, operation, outcome, f"`{value}`{comma}{rest}", sent_again, in_bulk)
                lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _grouped(names: list[str]) -> list[str]:
    """Replace the names of bodies of one kind, if all are there, by one."""
    for whole, kind in ((FOREIGN, "not Neptun's"), (unreadable(200), "unreadable"), (BODIES, "any of Neptun's")):
        if whole.keys() <= set(names):
            names = [*(name for name in names if name not in whole), kind]
    return names


if __name__ == "__main__":
    print(markdown(), end="")
