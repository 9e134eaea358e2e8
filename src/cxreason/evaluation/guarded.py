"""What a trace is worth against a report, so counted that padding, listing and hedging do not pay.

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

from collections.abc import Collection, Sequence
from functools import lru_cache

from cxreason.evaluation.radrscore import plain_words, stands_in
from cxreason.text.contradictions import without_contradictions
from cxreason.text.matching import SIDED, Facts, bearing, decide, facts_of, judge, largest_matching, weigh
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
    known = _asked(report)
    if not known.facts.statements:
        return None
    said = stated(_own_words(trace, question))
    if not said:
        return 0.0
    wrong = sum(judge(one, known.facts) in ("contradicted", "unmentioned_abnormal") for one in said)
    right = _right(known, without_contradictions(said, known.facts))
    return max(0.0, right - wrong) / sum(known.weights.values())


class _Asked:
    """A report and what a trace about it should say."""

    def __init__(self, report: str):
        self.facts = facts_of(report)
        self.weights = _weights(report)
        self.claims = [(number, seen) for number in self.weights for seen in self.facts.statements[number]]
        self.places: dict[str, list[int]] = {}
        """Finding -> the places in `claims` of all that it can speak for or against."""
        for place, (_, claim) in enumerate(self.claims):
            for finding in kin(claim.finding):
                self.places.setdefault(finding, []).append(place)

    def touched(self, said: Statement) -> Collection[int]:
        """The places in `claims` that a statement can speak about."""
        if len(said) == 1:
            return self.places.get(said[0].finding, ())
        return {place for seen in said for place in self.places.get(seen.finding, ())}


_asked = lru_cache(maxsize=4096)(_Asked)


def _right(known: _Asked, said: Sequence[Statement]) -> float:
    """The weight of the report's statements that the trace makes, of those that it should make."""
    told = _told(known, said)
    paired = dict(zip(told, largest_matching([numbers for numbers, _ in told.values()]), strict=True))
    right = sum(
        known.weights[number] * (WORTH_LESS_EXACT if told[number][1] else 1.0)
        for number, partner in paired.items()
        if partner is not None
    )
    used = set(paired.values())
    unpaired = {number for number in known.weights if paired.get(number) is None}
    rest = [
        sorted({known.facts.number_of(fact) for fact in verdict.evidence} & unpaired)
        for number, statement in enumerate(said)
        if number not in used and (verdict := decide(statement, known.facts)).relation == "supported"
    ]
    wider = largest_matching(rest)
    return right + sum(WORTH_LESS_EXACT * known.weights[number] for number in wider if number is not None)


def _told(known: _Asked, said: Sequence[Statement]) -> dict[int, tuple[list[int], bool]]:
    """The report's statements that a trace bears out: by which of its own, and whether it leaves their side
    open."""
    bearings: dict[int, list[tuple[int, int]]] = {}
    for number, one in enumerate(said):
        for place in known.touched(one):
            if how := bearing(one, known.claims[place][1]):
                bearings.setdefault(place, []).append((number, how))
    found: dict[int, tuple[list[int], bool]] = {}
    spoiled: set[int] = set()
    for place in sorted(bearings):
        number = known.claims[place][0]
        relation, partners = weigh(bearings[place])
        if relation == "contradicted":
            spoiled.add(number)
        elif relation == "supported":
            before, names_side = found.get(number, ([], False))
            names_side = names_side or any(how & SIDED and by in partners for by, how in bearings[place])
            found[number] = (list(dict.fromkeys(before + partners)), names_side)
    return {
        number: (partners, _has_side(known.facts.statements[number]) and not names_side)
        for number, (partners, names_side) in sorted(found.items())
        if number not in spoiled
    }


def _has_side(said: Statement) -> bool:
    return any(seen.side and seen.status != "absent" for seen in said)


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
    return [sentence for sentence in said if not stands_in(sentence, asked)]
