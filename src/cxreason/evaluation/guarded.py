"""What a trace is worth against a report, so counted that no way of talking pays but saying what is there.

Factuality alone pays for saying little, and for "no fracture, no edema, no ..."; completeness alone pays for
listing everything. Here both are one sum, as in an exam with negative marks:

    worth = max(0, right - wrong) / total

    total   every finding of the report weighs 1; its normal statements together weigh a quarter of the
            findings, or 1 where there is no finding
    right   the weight of the report's statements that the trace makes, one to one; half of it where the
            trace is less exact: it leaves a side open that the report names, or says something wider
    wrong   1 for each statement of the trace that the report contradicts, or for each finding that it does
            not mention

A normal statement that the report does not mention is neither paid nor punished. Repetition is one statement.
Listing all findings is wrong more often than right, and so is hedging. What the trace both says and denies is
not right, and what stands in the question in the same words is not said.
"""

from __future__ import annotations

from functools import lru_cache

from cxreason.evaluation.radrscore import facts_of, plain_words
from cxreason.text.matching import (
    Facts,
    Verdict,
    contradict,
    decide,
    judge,
    largest_matching,
    partners,
)
from cxreason.text.observations import Observation
from cxreason.text.ontology import kin
from cxreason.text.sections import sentences
from cxreason.text.statements import Statement, stated

SHARE_OF_NORMALS = 0.25
"""What all normal statements of a report weigh together, where its findings weigh 1 in all."""
WORTH_LESS_EXACT = 0.5
"""Whoever leaves the side open, or the kind, cannot be wrong about it, and must not earn as much by that."""


def guarded_worth(trace: str, report: str, question: str = "") -> float | None:
    """The worth of a trace in [0, 1]; `question` is all that the model was asked with, options included.

    0.0 where the trace claims nothing; None where the report says nothing to check against.

    >>> report = "Left effusion. Cardiomegaly."
    >>> guarded_worth("There is a left effusion. No fracture.", report)
    0.5
    >>> guarded_worth("There is an effusion.", report), guarded_worth("Left effusion, fracture.", report)
    (0.25, 0.0)
    """
    known = facts_of(report)
    if not known.statements:
        return None
    said = Facts.of(stated(_own_words(trace, question)))
    if not said.statements:
        return 0.0
    wrong = sum(judge(one, known) in ("contradicted", "unmentioned_abnormal") for one in said.statements)
    weights = _weights(report)
    right = _right(known, _without_contradictions(said, known), weights)
    return max(0.0, right - wrong) / sum(weights.values())


def _right(known: Facts, said: Facts, weights: dict[int, float]) -> float:
    """The weight of the report's statements that the trace makes; `weights` has those that it should make."""
    told = {number: decide(known.statements[number], said) for number in weights}
    paired = dict(zip(told, partners(list(told.values()), said), strict=True))
    right = sum(
        weights[number] * (WORTH_LESS_EXACT if _leaves_side_open(told[number]) else 1.0)
        for number, partner in paired.items()
        if partner is not None
    )
    used = set(paired.values())
    rest = [
        {known.number_of(fact) for fact in verdict.evidence} & {n for n in paired if paired[n] is None}
        for number, statement in enumerate(said.statements)
        if number not in used and (verdict := decide(statement, known)).relation == "supported"
    ]
    wider = largest_matching([sorted(numbers) for numbers in rest])
    return right + sum(WORTH_LESS_EXACT * weights[number] for number in wider if number is not None)


def _leaves_side_open(told: Verdict) -> bool:
    sided = any(seen.side and seen.status != "absent" for seen in told.claim)
    return sided and not any(fact.side for fact in told.evidence)


@lru_cache(maxsize=4096)
def _weights(report: str) -> dict[int, float]:
    """The numbers of a report's statements that a trace should make, each with its weight.

    What another statement says as well, and more exactly, is not asked for twice: "an opacity" beside "a left
    consolidation".
    """
    told = [(said, Facts(said), _exactness(said)) for said in facts_of(report).statements]
    repeated = {
        number
        for number, (said, own, exactness) in enumerate(told)
        for place, (other_said, other, other_exactness) in enumerate(told)
        if place != number
        and _holds(other, said)
        and (not _holds(own, other_said) or (other_exactness, -place) > (exactness, -number))
    }
    expected = [number for number in range(len(told)) if number not in repeated]
    normal = {number for number in expected if all(seen.status == "absent" for seen in told[number][0])}
    num_findings = len(expected) - len(normal)
    all_normals = SHARE_OF_NORMALS * num_findings if num_findings else 1.0
    return {number: all_normals / len(normal) if number in normal else 1.0 for number in expected}


def _holds(facts: Facts, said: Statement) -> bool:
    """Whether all that a statement says follows; `judge` is content with any of it."""
    return all(facts.decided(seen)[0] == "supported" for seen in said)


def _exactness(said: Statement) -> int:
    return sum(
        1 + bool(seen.side) + bool(seen.location) + bool(seen.severity) + bool(seen.change) for seen in said
    )


def _own_words(trace: str, question: str) -> list[str]:
    """The sentences of a trace, less those that stand in the question in the same words."""
    said = [sentence for _, sentence in sentences(trace)]
    if not question:
        return said
    asked = plain_words(question)
    return [sentence for sentence in said if plain_words(sentence) not in asked]


def _without_contradictions(said: Facts, known: Facts) -> Facts:
    """What the trace says and does not deny elsewhere. Where the report itself says both, as an earlier and
    a later one do, both may be said."""
    told = [seen for statement in said.statements for seen in statement]
    present: dict[str, list[Observation]] = {}
    for seen in told:
        if seen.status == "present":
            present.setdefault(seen.finding, []).append(seen)
    denied: list[Observation] = []
    for denial in told:
        if denial.status != "absent":
            continue
        for finding in present.keys() & kin(denial.finding):
            for other in present[finding]:
                if contradict(denial, other) and not _both_hold(known, denial, other):
                    denied += [denial, other]
    return said.without(denied) if denied else said


def _both_hold(known: Facts, one: Observation, other: Observation) -> bool:
    return known.decided(one)[0] == known.decided(other)[0] == "supported"
