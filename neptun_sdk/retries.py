"""When to try again, and after how long: the rules; tenacity applies them, and is loaded when something first fails."""

from collections.abc import Callable
from typing import TypeVar

from neptun_sdk.errors import NeptunConnectionError, NeptunError, StatusError

# What a server, or a proxy in front of it, answers when it is busy or away for a moment.
STATUSES = frozenset({429, 502, 503, 504})
BACKOFF = 0.5  # seconds; the wait before the n-th retry is chosen at random from 0 to BACKOFF * 2 ** (n - 1) …
LONGEST_BACKOFF = 8.0  # … and to this; a server's Retry-After may ask for more

Answer = TypeVar("Answer")


def is_passing(error: BaseException) -> bool:
    """Whether an error is worth another attempt.

    Both operations set absolute values, so sending one again is safe. What came after the head of a 200 is not sent
    again: the update was applied.
    """
    if isinstance(error, NeptunConnectionError):
        return error.status_code is None or error.status_code in STATUSES
    return isinstance(error, StatusError) and error.status_code in STATUSES


def try_again(
    attempt: Callable[[], Answer],
    failed: NeptunError,
    retries: int,
    left: float,
    go_on: Callable[[BaseException], bool] = is_passing,
) -> Answer:
    """Go on after a first attempt that failed, with exponential backoff and full jitter.

    Args:
        attempt: Makes one more attempt and returns its answer.
        failed: The error of the first attempt.
        retries: How many more attempts there may be.
        left: Seconds in which the last of them must begin. No wait is begun that would not end by then.
        go_on: Whether the error of an attempt is worth another.

    Raises:
        NeptunError: The error of the last attempt.
    """
    import tenacity  # here, because importing it takes a quarter as long as importing httpx, and most calls need none

    backoff = tenacity.wait_random_exponential(multiplier=BACKOFF, max=LONGEST_BACKOFF)
    pending = [failed]

    def once_more() -> Answer:
        if pending:
            raise pending.pop()  # tenacity begins with an attempt, and that one was made
        return attempt()

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        return max(backoff(state), getattr(error, "retry_after", None) or 0.0)

    return tenacity.Retrying(
        stop=tenacity.stop_after_attempt(retries + 1) | tenacity.stop_before_delay(left),
        wait=wait,
        retry=tenacity.retry_if_exception(go_on),
        reraise=True,
    )(once_more)
