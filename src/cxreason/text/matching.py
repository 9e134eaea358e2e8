"""Does one observation follow from others? The one rule by which reasoning is held against a report.

>>> from cxreason.text import observe
>>> facts = observe("Small left effusion. The heart is normal in size.")
>>> [relation(claim, facts) for claim in observe("Right effusion. No cardiomegaly. No fracture. Edema.")]
['contradicted', 'supported', 'unmentioned_normal', 'unmentioned_abnormal']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cxreason.text.observations import Observation
from cxreason.text.ontology import PARENTS, main_finding

Relation = Literal["supported", "contradicted", "unmentioned_normal", "unmentioned_abnormal"]
Statement = tuple[Observation, ...]
"""What one wording says: one observation, or all that a normal statement excludes at once."""

ZONES = ("upper", "mid", "lower")


def _name(seen: Observation) -> str:
    """What an observation is compared by: a nodule and a mass are both lung lesions."""
    return main_finding(seen.finding) or seen.finding


def relation(claim: Observation, facts: Sequence[Observation]) -> Relation:
    """How a claim stands to what is known.

    Supported: a fact says the same, with no conflict of side, place, severity or change; a consolidation
    supports a lung opacity, and the absence of any opacity supports the absence of a consolidation.
    Contradicted: the facts speak of it and none agrees, so also the wrong side and the wrong size.
    A doubt supports nothing but a doubt. What is denied on one side says nothing about the other.
    """
    if any(_entails(fact, claim) for fact in facts) or _both_sides(claim, facts):
        return "supported"
    if any(_opposes(fact, claim) for fact in facts):
        return "contradicted"
    return "unmentioned_normal" if claim.status == "absent" else "unmentioned_abnormal"


def _entails(fact: Observation, claim: Observation) -> bool:
    if fact.status != claim.status or _conflict(fact, claim):
        return False
    if _name(fact) == _name(claim):
        # "no left effusion" does not say that there is none at all
        return claim.status != "absent" or fact.side in ("", "both", claim.side)
    if claim.status == "absent":
        return PARENTS.get(_name(claim)) == _name(fact) and fact.side in ("", "both", claim.side)
    return claim.status == "present" and PARENTS.get(_name(fact)) == _name(claim)


def _both_sides(claim: Observation, facts: Sequence[Observation]) -> bool:
    """Left and right, told apart by the facts, are both."""
    if claim.side != "both":
        return False
    one_sided = [fact for fact in facts if _name(fact) == _name(claim) and fact.status == claim.status]
    sides = {fact.side for fact in one_sided if not _conflict(fact, claim, sides=False)}
    return {"left", "right"} <= sides


def _opposes(fact: Observation, claim: Observation) -> bool:
    same = _name(fact) == _name(claim)
    if claim.status == "absent":
        denied = same or (fact.status == "present" and PARENTS.get(_name(fact)) == _name(claim))
        return denied and fact.status != "absent" and not _apart(fact.side, claim.side)
    if fact.status == "absent":
        denied = same or PARENTS.get(_name(claim)) == _name(fact)
        return denied and not _apart(fact.side, claim.side)
    # Both say it is there, or may be: what differs is where, how much, or how it changed.
    return same and fact.status == claim.status and _conflict(fact, claim)


def _apart(one: str, other: str) -> bool:
    return {one, other} == {"left", "right"}


def _conflict(fact: Observation, claim: Observation, *, sides: bool = True) -> bool:
    """Two observations that cannot describe the same thing. What either leaves open is no conflict."""
    if sides:
        if _apart(fact.side, claim.side):
            return True
        if claim.side == "both" and fact.side in ("left", "right") and claim.status != "absent":
            return True
    if claim.status == "absent":
        return False
    if fact.severity and claim.severity and fact.severity != claim.severity:
        return True
    zones = {_zone(fact), _zone(claim)} - {""}
    return len(zones) > 1 or _changes_differ(fact.change, claim.change)


def _zone(seen: Observation) -> str:
    return next((zone for zone in ZONES if zone in seen.location.split()), "")


def _changes_differ(one: str, other: str) -> bool:
    # What is new has also become worse.
    courses = {{"new": "worsening"}.get(change, change) for change in (one, other)} - {""}
    return len(courses) > 1


def statements(observations: Sequence[Observation]) -> list[Statement]:
    """Distinct statements in the order of the text: repeating one, in other words or not, adds nothing.

    What a normal statement excludes counts as one ("the lungs are clear" is one claim, not six). An
    observation without a span is a statement of its own.

    >>> from cxreason.text import observe
    >>> [len(said) for said in statements(observe("Lungs are clear. No edema. No oedema."))]
    [6, 1]
    """
    spans: dict[object, list[Observation]] = {}
    for number, seen in enumerate(observations):
        key = (seen.start, seen.end) if seen.end > seen.start else -number - 1
        spans.setdefault(key, []).append(seen)
    distinct: dict[frozenset[tuple[str, str, str, str]], Statement] = {}
    for said in spans.values():
        key = frozenset((_name(seen), seen.status, seen.side, seen.location) for seen in said)
        distinct.setdefault(key, tuple(said))
    return list(distinct.values())


def judge(said: Statement, facts: Sequence[Observation]) -> Relation:
    """How a whole statement stands: one contradiction spoils it, one support carries it.

    >>> from cxreason.text import observe
    >>> judge(tuple(observe("The lungs are clear.")), observe("Left lower lung consolidation."))
    'contradicted'
    """
    found = {relation(claim, facts) for claim in said}
    for worst in ("contradicted", "supported", "unmentioned_abnormal"):
        if worst in found:
            return worst
    return "unmentioned_normal"


def match(first: Sequence[Observation], second: Sequence[Observation]) -> int:
    """Size of the largest one-to-one matching of the statements of two texts; opposites never match.

    Symmetric. Two statements match where any observation of one agrees with one of the other on finding and
    status, without conflict, and none contradicts the other.

    >>> from cxreason.text import observe
    >>> match(observe("Left effusion. No edema."), observe("Effusion. There is edema."))
    1
    """
    left, right = statements(first), statements(second)
    edges = [[column for column, other in enumerate(right) if _agree(said, other)] for said in left]
    partner: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column in edges[row]:
            if column not in tried:
                tried.add(column)
                if column not in partner or place(partner[column], tried):
                    partner[column] = row
                    return True
        return False

    return sum(place(row, set()) for row in range(len(left)))


def _agree(one: Statement, other: Statement) -> bool:
    pairs = [(a, b) for a in one for b in other if _name(a) == _name(b)]
    if any(a.status != b.status or _conflict(a, b) or _conflict(b, a) for a, b in pairs):
        return False
    return bool(pairs)
