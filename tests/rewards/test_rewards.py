"""What the rewards pay, as TRL calls them: completions as chat turns, columns as lists."""

import pytest

from cxreason.recipes import GrpoRecipe
from cxreason.rewards import (
    REWARDS,
    answer_reward,
    format_reward,
    guarded_process_reward,
    process_reward,
)

REPORT = "There is a large left pleural effusion. The heart is enlarged. No pneumothorax."


def turn(text):
    return [{"role": "assistant", "content": text}]


@pytest.mark.parametrize(
    ("said", "dialect", "mode", "earned", "why"),
    [
        ("<think> clear </think><answer> A </answer>", "think", "reasoning", 1.0, "the whole form"),
        ("<answer> A </answer>", "think", "reasoning", 0.0, "the trace is missing"),
        ("<think> clear </think> A", "think", "reasoning", 0.0, "the answer is not enclosed"),
        ("<answer> A </answer>", "think", "direct", 1.0, "the answer alone was asked for"),
        ("A", "think", "direct", 0.0, "the answer is not enclosed"),
        (r"The lungs are clear. \boxed{A}", "boxed", "reasoning", 1.0, "trace, then box"),
        (r"\boxed{A}", "boxed", "reasoning", 0.0, "the trace is missing"),
        (r"The lungs are clear. \boxed{}", "boxed", "reasoning", 0.0, "an empty box"),
    ],
)
def test_the_format_reward_pays_for_the_whole_form_only(said, dialect, mode, earned, why):
    assert format_reward([turn(said)], dialect=[dialect], mode=[mode]) == [earned], why


@pytest.mark.parametrize(
    ("said", "earned", "why"),
    [
        ("<think> x </think><answer> B </answer>", 1.0, "the right letter"),
        ("<think> x </think><answer> B) edema </answer>", 1.0, "letter and text"),
        ("<think> x </think><answer> edema </answer>", 1.0, "the text of the right option"),
        ("<think> x </think><answer> A </answer>", 0.0, "the wrong letter"),
        ("<think> x </think><answer> A or B </answer>", 0.0, "two bets"),
        ("<think> <answer> B </answer> </think>", 0.0, "an answer inside the trace"),
        ("<think> x", 0.0, "cut off"),
        ("", 0.0, "silence"),
    ],
)
def test_the_answer_reward_pays_for_one_right_option(said, earned, why):
    columns = {"kind": ["choice"], "options": [["fracture", "edema"]], "answer": ["B"]}
    assert answer_reward([turn(said)], dialect=["think"], mode=["reasoning"], **columns) == [earned], why


def test_the_answer_reward_grades_a_set_of_findings():
    columns = {"kind": ["labels"], "options": [[]], "answer": ["edema, fracture"]}
    said = turn("<answer> edema </answer>")
    assert answer_reward([said], dialect=["think"], mode=["direct"], **columns) == pytest.approx([2 / 3])


def test_a_gold_answer_outside_the_options_is_a_fault_and_not_a_zero():
    columns = {"kind": ["choice"], "options": [["Yes", "No"]], "answer": ["C"]}
    with pytest.raises(ValueError, match="C"):
        answer_reward([turn("<answer> A </answer>")], dialect=["think"], mode=["direct"], **columns)


def process(text, *, report=REPORT, mode="reasoning"):
    said = turn(f"<think> {text} </think><answer> A </answer>")
    return process_reward([said], report=[report], dialect=["think"], mode=[mode])[0]


def test_the_process_reward_is_the_share_of_claims_that_the_report_bears_out():
    assert process("There is a large left pleural effusion. The heart is enlarged.") == 1.0
    assert process("There is a large left pleural effusion. There is a pneumothorax.") == 0.5
    assert process("There is a large right pleural effusion.") == 0.0
    assert process("Let me look closely.") == 0.0


def test_the_process_reward_does_not_apply_where_no_trace_or_no_report_is():
    assert process("The heart is enlarged.", mode="direct") is None
    assert process("The heart is enlarged.", report="") is None


def test_the_process_reward_reads_the_trace_and_not_the_answer():
    said = turn("<think> I look. </think><answer> the heart is enlarged </answer>")
    assert process_reward([said], report=[REPORT], dialect=["think"], mode=["reasoning"]) == [0.0]


def guarded(text, *, report=REPORT, mode="reasoning", **columns):
    said = turn(f"<think> {text} </think><answer> A </answer>")
    return guarded_process_reward([said], report=[report], dialect=["think"], mode=[mode], **columns)[0]


def test_the_guarded_reward_pays_for_what_the_report_says_and_against_the_rest():
    assert guarded("There is a large left pleural effusion. The heart is enlarged. No pneumothorax.") == 1
    assert guarded("The heart is enlarged.") == 0.4
    assert guarded("The heart is enlarged. There is a pneumothorax.") == 0
    assert guarded("There is no edema. There is no fracture.") == 0
    assert guarded("Let me look closely.") == 0


def test_the_guarded_reward_does_not_apply_where_the_paper_s_does_not():
    assert guarded("The heart is enlarged.", mode="direct") is None
    assert guarded("The heart is enlarged.", report="") is None
    assert guarded("The heart is enlarged.", report="The image was taken.") is None


@pytest.mark.parametrize(
    "prompt",
    [
        "Is it so? The heart is enlarged.",
        [{"role": "user", "content": "Is it so? The heart is enlarged."}],
        [
            {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": "The heart is enlarged?"}],
            }
        ],
    ],
)
def test_the_guarded_reward_does_not_pay_for_the_words_of_the_prompt(prompt):
    assert guarded("The heart is enlarged.", prompts=[prompt]) == 0
    assert guarded("There is cardiomegaly.", prompts=[prompt]) == 0.4


def test_what_the_system_was_told_is_no_question():
    prompt = [{"role": "system", "content": "The heart is enlarged."}]
    assert guarded("The heart is enlarged.", prompts=[prompt]) == 0.4


@pytest.mark.parametrize("name", ["process", "process_guarded"])
def test_a_fault_in_a_process_reward_raises(name):
    columns = {"report": [REPORT], "mode": ["reasoning"]}
    with pytest.raises(KeyError):
        REWARDS[name]([turn("x")], dialect=["unheard of"], **columns)
    with pytest.raises(ValueError, match="zip"):
        REWARDS[name]([turn("x"), turn("y")], dialect=["think"], **columns)


def test_a_recipe_can_choose_every_reward_and_the_default_is_the_paper_s():
    kept = {"out": "a", "model": "b", "samples": "c", "num_rows": 1}
    assert GrpoRecipe(**kept).rewards == {"format": 1.0, "answer": 1.0, "process": 1.0}
    assert list(GrpoRecipe(**kept, rewards=dict.fromkeys(REWARDS, 0.5)).rewards) == list(REWARDS)


def test_each_reward_has_a_name_of_its_own_in_the_logs():
    names = [function.__name__ for function in REWARDS.values()]
    assert len(set(names)) == len(names)
    assert "<lambda>" not in names
