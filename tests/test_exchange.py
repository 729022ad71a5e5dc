"""One call on the wire: only a 200 that the contract describes is read, and it is read whole, bounded and checked."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neptun_sdk import (
    AuthenticationError,
    NeptunClient,
    NeptunConnectionError,
    NeptunError,
    Project,
    ProjectImport,
    ResponseError,
    ServerError,
    StatusError,
    UpdateNotAppliedError,
)
from neptun_sdk.exchange import MAX_ANSWER
from neptun_sdk.models import ENVELOPES, contract_fields
from tests.conftest import CANARY, Answer

Make = Callable[[Answer], NeptunClient]
Row = dict[str, object]


def body(content: bytes, status_code: int = 200) -> Answer:
    return lambda request: httpx.Response(status_code, content=content)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "it is not JSON"),
        (b"<html>", "it is not JSON"),
        (b"\xff\xfe", "it is not JSON"),
        (b'{"project": NaN}', "it is not JSON"),
        (b"1" * 5000, "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"{}", "project: missing"),
        (b'{"project": {}}', "project.id: missing"),
    ],
)
def test_a_200_outside_the_contract_says_what_is_wrong_and_that_it_was_applied(
    content: bytes, problem: str, answering: Make
) -> None:
    with pytest.raises(ResponseError, match=re.escape(problem)) as caught:
        answering(body(content)).update_project(123, name="New name")
    assert (caught.value.applied, caught.value.status_code) == (True, 200)
    assert "The update was applied. Do not send it again" in str(caught.value)


def test_a_200_with_a_byte_order_mark_is_read(project: Row, answering: Make) -> None:
    content = b"\xef\xbb\xbf" + json.dumps({"project": project}).encode()
    assert answering(body(content)).update_project(123, name="New name").name == "New name"


@pytest.mark.parametrize(("status_code", "applied"), [(200, True), (404, False), (503, None)])
def test_an_answer_that_is_too_large_is_refused(status_code: int, applied: bool | None, answering: Make) -> None:
    class Endless(httpx.SyncByteStream):
        def __iter__(self) -> Iterator[bytes]:
            while True:
                yield b" " * 65_536

    client = answering(lambda request: httpx.Response(status_code, stream=Endless()))
    with pytest.raises(ResponseError, match="larger than 8 MiB") as caught:
        client.update_project(123, name="New name")
    assert caught.value.applied is applied


def test_an_answer_of_the_largest_size_is_read(project: Row, answering: Make) -> None:
    content = json.dumps({"project": project}).encode().ljust(MAX_ANSWER)
    assert answering(body(content)).update_project(123, name="New name").id == 123


def test_a_fault_keeps_its_cause_and_shows_no_cookie(answering: Make) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset", request=request)

    with pytest.raises(NeptunConnectionError, match=r"https://neptun\.test broke") as caught:
        answering(fail).update_project(123, name="New name")
    cause = caught.value.__cause__
    assert isinstance(cause, httpx.ReadError)
    assert "Cookie" not in cause.request.headers


def test_a_body_that_cannot_be_unpacked_is_outside_the_contract(answering: Make) -> None:
    headers = {"Content-Encoding": "gzip"}
    client = answering(lambda request: httpx.Response(200, headers=headers, stream=httpx.ByteStream(b"not gzip")))
    with pytest.raises(ResponseError, match="decompressed") as caught:
        client.update_project(123, name="New name")
    assert caught.value.applied is True


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b'{"statusCode": 500, "message": "Oh"}', {"statusCode": 500, "message": "Oh"}),
        (b"\xef\xbb\xbf{}", {}),
        (b"[" * 101 + b"]" * 101, "[" * 101 + "]" * 101),
        (b"[[]]", [[]]),
        (b'{"a":' * 100 + b"1" + b"}" * 100, json.loads('{"a":' * 100 + "1" + "}" * 100)),
        (b'{"a":' * 101 + b"1" + b"}" * 101, '{"a":' * 101 + "1" + "}" * 101),
        (b"plain", "plain"),
        (b"\xffplain", "\N{REPLACEMENT CHARACTER}plain"),
        (b"[" * 100_000, "[" * 100_000),
        (b" ", None),
    ],
)
def test_an_error_body_is_kept_as_json_else_text_else_none(content: bytes, kept: object, answering: Make) -> None:
    with pytest.raises(ServerError) as caught:
        answering(body(content, 500)).update_project(123, name="New name")
    assert caught.value.body == kept


def test_an_error_page_that_echoes_the_cookie_does_not_leak_it(answering: Make) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500, text=f"<title>Failed: {request.headers['Cookie']}</title>")

    with pytest.raises(ServerError) as caught:
        answering(echo).update_project(123, name="New name")
    assert CANARY not in f"{caught.value} {vars(caught.value)}"
    assert caught.value.message == "Failed: neptun-session=***"


def test_a_cookie_of_an_answer_is_never_adopted(project: Row, answering: Make) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Cookie"])
        headers = {"Set-Cookie": "neptun-session=anonymous; Path=/"}
        if len(seen) == 1:
            return httpx.Response(401, headers=headers, json={"statusCode": 401, "message": "Unauthorized"})
        return httpx.Response(200, headers=headers, json={"project": project})

    client = answering(answer)
    with pytest.raises(AuthenticationError):
        client.update_project(123, name="New name")
    client.update_project(123, name="New name")
    client.update_project(123, name="New name")
    assert seen == [f"neptun-session={CANARY}"] * 3


def test_a_redirect_whose_location_is_no_url_is_still_a_redirect(answering: Make) -> None:
    client = answering(lambda request: httpx.Response(302, headers={"Location": "https://host:port/"}))
    with pytest.raises(ResponseError, match="302: the server redirected") as caught:
        client.update_project(123, name="New name")
    assert (caught.value.status_code, caught.value.__cause__) == (302, None)


def test_a_field_that_came_back_different_is_not_passed_over(project: Row, answering: Make) -> None:
    answer = json.dumps({"project": project | {"project_type": "web-app"}}).encode()
    with pytest.raises(UpdateNotAppliedError, match=r"did not apply project_type.*Applied: name") as caught:
        answering(body(answer)).update_project(123, name="New name", project_type="web-site")
    error = caught.value
    assert error.ignored == {"project_type": ("web-site", "web-app")}
    assert isinstance(error.resource, Project)
    assert (error.operation, error.applied) == ("update_project", False)


def test_an_update_of_which_nothing_came_back_was_not_applied(project_import: Row, answering: Make) -> None:
    project_import["title"] = None
    answer = json.dumps({"import": project_import}).encode()
    with pytest.raises(UpdateNotAppliedError, match="Nothing that was sent was applied") as caught:
        answering(body(answer)).update_project_import(789, 123, title="Other")
    assert caught.value.ignored == {"title": ("Other", None)}
    assert isinstance(caught.value.resource, ProjectImport)
    assert caught.value.applied is False


@pytest.mark.parametrize("cleared", ["", None])
def test_a_cleared_text_may_come_back_empty_or_null(cleared: str | None, project: Row, answering: Make) -> None:
    answer = json.dumps({"project": project | {"description": cleared}}).encode()
    assert answering(body(answer)).update_project(123, description="").description == cleared


def test_each_request_is_one_debug_record(project: Row, answering: Make, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    answering(body(json.dumps({"project": project}).encode())).update_project(123, name="New name")
    records = [record for record in caplog.records if record.name == "neptun_sdk"]
    assert len(records) == 1
    assert re.fullmatch(
        r"update_project\(user_id=1, project_id=123\): attempt 1: 200 in \d+ ms", records[0].getMessage()
    )
    assert CANARY not in caplog.text


def test_a_record_says_how_many_milliseconds_an_attempt_took(
    project: Row, answering: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        time.sleep(0.05)
        return httpx.Response(200, json={"project": project})

    caplog.set_level(logging.DEBUG, logger="neptun_sdk")
    answering(answer).update_project(123, name="New name")
    assert 50 <= int(caplog.messages[0].split(" in ")[1].split()[0]) < 5_000


def test_what_a_transport_of_the_callers_own_raises_is_the_callers_and_logged_as_no_answer(
    answering: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise KeyError("a bug in a test")

    caplog.set_level(logging.DEBUG, logger="neptun_sdk")
    with pytest.raises(KeyError):
        answering(fail).update_project(123, name="New name")
    assert ": attempt 1: no answer in " in caplog.text


def test_a_failed_request_is_logged_with_its_fault(answering: Make, caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    caplog.set_level(logging.DEBUG, logger="neptun_sdk")
    with pytest.raises(NeptunConnectionError):
        answering(fail).update_project(123, name="New name")
    assert "ConnectError in" in caplog.text


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


def near(resource: type[Project] | type[ProjectImport]) -> st.SearchStrategy[object]:
    """Bodies that are almost right: each field may be missing, right, or any JSON at all; and there may be one more."""
    fields = {field.name: LIKELY.get(field.name, st.text()) | JSON for field in contract_fields(resource)}
    return st.fixed_dictionaries({ENVELOPES[resource]: st.fixed_dictionaries({}, optional={**fields, "more": JSON})})


@pytest.mark.parametrize("resource", [Project, ProjectImport])
@given(data=st.data())
def test_any_json_as_a_200_gives_a_resource_or_a_neptun_error(
    resource: type[Project] | type[ProjectImport], data: st.DataObject
) -> None:
    document = data.draw(JSON | near(resource))
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=document))
    with NeptunClient(CANARY, 1, base_url="https://neptun.test", transport=transport) as client:
        try:
            if resource is Project:
                assert isinstance(client.update_project(123, name="New name"), Project)
            else:
                assert isinstance(client.update_project_import(789, 123, title="New name"), ProjectImport)
        except NeptunError as error:
            assert not isinstance(error, StatusError)  # noqa: PT017
