"""CheXbert's fourteen labels of two reports: F1 of a set, and the distance of what the model makes of them.

Labels are classes: 0 blank, 1 positive, 2 negative, 3 uncertain; "No Finding" is 0 or 1. A backend reads
them.

>>> parts = label_parts([1, 0, 3], [1, 1, 0])
>>> parts
(1, 0, 0, 0, 1, 0, 0, 0, 1)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from cxreason.text.ontology import FINDINGS, NO_FINDING

LABELS = tuple(name.title() for name in (*FINDINGS, NO_FINDING))
TOP_5 = (1, 4, 5, 7, 9)
"""Cardiomegaly, Edema, Consolidation, Atelectasis and Pleural Effusion in `LABELS`."""

Averaged = Literal["micro", "macro", "macro_present"]

POSITIVE = (1, 3)
"""Uncertain counts as positive, as in report generation ever since R2Gen."""


def label_parts(reference: Sequence[int], hypothesis: Sequence[int]) -> tuple[int, ...]:
    """What a pair of reports adds to the F1 of its set: true and false positives and misses of each label."""
    if len(reference) != len(hypothesis):
        raise ValueError(f"chexbert: {len(reference)} and {len(hypothesis)} labels")
    parts: list[int] = []
    for true, said in zip(reference, hypothesis, strict=True):
        is_true, is_said = true in POSITIVE, said in POSITIVE
        parts += [int(is_true and is_said), int(is_said and not is_true), int(is_true and not is_said)]
    return tuple(parts)


def label_f1(sums: np.ndarray, how: Averaged) -> np.ndarray:
    """F1 of whole sets from the sums of their `label_parts`, a row for each set.

    `macro` gives 0 to a label that neither side has; `macro_present` leaves it out.

    >>> label_f1(np.array([[1, 0, 0, 0, 1, 0, 0, 0, 1]]), "micro").tolist()
    [0.5]
    """
    counts = sums.reshape(len(sums), -1, 3)
    if how == "micro":
        counts = counts.sum(axis=1, keepdims=True)
    both = 2 * counts[:, :, 0]
    whole = both + counts[:, :, 1] + counts[:, :, 2]
    f1 = np.divide(both, whole, out=np.zeros_like(whole, dtype=float), where=whole > 0)
    if how != "macro_present":
        return f1.mean(axis=1)
    present = (whole > 0).sum(axis=1)
    return np.divide(f1.sum(axis=1), present, out=np.full(len(sums), np.nan), where=present > 0)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    """Cosine of two vectors.

    >>> cosine([1, 0], [1, 1]) == 0.5**0.5
    True
    """
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    return float(first @ second / (np.linalg.norm(first) * np.linalg.norm(second)))
