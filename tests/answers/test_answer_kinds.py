"""Label sets, boxes, reports and texts: their canonical form and what they are worth."""

import re

import pytest

from cxreason.answers import boxes, labels, report, text
from cxreason.records import Box

NODULE = "<|ref|>nodule<|/ref|><|box|>(12,60),(18,87)<|/box|>"


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("Pleural Effusion, edema", "edema, pleural effusion"),
        ("pleural effusion; edema; edema.", "edema, pleural effusion"),
        ("edema and pleural effusion", "edema, pleural effusion"),
        ("Edema, fracture, and pneumonia", "edema, pneumonia, fracture"),
        ("- Edema\n- Pneumonia", "edema, pneumonia"),
        ("1. Edema\n2. Pneumonia", "edema, pneumonia"),
        ("No finding.", "no finding"),
        ("No findings", "no finding"),
        ("edema, dragon", "edema, dragon"),
        ("no finding, edema", ""),
        ("a dragon", ""),
        ("", ""),
        (", ;", ""),
    ],
)
def test_labels_come_in_one_order_whatever_the_separator(said, value):
    parsed = labels.parse(said)
    assert parsed.value == value
    assert bool(parsed.problem) == (value == "")


def test_labels_score_by_set_f1_and_unknown_names_count_as_wrong():
    assert labels.score("edema, pneumonia", "pneumonia, edema") == 1.0
    assert labels.score("edema", "edema, pneumonia") == pytest.approx(2 / 3)
    assert labels.score("edema, dragon", "edema") == pytest.approx(2 / 3)
    assert labels.score("no finding", "edema") == labels.score("edema", "no finding") == 0.0
    assert labels.score("", "edema") == 0.0
    assert labels.score("no finding", "no finding") == 1.0


def test_naming_every_label_does_not_pay():
    from cxreason.text.ontology import FINDINGS

    assert labels.score(labels.parse(", ".join(FINDINGS)).value, "edema") < 0.2


@pytest.mark.parametrize("gold", ["", "dragon", "edema, dragon", "no finding, edema"])
def test_a_gold_label_that_cannot_be_right_raises(gold):
    with pytest.raises(ValueError, match=r"label|beside"):
        labels.score("edema", gold)


def test_labels_may_have_their_own_vocabulary():
    assert labels.parse("Mass, Hernia", ("Hernia", "Mass")).value == "hernia, mass"
    with pytest.raises(ValueError, match="separator"):
        labels.parse("Mass", ("Mass, nodule",))


@pytest.mark.parametrize(
    ("said", "value", "note"),
    [
        (NODULE, NODULE, ""),
        ("<|box|>( 12 , 60 ),\n( 18,87.50 )<|/box|>}", "<|box|>(12,60),(18,87.5)<|/box|>", ""),
        (f"There: {NODULE}\n<|box|>(0,0),(5,5)<|/box|>.", f"{NODULE}<|box|>(0,0),(5,5)<|/box|>", ""),
        ("<|box|>(20,30),(5,10)<|/box|>", "<|box|>(5,10),(20,30)<|/box|>", "corners swapped"),
        ("<|box|>(-3,0),(50,240)<|/box|>", "<|box|>(0,0),(50,100)<|/box|>", "clipped to the image"),
        ("No nodule detected.", "No nodule detected.", ""),
        ("no rib\nfracture detected }", "no rib fracture detected", ""),
    ],
)
def test_boxes_are_read_from_the_literal(said, value, note):
    parsed = boxes.parse(said)
    assert (parsed.value, parsed.problem, parsed.note) == (value, "", note)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "lower left",
        "(12,60),(18,87)",
        "<|box|>(12,60),(18",
        f"No nodule detected. {NODULE}",
        f"{NODULE} No nodule detected.",
        "No idea, a nodule was detected.",
        "No effusion. But a nodule is detected.",
        "No, there is a nodule detected.",
    ],
)
def test_what_is_no_box_or_both_is_not_understood(said):
    parsed = boxes.parse(said)
    assert parsed.value == ""
    assert parsed.problem


