"""The controls: a line through pixels sees what is bright, and who sees only the question learns its odds."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cxreason.answers import score
from cxreason.cli import app
from cxreason.evaluation import controls
from cxreason.evaluation.controls import PixelProbe, question_only
from cxreason.recipes import Recipe
from cxreason.records import Prediction, Sample
from cxreason.runs import Run, read
from cxreason.samples import read_samples

RECIPE = Path(__file__).parents[2] / "recipes/phantom/control.yaml"
SIDES = {"pneumothorax": (4, 4), "pleural effusion": (4, 40)}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Noise, with a bright square in a place of its own for each of two findings."""
    folder = tmp_path_factory.mktemp("squares")
    rng = np.random.default_rng(3)
    samples = []
    for number in range(240):
        truth = {finding: int(rng.random() < 0.5) for finding in SIDES}
        for moment in ("prior", "now"):
            pixels = rng.normal(110, 25, (64, 64))
            grown = {finding: int(rng.integers(3)) for finding in SIDES}
            for finding, (row, column) in SIDES.items():
                size = truth[finding] * (10 if moment == "now" else 2 + 4 * grown[finding])
                pixels[row : row + size, column : column + size] += 60
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}-{moment}.png")
        for task in ("binary", "single", "anomaly"):
            samples.append(question(number, task, truth, rng))
    return folder, samples


def question(number, task, truth, rng):
    subject = list(SIDES)[number % 2]
    options, answer, kind = ("Yes", "No"), "A" if truth[subject] else "B", "choice"
    there = [finding for finding, is_there in truth.items() if is_there]
    if task == "single":
        options = tuple(rng.permutation([*SIDES, "edema"]).tolist())
        answer = "ABC"[options.index(there[0])] if there else "ABC"[options.index("edema")]
    if task == "anomaly":
        options, kind = (), "labels"
        answer = ", ".join(sorted(there)) or "no finding"
    return Sample(
        id=f"{task}-{number}",
        dataset="d",
        task=task,
        kind=kind,
        patient_id=f"p{number}",
        study_id=f"s{number}",
        split="train" if number < 160 else "test",
        images=(f"{number}-now.png",),
        question=f"{task}: {subject if task == 'binary' else 'which'}?",
        answer=answer,
        options=options,
        subject=subject if task == "binary" else "",
        labels=truth,
    )


def worth(answers, samples, task):
    asked = [one for one in samples if one.task == task]
    return np.mean([score(answers[one.id], one.answer, kind=one.kind, options=one.options) for one in asked])


def test_the_probe_sees_bright_squares_and_who_sees_no_image_does_not(drawn):
    folder, samples = drawn
    train = [one for one in samples if one.split == "train"]
    test = [one for one in samples if one.split == "test"]
    seen = PixelProbe(train, folder).answers(test, folder)
    guessed = question_only(train, test)
    assert worth(seen, test, "binary") > 0.95
    assert worth(seen, test, "anomaly") > 0.9
    assert worth(guessed, test, "binary") < 0.7
    assert worth(seen, test, "anomaly") > worth(guessed, test, "anomaly") + 0.2


def test_the_probe_reads_a_course_off_the_difference(drawn):
    folder, samples = drawn
    train = [one for one in samples if one.task == "binary" and one.split == "train"]
    changes = ("worsening", "stable", "improving")
    pairs = []
    for one in train:
        grown = one.labels[one.subject]
        order = (one.images[0].replace("now", "prior"), one.images[0])
        pairs.append(course(one, order if grown else order[::-1], "A" if grown else "B", changes))
    probe = PixelProbe([*train, *pairs], folder)
    answers = probe.answers(pairs, folder)
    present = [one for one in pairs if one.labels[one.subject]]
    assert np.mean([answers[one.id] == one.answer for one in present]) > 0.5
    assert set(answers.values()) <= {"A", "B", "C"}


def course(sample, images, answer, changes):
    from dataclasses import replace

    return replace(
        sample, id=f"t-{sample.id}", task="temporal", images=images, options=changes, answer=answer
    )


