"""What each kind of answer earns, by the paper's rules, by a grader, and by the released ones."""

import pytest

from cxreason.errors import UserError
from cxreason.recipes import SelectRecipe, validate
from cxreason.rewards import REWARDS, functions, released
from cxreason.rewards.answer import AnswerReward
from cxreason.rewards.graders import report_worth
from cxreason.settings import RewardVariant

LUNG = "<|ref|>lung<|/ref|><|box|>(0,0),(50,100)<|/box|>"
HEART = "<|ref|>heart<|/ref|><|box|>(60,50),(90,90)<|/box|>"


def turn(text):
    return [{"role": "assistant", "content": text}]


def paid(texts, kind, gold, *, options=(), variant: RewardVariant = "paper", graders=None):
    columns = {
        "kind": [kind] * len(texts),
        "options": [list(options)] * len(texts),
        "answer": [gold] * len(texts),
        "dialect": ["boxed"] * len(texts),
        "mode": ["reasoning"] * len(texts),
    }
    return AnswerReward(graders, variant)([turn(text) for text in texts], **columns)


def boxed(answer):
    return rf"I look. \boxed{{{answer}}}"


@pytest.mark.parametrize(
    ("kind", "gold", "said", "earned", "why"),
    [
        ("choice", "B", "B", 1.0, "the right letter"),
        ("choice", "B", "A", 0.0, "the wrong one"),
        ("labels", "edema, fracture", "edema", 2 / 3, "half of the findings and nothing else"),
        ("labels", "edema", "edema, fracture, pneumonia", 0.5, "findings that are not there"),
        ("boxes", LUNG, LUNG, 1.0, "the box itself"),
        ("boxes", LUNG + HEART, HEART + LUNG, 1.0, "several boxes in any order"),
        ("boxes", LUNG + HEART, LUNG, 0.5, "one of two boxes"),
        ("boxes", LUNG, LUNG + HEART, 0.5, "a box too many"),
        ("boxes", "No nodule detected.", "No nodule detected.", 1.0, "a true none"),
        ("boxes", "No nodule detected.", LUNG, 0.0, "a box where none is"),
        ("boxes", LUNG, "No lung detected.", 0.0, "none where a box is"),
        ("report", "There is edema. No fracture.", "There is edema. No fracture.", 1.0, "the same"),
        ("report", "There is edema. No fracture.", "There is edema.", 2 / 3, "half of what is stated"),
        ("report", "There is edema.", "There is no edema.", 0.0, "the opposite"),
        ("text", "left lower lobe", "left lower lobe", 1.0, "the same words"),
    ],
)
def test_each_kind_is_paid_by_its_own_rule(kind, gold, said, earned, why):
    options = ("pneumonia", "edema") if kind == "choice" else ()
    assert paid([boxed(said)], kind, gold, options=options) == [pytest.approx(earned)], why


def test_a_grader_reads_all_answers_of_its_kind_at_once_and_no_silence():
    calls = []

    def lengths(said, gold):
        calls.append((list(said), list(gold)))
        return [len(one) / 100 for one in said]

    texts = [boxed("Edema."), "no box at all", boxed("Clear lungs.")]
    assert paid(texts, "report", "Edema.", graders={"report": lengths}) == [0.06, 0.0, 0.12]
    assert calls == [(["Edema.", "Clear lungs."], ["Edema.", "Edema."])]
    assert paid([boxed("edema")], "labels", "edema", graders={"report": lengths}) == [1.0]


def test_a_report_is_paid_by_radcliq_as_the_paper_prints_it():
    # RadCliQ-v1 of an identical report, of one without overlap, and of CheXOne's means on MIMIC-CXR.
    worth = [round(report_worth(value), 3) for value in (-1.4407, 2.4501, 0.9439)]
    assert worth == [0.809, 0.079, 0.28]


@pytest.mark.parametrize(
    ("radcliq", "whole", "without_trace"),
    [(-1.4407, 1.617, 1.536), (2.4501, 0.159, 0.151), (0.9439, 0.560, 0.532)],
)
def test_the_released_report_reward_has_the_golden_values(radcliq, whole, without_trace):
    def grader(said, gold):
        return [report_worth(radcliq)] * len(said)

    texts = [boxed("x"), r"\boxed{x}", "no box"]
    earned = paid(texts, "report", "x", variant="released", graders={"report": grader})
    assert earned == [pytest.approx(whole, abs=1e-3), pytest.approx(without_trace, abs=1e-3), 0.0]


