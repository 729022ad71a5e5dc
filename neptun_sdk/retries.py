"""When to send a request again, and after how long."""

import random
from typing import Any

from neptun_sdk import dialects
from neptun_sdk.errors import NeptunConnectionError, NeptunError, NotFoundError, StatusError
from neptun_sdk.operations import CallInfo

# Returned by a server, or a proxy in front of it, that is overloaded or unavailable for a moment.
RETRYABLE_STATUSES = frozenset({429, 502, 503, 504})
# Full jitter: before retry n, wait a random time between 0 and min(MAX_BACKOFF, BASE_BACKOFF * 2 ** (n - 1)) seconds,
# or Retry-After if that is longer.
BASE_BACKOFF = 0.5
MAX_BACKOFF = 8.0


def is_retryable(error: NeptunError, call: CallInfo[Any]) -> bool:
    """Tell whether another attempt may succeed. Sending an update again is safe, because it sets values.

    An update is not sent again after the head of a 200, because it was probably applied; a read is.
    """
    if isinstance(error, NeptunConnectionError):
        return error.status_code is None or error.status_code in RETRYABLE_STATUSES or not call.operation.updates
    if isinstance(error, NotFoundError):
        # The meaning of this response alone: `error.applied` counts earlier attempts too.
        meaning = dialects.meaning(call, error.status_code, error.body)
        return meaning is not None and meaning.applied is None
    return isinstance(error, StatusError) and error.status_code in RETRYABLE_STATUSES


def backoff(attempt: int) -> float:
    """Return the seconds to wait after an attempt, which counts from 1."""
    limit = min(MAX_BACKOFF, BASE_BACKOFF * 2 ** min(attempt - 1, 10))  # 2 ** 1_000_000 would take its time
    return random.uniform(0, limit)  # noqa: S311 - jitter, not a secret


def retry_delay(error: NeptunError, call: CallInfo[Any], *, max_retries: int, remaining: float) -> float | None:
    """Return the seconds to wait before the next attempt, or ``None`` to give up.

    Args:
        error: The error of the last attempt.
        call: The call, which counts its attempts.
        max_retries: How many attempts may follow the first.
        remaining: The seconds that the call has left: a wait that would not end before them is not begun.
    """
    if call.attempts > max_retries or not is_retryable(error, call):
        return None
    delay = max(backoff(call.attempts), getattr(error, "retry_after", None) or 0.0)
    return delay if delay < remaining else None
