"""The grid of experiments: its plan, a whole run of toys, and how it goes on after a kill."""

import dataclasses
import importlib
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cxreason.demo import RECIPE
from cxreason.errors import UserError
from cxreason.recipes import DemoRecipe, load
from cxreason.records import Score
from cxreason.tasks import RADRBENCH

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
    return room.read_grid(room.GRID)


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
    for other in ("grpo-rl-only@1", "grpo-sft-reasoning-rl@1"):
        assert {key for key in unpaid if unpaid[key] != recipes[other][key]} == {"out", "model"}
    chosen, by_lot = recipes["grpo-variance@1"], recipes["grpo-random@1"]
    assert {key for key in chosen if chosen[key] != by_lot[key]} == {"out", "samples", "reasoning"}
    first, last = recipes["sft-answer-first@1"], recipes["sft-sft-both@1"]
    assert {key for key in first if first[key] != last[key]} == {"out", "dialect"}


def test_what_the_demo_and_the_grid_both_tell_a_stage_has_one_home(room, grid):
    demo = load(DemoRecipe, RECIPE)
    recipes = {job.name: job.recipe for job in room.jobs(grid)}
    assert recipes["mine"].style == demo.mine["style"] == "terse"
    assert recipes["sft-sft-both@1"].trainer == demo.sft["trainer"]
    assert recipes["sft-sft-both@1"].num_rows == demo.sft["num_rows"]
    assert recipes["grpo-process@1"].trainer == demo.grpo["trainer"]
    assert recipes["predict-process-direct-as_is@1"].max_pixels == demo.predict["max_pixels"]


def test_the_filter_gives_stage_2_as_many_prompts_as_it_has_rows(room, grid):
    chosen = 5 * grid.pool["per_task"] * grid.select["share"]
    assert chosen >= grid.grpo["num_rows"]
    recipes = {job.name: job.recipe for job in room.jobs(grid)}
    # What the filter ranks by is what stage 2 pays by.
    assert recipes["select-variance@1"].rewards == recipes["grpo-variance@1"].rewards


def test_reasoning_is_asked_for_where_it_is_mined_and_answers_everywhere(room, grid):
    recipes = {job.name: job.recipe for job in room.jobs(grid)}
    assert set(recipes["predict-process-reasoning-as_is@1"].tasks) == set(RADRBENCH)
    assert recipes["predict-process-direct-as_is@1"].tasks is None
    assert {*RADRBENCH, "grounding", "findings"} == set(grid.build["tasks"])
    assert len(RADRBENCH) * grid.build["per_task"]["test"] >= 1000


def test_one_seed_is_through_before_the_next_begins(room, grid):
    seeds = [job.seed for job in room.jobs(grid) if job.seed is not None]
    assert seeds == sorted(seeds)


def test_an_experiment_alone_needs_its_own_policies_and_the_controls(room, grid):
    chosen = room.only(room.jobs(grid), [grid.experiments["order"]])
    assert {job.policy for job in chosen} == {"", "probe", "question-only", "sft-both", "answer-first"}
    names = {job.name for job in chosen}
    assert "score-answer-first-reasoning-blank@1" in names  # blind, beside each result
    assert "score-answer-first-reasoning-swapped@1" not in names
    assert all(names.issuperset(job.needs) for job in chosen)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ("policies.rl-only={start: process}", "rl-only starts from process, which is not named before it"),
        ("policies.process.asked=[reasoning]", "names process/reasoning/blank, which is not asked"),
    ],
)
def test_a_grid_that_does_not_add_up_is_refused(room, changes, complaint, capsys):
    assert room.main(["--dry-run", changes]) == 1
    assert complaint in capsys.readouterr().err


def test_a_dry_run_lists_the_cells_with_an_estimate_and_writes_nothing(room, tmp_path, capsys):
    assert room.main(["--dry-run", f"out={tmp_path / 'grid'}"]) == 0
    shown = capsys.readouterr().out
    assert "grpo-process-guarded" in shown
    assert "minutes with 2 workers" in shown
    assert not (tmp_path / "grid").exists()


@pytest.fixture
def measured(room, grid, monkeypatch):
    """The results of invented scores: (way, seed) -> metric -> item -> value, one patient for each item."""
    results = importlib.import_module("results")

    def made(scores):
        jobs = {
            job.out: job
            for job in room.jobs(grid)
            if job.stage == "score" and ((job.policy, job.mode, job.image), job.seed) in scores
        }

        def rows(out, record, name):
            job = jobs[out]
            for metric, values in scores[(job.policy, job.mode, job.image), job.seed].items():
                for item, value in values.items():
                    fields = {"dataset": "d", "patient_id": item, "task": "binary", "metric": metric}
                    yield score_row(id=f"{item}-{metric}", sample_id=item, value=value, **fields)

        monkeypatch.setattr(results, "read", rows)
        return list(jobs.values())

    return made


def score_row(**told):
    empty = {field.name: "" for field in dataclasses.fields(Score) if field.default is dataclasses.MISSING}
    return Score(**{**empty, **told})


BOTH, REASONING = ("sft-both", "reasoning", "as_is"), ("sft-reasoning", "reasoning", "as_is")


