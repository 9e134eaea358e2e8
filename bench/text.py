"""How many phantom reports the reader takes per second on one core, new to it and met again.

.venv/bin/python bench/text.py
"""

from __future__ import annotations

import json
import os
import platform
import time

from cxreason.evaluation.radrscore import radrscore
from cxreason.phantom.generate import studies
from cxreason.text import observations, observe

LIMIT_PER_SECOND = 2000.0
MACHINE = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"


def show(what: str, num_reports: int, seconds: float) -> None:
    rate = num_reports / seconds
    line = {"what": what, "figure": round(rate), "limit": LIMIT_PER_SECOND}
    print(json.dumps({**line, "ratio": round(rate / LIMIT_PER_SECOND, 2), "machine": MACHINE}))


def main() -> None:
    """Prints one JSON line per figure; a ratio above 1 keeps the limit."""
    reports = [phantom.study.report for phantom in studies(seed=0, num_studies=2000)]
    observe(reports[0])  # the lexicon is compiled once per process, outside the figure
    read = observations.read_sentence
    try:
        observations.read_sentence = read.__wrapped__
        start = time.perf_counter()
        for report in reports:
            observe(report)
        show("reports read per second, no sentence remembered", len(reports), time.perf_counter() - start)
    finally:
        observations.read_sentence = read
    start = time.perf_counter()
    for report in reports:
        observe(report)
    show("reports read per second, sentences remembered", len(reports), time.perf_counter() - start)
    start = time.perf_counter()
    for report in reports:
        radrscore(report, reports[0], report)
    show("RadRScores per second of texts as long as a report", len(reports), time.perf_counter() - start)


if __name__ == "__main__":
    main()
