"""A service under Sentry, which is set to show all that it can: local variables, personal data, logs, every trace."""

import json
import logging
import os
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.scrubber import EventScrubber
from sentry_sdk.transport import Transport

from neptun_sdk import NeptunClient, NeptunError

payloads: list[Any] = []


class Memory(Transport):
    """Keeps what would be sent."""

    def capture_envelope(self, envelope: Envelope) -> None:
        payloads.extend(item.payload.json for item in envelope.items)


def rename(client: NeptunClient) -> str | None:
    """Handle a request of the service; return the text of its error."""
    try:
        client.update_project(789, name="New name")
    except NeptunError as error:
        sentry_sdk.capture_exception(error)
        return str(error)
    return None


def use_session(client: NeptunClient) -> str | None:
    """Log a user in, whose cookie is cut off and has a space in it; return the text of the error."""
    try:
        client.with_session(os.environ["NEPTUN_SESSION_COOKIE"][:40] + " ?", 1)
    except NeptunError as error:
        sentry_sdk.capture_exception(error)
        return str(error)
    return None


logging.basicConfig(level=logging.DEBUG)
sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",
    transport=Memory,
    include_local_variables=True,
    event_scrubber=EventScrubber(denylist=[]),  # by default it removes variables named "cookie" or "session"
    send_default_pii=True,
    max_request_body_size="always",
    enable_logs=True,
    traces_sample_rate=1.0,
)
with sentry_sdk.start_transaction(op="task", name="rename"), NeptunClient(max_retries=1) as client:
    errors = [rename(client), rename(client), rename(client), use_session(client)]
sentry_sdk.flush()
print(json.dumps({"errors": errors, "payloads": payloads}))