def test_who_sees_only_the_question_takes_what_is_most_often_right():
    def asked(number, answer, options, split="train"):
        return Sample(
            f"{split}-{number}", "d", "single", "choice", "p", "s", split, (), "Which?", answer, options
        )

    train = [asked(number, "A", ("edema", f"other {number}")) for number in range(6)]
    test = [asked(1, "B", ("never seen", "edema"), "test")]
    assert question_only(train, test) == {"test-1": "B"}


def test_of_a_question_that_was_never_asked_it_takes_what_is_right_elsewhere_in_the_task():
    options = ("edema", "normal")
    where = ("p", "s", "train", ())
    train = [Sample(f"{n}", "d", "t", "choice", *where, f"Number {n}?", "B", options) for n in range(5)]
    new = Sample("new", "d", "t", "choice", *where, "Another?", "A", ("normal", "edema"))
    assert question_only(train, [new]) == {"new": "A"}


def test_whole_test_sets_without_two_questions_alike_take_no_time(monkeypatch):
    tried = []
    best = controls._best_constant
    monkeypatch.setattr(controls, "_best_constant", lambda samples: tried.append(1) or best(samples))
    where = ("p", "s", "train", ())
    closed = [Sample(f"c{n}", "d", "t", "choice", *where, f"{n}?", "A", ("a", "b")) for n in range(500)]
    opened = [Sample(f"o{n}", "d", "o", "labels", *where, f"{n}?", "edema") for n in range(50)]
    answers = question_only([*closed, *opened], [*closed, *opened])
    assert len(tried) == 51  # each open question, and their task; no choice
    assert set(answers.values()) == {"A", "edema"}


def test_what_the_probe_cannot_answer_is_left_out(drawn):
    folder, samples = drawn
    from dataclasses import replace

    place = replace(samples[0], id="g", task="grounding", kind="boxes", options=())
    train = [one for one in samples if one.split == "train"]
    assert PixelProbe(train, folder).answers([place], folder) == {}


@pytest.fixture(scope="module")
def run_folder(drawn):
    """The samples of `drawn` as `build` leaves them, beside their images."""
    folder, samples = drawn
    with Run.open(folder, verb="build", recipe=Recipe(out=folder), record=Sample) as run:
        run.append(samples)
        run.finish()
    return folder


@pytest.mark.parametrize(("what", "least", "most"), [("probe", 0.75, 1.0), ("question-only", 0.3, 0.62)])
def test_the_answers_of_a_control_are_scored_like_a_models(run_folder, tmp_path, what, least, most):
    given = [f"out={tmp_path / what}", f"what={what}", f"train={run_folder}", f"samples={run_folder}"]
    done = CliRunner().invoke(app, ["control", str(RECIPE), *given])
    assert done.exit_code == 0, done.output
    said = list(read(tmp_path / what, Prediction))
    asked = [one for one in read(run_folder, Sample) if one.split == "test"]
    assert [one.sample_id for one in said] == [one.id for one in asked]
    assert {(one.model, one.mode, one.problem) for one in said} == {(what, "direct", "")}
    scoring = ["score", str(RECIPE.with_name("score.yaml")), f"out={tmp_path / 'score'}"]
    scoring += [f"predictions=[{tmp_path / what}]", f"samples={run_folder}"]
    assert CliRunner().invoke(app, scoring).exit_code == 0
    summary = json.loads((tmp_path / "score" / "summary.json").read_text())
    assert least <= summary[what]["direct"]["accuracy"]["value"] <= most


def test_a_control_of_a_split_that_is_empty_says_so_in_one_line(run_folder, tmp_path):
    given = [f"out={tmp_path}", f"train={run_folder}", f"samples={run_folder}", "split=validation"]
    done = CliRunner().invoke(app, ["control", str(RECIPE), *given])
    assert done.exit_code == 1
    assert f"{run_folder}: no samples of the validation split" in done.output


def test_the_probe_learns_from_no_more_studies_than_it_is_told(run_folder):
    train = read_samples(run_folder, "train")
    few = controls._of_studies(train, 30, seed=1)
    assert len({one.study_id for one in few}) == 30
    assert few == controls._of_studies(train[::-1], 30, seed=1)[::-1]
    assert controls._of_studies(train, 1000, seed=1) == train
