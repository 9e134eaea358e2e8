"""Intervals and paired tests, small and exact. What each is and why: the docstrings.

>>> estimate = bootstrap([1, 0, 1, 1, 0, 1, 1, 1], draws=200)
>>> estimate.value, estimate.n
(0.75, 8)
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054
"""The 97.5% point of the normal distribution, for 95% intervals."""

CHUNK = 2_000_000
"""Resampled indices held at one time: 16 MB, whatever the number of items and draws."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% interval from n items; None where there is none to give."""

    value: float | None
    low: float | None
    high: float | None
    n: int


def bootstrap(
    values: Sequence[float], groups: Sequence[Hashable] | None = None, *, draws: int = 1000, seed: int = 0
) -> Estimate:
    """Mean with its percentile bootstrap interval (2.5% to 97.5%).

    With `groups`, whole groups (patients) are drawn with replacement, all their items with them, and the
    statistic is the sum over the items drawn divided by their number: patients with many items weigh more,
    as they do in the mean itself. Items in any order give the same interval, group names sort the draws.
    One item or one group has no interval. Missing values are not for guessing here and raise.

    >>> bootstrap([0.5])
    Estimate(value=0.5, low=None, high=None, n=1)
    """
    items = np.asarray(values, dtype=float)
    if np.isnan(items).any():
        raise ValueError("bootstrap: a value is missing; leave such items out and count them")
    if draws < 1:
        raise ValueError(f"bootstrap: {draws} draws; 1000 is usual")
    if not items.size:
        return Estimate(None, None, None, 0)
    sums, sizes = items, np.ones(items.size)
    if groups is not None:
        sums, sizes = _by_group(items, groups)
    value = float(items.mean())
    if sums.size < 2:
        return Estimate(value, None, None, items.size)
    low, high = np.percentile(_resampled(sums, sizes, draws, seed), [2.5, 97.5])
    return Estimate(value, float(low), float(high), items.size)


def _by_group(items: np.ndarray, groups: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    if len(groups) != items.size:
        raise ValueError(f"bootstrap: {items.size} values but {len(groups)} groups")
    names = sorted({str(group) for group in groups})
    number = {name: position for position, name in enumerate(names)}
    member = np.fromiter((number[str(group)] for group in groups), dtype=np.int64, count=items.size)
    # Sorted values make the sums, hence the interval, the same to the last bit in any order of items.
    order = np.lexsort((items, member))
    sums = np.bincount(member[order], weights=items[order], minlength=len(names))
    return sums, np.bincount(member, minlength=len(names)).astype(float)


def _resampled(sums: np.ndarray, sizes: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The mean of each resample. Chunks continue one stream of random numbers: their size changes nothing."""
    generator = np.random.default_rng(seed)
    even = bool((sizes == sizes[0]).all())
    means = np.empty(draws)
    step = max(1, CHUNK // sums.size)
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        drawn = generator.integers(0, sums.size, (stop - start, sums.size))
        total = sizes[0] * sums.size if even else sizes[drawn].sum(axis=1)
        means[start:stop] = sums[drawn].sum(axis=1) / total
    return means


def paired_bootstrap(
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Mean difference first - second over the same items, pairs (or patients) resampled together.

    >>> paired_bootstrap([1, 1, 1, 0], [0, 1, 1, 0]).value
    0.25
    """
    if len(first) != len(second):
        raise ValueError(f"paired_bootstrap: {len(first)} and {len(second)} values; pairs are needed")
    differences = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    return bootstrap(differences.tolist(), groups, draws=draws, seed=seed)


def crossed_bootstrap(
    runs: Sequence[Sequence[float]],
    groups: Sequence[Hashable],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Mean over runs (seeds) of the same items, with an interval over both: runs and groups drawn anew.

    Each resample draws runs with replacement and, crossed with them, patients with all their items; its
    value is the mean over what was drawn. With one run this is `bootstrap` over patients. A few runs say
    little about their spread, and resampling them too little rather than too much.

    >>> crossed_bootstrap([[1, 1, 0, 0], [1, 1, 1, 0]], ["a", "b", "c", "d"]).value
    0.625
    """
    values = np.asarray(runs, dtype=float)
    if values.ndim != 2 or values.shape[1] != len(groups):
        raise ValueError(f"crossed_bootstrap: runs of {values.shape} values but {len(groups)} groups")
    if np.isnan(values).any():
        raise ValueError("crossed_bootstrap: a value is missing; leave such items out of all runs")
    if not values.size:
        return Estimate(None, None, None, 0)
    by_group = [_by_group(run, groups) for run in values]
    sums, sizes = np.stack([one for one, _ in by_group]), by_group[0][1]
    mean = float(values.mean())
    if len(sizes) < 2:
        return Estimate(mean, None, None, values.shape[1])
    generator = np.random.default_rng(seed)
    num_runs, num_groups = sums.shape
    means = np.empty(draws)
    for number in range(draws):
        times = np.bincount(generator.integers(0, num_groups, num_groups), minlength=num_groups)
        chosen = generator.integers(0, num_runs, num_runs)
        means[number] = (sums[chosen] @ times).mean() / (sizes @ times)
    low, high = np.percentile(means, [2.5, 97.5])
    return Estimate(mean, float(low), float(high), values.shape[1])


def wilson(hits: int, n: int) -> Estimate:
    """A proportion with its Wilson score interval (Wilson 1927), which also holds at 0 and 1.

    >>> round(wilson(20, 20).low, 6)
    0.838875
    """
    if not 0 <= hits <= n:
        raise ValueError(f"wilson: {hits} hits of {n}")
    if n == 0:
        return Estimate(None, None, None, 0)
    share, spread = hits / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == n else centre + half
    return Estimate(share, low, high, n)


@dataclass(frozen=True)
class McNemar:
    """`p` is exact; the chi-squared values (1 degree of freedom) are there to compare with."""

    p: float
    chi2_corrected: float
    p_corrected: float
    chi2: float
    p_uncorrected: float


def mcnemar(only_first: int, only_second: int) -> McNemar:
    """Are two models right equally often? From the items that only one of them got right.

    Exact: min(1, 2 P(X <= min(b, c))) with X ~ Binomial(b + c, 1/2). Nothing discordant gives p = 1.

    >>> round(mcnemar(10, 3).p, 6)
    0.092285
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"mcnemar: counts {only_first}, {only_second}")
    n = only_first + only_second
    if n == 0:
        return McNemar(1.0, 0.0, 1.0, 0.0, 1.0)
    from scipy.stats import binom  # half a second to import, so only where needed

    exact = min(1.0, 2 * float(binom.cdf(min(only_first, only_second), n, 0.5)))
    gap = abs(only_first - only_second)
    corrected, plain = max(gap - 1, 0) ** 2 / n, gap**2 / n
    return McNemar(exact, corrected, _chi2_tail(corrected), plain, _chi2_tail(plain))


def _chi2_tail(value: float) -> float:
    """P(chi-squared with one degree of freedom > value)."""
    return math.erfc(math.sqrt(value / 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values of one family of tests (Holm 1979), in the order given.

    >>> [round(p, 6) for p in holm([0.01, 0.04, 0.03, 0.005])]
    [0.03, 0.06, 0.06, 0.02]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        highest = max(highest, min(1.0, p_values[position] * (len(p_values) - rank)))
        adjusted[position] = highest
    return adjusted
