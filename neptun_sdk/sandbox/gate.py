"""The gate in front of the app: it refuses requests that a web page of another site makes a browser send."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from werkzeug.wrappers import Response

from neptun_sdk._http.proxies import is_loopback
from neptun_sdk.sandbox.api import json_response

WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::[0-9]*)?")  # as in the header Host, in lower case
_OWN_PAGES = ("none", "same-origin")  # "none": the user typed the address


class Gate:
    """A WSGI app in front of another one.

    A page of any site may send requests to loopback. It cannot read the responses, unless its own host name resolves to
    loopback (DNS rebinding). So the gate passes only requests to known host names, and refuses those that a page of
    another origin sent.

    Args:
        app: The app behind the gate.
        host_names: The names to serve beside those of loopback.
    """

    def __init__(self, app: WsgiApp, host_names: Iterable[str]) -> None:
        self._app = app
        self._host_names = {name.lower() for name in host_names}

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        problem = self._problem(environ)
        app = self._app if problem is None else refused(403, problem)
        return app(environ, start_response)

    def _problem(self, environ: Mapping[str, str]) -> str | None:
        host = environ.get("HTTP_HOST", "").lower()
        found = _HOST.fullmatch(host)
        name = (found[1] or found[2]) if found else ""
        if not is_loopback(name) and name not in self._host_names:
            return (
                f"this sandbox serves loopback host names only, not {host[:100]!r}. To serve one more, start it with "
                "--host-name NAME, or as Sandbox(host_names=[NAME])"
            )
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower().partition("://")[2] != host:
            return f"this sandbox takes no request from a page of another origin, {origin[:100]!r}"
        site = environ.get("HTTP_SEC_FETCH_SITE", "none")
        if site not in _OWN_PAGES:
            return f"this sandbox takes no request from a page of another site (Sec-Fetch-Site: {site[:100]})"
        return None


def refused(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a refusal by the sandbox, not by the API."""
    return json_response({"statusCode": status, "message": message}, status, headers)
