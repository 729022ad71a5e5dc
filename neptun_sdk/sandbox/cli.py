"""``neptun-sandbox``: the embedded Neptun in the foreground."""

import argparse
import contextlib
import signal
import threading
from collections.abc import Sequence
from types import FrameType

from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox.server import Sandbox
from neptun_sdk.session import COOKIE_NAME

_BANNER = """\
An embedded Neptun is running. Its state is in memory: it is gone when the sandbox ends.

  export NEPTUN_BASE_URL={base_url}
  export NEPTUN_USER_ID={user_id}
  export NEPTUN_SESSION_COOKIE='{session_cookie}'
  export NEPTUN_DIALECT={dialect}

  project {project_id}, with import {import_id}

Try it:

  curl -X PATCH '{base_url}/api/users/{user_id}/projects/{project_id}' \\
    -H 'Accept: application/json' -H 'Content-Type: application/json' \\
    -H 'Cookie: {cookie_name}={session_cookie}' \\
    -d '{{"name": "Updated Project Name"}}'

Ctrl-C ends it."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sandbox until Ctrl-C or a termination signal; ``arguments`` are those of the command line."""
    parser = argparse.ArgumentParser(prog="neptun-sandbox", description="Run an embedded Neptun on loopback.")
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: any free one)")
    parser.add_argument("--dialect", choices=DIALECTS, default="documented", help="what it speaks")
    options = parser.parse_args(arguments)
    port: int = options.port
    if not 0 <= port <= 65535:
        parser.error("--port must be from 0 to 65535")
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    with contextlib.ExitStack() as stack:
        try:
            sandbox = stack.enter_context(Sandbox(options.dialect, port=port))
        except OSError as fault:
            parser.exit(1, f"neptun-sandbox: cannot listen on port {port}: {fault}\n")
        print(
            _BANNER.format(
                base_url=sandbox.base_url,
                dialect=options.dialect,
                user_id=sandbox.user_id,
                session_cookie=sandbox.session_cookie,
                project_id=sandbox.project_id,
                import_id=sandbox.import_id,
                cookie_name=COOKIE_NAME,
            ),
            flush=True,
        )
        ended.wait()
    print("\nThe sandbox has ended.")
