"""How well raters agree: the intraclass correlation on a scale, Krippendorff's alpha at any level.

>>> found = icc([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
>>> round(found.value, 6), round(found.low, 6), round(found.high, 6)
(0.289764, 0.018787, 0.761084)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cxreason.evaluation.statistics.intervals import Estimate, bootstrap_total

Level = Literal["nominal", "ordinal", "interval"]


@dataclass(frozen=True)
class Agreement:
    """ICC(2,1) with its 95% interval, and what the mean of all raters (2,k) or fixed raters (3,1) reach."""

    value: float | None
    low: float | None
    high: float | None
    of_mean: float | None
    fixed_raters: float | None
    num_items: int
    num_raters: int


def icc(ratings: Sequence[Sequence[float]] | np.ndarray) -> Agreement:
    """ICC(2,1) of complete ratings, a row for each item and a column for each rater: absolute agreement,
    raters drawn at random (Shrout and Fleiss 1979), with the F-based interval of McGraw and Wong (1996).

    Ratings that do not vary have no correlation: None. Holes raise, because each way to fill them is another
    number.

    >>> icc([[1, 1], [2, 2], [3, 3]]).value
    1.0
    """
    table = np.asarray(ratings, dtype=float)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ValueError(f"icc: ratings of shape {table.shape}; two items and two raters are the least")
    if np.isnan(table).any():
        raise ValueError("icc: a rating is missing; leave out items that not all raters saw")
    n, k = table.shape
    mean = table.mean()
    rows = k * float(((table.mean(axis=1) - mean) ** 2).sum())
    columns = n * float(((table.mean(axis=0) - mean) ** 2).sum())
    rest = max(0.0, float(((table - mean) ** 2).sum()) - rows - columns)
    msr, msc, mse = rows / (n - 1), columns / (k - 1), rest / ((n - 1) * (k - 1))
    whole = msr + (k - 1) * mse + k * (msc - mse) / n
    if whole <= 0:
        return Agreement(None, None, None, None, None, n, k)
    value = (msr - mse) / whole
    mean_whole = msr + (msc - mse) / n
    fixed = (msr - mse) / (msr + (k - 1) * mse) if msr + mse > 0 else None
    of_mean = (msr - mse) / mean_whole if mean_whole > 0 else None
    low, high = _icc_interval(value, msr, msc, mse, n, k)
    return Agreement(value, low, high, of_mean, fixed, n, k)


def _icc_interval(
    value: float, msr: float, msc: float, mse: float, n: int, k: int
) -> tuple[float | None, float | None]:
    if value >= 1 or mse <= 0:
        return None, None
    from scipy.special import fdtri

    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    freedom = (a * msc + b * mse) ** 2 / ((a * msc) ** 2 / (k - 1) + (b * mse) ** 2 / ((n - 1) * (k - 1)))
    lower, upper = float(fdtri(n - 1, freedom, 0.975)), float(fdtri(freedom, n - 1, 0.975))
    between = k * msc + (k * n - k - n) * mse
    low = n * (msr - lower * mse) / (lower * between + n * msr)
    high = n * (upper * msr - mse) / (between + n * upper * msr)
    return low, high


def krippendorff(
    ratings: Sequence[Sequence[float | None]] | np.ndarray,
    level: Level = "ordinal",
    *,
    draws: int = 1000,
    seed: int = 0,
) -> Estimate:
    """Krippendorff's alpha, a row for each rater and a column for each unit, with an interval over units.

    A missing rating is None or nan; a unit with fewer than two ratings leaves. Ratings that do not vary have
    no alpha: None. `n` counts the units. (Krippendorff 2011, "Computing Krippendorff's alpha-reliability".)

    >>> round(krippendorff([[1, 2, 3, 3], [1, 2, 3, 4]], "interval", draws=10).value, 6)
    0.892308
    """
    if level not in ("nominal", "ordinal", "interval"):
        raise ValueError(f"krippendorff: level {level!r}; write nominal, ordinal or interval")
    rows = [[np.nan if one is None else float(one) for one in row] for row in ratings]
    if len({len(row) for row in rows}) > 1:
        raise ValueError(
            "krippendorff: raters have rows of different lengths; write None where one is missing"
        )
    table = np.asarray(rows, dtype=float).reshape(len(rows), -1)
    values = np.unique(table[~np.isnan(table)])
    counts = (table[:, :, None] == values).sum(axis=0).astype(float)  # unit x value
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return Estimate(None, None, None, 0)
    pairs = counts[:, :, None] * counts[:, None, :]
    pairs -= counts[:, :, None] * np.eye(len(values))
    pairs /= (counts.sum(axis=1) - 1)[:, None, None]
    size = len(values)

    def alpha(sums: np.ndarray) -> np.ndarray:
        seen = sums.reshape(-1, size, size)
        totals = seen.sum(axis=2)
        distance = _distance(totals, values, level)
        n = totals.sum(axis=1)
        observed = (seen * distance).sum(axis=(1, 2)) * (n - 1)
        expected = (totals[:, :, None] * totals[:, None, :] * distance).sum(axis=(1, 2))
        return 1 - np.divide(observed, expected, out=np.full_like(n, np.nan), where=expected > 0)

    return bootstrap_total(pairs.reshape(len(pairs), -1), alpha, draws=draws, seed=seed)


def _distance(totals: np.ndarray, values: np.ndarray, level: Level) -> np.ndarray:
    """Squared distances of all values; ordinal ones depend on how many ratings lie between."""
    if level == "nominal":
        return 1 - np.eye(len(values))[None]
    if level == "interval":
        return ((values[:, None] - values[None, :]) ** 2)[None]
    upto = np.cumsum(totals, axis=1) - totals / 2
    return (upto[:, :, None] - upto[:, None, :]) ** 2
