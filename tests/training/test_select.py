"""The low-variance filter: what it keeps, what the control keeps, and how it goes on after a kill."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from cxreason.errors import UserError
from cxreason.recipes import SelectRecipe, validate
from cxreason.records import Prediction, Sample, Score, content_id, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read
from cxreason.training import select as room

RIGHT = "<think> There is edema. </think><answer> A </answer>"
WRONG = "<think> There is edema. </think><answer> B </answer>"
NUM_DRAWS = 4


def sample(number: int, task: str = "binary") -> Sample:
    return Sample(
        id=f"{task}-{number:02d}",
        dataset="d",
        task=task,
        kind="choice",
        patient_id=f"p{number}",
        study_id=f"s{number}",
        split="train",
        images=("../images/a.png",),
        question="Does this chest X-ray show edema?",
        answer="A",
        options=("Yes", "No"),
        report="There is edema.",
        reasoning="There is edema.",
    )


@pytest.fixture
def folders(tmp_path):
    """Ten samples of each of two tasks; sample n is answered right in n mod 5 of four draws."""
    samples = [sample(number, task) for task in ("binary", "single") for number in range(10)]
    rows = []
    for one in samples:
        rights = int(one.id[-1]) % 5
        for draw in range(NUM_DRAWS):
            text = RIGHT if draw < rights else WRONG
            id = content_id(one.id, draw)
            rows.append(Prediction(id, one.id, "sft", "reasoning", "think", text, repeat=draw))
    for name in ("mine", "draws"):
        (tmp_path / name).mkdir()
    write_parquet(tmp_path / "mine" / "samples.parquet", Sample, map(to_row, samples))
    write_parquet(tmp_path / "draws" / "predictions.parquet", Prediction, map(to_row, rows))
    return tmp_path


def recipe(folder, **changes):
    told = {"out": folder / "deep" / "out", "predictions": folder / "draws", "samples": folder / "mine"}
    return validate(SelectRecipe, {**told, "rewards": {"answer": 1.0}, "share": 0.4, **changes})


def kept(told):
    room.select(told)
    return [one.id for one in read(told.out, Sample)]


def test_the_samples_that_are_right_half_of_the_time_are_kept_first(folders):
    told = recipe(folders)
    # Variance is 1/4 at two of four right, 3/16 at one or three, and nothing at none or all.
    expected = [f"{task}-{number:02d}" for task in ("binary", "single") for number in (1, 2, 3, 7)]
    assert sorted(kept(told)) == expected
    rows = list(read(told.out, Score, "variances"))
    variances = {one.sample_id: one.value for one in rows if one.metric == room.METRIC}
    assert [variances[f"binary-{number:02d}"] for number in range(5)] == [0, 0.1875, 0.25, 0.1875, 0]
    means = {one.sample_id: one.value for one in rows if one.metric == room.MEAN}
    assert [means[f"binary-{number:02d}"] for number in range(5)] == [0, 0.25, 0.5, 0.75, 1]


def test_samples_in_many_parts_are_chosen_as_in_one(folders, monkeypatch):
    whole = kept(recipe(folders))
    monkeypatch.setattr(room, "PART_SAMPLES", 3)
    held = []
    samples_of = room._samples
    monkeypatch.setattr(room, "_samples", lambda *told: held.append(samples_of(*told)) or held[-1])
    assert kept(recipe(folders, out=folders / "deep" / "parts")) == whole
    assert len(held) == 7
    assert sorted(id for part in held for id in part) == sorted(
        one.id for one in read(folders / "mine", Sample)
    )


def test_a_task_can_have_a_share_of_its_own(folders):
    counts = room.select(recipe(folders, shares={"single": 0.1}))
    assert {task: one["kept"] for task, one in counts["tasks"].items()} == {"binary": 4, "single": 1}
    with pytest.raises(UserError, match="'shares' names view"):
        room.select(recipe(folders, shares={"view": 0.1}, out=folders / "other"))


def test_rewards_that_differ_by_rounding_alone_have_no_variance(folders):
    weights = {"answer": 0.1, "format": 0.2}
    counts = room.select(recipe(folders, rewards=weights))
    assert counts["tasks"]["binary"]["without_variance"] == 4


def test_draws_that_are_missing_cut_or_not_understood_are_counted(folders):
    rows = list(read(folders / "draws", Prediction))[:-1]
    rows[0] = replace(rows[0], problem="no answer", finished=False)
    write_parquet(folders / "draws" / "predictions.parquet", Prediction, map(to_row, rows))
    told = recipe(folders)
    draws = room.select(told)["draws"]
    assert (draws["read"], draws["not_understood"], draws["cut_at_the_limit"]) == (79, 1, 1)
    assert draws["samples_with_too_few"] == 1
    assert "fewer draws than the" in (told.out / "report.html").read_text()


def test_the_control_keeps_as_many_of_each_task_whatever_their_variance(folders):
    chosen = kept(recipe(folders, choose="random"))
    tasks = [id.partition("-")[0] for id in chosen]
    assert (tasks.count("binary"), tasks.count("single")) == (4, 4)
    assert chosen != kept(recipe(folders, choose="random", seed=18, out=folders / "again"))
    assert chosen == kept(recipe(folders, choose="random", out=folders / "same"))


def test_the_weights_of_the_rewards_decide_what_varies(folders):
    counts = room.select(recipe(folders, rewards={"format": 1.0, "process": 1.0}))
    # Form and trace are the same in all draws: only the answers differ.
    assert counts["tasks"]["binary"]["without_variance"] == 10
    assert counts["tasks"]["binary"]["kept"] == 4


def test_images_are_found_from_the_new_folder(folders):
    told = recipe(folders)
    room.select(told)
    for one in read(told.out, Sample):
        assert (told.out / one.images[0]).resolve() == (folders / "images" / "a.png").resolve()


def test_the_report_draws_a_histogram_for_each_task(folders):
    told = recipe(folders)
    room.select(told)
    page = (told.out / "report.html").read_text()
    assert page.count("<svg") == 4, "variance and mean of two tasks"
    assert page.count('class="kept"') >= 4
    assert "Kept are 8 of 20 samples; 8 would teach nothing, and 0 of those were kept." in page
    assert "0.219" in page, "the mean variance of what was kept is told"
    assert "http" not in page.replace("http-equiv", "")


def test_one_reply_for_each_sample_has_no_variance_and_is_told_in_one_line(folders):
    rows = [Prediction("1", "binary-00", "sft", "reasoning", "think", RIGHT)]
    write_parquet(folders / "draws" / "predictions.parquet", Prediction, map(to_row, rows))
    with pytest.raises(UserError, match="num_samples=8 temperature=1"):
        room.select(recipe(folders))


def test_predictions_of_other_samples_are_told_in_one_line(folders):
    write_parquet(folders / "mine" / "samples.parquet", Sample, iter([to_row(sample(99))]))
    with pytest.raises(UserError, match="does not hold"):
        room.select(recipe(folders))


DYING = """
import os, signal, sys
from pathlib import Path
from cxreason import runs
from cxreason.recipes import SelectRecipe, validate
from cxreason.training import select as room
room.BATCH_SAMPLES = 3
runs.BATCH_SECONDS = 0.0  # each batch is safe at once
measure, calls = room._measure, []
def dying(*told):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return measure(*told)
room._measure = dying
folder = Path(sys.argv[1])
room.select(validate(SelectRecipe, {"out": folder / "deep" / "out", "predictions": folder / "draws",
    "samples": folder / "mine", "rewards": {"answer": 1.0}, "share": 0.4}))
"""


def test_a_killed_run_goes_on_with_what_it_owes_and_ends_the_same(folders, monkeypatch):
    whole = kept(recipe(folders, out=folders / "whole"))
    ended = subprocess.run([sys.executable, "-c", DYING, str(folders)], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    measured, measure = [], room._measure

    def counting(groups, *told):
        measured.extend(groups)
        return measure(groups, *told)

    monkeypatch.setattr(room, "_measure", counting)
    assert kept(recipe(folders)) == whole
    assert 0 < len(measured) < 20
