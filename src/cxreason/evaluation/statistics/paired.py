"""Do two models differ on the same items? Paired tests, and Holm's adjustment where several are asked.

Where patients have several items, the items of one patient are no independent evidence: `randomisation` takes
groups and flips whole patients, the other tests do not know of patients.

>>> round(mcnemar(10, 3).p, 6)
0.092285
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from cxreason.evaluation.statistics.intervals import summed

EXACT_SIGNS = 16
"""Up to so many pairs all sign flips are tried."""
EXACT_RANKS = 50
"""Up to so many pairs the distribution of Wilcoxon's statistic is computed exactly."""
TIE = 1e-12
"""Share of the largest possible sum below which two sums are equal: floats would lose ties else."""
CHUNK = 64_000_000
"""Random bytes held at one time; each decides on eight flips."""


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

    Exact at any size: min(1, 2 P(X <= min(b, c))) with X ~ Binomial(b + c, 1/2). Nothing discordant gives
    p = 1.

    >>> round(mcnemar(60, 40).p, 6)
    0.056888
    """
    if only_first < 0 or only_second < 0:
        raise ValueError(f"mcnemar: counts {only_first}, {only_second}")
    n = only_first + only_second
    if n == 0:
        return McNemar(1.0, 0.0, 1.0, 0.0, 1.0)
    from scipy.special import bdtr

    exact = min(1.0, 2 * float(bdtr(min(only_first, only_second), n, 0.5)))
    gap = abs(only_first - only_second)
    corrected, plain = max(gap - 1, 0) ** 2 / n, gap**2 / n
    return McNemar(exact, corrected, _chi2_tail(corrected), plain, _chi2_tail(plain))


def _chi2_tail(value: float) -> float:
    """P(chi-squared with one degree of freedom > value)."""
    return math.erfc(math.sqrt(value / 2))


@dataclass(frozen=True)
class PairedT:
    """Student's t of the differences with the interval of their mean; None where they do not vary."""

    t: float | None
    p: float | None
    mean: float
    low: float | None
    high: float | None
    n: int


def paired_t(first: Sequence[float], second: Sequence[float]) -> PairedT:
    """Is the mean difference 0, if differences are about normal?

    Equal differences give p = 1 where they are 0 and none where they are not.

    >>> round(paired_t([0.52, 0.61, 0.48], [0.50, 0.55, 0.49]).t, 6)
    1.151751
    """
    differences = _differences(first, second, "paired_t")
    n, mean = differences.size, float(differences.mean())
    spread = float(differences.std(ddof=1)) if n > 1 else 0.0
    if n < 2 or spread <= TIE * float(np.abs(differences).max()):
        return PairedT(None, 1.0 if mean == 0 else None, mean, None, None, n)
    from scipy.special import stdtr, stdtrit

    error = spread / math.sqrt(n)
    t = mean / error
    half = float(stdtrit(n - 1, 0.975)) * error
    return PairedT(t, 2 * float(stdtr(n - 1, -abs(t))), mean, mean - half, mean + half, n)


@dataclass(frozen=True)
class Wilcoxon:
    """The rank sums of the positive and of the negative differences, and how many were zero."""

    p: float
    positive: float
    negative: float
    n: int
    num_zero: int
    exact: bool


def wilcoxon(first: Sequence[float], second: Sequence[float]) -> Wilcoxon:
    """Wilcoxon's signed-rank test, for paired ordinal values such as Likert scores; two-sided.

    Zeros are dropped and counted. Exact to 50 pairs, ties and all, by counting which rank sums there are;
    beyond, normal with the correction for ties and without one for continuity. Differences are rounded to
    1e-10 first, else floats break ties.

    >>> found = wilcoxon([3, -1, 4, 2, -2, 5, 1, 6, 0, 7], [0] * 10)
    >>> found.positive, found.negative, round(found.p, 6)
    (40.0, 5.0, 0.042969)
    """
    differences = np.round(_differences(first, second, "wilcoxon"), 10)
    moved = differences[differences != 0]
    n, num_zero = moved.size, int(differences.size - moved.size)
    if n == 0:
        return Wilcoxon(1.0, 0.0, 0.0, 0, num_zero, True)
    _, place, times = np.unique(np.abs(moved), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(times) - (times - 1) / 2)[place]
    positive = float(ranks[moved > 0].sum())
    negative = n * (n + 1) / 2 - positive
    if n <= EXACT_RANKS:
        p = _exact_ranks((2 * ranks).astype(int), round(2 * min(positive, negative)))
        return Wilcoxon(p, positive, negative, n, num_zero, True)
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((times**3 - times).sum()) / 48
    z = (min(positive, negative) - n * (n + 1) / 4) / math.sqrt(variance)
    return Wilcoxon(math.erfc(-z / math.sqrt(2)), positive, negative, n, num_zero, False)


