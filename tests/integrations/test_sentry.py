"""Sentry sees every attempt, shows an error's whole text, and never the cookie."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.integrations.processes import run_case, shows_cookie
from tests.integrations.recording_server import BREAK, RecordingServer, recording_server
from tests.needs import require


class Report(NamedTuple):
    """What a run left.

    Attributes:
        errors: The texts of the errors that were reported.
        payloads: What was to be sent to Sentry: an event for each error, the transaction, the logs.
        server: The server, with the headers that it received.
    """

    errors: list[str]
    payloads: list[dict[str, Any]]
    server: RecordingServer

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the errors."""
        return [payload for payload in self.payloads if "exception" in payload]


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """Three calls, of which the second and third fail; then a session that is refused."""
    require("sentry-sdk")
    with recording_server(503, 200, 401, 503, BREAK) as server:
        made = run_case("sentry.py", base_url=server.base_url)
        first, *errors = made["errors"]
        assert first is None
        yield Report(errors, made["payloads"], server)


def test_each_attempt_has_a_span(report: Report) -> None:
    (transaction,) = [payload for payload in report.payloads if payload.get("type") == "transaction"]
    spans = [span for span in transaction["spans"] if span["op"] == "http.client"]
    assert [span["data"].get("http.response.status_code") for span in spans] == [503, 200, 401, 503, None]


def test_each_response_has_a_breadcrumb(report: Report) -> None:
    """Sentry adds none for an attempt without a response."""
    crumbs = [crumb for crumb in report.events[-1]["breadcrumbs"]["values"] if crumb["type"] == "http"]
    assert [crumb["data"]["http.response.status_code"] for crumb in crumbs] == [503, 200, 401, 503]


def test_the_log_becomes_breadcrumbs(report: Report) -> None:
    crumbs = [crumb for crumb in report.events[-1]["breadcrumbs"]["values"] if crumb["category"] == "neptun_sdk"]
    assert [crumb["level"] for crumb in crumbs] == ["info", "info", "warning"]


def test_each_request_carries_the_trace_once(report: Report) -> None:
    """An attempt that inherited headers from the one before would carry them twice."""
    traces = report.server.values("sentry-trace")
    assert [len(values) for values in traces] == [1] * 5
    assert len({value.split("-")[0] for (value,) in traces}) == 1
    assert len({value.split("-")[1] for (value,) in traces}) == 5
    baggage = report.server.values("baggage")
    assert [len(values) for values in baggage] == [1] * 5
    names = [member.split("=")[0] for member in baggage[1][0].split(",")]
    assert "sentry-trace_id" in names
    assert sorted(names) == sorted(set(names))


def test_an_issue_has_the_text_of_the_error_as_its_title(report: Report) -> None:
    """Sentry would prefer an attribute `message` to the text."""
    assert [event["exception"]["values"][-1]["value"] for event in report.events] == report.errors
    assert [event["exception"]["values"][-1]["type"] for event in report.events] == [
        "AuthenticationError",
        "NeptunConnectionError",
        "ArgumentError",
    ]


def test_local_variables_are_shown(report: Report) -> None:
    """Else the next test would prove little."""
    frames = [frame for event in report.events for frame in event["exception"]["values"][-1]["stacktrace"]["frames"]]
    variables = {name: value for frame in frames for name, value in frame["vars"].items()}
    assert "cookie='***'" in variables["client"]


def test_nothing_shows_the_cookie(report: Report) -> None:
    assert not shows_cookie(json.dumps(report.payloads))


SCRUBBERS = {"Sentry's own list": ([], True), "a list with the name": (["session_cookie"], False)}


@pytest.mark.parametrize(("names", "shown"), SCRUBBERS.values(), ids=SCRUBBERS)
def test_a_variable_of_the_service_is_shown_unless_its_name_is_listed(names: list[str], shown: bool) -> None:
    """docs/tasks/tracing-and-logs.md names the setting; if this fails, that advice may be out of date."""
    require("sentry-sdk")
    (event,) = run_case("sentry_own_variable.py", *names)
    assert "AuthenticationError" in json.dumps(event)
    assert shows_cookie(json.dumps(event)) == shown
