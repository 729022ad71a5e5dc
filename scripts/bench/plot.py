"""The rows as a plot that fits a phone: one column, with a panel for each subject, in light or dark colors."""
# pyright: reportUnknownMemberType=false
# (The types of matplotlib leave some keyword arguments open.)

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.harness import Measured, Row
from bench.report import number

TIMES = "\N{MULTIPLICATION SIGN}"
NOTE = f"Bars start at zero. {TIMES}: ratio to the first bar. Blue: neptun-sdk."
BACKGROUND, INK, OURS_COLOR, OTHERS_COLOR, GRAY = "#ffffff", "#1c2128", "#1f6feb", "#a8b1bb", "#57606a"
# What each color becomes for a reader who prefers dark pages. The plot has a background, so that it is legible on any
# page.
DARK = {BACKGROUND: "#131416", INK: "#e6e8eb", OURS_COLOR: "#4d94ff", OTHERS_COLOR: "#565e67", GRAY: "#a3abb4"}

# A bar with a higher ratio is cut off: beside it, the others would be too short to compare.
MAX_RATIO = 10

# Inches; a browser shows 96 pixels an inch. Down: the note, the heading of each panel, and each label with its bar.
WIDTH, MARGIN = 3.96, 0.12
TOP, HEADING, BAR = 0.34, 0.56, 0.33
FONT_SIZE = 8.5  # points: about 10 pixels on a phone that is 360 pixels wide


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
            "font.size": FONT_SIZE,
            "text.color": INK,
            "svg.fonttype": "none",  # text stays text, in the reader's font
            "svg.hashsalt": "neptun-sdk",
        }
    )
    written = io.StringIO()
    with style:
        figure(rows).savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    target.write_text(written.getvalue().replace("</style>", f"{dark_style()}</style>", 1), encoding="utf-8")


def dark_style() -> str:
    """Return the rules that replace each color where the reader prefers dark pages."""
    rules = [
        f'[style*="{kind}: {light}"] {{ {kind}: {dark} !important }}'
        for light, dark in DARK.items()
        for kind in ("fill", "stroke")
    ]
    return "\n@media (prefers-color-scheme: dark) {\n" + "\n".join(rules) + "\n}\n"


def figure(rows: Sequence[Row]) -> Figure:
    """Return the plot, with a panel for each subject."""
    panels: dict[str, list[Bar]] = {}
    for row in rows:
        panels.setdefault(row.subject, []).extend(Bar(row, each) for each in row.measured)
    height = TOP + MARGIN + sum(HEADING + BAR * len(bars) for bars in panels.values())
    drawn = Figure(figsize=(WIDTH, height), facecolor=BACKGROUND)
    drawn.text(MARGIN / WIDTH, 1 - 0.2 / height, NOTE, color=GRAY, va="center", size=7.5)
    bottom = height - TOP
    for bars in panels.values():
        size = BAR * len(bars)
        bottom -= HEADING + size
        place = (MARGIN / WIDTH, bottom / height, 1 - 2 * MARGIN / WIDTH, size / height)
        draw_panel(drawn.add_axes(place), bars)
    return drawn


def draw_panel(axes: Axes, bars: Sequence[Bar]) -> None:
    """Draw the bars of one subject, with the contender, the value and the ratio above each."""
    longest = max(bar.measured.median for bar in bars if bar.measured.ratio <= MAX_RATIO)
    if any(bar.measured.ratio > MAX_RATIO for bar in bars):
        longest *= 1.2
    axes.set_axis_off()
    axes.set_xlim(0, longest)
    axes.set_ylim(len(bars) - 0.5, -0.5)
    for place, bar in enumerate(bars):
        length = min(bar.measured.median, longest)
        axes.barh(place + 0.26, length, height=0.26, color=OURS_COLOR if bar.ours else OTHERS_COLOR)
        if length < bar.measured.median:
            draw_break(axes, length, place + 0.26)
        axes.text(0, place + 0.01, bar.label, weight=bar.weight)
        axes.text(longest, place + 0.01, bar.value, weight=bar.weight, ha="right")
    row, top = bars[0].row, 72 * BAR * len(bars)
    subject = row.subject[0].upper() + row.subject[1:]
    axes.annotate(subject, (0, top + 18), xycoords="axes points", weight="bold", size=10)
    better = f"{row.quantity}, {row.unit}: {row.better} is better"
    axes.annotate(better, (0, top + 6), xycoords="axes points", color=GRAY, size=7.5)


def draw_break(axes: Axes, length: float, place: float) -> None:
    """Mark a bar that is cut off with two lines near its end."""
    for end in (0.93, 0.96):
        low, high = length * (end - 0.01), length * (end + 0.01)
        axes.plot([low, high], [place + 0.16, place - 0.16], color=BACKGROUND, linewidth=1.5)
