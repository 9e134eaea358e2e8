"""The guarded worth of a trace: what it pays for, and that no way of talking beats saying what is there."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.guarded import guarded_worth
from cxreason.text.ontology import FINDINGS

# 2 findings, so 4 normals weigh 1/8 each: 2.5 in all.
REPORT = (
    "Small left effusion. Cardiomegaly. No pneumothorax. No edema. No fracture. The mediastinum is of normal "
    "width."
)


@pytest.mark.parametrize(
    ("trace", "right", "wrong", "why"),
    [
        (REPORT, 2.5, 0, "all of it"),
        ("There is a left effusion.", 1, 0, "a finding"),
        ("There is an effusion.", 0.5, 0, "a finding without its side"),
        ("Effusion. Left effusion.", 1, 0, "its side told later"),
        ("Cardiomegaly.", 1, 0, "a finding that has no side"),
        ("There is a left effusion. Lung opacity.", 1, 1, "an opacity that is not there"),
        ("Left effusion. A left effusion is seen. Left effusion.", 1, 0, "the same again"),
        ("There is a large effusion.", 0, 1, "the wrong size"),
        ("There is a right effusion.", 0, 1, "the wrong side"),
        ("There is a left effusion and a nodule.", 1, 1, "one made up"),
        ("Left effusion. Cardiomegaly. There is a nodule.", 2, 1, "one of three made up"),
        ("No pneumothorax. No fracture.", 0.25, 0, "two of the normals"),
        ("Left effusion. No pleural thickening. No nodule.", 1, 0, "unmentioned normals are free"),
        ("No pleural thickening. No nodule.", 0, 0, "and pay nothing"),
        ("No effusion. The heart is normal in size.", 0, 2, "normals that are wrong"),
        ("Left effusion. Cardiomegaly. No effusion.", 1, 1, "said and denied"),
        ("Possible effusion.", 0, 1, "a doubt is no finding"),
        ("Cardiomegaly. There is a left effusion. There is a large effusion.", 2, 1, "betting on two sizes"),
        ("Cardiomegaly. Left effusion. Right effusion.", 2, 1, "betting on both sides"),
        ("I look closely.", 0, 0, "nothing"),
        ("", 0, 0, "nothing"),
    ],
)
def test_the_worth_is_what_is_right_less_what_is_wrong(trace, right, wrong, why):
    assert guarded_worth(trace, REPORT) == pytest.approx(max(0, right - wrong) / 2.5), why


def test_a_report_without_findings_is_described_by_its_normals():
    report = "The lungs are clear. No effusion."
    assert guarded_worth("No effusion. The lungs are clear.", report) == 1
    assert guarded_worth("No effusion.", report) == 0.5
    assert guarded_worth("No effusion. There is a fracture.", report) == 0


@pytest.mark.parametrize(
    ("report", "trace", "worth", "why"),
    [
        (
            "There is an opacity. Left consolidation.",
            "Left consolidation.",
            1,
            "the opacity is the consolidation",
        ),
        ("There is an opacity. Left consolidation.", "Left opacity.", 0.5, "but less exact"),
        ("There is an effusion. Small left effusion.", "Small left effusion.", 1, "told twice in the report"),
        ("Left effusion. Right effusion.", "Left effusion.", 0.5, "two effusions are two"),
        ("Left effusion. Right effusion.", "Effusion.", 0.25, "and a vague one is half of one"),
        ("Atelectasis. Edema.", "Lung opacity.", 0.25, "one wide word is half of one"),
        ("Atelectasis. Edema.", "Lung opacity. Edema.", 0.75, "and half of what is left"),
        ("No edema. The lungs are clear.", "The lungs are clear.", 1, "one normal holds the other"),
        (
            "Edema. No fracture. No rib fracture. No pneumothorax.",
            "Edema. No fracture.",
            1.125 / 1.25,
            "as well",
        ),
    ],
)
def test_what_a_report_says_twice_is_asked_for_once(report, trace, worth, why):
    assert guarded_worth(trace, report) == pytest.approx(worth), why


def test_nothing_to_check_against_is_not_a_zero():
    assert guarded_worth("Effusion.", "The image was taken.") is None
    assert guarded_worth("", "") is None


def test_an_earlier_and_a_later_report_may_both_be_told():
    reports = "Small left effusion.\nThe effusion has resolved."
    trace = "The first image shows a small left effusion. The effusion has resolved."
    assert guarded_worth(trace, reports) == 1


def test_a_repeated_denial_does_not_survive_its_own_contradiction():
    assert guarded_worth("No edema. No edema. There is edema.", "No edema. No fracture.") == 0


@pytest.mark.parametrize(
    ("question", "worth", "why"),
    [
        ("", 1, "no question is known"),
        ("Which one? A) Left effusion B) Edema", 0, "an option, copied"),
        ("Locate this: LEFT  effusion.", 0, "a phrase, copied in other letters"),
        ("Is there a left-sided fluid?", 1, "in other words"),
        ("Left effusions?", 1, "not the same word"),
    ],
)
def test_what_stands_in_the_question_is_not_said(question, worth, why):
    assert guarded_worth("Left effusion.", "Left effusion.", question) == worth, why


PRESENT = {finding: f"There is {finding}." for finding in FINDINGS}
ABSENT = {finding: f"There is no {finding}." for finding in FINDINGS}
# None of these implies another.
ALONE = ["cardiomegaly", "edema", "atelectasis", "pneumothorax", "pleural effusion", "fracture"]

reports = st.tuples(
    st.sets(st.sampled_from(ALONE), min_size=1, max_size=3), st.sets(st.sampled_from(ALONE), max_size=3)
).filter(lambda told: not told[0] & told[1])


def report_of(told):
    return [PRESENT[finding] for finding in sorted(told[0])] + [
        ABSENT[finding] for finding in sorted(told[1])
    ]


@settings(max_examples=80, deadline=None)
@given(reports, st.data())
def test_no_trick_pays(told, data):
    lines = report_of(told)
    report = " ".join(lines)
    silent = [finding for finding in ALONE if not {finding} & (told[0] | told[1])]
    part = data.draw(st.lists(st.sampled_from(lines), unique=True))
    honest = guarded_worth(" ".join(part), report)
    assert guarded_worth(report, report) == pytest.approx(1)
    assert 0 <= honest <= 1
    for trick in (
        " ".join(part * 3),
        " ".join(part + [ABSENT[finding] for finding in silent]),
    ):
        assert guarded_worth(trick, report) == honest, "repeating and padding change nothing"
    if silent:
        made_up = guarded_worth(" ".join([*part, PRESENT[silent[0]]]), report)
        assert made_up <= max(0, honest - 1 / (1.25 * len(told[0]))) + 1e-9
    assert guarded_worth(" ".join(PRESENT.values()), report) == 0, "listing everything"
    assert guarded_worth(" ".join(PRESENT.values()).replace("is", "may be"), report) == 0, "hedging"
    both = [PRESENT[finding] + " " + ABSENT[finding] for finding in told[0]]
    assert guarded_worth(" ".join(both), report) == 0, "saying both"
    normals = guarded_worth(" ".join(ABSENT[finding] for finding in told[1]), report)
    assert normals <= 0.2 + 1e-9, "normals alone"
    assert guarded_worth(report, report, report) == 0, "copying"


@settings(max_examples=40, deadline=None)
@given(reports, st.randoms())
def test_the_order_of_sentences_changes_nothing(told, random):
    lines = [*report_of(told), "There is a nodule."]
    report = " ".join(report_of(told))
    shuffled = random.sample(lines, len(lines))
    assert guarded_worth(" ".join(shuffled), report) == pytest.approx(guarded_worth(" ".join(lines), report))


anything = st.lists(
    st.sampled_from(
        [
            "The lungs are clear.",
            "Normal chest.",
            "No left effusion.",
            "No effusion.",
            "Effusion.",
            "Left effusion.",
            "Small bilateral effusions.",
            "No opacity in the upper lung.",
            "No consolidation.",
            "Left upper lung consolidation.",
            "Lung opacity.",
            "Possible edema.",
            "Edema is worse.",
            "The heart and mediastinum are enlarged.",
            "The heart and mediastinum are normal.",
        ]
    ),
    min_size=1,
    max_size=6,
).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(anything, anything)
def test_every_pair_of_texts_has_a_worth_between_nothing_and_all(trace, report):
    assert 0 <= guarded_worth(trace, report) <= 1 + 1e-9
    assert guarded_worth(trace, report, trace) == 0
