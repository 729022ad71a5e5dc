"""The text of each kind of error, whole: the call, what happened, whether it was applied, and what to do next."""

import json
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import httpx
import pytest
import truth_table
from truth_table import deployed_row, enveloped

from neptun_sdk import (
    CONTRACT,
    BadRequestError,
    Dialect,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NotFoundError,
    ResponseError,
)
from neptun_sdk.operations import Operation, Operations
from neptun_sdk.outcomes import DIFFERENT, Outcome, of_exception
from neptun_sdk.texts import error_of, printable
from tests.conftest import CANARY, PROJECT
from tests.operations import DELETE, call_of, reading

# What comes back: a response, an exception, or what makes a response or the JSON of a 200 from the request.
Answer = httpx.Response | Exception | Callable[[httpx.Request], object]

PATCH, PUT = "update_project", "update_project_import"
IDS = {PATCH: {"project_id": 123}, PUT: {"project_id": 789, "import_id": 123}}
FIELDS: Mapping[str, Mapping[str, Any]] = {
    PATCH: {"name": "a", "project_type": "b", "description": "c"},
    PUT: {"source_path": "a"},
}
PAGE = "<html><head><title>Sign in</title></head></html>"


class Case(NamedTuple):
    """What comes back, and what the error then says after the name of the call."""

    answer: Answer
    text: str
    operation: str = PATCH
    fields: Mapping[str, Any] | None = None
    ids: Mapping[str, int] | None = None
    dialect: Dialect = "documented"


def call(case: Case, *before: httpx.Response, read: bool = False) -> NeptunError:
    """Make the call, perhaps as one that only reads, and return its error."""
    left = list(before)

    def respond(request: httpx.Request) -> httpx.Response:
        if left:
            return left.pop(0)
        if isinstance(case.answer, Exception):
            raise case.answer
        made = case.answer(request) if callable(case.answer) else case.answer
        return made if isinstance(made, httpx.Response) else httpx.Response(200, json=made)

    client = NeptunClient(
        CANARY,
        1,
        base_url="https://neptun.test",
        transport=httpx.MockTransport(respond),
        max_retries=len(before),
        dialect=case.dialect,
    )
    ids = case.ids or IDS[case.operation]
    fields: Mapping[str, Any] = {} if read else case.fields or FIELDS[case.operation]

    def make(**arguments: Any) -> object:
        if read:
            return client._call(READING[case.operation], {"self": client, **arguments})
        return getattr(client, case.operation)(**arguments)

    with client, pytest.raises(NeptunError) as caught:
        make(**ids, **fields)
    return caught.value


READING = {PATCH: reading(Operations.UPDATE_PROJECT), PUT: reading(Operations.UPDATE_PROJECT_IMPORT)}


def answer(status: int, body: object = None, **headers: str) -> httpx.Response:
    if isinstance(body, str):
        return httpx.Response(status, text=body, headers=headers)
    return httpx.Response(status, json=body, headers=headers) if body else httpx.Response(status, headers=headers)


def documented(status: int, message: str) -> httpx.Response:
    return answer(status, {"statusCode": status, "message": message})


def handler(status: int, message: str) -> httpx.Response:
    return answer(status, {"statusCode": status, "statusMessage": message, "stack": []})


def thrown(status: int, message: str) -> httpx.Response:
    return answer(status, {"error": True, "statusCode": status, "statusMessage": "Server Error", "message": message})


def issues(*found: object) -> httpx.Response:
    return answer(400, {"statusCode": 400, "data": {"issues": list(found)}})


def project(**changes: object) -> Answer:
    return lambda request: enveloped(request, **changes)


