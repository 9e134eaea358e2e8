"""Boxes: how well they overlap, and how many of the true ones are found. Fractions of the image, no +1 pixel.

Models give boxes without a confidence, so average precision has no ranking to average over: all boxes of a
class enter as one step, and AP is precision times recall. The order in which a model lists boxes changes
nothing. With one box for each question, AP is the hit rate squared; a published mAP does not compare.

>>> average_precision([(2, 0), (1, 2), (0, 1)], 4)
0.65
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from cxreason.imaging.boxes import Corners, iou, matched_iou, matched_pairs, union_iou

THRESHOLDS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
HIT = 0.5 - 1e-9
NUM_PARTS = len(THRESHOLDS) + 2


def overlap_scores(predicted: Sequence[Corners], gold: Sequence[Corners]) -> dict[str, float]:
    """The measures of one question with at least one true box.

    `miou`: best one-to-one assignment, over the larger number of boxes; `miou_first`: the first of each;
    `iou_union`: of the areas, for a finding that is split over boxes; `hit_rate50`: `miou` of at least 0.5.

    >>> overlap_scores([(0, 0, 1, 1)], [(0, 0, 1, 0.5)])["hit_rate50"]
    1.0
    """
    if not gold:
        raise ValueError("overlap_scores: no true box; such a question is right without a box")
    overlap = matched_iou(predicted, gold)
    return {
        "miou": overlap,
        "miou_first": iou(predicted[0], gold[0]) if predicted else 0.0,
        "iou_union": union_iou(predicted, gold) if predicted else 0.0,
        "hit_rate50": float(overlap >= HIT),
    }


def detection_parts(predicted: Sequence[Corners], gold: Sequence[Corners]) -> tuple[float, ...]:
    """What a question adds to AP: boxes found at each threshold, boxes said, true boxes.

    >>> detection_parts([(0, 0, 1, 1)], [])[-2:]
    (1.0, 0.0)
    """
    if len(predicted) == len(gold) == 1:
        overlap = iou(predicted[0], gold[0])
        found = [float(overlap >= threshold - 1e-9) for threshold in THRESHOLDS]
    else:
        found = [
            float(len(matched_pairs(predicted, gold, threshold))) if predicted and gold else 0.0
            for threshold in THRESHOLDS
        ]
    return (*found, float(len(predicted)), float(len(gold)))


def by_class(parts: Sequence[Sequence[float]], classes: Sequence[str]) -> np.ndarray:
    """The parts of each question in the columns of its class, classes in order of their names.

    >>> by_class([[1.0] * 12, [2.0] * 12], ["b", "a"]).shape
    (2, 24)
    """
    names = sorted(set(classes))
    rows = np.zeros((len(parts), len(names) * NUM_PARTS))
    for row, own, name in zip(rows, parts, classes, strict=True):
        start = names.index(name) * NUM_PARTS
        row[start : start + NUM_PARTS] = own
    return rows


def _ap(sums: np.ndarray, thresholds: slice) -> np.ndarray:
    counts = sums.reshape(len(sums), -1, NUM_PARTS)
    found, said, gold = counts[:, :, thresholds], counts[:, :, -2, None], counts[:, :, -1, None]
    found = found[:, :, : len(THRESHOLDS)]
    precision = np.divide(found, said, out=np.zeros_like(found), where=said > 0)
    recall = np.divide(found, gold, out=np.zeros_like(found), where=gold > 0)
    of_class = (precision * recall).mean(axis=2)
    known = gold[:, :, 0] > 0
    num = known.sum(axis=1)
    return np.divide((of_class * known).sum(axis=1), num, out=np.full(len(sums), np.nan), where=num > 0)


def ap50(sums: np.ndarray) -> np.ndarray:
    """AP at IoU 0.5, mean over the classes that have a true box, of whole sets from sums of `by_class`."""
    return _ap(sums, slice(0, 1))


def ap50_95(sums: np.ndarray) -> np.ndarray:
    """The mean of AP at IoU 0.5, 0.55 ... 0.95."""
    return _ap(sums, slice(0, len(THRESHOLDS)))


def _micro(sums: np.ndarray, of: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    counts = sums.reshape(len(sums), -1, NUM_PARTS).sum(axis=1)
    whole = of(counts[:, -2], counts[:, -1])
    # Whoever names no box where there is one has found nothing; where there is none, nothing is to be found.
    nothing = np.where(counts[:, -1] > 0, 0.0, np.nan)
    return np.divide(counts[:, 0], whole, out=nothing, where=whole > 0)


def precision50(sums: np.ndarray) -> np.ndarray:
    """Share of the boxes said that hit a true one (IoU of at least 0.5), over all classes."""
    return _micro(sums, lambda said, gold: said)


def recall50(sums: np.ndarray) -> np.ndarray:
    """Share of the true boxes that are hit, over all classes."""
    return _micro(sums, lambda said, gold: gold)


def box_f1_50(sums: np.ndarray) -> np.ndarray:
    """F1 of both."""
    return _micro(sums, lambda said, gold: (said + gold) / 2)


def average_precision(steps: Sequence[tuple[int, int]], num_gold: int) -> float:
    """AP where boxes have scores: (true, false positives) at each distinct score, highest first.

    Boxes of equal score enter together, and precision at a recall is the best from there on.
    """
    if num_gold < 1:
        raise ValueError("average_precision: no true box")
    hits, said, curve = 0, 0, []
    for true, false in steps:
        hits, said = hits + true, said + true + false
        curve.append((hits / num_gold, hits / said if said else 0.0))
    area, before = 0.0, 0.0
    for place, (recall, _) in enumerate(curve):
        area += (recall - before) * max(precision for _, precision in curve[place:])
        before = recall
    return area
