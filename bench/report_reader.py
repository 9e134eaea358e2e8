"""How well and how fast real reports are read: labels against gold, attributes against MeSH, speed.

    .venv/bin/python bench/report_reader.py --reports reports.csv

The file has the columns `findings`, `impression`, `mesh` ("Pulmonary Atelectasis/base/left;normal") and a
0/1 column for each label of nih14. One JSON line. "Agreement" counts the cases where both MeSH and the reader
tell a side (zone, severity) of a finding that both have. Reports per second: "new" with no sentence
remembered, "once" with an empty memory that fills, "others" for every second report, warmed up with those
between, "met" with every sentence met before. The limit is held against "others".
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from cxreason.text import clauses, label, labels, observations, observe, tokens
from cxreason.text.labels import schemes
from cxreason.text.ontology import implies

LIMIT_PER_SECOND = 7000.0
NUM_ROUNDS = 5
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"

CONCEPTS = {
    "Pulmonary Atelectasis": "atelectasis",
    "Cardiomegaly": "cardiomegaly",
    "Pleural Effusion": "pleural effusion",
    "Infiltrate": "infiltrate",
    "Mass": "mass",
    "Nodule": "nodule",
    "Pneumonia": "pneumonia",
    "Pneumothorax": "pneumothorax",
    "Consolidation": "consolidation",
    "Pulmonary Edema": "edema",
    "Emphysema": "emphysema",
    "Pulmonary Emphysema": "emphysema",
    "Pulmonary Fibrosis": "fibrosis",
    "Airspace Disease": "airspace opacity",
    "Cicatrix": "scarring",
    "Calcified Granuloma": "granuloma",
    "Granuloma": "granuloma",
    "Hernia, Hiatal": "hiatal hernia",
}
"""MeSH heading -> concept of the reader."""

QUALIFIERS = {
    "side": {"left": "left", "right": "right", "bilateral": "both"},
    "zone": {
        "upper lobe": "upper",
        "apex": "upper",
        "middle lobe": "mid",
        "lingula": "mid",
        "lower lobe": "lower",
        "base": "lower",
        "retrocardiac": "lower",
    },
    "severity": {
        "mild": "mild",
        "small": "mild",
        "moderate": "moderate",
        "severe": "severe",
        "large": "severe",
    },
}


def text_of(row: dict[str, str]) -> str:
    """Findings and impression as a report has them."""
    return f"FINDINGS: {row['findings']}\nIMPRESSION: {row['impression']}"


def accuracy(rows: list[dict[str, str]]) -> dict:
    """Micro precision, recall and F1 over the labels that occur, and each label's own F1 with its counts."""
    counts = {name: Counter() for name in schemes()["nih14"]}
    for row in rows:
        said = label(text_of(row), "nih14")
        for name, count in counts.items():
            count[(int(row[name]), int(said[name] == 1))] += 1
    counts = {name: count for name, count in counts.items() if count[1, 0] + count[1, 1]}
    total = sum(counts.values(), Counter())
    right, missed, invented = total[1, 1], total[1, 0], total[0, 1]
    return {
        "precision": round(right / (right + invented), 4),
        "recall": round(right / (right + missed), 4),
        "f1": round(2 * right / (2 * right + missed + invented), 4),
        "labels": {
            name: {
                "f1": round(2 * count[1, 1] / (2 * count[1, 1] + count[1, 0] + count[0, 1]), 3),
                "positives": count[1, 1] + count[1, 0],
                "found": count[1, 1],
                "missed": count[1, 0],
                "invented": count[0, 1],
            }
            for name, count in counts.items()
        },
    }


def _together(sides: set[str]) -> set[str]:
    return {"both"} if {"left", "right"} <= sides or "both" in sides else sides


def agreement(rows: list[dict[str, str]]) -> dict:
    """How often the reader's sides, zones and severities of a finding equal those of its MeSH terms."""
    same, spoken = Counter(), Counter()
    for row in rows:
        terms = [term.strip().split("/") for term in row["mesh"].split(";")]
        present = [seen for seen in observe(text_of(row)) if seen.status == "present"]
        for concept in dict.fromkeys(CONCEPTS[term[0]] for term in terms if term[0] in CONCEPTS):
            said = [seen for seen in present if implies(seen.finding, concept)]
            words = [word for term in terms if CONCEPTS.get(term[0]) == concept for word in term[1:]]
            read = {
                "side": _together({seen.side for seen in said} - {""}),
                "zone": {zone for seen in said for zone in seen.location.split()} & {"upper", "mid", "lower"},
                "severity": {seen.severity for seen in said} - {""},
            }
            for kind, known in QUALIFIERS.items():
                coded = {known[word] for word in words if word in known}
                coded = _together(coded) if kind == "side" else coded
                if coded and read[kind]:
                    spoken[kind] += 1
                    same[kind] += coded == read[kind]
    return {
        kind: {"share": round(same[kind] / spoken[kind], 4), "cases": spoken[kind]} for kind in QUALIFIERS
    }


def rate(texts: list[str], read: Callable[[str], object]) -> float:
    """Reports read per second."""
    start = time.perf_counter()
    for text in texts:
        read(text)
    return len(texts) / (time.perf_counter() - start)


def _forget() -> None:
    memories = (observations._read, observations._said, observations.written, clauses.clauses)
    for remembered in (*memories, labels.of_sentence):
        remembered.cache_clear()
    tokens._CHUNKS.clear()


def speed(texts: list[str]) -> dict:
    """Reports per second on one core, the lexicon loaded: the best of a few rounds."""
    observe("Small effusion.")
    figures: dict[str, float] = {}
    remembering = observations._read
    for _ in range(NUM_ROUNDS):
        _forget()
        try:
            observations._read = remembering.__wrapped__
            took = {"observe_new": rate(texts, observe)}
        finally:
            observations._read = remembering
        for name, read in (("observe", observe), ("label", label)):
            _forget()
            rate(texts[::2], read)
            took[f"{name}_others"] = rate(texts[1::2], read)
            _forget()
            took[f"{name}_once"] = rate(texts, read)
            took[f"{name}_met"] = rate(texts, read)
        figures = {name: max(figures.get(name, 0), figure) for name, figure in took.items()}
    return {name: round(figure) for name, figure in figures.items()}


def first_use() -> float:
    """Seconds to import the reader in a fresh process, load and check the lexicon, and read one report."""
    code = (
        "import time; start = time.perf_counter(); from cxreason.text import label;"
        "label('Small effusion.'); print(time.perf_counter() - start)"
    )
    times = [subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(3)]
    return round(min(float(seconds) for seconds in times), 3)


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--reports", type=Path, required=True, help="a CSV file of reports with gold labels")
    with parser.parse_args().reports.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    figures = speed([text_of(row) for row in rows])
    line = {
        "what": "reports read",
        "reports": len(rows),
        **accuracy(rows),
        "agreement": agreement(rows),
        "reports_per_second": figures,
        "limit": LIMIT_PER_SECOND,
        "ratio": round(figures["observe_others"] / LIMIT_PER_SECOND, 2),
        "first_use_seconds": first_use(),
        "machine": MACHINE,
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
