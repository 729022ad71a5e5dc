"""From an outcome to its error.

A text says in this order: the call, what happened, whether the update was applied, details, the next step, the cause.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, NamedTuple, cast

import httpx

from neptun_sdk import dialects, errors, outcomes
from neptun_sdk._contract import CONTRACT
from neptun_sdk.operations import CallInfo
from neptun_sdk.outcomes import Outcome

_OUTCOMES = {True: "was applied", False: "was not applied", None: "may have been applied"}
_MAX_WORDS = 300  # characters of a text from outside in a message
_MAX_DETAILS = 600  # characters of all problems of a 400 in a message
_MAX_ISSUES = 20  # problems of a 400 that are kept


class _Words(NamedTuple):
    """The parts of a message that depend on the outcome."""

    what: str
    next_step: str
    outcome: str = ""  # in place of the sentence that says whether the update was applied
    details: str = ""


def error_of(
    call: CallInfo[Any], outcome: Outcome[Any], *, origin: str, proxy_name: str, elapsed: float
) -> errors.NeptunError:
    """Return the error of a call that ended in this outcome.

    Args:
        call: The call.
        outcome: The outcome of its last attempt, which knows of the earlier ones.
        origin: The server, for messages.
        proxy_name: What names the proxy in use; empty without one.
        elapsed: The seconds since the call began.
    """
    error_class = outcome.rule.error
    attributes: dict[str, Any] = {
        "operation": call.operation.name,
        "attempts": outcome.attempts,
        "applied": None if call.operation.is_safe else outcome.applied,
        "status_code": outcome.status_code,
        "headers": dict(outcome.headers),
        "body": outcome.body,
        "retry_after": outcome.retry_after,
        "differences": dict(outcome.differences),
        "resource": outcome.resource,
    }
    if issubclass(error_class, errors.StatusError):
        attributes["server_message"] = _server_message(outcome)
        attributes["fields"] = _fields(call, outcome.body) if hasattr(error_class, "fields") else {}
        words = _status_words(call, outcome, attributes)
    elif issubclass(error_class, errors.UpdateNotVerifiedError):
        words = _difference_words(call, outcome)
    elif issubclass(error_class, errors.ResponseError):
        words = _response_words(call, outcome)
    else:
        through = " through the proxy" if proxy_name else ""
        through += f" of {proxy_name}" if proxy_name not in ("", "proxy") else ""
        words = _connection_words(call, outcome, origin + through, proxy_name, elapsed)
    sentence = words.outcome or f"The {call.operation.noun} {_OUTCOMES[attributes['applied']]}."
    attempts = f" ({outcome.attempts} attempts)" if outcome.attempts > 1 else ""
    sentence = "" if call.operation.is_safe else f" {sentence}"
    text = f"{call}: {words.what}{attempts}.{sentence}{words.details} {words.next_step}"
    known = {name: value for name, value in attributes.items() if hasattr(error_class, name)}
    return outcomes.with_rule(error_class(text, **known), outcome.rule)


def printable(text: str) -> str:
    """Return a text from outside as one short line without control characters or lone surrogates."""
    letters = (letter if letter.isprintable() else " " for letter in text[: _MAX_WORDS * 4])
    return _shortened(" ".join("".join(letters).split()).rstrip(".:"))


def _status_words(call: CallInfo[Any], outcome: Outcome[Any], attributes: dict[str, Any]) -> _Words:
    rule, wait = outcome.rule, outcome.retry_after
    problems = "".join(f" {name}: {problem}." for name, problem in attributes["fields"].items())
    next_step = rule.next_step
    if outcome.status_code == 404 and outcome.maybe_applied and call.operation.noun == "deletion":
        next_step = "An earlier attempt of this call has probably deleted it"
    elif wait and outcome.status_code in (429, 503):
        rest = next_step.partition(".")[2]
        next_step = f"Call again after {max(1, round(wait))} s" + (f".{rest}" if rest else "")
    what = f"{outcome.status_code} {attributes['server_message']}{': ' if rule.reason else ''}{rule.reason}"
    if outcome.problem:
        what += f" (its body {outcome.problem})"
    return _Words(what, f"{next_step.rstrip('.')}.", details=_shortened(problems, _MAX_DETAILS))


def _connection_words(
    call: CallInfo[Any], outcome: Outcome[Any], origin: str, proxy_name: str, elapsed: float
) -> _Words:
    rule, exc = outcome.rule, outcome.cause
    what = rule.reason.format(origin=origin, elapsed=f"{round(elapsed, 1 if elapsed >= 1 else 3):g}")
    if exc is None:
        return _Words(what, rule.next_step)
    name, words = type(exc).__name__, printable(str(exc))
    next_step = rule.next_step
    if what.startswith("cannot connect"):
        if re.search("Key Identifier|key usage|not marked critical", words):  # of OpenSSL's strict checks
            next_step = (
                "The CA lacks what Python requires from 3.13 on: renew its certificate, or pass an ssl_context without "
                "ssl.VERIFY_X509_STRICT."
            )
        elif re.search("SSL|CERTIFICATE", words):
            next_step = "Check base_url and, for a private CA, SSL_CERT_FILE or ssl_context."
        elif proxy_name:
            next_step = "Check the proxy." if proxy_name == "proxy" else "Check that variable and the proxy."
    if next_step == outcomes.RETRY and not call.fields:
        next_step = "Call again." if call.operation.is_safe else "Call again: sending it twice is safe."
    return _Words(what, f"{next_step} ({name}: {words})" if words and words != name else f"{next_step} ({name})")


def _response_words(call: CallInfo[Any], outcome: Outcome[Any]) -> _Words:
    rule = outcome.rule
    contract = f" (contract {CONTRACT})"
    if outcome.problem and not rule.reason:
        again = "Do not send it again. " if rule.applied and not call.operation.is_safe else ""
        return _Words(f"{outcome.status_code}, but the body {outcome.problem}", f"{again}{rule.next_step}{contract}")
    what = f"{outcome.status_code}, {rule.reason}"
    if rule is outcomes.REDIRECT and (target := _location(outcome)):
        what = what.replace("a redirect", f"a redirect to {_quoted(target)}")
    if outcome.problem:
        what += f" (its body {outcome.problem})"
    return _Words(what, f"{rule.next_step}{contract}")


def _difference_words(call: CallInfo[Any], outcome: Outcome[Any]) -> _Words:
    differences, dropped = outcome.differences, outcome.dropped
    shown = "; ".join(f"{name} came back as {_difference(*values)}" for name, values in differences.items())
    verified = [name for name in call.fields if name not in differences]
    changed = [name for name in differences if name not in dropped]
    one, next_step = len(differences) == 1, outcome.rule.next_step
    if dropped:
        sentence = "It was not applied" if one else "They were not applied"
        if changed:
            sentence = f"{_were(dropped)} not applied, {', '.join(changed)} may have been"
        how = dialects.HOW_TO_SET.format(outcome.dialect)
        next_step = f"The server speaks the {outcome.dialect} dialect: set {how}."
    else:
        sentence = f"{'It' if one else 'They'} may have been applied"
    return _Words(
        f"{outcome.status_code}, but {shown}", next_step, sentence + (f"; {_were(verified)}." if verified else ".")
    )


def _location(outcome: Outcome[Any]) -> str:
    """Return where a redirect leads, without what may be a secret."""
    try:
        url = httpx.URL(outcome.headers.get("location", ""))
        return str(url.copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, ValueError):
        return ""


def _server_message(outcome: Outcome[Any]) -> str:
    """Return the best sentence of an error body, of whatever shape."""
    body = outcome.body
    error = _object(body)
    candidates = [error.get(key) for key in ("message", "statusMessage", "error", "detail", "title")]
    candidates.append(_object(error.get("error")).get("message"))
    if isinstance(body, str):
        title = re.search(r"<title[^>]*>([^<]*)</title>", body[:10_000], re.IGNORECASE)
        candidates = [title and title[1]] if body.lstrip().startswith("<") else [body]
    for candidate in candidates:
        words = printable(candidate) if isinstance(candidate, str) else ""
        if words:
            return words
    try:
        return HTTPStatus(outcome.status_code or 0).phrase
    except ValueError:
        return "(no message)"


def _fields(call: CallInfo[Any], body: object) -> dict[str, str]:
    """Return the problems of a request by field, which a server lists in ``data.issues``, or as RFC 9457 does."""
    problems: dict[str, list[str]] = {}
    for issue in [*_list(_object(_object(body).get("data")).get("issues")), *_list(_object(body).get("errors"))][
        :_MAX_ISSUES
    ]:
        found = _object(issue)
        steps = _list(found.get("path")) or str(found.get("pointer", "")).removeprefix("#").split("/")[1:]
        path = [_shortened(printable(str(step)), 80) for step in steps[:5]]
        if path:
            name = ".".join((dialects.contract_name(call.operation.resource, path[0]), *path[1:]))
            words = found.get("message") or found.get("detail") or "invalid"
            problems.setdefault(name, []).append(printable(str(words)))
    return {name: _shortened("; ".join(dict.fromkeys(texts))) for name, texts in problems.items()}


def _were(names: list[str] | tuple[str, ...]) -> str:
    return f"{', '.join(names)} {'was' if len(names) == 1 else 'were'}"


def _difference(sent: object, returned: object) -> str:
    """Show what came back for what was sent: both, or where two long texts begin to differ and how long they are."""
    if not isinstance(sent, str) or not isinstance(returned, str) or max(len(sent), len(returned)) <= 80:
        return f"{_quoted(returned)}, not {_quoted(sent)}"
    pairs = zip(sent, returned, strict=False)
    at = next((index for index, (a, b) in enumerate(pairs) if a != b), min(len(sent), len(returned)))
    return (
        f"{len(returned)} characters, not {len(sent)}: from character {at + 1} on "
        f"{_quoted(returned[at : at + 40])}, not {_quoted(sent[at : at + 40])}"
    )


def _shortened(text: str, limit: int = _MAX_WORDS) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return repr(_shortened(value, 80))
    return "nothing" if value is None else _shortened(repr(value), 80)


def _object(value: object) -> dict[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
