"""OpenTelemetry's httpx instrumentation sees every attempt, and the cookie only if it is set to capture it."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.integrations.processes import run_case, shows_cookie
from tests.integrations.recording_server import BREAK, RecordingServer, recording_server
from tests.needs import require

CAPTURE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST"
SANITIZE = "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "before the client": ("before", {}),
    "before the client, capturing headers": ("before", {CAPTURE: ".*"}),
    "after the client, capturing headers but the cookie": ("after", {CAPTURE: ".*", SANITIZE: "cookie"}),
}


class Trace(NamedTuple):
    """What a run left.

    Attributes:
        spans: The spans, in the order in which they ended.
        server: The server, with the headers that it received.
        captures: Whether headers were captured.
        sanitizes: Whether the cookie was not.
    """

    spans: list[dict[str, Any]]
    server: RecordingServer
    captures: bool
    sanitizes: bool

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """The spans of requests."""
        return [span for span in self.spans if span["kind"] == "SpanKind.CLIENT"]


@pytest.fixture(scope="module", params=CASES.values(), ids=list(CASES))
def trace(request: pytest.FixtureRequest) -> Iterator[Trace]:
    require("opentelemetry-instrumentation-httpx")
    when, settings = request.param
    with recording_server(503, BREAK) as server:
        spans = run_case("opentelemetry_httpx.py", when, base_url=server.base_url, **settings)
        yield Trace(spans, server, CAPTURE in settings, SANITIZE in settings)


def test_each_attempt_has_a_span(trace: Trace) -> None:
    assert [span["attributes"].get("http.status_code") for span in trace.attempts] == [503, None, 200]


def test_the_spans_belong_to_the_request_of_the_service(trace: Trace) -> None:
    """The service calls in a thread, with `asyncio.to_thread`."""
    service = trace.spans[-1]
    assert service["name"] == "rename"
    assert [span["parent_id"] for span in trace.attempts] == [service["context"]["span_id"]] * 3


def test_each_request_carries_the_trace_of_its_span(trace: Trace) -> None:
    received = [[value.split("-")[1:3] for value in values] for values in trace.server.values("traceparent")]
    ids = [(span["context"]["trace_id"], span["context"]["span_id"]) for span in trace.attempts]
    assert received == [[[trace_id.removeprefix("0x"), span_id.removeprefix("0x")]] for trace_id, span_id in ids]


def test_headers_are_captured_where_the_user_says_so(trace: Trace) -> None:
    captured = ["http.request.header.user_agent" in span["attributes"] for span in trace.attempts]
    assert captured == [trace.captures] * 3


def test_the_cookie_is_captured_unless_it_is_sanitized(trace: Trace) -> None:
    """docs/tasks/tracing-and-logs.md names the setting that keeps it out; if this fails, it may be out of date."""
    assert shows_cookie(json.dumps(trace.spans)) == (trace.captures and not trace.sanitizes)
