"""The rows as a plot: a panel for each subject, in two columns."""
# pyright: reportUnknownMemberType=false
# (The types of matplotlib leave some keyword arguments open.)

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.harness import Measured, Row
from bench.report import number

TIMES = "\N{MULTIPLICATION SIGN}"
NOTE = (
    f"Bars: medians, on linear axes from zero. {TIMES}: the ratio to the first bar of the same case. "
    "Blue and bold: neptun-sdk."
)
OURS_COLOUR, OTHERS_COLOUR, GREY = "#1f6feb", "#a8b1bb", "#57606a"

# A bar with a higher ratio is cut off: beside it, the others would be too short to compare.
MAX_RATIO = 10

# Inches; a browser shows 96 pixels an inch. Across: the plot (900 pixels), its margin, and in each of the two columns
# the labels and the bars with their values. Down: the note, and in each panel the heading, each bar and the axis.
WIDTH, MARGIN, LABELS, BARS = 9.375, 0.1, 2.5, 2.15
TOP, HEADING, BAR, AXIS = 0.32, 0.52, 0.235, 0.38


class Bar(NamedTuple):
    """One contender of a row."""

    row: Row
    measured: Measured

    @property
    def label(self) -> str:
        """The case and the contender, if there are several."""
        return ": ".join(filter(None, (self.row.case, self.measured.name if self.row.has_ratios else "")))

    @property
    def value(self) -> str:
        """The median and the ratio."""
        median, ratio = f"{number(self.measured.median)} {self.row.unit}", self.measured.ratio
        if not self.row.has_ratios:
            return median
        return f"{median}, {ratio:.2f} {TIMES}" if ratio >= 0.01 else f"{median}, < 0.01 {TIMES}"

    @property
    def ours(self) -> bool:
        return self.measured.name in self.row.ours

    @property
    def weight(self) -> str:
        return "bold" if self.ours else "normal"


def plot(rows: Sequence[Row], target: Path) -> None:
    """Write the plot as SVG. The same rows give the same file."""
    style = matplotlib.rc_context(
        {
            "font.sans-serif": ["DejaVu Sans", "Verdana"],
            "font.size": 8,
            "svg.fonttype": "none",  # text stays text, in the reader's font
            "svg.hashsalt": "neptun-sdk",
        }
    )
    with style:
        figure(rows).savefig(target, format="svg", metadata={"Date": None, "Creator": None})


def figure(rows: Sequence[Row]) -> Figure:
    """Return the plot, with each panel in the column that is shorter so far."""
    panels: dict[str, list[Bar]] = {}
    for row in rows:
        panels.setdefault(row.subject, []).extend(Bar(row, each) for each in row.measured)
    places: list[tuple[int, float]] = []
    heights = [0.0, 0.0]
    for bars in panels.values():
        column = heights.index(min(heights))
        places.append((column, heights[column]))
        heights[column] += HEADING + BAR * len(bars) + AXIS
    height = TOP + max(heights)
    drawn = Figure(figsize=(WIDTH, height), facecolor="white")
    drawn.text(MARGIN / WIDTH, 1 - 0.2 / height, NOTE, color=GREY, va="center")
    for bars, (column, top) in zip(panels.values(), places, strict=True):
        size = BAR * len(bars)
        bottom = height - TOP - top - HEADING - size
        left = column * WIDTH / 2 + LABELS
        draw_panel(drawn.add_axes((left / WIDTH, bottom / height, BARS / WIDTH, size / height)), bars)
    return drawn


def draw_panel(axes: Axes, bars: Sequence[Bar]) -> None:
    """Draw the bars of one subject, with the value and the ratio of each."""
    longest = max(bar.measured.median for bar in bars if bar.measured.ratio <= MAX_RATIO)
    if any(bar.measured.ratio > MAX_RATIO for bar in bars):
        longest *= 1.2
    for place, bar in enumerate(bars):
        length = min(bar.measured.median, longest)
        axes.barh(place, length, height=0.68, color=OURS_COLOUR if bar.ours else OTHERS_COLOUR)
        if length < bar.measured.median:
            draw_break(axes, length, place)
        axes.annotate(
            bar.value, (length, place), (4, 0), textcoords="offset points", va="center_baseline", weight=bar.weight
        )
    axes.set_xlim(0, longest * 2.7)  # the rest is room for the values
    axes.set_xticks(
        [tick for tick in MaxNLocator(3, steps=[1, 2, 2.5, 5, 10]).tick_values(0, longest) if tick <= longest]
    )
    axes.xaxis.set_major_formatter(lambda tick, _: f"{tick:,g}")
    axes.tick_params(axis="x", length=2, labelsize=7, color=GREY, labelcolor=GREY)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.set_yticks(range(len(bars)), [bar.label for bar in bars])
    axes.tick_params(axis="y", length=0)
    for label, bar in zip(axes.get_yticklabels(), bars, strict=True):
        label.set_fontweight(bar.weight)
    axes.spines[["left", "top", "right"]].set_visible(False)
    axes.spines["bottom"].set(bounds=(0, longest), color=GREY, linewidth=0.5)
    row, left, top = bars[0].row, 72 * (MARGIN - LABELS), 72 * BAR * len(bars)
    subject = row.subject[0].upper() + row.subject[1:]
    axes.annotate(subject, (left, top + 18), xycoords="axes points", weight="bold", size=9.5)
    better = f"{row.quantity}, {row.unit}: {row.better} is better"
    axes.annotate(better, (left, top + 6), xycoords="axes points", color=GREY)


def draw_break(axes: Axes, length: float, place: int) -> None:
    """Mark a bar that is cut off with two white lines near its end."""
    for end in (0.93, 0.96):
        low, high = length * (end - 0.01), length * (end + 0.01)
        axes.plot([low, high], [place + 0.4, place - 0.4], color="white", linewidth=1.5)
