"""The client: how it is made, shared, derived and closed, what it sends, and what it refuses to send."""

import copy
import inspect
import json
import logging
import pickle
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, get_args, get_type_hints

import httpx
import pytest

import neptun_sdk
from neptun_sdk import ArgumentError, NeptunClient, Project
from neptun_sdk._contract import Facts
from neptun_sdk.bulk import bulk_update
from neptun_sdk.operations import Operation
from neptun_sdk.sandbox import Sandbox
from tests.conftest import CANARY, TIMEOUTS
from tests.faults.raw_server import RawServer, receive, response
from tests.operations import made

Resource = dict[str, object]

URL = "https://neptun.test"
THEIRS = "Fe26.2**the-session-of-another-user"


@pytest.fixture
def respond(project: Resource, project_import: Resource) -> Callable[[httpx.Request], httpx.Response]:
    """Return the resource that a request asks for, with every field as it was sent."""

    def respond(request: httpx.Request) -> httpx.Response:
        _, _, _, user_id, *_ = request.url.path.removeprefix("/prefix").split("/")
        changes = {"neptun_user_id": int(user_id), **json.loads(request.content)}
        if request.method == "PATCH":
            project_id = int(request.url.path.rsplit("/", 1)[1])
            return httpx.Response(200, json={"project": project | {"id": project_id} | changes})
        return httpx.Response(200, json={"import": project_import | changes})

    return respond


@pytest.fixture
def requests() -> list[httpx.Request]:
    """The requests that came in, each as it was when it did: afterwards the client takes the cookie off again."""
    return []


@pytest.fixture
def transport(requests: list[httpx.Request], respond: Callable[[httpx.Request], httpx.Response]) -> httpx.BaseTransport:
    def record(request: httpx.Request) -> httpx.Response:
        copied = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        requests.append(copied)
        copied.extensions = request.extensions
        return respond(request)

    return httpx.MockTransport(record)


@pytest.fixture
def mine(transport: httpx.BaseTransport) -> Iterator[NeptunClient]:
    """A client of user 1."""
    with NeptunClient(CANARY, 1, base_url=URL, transport=transport) as client:
        yield client


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that has a session of its own in the environment."""
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", CANARY)
    monkeypatch.setenv("NEPTUN_USER_ID", "99")


class Tenant(NeptunClient):
    """A subclass with an attribute of its own."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.tenant = "acme"


# What is sent


def test_update_project_sends_only_the_fields_given(mine: NeptunClient, requests: list[httpx.Request]) -> None:
    mine.update_project(123, name="Ünïcode 🚀", description="")
    assert (requests[0].method, requests[0].url.path) == ("PATCH", "/api/users/1/projects/123")
    assert json.loads(requests[0].content) == {"name": "Ünïcode 🚀", "description": ""}


# What is refused


def test_the_largest_id_is_sent(mine: NeptunClient) -> None:
    assert mine.update_project(2**63 - 1, name="a").id == 2**63 - 1


def build_get(user_id: int, project_id: int) -> dict[str, Any]:
    return {"method": "get", "url": f"/api/users/{user_id}/projects/{project_id}"}


# An operation that only reads, of which the contract has none.
GET_PROJECT: Operation[Project] = made("get_project", build_get, Facts("GET", 200, "project", True, {}), Project)


class Reader(NeptunClient):
    """A client with a method for it."""

    def get_project(self, project_id: int) -> Project:
        return self._call(GET_PROJECT, locals())


def test_an_operation_that_reads_sends_no_body(project: Resource) -> None:
    sent: list[tuple[str, str, bytes]] = []

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append((request.method, request.url.path, request.content))
        return httpx.Response(200, json={"project": project})

    with Reader(CANARY, 1, base_url=URL, transport=httpx.MockTransport(respond)) as client:
        assert client.get_project(123).id == 123
    assert sent == [("GET", "/api/users/1/projects/123", b"")]


