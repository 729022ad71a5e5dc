"""``neptun-sandbox``: the embedded Neptun in the foreground."""

import argparse
import contextlib
import signal
import threading
from collections.abc import Sequence

from neptun_sdk._contract import COOKIE_NAME
from neptun_sdk.dialects import DIALECTS
from neptun_sdk.sandbox.server import Sandbox

_BANNER = """\
An embedded Neptun is running. Its state is in memory, and is lost when it ends.

  export NEPTUN_BASE_URL={base_url}
  export NEPTUN_USER_ID={user_id}
  export NEPTUN_SESSION_COOKIE='{session_cookie}'
  export NEPTUN_DIALECT={dialect}

  project {project_id}, with import {import_id}

The HTTP reference, for a browser: {base_url}/

Try it:

  curl -X PATCH '{base_url}/api/users/{user_id}/projects/{project_id}' \\
    -H 'Accept: application/json' -H 'Content-Type: application/json' \\
    -H 'Cookie: {cookie_name}={session_cookie}' \\
    -d '{{"name": "Updated Project Name"}}'

Ctrl-C stops it. neptun-sandbox --help explains how to script failures."""

# The control endpoints, for tests in any language: title, and description.
_CONTROLS = {
    "POST /_sandbox/fail-next": "Make the next requests fail. The body is a JSON object, and every key is optional: "
    '"status" (400 to 599, default 503; null: handle the request as usual), "times" (default 1), "retry_after" '
    '(seconds), "disconnect" (true: close the connection without a response), "delay" (seconds before the response).',
    "POST /_sandbox/respond": "Script any response to the next requests. The body is a JSON object, and every key is "
    'optional: "status" (200 to 599, default 200), "headers" (an object), "body" (a string is sent as it is, anything '
    'else as JSON), "times" (default 1), "delay" (seconds).',
    "GET /_sandbox/requests": "Return the last 1,000 requests, oldest first: a list of objects with the keys "
    '"method", "path", "body" and "status".',
    "POST /_sandbox/reset": "Restore the initial state; sessions stay valid.",
    "GET /_sandbox": 'Return the "version" of the SDK, the "dialect", and the version of the "contract".',
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the sandbox until Ctrl-C or a termination signal; ``arguments`` are those of the command line."""
    parser = argparse.ArgumentParser(
        prog="neptun-sandbox",
        description="Run an embedded Neptun on loopback. At / it shows the HTTP reference to a browser. The control "
        "endpoints below need no session and take application/json; an invalid control request gets a 4xx with a "
        "message. Requests from web pages of another origin are refused.",
    )
    parser.add_argument("--port", type=int, default=0, help="the port to listen on (default: any free one)")
    parser.add_argument(
        "--dialect", choices=DIALECTS, default="documented", help="the dialect of the API (default: documented)"
    )
    parser.add_argument("--session", metavar="VALUE", help="the first user's session cookie (default: a new one)")
    parser.add_argument(
        "--host-name",
        metavar="NAME",
        action="append",
        default=[],
        help="one more host name to serve, besides those of loopback",
    )
    for title, description in _CONTROLS.items():
        parser.add_argument_group(title, description)
    options = parser.parse_args(arguments)
    port: int = options.port
    if not 0 <= port <= 65535:
        parser.error("--port must be from 0 to 65535")
    try:
        neptun = Sandbox(options.dialect, port=port, session_cookie=options.session, host_names=options.host_name)
    except ValueError as exc:
        parser.error(f"--session: {exc}")
    stopped = threading.Event()

    def stop(*_: object) -> None:
        stopped.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(neptun)
        except OSError as exc:
            parser.exit(1, f"neptun-sandbox: cannot listen on port {port}: {exc}\n")
        print(
            _BANNER.format(
                base_url=neptun.base_url,
                dialect=options.dialect,
                user_id=neptun.user_id,
                session_cookie=neptun.session_cookie,
                project_id=neptun.project_id,
                import_id=neptun.import_id,
                cookie_name=COOKIE_NAME,
            ),
            flush=True,
        )
        stopped.wait()
    print("\nThe sandbox has ended.")
