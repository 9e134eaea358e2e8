"""The grid of experiments: its plan, a whole run of toys, and how it goes on after a kill."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from cxreason.recipes import load

HERE = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="module")
def room():
    sys.path.insert(0, str(HERE))
    try:
        yield importlib.import_module("ablations")
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def grid(room):
    return load(room.Grid, room.GRID)


def test_every_job_stands_after_what_it_needs_and_in_a_folder_of_its_own(room, grid):
    planned = room.jobs(grid)
    seen = set()
    for job in planned:
        assert seen.issuperset(job.needs), job.name
        seen.add(job.name)
    assert len({job.out for job in planned}) == len(planned)


def test_policies_share_the_stages_that_they_have_in_common(room, grid):
    names = [job.name for job in room.jobs(grid)]
    for seed in grid.seeds:
        assert names.count(f"sft-sft-both@{seed}") == 1
        assert names.count(f"draws-sft-both@{seed}") == 1
        # The filter and its control differ in what they choose, and in nothing else.
        chosen = [job for job in room.jobs(grid) if job.stage == "select" and job.seed == seed]
        assert {job.recipe.choose for job in chosen} == {"variance", "random"}
        assert len({job.recipe.predictions for job in chosen}) == 1
    assert sum(name.startswith("phantom") for name in names) == 1
    assert "predict-base-reasoning-as_is" in names  # no seed makes another base model


def test_cells_differ_in_what_they_are_about_and_in_nothing_else(room, grid):
    recipes = {job.name: job.recipe.model_dump() for job in room.jobs(grid)}
    paid, unpaid = recipes["grpo-process@1"], recipes["grpo-no-process@1"]
    assert {key for key in paid if paid[key] != unpaid[key]} == {"out", "rewards"}
    chosen, by_lot = recipes["grpo-variance@1"], recipes["grpo-random@1"]
    assert {key for key in chosen if chosen[key] != by_lot[key]} == {"out", "samples", "reasoning"}
    first, last = recipes["sft-answer-first@1"], recipes["sft-sft-both@1"]
    assert {key for key in first if first[key] != last[key]} == {"out", "dialect"}


def test_every_contrast_names_ways_that_are_asked(room, grid):
    tables = importlib.import_module("tables")
    asked = {(job.policy, job.mode, job.image) for job in room.jobs(grid) if job.stage == "score"}
    for pair in grid.contrasts:
        assert {tables._way(text) for text in pair} <= asked


def test_a_dry_run_lists_the_cells_with_an_estimate_and_writes_nothing(room, tmp_path, capsys):
    assert room.main(["--dry-run", f"out={tmp_path / 'grid'}"]) == 0
    shown = capsys.readouterr().out
    assert "grpo-process-guarded" in shown
    assert "minutes with 2 workers" in shown
    assert not (tmp_path / "grid").exists()


@pytest.mark.slow
def test_the_smoke_grid_runs_goes_on_after_a_stop_and_makes_its_tables(room, tmp_path, monkeypatch, capsys):
    verbs = importlib.import_module("verbs")
    given = ["--smoke", f"out={tmp_path / 'grid'}"]
    run_job, stopped = verbs.run_job, []

    def stopping(job):
        if job.stage == "select" and not stopped:
            stopped.append(job.name)
            raise KeyboardInterrupt
        run_job(job)

    monkeypatch.setattr(verbs, "run_job", stopping)
    assert room.main(given) == 130
    assert not (tmp_path / "grid" / "tables.json").exists()
    done = {path: path.stat().st_mtime_ns for path in (tmp_path / "grid").glob("*/*/run.json")}
    assert room.main(given) == 0
    unfinished = tmp_path / "grid" / "seed-1" / "select-variance" / "run.json"
    again = [path for path, time in done.items() if path.stat().st_mtime_ns != time and path != unfinished]
    assert not again  # what was finished is not run again
    tables = json.loads((tmp_path / "grid" / "tables.json").read_text())
    assert tables.keys() >= {"reasoning", "direct", "tasks", "habits", "images", "contrasts", "times"}
    for name in ("base", "sft-both", "variance", "answer-first"):
        assert f"| {name} |" in tables["reasoning"]
    assert "| probe |" in tables["direct"]
    assert "| question-only |" in tables["direct"]
    assert "sft-both, swapped" in tables["images"]
    capsys.readouterr()
    assert room.main([*given, "predict.batch_size=7"]) == 1
    assert "was made with another recipe (batch_size)" in capsys.readouterr().err
