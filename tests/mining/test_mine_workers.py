"""Mining by several processes or machines: the same rows, whoever works and however often it stops."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import count, islice
from pathlib import Path

import pytest

from cxreason.build import build
from cxreason.mining import judging
from cxreason.mining.run import mine
from cxreason.phantom.generate import studies
from cxreason.recipes import BuildRecipe, MineRecipe, RecipeError, validate
from cxreason.records import Sample, Study, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read
from cxreason.workers import each

KILLED = """
import json, os, signal, sys
from cxreason.mining import judging
from cxreason.mining.run import mine
from cxreason.recipes import MineRecipe, validate
from cxreason.runs import Run

judging.PIECE_SAMPLES = 16
append, kept = Run.append, []

def dies(self, row):
    append(self, row)
    kept.append(row)
    if len(kept) == 60:
        self.sync()
        os.kill(os.getpid(), signal.SIGKILL)

Run.append = dies
mine(validate(MineRecipe, json.loads(sys.argv[1])))
"""


def recipe(built: Path, out: Path, **values) -> MineRecipe:
    # Of nearly equal chains one is kept, so that the order in which they come decides which.
    known = {"out": str(out), "samples": str(built), "style": "terse", "filters": {"most_alike": 1}}
    return validate(MineRecipe, {**known, **values})


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("workers")
    (folder / "phantom").mkdir()
    drawn = (to_row(one.study) for one in studies(3, 140))
    write_parquet(folder / "phantom" / "studies.parquet", Study, drawn)
    told = {"out": folder / "build", "studies": [folder / "phantom"], "tasks": ["binary", "anomaly"]}
    build(validate(BuildRecipe, told))
    return folder / "build"


@pytest.fixture(scope="module")
def alone(built, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("alone") / "mined"
    counts = mine(recipe(built, folder, workers=1))
    assert counts["funnel"]["kept"] > 100
    assert counts["funnel"]["duplicate"] > 10
    return folder


def outcome(folder: Path) -> tuple[list[tuple], list[dict], dict]:
    """What was kept, what was dropped and the figures of a run."""
    kept = [(row.id, row.reasoning, row.evidence) for row in read(folder, Sample)]
    failed = [json.loads(line) for line in (folder / "failed.jsonl").read_text().splitlines()]
    return kept, failed, json.loads((folder / "quality.json").read_text())


def test_two_workers_keep_and_drop_the_same_in_the_same_order(built, alone, tmp_path, monkeypatch):
    monkeypatch.setattr(judging, "PIECE_SAMPLES", 16)
    mine(recipe(built, tmp_path / "out", workers=2))
    assert outcome(tmp_path / "out") == outcome(alone)


@pytest.mark.slow
def test_a_ray_cluster_keeps_and_drops_the_same(built, alone, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray")
    monkeypatch.setattr(judging, "PIECE_SAMPLES", 16)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        mine(recipe(built, tmp_path / "out", on="ray", workers=2))
    finally:
        ray.shutdown()
    assert outcome(tmp_path / "out") == outcome(alone)


def test_after_a_kill_other_workers_go_on_to_the_same_end(built, alone, tmp_path):
    out = tmp_path / "out"
    told = recipe(built, out, workers=2).model_dump_json()
    command = [sys.executable, "-c", KILLED, told]
    miner = subprocess.Popen(command, start_new_session=True)
    assert miner.wait(60) == -signal.SIGKILL
    torn = [json.loads(line)["id"] for line in (out / "samples.jsonl").read_text().splitlines()]
    assert len(torn) == 60
    deadline = time.monotonic() + 20
    while still_there(miner.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not still_there(miner.pid), "workers outlived the process that they worked for"
    mine(recipe(built, out, workers=1))
    kept, dropped, quality = outcome(out)
    assert [id for id, *_ in kept][:60] == torn
    # A later start tells of what an earlier one dropped again, so all is as it was without the kill.
    assert (kept, dropped, quality) == outcome(alone)


def still_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_workers_may_change_between_starts_and_what_is_made_may_not(built, tmp_path):
    mine(recipe(built, tmp_path / "out", workers=1), limit=10)
    mine(recipe(built, tmp_path / "out", workers=3, on="ray"), limit=10)
    with pytest.raises(ValueError, match="style: terse -> prose"):
        mine(recipe(built, tmp_path / "out", style="prose"), limit=10)


def test_a_language_model_is_not_spread_over_machines(tmp_path):
    llm = {"model": "m", "servers": [{"url": "http://localhost:1/v1"}]}
    with pytest.raises(RecipeError, match=r"leave `on` out and name more `llm\.servers`"):
        recipe(tmp_path, tmp_path / "out", engine="llm", llm=llm, on="ray")


@pytest.mark.parametrize("workers", [1, 2])
def test_pieces_are_taken_as_they_are_needed(workers):
    taken = []

    def pieces():
        for number in count():
            taken.append(number)
            yield number

    assert list(islice(each(abs, pieces(), workers), 5)) == [0, 1, 2, 3, 4]
    assert len(taken) <= 5 + 2 * workers


@pytest.mark.parametrize("number", [0, 1, 2, 7])
def test_results_come_in_the_order_of_the_pieces(number):
    assert list(each(abs, iter(range(number)), workers=2)) == list(range(number))
