"""Tests that lack something are skipped, and named in the first lines of pytest; in CI they fail."""

import pytest

from tests.conftest import pytest_report_header
from tests.needs import NEEDS, Need, require

ABSENT = Need(found=False, tests="the pages in a browser", hint="apt install netscape")
OUTCOMES = {
    "here": ("", False, pytest.skip.Exception),
    "in CI": ("true", False, pytest.fail.Exception),
    "in CI, without a wheel for this Python": ("true", True, pytest.skip.Exception),
}


@pytest.mark.parametrize(("ci", "excused", "outcome"), OUTCOMES.values(), ids=OUTCOMES)
def test_what_is_missing_is_named(
    ci: str, excused: bool, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setitem(NEEDS, "Netscape", Need(False, ABSENT.tests, ABSENT.hint, excused))
    with pytest.raises(outcome, match=r"needs Netscape \(apt install netscape\)"):
        require("Netscape")


def test_pytest_begins_with_a_line_for_each_thing_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "Netscape", ABSENT)
    line = "without Netscape (apt install netscape), these are skipped: the pages in a browser"
    assert line in pytest_report_header()


def test_what_is_here_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NEEDS, "Netscape", Need(True, ABSENT.tests, ABSENT.hint))
    require("Netscape")
    assert not any("Netscape" in line for line in pytest_report_header())
