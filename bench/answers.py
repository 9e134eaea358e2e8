"""How long the one parser takes to understand a reply with a 120-word trace, over all kinds and dialects.

.venv/bin/python bench/answers.py
"""

from __future__ import annotations

import json
import os
import platform
import time

from cxreason.answers import DIALECTS, understand

LIMIT_MICROSECONDS = 100.0
TRACE = " ".join(["The left lung base is dense, and the right one is clear; the heart is not enlarged."] * 8)
OPTIONS = ("Pleural effusion", "Edema", "Consolidation", "No finding")
CASES = [
    ("choice", OPTIONS, "B"),
    ("choice", OPTIONS, "(B) edema"),
    ("choice", OPTIONS, "This chest X-ray shows edema"),
    ("choice", OPTIONS, "A or B or C"),
    ("labels", (), "edema, pleural effusion and fracture"),
    ("boxes", (), "<|ref|>nodule<|/ref|><|box|>(12,60),(18,87)<|/box|>"),
    ("text", (), "in the lower lobe of the left lung"),
]


def main() -> None:
    """Prints one JSON line; a ratio above 1 keeps the limit."""
    replies = [
        (dialect.target(answer, mode, TRACE), name, mode, kind, options)
        for name, dialect in DIALECTS.items()
        for mode in ("reasoning", "direct")
        for kind, options, answer in CASES
    ]
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        for text, dialect, mode, kind, options in replies:
            understand(text, dialect=dialect, mode=mode, kind=kind, options=options)
        best = min(best, (time.perf_counter() - start) / len(replies))
    figure = best * 1e6
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    line = {"what": "microseconds to understand one reply", "figure": round(figure, 1)}
    limit = {"limit": LIMIT_MICROSECONDS, "ratio": round(LIMIT_MICROSECONDS / figure, 2), "machine": machine}
    print(json.dumps({**line, **limit}))


if __name__ == "__main__":
    main()
