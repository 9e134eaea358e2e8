"""The geometry of the page's learning curves: numbers in, positions out. The template draws them as SVG.

Drawn by hand and not by a plotting library: the lines then take the page's own colours, in light and dark.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WIDTH, HEIGHT = 360, 208
LEFT, RIGHT, TOP, BOTTOM = 44, 10, 12, 34
SMOOTH_FROM = 20
"""Curves with at least this many points are drawn faintly, with their moving mean on top."""


@dataclass(frozen=True)
class Line:
    """One curve as SVG points, with its moving mean where it is long enough to need one."""

    label: str
    points: str
    smooth: str
    first: float
    last: float


@dataclass(frozen=True)
class Chart:
    """A chart ready to be drawn in a view box of WIDTH x HEIGHT."""

    title: str
    lines: tuple[Line, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    bottom: int = HEIGHT - BOTTOM

    @property
    def description(self) -> str:
        """What the chart shows, for those who cannot see it."""
        courses = (f"{line.label} from {line.first:.3g} to {line.last:.3g}" for line in self.lines)
        return f"{self.title} by training step: {'; '.join(courses)}."


def training_charts(sft: Sequence[Mapping[str, Any]], grpo: Sequence[Mapping[str, Any]]) -> list[Chart]:
    """The charts that two training logs can fill; what a log does not hold is left out.

    >>> [chart.title for chart in training_charts([{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0}], [])]
    ['SFT: loss']
    """
    keys = dict.fromkeys(key for entry in grpo for key in entry)
    rewards = {
        found[1].removesuffix("_reward"): key
        for key in keys
        if (found := re.fullmatch(r"rewards/(.+)/mean", key))
    }
    wanted = (
        ("SFT: loss", sft, {"loss": "loss"}, None),
        ("SFT: share of tokens right", sft, {"tokens right": "mean_token_accuracy"}, None),
        ("GRPO: reward by kind", grpo, rewards, (0.0, 1.0)),
        ("GRPO: tokens in a reply", grpo, {"tokens": "completions/mean_length"}, None),
        (
            "GRPO: groups with equal rewards",
            grpo,
            {"share of groups": "frac_reward_zero_std"},
            (0.0, 1.0),
        ),
        ("GRPO: distance from the start (KL)", grpo, {"KL": "kl"}, None),
    )
    charts = (draw(title, log, series, span) for title, log, series, span in wanted)
    return [chart for chart in charts if chart]


def draw(
    title: str,
    log: Sequence[Mapping[str, Any]],
    series: Mapping[str, str],
    span: tuple[float, float] | None = None,
) -> Chart | None:
    """A chart of `series` (label -> key of the log entries), or None where the log holds none of them.

    `span` is the least range of the vertical axis.
    """
    curves = {label: course(log, key) for label, key in series.items()}
    curves = {label: points for label, points in curves.items() if len(points) > 1}
    if not curves:
        return None
    steps = [step for points in curves.values() for step, _ in points]
    values = [value for points in curves.values() for _, value in points]
    low, high = min(values), max(values)
    if span:
        low, high = min(low, span[0]), max(high, span[1])
    elif low > 0 and low < high / 2:
        low = 0.0  # an axis that nearly reaches zero may as well start there
    y_marks = nice_ticks(low, high)
    low, high = min(low, y_marks[0]), max(high, y_marks[-1])
    start, end = min(steps), max(steps)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (step - start) / ((end - start) or 1)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / ((high - low) or 1)

    def path(points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in points)

    lines = tuple(
        Line(
            label,
            path(points),
            path(moving_mean(points)) if len(points) >= SMOOTH_FROM else "",
            points[0][1],
            points[-1][1],
        )
        for label, points in curves.items()
    )
    x_marks = [mark for mark in nice_ticks(start, end) if start <= mark <= end]
    return Chart(
        title,
        lines,
        tuple((round(x(mark), 1), f"{mark:g}") for mark in x_marks),
        tuple((round(y(mark), 1), f"{mark:g}") for mark in y_marks),
    )


def course(log: Sequence[Mapping[str, Any]], key: str) -> list[tuple[float, float]]:
    """(step, value) of the entries that hold the key as a finite number; the entry's position if no step."""
    found = []
    for position, entry in enumerate(log, start=1):
        value = entry.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            found.append((float(entry.get("step", position)), float(value)))
    return found


def moving_mean(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The mean of each point and its neighbours, about a tenth of the curve in all.

    >>> moving_mean([(1, 0.0), (2, 3.0), (3, 0.0)])
    [(1, 1.5), (2, 1.0), (3, 1.5)]
    """
    reach = max(1, len(points) // 20)
    smooth = []
    for position, (step, _) in enumerate(points):
        near = [value for _, value in points[max(0, position - reach) : position + reach + 1]]
        smooth.append((step, sum(near) / len(near)))
    return smooth


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that cover low to high, at most `most` steps of 1, 2 or 5 times a power of ten.

    >>> nice_ticks(0, 0.93), nice_ticks(3, 3)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [3.0, 3.2, 3.4, 3.6, 3.8, 4.0])
    """
    if high <= low:
        high = low + (abs(low) / 3 or 1.0)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / size + 1e-9), math.ceil(high / size - 1e-9)
    return [round(number * size, 10) for number in range(first, last + 1)]
