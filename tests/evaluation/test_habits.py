"""How a model talks, counted: each trick shows in its own habit."""

import pytest

from cxreason.evaluation.habits import HABITS, habits, trace_change

REPORT = "There is a moderate left pleural effusion. The heart is enlarged. There is no pneumothorax."
HONEST = "There is a moderate left pleural effusion. The heart is enlarged."
QUESTION = "Which finding is in this chest X-ray?\nPleural effusion\nEdema"


def of(trace):
    return habits(trace, REPORT, reference=HONEST, question=QUESTION)


def test_every_habit_is_told_and_explained():
    assert of(HONEST).keys() == HABITS.keys()


@pytest.mark.parametrize(
    ("trace", "habit", "value", "why"),
    [
        (HONEST, "claims", 2.0, "two statements"),
        (HONEST, "wrong", 0.0, "both true"),
        (HONEST, "normal", 0.0, "neither says what is not there"),
        (HONEST, "r_c", 1.0, "all of the reference"),
        (f"{HONEST} There is no fracture. There is no edema.", "unmentioned_normal", 0.5, "padding"),
        (f"{HONEST} There is no fracture. There is no edema.", "r_f", 1.0, "which R_f pays for"),
        (f"{HONEST} {HONEST}", "repeated", 2.0, "both said twice"),
        (f"{HONEST} {HONEST}", "claims", 2.0, "which makes them no more"),
        ("There is a pneumothorax. There is edema.", "wrong", 1.0, "contradicted, and made up"),
        ("Which finding is in this chest X-ray? I see.", "copied", 0.5, "a sentence of the question"),
        ("There is edema. There is a fracture.", "asked", 0.5, "edema stands in the options"),
        ("I see the chest.", "silent", 1.0, "no statement"),
        ("I see the chest.", "normal", None, "a share of nothing does not apply"),
        ("I see the chest.", "words", 4.0, "words are counted all the same"),
    ],
)
def test_a_habit_is_measured(trace, habit, value, why):
    assert of(trace)[habit] == value, why


@pytest.mark.parametrize(
    ("one", "other", "change"),
    [
        (HONEST, HONEST, 0.0),
        (HONEST, "There is no pleural effusion.", 1.0),
        (HONEST, "", 1.0),
        ("I see.", "Nothing to see.", 0.0),
        (HONEST, "The heart is enlarged.", 0.25),
    ],
)
def test_traces_change_by_what_they_say(one, other, change):
    assert trace_change(one, other) == change
    assert trace_change(other, one) == change
