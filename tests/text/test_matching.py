"""What follows from what: relation, statements, matching."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.text import Observation, observe
from cxreason.text.matching import judge, match, relation, statements


@pytest.mark.parametrize(
    ("claim", "facts", "expected"),
    [
        ("Left effusion.", "Small left effusion.", "supported"),
        ("Effusion.", "Small left effusion.", "supported"),
        ("Small left effusion.", "Effusion.", "supported"),
        ("Right effusion.", "Left effusion.", "contradicted"),
        ("Bilateral effusion.", "Left effusion.", "contradicted"),
        ("Bilateral effusion.", "Left effusion. Right effusion.", "supported"),
        ("Left effusion.", "Bilateral effusions.", "supported"),
        ("Large effusion.", "Small effusion.", "contradicted"),
        ("Left upper lung nodule.", "Left lower lung nodule.", "contradicted"),
        ("The effusion is larger.", "The effusion is smaller.", "contradicted"),
        ("The effusion is larger.", "New effusion.", "supported"),
        ("No effusion.", "Left effusion.", "contradicted"),
        ("No right effusion.", "Left effusion.", "unmentioned_normal"),
        ("No effusion.", "No left effusion.", "unmentioned_normal"),
        ("No left effusion.", "No effusion.", "supported"),
        ("Effusion.", "No effusion.", "contradicted"),
        ("Left effusion.", "No right effusion.", "unmentioned_abnormal"),
        ("Lung opacity.", "Consolidation.", "supported"),
        ("Consolidation.", "Lung opacity.", "unmentioned_abnormal"),
        ("No lung opacity.", "Consolidation.", "contradicted"),
        ("No consolidation.", "No lung opacity.", "supported"),
        ("Consolidation.", "The lungs are clear.", "contradicted"),
        ("Possible edema.", "Possible edema.", "supported"),
        ("Possible edema.", "Edema.", "unmentioned_abnormal"),
        ("Edema.", "Possible edema.", "unmentioned_abnormal"),
        ("No edema.", "Possible edema.", "contradicted"),
        ("Cardiomegaly.", "The mediastinum is widened.", "unmentioned_abnormal"),
        ("No fracture.", "Edema.", "unmentioned_normal"),
        ("Fracture.", "", "unmentioned_abnormal"),
    ],
)
def test_a_claim_is_held_against_the_facts(claim, facts, expected):
    (observation,) = observe(claim)
    assert relation(observation, observe(facts)) == expected


def test_a_normal_statement_is_one_statement_and_repetition_adds_none():
    assert len(statements(observe("The lungs are clear. Clear lungs. No edema. No oedema."))) == 2


def test_observations_without_a_span_are_statements_of_their_own():
    assert len(statements([Observation("edema", "present"), Observation("fracture", "absent")])) == 2


def test_opposites_never_match_and_a_normal_statement_matches_what_it_excludes():
    assert match(observe("No effusion."), observe("Effusion.")) == 0
    assert match(observe("The lungs are clear."), observe("No edema. No consolidation.")) == 1


def test_a_vague_statement_leaves_its_partner_to_one_that_fits_nowhere_else():
    assert match(observe("Effusion. Left effusion."), observe("Left effusion. Right effusion.")) == 2


def test_one_contradiction_spoils_a_normal_statement_and_one_support_carries_it():
    clear = tuple(observe("The lungs are clear."))
    assert judge(clear, observe("No edema. Consolidation.")) == "contradicted"
    assert judge(clear, observe("No edema. Effusion.")) == "supported"
    assert judge(clear, observe("Effusion.")) == "unmentioned_normal"


pieces = st.lists(
    st.sampled_from(
        [
            "Left effusion.",
            "Effusion.",
            "Right effusion.",
            "No effusion.",
            "Edema.",
            "Mild edema.",
            "No edema.",
            "The lungs are clear.",
            "Large left effusion.",
            "Bilateral effusions.",
        ]
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(pieces, pieces)
def test_the_matching_is_symmetric_bounded_and_as_large_as_can_be(first, second):
    left, right = observe(" ".join(first)), observe(" ".join(second))
    found = match(left, right)
    assert found == match(right, left)
    some, others = statements(left), statements(right)
    assert found <= min(len(some), len(others))
    assert match(left, left) == len(some)
    small, large = sorted((some, others), key=len)
    best = max(
        sum(match(one, other) for one, other in zip(small, order, strict=False))
        for order in permutations(large)
    )
    assert found == best
