"""Rows of scores -> numbers: each metric's value with its 95% interval, over all items and by task.

Every number has the form {value, low, high, n, num_left_out, num_flagged, interval}. `n` items have a value;
those left out have none, because the metric does not apply to them or what scores it failed (the reasons
stand in the rows); flagged ones got the worst value because the model said nothing that could be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from cxreason.evaluation.grounding import by_class
from cxreason.evaluation.metrics import ALWAYS, METRICS, TABLE
from cxreason.evaluation.radcliq import inverse
from cxreason.evaluation.statistics import Estimate, bootstrap, bootstrap_total, wilson
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Score

FEW = 5
"""With fewer hits or misses than this the bootstrap is too sure of itself: Wilson's interval is taken."""


def summarise(
    rows: Iterable[Score],
    predictions: Sequence[Prediction],
    recipe: ScoreRecipe,
    absent: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Metric -> its estimate, pooled, by task, and `macro`: the mean over sources, then over tasks.

    `absent` says of metrics why they were not computed: they stand there without a value, never as 0.
    """
    by_metric: dict[str, list[Score]] = defaultdict(list)
    for row in rows:
        by_metric[row.metric].append(row)
    summary: dict[str, Any] = {}
    for metric in METRICS:
        items = by_metric.get(metric, [])
        if not items and metric not in ALWAYS:
            continue
        summary[metric] = {
            **estimate(items, recipe),
            "by_task": {task: estimate(own, recipe) for task, own in _by_task(items).items()},
        }
        if TABLE[metric].whole is None and len({(row.task, row.dataset) for row in items}) > 1:
            summary[metric]["macro"] = macro(items, recipe)
    if "radcliq_v1" in summary:
        summary["radcliq_v1_inverse"] = _inverse(summary["radcliq_v1"])
    for metric, why in (absent or {}).items():
        summary.setdefault(metric, {**estimate([], recipe), "by_task": {}, "absent": why})
    summary["parse_rate"] = sum(not item.problem for item in predictions) / len(predictions)
    summary["finished_rate"] = sum(item.finished for item in predictions) / len(predictions)
    summary["mean_tokens"] = sum(item.num_tokens for item in predictions) / len(predictions)
    return summary


def _by_task(rows: Iterable[Score]) -> dict[str, list[Score]]:
    found: dict[str, list[Score]] = defaultdict(list)
    for row in rows:
        found[row.task].append(row)
    return dict(sorted(found.items()))


def estimate(rows: Sequence[Score], recipe: ScoreRecipe) -> dict[str, Any]:
    """Value, interval and counts of one metric's rows; rows without a value are left out and counted.

    The interval is of patients drawn with replacement, all their items with them; Wilson's where fewer than
    five items are right, or wrong.
    """
    metric = TABLE.get(rows[0].metric) if rows else None
    scored = [row for row in rows if row.value is not None or row.parts]
    patients = [f"{row.dataset}/{row.patient_id}" for row in scored]
    settings = {"draws": recipe.bootstrap_draws, "seed": recipe.seed}
    kind = "bootstrap"
    if metric is not None and metric.whole is not None:
        found = bootstrap_total(parts_of(scored), metric.whole, patients, **settings)
    else:
        values = [row.value for row in scored if row.value is not None]
        found = None
        if metric is not None and metric.right_or_wrong:
            found = _wilson(values)
            kind = "bootstrap" if found is None else "wilson"
        if found is None:
            found = bootstrap(values, patients, **settings)
    return {
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "num_left_out": len(rows) - len(scored),
        "num_flagged": sum(row.flagged for row in scored),
        "interval": kind if found.low is not None else None,
    }


def _wilson(values: Sequence[float]) -> Estimate | None:
    """Wilson's interval where hits or misses are few; None where the bootstrap is better."""
    hits = sum(values)
    if hits != int(hits) or len(values) < 2 or min(hits, len(values) - hits) >= FEW:
        return None
    return wilson(int(hits), len(values))


def parts_of(rows: Sequence[Score]) -> np.ndarray:
    """What rows of one metric add to it, a row for each; where groups are kept apart, each in its columns."""
    if not rows:
        return np.zeros((0, 1))
    if any(row.group for row in rows) or rows[0].metric in ("ap50", "ap50_95"):
        return by_class([row.parts for row in rows], [row.group for row in rows])
    return np.array([row.parts for row in rows], dtype=float)


def macro(rows: Sequence[Score], recipe: ScoreRecipe) -> dict[str, Any]:
    """The mean over tasks of the mean over sources, none weighted, as the papers add up.

    Patients are drawn over all tasks together; a task that a draw misses is left out of that draw's mean.
    """
    scored = [row for row in rows if row.value is not None]
    cells = sorted({(row.task, row.dataset) for row in scored})
    place = {cell: 2 * number for number, cell in enumerate(cells)}
    columns = np.array([place[row.task, row.dataset] for row in scored], dtype=int)
    parts = np.zeros((len(scored), 2 * len(cells)))
    parts[np.arange(len(scored)), columns] = [row.value or 0.0 for row in scored]
    parts[np.arange(len(scored)), columns + 1] = 1.0
    tasks = sorted({task for task, _ in cells})
    members = [np.array([task == own for own, _ in cells]) for task in tasks]

    def value(sums: np.ndarray) -> np.ndarray:
        sizes = sums[:, 1::2]
        means = np.divide(sums[:, ::2], sizes, out=np.full_like(sizes, np.nan), where=sizes > 0)
        return _mean(np.stack([_mean(means[:, member]) for member in members], axis=1))

    patients = [f"{row.dataset}/{row.patient_id}" for row in scored]
    found = bootstrap_total(parts, value, patients, draws=recipe.bootstrap_draws, seed=recipe.seed)
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}


def _mean(values: np.ndarray) -> np.ndarray:
    """Means of rows without their nan; nan where a row has nothing else."""
    known = ~np.isnan(values)
    number = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(values), np.nan), where=number > 0)


def _inverse(told: Mapping[str, Any]) -> dict[str, Any]:
    """1 / mean; the interval is that of the mean turned over, where it does not hold 0."""
    by_task = {task: _inverse(own) for task, own in told.get("by_task", {}).items()}
    found = {key: value for key, value in told.items() if key not in ("macro", "by_task")}
    low, high = told["low"], told["high"]
    found |= {"value": inverse(told["value"]), "low": inverse(high), "high": inverse(low)}
    if low is None or low <= 0:
        found |= {"low": None, "high": None}
    return {**found, "by_task": by_task} if "by_task" in told else found
