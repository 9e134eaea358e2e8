"""A linear mixed model for readings: readers and cases repeat, so their readings are no independent evidence.

    value = arm + reader + case + rest

Arms are fixed; readers and cases are drawn at random, crossed as they fall. Variances by REML (Patterson and
Thompson 1971), profiled over the residual variance; the arms by generalised least squares, with t intervals
whose degrees of freedom are what readers, cases and arms leave over. In a complete balanced design this is
the analysis of variance, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

SMALLEST, LARGEST = -9.0, 9.0
"""Bounds of the logarithm of a variance ratio; below, a source of variance counts as none."""


@dataclass(frozen=True)
class Effect:
    """A difference to the first arm, with its 95% interval and p; None where nothing is left to judge by."""

    value: float
    error: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class Mixed:
    """Arms against the first one, and the standard deviations between readers, cases and readings."""

    effects: dict[str, Effect]
    first: str
    reader_sd: float
    case_sd: float
    residual_sd: float
    degrees: int
    n: int


def mixed_model(
    values: Sequence[float],
    arms: Sequence[str],
    readers: Sequence[Hashable],
    cases: Sequence[Hashable],
    *,
    first: str | None = None,
) -> Mixed:
    """Fit the model; `first` names the arm that the others are held against, by default the first by name.

    >>> found = mixed_model([3, 5, 4, 7], ["a", "b", "a", "b"], ["r", "r", "s", "s"], ["1", "2", "2", "1"])
    >>> round(found.effects["b"].value, 6)
    2.5
    """
    y = np.asarray(values, dtype=float)
    if not y.size or not np.isfinite(y).all() or len({len(arms), len(readers), len(cases), y.size}) > 1:
        raise ValueError("mixed_model: wants as many arms, readers and cases as values, all of them finite")
    names = sorted(set(arms), key=lambda name: (name != first, name))
    x = np.column_stack([np.ones(y.size), *((np.asarray(arms) == name) for name in names[1:])]).astype(float)
    blocks = [_indicators(readers), _indicators(cases)]
    degrees = y.size - int(np.linalg.matrix_rank(np.hstack([x, *blocks])))
    ratios = _fit(y, x, blocks)
    _, beta, covariance, variance = _criterion(ratios, y, x, blocks)
    effects = {
        name: _effect(float(beta[place]), math.sqrt(max(0.0, covariance[place, place])), degrees)
        for place, name in enumerate(names[1:], start=1)
    }
    sds = [math.sqrt(variance * math.exp(ratio)) if ratio > SMALLEST + 0.5 else 0.0 for ratio in ratios]
    return Mixed(effects, names[0], sds[0], sds[1], math.sqrt(variance), degrees, int(y.size))


def _indicators(members: Sequence[Hashable]) -> np.ndarray:
    names = {name: place for place, name in enumerate(dict.fromkeys(members))}
    found = np.zeros((len(members), len(names)))
    found[np.arange(len(members)), [names[name] for name in members]] = 1
    return found


def _fit(y: np.ndarray, x: np.ndarray, blocks: list[np.ndarray]) -> np.ndarray:
    """The logarithms of the variances of readers and cases over the residual one."""
    from scipy.optimize import minimize

    if y.size <= x.shape[1] or np.ptp(y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) < 1e-12:
        return np.full(2, SMALLEST)
    bounds = [(SMALLEST, LARGEST)] * 2
    starts = ([0.0, 0.0], [-4.0, 1.0], [1.0, -4.0])
    fits = [
        minimize(lambda at: _criterion(at, y, x, blocks)[0], start, method="L-BFGS-B", bounds=bounds)
        for start in starts
    ]
    return np.asarray(min(fits, key=lambda fit: fit.fun).x)


def _criterion(
    ratios: np.ndarray, y: np.ndarray, x: np.ndarray, blocks: list[np.ndarray]
) -> tuple[float, np.ndarray, np.ndarray, float]:
    """-2 REML log likelihood up to a constant, the fixed effects, their covariance, the residual variance.

    With V = I + Z D Z', its inverse and determinant come from the small matrix D^-1 + Z'Z (Woodbury).
    """
    z = np.hstack(blocks)
    scale = np.concatenate(
        [np.full(block.shape[1], math.exp(ratio)) for block, ratio in zip(blocks, ratios, strict=True)]
    )
    small = np.linalg.cholesky(np.diag(1 / scale) + z.T @ z)

    def weighted(other: np.ndarray) -> np.ndarray:
        return other - z @ np.linalg.solve(small.T, np.linalg.solve(small, z.T @ other))

    vx = weighted(x)
    information = x.T @ vx
    beta = np.linalg.solve(information, vx.T @ y)
    rest = y - x @ beta
    degrees = max(1, y.size - x.shape[1])
    variance = max(float(rest @ weighted(rest)) / degrees, 1e-300)
    log_v = 2 * float(np.log(np.diag(small)).sum()) + float(np.log(scale).sum())
    value = degrees * math.log(variance) + log_v + float(np.linalg.slogdet(information)[1])
    return value, beta, variance * np.linalg.inv(information), variance


def _effect(value: float, error: float, degrees: int) -> Effect:
    if degrees < 1 or error <= 1e-12 * max(1.0, abs(value)):
        return Effect(value, None, None, None, None)
    from scipy.special import stdtr, stdtrit

    half = float(stdtrit(degrees, 0.975)) * error
    return Effect(value, error, value - half, value + half, 2 * float(stdtr(degrees, -abs(value / error))))
