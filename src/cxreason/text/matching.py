"""Does one observation follow from others? The one rule by which reasoning is held against a report.

An observation follows from a fact that says the same or something more specific, at a side and a place that
can be the same: a granuloma on the left is a nodule, and where there is no nodule there is no granuloma.
Polarity always counts, and being contradicted is more than not being mentioned. Each verdict carries the
facts that decided it.

>>> from cxreason.text import observe
>>> facts = observe("Small left effusion. The heart is normal in size.")
>>> [relation(claim, facts) for claim in observe("Right effusion. No cardiomegaly. No fracture. Edema.")]
['contradicted', 'supported', 'unmentioned_normal', 'unmentioned_abnormal']
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Literal

from cxreason.text.observations import Observation, observe
from cxreason.text.ontology import implies, kin
from cxreason.text.statements import Statement, statements

Relation = Literal["supported", "contradicted", "unmentioned_normal", "unmentioned_abnormal"]
WEIGHT: tuple[Relation, ...] = ("contradicted", "supported", "unmentioned_abnormal", "unmentioned_normal")
"""One contradiction spoils a statement, one support carries it."""
ZONES = ("upper", "mid", "lower")
MOST_REMEMBERED = 4096
"""Verdicts that one text's facts keep: more different claims than rollouts make, in a few hundred kB."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a statement stands to the facts, and which of them decided it.

    `evidence` holds every fact that supports a supported statement, or that contradicts a contradicted one,
    in the order of the facts' text; it is empty where the facts do not mention it.
    """

    relation: Relation
    claim: Statement
    evidence: tuple[Observation, ...] = ()


class Facts:
    """What a text says, ready to be held against many claims: sorted once, asked often.

    >>> from cxreason.text import observe
    >>> known = Facts(observe("Left effusion. No edema."))
    >>> decide(tuple(observe("There is an effusion.")), known).evidence[0].sentence
    'Left effusion.'
    """

    __slots__ = ("_about", "_decided", "_numbers", "_seen", "observations", "statements")

    def __init__(self, observations: Sequence[Observation]):
        self._take(tuple(observations), statements(observations))

    @classmethod
    def of(cls, said: Sequence[Statement]) -> Facts:
        """The facts of distinct statements.

        >>> from cxreason.text.statements import stated
        >>> len(Facts.of(stated(["No edema.", "There is no oedema."])).statements)
        1
        """
        facts = cls.__new__(cls)
        facts._take(tuple(chain.from_iterable(said)), said)
        return facts

    def _take(self, observations: tuple[Observation, ...], said: Sequence[Statement]) -> None:
        self.observations = observations
        self.statements = tuple(said)
        self._seen: dict[str, list[tuple[int, Observation]]] = {}
        place = 0
        for one in said:
            for seen in one:
                place += 1
                known = self._seen.get(seen.finding)
                if known is None:
                    self._seen[seen.finding] = [(place, seen)]
                else:
                    known.append((place, seen))
        self._numbers: dict[int, int] = {}
        self._about: dict[str, tuple[Observation, ...]] = {}
        # Rollouts of one prompt say much the same, so a verdict is kept for the next that asks.
        self._decided: dict[object, tuple[Relation, tuple[Observation, ...]]] = {}

    def without(self, observations: Sequence[Observation]) -> Facts:
        """The distinct statements less some of their observations.

        >>> from cxreason.text import observe
        >>> known = Facts(observe("Left effusion. No edema."))
        >>> len(known.without(known.observations[:1]).statements)
        1
        """
        gone = {id(seen) for seen in observations}
        rest = (tuple([seen for seen in said if id(seen) not in gone]) for said in self.statements)
        return Facts.of([said for said in rest if said])

    def about(self, finding: str) -> tuple[Observation, ...]:
        """The facts that can decide about a finding: of itself, of what it implies, of what implies it.

        In the order of the text, without repetitions.
        """
        found = self._about.get(finding)
        if found is None:
            related = self._seen.keys() & kin(finding)
            told = sorted([one for name in related for one in self._seen[name]]) if related else ()
            found = self._about[finding] = tuple([seen for _, seen in told])
        return found

    def decided(self, claim: Observation) -> tuple[Relation, tuple[Observation, ...]]:
        """How one claim stands, and the facts that decide it."""
        key = claim[:6]  # all but where it stands and how it is put
        found = self._decided.get(key)
        if found is None:
            if len(self._decided) >= MOST_REMEMBERED:
                self._decided.clear()
            found = self._decided[key] = _decide(claim, self)
        return found

    def number_of(self, fact: Observation) -> int:
        """The position in `statements` of the statement that a fact from a verdict's evidence belongs to."""
        if not self._numbers:
            self._numbers = {id(seen): number for number, said in enumerate(self.statements) for seen in said}
        return self._numbers[id(fact)]


