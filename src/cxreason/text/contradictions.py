"""Who says a thing and denies it has said neither: else betting on both would earn what is right of it."""

from __future__ import annotations

from collections.abc import Sequence

from cxreason.text.matching import Facts, contradict
from cxreason.text.observations import Observation
from cxreason.text.ontology import kin
from cxreason.text.statements import Statement


def without_contradictions(said: Sequence[Statement], known: Facts) -> Sequence[Statement]:
    """What a text says and does not deny elsewhere. Where what is known says both, as an earlier and a later
    report do, both may be said.

    >>> from cxreason.text.matching import facts_of
    >>> said = facts_of("Edema. No edema. Fracture.").statements
    >>> [one[0].finding for one in without_contradictions(said, facts_of("Edema."))]
    ['fracture']
    """
    present: dict[str, list[Observation]] = {}
    denials: list[Observation] = []
    for statement in said:
        for seen in statement:
            if seen.status == "present":
                present.setdefault(seen.finding, []).append(seen)
            elif seen.status == "absent":
                denials.append(seen)
    denied: set[int] = set()
    for denial in denials if present else ():
        for finding in present.keys() & kin(denial.finding):
            for other in present[finding]:
                if contradict(denial, other) and not _both_hold(known, denial, other):
                    denied |= {id(denial), id(other)}
    if not denied:
        return said
    kept = (tuple([seen for seen in one if id(seen) not in denied]) for one in said)
    return [one for one in kept if one]


def _both_hold(known: Facts, one: Observation, other: Observation) -> bool:
    return known.decided(one)[0] == known.decided(other)[0] == "supported"
