"""One call: the request that is sent, and how a response is read within bounds, verified and explained."""

import gzip
import json
import logging
import pickle
import re
import time
import traceback
import zlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from truth_table import Broken

from neptun_sdk import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    Dialect,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    NeptunTimeoutError,
    NotFoundError,
    Project,
    ProjectImport,
    ResponseError,
    ServerError,
    StatusError,
    UpdateNotVerifiedError,
)
from neptun_sdk.operations import Operation, Operations
from tests.conftest import CANARY, PROJECT, ClientFor, Respond
from tests.operations import made

Row = dict[str, object]

CALL = "update_project(user_id=1, project_id=123)"
ESCAPED_CANARY = "".join(f"\\u{ord(letter):04x}" for letter in CANARY)


def build_get(user_id: int, project_id: int) -> dict[str, Any]:
    """What the generator writes for an operation without a body."""
    return {"method": "get", "url": f"/api/users/{user_id}/projects/{project_id}"}


GET_PROJECT = made("get_project", build_get, Operations.UPDATE_PROJECT.facts._replace(method="GET"), Project)


def returning(content: bytes, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Respond:
    """Return this body to each request, as a stream: httpx decodes a body that it is given as bytes at once."""
    return lambda _: httpx.Response(status_code, stream=httpx.ByteStream(content), headers=headers)


def returning_json(document: object) -> Respond:
    return lambda _: httpx.Response(200, json=document)


def client_with(respond: Respond, **settings: Any) -> NeptunClient:
    transport = httpx.MockTransport(respond)
    return NeptunClient(CANARY, 1, transport=transport, **{"base_url": "https://neptun.test", **settings})


def test_a_request_carries_what_the_contract_asks_for(client_for: ClientFor) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        assert request.headers["Cookie"] == f"neptun-session={CANARY}"
        return httpx.Response(200, json={"project": PROJECT})

    client_for(respond).update_project(123, name="New name")
    assert (seen[0].method, str(seen[0].url)) == ("PATCH", "https://neptun.test/api/users/1/projects/123")
    assert (seen[0].headers["Accept"], seen[0].headers["Content-Type"]) == ("application/json", "application/json")
    assert seen[0].headers["Accept-Encoding"] == "gzip, deflate"
    assert re.fullmatch(r"neptun-sdk/\S+ contract/\S+ python/3\.\S+ httpx/\S+", seen[0].headers["User-Agent"])
    assert json.loads(seen[0].content) == {"name": "New name"}


def test_a_request_of_a_read_has_no_body(client_for: ClientFor) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"project": PROJECT})

    client = client_for(respond)
    client._call(GET_PROJECT, {"self": client, "project_id": 123})
    assert (seen[0].method, str(seen[0].url)) == ("GET", "https://neptun.test/api/users/1/projects/123")
    assert (seen[0].content, seen[0].headers["Accept"]) == (b"", "application/json")
    assert "Content-Type" not in seen[0].headers


def test_a_transport_gets_the_time_that_is_left_as_its_timeouts(client_for: ClientFor) -> None:
    seen: dict[str, float] = {}

    def respond(request: httpx.Request) -> httpx.Response:
        seen.update(request.extensions["timeout"])
        return httpx.Response(200, json={"project": PROJECT})

    client_for(respond).with_options(timeout=60).update_project(123, name="New name")
    assert sorted(seen) == ["connect", "pool", "read", "write"]
    assert all(30 < seconds <= 60 for seconds in seen.values())


def test_a_prefix_of_the_base_url_stays_before_the_path() -> None:
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"project": PROJECT})

    with client_with(respond, base_url="https://neptun.test:8443/a%20prefix/") as client:
        client.update_project(123, name="New name")
    assert seen == ["https://neptun.test:8443/a%20prefix/api/users/1/projects/123"]