def test_differences_are_taken_seed_by_seed_over_the_items_that_both_have(room, measured):
    results = importlib.import_module("results")
    found = results.Results(
        measured(
            {
                (BOTH, 1): {"accuracy": {"a": 1.0, "b": 1.0, "c": 1.0}},
                (BOTH, 2): {"accuracy": {"a": 0.0, "b": 1.0, "c": 0.0}},
                (REASONING, 2): {"accuracy": {"a": 0.0, "b": 0.0, "d": 1.0}},
                (("base", "reasoning", "as_is"), None): {"accuracy": {"a": 0.0, "b": 0.0, "c": 0.0}},
            }
        )
    )
    shared = found.difference(BOTH, REASONING, "accuracy")  # of seed 2, as the other has no seed 1 yet
    assert (shared.value, shared.n, shared.of_runs) == (0.5, 2, (0.5,))
    beside_each = found.difference(BOTH, ("base", "reasoning", "as_is"), "accuracy")
    assert beside_each.of_runs == pytest.approx((1.0, 1 / 3))
    assert found.mean(BOTH, "accuracy").value == pytest.approx(2 / 3)
    assert found.mean(("process", "direct", "as_is"), "accuracy").value is None


def test_an_answer_whose_trace_nobody_asked_for_has_no_radrscore(room, measured):
    results = importlib.import_module("results")
    way = ("sft-both", "direct", "as_is")
    found = results.Results(measured({(way, 1): {"accuracy": {"a": 1.0}, "radrscore": {"a": 0.0}}}))
    assert found.mean(way, "accuracy").value == 1.0
    assert found.mean(way, "radrscore").value is None


def test_the_table_of_differences_says_which_published_effects_appear(room, grid, measured, monkeypatch):
    tables = importlib.import_module("tables")
    monkeypatch.setattr(tables, "seconds", lambda folder: 60.0)
    items = [f"p{number}" for number in range(60)]
    scores = {}
    for seed in grid.seeds:
        right = {item: float((number + seed) % 4 > 0) for number, item in enumerate(items)}
        scores[BOTH, seed] = {"accuracy": right, "radrscore": dict.fromkeys(items, 0.5)}
        wrong = {item: float((number + seed) % 4 == 0) for number, item in enumerate(items)}
        scores[REASONING, seed] = {"accuracy": wrong, "radrscore": dict.fromkeys(items, 0.5)}
    made = tables.all_tables(grid, room.jobs(grid), measured(scores))
    rows = [line.split(" | ") for line in made["figure-5, differences"].splitlines()]
    accuracy, radrscore = ([row for row in rows if row[0].startswith("| SFT(Both) less SFT(RO)")])[:2]
    assert accuracy[1:5] == ["closed questions, accuracy", ".750", ".250", accuracy[4]]
    assert accuracy[4].startswith("+.500 (+.")
    assert accuracy[5:7] == ["+.500 +.500 +.500", "60"]
    assert accuracy[8:] == ["+19.9%", "appears |"]
    assert radrscore[4] == "+.000"  # the same in all items: no difference, and no interval of it
    assert radrscore[9] == "not seen |"
    assert "| SFT(Both) | 3 | .750 (" in made["figure-5"]
    assert made["order"].count("\n| answer first | - | - |") == 1  # not measured, and said so
    assert made["state"].startswith("**Unfinished: 6 of ")


def test_one_seed_alone_gives_no_verdict(room, grid, measured, monkeypatch):
    tables = importlib.import_module("tables")
    monkeypatch.setattr(tables, "seconds", lambda folder: 60.0)
    items = [f"p{number}" for number in range(60)]
    better = {item: float(number % 4 > 0) for number, item in enumerate(items)}
    worse = {item: float(number % 4 == 0) for number, item in enumerate(items)}
    scores = {(BOTH, 1): {"accuracy": better}, (REASONING, 1): {"accuracy": worse}}
    made = tables.all_tables(grid, room.jobs(grid), measured(scores))
    row = next(line for line in made["figure-5, differences"].splitlines() if "| +.500 (" in line)
    assert row.endswith("| 60 | - | +19.9% | one seed |")


def test_a_page_without_runs_has_no_numbers_and_says_so(room, grid):
    tables = importlib.import_module("tables")
    made = tables.all_tables(grid, room.jobs(grid), [])
    page = room.filled(room.TEMPLATE.read_text(encoding="utf-8"), made)
    assert "**Not run yet: this page has no numbers.**" in page
    assert "<!--" not in page
    assert "\n| " not in page  # no table without a number in it
    assert tables.EMPTY in made["figure-5"]


def test_the_page_in_the_documentation_is_the_template_filled(room):
    """Its words are those of the template, wherever its numbers come from."""
    page = room.PAGE.read_text(encoding="utf-8")
    for words in re.split(r"<!-- table: .*? -->", room.TEMPLATE.read_text(encoding="utf-8")):
        assert words in page


def test_a_job_that_fails_stops_what_needs_it_and_nothing_else(room, grid, monkeypatch):
    did, told = [], []

    def one(job):
        if job.name == "mine":
            raise UserError("no disk")
        did.append(job.name)
        return 0.0

    monkeypatch.setattr(room, "ProcessPoolExecutor", lambda workers, *_: ThreadPoolExecutor(workers))
    monkeypatch.setattr(room, "_run_one", one)
    planned = [job for job in room.jobs(grid) if job.seed is None]
    with pytest.raises(UserError, match=r"^mine failed, and \d+ jobs wait for that"):
        room._run_in_processes(2, planned, set(), told.append)
    assert did == ["phantom", "build"]
    assert "mine failed: no disk" in told


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
    for name in ("base model", "SFT(Both)", "stage 2, variance-filtered"):
        assert f"| {name} |" in tables["figure-8"]
    for control in ("probe", "question-only"):
        assert all(f"| {control} |" in tables[name] for name in ("figure-8", "order", "images"))
    assert "| SFT(Both), swapped | 1 |" in tables["images"]
    assert "| SFT(Both) less answer first |" in tables["order, differences"]
    assert tables["state"].startswith("All ")
    assert "<!--" not in (tmp_path / "grid" / "tables.md").read_text()
    capsys.readouterr()
    assert room.main([*given, "predict.batch_size=7"]) == 1
    assert "was made with another recipe (batch_size)" in capsys.readouterr().err