NOT_NEPTUN = "something other than Neptun has probably responded"
MAYBE, NOT = "The update may have been applied.", "The update was not applied."
REFUSED = f"{NOT} Check base_url, and any proxy on the way."
OR_THE_WAY = "If that does not help, check base_url, and any proxy on the way."
REDIRECT = f"{MAYBE} Check base_url (http for https, another host, a missing path), and the session."
NUL = f"{NOT} Leave out the NUL character: a deployed server cannot store it."
NO_SESSION = (
    f"the session is missing, unknown or expired. {NOT} Log in to Neptun again and pass the new neptun-session cookie."
)
STATUSES: dict[str, Case] = {
    "400": Case(documented(400, "Bad Request"), f"400 Bad Request. {NOT} Correct the arguments and call again."),
    "400 with problems": Case(
        issues({"path": ["name"], "message": "No."}, {"path": ["type"], "message": "Not that."}),
        f"400 Bad Request. {NOT} name: No. project_type: Not that. Correct the arguments and call again.",
    ),
    "400 with long problems": Case(
        issues(*({"path": [name], "message": name * 300} for name in "abc")),
        f"400 Bad Request. {NOT} a: {'a' * 300}. b: {'b' * 291}… Correct the arguments and call again.",
    ),
    "400 of something else": Case(answer(400, PAGE), f"400 Sign in: {NOT_NEPTUN}. {REFUSED}"),
    "401 as published": Case(documented(401, "Unauthorized"), f"401 Unauthorized: {NO_SESSION}"),
    "401 thrown by a deployed server": Case(thrown(401, "Unauthorized"), f"401 Unauthorized: {NO_SESSION}"),
    "401 of a deployed server's handler": Case(
        handler(401, "Unauthorized."),
        f"401 Unauthorized: the session is valid, but the resource does not exist or is not this user's. {NOT} Check "
        "user_id and the other ids.",
    ),
    "401 of something else": Case(
        answer(401, {"error": "invalid_token"}), f"401 invalid_token: {NOT_NEPTUN}. {REFUSED}"
    ),
    "403": Case(
        documented(403, "Forbidden"),
        f"403 Forbidden: the session belongs to another user. {NOT} Pass the user_id of the session's own user.",
    ),
    "404": Case(documented(404, "Project not found"), f"404 Project not found. {NOT} Check the ids."),
    "404 of an import": Case(documented(404, "None"), f"404 None. {NOT} Check the ids.", PUT),
    "404 of a deployed server's handler for an import": Case(
        handler(404, "Not Found."),
        f"404 Not Found: there is no such resource, or a deployed server's database failed. {MAYBE} Check the ids, and "
        "call again: sending the same values twice is safe.",
        PUT,
    ),
    "404 of a route": Case(
        thrown(404, "Page not found: /neptun/api"),
        f"404 Page not found: /neptun/api. {NOT} Check the path of base_url: the server has no such route.",
    ),
    # A proxy may have put its own page in the place of a deployed server's 404.
    "404 of something else for an import": Case(
        answer(404, PAGE),
        f"404 Sign in: {NOT_NEPTUN}. {MAYBE} Check base_url, and any proxy on the way; then call again: sending the "
        "same values twice is safe.",
        PUT,
    ),
    "404 to a NUL": Case(handler(404, "Not Found."), f"404 Not Found. {NUL}", PUT, {"source_path": "a\0b"}),
    "408": Case(documented(408, "Request Timeout"), f"408 Request Timeout. {MAYBE} Call again later."),
    "408 of something else": Case(
        answer(408, PAGE), f"408 Sign in: {NOT_NEPTUN}. {MAYBE} Call again later. {OR_THE_WAY}"
    ),
    "409": Case(documented(409, "Conflict"), f"409 Conflict. {NOT} Check base_url and the arguments."),
    "413": Case(
        documented(413, "Payload Too Large"),
        f"413 Payload Too Large. {NOT} Shorten the texts: a deployed server takes less than 2,000,000 bytes in "
        "update_project_import.",
        PUT,
    ),
    "413 of a project": Case(
        documented(413, "Payload Too Large"),
        f"413 Payload Too Large. {NOT} Shorten the texts: no request of this size is allowed.",
    ),
    "429": Case(
        answer(429), f"429 Too Many Requests: {NOT_NEPTUN}. {NOT} Call again later, and less often. {OR_THE_WAY}"
    ),
    "429 that asks to wait": Case(
        answer(429, **{"Retry-After": "6.5, 7"}),
        f"429 Too Many Requests: {NOT_NEPTUN}. {NOT} Call again after 7 s. {OR_THE_WAY}",
    ),
    "429 that asks to wait part of a second": Case(
        answer(429, **{"Retry-After": "0.1"}),
        f"429 Too Many Requests: {NOT_NEPTUN}. {NOT} Call again after 1 s. {OR_THE_WAY}",
    ),
    "429 that asks to wait 0 s": Case(
        answer(429, **{"Retry-After": "0"}),
        f"429 Too Many Requests: {NOT_NEPTUN}. {NOT} Call again later, and less often. {OR_THE_WAY}",
    ),
    "429 whose body cannot be decompressed": Case(
        lambda _: truth_table.unreadable(429)["not gzip"],
        "429 Too Many Requests (its body cannot be decompressed (Error -3 while decompressing data: incorrect header "
        f"check)). {NOT} Call again later, and less often.",
    ),
    "500": Case(documented(500, "Oh"), f"500 Oh. {MAYBE} Call again later."),
    "500 to fields that a deployed server does not know": Case(
        handler(500, "Internal Server Error."),
        f"500 Internal Server Error. {MAYBE} A deployed server returns this if it knows none of the fields sent "
        "(project_type, programming_language); if this is one, set dialect='deployed' (NEPTUN_DIALECT=deployed).",
        fields={"project_type": "web-site", "programming_language": "go"},
    ),
    "500 to a known field and another": Case(
        handler(500, "Internal Server Error."), f"500 Internal Server Error. {MAYBE} Call again later."
    ),
    "500 to fields under their deployed names": Case(
        handler(500, "Internal Server Error."),
        f"500 Internal Server Error. {MAYBE} Call again later.",
        fields={"project_type": "web-site"},
        dialect="deployed",
    ),
    "500 thrown for an id beyond the database's": Case(
        thrown(500, "Server Error"),
        f"500 Server Error. {NOT} Check the ids: a deployed server has none above 2147483647.",
        ids={"project_id": 2_147_483_648},
    ),
    "500 thrown for the largest id": Case(
        thrown(500, "Server Error"),
        f"500 Server Error. {MAYBE} Call again later.",
        ids={"project_id": 2_147_483_647},
    ),
    "500 of a handler for an id beyond the database's": Case(
        handler(500, "Oh."), f"500 Oh. {MAYBE} Call again later.", ids={"project_id": 2_147_483_648}
    ),
    "500 to a NUL": Case(handler(500, "Oh."), f"500 Oh. {NUL}", fields={"name": "a\0b"}),
    "502 of something else": Case(
        answer(502, {"detail": "no upstream"}),
        f"502 no upstream: {NOT_NEPTUN}. {MAYBE} Call again later. {OR_THE_WAY}",
    ),
    "503 that asks to wait": Case(
        answer(503, **{"Retry-After": "7"}),
        f"503 Service Unavailable: {NOT_NEPTUN}. {MAYBE} Call again after 7 s. {OR_THE_WAY}",
    ),
    "503 whose body is cut": Case(
        lambda _: truth_table.unreadable(503)["cut"],
        f"503 Service Unavailable (its body did not come as a whole). {MAYBE} Call again later.",
    ),
    "504 that asks to wait": Case(
        answer(504, **{"Retry-After": "7"}),
        f"504 Gateway Timeout: {NOT_NEPTUN}. {MAYBE} Call again later. {OR_THE_WAY}",
    ),
    "599": Case(answer(599), f"599 (no message): {NOT_NEPTUN}. {MAYBE} Call again later. {OR_THE_WAY}"),
}
CA = "Check base_url and, for a private CA, SSL_CERT_FILE or ssl_context."
STRICT = (
    "The CA lacks what Python requires from 3.13 on: renew its certificate, or pass an ssl_context without "
    "ssl.VERIFY_X509_STRICT."
)
AGAIN = "Call again: sending the same values twice is safe."
EXCEPTIONS: dict[str, Case] = {
    "connection refused": Case(
        httpx.ConnectError("[Errno 111] Connection refused"),
        f"cannot connect to https://neptun.test. {NOT} Check base_url. (ConnectError: [Errno 111] Connection refused)",
    ),
    "connection failed without a word": Case(
        httpx.ConnectError(""), f"cannot connect to https://neptun.test. {NOT} Check base_url. (ConnectError)"
    ),
    "certificate refused": Case(
        httpx.ConnectError("CERTIFICATE_VERIFY_FAILED: self-signed"),
        f"cannot connect to https://neptun.test. {NOT} {CA} (ConnectError: CERTIFICATE_VERIFY_FAILED: self-signed)",
    ),
    "proxy of a caller's transport": Case(
        httpx.ProxyError("407 Proxy Authentication Required"),
        f"cannot connect to https://neptun.test. {NOT} Check the proxy. (ProxyError: 407 Proxy Authentication "
        "Required)",
    ),
    "connect timeout": Case(
        httpx.ConnectTimeout("timed out"),
        f"timed out after N s waiting for https://neptun.test. {NOT} {AGAIN} (ConnectTimeout: timed out)",
    ),
    "read timeout": Case(
        httpx.ReadTimeout(""), f"timed out after N s waiting for https://neptun.test. {MAYBE} {AGAIN} (ReadTimeout)"
    ),
    # The caller's own threads hold the connections: the server is not to blame.
    "no free connection": Case(
        httpx.PoolTimeout(""),
        f"no connection became free within N s. {NOT} Make fewer calls at once, or allow a longer timeout. "
        "(PoolTimeout)",
    ),
    "connection reset": Case(
        httpx.ReadError("reset\r\nby peer."),
        f"the connection to https://neptun.test broke before the response was complete. {MAYBE} {AGAIN} (ReadError: "
        "reset by peer)",
    ),
    "200 whose body is cut": Case(
        lambda _: truth_table.unreadable(200)["cut"],
        f"the connection to https://neptun.test broke before the response was complete. {MAYBE} {AGAIN} (ReadError: "
        "connection reset)",
    ),
    "error of the system": Case(
        OSError(24, "Too many open files"),
        f"the connection to https://neptun.test failed. {MAYBE} {AGAIN} (OSError: [Errno 24] Too many open files)",
    ),
}
CHECK = f"Check that base_url is a Neptun server and that this SDK is up to date. (contract {CONTRACT})"
OUTSIDE: dict[str, Case] = {
    "204": Case(
        answer(204),
        f"204, which the contract does not know. {MAYBE} Check that base_url is a Neptun server. (contract {CONTRACT})",
    ),
    "302 to a login page": Case(
        answer(302, Location="https://user:secret@elsewhere.test/login?token=secret#secret"),
        f"302, a redirect to 'https://elsewhere.test/login', and redirects are not followed. {REDIRECT} (contract "
        f"{CONTRACT})",
    ),
    "399 without a target": Case(
        answer(399), f"399, a redirect, and redirects are not followed. {REDIRECT} (contract {CONTRACT})"
    ),
    "300 to something that is not a URL": Case(
        answer(300, Location="https://host:port"),
        f"300, a redirect, and redirects are not followed. {REDIRECT} (contract {CONTRACT})",
    ),
    "302 that is encoded": Case(
        lambda _: truth_table.unreadable(302)["encoded as br"],
        f"302, a redirect, and redirects are not followed (its body is encoded as 'br', which was not asked for). "
        f"{REDIRECT} (contract {CONTRACT})",
    ),
    "200 that is not JSON": Case(
        answer(200, PAGE), f"200, but the body is not JSON (JSONDecodeError). {MAYBE} {CHECK}"
    ),
    "200 without an import": Case(
        lambda _: {}, f"200, but the body is not an import (import: missing). {MAYBE} {CHECK}", PUT
    ),
    "200 about another project": Case(
        project(id=124), f"200, but the body is about another project (id is 124, not 123). {MAYBE} {CHECK}"
    ),
    "200 that shows the update": Case(
        project(created_at="yesterday"),
        "200, but the body is not a project (project.created_at: expected a date-time with a time zone, got "
        f"'yesterday'). The update was applied. Do not send it again. {CHECK}",
    ),
    "200 that is too large": Case(
        lambda _: httpx.Response(200, stream=httpx.ByteStream(b" " * (2**24 + 1))),
        "200, but the body is larger than max_response_size (16,777,216 bytes); raise that to read it. "
        f"{MAYBE} {CHECK}",
    ),
}
LONG = "ab" * 150
COMPARE = "Compare error.resource with what you want: another writer, or the server, may have changed it."
SET_DEPLOYED = "The server speaks the deployed dialect: set dialect='deployed' (NEPTUN_DIALECT=deployed)."
UNVERIFIED: dict[str, Case] = {
    "one field of three": Case(
        project(project_type="c"),
        f"200, but project_type came back as 'c', not 'b'. It may have been applied; name, description were. {COMPARE}",
    ),
    "one field of two": Case(
        project(name="Ünïcode 🚀\n"),
        "200, but name came back as 'Ünïcode 🚀\\n', not 'a'. It may have been applied; project_type was. " + COMPARE,
        fields={"name": "a", "project_type": "b"},
    ),
    "every field": Case(
        project(name="", project_type="c", description=None),
        "200, but name came back as '', not 'a'; description came back as nothing, not 'c'; project_type came back as "
        f"'c', not 'b'. They may have been applied. {COMPARE}",
    ),
    "a field dropped": Case(
        deployed_row,
        "200, but project_type came back as 'web-site', not 'b'. It was not applied; name, description were. "
        + SET_DEPLOYED,
    ),
    "every field dropped": Case(
        lambda request: deployed_row(request),
        "200, but title came back as nothing, not 'a'; description came back as nothing, not ''. They were not "
        f"applied. {SET_DEPLOYED}",
        PUT,
        {"title": "a", "description": ""},
    ),
    "a field dropped, and one changed": Case(
        lambda request: deployed_row(request, name="x"),
        "200, but name came back as 'x', not 'a'; project_type came back as 'web-site', not 'b'. project_type was not "
        f"applied, name may have been; description was. {SET_DEPLOYED}",
    ),
    "a field dropped, and two changed": Case(
        lambda request: deployed_row(request, name="x", description=None),
        "200, but name came back as 'x', not 'a'; description came back as nothing, not 'c'; project_type came back as "
        "'web-site', not 'b'. project_type was not applied, name, description may have been. " + SET_DEPLOYED,
    ),
    "a field under the other name": Case(
        lambda _: {"project": {**PROJECT, "project_type": "x"}},
        "200, but project_type came back as 'x', not 'b'. It was not applied. The server speaks the documented "
        "dialect: set dialect='documented' (NEPTUN_DIALECT=documented).",
        fields={"project_type": "b"},
        dialect="deployed",
    ),
    "texts of 80 characters": Case(
        project(name="b" * 80),
        f"200, but name came back as '{'b' * 80}', not '{'a' * 80}'. It may have been applied. {COMPARE}",
        fields={"name": "a" * 80},
    ),
    "texts of 81 characters": Case(
        project(name="b" * 81),
        f"200, but name came back as 81 characters, not 81: from character 1 on '{'b' * 40}', not '{'a' * 40}'. It may "
        f"have been applied. {COMPARE}",
        fields={"name": "a" * 81},
    ),
    "truncated at 255": Case(
        project(name=LONG[:255]),
        "200, but name came back as 255 characters, not 300: from character 256 on '', not "
        f"'{LONG[255:295]}'. It may have been applied. {COMPARE}",
        fields={"name": LONG},
    ),
    "a long text that did not come back": Case(
        project(description=None),
        f"200, but description came back as nothing, not '{'a' * 80}…'. It may have been applied. {COMPARE}",
        fields={"description": "a" * 81},
    ),
}
ALL = {**STATUSES, **EXCEPTIONS, **OUTSIDE, **UNVERIFIED}


