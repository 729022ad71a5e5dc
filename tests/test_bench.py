"""The benchmark, with made-up measurements: nothing here depends on how fast the machine is."""

from __future__ import annotations

import dataclasses
import re
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from bench import report
from bench.harness import Measured, Row, compare, in_batches, take_turns
from bench.server import NAME, RESPONSE_SIZES, BenchmarkServer

from neptun_sdk import NeptunClient

UPDATE = Row(
    subject="one update",
    quantity="CPU time",
    unit="µs",
    target="at most 1.00",
    met=True,
    measured=compare({"bare httpx": [300.0] * 4, "neptun-sdk": [270.0] * 4, "the published example": [15_900.0] * 4}),
)
THREADS = Row(
    subject="many threads",
    case="8 threads",
    quantity="throughput",
    unit="calls/s",
    better="more",
    target="at least 0.9",
    met=False,
    measured=compare({"bare httpx": [1_400.0] * 4, "neptun-sdk": [700.0] * 4}),
)
MEMORY = Row(
    subject="memory growth",
    case="10,000 sessions",
    quantity="resident set",
    unit="MiB",
    target="at most 100 MiB",
    met=True,
    measured=[Measured("neptun-sdk", 7.4, 1, 1, 1)],
)
ROWS = [UPDATE, THREADS, dataclasses.replace(THREADS, case="64 threads"), MEMORY]


def test_ratios_are_taken_round_by_round() -> None:
    """A machine that is busy for one round slows every contender of it."""
    base, other = compare({"base": [1.0, 10.0, 2.0, 4.0], "other": [2.0, 20.0, 4.0, 10.0]})
    assert base == Measured("base", 3.0, 1.0, 1.0, 1.0)
    assert (other.name, other.median, other.ratio) == ("other", 7.0, 2.0)
    assert 2.0 <= other.low <= other.ratio <= other.high <= 2.5


def test_contenders_take_turns_after_a_warm_up_round() -> None:
    turns: list[str] = []

    def turn(name: str) -> float:
        turns.append(name)
        return len(turns)

    samples = take_turns({"a": lambda: turn("a"), "b": lambda: turn("b")}, rounds=2)
    assert turns == list("ababab")
    assert samples == {"a": [3, 5], "b": [4, 6]}


def test_a_batch_returns_the_time_of_one_call() -> None:
    """The clock of this test advances by 1.5 with each call."""
    calls: list[None] = []

    def call() -> None:
        time.sleep(0.001)
        calls.append(None)

    assert in_batches(call, clock=lambda: 1.5 * len(calls))() == 1.5


@pytest.mark.parametrize("project_id", RESPONSE_SIZES)
def test_server_responds_with_the_size_of_the_project(project_id: int) -> None:
    with BenchmarkServer() as server, NeptunClient("a-session-cookie", 1, base_url=server.base_url) as client:
        project = client.update_project(project_id, name=NAME)
    assert project.id == project_id
    assert len(str(project.extra)) >= RESPONSE_SIZES[project_id] * 0.9


def test_text_has_the_target_and_the_ratios() -> None:
    lines = report.text(UPDATE).splitlines()
    assert lines[1] == "one update, CPU time (target: at most 1.00; met)"
    assert lines[3].split() == ["neptun-sdk", "270", "µs", "0.900", "(0.900", "to", "0.900)"]
    assert "MISSED" in report.text(THREADS)


def test_markdown_has_a_line_for_each_contender() -> None:
    lines = report.markdown(ROWS).splitlines()
    assert "| one update, CPU time | bare httpx | 300 µs | 1.000 | 1.000 to 1.000 | at most 1.00: met |" in lines
    assert "|  | **neptun-sdk** | 270 µs | 0.900 | 0.900 to 0.900 |  |" in lines
    assert "|  | the published example | 15,900 µs | 53.000 | 53.000 to 53.000 |  |" in lines
    assert any(line.endswith("| at least 0.9: **missed** |") for line in lines)
    assert any("| **neptun-sdk** | 7.40 MiB | | | at most 100 MiB: met |" in line for line in lines)


def test_the_table_beside_the_plot_compares_httpx_with_the_sdk() -> None:
    """The plot on a phone and this table show the same few subjects; the long table has all."""
    lines = report.markdown(ROWS).splitlines()
    summary = lines[lines.index("| median | bare httpx | neptun-sdk |") :]
    assert summary[2:4] == ["| one update | 300 µs | 270 µs |", ""]


@pytest.mark.needs("matplotlib")
def test_plot_has_a_dark_color_for_each_of_its_colors(tmp_path: Path) -> None:
    from bench.plot import DARK, plot

    plot(ROWS, tmp_path / "plot.svg")
    style, drawing = (tmp_path / "plot.svg").read_text(encoding="utf-8").split("</style>")
    colors = set(re.findall(r"(?:fill|stroke): (#\w+)", drawing))
    assert colors == set(DARK)
    assert all(f"{dark} !important" in style for dark in DARK.values())


@pytest.mark.needs("matplotlib")
def test_plot_names_every_contender_value_and_direction(tmp_path: Path) -> None:
    """The SVG keeps its text as text, so that a reader can search it."""
    from bench.plot import plot

    plot(ROWS, tmp_path / "plot.svg")
    texts = [element.text for element in ElementTree.parse(tmp_path / "plot.svg").iter() if element.text]  # noqa: S314
    assert {"One update", "Many threads", "Memory growth"} <= set(texts)
    assert {"CPU time, µs: less is better", "throughput, calls/s: more is better"} <= set(texts)
    assert {"bare httpx", "neptun-sdk", "the published example"} <= set(texts)
    assert {"8 threads: neptun-sdk", "64 threads: bare httpx", "10,000 sessions"} <= set(texts)
    assert {"300 µs, 1.00 \u00d7", "270 µs, 0.90 \u00d7", "15,900 µs, 53.00 \u00d7", "7.40 MiB"} <= set(texts)


@pytest.mark.needs("matplotlib")
def test_plot_is_the_same_for_the_same_rows(tmp_path: Path) -> None:
    from bench.plot import plot

    for name in ("one.svg", "other.svg"):
        plot(ROWS, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()


@pytest.mark.needs("matplotlib")
def test_axes_are_linear_from_zero_and_a_huge_bar_is_cut_off() -> None:
    from bench.plot import figure
    from matplotlib.patches import Rectangle

    panels = figure(ROWS).axes
    assert [axes.get_xscale() for axes in panels] == ["linear"] * 3
    assert [axes.get_xlim()[0] for axes in panels] == [0] * 3
    update, threads, memory = (
        [bar.get_width() for bar in axes.patches if isinstance(bar, Rectangle)] for axes in panels
    )
    assert update == [300, 270, 360]
    assert threads == [1_400, 700] * 2
    assert memory == [7.4]
