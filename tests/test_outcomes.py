"""The one table of what each response and each exception means: evidence x operation x dialect -> outcome."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from typing import NamedTuple

import httpx
import pytest
import truth_table
from truth_table import OPERATIONS, Evidence

from neptun_sdk import ArgumentError, NeptunClient, NeptunError, NeptunTimeoutError, ServerError
from neptun_sdk.bulk import bulk_update
from neptun_sdk.outcomes import EXCEPTIONS, STATUSES, Rule, parse_retry_after, rule_of

# What came back | its body | the operation (P: project, I: import) | what came of it: the class, `.applied`, how often
# it is sent with max_retries=1, and whether a later bulk run sends it again. The first row that fits counts.
TABLE = """
400                          | *                  | * | BadRequestError        False  once   final
401                          | deployed (handler) | * | AuthenticationError    False  once   final
401                          | *                  | * | AuthenticationError    False  once   again
403                          | *                  | * | PermissionDeniedError  False  once   final
404                          | documented         | * | NotFoundError          False  once   final
404                          | deployed (thrown)  | * | NotFoundError          False  once   final
404                          | *                  | P | NotFoundError          False  once   final
404                          | *                  | I | NotFoundError          None   twice  again
404 of a route               | *                  | * | NotFoundError          False  once   final
404, and a NUL was sent      | *                  | * | NotFoundError          False! once   final
404, and a NUL was sent in a field that is dropped | * | P | NotFoundError     False  once   final
404, and a NUL was sent in a field that is dropped | * | I | NotFoundError     None   twice  again
408                          | *                  | * | StatusError            None   once   again
409                          | *                  | * | StatusError            False  once   final
413                          | documented         | * | StatusError            False  once   final
413                          | deployed (handler) | * | StatusError            False  once   final
413                          | deployed (thrown)  | * | StatusError            False  once   final
413                          | other JSON         | * | StatusError            False  once   final
413                          | *                  | * | StatusError            None   once   again
429                          | *                  | * | RateLimitError         False  twice  again
460                          | *                  | * | StatusError            None   once   again
499                          | *                  | * | StatusError            None   once   again
500                          | *                  | * | ServerError            None   once   again
500, and a NUL was sent      | *                  | * | ServerError            False! once   final
500, and an id is above 2147483647 | *            | * | ServerError            False! once   final
501                          | *                  | * | ServerError            None   once   again
502                          | *                  | * | ServerError            None   twice  again
503                          | *                  | * | ServerError            None   twice  again
504                          | *                  | * | ServerError            None   twice  again
520                          | *                  | * | ServerError            None   once   again
200, every field as sent     | *                  | * | returned               True   once   final
200, a field different       | *                  | * | UpdateNotVerifiedError None   once   final
200, a field dropped, another stored | *          | * | UpdateNotVerifiedError None   once   final
200, every field dropped     | *                  | * | UpdateNotVerifiedError False! once   final
200, every field as sent, another of a wrong type | * | * | ResponseError      True   once   final
200, another resource        | *                  | * | ResponseError          None   once   again
200, a field that was sent is of a wrong type     | * | * | ResponseError      None   once   again
200, cut by its Content-Length | *                | * | ResponseError          None   once   again
200                          | cut                | * | NeptunConnectionError  None   once   again
200                          | too large          | * | ResponseError          None   once   final
200                          | *                  | * | ResponseError          None   once   again
204                          | cut                | * | NeptunConnectionError  None   once   again
204                          | *                  | * | ResponseError          None   once   again
302                          | cut                | * | NeptunConnectionError  None   once   again
302                          | *                  | * | ResponseError          None   once   again
999                          | *                  | * | ResponseError          None   once   again
no free connection in time   | none               | * | NeptunTimeoutError     False  twice  again
no connection in time        | none               | * | NeptunTimeoutError     False  twice  again
no connection                | none               | * | NeptunConnectionError  False  twice  again
the proxy refuses            | none               | * | NeptunConnectionError  False  twice  again
no response in time          | none               | * | NeptunTimeoutError     None   twice  again
the request not sent in time | none               | * | NeptunTimeoutError     None   twice  again
the connection broke         | none               | * | NeptunConnectionError  None   twice  again
the connection broke while sending | none         | * | NeptunConnectionError  None   twice  again
closed without a response, or not HTTP | none     | * | NeptunConnectionError  None   twice  again
an error of the system       | none               | * | NeptunConnectionError  None   twice  again
"""


class Row(NamedTuple):
    what: str
    body: str
    operation: str
    outcome: list[str]

    def fits(self, evidence: Evidence, operation: str) -> bool:
        is_about = {"P": "update_project", "I": "update_project_import"}.get(self.operation, operation)
        return self.what == evidence.what and self.body in ("*", evidence.body) and is_about == operation


def rows() -> Iterator[Row]:
    for line in TABLE.strip().splitlines():
        what, body, operation, outcome = (cell.strip() for cell in line.split("|"))
        yield Row(what, body, operation, outcome.split())


ROWS = list(rows())
EVIDENCE = list(truth_table.evidence())
CASES: dict[str, tuple[Evidence, str]] = {
    f"{each.what}; {each.body}; {name}": (each, name) for each in EVIDENCE for name in OPERATIONS
}

# One case for each row and operation.
DISTINCT = {
    (row, name): (each, name)
    for each, name in reversed(CASES.values())
    for row in [next((index for index, row in enumerate(ROWS) if row.fits(each, name)), -1)]
}


def expected(evidence: Evidence, operation: str) -> list[str]:
    return next((row.outcome for row in ROWS if row.fits(evidence, operation)), ["no row"])


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda *_: 0.0)


def scripted(evidence: Evidence, *before: httpx.Response, sent: list[httpx.Request]) -> NeptunClient:
    """Return a client to which something comes back, perhaps after other responses."""
    first = list(before)

    def respond(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return first.pop(0) if first else evidence.respond(request)

    return NeptunClient(
        "a-session-of-nobody",
        1,
        base_url="https://neptun.test",
        transport=httpx.MockTransport(respond),
        max_retries=1,
        max_response_size=truth_table.MAX_RESPONSE_SIZE,
    )


@pytest.mark.parametrize(("evidence", "operation"), CASES.values(), ids=CASES)
def test_each_evidence_has_one_outcome(evidence: Evidence, operation: str) -> None:
    sent: list[httpx.Request] = []
    error = truth_table.call(scripted(evidence, sent=sent), operation, evidence)
    client = scripted(evidence, sent=[]).with_options(max_retries=0)
    (in_bulk,) = bulk_update(client, [truth_table.row_of(operation, evidence)])
    kind, applied = ("returned", True) if error is None else (type(error).__name__, error.applied)
    times = {1: "once", 2: "twice"}[len(sent)]
    wanted = expected(evidence, operation)
    assert [kind, str(applied), times, "again" if in_bulk.again else "final"] == [each.rstrip("!") for each in wanted]


@pytest.mark.parametrize(
    ("evidence", "operation"), DISTINCT.values(), ids=[f"{each.what}; {name}" for each, name in DISTINCT.values()]
)
def test_after_an_attempt_that_may_have_been_applied_only_some_refusals_are_certain(
    evidence: Evidence, operation: str
) -> None:
    """Those that are marked with ``!`` mean that no attempt can have been applied."""
    error = truth_table.call(scripted(evidence, httpx.Response(503), sent=[]), operation, evidence)
    _, applied, *_ = expected(evidence, operation)
    certain = {"True": True, "False!": False}.get(applied)
    assert (True if error is None else error.applied) is certain


@pytest.mark.parametrize(
    ("evidence", "operation"), DISTINCT.values(), ids=[f"{each.what}; {name}" for each, name in DISTINCT.values()]
)
def test_after_an_attempt_that_was_refused_the_next_decides(evidence: Evidence, operation: str) -> None:
    error = truth_table.call(scripted(evidence, httpx.Response(429), sent=[]), operation, evidence)
    assert str(True if error is None else error.applied) == expected(evidence, operation)[1].rstrip("!")


def test_no_row_of_the_table_is_left_over() -> None:
    used = {ROWS.index(row) for each, name in CASES.values() for row in ROWS if row.fits(each, name)}
    assert [row for row in ROWS if ROWS.index(row) not in used] == []


def test_every_status_and_exception_of_the_code_is_in_the_table() -> None:
    assert STATUSES.keys() <= set(truth_table.STATUSES)
    raised = {type(exc) for each in EVIDENCE for exc in [exception_of(each)] if exc}
    missing = [kind for kind in EXCEPTIONS if not any(issubclass(each, kind) for each in raised)]
    assert missing == []


@pytest.mark.soak
def exception_of(evidence: Evidence) -> Exception | None:
    if evidence.body != "none":
        return None
    with pytest.raises(Exception) as caught:  # noqa: PT011 - any
        evidence.respond(httpx.Request("PATCH", "https://neptun.test"))
    return caught.value


def test_the_page_shows_every_row() -> None:
    """docs/reference/outcomes.md is written from the code; this table, by hand, must say the same."""
    found: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for line in truth_table.markdown().splitlines()[2:]:
        what, _, operation, *outcome = (cell.strip() for cell in line.strip("|").split("|"))
        for name in ["project", "import"] if operation == "both" else [operation]:
            found.setdefault((what, name), set()).add(tuple(outcome))
    wanted: dict[tuple[str, str], set[tuple[str, ...]]] = {}
    for each, name in CASES.values():
        kind, applied, times, in_bulk = expected(each, name)
        shown = f"`{applied.rstrip('!')}`{', whatever came before' if '!' in applied else ''}"
        cells = (kind if kind == "returned" else f"`{kind}`", shown, "yes" if times == "twice" else "no", in_bulk)
        wanted.setdefault((each.what, truth_table.ENVELOPES[name]), set()).add(cells)
    assert found == wanted


# Retry-After

SECONDS: dict[str, tuple[str | None, float | None]] = {
    "absent": (None, None),
    "empty": ("", None),
    "0": ("0", 0.0),
    "with blanks": (" 12 ", 12.0),
    "a word": ("soon", None),
    "negative": ("-1", None),
    "a fraction": ("2.5", 2.5),
    "a fraction without digits": ("2.", None),
    "twice the same": ("2, 2", 2.0),
    "twice, the second longer": ("3, 5", 5.0),
    "twice, the first longer": ("5,3", 5.0),
    "digits of another script": ("\N{ARABIC-INDIC DIGIT ONE}", None),
    "5,000 digits": ("1" * 5000, 1e9),
    "a date that has passed": ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
    "a date that has passed, and seconds": ("Wed, 21 Oct 2015 07:28:00 GMT, 7", 7.0),
    "seconds, and a date that has passed": ("7, Wed, 21 Oct 2015 07:28:00 GMT", 7.0),
    "a date without a zone": ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    "a year of five digits": ("Wed, 21 Oct 99999 07:28:00 GMT", None),
    "a year of 5,000 digits": (f"Wed, 21 Oct {'9' * 5000} 07:28:00 GMT", None),
}


@pytest.mark.parametrize(("value", "seconds"), SECONDS.values(), ids=SECONDS)
def test_retry_after_is_read_as_seconds(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value) == seconds


def test_a_date_is_compared_with_the_responses_own_date() -> None:
    """The clock of the server may be wrong by years, and so may ours."""
    later, now = "Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT"
    assert parse_retry_after(later, now) == 30.0
    assert parse_retry_after(f"{later}, {now}", now) == 30.0


ZONES: dict[str, Callable[[datetime], str]] = {
    "GMT": lambda moment: format_datetime(moment, usegmt=True),
    "no zone": lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S"),
    "another zone": lambda moment: format_datetime(moment.astimezone(timezone(timedelta(hours=5)))),
}


@pytest.mark.parametrize("date", [None, "not a date"], ids=["without Date", "with a Date that is not one"])
@pytest.mark.parametrize("write", ZONES.values(), ids=ZONES)
def test_a_date_is_else_compared_with_our_own_clock(write: Callable[[datetime], str], date: str | None) -> None:
    seconds = parse_retry_after(write(datetime.now(UTC) + timedelta(minutes=10)), date)
    assert seconds is not None
    assert 540 < seconds <= 600


MADE_BY_HAND: dict[str, tuple[NeptunError, Rule]] = {
    "a status of the table": (ServerError("down", status_code=503), STATUSES[503]),
    "another status": (ServerError("down", status_code=507), Rule(ServerError)),
    "no status": (NeptunTimeoutError("slow"), Rule(NeptunTimeoutError)),
    "no response": (ArgumentError("wrong"), Rule(ArgumentError)),
}


@pytest.mark.parametrize(("error", "rule"), MADE_BY_HAND.values(), ids=MADE_BY_HAND)
def test_an_error_that_was_made_by_hand_has_the_rule_of_its_status(error: NeptunError, rule: Rule) -> None:
    assert rule_of(error) == rule


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ["documented", "cut", "too large", "encoded as br", "not gzip"])
def test_every_error_that_may_pass_says_how_long_to_wait(status: int, body: str) -> None:
    """Given twice, as proxies do, and whatever the body is."""
    found = [each for each in EVIDENCE if (each.what, each.body) == (str(status), body)]

    def respond(request: httpx.Request) -> httpx.Response:
        response = found[0].respond(request)
        headers = [*response.headers.multi_items(), ("Retry-After", "2.5"), ("Retry-After", "99")]
        response.headers = httpx.Headers(headers)
        return response

    evidence = found[0]._replace(respond=respond)
    error = truth_table.call(truth_table.client_of(evidence), "update_project", evidence)
    assert isinstance(error, NeptunError)
    assert getattr(error, "retry_after", None) == 99
