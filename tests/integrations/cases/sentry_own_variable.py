"""A service under Sentry with a variable of its own that holds the cookie; arguments are names that Sentry removes."""

import json
import os
import sys
from typing import Any

import httpx
import sentry_sdk
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

from neptun_sdk import NeptunClient, NeptunError

events: list[Any] = []


def rename(neptun: NeptunClient, session_cookie: str) -> None:
    """Handle a request of the service."""
    neptun.with_session(session_cookie, 1).update_project(789, name="New name")


def keep(event: Any, _hint: Any) -> None:
    """Keep an event, and leave none to send."""
    events.append(event)


sentry_sdk.init(
    dsn="http://key@127.0.0.1:9/1",
    before_send=keep,
    event_scrubber=EventScrubber(denylist=[*DEFAULT_DENYLIST, *sys.argv[1:]]),
)
try:
    rename(
        NeptunClient.shared(transport=httpx.MockTransport(lambda _: httpx.Response(401))),
        os.environ["NEPTUN_SESSION_COOKIE"],
    )
except NeptunError as error:
    sentry_sdk.capture_exception(error)
print(json.dumps(events, default=str))
