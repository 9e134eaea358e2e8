"""Defects of published scorers, put back: each gives the right number here, or is refused aloud."""

from dataclasses import replace

import pytest
from scored_runs import question, recipe, reply, summary, write

from cxreason.answers.conversation import conversation
from cxreason.errors import UserError
from cxreason.evaluation.score import score
from cxreason.records import Score
from cxreason.rows import write_json
from cxreason.runs import read

SAMPLES = [question(number, "AB"[number % 2]) for number in range(8)]


def right(sample, **fields):
    return reply(sample, f"<answer>{sample.answer}</answer>", **fields)


def test_a_prompt_that_a_model_repeats_is_no_answer(tmp_path):
    def prompt(sample):
        return conversation(sample, dialect="think", mode="direct")[1]["content"]

    said = [reply(sample, prompt(sample)) for sample in SAMPLES[:4]]
    said += [reply(sample, f"{prompt(sample)}\n<answer>{sample.answer}</answer>") for sample in SAMPLES[4:]]
    score(asked := recipe(tmp_path, SAMPLES, said))
    found = summary(asked)
    assert (found["accuracy"]["value"], found["accuracy"]["n"]) == (0.5, 8)
    assert (found["accuracy"]["num_flagged"], found["parse_rate"]) == (4, 0.5)


def test_answers_that_are_not_there_are_wrong(tmp_path):
    score(asked := recipe(tmp_path, SAMPLES, [right(sample) for sample in SAMPLES[:6]]))
    found = summary(asked)
    assert (found["accuracy"]["value"], found["accuracy"]["n"]) == (0.75, 8)
    assert (found["num_missing"], found["parse_rate"]) == (2, 0.75)
    reasons = [row.reason for row in read(asked.out, Score) if row.flagged]
    assert reasons == ["no prediction"] * 2


def test_answers_that_are_not_there_can_be_refused_or_left_out(tmp_path):
    said = [right(sample) for sample in SAMPLES[:6]]
    with pytest.raises(UserError, match=r"2 samples have no prediction, first s0006.*missing=wrong"):
        score(recipe(tmp_path / "a", SAMPLES, said, missing="refuse"))
    score(asked := recipe(tmp_path / "b", SAMPLES, said, missing="leave_out"))
    assert (summary(asked)["accuracy"]["value"], summary(asked)["accuracy"]["n"]) == (1.0, 6)


def test_who_was_asked_less_on_purpose_owes_nothing(tmp_path):
    asked = recipe(tmp_path, SAMPLES, [right(sample) for sample in SAMPLES[:6]])
    state = {"verb": "predict", "limit": 6, "finished": "now", "counts": {"num_samples": 6}}
    write_json(asked.predictions[0] / "run.json", state)
    score(asked)
    assert (summary(asked)["accuracy"]["n"], summary(asked)["num_missing"]) == (6, 0)


def test_an_empty_text_is_a_wrong_answer_and_no_word(tmp_path):
    samples = [question(0, "There is edema.", kind="report", options=(), report="There is edema.")]
    score(asked := recipe(tmp_path, samples, [reply(samples[0], "")]))
    found = summary(asked)
    for metric in ("report_f1", "observation_f1", "bleu2_rexrank", "rouge_l"):
        assert (found[metric]["value"], found[metric]["n"], found[metric]["num_flagged"]) == (0.0, 1, 1)
    assert found["bleu4_corpus"]["value"] == pytest.approx(0, abs=1e-6)


def test_a_report_that_says_everything_and_denies_it_is_worth_nothing(tmp_path):
    samples = [
        question(0, "There is edema. No effusion.", kind="report", options=(), report="There is edema.")
    ]
    both = " ".join(f"There is {name}. There is no {name}." for name in ("edema", "pleural effusion"))
    score(asked := recipe(tmp_path, samples, [reply(samples[0], f"<answer>{both}</answer>")]))
    found = summary(asked)
    for metric in ("report_f1", "observation_f1"):
        assert (found[metric]["value"], found[metric]["num_flagged"]) == (0.0, 0), metric


def test_a_gold_answer_that_is_no_option_is_told_with_its_sample(tmp_path):
    samples = [question(0), question(1, "C")]
    with pytest.raises(UserError, match=r"sample s0001 cannot be scored: gold answer 'C' is no letter"):
        score(recipe(tmp_path, samples, [right(samples[0]), reply(samples[1], "<answer>A</answer>")]))


def test_what_mining_dropped_stays_in_the_accuracy(tmp_path):
    samples = [question(number, report="There is edema.") for number in range(3)]
    said = [reply(sample, "<think>Edema.</think><answer>A</answer>", mode="reasoning") for sample in samples]
    mined = write(tmp_path / "mine", [replace(sample, reasoning="There is edema.") for sample in samples[:2]])
    with pytest.raises(UserError, match="that of `mine`, which drops some, in `reasoning`"):
        score(recipe(tmp_path / "a", samples[:2], said))
    score(asked := recipe(tmp_path / "b", samples, said, reasoning=mined))
    found = summary(asked, mode="reasoning")
    assert (found["accuracy"]["n"], found["radrscore"]["n"], found["radrscore"]["value"]) == (3, 2, 1.0)
    others = write(tmp_path / "others", [question(9, reasoning="There is edema.")])
    with pytest.raises(UserError, match="no sample is in both"):
        score(recipe(tmp_path / "c", samples, said, reasoning=others))


def test_models_that_were_asked_other_questions_are_not_put_in_one_table(tmp_path):
    first = [right(sample, model="a") for sample in SAMPLES[:6]]
    second = [right(sample, model="b") for sample in SAMPLES[2:]]
    asked = recipe(tmp_path, SAMPLES, first, second)
    for folder in asked.predictions:
        state = {"verb": "predict", "limit": 6, "finished": "now", "counts": {"num_samples": 6}}
        write_json(folder / "run.json", state)
    with pytest.raises(UserError, match=r"2 samples only there, 2 only here.*cxreason compare"):
        score(asked)
    score(asked.model_copy(update={"missing": "leave_out", "out": tmp_path / "apart"}))


def test_two_runs_under_one_name_are_not_shown_as_one(tmp_path):
    seeing, blind = [right(sample) for sample in SAMPLES], [reply(sample, "") for sample in SAMPLES]
    with pytest.raises(UserError, match=r"is m in mode direct, as .*predict-0 is"):
        score(recipe(tmp_path, SAMPLES, seeing, blind))


def test_a_folder_with_two_models_or_two_answers_to_one_question_is_refused(tmp_path):
    mixed = [right(SAMPLES[0], model="a"), right(SAMPLES[1], model="b")]
    with pytest.raises(UserError, match="several models"):
        score(recipe(tmp_path / "a", SAMPLES, mixed))
    twice = [right(SAMPLES[0]), reply(SAMPLES[0], "<answer>B</answer>")]
    with pytest.raises(UserError, match="twice"):
        score(recipe(tmp_path / "b", SAMPLES, twice))