PROVE_NOTHING: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "is not JSON (JSONDecodeError)"),
    "a login page": (b"<html><title>Sign in</title></html>", "is not JSON (JSONDecodeError)"),
    "not UTF-8": (b"\xff\xfe", "is not JSON (UnicodeDecodeError)"),
    "a NUL beside an escape": (b'{"project": "\0\\/"}', "is not JSON (JSONDecodeError)"),
    "NaN": (b'{"project": NaN}', "is not JSON (ValueError)"),
    "Infinity": (b'{"project": -Infinity}', "is not JSON (ValueError)"),
    "a number of 5,000 digits": (b"1" * 5000, "is not JSON (ValueError)"),
    "nested too deeply": (b"[" * 100_000, "is nested too deeply"),
    "an empty object": (b"{}", "is not a project (project: missing)"),
    "another API's JSON": (b'{"ok": true}', "is not a project (project: missing)"),
    "an array": (b"[]", "is not a project (project: missing)"),
    "null": (b"null", "is not a project (project: missing)"),
    "null as the project": (b'{"project": null}', "is not a project (project: missing)"),
    "text as the project": (b'{"project": "saved"}', "is not a project (project: expected an object, got str)"),
    "an empty project": (b'{"project": {}}', "is not a project (project.id: missing)"),
}


@pytest.mark.parametrize(("content", "problem"), PROVE_NOTHING.values(), ids=PROVE_NOTHING)
def test_a_200_outside_the_contract_leaves_open_what_was_applied(
    content: bytes, problem: str, client_for: ClientFor
) -> None:
    """It may come from a proxy or from another server, however good its status is."""
    with pytest.raises(ResponseError) as caught:
        client_for(returning(content)).update_project(123, name="New name")
    assert f"200, but the body {problem}. " in str(caught.value)
    assert (caught.value.applied, caught.value.status_code, caught.value.attempts) == (None, 200, 1)


# Changes to the project that a 200 returns, the fields that were sent, and whether the update was applied.
MALFORMED: dict[str, tuple[Row, dict[str, str], bool | None]] = {
    "a date": ({"created_at": "yesterday"}, {"name": "New name"}, True),
    "a field that was not sent": ({"description": 5}, {"name": "New name"}, True),
    "a date, with every field as sent": (
        {"updated_at": None},
        {"name": "New name", "description": "About it", "project_type": "web-site"},
        True,
    ),
    "a date, with a text cleared to null": ({"created_at": 0, "description": None}, {"description": ""}, True),
    "a date, with one field different": ({"created_at": 0}, {"name": "New name", "description": "Other"}, None),
    "a date, of another project": ({"created_at": 0, "id": 124}, {"name": "New name"}, None),
    "a date, of another user's project": ({"created_at": 0, "neptun_user_id": 2}, {"name": "New name"}, None),
    "the field that was sent": ({"name": 5}, {"name": "5"}, None),
    "a name cleared to null": ({"name": None}, {"name": ""}, None),
    "the id, as text": ({"id": "123"}, {"name": "New name"}, None),
    "the id, with a fraction": ({"id": 123.0}, {"name": "New name"}, None),
    "the user, true for 1": ({"neptun_user_id": True}, {"name": "New name"}, None),
}


