"""RadRScore: what raises it, what lowers it, and what it does where there is nothing to score."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.evaluation.radrscore import (
    entities,
    entity_factuality,
    factuality,
    mark_sentences,
    radrscore,
    score_traces,
    share_of_entities,
)

REPORT = "Small left pleural effusion. Moderate cardiomegaly. There is edema. No pneumothorax."

# Five statements: 2 supported, 1 contradicted, 1 unmentioned normal, 1 unmentioned abnormal; 2 of 4 recalled.
MODEL = "There is a left effusion. There is cardiomegaly. No edema. No fracture. There is a nodule."
REFERENCE = "There is a left effusion. There is cardiomegaly. There is edema. There is no pneumothorax."

MODES = ("paper", "released", "strict")


def parts(found):
    return found.factuality, found.completeness, found.effectiveness


# By hand. released: "no edema" recalls the edema, whatever its status, and each sentence is a step.
@pytest.mark.parametrize(
    ("mode", "expected", "value", "recalled"),
    [
        ("paper", (3 / 5, 2 / 4, 2 / 5), 0.5, 2),
        ("released", (3 / 5, 3 / 4, 2 / 5), 0.583333, 3),
        ("strict", (2 / 5, 2 / 4, 2 / 5), 0.433333, 2),
    ],
)
def test_the_golden_example_of_the_reference_is_reproduced(mode, expected, value, recalled):
    found = radrscore(MODEL, REFERENCE, REPORT, mode)
    assert parts(found) == pytest.approx(expected)
    assert found.value == pytest.approx(value, abs=1e-6)
    assert found.counts == {
        "model": 5,
        "reference": 4,
        "report": 4,
        "steps": 5,
        "supported": 2,
        "contradicted": 1,
        "unmentioned_normal": 1,
        "unmentioned_abnormal": 1,
        "recalled": recalled,
        "effective": 2,
    }
    assert factuality(MODEL, REPORT, mode) == pytest.approx(expected[0])


# By hand: 3 claims in 2 sentences, one of them said twice. The reference's effusions are two, told apart.
TWICE = "There is an effusion and cardiomegaly. There is an effusion."
SIDES = "There is a left effusion. There is a right effusion. There is no edema."


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        # 2 distinct claims, both true; "effusion" bears out both effusions; cardiomegaly is beside the point.
        ("paper", (2 / 2, 2 / 3, 1 / 2)),
        # 3 claims, all true; both sentences contain something of the reference and nothing against it.
        ("released", (3 / 3, 2 / 3, 2 / 2)),
        # one "effusion" answers for one effusion.
        ("strict", (2 / 2, 1 / 3, 1 / 2)),
    ],
)
def test_repetition_and_vagueness_count_as_each_mode_says(mode, expected):
    assert parts(radrscore(TWICE, SIDES, SIDES + " Cardiomegaly.", mode)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("trace", "reference", "expected", "why"),
    [
        (
            "There is edema. Edema. There is a nodule.",
            "Edema.",
            (2 / 3, 1, 2 / 3),
            "the trace repeats itself",
        ),
        ("There is edema.", "Edema. Edema. Fracture.", (1, 2 / 3, 1), "the reference repeats itself"),
        (
            "There is edema and no fracture.",
            "Edema. Fracture.",
            (1, 1, 0),
            "one step, half against the reference",
        ),
        (
            "There is edema and no nodule.",
            "Edema. Fracture.",
            (1, 1 / 2, 1),
            "one step, half beside the point",
        ),
        ("There is edema. No edema.", "Edema.", (1 / 2, 1, 1 / 2), "two steps, one of them wrong"),
    ],
)
def test_the_released_mode_counts_lists_and_steps(trace, reference, expected, why):
    assert parts(radrscore(trace, reference, "Edema.", "released")) == pytest.approx(expected), why


@pytest.mark.parametrize("trace", ["", "The image was taken.", "Look for edema. Is there an effusion?"])
@pytest.mark.parametrize("mode", MODES)
def test_saying_nothing_is_worth_nothing(trace, mode):
    found = radrscore(trace, REFERENCE, REPORT, mode)
    assert (*parts(found), found.value) == (0, 0, 0, 0)
    assert factuality(trace, REPORT, mode) == 0


@pytest.mark.parametrize("mode", ["paper", "strict"])
@pytest.mark.parametrize(
    ("reference", "report"), [("", REPORT), ("Look at it.", REPORT), (REFERENCE, "Done.")]
)
def test_a_reference_or_report_without_statements_scores_nobody(reference, report, mode):
    for trace in ("", MODEL):
        found = radrscore(trace, reference, report, mode)
        assert found.value is None
        assert parts(found) == (None, None, None)
    assert (factuality(MODEL, report) is None) == (report == "Done.")


@pytest.mark.parametrize(
    ("trace", "reference", "report", "expected", "why"),
    [
        (MODEL, "", REPORT, (0.6, 0, 0), "no reference: R_c adds 0, and no step is effective"),
        (MODEL, REFERENCE, "", (0.4, 0.75, 0.4), "no report: the two normals count as factual"),
        ("", REFERENCE, REPORT, (0, 0, 0), "a silent trace"),
        ("", "", "", (0, 0, 0), "nothing at all"),
    ],
)
def test_an_empty_denominator_gives_zero_in_the_released_mode(trace, reference, report, expected, why):
    assert parts(radrscore(trace, reference, report, "released")) == pytest.approx(expected), why


def test_an_unknown_mode_or_engine_is_refused():
    with pytest.raises(ValueError, match="paper, released or strict"):
        radrscore(MODEL, REFERENCE, REPORT, "loose")  # pyright: ignore
    with pytest.raises(ValueError, match="paper, released or strict"):
        factuality(MODEL, REPORT, "loose")  # pyright: ignore
    with pytest.raises(ValueError, match="rules or llm"):
        radrscore(MODEL, REFERENCE, REPORT, engine="magic")  # pyright: ignore
    with pytest.raises(ValueError, match="judge"):
        radrscore(MODEL, REFERENCE, REPORT, engine="llm")


def test_each_statement_carries_the_words_that_decided_it():
    judged = {one.claim: (one.relation, one.evidence) for one in radrscore(MODEL, REFERENCE, REPORT).judged}
    assert judged["edema"] == ("contradicted", ("edema",))
    assert judged["effusion"] == ("supported", ("pleural effusion",))
    assert judged["nodule"] == ("unmentioned_abnormal", ())


def test_a_batch_is_the_single_scores_in_order():
    traces = [MODEL, "", REFERENCE]
    batch = score_traces(traces, [REFERENCE] * 3, [REPORT] * 3, "strict")
    assert batch == [radrscore(trace, REFERENCE, REPORT, "strict") for trace in traces]
    with pytest.raises(ValueError, match="zip"):
        score_traces([MODEL], [], [REPORT])


@pytest.mark.parametrize(
    "code",
    [
        "from cxreason.evaluation import radrscore; radrscore('', '', '')",
        "import cxreason.evaluation; cxreason.evaluation.radrscore('', '', '')",
        "from cxreason.evaluation.radrscore import factuality, radrscore; radrscore('', '', '')",
        "import cxreason.evaluation.radrscore; from cxreason.evaluation import radrscore; "
        "radrscore('', '', '')",
        "from cxreason.evaluation.statistics import bootstrap; from cxreason.evaluation import radrscore; "
        "radrscore('', '', '')",
    ],
)
def test_the_name_is_the_function_in_the_package_and_the_module_in_imports(code):
    code += "; import sys; sys.exit('urllib.request' in sys.modules or 'pydantic' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_entity_factuality_is_the_share_of_entities_that_the_report_has():
    labelled = {("a", "DP"), ("b", "DA"), ("c", "ANAT"), ("d", "DP")}
    report = {("a", "DP"), ("b", "DP"), ("c", "ANAT"), ("e", "DP")}
    assert share_of_entities(labelled, report) == 0.5
    assert share_of_entities({name for name, _ in labelled}, {name for name, _ in report}) == 0.75
    assert entity_factuality(MODEL, REPORT) == 2 / 5
    assert entity_factuality(MODEL + MODEL, REPORT) == 2 / 5
    assert entity_factuality("Right effusion.", REPORT) == 1, "an entity has no side"
    assert entity_factuality("Look here.", REPORT) == 0
    assert entity_factuality(MODEL, "Done.") is None
    assert entities(MODEL) >= {("edema", "absent"), ("cardiomegaly", "present")}


def test_entities_in_the_words_of_the_question_can_be_left_out():
    question = "Which one is it? A) Nodule B) FRACTURE C) Edematous lungs"
    assert {name for name, _ in entities(MODEL, without=question)} == {
        "edema",
        "cardiomegaly",
        "pleural effusion",
    }
    assert entity_factuality(MODEL, REPORT, without=question) == 2 / 3


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


def written(trace) -> list[str]:
    sides, normals = trace
    return [*(FACTS[name].format(side) for name, side in sides.items()), *normals]


@settings(max_examples=40, deadline=None)
@given(traces, traces, traces)
def test_parts_are_shares_and_the_strict_mode_never_pays_more_than_the_paper_s(model, reference, report):
    texts = [" ".join(written(trace)) for trace in (model, reference, report)]
    scores = {mode: parts(radrscore(*texts, mode)) for mode in MODES}
    assert all(0 <= part <= 1 for found in scores.values() for part in found)
    assert all(strict <= paper for strict, paper in zip(scores["strict"], scores["paper"], strict=True))


@settings(max_examples=40, deadline=None)
@given(traces, traces, traces, st.randoms(), st.sampled_from(MODES))
def test_the_order_of_sentences_changes_nothing(model, reference, report, random, mode):
    steps = [written(trace) for trace in (model, reference, report)]
    in_order = radrscore(*(" ".join(text) for text in steps), mode)
    shuffled = radrscore(*(" ".join(random.sample(text, len(text))) for text in steps), mode)
    assert parts(shuffled) == parts(in_order)


@settings(max_examples=40, deadline=None)
@given(traces, st.data(), st.sampled_from(MODES))
def test_turning_a_statement_of_a_perfect_trace_round_lowers_the_score(trace, data, mode):
    perfect = " ".join(written(trace))
    finding = data.draw(st.sampled_from(list(trace[0])))
    flipped = perfect.replace(FACTS[finding].format(trace[0][finding]), f"There is no {finding}.")
    assert (
        radrscore(flipped, perfect, perfect, mode).value
        < 1
        == radrscore(perfect, perfect, perfect, mode).value
    )


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
