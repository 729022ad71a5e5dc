"""The client: what it sends, what it refuses to send, where it may send it, and how it is closed."""

import inspect
import json
import logging
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

import neptun_sdk
from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, Answer

Make = Callable[[Answer], NeptunClient]
Row = dict[str, object]


@pytest.fixture
def sent(project: Row, project_import: Row, answering: Make) -> tuple[NeptunClient, list[httpx.Request]]:
    """A client, and the requests that it has sent; the answer holds every field as it was sent."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(httpx.Request(request.method, request.url, headers=request.headers, content=request.content))
        fields = json.loads(request.content)
        if request.method == "PATCH":
            return httpx.Response(200, json={"project": project | fields})
        return httpx.Response(200, json={"import": project_import | fields})

    return answering(answer), requests


def test_update_project_sends_only_the_fields_given(sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    client.update_project(123, name="Ünïcode 🚀", description="")
    assert (requests[0].method, requests[0].url.path) == ("PATCH", "/api/users/1/projects/123")
    assert json.loads(requests[0].content) == {"name": "Ünïcode 🚀", "description": ""}


def test_update_project_import_sends_only_the_fields_given(sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    client.update_project_import(789, 123, source_path="a/b")
    assert (requests[0].method, requests[0].url.path) == ("PUT", "/api/users/1/projects/789/resources/imports/123")
    assert json.loads(requests[0].content) == {"source_path": "a/b"}


def test_every_field_of_both_operations_is_sent(sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    project = {"name": "a", "description": "b", "project_type": "c", "programming_language": "d"}
    project_import = {"source_type": "a", "source_path": "b", "title": "c", "description": "d"}
    client.update_project(123, **project)
    client.update_project_import(789, 123, **project_import)
    assert [json.loads(request.content) for request in requests] == [project, project_import]


def test_a_request_has_the_headers_of_the_contract(sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    client.update_project(123, name="a")
    headers = requests[0].headers
    assert headers["Accept"] == headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "gzip, deflate"
    assert headers["Cookie"] == f"neptun-session={CANARY}"
    expected = rf"neptun-sdk/{re.escape(neptun_sdk.__version__)} python/3\.\S+ httpx/\S+"
    assert re.fullmatch(expected, headers["User-Agent"])


@pytest.mark.parametrize("wrong", [0, -1, True, "1", 1.0, None, "1\r\nX: 1"])
def test_an_id_that_is_no_positive_int_is_refused_before_anything_is_sent(
    wrong: object, sent: tuple[NeptunClient, list[httpx.Request]]
) -> None:
    client, requests = sent
    with pytest.raises(ArgumentError, match="update_project: project_id must be a positive int") as caught:
        client.update_project(wrong, name="a")  # type: ignore[arg-type]
    assert (caught.value.operation, caught.value.applied) == ("update_project", False)
    with pytest.raises(ArgumentError, match="import_id must be a positive int"):
        client.update_project_import(1, wrong, title="a")  # type: ignore[arg-type]
    assert requests == []


@pytest.mark.parametrize("wrong", [2**63, 10**5000], ids=["2**63", "5,001 digits"])
def test_an_id_that_no_server_counts_up_to_is_refused(
    wrong: int, sent: tuple[NeptunClient, list[httpx.Request]]
) -> None:
    client, requests = sent
    with pytest.raises(ArgumentError, match="update_project: project_id is larger than any id"):
        client.update_project(wrong, name="a")
    assert client.update_project(2**63 - 1, name="a").name == "a"
    assert len(requests) == 1


@pytest.mark.parametrize("wrong", [5, b"a", ["a"], True])
def test_a_field_that_is_no_text_is_refused(wrong: object, sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    with pytest.raises(ArgumentError, match="name must be a str, not"):
        client.update_project(1, name=wrong)  # type: ignore[arg-type]
    assert requests == []


def test_half_a_surrogate_pair_is_refused(sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    with pytest.raises(ArgumentError, match="half of a surrogate pair"):
        client.update_project(1, name="\ud800")
    assert requests == []


def test_an_update_of_nothing_is_refused(sent: tuple[NeptunClient, list[httpx.Request]]) -> None:
    client, requests = sent
    with pytest.raises(ArgumentError, match=r"no field to update was given.*source_type, source_path"):
        client.update_project_import(1, 1)
    assert requests == []


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://neptun.test", "https://neptun.test/api/users/1/projects/2"),
        ("https://neptun.test:8443/", "https://neptun.test:8443/api/users/1/projects/2"),
        ("https://neptun.test/neptun", "https://neptun.test/neptun/api/users/1/projects/2"),
        ("https://neptun.test/X/", "https://neptun.test/X/api/users/1/projects/2"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:3000/api/users/1/projects/2"),
        ("http://localhost:3000", "http://localhost:3000/api/users/1/projects/2"),
        ("http://[::1]:3000", "http://[::1]:3000/api/users/1/projects/2"),
    ],
)
def test_base_url_may_have_a_port_and_a_prefix(base_url: str, url: str, project: Row) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"project": project})

    with NeptunClient(CANARY, 1, base_url=base_url, transport=httpx.MockTransport(answer)) as client:
        client.update_project(2, name="New name")
    assert seen == [url]


def test_a_fault_names_the_server_without_the_prefix() -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    url = "https://neptun.test:8443/prefix/"
    with (
        NeptunClient(CANARY, 1, base_url=url, max_retries=0, transport=httpx.MockTransport(fail)) as client,
        pytest.raises(neptun_sdk.NeptunConnectionError, match=r"to https://neptun\.test:8443 \(refused\)"),
    ):
        client.update_project(1, name="a")


def test_a_timeout_ends_a_call_to_a_server_that_is_silent() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with (
            NeptunClient(CANARY, 1, base_url=f"http://127.0.0.1:{port}", timeout=0.05) as client,
            pytest.raises(neptun_sdk.NeptunTimeoutError) as caught,
        ):
            client.update_project(1, name="a")
    assert caught.value.applied is None


def test_a_redirect_is_not_followed(answering: Make) -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        return httpx.Response(307, headers={"Location": "https://elsewhere.test/"})

    with pytest.raises(neptun_sdk.ResponseError, match=r"redirected to 'https://elsewhere\.test/'"):
        answering(answer).update_project(1, name="a")
    assert seen == ["neptun.test"]


def test_another_session_uses_the_same_connections(neptun: Sandbox, client: NeptunClient) -> None:
    second = neptun.accounts[1]
    other = client.with_session(second.session_cookie, second.user_id)
    assert other.update_project(second.project_id, name="Theirs").neptun_user_id == 2
    assert client.update_project(neptun.project_id, name="Mine").neptun_user_id == 1
    other.close()
    assert client.update_project(neptun.project_id, name="Still mine").name == "Still mine"
    with pytest.raises(ArgumentError, match="closed"):
        other.update_project(second.project_id, name="Theirs")


def test_many_threads_may_share_a_client_and_no_session_is_mixed_up(neptun: Sandbox, client: NeptunClient) -> None:
    second = neptun.accounts[1]
    users = [
        (client, neptun.accounts[0]),
        (client.with_session(second.session_cookie, second.user_id), second),
    ]

    def update(number: int) -> tuple[int, int]:
        user, account = users[number % 2]
        return user.update_project(account.project_id, name="x").neptun_user_id, account.user_id

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(update, range(100)))
    assert len(answers) == 100
    assert all(answered == asked for answered, asked in answers)


def test_closing_a_client_ends_the_sessions_derived_from_it(neptun: Sandbox, client: NeptunClient) -> None:
    other = client.with_session(neptun.session_cookie, neptun.user_id)
    client.close()
    client.close()
    for closed in (client, other, client.with_session(CANARY, 1)):
        with pytest.raises(ArgumentError, match="update_project: this client is closed"):
            closed.update_project(neptun.project_id, name="x")


def test_a_client_derived_from_a_closed_one_is_closed_too(neptun: Sandbox, client: NeptunClient) -> None:
    derived = client.with_session(neptun.session_cookie, neptun.user_id)
    derived.close()
    with pytest.raises(ArgumentError, match="update_project: this client is closed"):
        derived.with_session(neptun.session_cookie, neptun.user_id).update_project(neptun.project_id, name="x")
    assert client.update_project(neptun.project_id, name="x").name == "x"


def test_a_transport_that_was_given_is_not_closed() -> None:
    class Transport(httpx.BaseTransport):
        closed = False

        def close(self) -> None:
            self.closed = True

    transport = Transport()
    NeptunClient(CANARY, 1, transport=transport).close()
    assert not transport.closed


def test_a_call_may_take_30_seconds_and_two_retries_by_default(answering: Make) -> None:
    parameters = inspect.signature(NeptunClient).parameters
    assert (parameters["timeout"].default, parameters["max_retries"].default) == (30.0, 2)
    left: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        left.append(request.extensions["timeout"]["read"])
        return httpx.Response(404)

    with pytest.raises(neptun_sdk.NotFoundError):
        answering(answer).update_project(1, name="a")
    assert 29 < left[0] <= 30


def test_a_client_shows_where_it_sends_and_for_whom(neptun: Sandbox, client: NeptunClient) -> None:
    session = "Session(user_id=1, cookie='***')"
    assert repr(client) == f"NeptunClient(base_url='{neptun.base_url}', dialect='documented', session={session})"
    refused = object.__new__(NeptunClient)  # as a traceback finds it whose arguments were refused
    assert repr(refused) == "<NeptunClient, of which an argument was refused>"


def test_a_client_never_shows_its_cookie(
    neptun: Sandbox, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    with NeptunClient(CANARY, 1, base_url=neptun.base_url) as client:
        with pytest.raises(neptun_sdk.AuthenticationError) as caught:
            client.update_project(neptun.project_id, name="x")
        shown = f"{client!r} {vars(client)} {caught.value!r} {vars(caught.value)} {caplog.text}{capsys.readouterr()}"
    assert "401" in shown
    assert CANARY not in shown
