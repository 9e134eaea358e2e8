"""`cxreason compare`: paired, on shared items only, by the test that fits the metric."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scored_runs import question, recipe, reply
from typer.testing import CliRunner

from cxreason.cli import app
from cxreason.errors import UserError
from cxreason.evaluation.compare import compare
from cxreason.evaluation.score import score
from cxreason.evaluation.statistics import holm, mcnemar, randomisation

WRONG = {"A": "B", "B": "A"}


def said(sample, is_right, **fields):
    return reply(sample, f"<answer>{sample.answer if is_right else WRONG[sample.answer]}</answer>", **fields)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Models a and b: 30 shared questions, of which only a gets 10 and only b 3; a has 4 more, b has 2."""
    path = tmp_path_factory.mktemp("compare")
    samples = [question(number) for number in range(36)]
    shared = [(True, False)] * 10 + [(False, True)] * 3 + [(True, True)] * 17
    first = [said(one, right, model="a") for one, (right, _) in zip(samples, shared, strict=False)]
    second = [said(one, right, model="b") for one, (_, right) in zip(samples, shared, strict=False)]
    first += [said(one, True, model="a") for one in samples[30:34]]
    second += [said(one, False, model="b") for one in samples[34:]]
    score(recipe(path, samples, first, second, missing="leave_out"))
    return path / "score"


def test_only_shared_items_count_and_the_others_are_told(folder):
    found = compare(f"{folder}:a", f"{folder}:b")
    assert (found["num_shared"], found["num_only_first"], found["num_only_second"]) == (30, 4, 2)
    one = found["metrics"]["accuracy"]
    assert (one["n"], one["only_first"], one["only_second"]) == (30, 4, 2)
    assert (one["first"], one["second"]) == pytest.approx((27 / 30, 20 / 30))
    assert one["low"] < one["difference"] == pytest.approx(7 / 30)
    assert (one["test"], one["p"]) == ("McNemar, exact", mcnemar(10, 3).p)
    assert "other questions" in found["notes"][0]


def test_the_other_way_round_is_the_same_with_the_other_sign(folder):
    there, back = (compare(f"{folder}:{a}", f"{folder}:{b}")["metrics"]["accuracy"] for a, b in ("ab", "ba"))
    assert (there["difference"], there["p"]) == pytest.approx((-back["difference"], back["p"]))


def test_patients_with_several_questions_are_flipped_whole(tmp_path):
    samples = [question(number, patient_id=f"p{number % 5}") for number in range(40)]
    first = [said(one, number % 4 > 0, model="a") for number, one in enumerate(samples)]
    second = [said(one, number % 2 > 0, model="b") for number, one in enumerate(samples)]
    score(asked := recipe(tmp_path, samples, first, second))
    found = compare(f"{asked.out}:a", f"{asked.out}:b")
    one = found["metrics"]["accuracy"]
    values = [[float(n % 4 > 0) for n in range(40)], [float(n % 2 > 0) for n in range(40)]]
    patients = [sample.patient_id for sample in samples]
    assert (one["test"], one["num_patients"]) == ("randomisation of patients", 5)
    assert one["p"] == randomisation(*values, patients) == 2 / 32
    assert "fewer than 10 patients" in found["notes"][0]


def test_whole_set_metrics_are_compared_by_their_parts_and_holm_is_over_all(tmp_path):
    random = np.random.default_rng(1)
    words = ["edema", "effusion", "there", "is", "no", "mild", "left", "right"]
    golds = [" ".join(random.choice(words, 12)) for _ in range(20)]
    samples = [
        question(number, gold, kind="report", options=(), report=gold) for number, gold in enumerate(golds)
    ]
    half = [f"<answer>{' '.join(gold.split()[:6])} lungs clear</answer>" for gold in golds]
    first = [reply(one, f"<answer>{one.answer}</answer>", model="a") for one in samples]
    second = [reply(one, text, model="b") for one, text in zip(samples, half, strict=True)]
    score(asked := recipe(tmp_path, samples, first, second))
    found = compare(f"{asked.out}:a", f"{asked.out}:b", ["bleu4_corpus", "rouge_l"])["metrics"]
    whole = found["bleu4_corpus"]
    assert whole["first"] == pytest.approx(1.0)
    assert whole["test"] == "randomisation of patients, whole set"
    assert whole["difference"] == pytest.approx(whole["first"] - whole["second"])
    assert 0 < whole["p"] < 0.001
    assert whole["better"] == "first"
    assert [one["p_holm"] for one in found.values()] == holm([one["p"] for one in found.values()])


@pytest.mark.parametrize(
    ("first", "second", "metrics", "complaint"),
    [
        ("{0}", "{0}:b", [], "fits several. Write .*:MODEL/MODE with one of a/direct, b/direct"),
        ("{0}:c", "{0}:b", [], "fits none"),
        ("{0}:a", "{0}:b", ["green"], "green: is not scored in both. Both have: accuracy"),
        ("{0}-gone", "{0}:b", [], "there is no such run"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(folder, first, second, metrics, complaint):
    with pytest.raises(UserError, match=complaint):
        compare(first.format(folder), second.format(folder), metrics)


def test_models_without_a_shared_item_are_refused(tmp_path):
    samples = [question(number) for number in range(4)]
    runs = [
        [said(samples[n], True, model="a") for n in (0, 1)],
        [said(samples[n], True, model="b") for n in (2, 3)],
    ]
    score(asked := recipe(tmp_path, samples, *runs, missing="leave_out"))
    with pytest.raises(UserError, match="share no scored item"):
        compare(f"{asked.out}:a", f"{asked.out}:b")


def test_a_trace_is_not_compared_with_an_answer_that_was_asked_for_alone(tmp_path):
    told = {"report": "No edema.", "reasoning": "There is no edema."}
    samples = [question(number, **told) for number in range(12)]
    thought = [
        reply(one, f"<think>No edema.</think><answer>{one.answer}</answer>", model="a", mode="reasoning")
        for one in samples
    ]
    other = [replace(one, id=f"{one.id}-b", model="b") for one in thought]
    answered = [said(one, True, model="probe") for one in samples]
    score(asked := recipe(tmp_path, samples, thought, other, answered))
    assert "radrscore" in compare(f"{asked.out}:a", f"{asked.out}:b")["metrics"]
    assert set(compare(f"{asked.out}:a", f"{asked.out}:probe")["metrics"]) == {"accuracy"}


def test_the_verb_prints_a_table_and_json(folder):
    call = ["compare", f"{folder}:a/direct", f"{folder}:b/direct", "--metric", "accuracy"]
    told = CliRunner().invoke(app, call)
    assert told.exit_code == 0
    assert "30 items are shared, 4 are only in the first, 2 only in the second" in told.stdout
    assert "+0.233" in told.stdout
    as_json = CliRunner().invoke(app, [*call, "--json"])
    assert json.loads(as_json.stdout)["metrics"]["accuracy"]["n"] == 30