def test_an_operation_that_reads_knows_of_no_update(transport: httpx.BaseTransport) -> None:
    with (
        Reader(CANARY, 1, base_url=URL, transport=transport) as client,
        pytest.raises(ArgumentError, match="get_project: project_id must be a positive int") as caught,
    ):
        client.get_project(0)
    assert caught.value.applied is None


# Where it is sent

BASE_URLS = {
    "plain": ("https://neptun.test", "https://neptun.test/api/users/1/projects/2"),
    "port and slash": ("https://neptun.test:8443/", "https://neptun.test:8443/api/users/1/projects/2"),
    "prefix": ("https://neptun.test/prefix", "https://neptun.test/prefix/api/users/1/projects/2"),
    "prefix and slash": ("https://neptun.test/prefix/", "https://neptun.test/prefix/api/users/1/projects/2"),
    "IPv4 loopback": ("http://127.0.0.1:3000", "http://127.0.0.1:3000/api/users/1/projects/2"),
    "localhost": ("http://localhost:3000", "http://localhost:3000/api/users/1/projects/2"),
    "IPv6 loopback": ("http://[::1]:3000", "http://[::1]:3000/api/users/1/projects/2"),
}


@pytest.mark.parametrize(("base_url", "url"), BASE_URLS.values(), ids=BASE_URLS)
def test_base_url_may_have_a_port_and_a_prefix(
    base_url: str, url: str, transport: httpx.BaseTransport, requests: list[httpx.Request]
) -> None:
    with NeptunClient(CANARY, 1, base_url=base_url, transport=transport) as client:
        client.update_project(2, name="New name")
    assert [str(request.url) for request in requests] == [url]


def test_an_error_names_the_server_without_the_prefix() -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    url = "https://neptun.test:8443/prefix/"
    with (
        NeptunClient(CANARY, 1, base_url=url, max_retries=0, transport=httpx.MockTransport(fail)) as client,
        pytest.raises(neptun_sdk.NeptunConnectionError, match=r"https://neptun\.test:8443") as caught,
    ):
        client.update_project(1, name="a")
    assert "prefix" not in str(caught.value)


# How long it may take


def test_a_call_may_take_30_seconds_two_retries_and_16_mebibytes_by_default() -> None:
    parameters = inspect.signature(NeptunClient).parameters
    names = ("timeout", "max_retries", "max_response_size")
    assert [parameters[name].default for name in names] == [30.0, 2, 16 * 1024 * 1024]


def test_a_timeout_ends_a_call_to_a_silent_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        for timeout in TIMEOUTS:
            with (
                NeptunClient(CANARY, 1, base_url=f"http://127.0.0.1:{port}", timeout=timeout) as client,
                pytest.raises(neptun_sdk.NeptunTimeoutError) as caught,
            ):
                client.update_project(1, name="a")
            if "ReadTimeout" in str(caught.value):
                break
    assert caught.value.applied is None


# with_session


def test_another_session_is_another_user(mine: NeptunClient, requests: list[httpx.Request]) -> None:
    theirs = mine.with_session(THEIRS, 2)
    assert theirs.update_project(1, name="a").neptun_user_id == 2
    assert mine.update_project(1, name="a").neptun_user_id == 1
    cookies = [request.headers["Cookie"] for request in requests]
    assert cookies == [f"neptun-session={THEIRS}", f"neptun-session={CANARY}"]


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("cookie", [None, "", " "], ids=repr)
def test_another_session_is_never_taken_from_the_environment(
    cookie: Any, mine: NeptunClient, requests: list[httpx.Request]
) -> None:
    """A request without a session must not act as the service itself."""
    with pytest.raises(ArgumentError, match="session_cookie"):
        mine.with_session(cookie, 2)
    assert requests == []


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize("user_id", [None, 0, "2", True], ids=repr)
def test_another_user_id_is_never_taken_from_the_environment(user_id: Any, mine: NeptunClient) -> None:
    with pytest.raises(ArgumentError, match="user_id must be a positive int"):
        mine.with_session(THEIRS, user_id)


