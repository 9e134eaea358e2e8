"""Chains that the rules engine mines from real reports: how many a second, how true, and how they read.

    .venv/bin/python bench/mining.py --reports reports.csv
    .venv/bin/python bench/mining.py --reports reports.csv --show 50 --seed 1

The file has the columns `id`, `findings`, `impression`, `normal` and a 0/1 column for labels of nih14, as
bench/report_reader.py reads it. Every question of four types that the labels allow is asked about every
report (a report alone has no prior, so nothing is asked about change), in an order in which questions about
one report lie far apart, as in a build. One core, one JSON line; "before" is before any filter.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from cxreason.mining import filters
from cxreason.mining.duplicates import Duplicates
from cxreason.mining.engines import RulesEngine
from cxreason.records import Sample, Study
from cxreason.settings import MineFilters
from cxreason.tasks import samples

LIMIT_PER_SECOND = 2000.0
LIMIT_FACTUAL = 0.99
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
FINDINGS = {
    "Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Effusion": "pleural effusion",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Edema": "edema",
    "Pleural_Thickening": "pleural other",
    "Mass": "lung lesion",
    "Nodule": "lung lesion",
}
"""Column of the file -> finding; the other columns are of none of the 13."""


def asked(file: Path) -> Iterator[Sample]:
    """Every question that the labels of a report allow."""
    with file.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            labels: dict[str, int] = {"no finding": int(row["normal"])}
            for column, finding in FINDINGS.items():
                labels[finding] = max(labels.get(finding, 0), int(row[column]))
            study = Study(
                id=row["id"],
                dataset="reports",
                patient_id=row["id"],
                images=("none.png",),
                findings=row["findings"],
                impression=row["impression"],
                labels=labels,
            )
            for task in ("binary", "single", "multiple", "anomaly"):
                yield from samples(study, None, task, random.Random(study.id))


def main() -> None:
    """Prints one JSON line, or some chains to read."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True, help="a CSV file of reports with labels")
    parser.add_argument("--show", type=int, default=0, help="print so many kept chains instead")
    parser.add_argument("--most", type=int, default=None, help="ask only so many questions")
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    work = list(asked(told.reports))
    random.Random(told.seed).shuffle(work)
    work = work[: told.most]
    engine, wanted = RulesEngine("prose"), MineFilters()
    engine.mine_one(work[0])  # lexicon and wording are loaded once per process, outside the figure
    start = time.perf_counter()
    outcomes = [engine.mine_one(sample) for sample in work]
    seconds = time.perf_counter() - start
    known = Duplicates(wanted.most_alike or 255)
    start = time.perf_counter()
    judged = [
        None if one.chain is None else filters.judge(one.sample, one.chain, wanted, known) for one in outcomes
    ]
    filtering = time.perf_counter() - start
    kept = [
        one for one, found in zip(outcomes, judged, strict=True) if found is not None and not found.reasons
    ]
    if told.show:
        for number, one in enumerate(kept[: told.show], start=1):
            options = " / ".join(one.sample.options)
            assert one.chain is not None
            print(
                f"{number}. [{one.sample.task}] {one.sample.question} {options}\n   {one.chain.reasoning}\n"
            )
        return
    written = [found for found in judged if found is not None]
    factual = {
        name: sum(found.readings.get("strict") == 1 for found in those) / len(those)
        for name, those in (
            ("before", written),
            ("kept", [found for found in written if not found.reasons]),
        )
    }
    reasons = Counter(
        (one.problem if found is None else found.problem).partition(":")[0] or "kept"
        for one, found in zip(outcomes, judged, strict=True)
    )
    rate = len(written) / seconds
    line = {
        "what": "chains mined by rules per second on one core",
        "figure": round(rate),
        "limit": LIMIT_PER_SECOND,
        "ratio": round(rate / LIMIT_PER_SECOND, 2),
        "with_filters": round(len(written) / (seconds + filtering)),
        "samples": len(work),
        "chains": len(written),
        "outcomes": dict(reasons.most_common()),
        "wholly_factual_strict": {name: round(share, 4) for name, share in factual.items()},
        "limit_factual": LIMIT_FACTUAL,
        "mention_the_report": sum(any(r.startswith("leak") for r in found.reasons) for found in written),
        "compare": sum(any(r.startswith("comparison") for r in found.reasons) for found in written),
        "words": round(sum(len(one.chain.reasoning.split()) for one in kept if one.chain) / len(kept), 1),
        "machine": MACHINE,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
