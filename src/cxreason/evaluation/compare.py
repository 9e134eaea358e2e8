"""`cxreason compare A B`: two models on the items that both were scored on, metric by metric.

    compare(Path("runs/score-phantom:sft"), Path("runs/score-phantom:grpo/reasoning"))

Only shared items count, and how many are not shared is said. The difference has a bootstrap interval over
patients; the test follows from the metric:

    right or wrong, one item a patient    McNemar, exact
    right or wrong, several items         randomisation that flips whole patients
    a mean of anything else               the same; Student's t beside it
    of the whole set (BLEU-4, AP, F1)     randomisation that swaps what items add to it, by patient

p-values are adjusted by Holm over all metrics that are compared. RadRScore's parts and the metric itself are
one question asked several times, which makes Holm strict rather than lax.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.errors import UserError
from cxreason.evaluation.metrics import OF_REASONING, TABLE, Metric
from cxreason.evaluation.statistics import (
    Estimate,
    bootstrap_total,
    holm,
    mcnemar,
    paired_bootstrap,
    paired_t,
    randomisation,
    randomisation_total,
)
from cxreason.evaluation.summary import parts_of
from cxreason.records import Score
from cxreason.runs import read

NOT_TESTED = ("radcliq_v1_inverse",)
FEW_PATIENTS = 10
Item = tuple[str, int]
"""A sample and the number of a draw."""


@dataclass(frozen=True)
class Compared:
    """One metric of two models on shared items; `difference` is first - second."""

    metric: str
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    n: int
    num_patients: int
    test: str
    p: float
    p_holm: float
    only_first: int
    """Items with a value for the first model alone."""
    only_second: int
    p_t: float | None = None
    """Of Student's t, which knows nothing of patients."""
    better: str = ""
    """`first` or `second` where the adjusted p is below 0.05."""


def compare(
    first: str,
    second: str,
    metrics: Sequence[str] = (),
    *,
    draws: int = 1000,
    flips: int = 10_000,
    seed: int = 17,
) -> dict[str, Any]:
    """Compare two models that `score` has scored, each named as FOLDER, FOLDER:MODEL or FOLDER:MODEL/MODE.

    Raises UserError where a name fits several models, nothing is shared, or a metric is not in both.
    """
    (name_a, rows_a), (name_b, rows_b) = chosen(first), chosen(second)
    left_out = set(NOT_TESTED)
    if any(name.endswith("/direct") for name in (name_a, name_b)):
        left_out |= set(OF_REASONING)  # nobody asked for a trace
    shared = [name for name in TABLE if name in rows_a and name in rows_b and name not in left_out]
    for metric in metrics:
        if metric not in shared:
            raise UserError(f"{metric}: is not scored in both. Both have: {', '.join(shared) or 'none'}.")
    how = _Draws(draws, flips, seed)
    wanted = [name for name in shared if name in metrics] if metrics else shared
    found = [compared for name in wanted if (compared := _compared(name, rows_a[name], rows_b[name], how))]
    if not found:
        raise UserError(f"{first} and {second} share no scored item.")
    adjusted = holm([one.p for one in found])
    lines = [_judged(one, p) for one, p in zip(found, adjusted, strict=True)]
    items_a, items_b = ({key for rows in own.values() for key in rows} for own in (rows_a, rows_b))
    notes = [f"{name_a} and {name_b} were asked other questions; only those that both were asked count"] * (
        items_a != items_b
    )
    if min(one.num_patients for one in found) < FEW_PATIENTS:
        notes.append(f"fewer than {FEW_PATIENTS} patients: intervals and tests say little")
    return {
        "first": name_a,
        "second": name_b,
        "num_shared": len(items_a & items_b),
        "num_only_first": len(items_a - items_b),
        "num_only_second": len(items_b - items_a),
        "notes": notes,
        "metrics": {one.metric: {k: v for k, v in asdict(one).items() if k != "metric"} for one in lines},
    }


def chosen(name: str) -> tuple[str, dict[str, dict[Item, Score]]]:
    """The one model and mode that a name stands for, with its scores: metric -> item -> score.

    model, rows = chosen("runs/score-phantom:grpo/reasoning")
    """
    folder, model, mode = _parsed(name)
    rows = [
        row
        for row in read(folder, Score)
        if (not model or row.model == model) and (not mode or row.mode == mode)
    ]
    there = sorted({(row.model, row.mode) for row in rows})
    if len(there) != 1:
        scored = sorted({f"{row.model}/{row.mode}" for row in (rows or read(folder, Score))})
        what = "fits several" if rows else "fits none"
        raise UserError(f"{name}: {what}. Write {folder}:MODEL/MODE with one of {', '.join(scored)}.")
    if not there[0][0]:
        raise UserError(f"{folder}: was scored by an older version. Score it again; that asks no model.")
    found: dict[str, dict[Item, Score]] = defaultdict(dict)
    times: Counter[tuple[str, str]] = Counter()
    for row in rows:
        draw = times[row.metric, row.sample_id]
        times[row.metric, row.sample_id] += 1
        found[row.metric][row.sample_id, draw] = row
    return "/".join(there[0]), dict(found)


