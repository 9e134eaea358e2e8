"""How long 10,000 phantoms of size `small` take on all cores, written to disk, and how much memory.

.venv/bin/python bench/phantom.py
.venv/bin/python bench/phantom.py --num-studies 2000 --size tiny
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path

# One thread for each process: set before numpy and pyarrow start theirs.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from cxreason.machine import num_cores
from cxreason.phantom.run import make_phantoms
from cxreason.recipes import PhantomRecipe, validate

LIMIT_SECONDS = 60.0
"""For 10,000 studies of size `small` on two cores."""


def main() -> None:
    """Prints one JSON line: what was measured, figure, limit, ratio (above 1 keeps the limit), machine.

    `processor_seconds` is the time of all processes together; where `figure` is far above it divided by the
    number of cores, something else was using them. Memory is the largest of the processes.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--num-studies", type=int, default=10_000)
    parser.add_argument("--size", default="small")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        given = {"out": Path(folder) / "phantom", "num_studies": asked.num_studies, "size": asked.size}
        start = time.perf_counter()
        make_phantoms(validate(PhantomRecipe, given))
        seconds = time.perf_counter() - start
        written = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    limit = LIMIT_SECONDS * asked.num_studies / 10_000
    result = {
        "what": f"seconds for {asked.num_studies} phantom studies of size {asked.size}, written to disk",
        "figure": round(seconds, 2),
        "processor_seconds": round(sum(one.ru_utime + one.ru_stime for one in used), 2),
        "limit": limit,
        "ratio": round(limit / seconds, 2),
        "megabytes_written": round(written / 1e6, 1),
        "megabytes_of_memory": {
            name: round(one.ru_maxrss / 1024) for name, one in zip(("parent", "worker"), used, strict=True)
        },
        "machine": f"{platform.machine()}, {num_cores()} cores, Python {platform.python_version()}",
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
