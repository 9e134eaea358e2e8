"""Intervals: percentile bootstrap over items or patients, and Wilson's for proportions near 0 and 1.

>>> wilson(0, 20).low
0.0
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054
"""The 97.5% point of the normal distribution, for 95% intervals."""

CHUNK = 2_000_000
"""Resampled indices held at one time: 16 MB, whatever the number of items and draws."""

MANY, REPEATED = 1000, 8
"""From so many groups on, of which so many are alike on average, how often each kind is drawn is one lot."""


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


def numbered(groups: Sequence[Hashable]) -> tuple[np.ndarray, int]:
    """The number of each item's group, in the order of the groups' names, and how many groups there are.

    >>> numbered(["b", "a", "b"])[0].tolist()
    [1, 0, 1]
    """
    texts = [str(group) for group in groups]
    number = {name: position for position, name in enumerate(sorted(set(texts)))}
    return np.fromiter((number[text] for text in texts), dtype=np.int64, count=len(texts)), len(number)


def _by_group(items: np.ndarray, groups: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    if len(groups) != items.size:
        raise ValueError(f"bootstrap: {items.size} values but {len(groups)} groups")
    member, num_groups = numbered(groups)
    # Sorted values make the sums, hence the interval, the same to the last bit in any order of items.
    order = np.lexsort((items, member))
    sums = np.bincount(member[order], weights=items[order], minlength=num_groups)
    return sums, np.bincount(member, minlength=num_groups).astype(float)


def _resampled(sums: np.ndarray, sizes: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The mean of each resample. Chunks continue one stream of random numbers: their size changes nothing."""
    generator = np.random.default_rng(seed)
    if sums.size >= MANY:
        kinds, times = np.unique(sums + 1j * sizes, return_counts=True)
        if kinds.size * REPEATED <= sums.size:
            # Right and wrong, mostly: how often each kind comes is multinomial, so nobody need be drawn.
            drawn = generator.multinomial(sums.size, times / sums.size, draws)
            return (drawn @ kinds.real) / (drawn @ kinds.imag)
    even = bool((sizes == sizes[0]).all())
    means = np.empty(draws)
    step = max(1, CHUNK // sums.size)
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        drawn = generator.integers(0, sums.size, (stop - start, sums.size))
        total = sizes[0] * sums.size if even else sizes[drawn].sum(axis=1)
        means[start:stop] = sums[drawn].sum(axis=1) / total
    return means


def bootstrap_total(
    parts: Sequence[Sequence[float]] | np.ndarray,
    value: Callable[[np.ndarray], np.ndarray],
    groups: Sequence[Hashable] | None = None,
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """A metric of the whole set with its bootstrap interval: corpus BLEU, micro F1, a mean of task means.

    `parts` holds a row for each item, whose column sums are all that the metric needs; `value` turns rows of
    such sums into values, nan where there is none. Resampling adds rows up anew, so it is exact and reads no
    text twice. Draws without a value are left out; where they are half of all, there is no interval.

    >>> share = lambda sums: sums[:, 0] / sums[:, 1]
    >>> bootstrap_total([[1, 2], [0, 1], [2, 3]], share, draws=100).value
    0.5
    """
    rows = np.asarray(parts, dtype=float)
    if rows.ndim != 2:
        raise ValueError(f"bootstrap_total: parts of shape {rows.shape}; a row for each item is needed")
    if np.isnan(rows).any():
        raise ValueError("bootstrap_total: a part is missing; leave such items out and count them")
    if not len(rows):
        return Estimate(None, None, None, 0)
    num_items, rows = len(rows), summed(rows, groups)
    whole = float(value(rows.sum(axis=0, keepdims=True))[0])
    whole = None if math.isnan(whole) else whole
    if len(rows) < 2 or whole is None:
        return Estimate(whole, None, None, num_items)
    found = _totals(rows, value, draws, seed)
    found = found[~np.isnan(found)]
    if found.size <= draws / 2:
        return Estimate(whole, None, None, num_items)
    low, high = np.percentile(found, [2.5, 97.5])
    return Estimate(whole, float(low), float(high), num_items)


def _totals(rows: np.ndarray, value: Callable[[np.ndarray], np.ndarray], draws: int, seed: int) -> np.ndarray:
    """The value of each resample of rows, from how often each row, or each kind of row, is drawn."""
    generator = np.random.default_rng(seed)
    if len(rows) >= MANY:
        alike = Counter(row.tobytes() for row in rows)  # much quicker than sorting long rows
        if len(alike) * REPEATED <= len(rows):
            order = sorted(alike)  # the same whatever the order of the rows
            kinds = np.array([np.frombuffer(one, dtype=rows.dtype) for one in order])
            shares = np.array([alike[one] for one in order]) / len(rows)
            return value(generator.multinomial(len(rows), shares, draws) @ kinds)
    found = np.empty(draws)
    step = max(1, CHUNK // len(rows))
    for start in range(0, draws, step):
        stop = min(start + step, draws)
        drawn = generator.integers(0, len(rows), (stop - start, len(rows)))
        drawn += np.arange(stop - start)[:, None] * len(rows)
        times = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        found[start:stop] = value(times @ rows)
    return found


def summed(rows: np.ndarray, groups: Sequence[Hashable] | None) -> np.ndarray:
    """The rows of each group added up, in the order of the groups' names; the rows themselves without groups.

    >>> summed(np.array([[1.0], [2.0], [4.0]]), ["b", "a", "b"]).tolist()
    [[2.0], [5.0]]
    """
    if groups is None:
        return rows
    if len(groups) != len(rows):
        raise ValueError(f"bootstrap: {len(rows)} values but {len(groups)} groups")
    member, num_groups = numbered(groups)
    columns = []
    exact = bool((rows == np.rint(rows)).all())  # sums of whole numbers are the same in any order
    for column in rows.T:
        order = slice(None) if exact else np.lexsort((column, member))
        columns.append(np.bincount(member[order], weights=column[order], minlength=num_groups))
    return np.stack(columns, axis=1)


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
