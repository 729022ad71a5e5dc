"""Arguments: what cannot be right is refused with help, and a base URL is one that a session may go to."""

import pytest

from neptun_sdk import ArgumentError, NeptunClient
from neptun_sdk.arguments import DEFAULT_BASE_URL, is_loopback
from tests.conftest import CANARY


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
