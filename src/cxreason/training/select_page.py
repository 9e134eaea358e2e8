"""The page of `select`: how sure the model was of what, and what was kept, in one file that works offline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxreason.evaluation.page import environment
from cxreason.evaluation.page_charts import nice_ticks
from cxreason.recipes import SelectRecipe

if TYPE_CHECKING:
    from cxreason.training.select import Cell

NUM_BARS = 24
WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 360, 168, 40, 34, 8, 10


@dataclass(frozen=True)
class Bar:
    """One bar of a histogram in the coordinates of its drawing, with the part of it that was kept."""

    x: float
    width: float
    y: float
    height: float
    kept_y: float
    kept_height: float
    title: str


@dataclass(frozen=True)
class Histogram:
    """A histogram ready to be drawn: all samples, and in front of them those that were kept."""

    caption: str
    bars: tuple[Bar, ...]
    x_ticks: tuple[tuple[float, str], ...]
    y_ticks: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    bottom: int = HEIGHT - BOTTOM


def page(cells: Mapping[str, Cell], kept: set[str], told: Mapping[str, Any], recipe: SelectRecipe) -> str:
    """The page as text. `told` holds the counts of the run."""
    most = max((max(cell.variances) for cell in cells.values()), default=0.0) or 1.0
    means = [value for cell in cells.values() for value in cell.means]
    span = min(means, default=0.0), max(means, default=1.0)
    drawn = {
        task: (
            histogram("variance of the reward", cell.ids, cell.variances, kept, 0.0, most),
            histogram("mean of the reward", cell.ids, cell.means, kept, *span),
        )
        for task, cell in cells.items()
    }
    total = {
        key: sum(counts[key] for counts in told["tasks"].values())
        for key in ("samples", "kept", "without_variance", "kept_without_variance")
    }
    return (
        environment(Path(__file__).parent)
        .get_template("select.html.jinja")
        .render(
            claim=claim(total, recipe.choose),
            by_lot=recipe.choose == "random",
            tasks=told["tasks"],
            total=total,
            draws=told["draws"],
            drawn=drawn,
            rewards=recipe.rewards,
            recipe=json.dumps(recipe.model_dump(mode="json"), indent=2, ensure_ascii=False),
        )
    )


def claim(total: Mapping[str, int], choose: str) -> str:
    """What was kept, in one sentence.

    >>> claim({"samples": 1000, "kept": 200, "without_variance": 430, "kept_without_variance": 0}, "variance")
    'Kept are 200 of 1,000 samples; 430 would teach nothing, and 0 of those were kept.'
    """
    how = "by lot " if choose == "random" else ""
    return (
        f"Kept {how}are {total['kept']:,} of {total['samples']:,} samples; {total['without_variance']:,} "
        f"would teach nothing, and {total['kept_without_variance']:,} of those were kept."
    )


def histogram(
    caption: str, ids: Sequence[str], values: Sequence[float], kept: set[str], low: float, high: float
) -> Histogram:
    """The histogram of one task's values between two ends, the same for all tasks so that they compare.

    >>> histogram("x", ["a", "b"], [0.0, 1.0], {"b"}, 0.0, 1.0).bars[0].kept_height
    0.0
    """
    high = high if high > low else low + 1.0
    edges = np.linspace(low, high, NUM_BARS + 1)
    everything = np.histogram(values, edges)[0]
    chosen = np.histogram([one for id, one in zip(ids, values, strict=True) if id in kept], edges)[0]
    y_marks = [mark for mark in nice_ticks(0, max(1, int(everything.max())), 3) if mark == int(mark)]
    tallest = max(*y_marks, float(everything.max()), 1.0)
    room, floor = HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
    wide = (WIDTH - LEFT - RIGHT) / NUM_BARS

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)

    bars = []
    for at, (count, here) in enumerate(zip(everything.tolist(), chosen.tolist(), strict=True)):
        if count:
            tall, part = room * count / tallest, room * here / tallest
            title = f"{edges[at]:.3g} to {edges[at + 1]:.3g}: {count:,} samples, {here:,} kept"
            left = LEFT + at * wide + 0.5
            bars.append(Bar(left, wide - 1, floor - tall, tall, floor - part, part, title))
    return Histogram(
        caption,
        tuple(bars),
        tuple((round(x(mark), 1), f"{mark:g}") for mark in nice_ticks(low, high) if low <= mark <= high),
        tuple((round(floor - room * mark / tallest, 1), f"{mark:,.0f}") for mark in y_marks),
    )
