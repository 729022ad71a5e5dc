"""Datadog's tracer sees every attempt, and never the cookie."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.integrations.processes import run_case, shows_cookie
from tests.integrations.recording_server import BREAK, RecordingServer, recording_server
from tests.needs import require

SETTINGS = {
    "DD_TRACE_HEADER_TAGS": "accept:accept,cookie:cookie",  # the headers to record
    "DD_TRACE_AGENT_URL": "http://127.0.0.1:9",  # nobody listens there
    "DD_TRACE_STARTUP_LOGS": "false",
    "DD_CRASHTRACKING_ENABLED": "false",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
    "DD_REMOTE_CONFIGURATION_ENABLED": "false",
}


class Trace(NamedTuple):
    """What a run left.

    Attributes:
        spans: The spans of requests.
        server: The server, with the headers that it received.
    """

    spans: list[dict[str, Any]]
    server: RecordingServer


@pytest.fixture(scope="module")
def trace() -> Iterator[Trace]:
    require("ddtrace")
    with recording_server(503, BREAK) as server:
        spans = run_case("datadog.py", base_url=server.base_url, **SETTINGS)
        yield Trace([span for span in spans if span["name"] == "http.request"], server)


def test_each_attempt_has_a_span(trace: Trace) -> None:
    assert [span["tags"].get("http.status_code") for span in trace.spans] == ["503", None, "200"]


def test_each_request_carries_the_trace_of_its_span_once(trace: Trace) -> None:
    assert trace.server.values("x-datadog-parent-id") == [[str(span["id"])] for span in trace.spans]
    assert [len(values) for values in trace.server.values("traceparent")] == [1] * 3


def test_headers_are_recorded_but_not_the_cookie(trace: Trace) -> None:
    """The tracer reads the headers before the cookie is among them."""
    assert [span["tags"].get("accept") for span in trace.spans] == ["application/json"] * 3
    assert not any("cookie" in span["tags"] for span in trace.spans)
    assert not shows_cookie(json.dumps(trace.spans))