def _parsed(name: str) -> tuple[Path, str, str]:
    if Path(name).exists():
        return Path(name), "", ""
    folder, _, rest = name.rpartition(":")
    if not folder:
        return Path(name), "", ""
    model, _, mode = rest.rpartition("/")
    return (
        (Path(folder), model, mode) if mode in ("reasoning", "direct") and model else (Path(folder), rest, "")
    )


@dataclass(frozen=True)
class _Draws:
    """How often is drawn, and from which seed."""

    draws: int
    flips: int
    seed: int


@dataclass(frozen=True)
class _Found:
    """What a test says about the shared items of one metric."""

    first: float
    second: float
    difference: Estimate
    test: str
    p: float
    p_t: float | None = None


def _compared(name: str, first: dict[Item, Score], second: dict[Item, Score], how: _Draws) -> Compared | None:
    ours, theirs = (
        {key: row for key, row in rows.items() if row.value is not None or row.parts}
        for rows in (first, second)
    )
    keys = sorted(ours.keys() & theirs.keys())
    if not keys:
        return None
    a, b = [ours[key] for key in keys], [theirs[key] for key in keys]
    patients = [f"{row.dataset}/{row.patient_id}" for row in a]
    tested = _of_means if TABLE[name].whole is None else _of_whole_set
    found = tested(TABLE[name], a, b, patients, how)
    if found.difference.value is None:
        return None
    return Compared(
        metric=name,
        first=found.first,
        second=found.second,
        difference=found.difference.value,
        low=found.difference.low,
        high=found.difference.high,
        n=len(keys),
        num_patients=len(set(patients)),
        test=found.test,
        p=found.p,
        p_holm=found.p,
        only_first=len(ours.keys() - theirs.keys()),
        only_second=len(theirs.keys() - ours.keys()),
        p_t=found.p_t,
    )


def _of_means(metric: Metric, a: list[Score], b: list[Score], patients: list[str], how: _Draws) -> _Found:
    ours, theirs = ([row.value or 0.0 for row in rows] for rows in (a, b))
    difference = paired_bootstrap(ours, theirs, patients, draws=how.draws, seed=how.seed)
    if metric.right_or_wrong and len(set(patients)) == len(a):
        pairs = list(zip(ours, theirs, strict=True))
        p = mcnemar(sum(x > y for x, y in pairs), sum(x < y for x, y in pairs)).p
        test = "McNemar, exact"
    else:
        p = randomisation(ours, theirs, patients, draws=how.flips, seed=how.seed)
        test = "randomisation of patients"
    t = paired_t(ours, theirs).p
    return _Found(float(np.mean(ours)), float(np.mean(theirs)), difference, test, p, t)


def _of_whole_set(metric: Metric, a: list[Score], b: list[Score], patients: list[str], how: _Draws) -> _Found:
    """Of metrics that items only add to: the sums of both are resampled and swapped together."""
    value = metric.whole
    assert value is not None
    both = parts_of([*a, *b])  # together, so that groups have the same columns in both
    ours, theirs = both[: len(a)], both[len(a) :]
    width = both.shape[1]

    def gap(sums: np.ndarray) -> np.ndarray:
        return value(sums[:, :width]) - value(sums[:, width:])

    difference = bootstrap_total(np.hstack([ours, theirs]), gap, patients, draws=how.draws, seed=how.seed)
    test = "randomisation of patients, whole set"
    if difference.value is None:
        return _Found(math.nan, math.nan, difference, test, 1.0)
    p = randomisation_total(ours, theirs, value, patients, draws=how.flips, seed=how.seed)
    of_a, of_b = (float(value(rows.sum(axis=0)[None])[0]) for rows in (ours, theirs))
    return _Found(of_a, of_b, difference, test, p)


def _judged(one: Compared, p_holm: float) -> Compared:
    better = ""
    if p_holm < 0.05 and one.difference:
        better = "first" if (one.difference > 0) != TABLE[one.metric].lower_is_better else "second"
    return replace(one, p_holm=p_holm, better=better)


def describe(result: dict[str, Any]) -> str:
    """The comparison as lines for people."""
    lines = [
        f"{result['first']} against {result['second']}: {result['num_shared']} items are shared, "
        f"{result['num_only_first']} are only in the first, {result['num_only_second']} only in the second.",
        *(f"note: {note}" for note in result["notes"]),
        f"{'metric':26} {'first':>8} {'second':>8}  {'difference (95%)':25} {'n':>6} {'p':>8} {'Holm':>8}",
    ]
    for metric, one in result["metrics"].items():
        interval = "" if one["low"] is None else f" ({one['low']:+.3f} to {one['high']:+.3f})"
        lines.append(
            f"{metric:26} {one['first']:8.3f} {one['second']:8.3f}  {one['difference']:+.3f}{interval:18} "
            f"{one['n']:6} {one['p']:8.4f} {one['p_holm']:8.4f} {one['test']}"
        )
    return "\n".join(lines)
