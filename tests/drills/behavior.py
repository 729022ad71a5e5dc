"""What a caller may expect of the operations that a drill has added, in both dialects; a drill runs this in its copy.

This repository has none of them, so that methods are looked up by their names.
"""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import neptun_sdk
from neptun_sdk import ArgumentError, Dialect, NeptunClient, NeptunError
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, ClientFor
from tests.drills.additions import OPERATIONS, Operation

OF_CHANGES = re.compile(r"appl(y|ied)|chang|updat|creat|delet|send it again|same values|twice", re.IGNORECASE)
CALLS: dict[str, dict[str, Any]] = {
    "get_project": {"project_id": 789},
    "delete_project": {"project_id": 789},
    "delete_note": {"project_id": 789, "note_id": 1},
    "list_projects": {"page": 1},
    "create_project": {"name": "A new project", "project_type": "web-app"},
    "update_project_by_slug": {"slug": "sample", "if_match": '"1"', "name": "A new name"},
}
UNKNOWN: dict[str, dict[str, Any]] = {
    "get_project": {"project_id": 999},
    "delete_project": {"project_id": 999},
    "delete_note": {"note_id": 999},
    "update_project_by_slug": {"slug": "nothing"},
}
ADDED = [name for name in OPERATIONS if hasattr(NeptunClient, name)]
EVERY = pytest.mark.parametrize("name", ADDED)


def has(name: str) -> pytest.MarkDecorator:
    """Mark a test of one operation, which only one drill has added."""
    return pytest.mark.skipif(name not in ADDED, reason=f"there is no {name}")


def call(client: NeptunClient, name: str, /, **changes: Any) -> Any:
    return getattr(client, name)(**{**CALLS[name], **changes})


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    found: Dialect = request.param
    return found


@pytest.fixture
def server(dialect: Dialect) -> Iterator[Sandbox]:
    with Sandbox(dialect) as sandbox:
        yield sandbox


@pytest.fixture
def caller(server: Sandbox, dialect: Dialect) -> Iterator[NeptunClient]:
    session = (server.session_cookie, server.user_id)
    with NeptunClient(*session, base_url=server.base_url, dialect=dialect, max_retries=1) as client:
        yield client


def assert_speaks_of(operation: Operation, error: NeptunError, *, applied: bool | None) -> None:
    """Hold an error to what its reader expects: what happened to the change, and no word of one that only reads."""
    assert error.operation == operation.name
    words = str(error).removeprefix(operation.name)
    if operation.method == "get":
        assert (error.applied, OF_CHANGES.search(words)) == (None, None), error
        return
    outcome = {False: "was not applied", None: "may have been applied"}[applied]
    assert error.applied is applied
    assert f"The {operation.noun} {outcome}." in words, error


@EVERY
def test_it_returns_what_it_should(name: str, caller: NeptunClient) -> None:
    result = call(caller, name)
    expected = OPERATIONS[name].returns
    assert type(result).__name__ == (expected or "NoneType")


@EVERY
def test_an_unknown_session_is_refused(name: str, caller: NeptunClient, server: Sandbox) -> None:
    stranger = caller.with_session(CANARY, server.user_id)
    with pytest.raises(neptun_sdk.AuthenticationError, match="Log in to Neptun again") as caught:
        call(stranger, name)
    assert_speaks_of(OPERATIONS[name], caught.value, applied=False)


@pytest.mark.parametrize("name", [name for name in ADDED if name in UNKNOWN])
def test_what_does_not_exist_is_not_found(name: str, caller: NeptunClient, dialect: Dialect) -> None:
    """A deployed server has a 401 for it, which says that the session is valid."""
    expected = neptun_sdk.NotFoundError if dialect == "documented" else neptun_sdk.AuthenticationError
    with pytest.raises(expected, match=r"Check .*ids") as caught:
        call(caller, name, **UNKNOWN[name])
    assert_speaks_of(OPERATIONS[name], caught.value, applied=False)


@EVERY
def test_a_connection_that_breaks_is_reported(name: str, caller: NeptunClient, server: Sandbox) -> None:
    """What creates is not sent again: the first attempt may have done it."""
    server.fail_next(disconnect=True, times=2)
    with pytest.raises(neptun_sdk.NeptunConnectionError, match="broke before the response was complete") as caught:
        call(caller, name)
    assert_speaks_of(OPERATIONS[name], caught.value, applied=None)
    is_sent_again = OPERATIONS[name].method != "post"
    assert caught.value.attempts == len(server.requests) == (2 if is_sent_again else 1)
    expected = "Call again" if is_sent_again else "Check whether the creation was applied before you call again."
    assert expected in str(caught.value)


@pytest.mark.parametrize("name", [name for name in ADDED if OPERATIONS[name].method == "get"])
def test_a_read_whose_response_is_lost_is_sent_again(name: str, caller: NeptunClient, server: Sandbox) -> None:
    server.fail_next(status=None, disconnect=True)
    call(caller, name)
    assert len(server.requests) == 2