@pytest.mark.parametrize(("changes", "fields", "applied"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_200_proves_an_update_if_it_holds_the_resource_as_sent(
    changes: Row, fields: dict[str, str], *, applied: bool | None, client_for: ClientFor
) -> None:
    with pytest.raises(ResponseError, match="is not a project") as caught:
        client_for(returning_json({"project": PROJECT | changes})).update_project(123, **fields)
    assert caught.value.applied is applied


OTHER_RESOURCES: dict[str, tuple[Row, str]] = {
    "id": ({"id": 124}, "id is 124, not 123"),
    "project_id": ({"project_id": 790}, "project_id is 790, not 789"),
    "neptun_user_id": ({"neptun_user_id": 2}, "neptun_user_id is 2, not 1"),
    "all of them": (
        {"id": 124, "project_id": 790, "neptun_user_id": 2},
        "neptun_user_id is 2, not 1; project_id is 790, not 789; id is 124, not 123",
    ),
    "an id of 4,000 digits": ({"id": 10**3_999}, f"id is 1{'0' * 299}…, not 123"),
}


@pytest.mark.parametrize(("changes", "problem"), OTHER_RESOURCES.values(), ids=OTHER_RESOURCES)
def test_a_response_about_another_resource_names_both(
    changes: Row, problem: str, client_for: ClientFor, project_import: Row
) -> None:
    respond = returning_json({"import": project_import | changes})
    with pytest.raises(
        ResponseError, match=re.escape(f"200, but the body is about another import ({problem}).")
    ) as caught:
        client_for(respond).update_project_import(789, 123, title="New title")
    assert caught.value.applied is None


def test_a_200_with_a_byte_order_mark_is_read(client_for: ClientFor) -> None:
    content = b"\xef\xbb\xbf" + json.dumps({"project": PROJECT}).encode()
    assert client_for(returning(content)).update_project(123, name="New name").name == "New name"


def test_a_field_that_came_back_different_is_not_passed_over(client_for: ClientFor) -> None:
    respond = returning_json({"project": PROJECT | {"project_type": "web-app"}})
    with pytest.raises(UpdateNotVerifiedError, match="project_type came back as 'web-app', not 'web-site'") as caught:
        client_for(respond).update_project(123, name="New name", project_type="web-site")
    assert caught.value.differences == {"project_type": ("web-site", "web-app")}
    assert isinstance(caught.value.resource, Project)
    assert (caught.value.operation, caught.value.applied) == ("update_project", None)


def test_a_field_that_did_not_come_back_is_not_passed_over(client_for: ClientFor, project_import: Row) -> None:
    del project_import["title"]
    with pytest.raises(UpdateNotVerifiedError, match="title came back as nothing, not 'Other'") as caught:
        client_for(returning_json({"import": project_import})).update_project_import(789, 123, title="Other")
    assert caught.value.differences == {"title": ("Other", None)}
    assert isinstance(caught.value.resource, ProjectImport)


def test_every_field_that_was_sent_is_verified(client_for: ClientFor, project_import: Row) -> None:
    changed = {"source_type": "a", "source_path": "b", "title": "c", "description": "d"}
    with pytest.raises(UpdateNotVerifiedError) as caught:
        client_for(returning_json({"import": project_import | changed})).update_project_import(
            789, 123, source_type="1", source_path="2", title="3", description="4"
        )
    assert caught.value.differences == {
        "source_type": ("1", "a"),
        "source_path": ("2", "b"),
        "title": ("3", "c"),
        "description": ("4", "d"),
    }


@pytest.mark.parametrize("cleared", ["", None], ids=["empty", "null"])
def test_a_cleared_text_may_come_back_empty_or_null(cleared: str | None, client_for: ClientFor) -> None:
    respond = returning_json({"project": PROJECT | {"description": cleared}})
    assert client_for(respond).update_project(123, description="").description == cleared


def test_a_cleared_text_may_be_absent(client_for: ClientFor, project_import: Row) -> None:
    del project_import["title"]
    respond = returning_json({"import": project_import})
    assert client_for(respond).update_project_import(789, 123, title="").title is None


def test_a_cleared_text_that_came_back_otherwise_is_not_passed_over(client_for: ClientFor) -> None:
    with pytest.raises(UpdateNotVerifiedError, match="description came back as 'About it', not ''"):
        client_for(returning_json({"project": PROJECT})).update_project(123, description="")


class Endless(httpx.SyncByteStream):
    """A body without end."""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            yield b" " * 65_536


def test_max_response_size_counts_bytes_as_decompressed() -> None:
    content = json.dumps({"project": PROJECT}).encode().ljust(100_000)
    compressed = returning(gzip.compress(content), headers={"Content-Encoding": "gzip"})
    with (
        client_with(compressed, max_response_size=99_999) as client,
        pytest.raises(ResponseError, match=r"max_response_size \(99,999 bytes\)"),
    ):
        client.update_project(123, name="New name")


def test_a_response_of_the_largest_size_is_read() -> None:
    content = json.dumps({"project": PROJECT}).encode().ljust(100_000)
    with client_with(returning(content), max_response_size=100_000) as client:
        assert client.update_project(123, name="New name").id == 123


CONTENT = json.dumps({"project": PROJECT | {"description": "About it" * 10_000}}).encode()
ENCODED: dict[str, tuple[str, bytes]] = {
    "none": ("", CONTENT),
    "identity": ("Identity", CONTENT),
    "gzip": ("gzip", gzip.compress(CONTENT)),
    "GZIP": (" GZIP ", gzip.compress(CONTENT)),
    "gzip, hardly compressed": ("gzip", gzip.compress(CONTENT, compresslevel=0)),
    "deflate": ("deflate", zlib.compress(CONTENT)),
}


@pytest.mark.parametrize(("encoding", "content"), ENCODED.values(), ids=ENCODED)
def test_a_compressed_response_is_read(encoding: str, content: bytes, client_for: ClientFor) -> None:
    client = client_for(returning(content, headers={"Content-Encoding": encoding}))
    assert client.update_project(123, name="New name").id == 123


NOT_ASKED_FOR: dict[str, tuple[str, str]] = {
    "br": ("br", "'br'"),
    "two in a row": ("gzip, gzip", "'gzip, gzip'"),
    "long": ("x" * 1_000, f"'{'x' * 40}'"),
    "the cookie": (CANARY, "'***'"),
}


@pytest.mark.parametrize(("encoding", "shown"), NOT_ASKED_FOR.values(), ids=NOT_ASKED_FOR)
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str, shown: str, client_for: ClientFor) -> None:
    """Only for the two that were asked for is it known how large a small body can become."""
    respond = returning(b"x", headers={"Content-Encoding": encoding})
    expected = f"200, but the body is encoded as {shown}, which was not asked for."
    with pytest.raises(ResponseError, match=re.escape(expected)) as caught:
        client_for(respond).update_project(123, name="New name")
    assert caught.value.applied is None


def test_the_body_is_closed_even_if_it_is_not_read_to_its_end() -> None:
    closed: list[bool] = []

    class Watched(Endless):
        def close(self) -> None:
            closed.append(True)

    headers = {"Content-Encoding": "gzip"}
    with (
        client_with(lambda _: httpx.Response(200, stream=Watched(), headers=headers)) as client,
        pytest.raises(ResponseError),
    ):
        client.update_project(123, name="New name")
    assert closed == [True]


def test_a_slow_transport_of_the_caller_ends_at_the_deadline() -> None:
    class Slow(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            yield b"{"
            time.sleep(0.1)
            yield b"}"

    with (
        client_with(lambda _: httpx.Response(200, stream=Slow()), timeout=0.1) as client,
        pytest.raises(NeptunTimeoutError, match="the time of the call is over") as caught,
    ):
        client.update_project(123, name="New name")
    assert (caught.value.status_code, caught.value.applied) == (200, None)


# What is in the body of a 500, and what the error keeps of it.
ERROR_BODIES: dict[str, tuple[bytes, object]] = {
    "JSON": (b'{"statusCode": 500, "message": "Oh"}', {"statusCode": 500, "message": "Oh"}),
    "JSON with a byte order mark": (b"\xef\xbb\xbf{}", {}),
    "arrays": (b"[[]]", [[]]),
    "objects, 100 levels": (b'{"a":' * 100 + b"1" + b"}" * 100, json.loads('{"a":' * 100 + "1" + "}" * 100)),
    "objects, 101 levels": (b'{"a":' * 101 + b"1" + b"}" * 101, '{"a":' * 101 + "1" + "}" * 101),
    "arrays, 101 levels": (b"[" * 101 + b"]" * 101, "[" * 101 + "]" * 101),
    "arrays without end": (b"[" * 100_000, "[" * 100_000),
    "NaN": (b"NaN", "NaN"),
    "text": (b"plain", "plain"),
    "text that is not UTF-8": (b"\xffplain", "\N{REPLACEMENT CHARACTER}plain"),
    "blank": (b" ", None),
    "empty": (b"", None),
}


@pytest.mark.parametrize(("content", "kept"), ERROR_BODIES.values(), ids=ERROR_BODIES)
def test_an_error_body_is_kept_as_json_else_text_else_none(content: bytes, kept: object, client_for: ClientFor) -> None:
    with pytest.raises(ServerError) as caught:
        client_for(returning(content, 500)).update_project(123, name="New name")
    assert caught.value.body == kept


ECHOES: dict[str, bytes] = {
    "a page": f"<title>Failed: neptun-session={CANARY}</title>".encode(),
    "JSON": json.dumps({"message": f"Failed: neptun-session={CANARY}", CANARY: [CANARY]}).encode(),
    "JSON with escapes": f'{{"message": "Failed: neptun-session={ESCAPED_CANARY}"}}'.encode(),
}


@pytest.mark.parametrize("content", ECHOES.values(), ids=ECHOES)
def test_an_error_body_that_echoes_the_cookie_is_masked(content: bytes, client_for: ClientFor) -> None:
    with pytest.raises(ServerError) as caught:
        client_for(returning(content, 500)).update_project(123, name="New name")
    assert caught.value.server_message == "Failed: neptun-session=***"
    assert CANARY not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize("text", [CANARY, ESCAPED_CANARY], ids=["plain", "escaped"])
def test_a_200_that_echoes_the_cookie_is_masked(text: str, client_for: ClientFor) -> None:
    content = json.dumps({"project": PROJECT | {"prompt_context": "here"}}).replace("here", text)
    project = client_for(returning(content.encode())).update_project(123, name="New name")
    assert project.extra == {"prompt_context": "***"}


def test_a_cookie_of_a_response_is_never_adopted(client_for: ClientFor) -> None:
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Cookie"])
        headers = {"Set-Cookie": "neptun-session=anonymous; Path=/"}
        if len(seen) == 1:
            return httpx.Response(401, headers=headers, json={"statusCode": 401, "message": "Unauthorized"})
        return httpx.Response(200, headers=headers, json={"project": PROJECT})

    client = client_for(respond)
    with pytest.raises(AuthenticationError):
        client.update_project(123, name="New name")
    client.update_project(123, name="New name")
    client.update_project(123, name="New name")
    assert seen == [f"neptun-session={CANARY}"] * 3


LOCATIONS = {"a URL": "https://elsewhere.test/login", "not a URL": "https://host:port/", "empty": ""}


@pytest.mark.parametrize("location", LOCATIONS.values(), ids=LOCATIONS)
def test_a_redirect_is_not_followed(location: str, client_for: ClientFor) -> None:
    seen: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(302, headers={"Location": location})

    with pytest.raises(ResponseError, match="302, a redirect") as caught:
        client_for(respond).update_project(123, name="New name")
    assert (caught.value.status_code, caught.value.__cause__) == (302, None)
    assert (caught.value.headers["location"], len(seen)) == (location, 1)


def test_an_exception_of_httpx_becomes_the_cause_without_the_cookie(client_for: ClientFor) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError(f"reset {CANARY}", request=request)

    with pytest.raises(
        NeptunConnectionError, match=r"https://neptun\.test broke.*\(ReadError: reset \*\*\*\)$"
    ) as caught:
        client_for(fail).with_options(max_retries=0).update_project(123, name="New name")
    cause = caught.value.__cause__
    assert isinstance(cause, httpx.ReadError)
    assert (cause.args, cause.__traceback__) == (("reset ***",), None)
    assert "Cookie" not in cause.request.headers


def test_an_error_whose_body_breaks_keeps_what_broke_it(client_for: ClientFor) -> None:
    client = client_for(lambda _: httpx.Response(500, stream=Broken())).with_options(max_retries=0)
    with pytest.raises(ServerError) as caught:
        client.update_project(123, name="New name")
    assert isinstance(caught.value.__cause__, httpx.ReadError)


def test_a_mock_that_refuses_a_request_is_no_connection_that_failed(client_for: ClientFor) -> None:
    """pytest-httpx raises the base class of the timeouts for a request that no test expects."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.TimeoutException("no response can be found")

    with pytest.raises(httpx.TimeoutException, match="no response can be found"):
        client_for(refuse).update_project(123, name="New name")


def test_an_interrupt_ends_the_call_and_shows_no_cookie(
    client_for: ClientFor, caplog: pytest.LogCaptureFixture
) -> None:
    def interrupt(_: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt(f"while sending {CANARY}")

    caplog.set_level(logging.DEBUG, logger="neptun_sdk")
    with pytest.raises(KeyboardInterrupt, match=r"^while sending \*\*\*$"):
        client_for(interrupt).update_project(123, name="New name")
    assert f"{CALL}: attempt 1: no response in " in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=10,
)
DATE_TIMES = st.datetimes().map(lambda moment: f"{moment.isoformat()}Z")
LIKELY: dict[str, st.SearchStrategy[object]] = {
    "id": st.just(123),
    "name": st.just("New name"),
    "title": st.just("New name"),
    "created_at": DATE_TIMES,
    "updated_at": DATE_TIMES,
    "neptun_user_id": st.just(1),
    "project_id": st.just(789),
}


def nearly_right(operation: Operation[Any]) -> st.SearchStrategy[object]:
    """Bodies whose fields may each be missing, right, or any JSON at all; and there may be one more field."""
    fields = {name: LIKELY.get(name, st.text()) | JSON for name in operation.resource_fields}
    return st.fixed_dictionaries({operation.envelope: st.fixed_dictionaries({}, optional={**fields, "more": JSON})})


OPERATIONS: dict[str, Operation[Any]] = {
    "project": Operations.UPDATE_PROJECT,
    "import": Operations.UPDATE_PROJECT_IMPORT,
}


@pytest.mark.soak
@pytest.mark.without_coverage
@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@given(data=st.data())
def test_any_json_as_a_200_gives_a_verified_resource_or_a_neptun_error(
    operation: Operation[Any], data: st.DataObject
) -> None:
    document = data.draw(JSON | nearly_right(operation))
    with client_with(returning_json(document)) as client:
        resource: object
        try:
            if operation is Operations.UPDATE_PROJECT:
                resource = client.update_project(123, name="New name")
            else:
                resource = client.update_project_import(789, 123, title="New name")
        except NeptunError as error:
            assert not isinstance(error, StatusError)  # noqa: PT017 - either outcome is right
        else:
            assert type(resource) is operation.resource


ESCAPES = {
    "letters": (r"\u0041\u007a", "Az"),
    "a quote": (r"\u0022", '"'),
    "a backslash": (r"\u005C", "\\"),
    "a short quote": (r"\" \u0041", '" A'),
    "a backslash before what looks like an escape": (r"\\u0041", r"\u0041"),
    "a slash": (r"\/", "/"),
    "a backslash before a slash": (r"\\/ \\\/", r"\/ \/"),
    "NUL": (r"\u0000 \/", "\0 /"),
    "a line break": (r"\n \/", "\n /"),
    "a control character": (r"\u0007", "\a"),
    "beyond ASCII": (r"\u00e9\ud83d\ude80", "\N{LATIN SMALL LETTER E WITH ACUTE}\N{ROCKET}"),
    "more than one piece": (r"\/" * 70_000, "/" * 70_000),
}


@pytest.mark.parametrize(("escaped", "text"), ESCAPES.values(), ids=ESCAPES)
def test_every_escape_of_json_is_read(escaped: str, text: str, project: Row, client_for: ClientFor) -> None:
    """Some are replaced before the JSON is decoded, because the cookie may be hidden in them."""
    body = json.dumps({"project": project | {"description": "ESCAPED"}}).replace("ESCAPED", escaped)
    client = client_for(returning(body.encode()))
    assert client.update_project(123, name="New name").description == text


RFC_3339 = {
    "lower case": ("2025-02-16t17:42:11.5z", datetime(2025, 2, 16, 17, 42, 11, 500_000, tzinfo=UTC)),
    "an offset": ("2025-02-16T17:42:11-05:30", datetime(2025, 2, 16, 23, 12, 11, tzinfo=UTC)),
    "nine digits": ("2025-02-16T17:42:11.123456789Z", datetime(2025, 2, 16, 17, 42, 11, 123_456, tzinfo=UTC)),
}


@pytest.mark.parametrize(("text", "moment"), RFC_3339.values(), ids=RFC_3339)
def test_a_date_time_is_read_as_rfc_3339_says(text: str, moment: datetime, project: Row, client_for: ClientFor) -> None:
    client = client_for(returning_json({"project": project | {"created_at": text}}))
    assert client.update_project(123, name="New name").created_at == moment


MEMORY = "takes more memory than max_response_size \\(100,000 bytes\\) allows"


def emoji_client(status: int, body: bytes) -> NeptunClient:
    return client_with(returning(body, status), max_response_size=100_000)


def emoji_body(row: Row, letters: int) -> bytes:
    """A single emoji makes every letter of a text take four bytes."""
    body = {"statusCode": 400, "message": "Invalid", "project": row | {"files": "a" * letters + "\N{ROCKET}"}}
    return json.dumps(body, ensure_ascii=False).encode()


def test_a_resource_that_takes_too_much_memory_is_refused(project: Row) -> None:
    body = emoji_body(project, 98_000)
    assert len(body) < 100_000
    with pytest.raises(ResponseError, match=MEMORY):
        emoji_client(200, body).update_project(123, name="New name")


@pytest.mark.parametrize("value", ["{},", "[],", "999,", '{"":0},', '"::::::",'])
def test_a_resource_of_many_small_values_is_refused(value: str, project: Row) -> None:
    """They take up to thirty times the memory of their JSON."""
    many = value * (60_000 // len(value))
    body = json.dumps({"project": project | {"files": ["MANY"]}}).replace('"MANY"', f"{many}0")
    with pytest.raises(ResponseError, match=MEMORY):
        emoji_client(200, body.encode()).update_project(123, name="New name")


def test_three_quarters_of_max_response_size_may_be_a_text_with_an_emoji(project: Row) -> None:
    body = emoji_body(project | {"name": "New name"}, 75_000)
    assert emoji_client(200, body).update_project(123, name="New name").extra["files"].endswith("\N{ROCKET}")


def test_an_error_that_would_take_too_much_memory_keeps_its_body_as_text(project: Row) -> None:
    body = emoji_body(project, 98_000)
    with pytest.raises(BadRequestError) as caught:
        emoji_client(400, body).update_project(123, name="New name")
    assert caught.value.body == body.decode()


def test_a_resource_that_is_nested_too_deeply_for_an_error_is_left_out(project: Row, client_for: ClientFor) -> None:
    """To pickle an error takes several frames for each level."""
    deep: object = 1
    for _ in range(600):
        deep = [deep]
    client = client_for(returning_json({"project": project | {"files": deep}}))
    assert client.update_project(123, name="New name").extra == {"files": deep}
    with pytest.raises(ResponseError, match="is nested more than 100 levels deep") as caught:
        client.update_project(123, name="Other")
    assert pickle.loads(pickle.dumps(caught.value)).applied is None  # noqa: S301 - our own


# Bare rows that are neither documented nor deployed, and what was sent in which dialect.
MIXED: dict[str, tuple[Row, Dialect]] = {
    "under the contract's names": (PROJECT, "documented"),
    "under both names": (PROJECT | {"type": "web-app", "main_language": "go"}, "documented"),
    "under both names, sent to a deployed server": (PROJECT | {"type": "web-app", "main_language": "go"}, "deployed"),
}


@pytest.mark.parametrize(("row", "dialect"), MIXED.values(), ids=MIXED)
def test_a_field_whose_name_is_in_the_response_was_not_dropped(row: Row, dialect: Dialect) -> None:
    """A server that has the name may have stored the value, and another writer may have changed it."""
    with client_with(returning_json(row), dialect=dialect) as client, pytest.raises(UpdateNotVerifiedError) as caught:
        client.update_project(123, project_type="web-service")
    assert caught.value.applied is None


class MyError(Exception):
    """An exception of the caller's transport."""


TRANSPORTS: dict[str, BaseException] = {
    "a mistake": KeyError("a mistake"),
    "of a library": MyError(f"sent {CANARY}"),
    "of httpx, but not of a transport": httpx.InvalidURL("no"),
    "of this SDK": NotFoundError("of another call", applied=False),
    "an argument that another call refused": ArgumentError("of another call", applied=False),
    "a group": ExceptionGroup("several", [MyError(CANARY)]),
    "an interrupt": KeyboardInterrupt(f"while sending {CANARY}"),
}


@pytest.mark.parametrize("exc", TRANSPORTS.values(), ids=TRANSPORTS)
def test_an_exception_of_the_callers_transport_is_raised_as_it_is(exc: BaseException) -> None:
    """It is a mistake, or another call's, and says nothing of this one: it is not sent again, and shows its line."""
    seen: list[str] = []

    def fail(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Cookie"])
        raise exc  # the line to look at

    with client_with(fail) as client, pytest.raises(type(exc)) as caught:
        client.update_project(123, name="New name")
    assert caught.value is exc
    assert len(seen) == 1
    shown = "".join(traceback.format_exception(exc))
    assert ("raise exc  # the line to look at" in shown) is isinstance(exc, Exception)
    assert CANARY not in f"{shown} {exc!r}"


def test_an_exception_of_a_transport_shows_no_frame_that_held_the_session() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        cookie = request.headers["Cookie"]
        raise MyError(len(cookie))

    with client_with(fail) as client, pytest.raises(MyError) as caught:
        client.update_project(123, name="New name")
    tb = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    assert CANARY not in "".join(tb.format())


HEADERS = {"X-Request-Id": "7", "X-Echo": f"a {CANARY} b", "Set-Cookie": "neptun-session=anonymous; Path=/"}
SHOWN = {"x-request-id": "7", "x-echo": "a *** b"}
EMPTY = httpx.ByteStream(b"")
# A status, a body and further headers, and the class of the error.
WITH_HEADERS: dict[str, tuple[int, httpx.SyncByteStream, dict[str, str], type[NeptunError]]] = {
    "404": (404, httpx.ByteStream(b'{"statusCode": 404, "message": "no"}'), {}, NotFoundError),
    "503": (503, EMPTY, {}, ServerError),
    "503, cut": (503, Broken(), {}, ServerError),
    "503, encoded": (503, EMPTY, {"Content-Encoding": "br"}, ServerError),
    "302": (302, EMPTY, {}, ResponseError),
    "204": (204, EMPTY, {}, ResponseError),
    "200 that is not JSON": (200, httpx.ByteStream(b"<html>"), {}, ResponseError),
    "200 that is encoded": (200, EMPTY, {"Content-Encoding": "br"}, ResponseError),
    "200, cut": (200, Broken(), {}, NeptunConnectionError),
    "200 about another": (200, httpx.ByteStream(json.dumps(PROJECT | {"id": 5}).encode()), {}, ResponseError),
    "200, unverified": (
        200,
        httpx.ByteStream(json.dumps(PROJECT | {"name": "x"}).encode()),
        {},
        UpdateNotVerifiedError,
    ),
}


@pytest.mark.parametrize(("status", "stream", "more", "kind"), WITH_HEADERS.values(), ids=WITH_HEADERS)
def test_every_error_that_had_a_response_has_its_status_and_headers(
    status: int, stream: httpx.SyncByteStream, more: dict[str, str], kind: type[NeptunError]
) -> None:
    """Names in lower case, values masked, and no cookie that the server sets."""
    respond: Respond = lambda _: httpx.Response(status, stream=stream, headers={**HEADERS, **more})  # noqa: E731
    with client_with(respond, max_retries=0) as client, pytest.raises(kind) as caught:
        client.update_project(123, name="New name")
    error: Any = caught.value
    assert error.status_code == status
    assert error.headers == SHOWN | {name.lower(): value for name, value in more.items()}


def test_a_resource_has_the_headers_of_its_response(client_for: ClientFor) -> None:
    content = json.dumps({"project": PROJECT}).encode()
    project = client_for(returning(content, headers=HEADERS)).update_project(123, name="New name")
    assert project.response_headers == SHOWN


def test_an_unverified_resource_has_them_too(client_for: ClientFor) -> None:
    client = client_for(returning(json.dumps({"project": PROJECT}).encode(), headers=HEADERS))
    with pytest.raises(UpdateNotVerifiedError) as caught:
        client.update_project(123, name="another")
    assert caught.value.resource is not None
    assert caught.value.resource.response_headers == SHOWN


def test_a_connection_that_never_answered_has_no_status_and_no_headers(client_for: ClientFor) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("")

    with pytest.raises(NeptunConnectionError) as caught:
        client_for(fail).with_options(max_retries=0).update_project(123, name="New name")
    assert (caught.value.status_code, caught.value.headers) == (None, {})


def test_a_transport_may_take_headers_off_a_request(client_for: ClientFor) -> None:
    """Recorders leave the cookie out of what they keep; the call must not fail by it after it was applied."""

    def respond(request: httpx.Request) -> httpx.Response:
        del request.headers["Cookie"]
        return httpx.Response(200, json={"project": PROJECT})

    assert client_for(respond).update_project(123, name="New name").id == 123
