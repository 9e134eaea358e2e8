"""What follows from what: relation, statements, matching."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.text import Observation, observe
from cxreason.text.matching import Facts, decide, judge, largest_matching, match, relation
from cxreason.text.statements import statements


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
        ("No effusion.", "No left effusion. No right effusion.", "supported"),
        ("No left effusion.", "No effusion.", "supported"),
        ("Effusion.", "No effusion.", "contradicted"),
        ("Left effusion.", "No right effusion.", "unmentioned_abnormal"),
        ("Lung opacity.", "Consolidation.", "supported"),
        ("Consolidation.", "Lung opacity.", "unmentioned_abnormal"),
        ("No lung opacity.", "Consolidation.", "contradicted"),
        ("No consolidation.", "No lung opacity.", "supported"),
        ("Bilateral lung opacities.", "Left consolidation. Right atelectasis.", "supported"),
        ("Right lung opacity.", "Left consolidation.", "unmentioned_abnormal"),
        ("Possible lung opacity.", "Possible consolidation.", "supported"),
        ("No lung opacity.", "Possible consolidation.", "unmentioned_normal"),
        ("No upper lung nodule.", "Lower lung nodule.", "unmentioned_normal"),
        ("No nodule.", "No nodule in the upper lung.", "unmentioned_normal"),
        ("Lower lung nodule.", "No upper lung nodule.", "unmentioned_abnormal"),
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


def test_repetitions_can_be_kept():
    assert len(statements(observe("No edema. No oedema."), collapse=False)) == 2


def test_opposites_never_match_and_a_normal_statement_matches_what_it_excludes():
    assert match(observe("No effusion."), observe("Effusion.")) == 0
    assert match(observe("The lungs are clear."), observe("No edema. No consolidation.")) == 1


def test_a_vague_statement_leaves_its_partner_to_one_that_fits_nowhere_else():
    assert match(observe("Effusion. Left effusion."), observe("Left effusion. Right effusion.")) == 2
    assert match(observe("Effusion."), observe("Left effusion. Right effusion.")) == 1
    assert match(observe("Left effusion. Right effusion."), observe("Effusion.")) == 1


def test_what_follows_in_one_direction_only_matches_in_that_direction():
    assert match(observe("Lung opacity."), observe("Consolidation.")) == 1
    assert match(observe("Consolidation."), observe("Lung opacity.")) == 0


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


def joined(sentences):
    return observe(" ".join(sentences))


@settings(max_examples=60, deadline=None)
@given(pieces, pieces)
def test_the_matching_is_one_to_one_and_as_large_as_can_be(first, second):
    claims, facts = Facts(joined(first)), Facts(joined(second))
    found = match(claims, facts)
    supported = [said for said in claims.statements if judge(said, facts) == "supported"]
    assert found <= min(len(supported), len(facts.statements))
    allowed = [{facts.number_of(fact) for fact in decide(said, facts).evidence} for said in supported]
    columns = [*range(len(facts.statements)), *[None] * len(supported)]
    best = max(
        sum(column in fits for column, fits in zip(order, allowed, strict=False))
        for order in permutations(columns, len(supported))
    )
    assert found == best


@settings(max_examples=60, deadline=None)
@given(pieces)
def test_every_text_without_contradiction_follows_from_itself(sentences):
    known = Facts(joined(sentences))
    assert match(known, known) == len([s for s in known.statements if judge(s, known) == "supported"])
    assert all(judge(said, known) in ("supported", "contradicted") for said in known.statements)


@settings(max_examples=60, deadline=None)
@given(pieces, pieces, st.randoms())
def test_the_order_of_sentences_changes_no_verdict(first, second, random):
    mixed = random.sample(first, len(first)), random.sample(second, len(second))
    in_order, shuffled = Facts(joined(first)), Facts(joined(mixed[0]))
    known, other = Facts(joined(second)), Facts(joined(mixed[1]))
    assert sorted(judge(said, known) for said in in_order.statements) == sorted(
        judge(said, other) for said in shuffled.statements
    )
    assert match(in_order, known) == match(shuffled, other)


FLIPPED = {"present": "absent", "absent": "present"}


@settings(max_examples=60, deadline=None)
@given(pieces)
def test_a_single_claim_and_its_opposite_never_both_follow_unless_the_facts_say_both(sentences):
    facts = [seen for seen in joined(sentences) if seen.status != "uncertain"]
    for claim in facts:
        opposite = claim._replace(status=FLIPPED[claim.status], severity="", change="")
        says_both = {seen.status for seen in facts} == {"present", "absent"}
        if not says_both:
            assert relation(opposite, facts) != "supported"


def test_a_verdict_names_the_facts_that_decided_it():
    facts = Facts(observe("Small left effusion. Right effusion. No edema. Heart normal in size."))
    (both,) = observe("Bilateral effusions.")
    assert [fact.side for fact in decide((both,), facts).evidence] == ["left", "right"]
    (edema,) = observe("There is edema.")
    assert [fact.sentence for fact in decide((edema,), facts).evidence] == ["No edema."]
    (fracture,) = observe("There is a fracture.")
    assert decide((fracture,), facts).evidence == ()


def test_a_size_told_later_is_not_lost_among_repetitions():
    said = statements(observe("There is an effusion. Small effusion. The effusion is small. Large effusion."))
    assert [one.severity for (one,) in said] == ["mild", "severe"]


def test_a_thousand_repetitions_are_read_in_no_time():
    assert len(statements(observe("Small effusion. Large effusion. " * 1000))) == 2


def test_the_largest_matching_moves_earlier_pairs_out_of_the_way():
    assert largest_matching([[0, 1], [0], []]) == [1, 0, None]
