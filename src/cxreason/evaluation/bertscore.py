"""BERTScore from the cosines of two reports' tokens (Zhang et al. 2020). A backend makes the cosines.

>>> from cxreason.evaluation.bertscore import rescaled
>>> round(rescaled(0.9), 6)
0.344984
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

BASELINE = 0.8473319
"""Mean F of random sentence pairs for distilroberta-base, layer 5, without idf: where the scale has its 0."""


def from_cosines(cosines: Sequence[Sequence[float]] | np.ndarray) -> tuple[float, float, float]:
    """Precision, recall and F: a row for each token of the hypothesis, a column for each of the reference.

    >>> [round(one, 6) for one in from_cosines([[0.95, 0.80, 0.70], [0.82, 0.90, 0.60]])]
    [0.925, 0.85, 0.885915]
    """
    table = np.asarray(cosines, dtype=float)
    precision, recall = float(table.max(axis=1).mean()), float(table.max(axis=0).mean())
    return precision, recall, 2 * precision * recall / (precision + recall)


def rescaled(f: float, baseline: float = BASELINE) -> float:
    """F with random pairs at 0 and equal texts at 1; what is worse than random is below 0.

    >>> rescaled(1.0)
    1.0
    """
    return (f - baseline) / (1 - baseline)


def idf(num_texts: int, found_in: Iterable[tuple[str, int]]) -> Mapping[str, float]:
    """Weight of each token, from how many texts of a fixed corpus hold it; an unseen one is (token, 0).

    With one text, or equal ones, all weights are 0, and so is F of an exact match: never take the references
    at hand for the corpus.

    >>> {token: round(weight, 6) for token, weight in idf(3, [("edema", 1), ("the", 3)]).items()}
    {'edema': 0.693147, 'the': 0.0}
    """
    return {token: math.log((num_texts + 1) / (number + 1)) for token, number in found_in}