def test_both_of_another_session_must_be_given() -> None:
    """A type checker says so too, and so does the editor."""
    parameters = inspect.signature(NeptunClient.with_session).parameters
    assert [each.default for each in parameters.values()] == [inspect.Parameter.empty] * 3


def test_many_threads_may_share_a_client_and_no_session_is_mixed_up(neptun: Sandbox, client: NeptunClient) -> None:
    first, second = neptun.accounts
    users = [(client, first), (client.with_session(second.session_cookie, second.user_id), second)]

    def update(number: int) -> tuple[int, int]:
        user, account = users[number % 2]
        return user.update_project(account.project_id, name="x").neptun_user_id, account.user_id

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(update, range(100)))
    assert len(results) == 100
    assert all(returned == expected for returned, expected in results)


# shared


@pytest.mark.usefixtures("service")
def test_a_shared_client_has_the_sessions_that_it_is_given(
    transport: httpx.BaseTransport, requests: list[httpx.Request]
) -> None:
    shared = NeptunClient.shared(base_url=URL, transport=transport)
    assert shared.with_session(THEIRS, 2).update_project(1, name="a").neptun_user_id == 2
    assert requests[0].headers["Cookie"] == f"neptun-session={THEIRS}"


@pytest.mark.usefixtures("service")
def test_a_shared_client_makes_no_call_itself(transport: httpx.BaseTransport, requests: list[httpx.Request]) -> None:
    shared = NeptunClient.shared(base_url=URL, transport=transport)
    expected = "^update_project: a shared client has no session; call with_session first. Nothing was sent.$"
    for client in (shared, shared.with_options(timeout=5)):
        with pytest.raises(ArgumentError, match=expected):
            client.update_project(1, name="a")
        with pytest.raises(ArgumentError, match="^" + expected.partition(": ")[2]):
            bulk_update(client, [])
    assert requests == []


@pytest.mark.usefixtures("service")
@pytest.mark.parametrize(
    ("cookie", "user_id"), [(None, None), ("", 2), (THEIRS, None)], ids=["none", "no cookie", "no id"]
)
def test_a_shared_client_never_takes_a_session_from_the_environment(
    cookie: Any, user_id: Any, transport: httpx.BaseTransport
) -> None:
    shared = NeptunClient.shared(base_url=URL, transport=transport)
    with pytest.raises(ArgumentError):
        shared.with_session(cookie, user_id)


def test_a_shared_client_does_not_even_read_a_session(
    monkeypatch: pytest.MonkeyPatch, transport: httpx.BaseTransport
) -> None:
    """What cannot be a session would be refused if it were read."""
    monkeypatch.setenv("NEPTUN_SESSION_COOKIE", "not a cookie")
    monkeypatch.setenv("NEPTUN_USER_ID", "not an id")
    assert repr(NeptunClient.shared(base_url=URL, transport=transport)).endswith("session=None)")


def test_a_shared_client_takes_the_server_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEPTUN_BASE_URL", "https://elsewhere.test")
    monkeypatch.setenv("NEPTUN_DIALECT", "deployed")
    with NeptunClient.shared() as shared:
        assert repr(shared) == "NeptunClient(base_url='https://elsewhere.test', dialect='deployed', session=None)"


def test_a_shared_client_takes_the_keywords_of_the_constructor() -> None:
    hints = get_type_hints(NeptunClient.__init__)
    parameters = inspect.signature(NeptunClient).parameters.values()
    keywords = {each.name: hints[each.name] for each in parameters if each.kind is each.KEYWORD_ONLY}
    (settings,) = get_args(get_type_hints(NeptunClient.shared)["settings"])
    assert get_type_hints(settings) == keywords
    assert settings.__required_keys__ == set()


def test_a_shared_client_takes_no_session() -> None:
    shared: Any = NeptunClient.shared
    with pytest.raises(TypeError):
        shared(CANARY, 1)
    with pytest.raises(TypeError, match="session_cookie"):
        shared(session_cookie=CANARY)


def test_a_shared_client_checks_its_settings() -> None:
    with pytest.raises(ArgumentError, match="max_retries"):
        NeptunClient.shared(max_retries=-1)


