"""RadRScore: what raises it, what lowers it, and what it does where there is nothing to score."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.radrscore import factuality, mark_sentences, radrscore

REPORT = "Small left pleural effusion. Moderate cardiomegaly. There is edema. No pneumothorax."

# Five statements: 2 supported, 1 contradicted, 1 unmentioned normal, 1 unmentioned abnormal; 2 of 4 recalled.
MODEL = "There is a left effusion. There is cardiomegaly. No edema. No fracture. There is a nodule."
REFERENCE = "There is a left effusion. There is cardiomegaly. There is edema. There is no pneumothorax."


@pytest.mark.parametrize(
    ("mode", "parts", "value"),
    [("paper", (0.6, 0.5, 0.4), 0.5), ("strict", (0.4, 0.5, 0.4), 0.433333)],
)
def test_the_golden_example_of_the_reference_is_reproduced(mode, parts, value):
    found = radrscore(MODEL, REFERENCE, REPORT, mode)
    assert (found.factuality, found.completeness, found.effectiveness) == pytest.approx(parts)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.counts == {
        "model": 5,
        "reference": 4,
        "report": 4,
        "supported": 2,
        "contradicted": 1,
        "unmentioned_normal": 1,
        "unmentioned_abnormal": 1,
        "matched": 2,
    }
    assert factuality(MODEL, REPORT, mode) == pytest.approx(parts[0])


@pytest.mark.parametrize("reasoning", ["", "The image was taken.", "Look for edema. Is there an effusion?"])
@pytest.mark.parametrize("mode", ["paper", "strict"])
def test_saying_nothing_is_worth_nothing(reasoning, mode):
    found = radrscore(reasoning, REFERENCE, REPORT, mode)
    assert (found.factuality, found.completeness, found.effectiveness, found.value) == (0, 0, 0, 0)
    assert factuality(reasoning, REPORT, mode) == 0


@pytest.mark.parametrize(
    ("reference", "report"), [("", REPORT), ("Look at it.", REPORT), (REFERENCE, "Done.")]
)
def test_a_reference_or_report_without_statements_scores_nobody(reference, report):
    for reasoning in ("", MODEL):
        found = radrscore(reasoning, reference, report)
        assert found.value is None
        assert found.factuality is found.completeness is found.effectiveness is None
    assert (factuality(MODEL, report) is None) == (report == "Done.")


def test_an_unknown_mode_is_refused():
    with pytest.raises(ValueError, match="paper or strict"):
        radrscore(MODEL, REFERENCE, REPORT, "released")  # pyright: ignore
    with pytest.raises(ValueError, match="paper or strict"):
        factuality(MODEL, REPORT, "released")  # pyright: ignore


def test_one_sweeping_normal_statement_is_one_claim_and_wrong_where_any_of_it_is():
    report = "Left lower lung consolidation."
    assert factuality("The lungs are clear.", report) == 0
    assert factuality("Normal chest.", report) == 0
    assert factuality("The lungs are clear.", "No edema.") == 1


def test_unmentioned_normals_are_free_in_the_paper_mode_and_worth_nothing_in_the_strict_one():
    padded = "There is edema. No fracture. No pleural thickening. No atelectasis."
    assert factuality(padded, REPORT, "paper") == 1
    assert factuality(padded, REPORT, "strict") == 0.25


def test_one_vague_statement_recalls_one_statement_in_the_strict_mode():
    reference = "There is a left effusion. There is a right effusion."
    paper = radrscore("There is an effusion.", reference, reference, "paper")
    strict = radrscore("There is an effusion.", reference, reference, "strict")
    assert (paper.completeness, strict.completeness) == (1, 0.5)


# Findings of which none implies another, so that each corruption is a loss of its own.
FACTS = {
    "pleural effusion": "There is a small {} pleural effusion.",
    "pneumothorax": "There is a moderate {} pneumothorax.",
    "consolidation": "There is a large {} consolidation.",
    "lung lesion": "There is a small {} nodule.",
    "fracture": "There is a mildly displaced {} rib fracture.",
}
NORMALS = ["There is no edema.", "The heart is normal in size.", "The mediastinum is of normal width."]
OTHER = {"left": "right", "right": "left"}

traces = st.tuples(
    st.dictionaries(st.sampled_from(list(FACTS)), st.sampled_from(["left", "right"]), min_size=1, max_size=4),
    st.lists(st.sampled_from(NORMALS), unique=True, max_size=3),
)


@settings(max_examples=60, deadline=None)
@given(traces, st.data(), st.sampled_from(["paper", "strict"]))
def test_every_corruption_of_a_perfect_trace_costs_something(trace, data, mode):
    sides, normals = trace
    steps = [FACTS[finding].format(side) for finding, side in sides.items()] + normals
    perfect = " ".join(steps)

    def value(reasoning: str) -> float:
        found = radrscore(reasoning, perfect, perfect, mode).value
        assert found is not None
        assert 0 <= found <= 1
        return found

    finding = data.draw(st.sampled_from(list(sides)))
    honest = FACTS[finding].format(sides[finding])
    flipped = f"There is no {finding}."
    swapped = FACTS[finding].format(OTHER[sides[finding]])
    assert value(perfect) == 1
    assert value(perfect.replace(honest, flipped)) < 1
    assert value(perfect.replace(honest, swapped)) < 1
    assert value(perfect.replace(honest, honest.replace("There is", "Possibly there is"))) < 1
    assert value(f"{perfect} {honest} {honest}") == 1  # repeating is neither paid nor punished
    assert value(f"{perfect} There is no pleural thickening.") < 1
    assert value(f"{perfect} There is pleural thickening.") < 1
    dropped = data.draw(st.sampled_from(steps))
    assert value(perfect.replace(dropped, "")) < 1


@settings(max_examples=40, deadline=None)
@given(traces, traces, traces, st.sampled_from(["paper", "strict"]))
def test_parts_are_shares_and_the_strict_mode_never_pays_more_for_facts(model, reference, report, mode):
    texts = []
    for sides, normals in (model, reference, report):
        texts.append(" ".join([*(FACTS[name].format(side) for name, side in sides.items()), *normals]))
    found = radrscore(*texts, mode)
    assert all(0 <= part <= 1 for part in (found.factuality, found.completeness, found.effectiveness))
    assert radrscore(*texts, "strict").factuality <= radrscore(*texts, "paper").factuality


def test_each_sentence_carries_the_worst_that_is_found_in_it():
    reasoning = (
        "Is there an effusion? Look at the angles. There is a left effusion and cardiomegaly. "
        "I see a right effusion and edema. There is edema and no fracture."
    )
    assert mark_sentences(reasoning, REPORT) == [
        ("Is there an effusion?", "no claim"),
        ("Look at the angles.", "no claim"),
        ("There is a left effusion and cardiomegaly.", "supported"),
        ("I see a right effusion and edema.", "contradicted"),
        ("There is edema and no fracture.", "not in the report"),
    ]
    assert mark_sentences("", REPORT) == []
