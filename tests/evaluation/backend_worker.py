"""A small real worker of each backend, on the package's own end of the pipe: it reads words, without weights.

Words in capitals misbehave: RAISE, KILL, HANG, GARBAGE, STRANGER. Run as `python backend_worker.py NAME LOG`:
every text that is read is noted in LOG.
"""

import os
import sys
import time
from pathlib import Path

import cxreason

sys.path.insert(0, str(Path(cxreason.__file__).parent / "evaluation" / "backends" / "workers"))

from serving import open_pipe, serve  # pyright: ignore[reportMissingImports]

name, log = sys.argv[1], sys.argv[2]


def graph(text):
    words = dict.fromkeys(text.replace(".", "").split())
    return {
        "entities": {str(n): {"tokens": w, "label": "OBS-DP", "relations": []} for n, w in enumerate(words)}
    }


def labels(text):
    return [1 if "edema" in text.lower() else 0] * 13 + [0]


def find(reference, hypothesis):
    true, said = reference.split(), hypothesis.split()
    share = len(set(true) & set(said)) / max(1, len(set(true) | set(said)))
    both = {"reference": graph(reference), "hypothesis": graph(hypothesis)}
    finds = {
        "bertscore": {"f": 0.9},
        "radgraph": {"xl": both, "original": both},
        "chexbert": {"reference": labels(reference), "hypothesis": labels(hypothesis), "cosine": share},
        "ratescore": {
            "reference": ["DISEASE"] * len(true),
            "hypothesis": ["DISEASE"] * len(said),
            "cosines": [[float(a == b) for b in said] for a in true],
        },
        "green": {
            "reply": "[Clinically Significant Errors]:\n(a) x: 1. y\n\n[Matched Findings]:\n3. a; b; c"
        },
    }
    return {} if "STRANGER" in hypothesis else finds[name]


def read(pairs):
    for pair in pairs:
        with Path(log).open("a") as file:
            file.write(f"{pair['hypothesis']}\n")
        if "KILL" in pair["hypothesis"]:
            sys.stderr.write("the weights are cursed\n")
            sys.stderr.flush()
            os._exit(3)
        if "HANG" in pair["hypothesis"]:
            time.sleep(20)
            with Path(log).open("a") as file:
                file.write("HUNG\n")
        if "GARBAGE" in pair["hypothesis"]:
            pipe.write("Loading: 100%\n")
            pipe.flush()
        if "RAISE" in pair["hypothesis"]:
            raise ValueError("too long for me")
    os.write(1, b"packages like to print\n")  # must not reach the pipe
    return [find(pair["reference"], pair["hypothesis"]) for pair in pairs]


pipe = open_pipe()
serve({"backend": name, "version": "test 1", "weights": "none", "settings": {}}, read, pipe)
