"""A service under OpenTelemetry's httpx instrumentation, switched on before or after its client is made."""

import asyncio
import json
import sys

from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from neptun_sdk import NeptunClient

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))


async def handle(client: NeptunClient) -> None:
    """Handle a request of the service, as an asynchronous framework would."""
    with provider.get_tracer("service").start_as_current_span("rename"):
        await asyncio.to_thread(client.update_project, 789, name="New name")


if sys.argv[1] == "before":
    HTTPXClientInstrumentor().instrument(tracer_provider=provider)
with NeptunClient() as client:
    if sys.argv[1] == "after":
        HTTPXClientInstrumentor().instrument(tracer_provider=provider)
    asyncio.run(handle(client))
print(json.dumps([json.loads(span.to_json()) for span in exporter.get_finished_spans()]))