def without_seconds(error: NeptunError) -> str:
    return re.sub(r"(after|within) [0-9.]+ s(?! \()(?=[ .]w|\.)", r"\1 N s", str(error), count=1)


@pytest.mark.parametrize("case", ALL.values(), ids=ALL)
def test_a_text_says_what_happened_the_outcome_and_what_to_do_next(case: Case) -> None:
    ids = {"user_id": 1, **(case.ids or IDS[case.operation])}
    named = ", ".join(f"{name}={value}" for name, value in ids.items())
    error = call(case)
    text = without_seconds(error) if isinstance(case.answer, httpx.TimeoutException) else str(error)
    assert text == f"{case.operation}({named}): {case.text}"


WITHOUT_FIELDS = {
    "a reading": (READING[PATCH], "Call again. (ReadError: reset)"),
    "a deletion": (DELETE, "Call again: sending it twice is safe. (ReadError: reset)"),
}


@pytest.mark.parametrize(("operation", "end"), WITHOUT_FIELDS.values(), ids=WITHOUT_FIELDS)
def test_the_next_step_of_a_call_without_fields_does_not_speak_of_values(operation: Operation[Any], end: str) -> None:
    info = call_of(operation, {"project_id": 123})
    outcome = of_exception(info, httpx.ReadError("reset"))
    assert str(error_of(info, outcome, origin="https://neptun.test", proxy_name="", elapsed=0)).endswith(f" {end}")


