"""A service under Datadog's tracer."""

import json
from typing import Any

from ddtrace import patch
from ddtrace.trace import Span, TraceFilter, tracer

from neptun_sdk import NeptunClient

spans: list[dict[str, Any]] = []


class Memory(TraceFilter):
    """Keeps every span, and leaves none to send."""

    def process_trace(self, trace: list[Span]) -> list[Span] | None:
        spans.extend({"id": span.span_id, "name": span.name, "tags": span.get_tags()} for span in trace)
        return None


patch(httpx=True)
tracer.configure(trace_processors=[Memory()])
with tracer.trace("rename"), NeptunClient() as client:
    client.update_project(789, name="New name")
print(json.dumps(spans))
