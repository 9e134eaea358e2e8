"""How hard the deep phantoms are: what a straight line through pixels can and cannot tell.

.venv/bin/python bench/phantom_probe.py

A ridge regression on images of 64 x 64 pixels, trained on 4,000 studies and tested on 1,000 of other
patients. Chance is an area under the curve of 0.5, and a task that is too easy has 1.0.
"""

from __future__ import annotations

import json
import os
import platform
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from PIL import Image
from scipy.stats import rankdata

from cxreason.phantom.radiograph import render
from cxreason.phantom.study import labels
from cxreason.phantom.visit import DEEP
from cxreason.phantom.world import draw_visit
from cxreason.text.ontology import FINDINGS

NUM_TRAIN, NUM_TEST, SIDE, DRAWN, PENALTY = 4000, 1000, 64, 96, 3000.0


def main() -> None:
    """Prints one JSON line: the mean area under the curve, and that of each finding."""
    visits = [draw_visit(29, index, DEEP) for index in range(NUM_TRAIN + NUM_TEST)]
    pixels = np.stack([small(render(visit, DRAWN)) for visit in visits])
    pixels -= pixels[:NUM_TRAIN].mean(0)
    train, test = pixels[:NUM_TRAIN], pixels[NUM_TRAIN:]
    gram = np.linalg.inv(train @ train.T + PENALTY * SIDE * np.eye(NUM_TRAIN, dtype=np.float32))
    areas = {}
    for finding in FINDINGS:
        truth = np.array([labels(visit).get(finding, 1) != 0 for visit in visits])
        weights = gram @ (truth[:NUM_TRAIN] - truth[:NUM_TRAIN].mean())
        areas[finding] = round(area(test @ (train.T @ weights), truth[NUM_TRAIN:]), 3)
    result = {
        "what": "area under the curve of a linear reader of deep phantoms, mean over the 13 findings",
        "figure": round(float(np.mean(list(areas.values()))), 3),
        "limit": 1.0,
        "findings": areas,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }
    sys.stdout.write(json.dumps(result) + "\n")


def small(film: np.ndarray) -> np.ndarray:
    """The film as a row of numbers without its mean and contrast."""
    image = Image.fromarray(film).resize((SIDE, SIDE), Image.Resampling.BOX)
    row = np.asarray(image, dtype=np.float32).ravel()
    return (row - row.mean()) / row.std()


def area(score: np.ndarray, truth: np.ndarray) -> float:
    """Area under the receiver operating characteristic, by ranks (Mann and Whitney 1947)."""
    ranks, positive = rankdata(score), int(truth.sum())
    total = ranks[truth].sum() - positive * (positive + 1) / 2
    return float(total / (positive * (len(truth) - positive)))


if __name__ == "__main__":
    main()