def test_a_value_that_is_no_text_is_shown_as_python_writes_it() -> None:
    info = call_of(Operations.UPDATE_PROJECT, {"project_id": 123, "name": "New name"})
    differences = {"count": (5, None), "sizes": ([1], list(range(100)))}
    outcome: Outcome[Any] = Outcome(rule=DIFFERENT, status_code=200, differences=differences)
    text = str(error_of(info, outcome, origin="https://neptun.test", proxy_name="", elapsed=0))
    sizes = repr(list(range(100)))[:80]
    assert f"200, but count came back as nothing, not 5; sizes came back as {sizes}…, not [1]. They may have" in text


# One of each kind, after an attempt that may have been applied.
SECOND = {
    "an error status": (STATUSES["404"], f"404 Project not found (2 attempts). {MAYBE} Check the ids."),
    "an exception": (
        EXCEPTIONS["connection failed without a word"],
        f"cannot connect to https://neptun.test (2 attempts). {MAYBE} Check base_url. (ConnectError)",
    ),
    "a 200": (
        OUTSIDE["200 that is not JSON"],
        f"200, but the body is not JSON (JSONDecodeError) (2 attempts). {MAYBE}",
    ),
    "a NUL": (STATUSES["500 to a NUL"], f"500 Oh (2 attempts). {NUL}"),
    "dropped fields": (UNVERIFIED["a field dropped"], "not 'b' (2 attempts). It was not applied; name, description"),
}


