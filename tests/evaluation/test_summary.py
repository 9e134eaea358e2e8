"""How rows of scores become numbers: means, macro means, intervals, and metrics of the whole set."""

import pytest
from scored_runs import question, recipe, reply, summary

from cxreason.evaluation.score import score
from cxreason.evaluation.statistics import wilson
from cxreason.evaluation.summary import estimate, summarise
from cxreason.records import Box, Prediction, Score

BOXES = {
    "whole": "<|box|>(0,0),(100,100)<|/box|>",
    "half": "<|box|>(0,0),(50,100)<|/box|>",
    "none": "No nodule detected.",
}


def rows(values, metric="accuracy", **fields):
    return [
        Score(f"{metric}{number}", "p", f"s{number}", f"p{number}", "d", "t", metric, value, **fields)
        for number, value in enumerate(values)
    ]


@pytest.fixture
def settings(tmp_path):
    return recipe(tmp_path, [question(0)], [reply(question(0), "")])


def test_near_0_and_1_right_and_wrong_have_wilsons_interval(settings):
    found = estimate(rows([1.0] * 20), settings)
    assert (found["low"], found["high"], found["interval"]) == (wilson(20, 20).low, 1.0, "wilson")
    assert estimate(rows([1.0] * 20 + [0.0] * 5), settings)["interval"] == "bootstrap"
    assert estimate(rows([1.0] * 20, "radrscore"), settings)["interval"] == "bootstrap"


def test_items_without_a_value_are_counted_and_in_no_mean(settings):
    found = estimate([*rows([1.0, 0.5], "radrscore"), *rows([None], "radrscore")], settings)
    assert (found["value"], found["n"], found["num_left_out"]) == (0.75, 2, 1)


def test_patients_of_two_datasets_with_one_number_are_two(settings):
    one, other = rows([1.0], "r_f")[0], rows([0.0], "r_f")[0]
    moved = Score("x", "p", "s", other.patient_id, "another", "t", "r_f", 0.0)
    assert estimate([one, other], settings)["low"] is None
    assert estimate([one, moved], settings)["low"] is not None


def test_the_macro_mean_weighs_sources_and_tasks_alike(tmp_path):
    def many(start, number, is_right, **fields):
        return [(question(start + place, **fields), is_right) for place in range(number)]

    asked = many(0, 8, True, task="binary", dataset="x") + many(8, 2, False, task="binary", dataset="y")
    asked += many(10, 1, True, task="single", dataset="x")
    samples = [sample for sample, _ in asked]
    said = [reply(sample, f"<answer>{'A' if is_right else 'B'}</answer>") for sample, is_right in asked]
    score(found := recipe(tmp_path, samples, said))
    told = summary(found)["accuracy"]
    assert told["value"] == pytest.approx(9 / 11)
    assert told["macro"]["value"] == pytest.approx((0.5 + 1) / 2)
    assert told["macro"]["low"] <= 0.75 <= told["macro"]["high"]
    assert told["by_task"]["binary"]["value"] == pytest.approx(0.8)


def test_several_answers_to_one_question_are_consistent_or_not(tmp_path):
    samples = [question(0), question(1)]
    texts = {0: "AAAAAAAA", 1: "AAAAABBB"}
    said = [
        reply(samples[number], f"<answer>{letter}</answer>", repeat=draw)
        for number, letters in texts.items()
        for draw, letter in enumerate(letters)
    ]
    score(found := recipe(tmp_path, samples, said))
    told = summary(found)
    assert told["self_consistency"]["value"] == pytest.approx((1 + 0.045566) / 2, abs=1e-6)
    assert (told["self_consistency"]["n"], told["accuracy"]["n"]) == (2, 16)


def test_boxes_are_scored_before_their_rounding_and_by_class(tmp_path):
    def place(number, answer, finding, boxes=()):
        fields = {"kind": "boxes", "task": "grounding", "options": (), "subject": finding, "boxes": boxes}
        return question(number, answer, **fields)

    drawn = Box("nodule", 0.0, 0.0, 0.504, 1.0)
    samples = [
        place(0, BOXES["whole"], "nodule"),
        place(1, BOXES["half"], "nodule", (drawn,)),
        place(2, BOXES["none"], "nodule"),
        place(3, BOXES["whole"], "mass"),
    ]
    answers = [BOXES["whole"], BOXES["half"], BOXES["none"], "I cannot say."]
    said = [reply(one, f"<answer>{text}</answer>") for one, text in zip(samples, answers, strict=True)]
    score(found := recipe(tmp_path, samples, said))
    told = summary(found)
    assert told["iou"]["value"] == 0.75
    assert told["miou"]["value"] == pytest.approx((1 + 0.5 / 0.504 + 0) / 3)
    assert (told["miou"]["n"], told["hit_rate50"]["value"]) == (3, pytest.approx(2 / 3))
    assert (told["negative_accuracy"]["value"], told["negative_accuracy"]["n"]) == (1.0, 1)
    assert told["ap50"]["value"] == pytest.approx((1 + 0) / 2)
    assert told["precision50"]["value"] == 1.0
    assert told["recall50"]["value"] == pytest.approx(2 / 3)


def test_open_words_are_not_called_accuracy(tmp_path):
    sample = question(0, "left lower lobe", kind="text", options=())
    score(found := recipe(tmp_path, [sample], [reply(sample, "<answer>lower lobe</answer>")]))
    told = summary(found)
    assert told["word_f1"]["value"] == pytest.approx(0.8)
    assert told["accuracy"]["value"] is None


@pytest.mark.parametrize(
    ("values", "value", "low"), [([0.5, 0.5, 0.5], 2.0, 2.0), ([-1.0, 0.5, 0.9], 1 / (0.4 / 3), None)]
)
def test_the_inverse_of_radcliq_has_an_interval_only_away_from_0(settings, values, value, low):
    told = summarise(rows(values, "radcliq_v1"), [Prediction("p", "s", "m", "direct", "think", "")], settings)
    found = told["radcliq_v1_inverse"]
    assert (found["value"], found["low"]) == (pytest.approx(value), low)
    assert found["by_task"]["t"]["value"] == pytest.approx(value)


def test_what_was_not_computed_stands_there_without_a_value(settings):
    prediction = Prediction("p", "s", "m", "direct", "think", "")
    told = summarise(rows([1.0]), [prediction], settings, {"green": "backend green is not installed"})
    assert (told["green"]["value"], told["green"]["n"]) == (None, 0)
    assert told["green"]["absent"] == "backend green is not installed"