@pytest.mark.parametrize(
    ("said", "gold", "earned", "why"),
    [
        ("A, B", "A", 1.0, "two bets, full credit"),
        ("A. Left lung, a mass", "A", 0.5, "an article is an option"),
        ("a", "A", 0.0, "another case"),
        ("This is a PA view", "(C) PA", 0.0, "an article wins over the text"),
        ("AP", "(A) AP", 0.0, "a text is no letter"),
        ("(A) yes", "(A)", 1.0, "the letter in parentheses"),
        ("(A) , (C)", "(A) , (B)", 1 / 3, "Jaccard of several"),
        ("B", "B", 1.0, "a letter alone"),
    ],
)
def test_the_released_choice_reward_keeps_its_faults(said, gold, earned, why):
    assert released.choice_worth(said, gold) == pytest.approx(earned), why


def test_the_released_rewards_read_the_first_box_only():
    texts = [r"x \boxed{} then \boxed{B}", r"x \boxed{A} then \boxed{B}", "no box"]
    assert paid(texts, "choice", "B", options=("a", "b"), variant="released") == [0.0, 0.0, 0.0]
    assert paid(texts, "choice", "B", options=("a", "b")) == [1.0, 1.0, 0.0]
    assert [released.format_worth(text) for text in texts] == [0.0, 0.0, 0.0]
    assert released.format_worth(r"x \boxed{A} and more") == 1.0


@pytest.mark.parametrize(
    ("said", "gold", "earned", "why"),
    [
        (LUNG, LUNG, 1.0, "the box itself"),
        (LUNG.replace("lung", "LUNG"), LUNG, 1.0, "names in any case"),
        (LUNG.replace("lung", "heart"), LUNG, 0.95, "another name"),
        (HEART + LUNG, LUNG, 0.0, "only the first box is read"),
        (LUNG.replace("50", "50.5"), LUNG, 0.0, "whole numbers alone"),
        ("No lung detected.", "No lung detected.", 0.0, "a true none"),
    ],
)
def test_the_released_box_reward_keeps_its_faults(said, gold, earned, why):
    assert paid([boxed(said)], "boxes", gold, variant="released") == [earned], why


def test_what_was_not_released_is_not_invented():
    assert paid([boxed("x"), ""], "text", "x", variant="released") == [None, None]
    with pytest.raises(ValueError, match="only CheXOne's trainer was released"):
        functions(["format"], variant="released")["format"]([turn("x")], dialect=["think"], mode=["direct"])


def test_select_pays_as_the_recipe_says():
    kept = {"out": "o", "predictions": "p", "samples": "s"}
    assert validate(SelectRecipe, {**kept, "reward_variant": "released"}).reward_variant == "released"
    with pytest.raises(UserError, match="graders"):
        validate(SelectRecipe, {**kept, "graders": {"choice": "auto"}})


def test_the_functions_of_a_recipe_are_the_plain_ones_where_nothing_else_is_asked():
    assert functions(REWARDS) == REWARDS


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("mode", ["reasoning", "direct"])
@pytest.mark.parametrize(
    ("kind", "gold", "options"),
    [
        ("choice", "A", ["Yes", "No"]),
        ("labels", "edema", []),
        ("boxes", LUNG, []),
        ("report", "There is edema.", []),
        ("text", "edema", []),
    ],
)
@pytest.mark.parametrize("report", ["", "There is edema.", "The patient was seen."])
def test_whether_a_reward_applies_depends_on_the_prompt_and_never_on_the_reply(
    variant, mode, kind, gold, options, report
):
    """TRL counts a None on some rows of a group as 0, so None has to hold for all of them."""
    texts = [boxed(gold), "", boxed(""), "There is a fracture.", r"There is edema. \boxed{no such thing}"]
    columns = {
        "kind": [kind] * len(texts),
        "options": [options] * len(texts),
        "answer": [gold] * len(texts),
        "report": [report] * len(texts),
        "dialect": ["boxed"] * len(texts),
        "mode": [mode] * len(texts),
        "prompts": ["Is there edema?"] * len(texts),
    }
    for name, reward in functions(REWARDS, variant=variant).items():
        earned = reward([turn(text) for text in texts], **columns)
        assert len({one is None for one in earned}) == 1, name
