"""How long 1,000 phantoms take on one core, images and records written.

.venv/bin/python bench/phantom.py
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

# One core: set before numpy and pyarrow start their threads.
os.environ.setdefault("OMP_NUM_THREADS", "1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

from cxreason.phantom.generate import generate

LIMIT_SECONDS = 10.0


def main() -> None:
    """Prints one JSON line: what was measured, figure, limit, ratio (above 1 keeps the limit), machine.

    Where `figure` is far above `processor_seconds`, something else was using the core.
    """
    with tempfile.TemporaryDirectory() as folder:
        start, busy = time.perf_counter(), time.process_time()
        generate(Path(folder), num_studies=1000)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    result = {
        "what": "seconds for 1,000 phantom studies of 256 x 256 pixels on one core, written to disk",
        "figure": round(seconds, 2),
        "processor_seconds": round(busy, 2),
        "limit": LIMIT_SECONDS,
        "ratio": round(LIMIT_SECONDS / seconds, 2),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
