"""How long the checks before a training take: the data, by samples a second, and the rewards, in seconds.

    python bench/checks.py [--samples 20000]

The limit of the data check is ours: 14.7 million samples, CheXOne's stage 1, in two hours. Images repeat here
as they do there: each file is looked at once, however many samples show it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from cxreason.build import build
from cxreason.mining.run import mine
from cxreason.phantom.run import make_phantoms
from cxreason.recipes import BuildRecipe, GrpoRecipe, MineRecipe, PhantomRecipe, validate
from cxreason.records import Sample, content_id, to_row
from cxreason.rewards import functions
from cxreason.rows import write_parquet
from cxreason.runs import read
from cxreason.training import data_check, reward_check

LIMIT_SAMPLES = 14_700_000 / 7200
LIMIT_SECONDS = 10.0


def main() -> None:
    """Prints two JSON lines; a ratio above 1 keeps the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=20_000)
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_phantoms(validate(PhantomRecipe, {"out": folder / "phantom", "num_studies": 300}))
        made = {"out": folder / "build", "studies": [folder / "phantom"], "per_task": {"train": 60}}
        build(validate(BuildRecipe, made))
        mine(validate(MineRecipe, {"out": folder / "mine", "samples": folder / "build"}))
        samples = list(read(folder / "mine", Sample))
        many = (
            to_row(replace(samples[number % len(samples)], id=content_id(number)))
            for number in range(told.samples)
        )
        (folder / "many").mkdir()
        write_parquet(folder / "many" / "samples.parquet", Sample, many)
        asked = {"out": folder / "out", "model": "phantom", "samples": folder / "many", "num_rows": 1}
        recipe = validate(GrpoRecipe, {**asked, "reasoning": folder / "many", "reasoning_share": 1.0})
        data_check.check(recipe, limit=10)  # loads the libraries
        started = time.perf_counter()
        found = data_check.check(recipe)
        rate = found.counts["num_samples"] / (time.perf_counter() - started)
        started = time.perf_counter()
        reward_check.check(recipe, functions(recipe.rewards))
        seconds = time.perf_counter() - started
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    figures = (
        ("samples of a training checked in a second, one core", rate, LIMIT_SAMPLES, rate / LIMIT_SAMPLES),
        ("seconds to check rewards", seconds, LIMIT_SECONDS, LIMIT_SECONDS / seconds),
    )
    for what, figure, limit, ratio in figures:
        line = {"what": what, "figure": round(figure, 1), "limit": round(limit, 1), "ratio": round(ratio, 2)}
        print(json.dumps({**line, "machine": machine}))


if __name__ == "__main__":
    main()