@pytest.mark.parametrize(("case", "text"), SECOND.values(), ids=SECOND)
def test_a_text_counts_the_attempts(case: Case, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.uniform", lambda *_: 0.0)
    error = call(case, httpx.Response(503))
    assert text in str(error)
    assert error.attempts == 2


READ = {**STATUSES, **EXCEPTIONS, **OUTSIDE}
del READ["200 about another project"], READ["200 that shows the update"]  # they repeat what was sent


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_no_text_of_a_read_speaks_of_an_update(case: Case) -> None:
    """Nothing was to be applied, and nothing is to be sent again with care."""
    error = call(case, read=True)
    operation, _, text = str(error).partition("): ")
    assert operation.startswith("get_project")
    assert not re.search(r"appl(y|ied)|chang|updated?\b|\bsen[dt]|same values", text.replace("up to date", ""))
    assert error.applied is None


def test_a_malformed_200_of_a_read_does_not_speak_of_an_update() -> None:
    respond = httpx.MockTransport(lambda _: httpx.Response(200, json={"project": {"id": "no"}}))
    with NeptunClient(CANARY, 1, transport=respond) as client, pytest.raises(ResponseError) as caught:
        client._call(READING[PATCH], {"self": client, "project_id": 123})
    problem = "200, but the body is not a project (project.id: expected int, got str)"
    assert str(caught.value) == f"get_project(user_id=1, project_id=123): {problem}. {CHECK}"


def test_the_client_that_was_closed_says_so() -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        client.close()
        raise httpx.ReadError("closed")

    client = NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=httpx.MockTransport(respond))
    with pytest.raises(NeptunConnectionError) as caught:
        client.update_project(123, name="a")
    text = f"the client was closed during the call. {MAYBE} Close a client when its calls have ended."
    assert str(caught.value) == f"update_project(user_id=1, project_id=123): {text}"