def _exact_ranks(doubled: np.ndarray, least: int) -> float:
    """P(the smaller rank sum is at most this), two-sided; ranks and sum doubled, so that they are whole."""
    ways = np.zeros(int(doubled.sum()) + 1, dtype=np.int64)
    ways[0] = 1
    for rank in doubled:
        ways[rank:] = ways[rank:] + ways[: ways.size - rank]
    return min(1.0, 2 * int(ways[: least + 1].sum()) / 2**doubled.size)


def randomisation(
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """p of the mean difference if it were a coin's choice which of two values is whose (Fisher, Pitman).

    With `groups` whole patients are flipped. Up to 16 of them all flips are tried, and p is their share; else
    p = (1 + hits) / (1 + draws), which is never 0.

    >>> randomisation([3, 2, 4, 5], [1, 1, 1, 1])
    0.125
    """
    differences = _differences(first, second, "randomisation")
    return randomisation_total(
        differences[:, None], np.zeros((differences.size, 1)), _column, groups, draws=draws, seed=seed
    )


def _column(sums: np.ndarray) -> np.ndarray:
    return sums[:, 0]


def randomisation_total(
    first: np.ndarray,
    second: np.ndarray,
    value: Callable[[np.ndarray], np.ndarray],
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> float:
    """The same for a metric of the whole set (see `bootstrap_total`): what items add up to changes hands.

    >>> share = lambda sums: sums[:, 0] / sums[:, 1]
    >>> randomisation_total(np.array([[2, 2], [1, 1]]), np.array([[0, 2], [0, 1]]), share)
    0.5
    """
    ours, theirs = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    if ours.shape != theirs.shape or ours.ndim != 2:
        raise ValueError(f"randomisation: parts of {ours.shape} and {theirs.shape}; pairs are needed")
    if np.isnan(ours).any() or np.isnan(theirs).any():
        raise ValueError("randomisation: a value is missing; leave such items out of both")
    if not len(ours):
        return 1.0
    swaps = summed(ours - theirs, groups)
    ours, theirs = ours.sum(axis=0), theirs.sum(axis=0)
    size = float(np.abs(swaps).sum(axis=0).max())

    def gap(swapped: np.ndarray) -> np.ndarray:
        return np.abs(value(ours - swapped) - value(theirs + swapped))

    seen = float(gap(np.zeros((1, len(ours))))[0])
    if math.isnan(seen):
        raise ValueError("randomisation: the metric has no value on these items")
    # Sums of the parts are as exact as their size allows; values of a metric lie around 1.
    least = seen - TIE * (size if value is _column else 1.0)
    if len(swaps) <= EXACT_SIGNS:
        signs = np.array(list(itertools.product((0.0, 1.0), repeat=len(swaps))))
        return float((gap(signs @ swaps) >= least).mean())
    generator = np.random.default_rng(seed)
    tables = _subset_sums(swaps)
    hits, step = 0, max(1, CHUNK // len(tables))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        chosen = generator.integers(0, 256, (len(tables), count), dtype=np.uint8)
        swapped = np.zeros((count, len(ours)))
        for table, row in zip(tables, chosen, strict=True):
            swapped += table[row]
        hits += int((gap(swapped) >= least).sum())
    return (1 + hits) / (1 + draws)


def _subset_sums(rows: np.ndarray) -> np.ndarray:
    """For each eight rows the sums of all their subsets, so that one random byte decides on eight coins."""
    padded = np.zeros((-(-len(rows) // 8) * 8, rows.shape[1]))
    padded[: len(rows)] = rows
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(float)
    return np.einsum("sb,tbk->tsk", bits, padded.reshape(-1, 8, rows.shape[1]))


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


def _differences(first: Sequence[float], second: Sequence[float], what: str) -> np.ndarray:
    if len(first) != len(second):
        raise ValueError(f"{what}: {len(first)} and {len(second)} values; pairs are needed")
    found = np.asarray(first, dtype=float) - np.asarray(second, dtype=float)
    if np.isnan(found).any():
        raise ValueError(f"{what}: a value is missing; leave such items out of both")
    if not found.size:
        raise ValueError(f"{what}: no pairs")
    return found
