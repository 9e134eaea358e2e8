"""Several runs of one experiment on the same items: a mean, its interval and its p, over runs and patients.

Three trainings that differ in their seed are three readers of one set of cases, and the question is that of
a reader study: what would other seeds say of other patients? So is the answer. The variance of the mean is
taken apart into seeds, patients and their interaction (Obuchowski and Rockette 1995), and as three seeds tell
little about their spread, t has as few degrees of freedom as that leaves (Hillis 2007). To resample three
seeds instead would make intervals that are much too narrow.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from cxreason.evaluation.statistics.intervals import Estimate, summed

ROUNDING = 1e-12
"""Share of the largest value below which a spread is what floats leave over."""


@dataclass(frozen=True)
class Crossed(Estimate):
    """A mean over runs and items. `p` is that of 0, two-sided; `of_runs` are the means of the runs."""

    p: float | None = None
    of_runs: tuple[float, ...] = ()


def crossed(runs: Sequence[Sequence[float]], groups: Sequence[Hashable]) -> Crossed:
    """Mean over runs of the same items, with a 95% interval over runs and, crossed with them, groups.

    A group is a patient with all items of theirs. `runs` holds a row for each run and a column for each item;
    of differences between two models on the same items it gives the paired comparison. One run is taken for
    all that there are. No interval reaches beyond the smallest and the largest value. One group has none, and
    neither have values that are all the same: that they do not vary here does not say that they never do.

    >>> found = crossed([[1, 1, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1]], ["a", "b", "c", "d"])
    >>> round(found.value, 3), round(found.low, 3), found.high, found.n
    (0.667, 0.0, 1.0, 4)
    """
    values = np.asarray(runs, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(groups):
        raise ValueError(f"crossed: runs of {values.shape} values but {len(groups)} groups")
    if np.isnan(values).any():
        raise ValueError("crossed: a value is missing; leave such items out of all runs")
    if not values.size:
        return Crossed(None, None, None, 0)
    mean, of_runs = float(values.mean()), tuple(values.mean(axis=1).tolist())
    # What each patient adds to the mean of each run, less what they would add if they were like all.
    parts = summed((values - mean).T, groups).T
    num_groups = parts.shape[1]
    parts = parts * (num_groups / values.shape[1])
    if num_groups < 2:
        return Crossed(mean, None, None, values.shape[1], None, of_runs)
    variance, freedom = _variance(parts)
    if variance <= (ROUNDING * float(np.abs(values).max())) ** 2:
        return Crossed(mean, None, None, values.shape[1], None if mean else 1.0, of_runs)
    from scipy.special import stdtr, stdtrit

    error = math.sqrt(variance)
    half = float(stdtrit(freedom, 0.975)) * error
    low, high = max(mean - half, float(values.min())), min(mean + half, float(values.max()))
    p = 2 * float(stdtr(freedom, -abs(mean) / error))
    return Crossed(mean, low, high, values.shape[1], p, of_runs)


def _variance(parts: np.ndarray) -> tuple[float, float]:
    """Variance of the mean of a table of runs x patients with zero mean, and its degrees of freedom.

    Mean squares of a crossed design without repetition; seeds that differ less than their interaction with
    patients explains add nothing.
    """
    num_runs, num_groups = parts.shape
    of_groups = num_runs * float((parts.mean(axis=0) ** 2).sum()) / (num_groups - 1)
    if num_runs == 1:
        return of_groups / num_groups, num_groups - 1
    of_runs = num_groups * float((parts.mean(axis=1) ** 2).sum()) / (num_runs - 1)
    rest = parts - parts.mean(axis=0) - parts.mean(axis=1, keepdims=True)
    of_both = float((rest**2).sum()) / ((num_runs - 1) * (num_groups - 1))
    whole = of_groups + max(of_runs - of_both, 0.0)
    if whole <= 0:
        return 0.0, 1.0
    freedom = whole**2 / (of_runs**2 / (num_runs - 1) + of_groups**2 / (num_groups - 1))
    return whole / (num_runs * num_groups), freedom