SECONDS = {0.0504: "0.05", 0.9999: "1", 1.2603: "1.3", 30.004: "30", 86_400.26: "86400.3"}


@pytest.mark.parametrize(("elapsed", "shown"), SECONDS.items(), ids=map(str, SECONDS))
def test_a_timeout_says_after_how_long(elapsed: float, shown: str) -> None:
    info = call_of(Operations.UPDATE_PROJECT, {"project_id": 123, "name": "a"})
    outcome = of_exception(info, httpx.ReadTimeout(""))
    assert f" after {shown} s " in str(error_of(info, outcome, origin="", proxy_name="", elapsed=elapsed))


PROXIES = {
    "of an argument": ("proxy", "refused", ". {} Check the proxy."),
    "of a variable": ("ALL_PROXY", "refused", " of ALL_PROXY. {} Check that variable and the proxy."),
    "TLS fails behind it": ("ALL_PROXY", "[SSL: CERTIFICATE_VERIFY_FAILED] no", " of ALL_PROXY. {} " + CA),
    "a CA that is too old": ("", "CERTIFICATE_VERIFY_FAILED: Missing Authority Key Identifier", "{} " + STRICT),
}


@pytest.mark.parametrize(("name", "words", "text"), PROXIES.values(), ids=PROXIES)
def test_a_proxy_is_named_by_what_names_it(name: str, words: str, text: str) -> None:
    """Never by its URL, which may hold a password."""
    info = call_of(Operations.UPDATE_PROJECT, {"project_id": 123, "name": "a"})
    outcome = of_exception(info, httpx.ConnectError(words))
    error = error_of(info, outcome, origin="https://neptun.test", proxy_name=name, elapsed=1)
    through = f" through the proxy{text}" if name else f". {text}"
    expected = f"cannot connect to https://neptun.test{through.format(NOT)} (ConnectError: {words})"
    assert str(error) == f"update_project(user_id=1, project_id=123): {expected}"