def test_boxes_score_by_the_best_assignment_and_none_is_an_answer():
    def literal(*places):
        return "".join(f"<|box|>({x1},{y1}),({x2},{y2})<|/box|>" for x1, y1, x2, y2 in places)

    predicted = literal((0, 0, 40, 40), (60, 60, 100, 100), (0, 60, 20, 80))
    assert boxes.score(predicted, literal((0, 0, 40, 50), (50, 60, 100, 100))) == pytest.approx(
        0.533333, abs=1e-6
    )
    assert boxes.score(NODULE, NODULE.replace("nodule", "mass")) == 1.0
    assert boxes.score("No nodule detected.", "No fracture detected.") == 1.0
    assert boxes.score("No nodule detected.", NODULE) == boxes.score(NODULE, "No nodule detected.") == 0.0
    assert boxes.score("", NODULE) == boxes.score("", "No nodule detected.") == 0.0
    assert boxes.score(literal((5, 5, 5, 50)), literal((5, 5, 5, 50))) == 0.0


def test_gold_without_a_box_or_a_no_raises():
    with pytest.raises(ValueError, match="neither a box"):
        boxes.score(NODULE, "somewhere")


def test_boxes_are_written_from_left_to_right_whatever_their_order():
    places = ((0.2, 0, 1, 1), (0.1, 0.5, 1, 1), (0.1, 0, 1, 1))
    written = boxes.write([Box("nodule", *place) for place in places])
    assert re.findall(r"<\|box\|>\((\d+,\d+)\)", written) == ["10,0", "10,50", "20,0"]


def test_box_names_can_not_smuggle_in_another_box():
    with pytest.raises(ValueError, match="marks of a box"):
        boxes.write([Box(NODULE, 0, 0, 1, 1)])


def test_text_scores_by_words():
    assert text.score("Left  lower lobe.", "left lower lobe") == 1.0
    assert text.score("lobe lobe lobe", "left lower lobe") == pytest.approx(1 / 3)
    assert text.score("right", "left") == text.score("", "left") == 0.0
    assert text.score("<1 cm", ">1 cm") < 1.0
    assert text.score("...", "...") == 1.0
    with pytest.raises(ValueError, match="gold"):
        text.score("left", " ")


def test_a_report_scores_by_what_it_states():
    gold = "There is a left pleural effusion. No pneumothorax."
    assert report.score(gold, gold) == 1.0
    assert report.score("No pneumothorax. Pleural effusion on the left.", gold) == 1.0
    assert 0.0 < report.score("There is a left pleural effusion.", gold) < 1.0
    assert report.score("No pleural effusion. There is a pneumothorax.", gold) == 0.0
    assert report.score("", gold) == 0.0
    with pytest.raises(ValueError, match="gold"):
        report.score(gold, "")


@pytest.mark.parametrize(
    ("said", "gold", "earned", "why"),
    [
        ("There is edema. There is no edema.", "There is edema.", 0.0, "both bets on one finding"),
        ("Edema. No edema. Fracture. No fracture.", "Edema. No fracture.", 0.0, "and on each of two"),
        ("Edema. No edema. No fracture.", "Edema. No fracture.", 2 / 5, "what is not denied stays right"),
        ("Consolidation. No lung opacity.", "Consolidation.", 0.0, "the wider word denies the narrower"),
        ("Left effusion. No right effusion.", "Left effusion.", 1.0, "other sides are no contradiction"),
        ("Left effusion. No right effusion.", "No effusion.", 0.0, "and no bet on both"),
        ("No left effusion. No right effusion.", "No effusion.", 1.0, "on neither side"),
        ("Effusion. No effusion.", "Effusion.\nNo effusion.", 1.0, "an earlier and a later report"),
    ],
)
def test_who_states_and_denies_a_finding_has_stated_nothing(said, gold, earned, why):
    assert report.score(said, gold) == pytest.approx(earned), why


def test_a_gold_report_without_statements_is_compared_by_words():
    assert report.score("Unchanged.", "unchanged") == 1.0
    assert report.score("Something else.", "unchanged") == 0.0
