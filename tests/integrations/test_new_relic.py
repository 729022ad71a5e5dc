"""New Relic's agent sees every attempt, shows an error's whole text, and never the cookie."""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.integrations.processes import run_case, shows_cookie
from tests.integrations.recording_server import BREAK, RecordingServer, recording_server
from tests.needs import require

SETTINGS = {
    "NEW_RELIC_DEVELOPER_MODE": "true",  # sends nothing
    "NEW_RELIC_LICENSE_KEY": "0" * 40,
    "NEW_RELIC_APP_NAME": "service",
}


class Report(NamedTuple):
    """What a run left.

    Attributes:
        error: The text of the error that was reported.
        audit_log: What was to be sent to New Relic, as a text.
        server: The server, with the headers that it received.
    """

    error: str
    audit_log: str
    server: RecordingServer

    def events(self, method: str) -> list[list[dict[str, Any]]]:
        """Return the events that were to be sent: the attributes of each, in three groups."""
        (block,) = [block for block in self.audit_log.split("=" * 78) if f"'method': '{method}'" in block]
        events: list[list[dict[str, Any]]] = ast.literal_eval(block.partition("DATA: ")[2].strip())[2]
        return events


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """Two calls, of which the second fails."""
    require("newrelic")
    file = tmp_path_factory.mktemp("new_relic") / "audit.log"
    with recording_server(503, BREAK, 200, 401) as server:
        error = run_case("new_relic.py", base_url=server.base_url, NEW_RELIC_AUDIT_LOG=str(file), **SETTINGS)
        yield Report(error, file.read_text(encoding="utf-8"), server)


def test_each_attempt_has_a_span(report: Report) -> None:
    spans = [event for event in report.events("span_event_data") if event[0]["category"] == "http"]
    assert [attributes.get("http.statusCode") for _, _, attributes in spans] == [503, None, 200, 401]


def test_each_request_carries_the_trace_of_its_span_once(report: Report) -> None:
    spans = [intrinsic for intrinsic, *_ in report.events("span_event_data") if intrinsic["category"] == "http"]
    received = [[value.split("-")[1:3] for value in values] for values in report.server.values("traceparent")]
    assert received == [[[span["traceId"], span["guid"]]] for span in spans]


def test_an_error_has_its_whole_text(report: Report) -> None:
    ((intrinsic, *_),) = report.events("error_event_data")
    assert intrinsic["error.message"] == report.error


def test_nothing_shows_the_cookie(report: Report) -> None:
    assert not shows_cookie(report.audit_log)
