"""Scripted responses: they replace the usual response to the next requests."""

import json
import math
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import cast

MAX_STEPS = 1_000  # scripted ahead
MAX_CONTENT = 64 * 1024 * 1024  # bytes of their bodies
_FRAMING = {"connection", "content-length", "transfer-encoding"}  # the server sets these itself


@dataclass(frozen=True)
class Step:
    """What to do with one request.

    Attributes:
        status: The status of the response; None: respond as usual.
        headers: Headers of the response, for a status.
        content: The body of the response; None: the error body of the dialect.
        disconnect: Whether to close the connection instead of sending the response.
        delay: Seconds to wait before the response is sent or the connection closed.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    content: bytes | None = None
    disconnect: bool = False
    delay: float = 0.0


class Script:
    """The steps for the next requests, in order. It may be used from many threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._steps: deque[tuple[Step, int]] = deque()  # each with the number of requests left

    def take(self) -> Step:
        """Return the step for the current request."""
        with self._lock:
            if not self._steps:
                return Step()
            step, times = self._steps.popleft()
            if times > 1:
                self._steps.appendleft((step, times - 1))
            return step

    def clear(self) -> None:
        """Discard every step."""
        with self._lock:
            self._steps.clear()

    def fail_next(
        self,
        status: int | None = 503,
        times: int = 1,
        retry_after: int | None = None,
        *,
        disconnect: bool = False,
        delay: float = 0.0,
    ) -> None:
        """Script errors; see `Sandbox.fail_next`."""
        if status is not None:
            _check_int("status", status, 400, 599)
        elif not disconnect and not delay:
            raise ValueError("status=None responds as usual: give a delay, or disconnect=True")
        headers: dict[str, str] = {}
        if retry_after is not None:
            _check_int("retry_after", retry_after, 0)
            if status is None or disconnect:
                raise ValueError("retry_after needs a response with a status to stand in")
            headers["Retry-After"] = str(retry_after)
        self._add(Step(status, headers, disconnect=_bool("disconnect", disconnect), delay=_seconds(delay)), times)

    def respond(
        self,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        times: int = 1,
        delay: float = 0.0,
    ) -> None:
        """Script responses of any kind.

        Args:
            status: Their status, from 200 to 599.
            headers: Their headers, besides ``Content-Type: application/json`` for a body that is not a string.
            body: Their body: a string is sent as it is, None is an empty body, anything else is sent as JSON.
            times: For how many requests.
            delay: Seconds to wait before each is sent.

        Raises:
            ValueError: An argument is not of the right kind, or is out of range.
        """
        _check_int("status", status, 200, 599)
        given = _headers({} if headers is None else headers)
        if isinstance(body, str):
            content = body.encode("utf-8", "surrogateescape")
        elif body is None:
            content = b""
        else:
            content = json.dumps(body).encode()
            given = {"Content-Type": "application/json", **given}
        self._add(Step(status, given, content, delay=_seconds(delay)), times)

    def _add(self, step: Step, times: int) -> None:
        _check_int("times", times, 1)
        with self._lock:
            steps = [step, *(each for each, _ in self._steps)]
            if len(steps) > MAX_STEPS or sum(len(each.content or b"") for each in steps) > MAX_CONTENT:
                raise ValueError(
                    f"too much is scripted: the limits are {MAX_STEPS} steps ahead and {MAX_CONTENT} bytes of bodies"
                )
            self._steps.append((step, times))


def phrase(status: int) -> str:
    """Return the reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _check_int(name: str, value: object, minimum: int, maximum: float = math.inf) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
        limits = f"{minimum} or more" if maximum == math.inf else f"from {minimum} to {maximum}"
        raise ValueError(f"{name} must be an integer, {limits}, not {value!r}")


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"delay must be a number of seconds, 0 or more, not {value!r}")
    return value


def _bool(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")
    return value


def _headers(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise ValueError(f"headers must map names to values, not {value!r}")
    for name, text in cast("Mapping[object, object]", value).items():
        line = f"{name}{text}"
        if not isinstance(name, str) or not isinstance(text, str) or not line.isprintable() or not line.isascii():
            raise ValueError(f"headers must be printable ASCII text, unlike {name!r}: {text!r}")
        if name.lower() in _FRAMING:
            raise ValueError(f"headers must not hold {name}, which the server sets itself")
    return dict(cast("Mapping[str, str]", value))