MESSAGES: dict[str, tuple[object, str]] = {
    "published": ({"statusCode": 404, "message": "Project not found."}, "Project not found"),
    "thrown": ({"error": True, "statusMessage": "Server Error", "message": "Unauthorized"}, "Unauthorized"),
    "by a handler": ({"statusCode": 404, "statusMessage": "Not there."}, "Not there"),
    "error as a word": ({"error": "not_found"}, "not_found"),
    "detail": ({"detail": "None such"}, "None such"),
    "empty": ({"message": ""}, "Not Found"),
    "a number": ({"message": 5}, "Not Found"),
    "an array": ([1, 2], "Not Found"),
    "no body": (None, "Not Found"),
    "text": ("upstream\n  unavailable", "upstream unavailable"),
    "a page": ("<html><head><TITLE>404 | Gone\n astray</TITLE></head>", "404 | Gone astray"),
    "a page after blanks": (" \n<html><title>Blank first</title>", "Blank first"),
    "a page without a title": ("<html>no title</html>", "Not Found"),
    "a page whose title begins too far down": (f"<html>{' ' * 10_000}<title>Late</title>", "Not Found"),
    "301 characters": ("x" * 301, "x" * 300 + "…"),
    "control characters": ({"message": "red \x1b[31m \ud800 alert\r\n"}, "red [31m alert"),
    "nothing but control characters": ({"message": "\0."}, "Not Found"),
}


@pytest.mark.parametrize(("body", "message"), MESSAGES.values(), ids=MESSAGES)
def test_the_server_message_is_the_best_of_a_body(body: object, message: str) -> None:
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    error = call(Case(httpx.Response(404, text=text), ""))
    assert isinstance(error, NotFoundError)
    assert error.server_message == message