# with_options


def test_other_options_leave_the_client_as_it_was(mine: NeptunClient, requests: list[httpx.Request]) -> None:
    hurried = mine.with_options(timeout=5)
    hurried.update_project(1, name="a")
    mine.update_project(1, name="a")
    first, second = [request.extensions["timeout"]["read"] for request in requests]
    assert first <= 5
    assert 29 < second <= 30


def test_an_option_that_is_not_given_stays(mine: NeptunClient, requests: list[httpx.Request]) -> None:
    mine.with_options(timeout=5).with_options(max_retries=0).with_options().update_project(1, name="a")
    assert requests[0].extensions["timeout"]["read"] <= 5


def test_other_options_keep_the_session(mine: NeptunClient, requests: list[httpx.Request]) -> None:
    assert mine.with_options(timeout=5).update_project(1, name="a").neptun_user_id == 1
    assert requests[0].headers["Cookie"] == f"neptun-session={CANARY}"


WRONG_OPTIONS: dict[str, dict[str, Any]] = {
    "no time": {"timeout": 0},
    "a text": {"timeout": "5"},
    "more than a day": {"timeout": 86_401},
    "less than none": {"max_retries": -1},
    "half a retry": {"max_retries": 0.5},
}


@pytest.mark.parametrize("options", WRONG_OPTIONS.values(), ids=WRONG_OPTIONS)
def test_other_options_are_checked(options: dict[str, Any], mine: NeptunClient) -> None:
    (name,) = options
    with pytest.raises(ArgumentError, match=f"^{name} must be"):
        mine.with_options(**options)


# What is derived

DERIVE: dict[str, Callable[[NeptunClient], NeptunClient]] = {
    "session": lambda client: client.with_session(THEIRS, 2),
    "options": lambda client: client.with_options(timeout=5, max_retries=0),
    "both": lambda client: client.with_options(timeout=5).with_session(THEIRS, 2),
}


@pytest.mark.parametrize("derive", DERIVE.values(), ids=DERIVE)
def test_a_derived_client_uses_the_same_connections(derive: Callable[[NeptunClient], NeptunClient]) -> None:
    def serve(connection: socket.socket) -> None:
        while True:
            user_id = int(receive(connection).split(b"/")[3])
            body = {"id": 1, "name": "a", "project_type": "b", "programming_language": "c", "neptun_user_id": user_id}
            body |= dict.fromkeys(("created_at", "updated_at"), "2025-02-16T17:42:11Z")
            connection.sendall(response(json.dumps({"project": body}).encode()))

    with RawServer(serve) as server, NeptunClient(CANARY, 1, base_url=server.base_url) as client:
        client.update_project(1, name="a")
        derive(client).update_project(1, name="a")
        client.update_project(1, name="a")
        assert server.connections == 1


@pytest.mark.parametrize("derive", DERIVE.values(), ids=DERIVE)
def test_closing_a_derived_client_closes_nothing_else(
    derive: Callable[[NeptunClient], NeptunClient], neptun: Sandbox, client: NeptunClient
) -> None:
    derived = derive(client)
    derived.close()
    with pytest.raises(ArgumentError, match=r"^update_project: this client is closed"):
        derived.update_project(neptun.project_id, name="x")
    assert client.update_project(neptun.project_id, name="x").name == "x"


@pytest.mark.parametrize("derive", DERIVE.values(), ids=DERIVE)
def test_closing_a_client_ends_what_is_derived_from_it(
    derive: Callable[[NeptunClient], NeptunClient], neptun: Sandbox, client: NeptunClient
) -> None:
    before = derive(client)
    client.close()
    client.close()
    for closed in (client, before, derive(client)):
        with pytest.raises(ArgumentError, match=r"^update_project: this client is closed; make a new NeptunClient"):
            closed.update_project(neptun.project_id, name="x")


