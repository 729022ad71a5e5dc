"""The judge: compares the outcomes that a driver printed with the vectors, and names what differs."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Vector = Mapping[str, Any]
VECTORS = Path(__file__).parent / "vectors"
_MISSING = object()
_FACADE_KEYS = {"applied", "attempts", "differences", "fields"}  # of an error; compared where a vector names them


@dataclass
class Verdict:
    """What came of one run of a driver: each vector is in one of the first three."""

    passed: list[str] = field(default_factory=list[str])
    failed: dict[str, list[str]] = field(default_factory=dict[str, list[str]])  # what differs, by the vector's id
    skipped: dict[str, str] = field(default_factory=dict[str, str])  # the reason, by the vector's id
    problems: list[str] = field(default_factory=list[str])  # what no vector is to blame for, such as a line of garbage

    @property
    def ok(self) -> bool:
        """Whether the driver passed: at least one vector, and nothing that differs."""
        return bool(self.passed) and not self.failed and not self.problems


def load_vectors(folder: Path = VECTORS) -> list[Vector]:
    """Read every vector of a folder; raises `ValueError` where there is none, or two have the same id."""
    files = sorted(path for path in folder.glob("*.json") if not path.name.endswith(".schema.json"))
    documents = [json.loads(path.read_text(encoding="utf-8")) for path in files]
    if not documents or not all(isinstance(document, dict) and document.get("vectors") for document in documents):
        raise ValueError(f'{folder} has no vectors: it should hold JSON files with {{"vectors": […]}}')
    vectors = [vector for document in documents for vector in document["vectors"]]
    ids = [vector["id"] for vector in vectors]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"more than one vector is called {', '.join(twice)}")
    return vectors


def session(vector: Vector) -> str:
    """Return the value of the session cookie, which selects the vector on the replay server."""
    value: str = vector.get("session", f"vector.{vector['id']}")
    return value


def call_line(vector: Vector) -> str:
    """Return the line that a driver reads for a vector: in ASCII, because some readers end a line at U+2028 too."""
    return json.dumps({"id": vector["id"], "session": session(vector), **vector["call"]})


def judge(
    vectors: Iterable[Vector], lines: Iterable[str], requests: Mapping[str, list[str]], language: str = ""
) -> Verdict:
    """Judge one run of a driver.

    Args:
        vectors: The vectors whose calls the driver was given, in their order.
        lines: The lines that it printed.
        requests: What the replay server found wrong with the requests of each vector, by the vector's id.
        language: The name of the driver's folder, under which a vector may say why it is skipped.
    """
    verdict, outcomes = Verdict(), dict[str, Any]()
    asked = [vector["id"] for vector in vectors]
    for number, line in enumerate(lines, 1):
        name, outcome, problem = _read_line(line)
        if not problem and name not in asked:
            problem = f"is an outcome of {name!r}, which was not asked for"
        elif not problem and name in outcomes:
            problem = f"is a second outcome of {name!r}"
        if problem:
            verdict.problems.append(f"line {number} {problem}")
        else:
            outcomes[name] = outcome
    if list(outcomes) != [name for name in asked if name in outcomes]:
        verdict.problems.append("the outcomes are not in the order of the calls")
    for vector in vectors:
        name = vector["id"]
        if reason := vector.get("skip", {}).get(language):
            verdict.skipped[name] = reason
            continue
        differences = list(requests.get(name, []))
        if name in outcomes:
            differences += outcome_differences(vector, outcomes[name])
        else:
            differences.append("no outcome was printed")
        if differences:
            verdict.failed[name] = differences
        else:
            verdict.passed.append(name)
    return verdict


def outcome_differences(vector: Vector, outcome: Any) -> list[str]:
    """Compare an outcome with that of its vector; an empty list if it is the same."""
    expected = vector["outcome"]
    kind = "error" if "error" in expected else "resource"
    if not isinstance(outcome, dict) or kind not in outcome:
        return [f"outcome: expected {expected.get('error', 'a resource')}, got {_shown(outcome)}"]
    last: Mapping[str, Any] = vector["exchanges"][-1]["response"] if vector["exchanges"] else {}
    differences: list[str] = []
    for name, value in expected.items():
        place = f"outcome.{name}"
        if name == "resource":
            strict = "facade" in vector["tags"]
            differences += _resource_differences(value, outcome.get(name), {} if strict else _received(last), place)
        elif name == "status" and name not in outcome and expected["error"] == "invalid_response":
            continue  # not every client keeps the status of a response that it cannot read
        else:
            differences += json_differences(value, outcome.get(name, _MISSING), place)
    for name, value in outcome.items():
        known = kind == "error" and (name in _FACADE_KEYS or (name == "status" and value == last.get("status")))
        if name not in expected and not known:
            differences.append(f"outcome.{name}: expected none, got {_shown(value)}")
    return differences


def json_differences(expected: Any, actual: Any, place: str) -> list[str]:
    """Compare two values as JSON: the order of keys says nothing, and absent is not null."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        names = [*expected, *(name for name in actual if name not in expected)]
        pairs = [(f"{place}.{name}", expected.get(name, _MISSING), actual.get(name, _MISSING)) for name in names]
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = [(f"{place}[{index}]", *pair) for index, pair in enumerate(zip(expected, actual, strict=True))]
    elif type(expected) is type(actual) or {type(expected), type(actual)} == {int, float}:
        return [] if expected == actual else [f"{place}: expected {_shown(expected)}, got {_shown(actual)}"]
    else:
        return [f"{place}: expected {_shown(expected)}, got {_shown(actual)}"]
    return [difference for name, one, other in pairs for difference in json_differences(one, other, name)]