@lru_cache(maxsize=4096)
def facts_of(text: str) -> Facts:
    """What a text says; the latest 4,096 are remembered, as each is asked about often.

    >>> [fact.finding for fact in facts_of("There is edema.").observations]
    ['edema']
    """
    return Facts(observe(text))


def relation(claim: Observation, facts: Sequence[Observation] | Facts) -> Relation:
    """How a claim stands to what is known.

    Supported: a fact says the same, with no conflict of side, place, severity or change; a consolidation
    supports a lung opacity, and the absence of any opacity supports the absence of a consolidation.
    Contradicted: the facts speak of it and none agrees, so also the wrong side and the wrong size.
    A doubt supports nothing but a doubt. What is denied on one side says nothing about the other.
    """
    return _known(facts).decided(claim)[0]


def decide(said: Statement, facts: Sequence[Observation] | Facts) -> Verdict:
    """How a whole statement stands, with its evidence: one contradiction spoils it, one support carries it.

    >>> from cxreason.text import observe
    >>> verdict = decide(tuple(observe("Lungs are clear.")), observe("No edema. Left consolidation."))
    >>> verdict.relation, [fact.sentence for fact in verdict.evidence]
    ('contradicted', ['Left consolidation.'])
    """
    known = _known(facts)
    if len(said) == 1:
        outcome, evidence = known.decided(said[0])
        return Verdict(outcome, said, evidence)
    found: dict[Relation, list[Observation]] = {}
    for claim in said:
        outcome, evidence = known.decided(claim)
        kept = found.setdefault(outcome, [])
        kept += [fact for fact in evidence if not any(fact is other for other in kept)]
    outcome = _worst(found)
    return Verdict(outcome, said, tuple(found[outcome]))


def judge(said: Statement, facts: Sequence[Observation] | Facts) -> Relation:
    """The relation that `decide` finds.

    >>> from cxreason.text import observe
    >>> judge(tuple(observe("The lungs are clear.")), observe("Left lower lung consolidation."))
    'contradicted'
    """
    known = _known(facts)
    if len(said) == 1:
        return known.decided(said[0])[0]
    return _worst({known.decided(claim)[0] for claim in said})


def _worst(found: Collection[Relation]) -> Relation:
    """The relation of a whole statement, from those of what it says."""
    return next(relation for relation in WEIGHT if relation in found)


def _known(facts: Sequence[Observation] | Facts) -> Facts:
    return facts if isinstance(facts, Facts) else Facts(facts)


def _decide(claim: Observation, facts: Facts) -> tuple[Relation, tuple[Observation, ...]]:
    about = facts.about(claim.finding)
    if about:
        support = tuple(fact for fact in about if _entails(fact, claim)) or _both_sides(claim, about)
        if support:
            return "supported", support
        against = tuple(fact for fact in about if _opposes(fact, claim))
        if against:
            return "contradicted", against
    return ("unmentioned_normal" if claim.status == "absent" else "unmentioned_abnormal"), ()


SUPPORTS, OPPOSES, SIDED, ON_LEFT, ON_RIGHT = 1, 2, 4, 8, 16
"""How a statement bears on a claim; what supports it may name a side, or support but one half of "both"."""


def bearing(said: Statement, claim: Observation) -> int:
    """How a statement bears on a claim, as a sum of the numbers above, for `weigh`.

    >>> from cxreason.text import observe
    >>> bearing(tuple(observe("Left effusion.")), observe("Effusion.")[0]) == SUPPORTS + SIDED
    True
    """
    support = [fact for fact in said if fact.status == claim.status and _entails(fact, claim)]
    if support:
        return SUPPORTS + (SIDED if any(fact.side for fact in support) else 0)
    found = 0
    related = kin(claim.finding)
    for fact in said:
        if fact.finding in related and _opposes(fact, claim):
            found |= OPPOSES
    for fact in _halves(claim, said):
        found |= SIDED | (ON_LEFT if fact.side == "left" else ON_RIGHT)
    return found


def weigh(bearings: Sequence[tuple[int, int]]) -> tuple[Relation | None, list[int]]:
    """What `_decide` finds, from how each statement of a text bears on a claim: supported or contradicted,
    by the numbers beside them, or None for what is not mentioned.

    >>> weigh([(4, OPPOSES), (7, SUPPORTS)])
    ('supported', [7])
    """
    support = [number for number, how in bearings if how & SUPPORTS]
    if not support:
        halves = [(number, how) for number, how in bearings if how & (ON_LEFT | ON_RIGHT)]
        if any(how & ON_LEFT for _, how in halves) and any(how & ON_RIGHT for _, how in halves):
            support = [number for number, _ in halves]
    if support:
        return "supported", support
    against = [number for number, how in bearings if how & OPPOSES]
    return ("contradicted", against) if against else (None, [])


def _entails(fact: Observation, claim: Observation, *, sides: bool = True) -> bool:
    if fact.status != claim.status:
        return False
    if claim.status == "absent":
        # "no left effusion" does not say that there is none at all
        if sides and fact.side not in ("", "both", claim.side):
            return False
        return implies(claim.finding, fact.finding) and _zone(fact) in ("", _zone(claim))
    return implies(fact.finding, claim.finding) and not _conflict(fact, claim, sides=sides)