def test_a_client_derived_from_a_closed_one_is_closed_too(neptun: Sandbox, client: NeptunClient) -> None:
    derived = client.with_session(neptun.session_cookie, neptun.user_id)
    derived.close()
    with pytest.raises(ArgumentError, match=r"^update_project: this client is closed"):
        derived.with_session(neptun.session_cookie, neptun.user_id).update_project(neptun.project_id, name="x")
    assert client.update_project(neptun.project_id, name="x").name == "x"


def test_a_with_statement_ends_a_derived_client_only(neptun: Sandbox, client: NeptunClient) -> None:
    with client.with_options(timeout=5) as derived:
        derived.update_project(neptun.project_id, name="x")
    assert client.update_project(neptun.project_id, name="y").name == "y"


def test_a_transport_that_was_given_is_not_closed() -> None:
    class Transport(httpx.BaseTransport):
        closed = False

        def close(self) -> None:
            self.closed = True

    transport = Transport()
    NeptunClient(CANARY, 1, transport=transport).close()
    assert not transport.closed


MAKE_TENANT: dict[str, Callable[[], Tenant]] = {
    "session": lambda: Tenant(CANARY, 1).with_session(THEIRS, 2),
    "options": lambda: Tenant(CANARY, 1).with_options(timeout=5),
    "shared": Tenant.shared,
    "session of shared": lambda: Tenant.shared().with_session(THEIRS, 2),
}


@pytest.mark.parametrize("make", MAKE_TENANT.values(), ids=MAKE_TENANT)
def test_a_subclass_keeps_its_class_and_its_attributes(make: Callable[[], Tenant]) -> None:
    client = make()
    assert type(client) is Tenant
    assert client.tenant == "acme"
    assert repr(client).startswith("Tenant(base_url=")


# What it shows and how it is kept


def test_a_client_shows_where_it_sends_and_for_whom(neptun: Sandbox, client: NeptunClient) -> None:
    session = "Session(user_id=1, cookie='***')"
    assert repr(client) == f"NeptunClient(base_url='{neptun.base_url}', dialect='documented', session={session})"


def test_a_client_whose_arguments_were_refused_has_a_repr() -> None:
    """A traceback that shows local variables finds such a client."""
    assert repr(object.__new__(NeptunClient)) == "<NeptunClient, whose arguments were refused>"


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


def test_no_variable_of_a_client_holds_its_cookie(mine: NeptunClient) -> None:
    """Debuggers and error trackers show ``vars()`` of an object, and of what it holds."""
    mine.update_project(1, name="a")
    seen: set[int] = set()
    pending: list[object] = [mine, mine.with_session(CANARY, 2), mine.with_options(timeout=5)]
    while pending:
        item = pending.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        assert CANARY not in repr(item)
        if type(item).__module__.split(".")[0] in ("neptun_sdk", "httpx"):
            pending += vars(item).values() if hasattr(item, "__dict__") else []
    assert len(seen) > 10


def test_the_settings_of_a_client_are_frozen(mine: NeptunClient) -> None:
    (settings,) = [value for name, value in vars(mine).items() if name == "_settings"]
    with pytest.raises(AttributeError, match="timeout"):
        settings.timeout = 5


COPY: dict[str, Callable[[object], object]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("shared", [False, True], ids=["own session", "shared"])
@pytest.mark.parametrize("make_copy", COPY.values(), ids=COPY)
def test_a_client_is_neither_copied_nor_pickled(make_copy: Callable[[object], object], shared: bool) -> None:
    """A copy would close the connections of the original, and a pickle would hold the session."""
    transport = httpx.MockTransport(lambda _: httpx.Response(500))
    client = NeptunClient.shared(transport=transport) if shared else NeptunClient(CANARY, 1, transport=transport)
    expected = (
        "a NeptunClient is not pickled or copied, because it holds a session and connections; make one in each "
        "process, or use with_options()"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(expected)}$"):
        make_copy(client)


def test_an_interrupt_before_a_shared_client_has_a_session_passes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    client = NeptunClient.shared(base_url="http://127.0.0.1:9")

    def interrupt() -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr(client._connections.closed, "is_set", interrupt)
    with pytest.raises(KeyboardInterrupt):
        client.update_project(1, name="x")