PROBLEMS: dict[str, tuple[object, dict[str, str]]] = {
    "one": ([{"path": ["name"], "message": "Too short."}], {"name": "Too short"}),
    "of a deployed server": ([{"path": ["main_language"], "message": "No"}], {"programming_language": "No"}),
    "inside a field": ([{"path": ["file_tree", 0], "message": "Required"}], {"file_tree.0": "Required"}),
    "two of one field": (
        [{"path": ["name"], "message": "Too short"}, {"path": ["name"], "message": "Too plain"}],
        {"name": "Too short; Too plain"},
    ),
    "twice the same": ([{"path": ["name"], "message": "Too short"}] * 2, {"name": "Too short"}),
    "without a message": ([{"path": ["name"]}], {"name": "invalid"}),
    "of the whole body": ([{"path": [], "message": "of the whole body"}], {}),
    "without a path": ([{"message": "no path"}], {}),
    "that is not an object": (["not an object"], {}),
    "a path that is not an array": ([{"path": "name", "message": "No"}], {}),
    "not an array": ("none", {}),
    "20 fields and more": (
        [{"path": [f"f{number}"], "message": "No"} for number in range(25)],
        {f"f{number}": "No" for number in range(20)},
    ),
    "a long message": ([{"path": ["name"], "message": "x" * 301}], {"name": "x" * 300 + "…"}),
    "long messages": (
        [{"path": ["name"], "message": letter * 200} for letter in "xyz"],
        {"name": "x" * 200 + "; " + "y" * 98 + "…"},
    ),
    "a long path": ([{"path": ["x" * 81, *range(9)]}], {"x" * 80 + "….0.1.2.3": "invalid"}),
    "control characters": ([{"path": ["\x1b[31m"], "message": "\x1b[0m"}], {"[31m": "[0m"}),
}


def fields_of(body: object) -> Mapping[str, str]:
    error = call(Case(httpx.Response(400, json=body), ""))
    assert isinstance(error, BadRequestError)
    return error.fields


@pytest.mark.parametrize(("found", "fields"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_problems_of_a_400_are_listed_by_field(found: object, fields: dict[str, str]) -> None:
    assert fields_of({"statusCode": 400, "data": {"issues": found}}) == fields


@pytest.mark.soak
@pytest.mark.parametrize("body", [None, "text", [], {}, {"data": None}], ids=repr)
def test_a_400_without_a_list_of_problems_has_no_fields(body: object) -> None:
    assert fields_of(body) == {}


def test_170_000_problems_take_little_time_and_text() -> None:
    found = [{"path": [f"field{number}"], "message": "Too short"} for number in range(170_000)]
    response = httpx.Response(400, json={"statusCode": 400, "data": {"issues": found}})
    began = time.process_time()
    error = call(Case(response, ""))
    assert time.process_time() - began < 2
    assert len(str(error)) < 1_000


HUGE = "x" * 1_000_000
TEXTS_FROM_OUTSIDE: dict[str, Case] = {
    "server message": Case(httpx.Response(500, json={"message": HUGE}), ""),
    "title of a page": Case(httpx.Response(500, text=f"<title>{HUGE[:9_000]}</title>"), ""),
    "names of fields": Case(issues(*[{"path": [HUGE] * 99, "message": HUGE}] * 2), ""),
    "many fields": Case(issues(*({"path": [number], "message": HUGE[:9_000]} for number in range(20))), ""),
    "location": Case(httpx.Response(302, headers={"location": f"https://elsewhere.test/{HUGE[:60_000]}"}), ""),
    "exception": Case(httpx.ReadError(HUGE), ""),
    "fields": Case(project(name=f"{HUGE}y", description=f"{HUGE}y", project_type=f"{HUGE}y"), ""),
    "an id": Case(project(id=10**3_999), ""),
}


@pytest.mark.parametrize("case", TEXTS_FROM_OUTSIDE.values(), ids=TEXTS_FROM_OUTSIDE)
def test_a_text_from_outside_is_never_the_bulk_of_a_message(case: Case) -> None:
    assert len(str(call(case))) < 1_100


PRINTABLE: dict[str, tuple[str, str]] = {
    "full stop": ("Not found.", "Not found"),
    "several lines": ("  Not\r\n\tfound ", "Not found"),
    "control characters": ("\x1b[31mred\x07", "[31mred"),
    "a lone surrogate": ("a\ud800b", "a b"),
    "direction marks": ("a\u202eb", "a b"),
    "other scripts": ("Проект не найден 🚀", "Проект не найден 🚀"),
    "300 characters": ("x" * 300, "x" * 300),
    "301 characters": ("x" * 301, "x" * 300 + "…"),
    "blanks only": (" \n ", ""),
}


@pytest.mark.parametrize(("text", "shown"), PRINTABLE.values(), ids=PRINTABLE)
def test_a_text_from_outside_becomes_one_printable_line(text: str, shown: str) -> None:
    assert printable(text) == shown