def _resource_differences(expected: Any, actual: Any, received: Mapping[str, Any], place: str) -> list[str]:
    """Compare a resource, or the rows of a list. What the vector does not name may be left out, or printed as it was
    ``received``.
    """
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        pairs = enumerate(zip(expected, actual, strict=True))
        return [each for index, pair in pairs for each in _resource_differences(*pair, received, f"{place}[{index}]")]
    if not isinstance(expected, dict):
        return json_differences(expected, actual, place)
    if not isinstance(actual, dict):
        return [f"{place}: expected an object, got {_shown(actual)}"]
    differences: list[str] = []
    for name, value in expected.items():
        printed = actual.get(name, _MISSING)
        if value is None and printed is _MISSING:
            continue  # most languages have one word for null and absent
        if not (name.endswith("_at") and _same_instant(value, printed)):
            differences += json_differences(value, printed, f"{place}.{name}")
    for name, value in actual.items():
        if name not in expected and json_differences(received.get(name, _MISSING), value, ""):
            differences.append(f"{place}.{name}: expected none, got {_shown(value)}")
    return differences


def _same_instant(expected: Any, printed: Any) -> bool:
    """Tell whether two texts are the same instant, to the microsecond."""
    try:
        one, other = (datetime.fromisoformat(text.upper()) for text in (expected, printed))
    except (AttributeError, ValueError):
        return False
    return None not in (one.tzinfo, other.tzinfo) and one.astimezone(UTC) == other.astimezone(UTC)


def _received(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the fields of a response's body, and of the resource in it."""
    try:
        document = response["json"] if "json" in response else json.loads(response.get("body", ""))
    except ValueError:
        return {}
    inner = document.values() if isinstance(document, dict) else ()
    return {name: value for each in (document, *inner) if isinstance(each, dict) for name, value in each.items()}


def _read_line(line: str) -> tuple[str, Any, str]:
    """Return the id and the outcome of a line, or what is wrong with it."""
    try:
        printed = json.loads(line)
        return printed["id"], printed["outcome"], "" if isinstance(printed["id"], str) else "has an id that is no text"
    except (ValueError, RecursionError):
        return "", None, f"is not JSON: {_shown(line)}"
    except (TypeError, KeyError):
        return "", None, f"is not an object with id and outcome: {_shown(line)}"


def _shown(value: Any) -> str:
    """Return a value as one short line."""
    if value is _MISSING:
        return "nothing"
    text = value if isinstance(value, str) and value[:1] == "{" else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]}…"