@EVERY
def test_a_timeout_is_reported(name: str, caller: NeptunClient, server: Sandbox) -> None:
    server.fail_next(status=None, delay=5)
    with pytest.raises(neptun_sdk.NeptunTimeoutError) as caught:
        call(caller.with_options(timeout=0.2), name)
    assert_speaks_of(OPERATIONS[name], caught.value, applied=None)


@EVERY
def test_a_failure_of_the_server_is_reported(name: str, caller: NeptunClient, server: Sandbox) -> None:
    server.fail_next(500)
    with pytest.raises(neptun_sdk.ServerError, match=": 500 ") as caught:
        call(caller, name)
    assert_speaks_of(OPERATIONS[name], caught.value, applied=None)


@EVERY
def test_an_argument_is_checked_before_anything_is_sent(name: str, caller: NeptunClient, server: Sandbox) -> None:
    for argument in CALLS[name]:
        with pytest.raises(ArgumentError, match=f"{name}: {argument} ") as caught:
            call(caller, name, **{argument: b"7"})
        assert caught.value.applied is (None if OPERATIONS[name].method == "get" else False)
    assert server.requests == []


# ---- what only reads


@has("get_project")
def test_it_reads_what_an_update_stored(caller: NeptunClient, server: Sandbox) -> None:
    caller.update_project(server.project_id, name="A new name", project_type="web-app")
    project = call(caller, "get_project")
    assert (project.name, project.project_type) == ("A new name", "web-app")


