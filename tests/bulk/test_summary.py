"""The end of ``neptun-bulk``: what became of the rows, and where they stand."""

from __future__ import annotations

import io

import pytest

from neptun_sdk import NotFoundError
from neptun_sdk.bulk import Outcome, Status, Update
from neptun_sdk.bulk.rows import Rows
from neptun_sdk.bulk.summary import Totals, print_summary


def printed(capsys: pytest.CaptureFixture[str], totals: Totals, text: str) -> str:
    print_summary(totals, Rows(io.BytesIO(text.encode())), seconds=2, problem="", journal=None, notes=["Resume."])
    return capsys.readouterr().out


def totals(*statuses: Status, resent: bool = False) -> Totals:
    found = Totals(len(statuses))
    for row, status in enumerate(statuses, 1):
        error = NotFoundError("404") if status == "refused" else None
        found.add(Outcome(Update(row), status, error, row=row, attempts=1, again=status == "unknown", resent=resent))
    return found


def test_many_rows_that_were_sent_again_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    text = "project_id,name\n" + "1,a\n" * 103
    statuses: list[Status] = ["applied"] * 103
    found = printed(capsys, totals(*statuses, resent=True), text)
    assert "may have applied them: lines 2-104\n" in found


def test_without_a_journal_a_row_without_an_outcome_is_unsent(capsys: pytest.CaptureFixture[str]) -> None:
    """An exception ended the run: of its input, when nothing was under way any more."""
    found = totals("applied", "unknown")
    found.total = 5
    found.recount(None)
    text = printed(capsys, found, "project_id,name\n" + "1,a\n" * 5)
    assert "unsent       3  not sent\ntotal        5" in text
    assert text.endswith("\nResume.\n")


@pytest.mark.parametrize("text", ["project_id,name\n1,a\n", 'project_id,name\n1,a\n1,"a\n'], ids=["shorter", "torn"])
def test_a_row_that_stands_no_longer_in_the_file_has_its_number(capsys: pytest.CaptureFixture[str], text: str) -> None:
    found = printed(capsys, totals("applied", "refused", "unknown"), text)
    assert "  row 2, refused: 404\n" in found
    assert "  row 3, unknown (to be sent again): it was under way when an earlier run ended\n" in found
    assert found.endswith("\nResume.\n")
