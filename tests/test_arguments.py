"""Arguments: what cannot be right is refused with help, and a base URL is one that a session may go to."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.arguments import DEFAULT_BASE_URL, is_loopback
from tests.conftest import CANARY


def unsent(request: httpx.Request) -> httpx.Response:
    raise AssertionError("sent")


def client(**settings: Any) -> NeptunClient:
    """A client that must not send anything."""
    return NeptunClient(CANARY, 1, transport=httpx.MockTransport(unsent), **settings)


def closed() -> NeptunClient:
    made = client()
    made.close()
    return made


NOTHING = "nothing was sent."
TEXTS: list[tuple[Callable[[], object], str]] = [
    (
        lambda: client().update_project("1", name="a"),  # type: ignore[arg-type]
        f"update_project: project_id must be a positive int, not str; {NOTHING}",
    ),
    (
        lambda: client().update_project_import(1, 0, title="a"),
        f"update_project_import: import_id must be a positive int (1 or more); {NOTHING}",
    ),
    (
        lambda: client().update_project(2**63, name="a"),
        f"update_project: project_id is larger than any id (2**63 or more); {NOTHING}",
    ),
    (
        lambda: client().update_project(1, name=5),  # type: ignore[arg-type]
        f"update_project: name must be a str, not int; {NOTHING}",
    ),
    (
        lambda: client().update_project(1, name="\ud800"),
        f"update_project: name holds half of a surrogate pair, which UTF-8 cannot carry; {NOTHING}",
    ),
    (
        lambda: client().update_project_import(1, 1),
        "update_project_import: no field to update was given; give at least one of source_type, source_path, title, "
        "description. Nothing was sent.",
    ),
    (
        lambda: client().update_project(1, name=f"my {CANARY}"),
        f"update_project: name holds the session cookie, which is a secret; {NOTHING}",
    ),
    (
        lambda: client(dialect="deployed").update_project_import(1, 1, title="a", description="b"),
        "update_project_import: title and description cannot be stored by a server of the deployed dialect, which has "
        "no such field; leave out what it cannot store. Nothing was sent.",
    ),
    (
        lambda: closed().update_project(1, name="a"),
        "update_project: this client is closed; make a new NeptunClient. Nothing was sent.",
    ),
    (
        lambda: client(dialect="deployd"),
        "dialect (or NEPTUN_DIALECT) must be 'documented' or 'deployed'.",
    ),
    (
        lambda: client(timeout=0),
        "timeout must be a positive, finite number of seconds, 86400 (a day) at most.",
    ),
    (
        lambda: client(max_retries=-1),
        "max_retries must be an int, 0 or more; 0 sends every request once.",
    ),
    (
        lambda: client(base_url=5),
        "base_url must be a str, not int.",
    ),
    (
        lambda: client(base_url="https://neptun .test"),
        "base_url must not hold spaces, control characters or letters outside ASCII.",
    ),
    (
        lambda: client(base_url="https://neptun.test:port"),
        "base_url is not a valid URL; it should look like https://host or https://host/prefix.",
    ),
    (
        lambda: client(base_url="neptun.test"),
        "base_url must start with https:// and name a host, such as https://host or https://host/prefix.",
    ),
    (
        lambda: client(base_url="https://user:hunter2@neptun.test"),
        "base_url must not hold a user name or password: Neptun knows its users by the session cookie.",
    ),
    (
        lambda: client(base_url="https://neptun.test?token=hunter2"),
        "base_url must not have a query or a fragment: leave out everything from the first ? or # on.",
    ),
    (
        lambda: client(base_url="http://neptun.test"),
        "base_url is plain http, over which anyone on the way can read the session cookie: use https://, or set "
        "allow_http=True if the network is trusted.",
    ),
]


@pytest.mark.parametrize(("call", "text"), TEXTS, ids=[text[:50] for _, text in TEXTS])
def test_every_refusal_says_what_was_wrong_and_what_to_do(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        call()
    assert str(caught.value) == text
    assert (caught.value.applied, caught.value.attempts) == (False, 0)
    assert caught.value.operation == (text.split(":")[0] if text.startswith("update_") else None)


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("http://neptun.test", "plain http.*allow_http=True"),
        ("http://127.0.0.1.evil.test", "plain http"),
        ("ftp://neptun.test", "must start with https://"),
        ("neptun.test", "must start with https://"),
        ("https://", "must start with https://"),
        ("", "must start with https://"),
        ("https://user:hunter2@neptun.test", "user name or password"),
        ("https://@neptun.test", "user name or password"),
        ("https://neptun.test?token=hunter2", "query or a fragment"),
        ("https://neptun.test/#hunter2", "query or a fragment"),
        ("https://neptun.test\r\nX: hunter2", "control characters"),
        ("https://neptun .test", "spaces"),
        ("https://nëptun.test", "outside ASCII"),
        ("https://neptun.test:port", "not a valid URL"),
        (5, "must be a str, not int"),
    ],
)
def test_a_base_url_that_cannot_be_right_is_refused_with_help(base_url: str, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as caught:
        NeptunClient(CANARY, 1, base_url=base_url)
    assert "hunter2" not in str(caught.value)


def test_plain_http_is_possible_where_it_is_asked_for() -> None:
    with NeptunClient(CANARY, 1, base_url="http://neptun.test", allow_http=True) as client:
        assert "http://neptun.test" in repr(client)


def test_base_url_comes_from_the_environment_else_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    with NeptunClient(CANARY, 1) as client:
        assert DEFAULT_BASE_URL in repr(client)
    monkeypatch.setenv("NEPTUN_BASE_URL", "https://from-the-environment.test")
    with NeptunClient(CANARY, 1) as client:
        assert "https://from-the-environment.test" in repr(client)
    with NeptunClient(CANARY, 1, base_url="https://from-the-argument.test") as client:
        assert "https://from-the-argument.test" in repr(client)


def test_a_timeout_may_be_short_or_a_day_long() -> None:
    for timeout in (1e-9, 0.5, 1, 86_400):
        NeptunClient(CANARY, 1, timeout=timeout).close()


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 86_401, 1e300, True, "30", None])
def test_a_timeout_must_be_finite_and_positive(timeout: object) -> None:
    with pytest.raises(ArgumentError, match="positive, finite number of seconds"):
        NeptunClient(CANARY, 1, timeout=timeout)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [-1, True, 1.0, "2", None])
def test_max_retries_must_be_a_natural_number(wrong: object) -> None:
    with pytest.raises(ArgumentError, match="max_retries must be an int, 0 or more"):
        NeptunClient(CANARY, 1, max_retries=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.test", False),
        ("::2", False),
        ("", False),
    ],
)
def test_loopback_is_this_machine_alone(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