class _Broken(httpx.SyncByteStream):
    """A body that breaks off."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"project": '
        raise httpx.ReadError("reset")


@has("get_project")
def test_a_read_that_breaks_within_a_success_is_retried(client_for: ClientFor, project: dict[str, object]) -> None:
    """A change is not sent again after the head of a success, because it was probably applied; a read is."""
    row = {**project, "id": 789}
    responses = iter([httpx.Response(200, stream=_Broken()), httpx.Response(200, json={"project": row})])
    client = client_for(lambda _: next(responses))
    assert call(client, "get_project").id == 789
    assert list(responses) == []


@has("list_projects")
def test_a_list_is_filtered_and_paged(caller: NeptunClient, server: Sandbox) -> None:
    for number in range(3):
        server.add_project(name=f"Found {number}")
    found = call(caller, "list_projects", page=2, per_page=2, q="found")
    assert (found.page, found.total, [project.name for project in found.projects]) == (2, 3, ["Found 2"])


@has("list_projects")
def test_a_query_is_sent_as_it_was_given(client_for: ClientFor) -> None:
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"projects": [], "total": 0, "page": 1})

    call(client_for(respond), "list_projects", page=None, type_="web-app", q="a&b=ü #1\r\n")
    assert sent[0].url.params.multi_items() == [("type", "web-app"), ("q", "a&b=ü #1\r\n")]
    assert sent[0].url.path == "/api/users/1/projects"


@has("list_projects")
def test_a_value_that_an_enum_does_not_have_is_refused(caller: NeptunClient, server: Sandbox) -> None:
    with pytest.raises(ArgumentError, match=r"list_projects: type_ must be 'web-app' or 'web-site'"):
        call(caller, "list_projects", type_="web-service")
    assert server.requests == []


# ---- what deletes


@has("delete_project")
def test_what_was_deleted_is_gone(caller: NeptunClient, server: Sandbox) -> None:
    call(caller, "delete_project")
    with pytest.raises(LookupError):
        server.project(789)


@pytest.mark.parametrize("name", [name for name in ADDED if name.startswith("delete_")])
def test_a_deletion_whose_response_is_lost_says_that_it_was_probably_applied(
    name: str, caller: NeptunClient, server: Sandbox, dialect: Dialect
) -> None:
    server.fail_next(status=None, disconnect=True)
    with pytest.raises(neptun_sdk.StatusError) as caught:
        call(caller, name)
    assert_speaks_of(OPERATIONS[name], caught.value, applied=None)
    if dialect == "documented":
        assert "An earlier attempt of this call has probably deleted it" in str(caught.value)


@has("delete_note")
@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, json={"success": False}),
        httpx.Response(200, json={"success": "true"}),
        httpx.Response(200, json={}),
        httpx.Response(200, html="<p>Log in</p>"),
        httpx.Response(204),
    ],
    ids=["false", "a text", "nothing", "a page", "another status"],
)
def test_a_deletion_that_does_not_say_success_is_none(response: httpx.Response, client_for: ClientFor) -> None:
    with pytest.raises(neptun_sdk.ResponseError) as caught:
        call(client_for(lambda _: response), "delete_note")
    assert_speaks_of(OPERATIONS["delete_note"], caught.value, applied=None)


# ---- what creates


@has("create_project")
def test_what_is_created_is_verified_and_stored(caller: NeptunClient, server: Sandbox) -> None:
    project = call(caller, "create_project", description="About it")
    assert (project.name, project.project_type, project.description) == ("A new project", "web-app", "About it")
    assert server.project(project.id)["name"] == "A new project"


@has("create_project")
@pytest.mark.parametrize("missing", ["name", "project_type"])
def test_what_a_creation_requires_cannot_be_left_out(missing: str, caller: NeptunClient, server: Sandbox) -> None:
    with pytest.raises(ArgumentError, match=f"create_project: {missing} "):
        call(caller, "create_project", **{missing: None})
    assert server.requests == []


@has("create_project")
def test_a_creation_whose_response_is_lost_is_made_once(caller: NeptunClient, server: Sandbox) -> None:
    server.fail_next(status=None, disconnect=True)
    with pytest.raises(neptun_sdk.NeptunConnectionError) as caught:
        call(caller, "create_project")
    assert_speaks_of(OPERATIONS["create_project"], caught.value, applied=None)
    assert len(server.requests) == 1


@has("create_project")
def test_a_creation_is_sent_again_where_its_caller_says_so(caller: NeptunClient, server: Sandbox) -> None:
    server.fail_next(status=None, disconnect=True)
    project = call(caller.with_options(resend=True), "create_project")
    first, second = project.id - 1, project.id
    assert [server.project(each)["name"] for each in (first, second)] == ["A new project", "A new project"]


@has("create_project")
@pytest.mark.parametrize("status", [409, 422])
def test_a_problem_of_rfc_9457_is_understood(status: int, client_for: ClientFor) -> None:
    problem = {
        "type": "about:blank",
        "title": "Refused",
        "status": status,
        "detail": "The name is taken.",
        "errors": [{"detail": "is taken", "pointer": "#/name"}],
    }
    headers = {"Content-Type": "application/problem+json"}
    client = client_for(lambda _: httpx.Response(status, json=problem, headers=headers))
    expected = getattr(neptun_sdk, {409: "ConflictError", 422: "UnprocessableError"}[status])
    with pytest.raises(expected, match=f": {status} The name is taken") as caught:
        call(client, "create_project")
    assert_speaks_of(OPERATIONS["create_project"], caught.value, applied=False)
    assert "proxy" not in str(caught.value)
    if status == 422:
        assert getattr(caught.value, "fields", {}) == {"name": "is taken"}


# ---- what updates on a condition


def remember(request: httpx.Request, sent: list[httpx.Request]) -> httpx.Response:
    sent.append(request)
    return httpx.Response(500)


@has("update_project_by_slug")
def test_an_update_of_what_has_changed_is_refused(caller: NeptunClient) -> None:
    call(caller, "update_project_by_slug")
    with pytest.raises(neptun_sdk.StatusError, match=r": 412 .* Read the resource again") as caught:
        call(caller, "update_project_by_slug", name="Another name")
    assert type(caught.value).__name__ == "PreconditionFailedError"
    assert_speaks_of(OPERATIONS["update_project_by_slug"], caught.value, applied=False)


@has("update_project_by_slug")
def test_a_condition_that_the_first_attempt_has_changed_says_that_it_may_have(
    caller: NeptunClient, server: Sandbox
) -> None:
    """The response was lost, and the second attempt finds another version than the one that its caller had read."""
    server.fail_next(status=None, disconnect=True)
    with pytest.raises(neptun_sdk.StatusError, match=": 412 ") as caught:
        call(caller, "update_project_by_slug")
    assert_speaks_of(OPERATIONS["update_project_by_slug"], caught.value, applied=None)


@has("update_project_by_slug")
@pytest.mark.parametrize("slug", ["", ".", "..", f"a {CANARY}", "\ud800"])
def test_a_slug_that_is_no_segment_of_a_path_is_refused(slug: str, client_for: ClientFor) -> None:
    sent: list[httpx.Request] = []
    client = client_for(lambda request: remember(request, sent))
    with pytest.raises(ArgumentError, match="update_project_by_slug: slug ") as caught:
        call(client, "update_project_by_slug", slug=slug)
    assert (sent, CANARY in str(caught.value)) == ([], False)


@has("update_project_by_slug")
@pytest.mark.parametrize("tag", ['"1"\r\nX-Evil: 1', '"ü"', f'"{CANARY}"'])
def test_a_header_that_is_not_visible_ascii_is_refused(tag: str, client_for: ClientFor) -> None:
    sent: list[httpx.Request] = []
    client = client_for(lambda request: remember(request, sent))
    with pytest.raises(ArgumentError) as caught:
        call(client, "update_project_by_slug", if_match=tag)
    assert (sent, CANARY in str(caught.value)) == ([], False)


@has("update_project_by_slug")
def test_a_slug_is_one_segment_and_a_tag_is_sent_as_it_is(client_for: ClientFor, project: dict[str, object]) -> None:
    sent: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={"project": {**project, "name": "A new name"}})

    call(client_for(respond), "update_project_by_slug", slug="a/../b?c=ü", if_match='W/"7"')
    assert sent[0].url.raw_path == b"/api/projects/a%2F..%2Fb%3Fc%3D%C3%BC"
    assert sent[0].headers["if-match"] == 'W/"7"'
