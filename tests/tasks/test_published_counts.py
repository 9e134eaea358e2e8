"""The rules of the tasks on real label tables, where they are at hand: the counts that were published."""

import csv
import gzip
from collections import Counter, defaultdict

import pytest

from cxreason.records import Box, Study
from cxreason.tasks import TASKS

SIDE = 3072.0
"""No image is at hand, so boxes are put on one of this size: whether they overlap does not depend on it."""
VIEWS = {"AP": "AP", "PA": "PA", "": "LATERAL"}
VALUES = {"1.0": 1, "0.0": 0, "-1.0": -1}


def rows(path):
    if not path.is_file():
        pytest.skip(f"no {path}")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        yield from csv.DictReader(lines)


def test_chexpert_gives_the_published_numbers_of_views_and_of_diseases(shared_data):
    images, studies = Counter(), {}
    for row in rows(shared_data / "chexpert" / "chexpert_train.csv.gz"):
        path = row.pop("Path")
        images[VIEWS.get(row["AP/PA"], row["AP/PA"])] += 1
        studies[path.rpartition("/")[0]] = tuple(
            (name.lower(), VALUES[value]) for name, value in list(row.items())[4:] if value
        )
    offered = {
        view: len(TASKS["view"].topics(Study("s", "chexpert", "p", ("1.png",), (view,)))) for view in images
    }
    assert sum(images[view] * offered[view] for view in images) == 223_397
    asked = 0
    for labels, count in Counter(studies.values()).items():
        one = Study("s", "chexpert", "p", ("1.png",), labels=dict(labels))
        asked += count * len(TASKS["disease"].topics(one))
    assert asked == 182_802


def test_vindr_gives_the_counts_that_its_merging_rule_gives(shared_data):
    boxes = defaultdict(list)
    for row in rows(shared_data / "vindr" / "vinbigdata-train.csv.gz"):
        if row["x_min"]:
            place = (float(row[name]) / SIDE for name in ("x_min", "y_min", "x_max", "y_max"))
            boxes[row["image_id"]].append(Box(row["class_name"].lower(), *place, reader=row["rad_id"]))
    grounded = located = 0
    for found in boxes.values():
        labels = {box.label: 1 for box in found}
        one = Study("s", "vindr-cxr", "p", ("1.png",), labels=labels, boxes=tuple(found))
        grounded += len(TASKS["grounding"].topics(one))
        located += len(TASKS["localized_disease"].topics(one))
    # 14,442 and 17,043 by the rule alone. Left out is what has no area in whole hundredths.
    assert 14_442 - 60 <= grounded <= 14_442
    assert 17_043 - 60 <= located <= 17_043