def _both_sides(claim: Observation, about: Sequence[Observation]) -> tuple[Observation, ...]:
    """Left and right, told apart by the facts, are both; and what is on neither side is nowhere."""
    one_sided = _halves(claim, about)
    return one_sided if len({fact.side for fact in one_sided}) == 2 else ()


def _halves(claim: Observation, about: Sequence[Observation]) -> tuple[Observation, ...]:
    if claim.side != "both" and (claim.side or claim.status != "absent"):
        return ()
    return tuple(
        fact for fact in about if fact.side in ("left", "right") and _entails(fact, claim, sides=False)
    )


def _opposes(fact: Observation, claim: Observation) -> bool:
    if claim.status == "absent" or fact.status == "absent":
        if claim.status == fact.status or _apart(fact.side, claim.side) or _zones_differ(fact, claim):
            return False
        if claim.status == "absent":
            # A doubt about the narrower says nothing against denying the wider.
            return fact.finding == claim.finding or (
                fact.status == "present" and implies(fact.finding, claim.finding)
            )
        return implies(claim.finding, fact.finding)
    # Both say it is there, or may be: what differs is where, how much, or how it changed.
    return fact.finding == claim.finding and fact.status == claim.status and _conflict(fact, claim)


def contradict(one: Observation, other: Observation) -> bool:
    """Whether one says that something is there and the other that it is not. Sizes do not matter here.

    >>> from cxreason.text import observe
    >>> contradict(*observe("There is a consolidation. There is no lung opacity."))
    True
    """
    if one.status == other.status or "uncertain" in (one.status, other.status):
        return False
    return other.finding in kin(one.finding) and _opposes(one, other)


def _apart(one: str, other: str) -> bool:
    return one != other and one in ("left", "right") and other in ("left", "right")


def _conflict(fact: Observation, claim: Observation, *, sides: bool = True) -> bool:
    """Two observations that cannot describe the same thing. What either leaves open is no conflict."""
    if sides and fact.side != claim.side:
        if _apart(fact.side, claim.side):
            return True
        if claim.side == "both" and fact.side in ("left", "right"):
            return True
    if fact.severity and claim.severity and fact.severity != claim.severity:
        return True
    return _zones_differ(fact, claim) or _changes_differ(fact.change, claim.change)


def _zone(seen: Observation) -> str:
    return next((zone for zone in ZONES if zone in seen.location.split()), "") if seen.location else ""


def _zones_differ(one: Observation, other: Observation) -> bool:
    if not one.location or not other.location:
        return False
    zones = _zone(one), _zone(other)
    return "" not in zones and zones[0] != zones[1]


def _changes_differ(one: str, other: str) -> bool:
    # What is new has also become worse.
    courses = {{"new": "worsening"}.get(change, change) for change in (one, other)} - {""}
    return len(courses) > 1


def match(claims: Sequence[Observation] | Facts, facts: Sequence[Observation] | Facts) -> int:
    """How many statements of `claims` follow from `facts`, each from a fact statement of its own.

    The size of the largest one-to-one matching, so that one vague statement cannot answer for two. Never
    more than the number of supported statements.

    >>> from cxreason.text import observe
    >>> match(observe("Left effusion. No edema."), observe("Effusion. There is edema."))
    1
    """
    said, known = _known(claims), _known(facts)
    verdicts = [decide(statement, known) for statement in said.statements]
    return sum(partner is not None for partner in partners(verdicts, known))


def partners(verdicts: Sequence[Verdict], facts: Facts) -> list[int | None]:
    """For each verdict on a supported statement the number of the fact statement it is matched with.

    >>> from cxreason.text import observe
    >>> known = Facts(observe("Bilateral effusions."))
    >>> partners([decide((claim,), known) for claim in observe("Left effusion. Right effusion.")], known)
    [0, None]
    """
    edges = [
        list(dict.fromkeys(facts.number_of(fact) for fact in verdict.evidence))
        if verdict.relation == "supported"
        else []
        for verdict in verdicts
    ]
    return largest_matching(edges)


def largest_matching(edges: Sequence[Sequence[int]]) -> list[int | None]:
    """For each row the column it is paired with in a largest one-to-one matching, or None.

    >>> largest_matching([[0, 1], [0]])
    [1, 0]
    """
    row_of: dict[int, int] = {}

    def place(row: int, tried: set[int]) -> bool:
        for column in edges[row]:
            if column not in tried:
                tried.add(column)
                if column not in row_of or place(row_of[column], tried):
                    row_of[column] = row
                    return True
        return False

    for row in range(len(edges)):
        place(row, set())
    column_of = {row: column for column, row in row_of.items()}
    return [column_of.get(row) for row in range(len(edges))]
