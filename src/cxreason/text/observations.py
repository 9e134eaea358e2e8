"""What a text says about the chest: each finding it names, and whether it says present, absent or uncertain.

A sentence is read clause by clause. Words of the lexicon become tokens (`tokens.py`), tokens clauses
(`clauses.py`), clauses claims (`claims.py`); sides, zones, sizes and changes go to the claim they stand next
to (`attributes.py`). Nothing looks beyond its own sentence, so a text means what its sentences mean, and a
sentence is read once however often it occurs.

    >>> [(seen.finding, seen.status, seen.side) for seen in observe("Small left effusion, no pneumothorax.")]
    [('pleural effusion', 'present', 'left'), ('pneumothorax', 'absent', '')]
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cxreason.text.attributes import MIDLINE, changes, location, reach, severity_of, side_and_zone
from cxreason.text.claims import Claim, Hedge, Status, claims_of
from cxreason.text.clauses import clauses
from cxreason.text.sections import sentences
from cxreason.text.tokens import Token, tokens

NAMING = frozenset(("finding", "abnormality", "structure"))
"""Without one of these kinds of token a sentence can claim nothing."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One finding as one place of a text speaks of it; `text[start:end]` is the wording.

    `finding` is the most specific concept of the ontology: compare it with `ontology.implies`. `side` is
    "left", "right", "both" or empty; `location` names a zone where there is one ("left lower lung");
    `severity` is "mild", "moderate", "severe" or empty; `change` is "new", "worsening", "stable",
    "improving", "resolved" or empty; `hedge` tells a present that is only suggested from one that is said,
    and the two sides of a "versus" from other doubts. A normal statement gives one observation for each
    finding that it excludes, all with the same span.
    """

    finding: str
    status: Status
    location: str = ""
    side: str = ""
    severity: str = ""
    change: str = ""
    start: int = 0
    end: int = 0
    sentence: str = ""
    hedge: Hedge = ""


def observe(text: str) -> list[Observation]:
    """All observations of a text in reading order. Questions, plans and hypotheses assert nothing.

    >>> observe("Look for an effusion. Is there a nodule?")
    []
    """
    found = []
    for offset, sentence in sentences(text):
        for seen in read_sentence(sentence):
            found.append(
                Observation(
                    seen.finding,
                    seen.status,
                    seen.location,
                    seen.side,
                    seen.severity,
                    seen.change,
                    seen.start + offset,
                    seen.end + offset,
                    sentence,
                    seen.hedge,
                )
            )
    return found


@lru_cache(maxsize=65_536)
def read_sentence(sentence: str) -> tuple[Observation, ...]:
    """The observations of one sentence with offsets into it."""
    words = tokens(sentence)
    kinds = {token[0] for token in words}
    if not kinds & NAMING or sentence.rstrip("\"')] ").endswith("?"):
        return ()
    if "hypothetical" in kinds:
        words = _without_hypotheses(words)
    # "otherwise clear" cannot say which findings it spares, so it excludes none.
    spared = "otherwise" in kinds
    found: list[Observation] = []
    for clause, planned in clauses(words):
        claims = claims_of(clause, planned)
        if not claims:
            continue
        near = reach(clause, claims)
        for claim, described, change in zip(claims, near, changes(clause, claims, near), strict=True):
            if not claim.dropped and not (spared and (claim.normal or claim.vague)):
                found += _written(clause, claim, described, change)
    return tuple(found)


def _without_hypotheses(words: list[Token]) -> list[Token]:
    """What is left of a sentence that repeats a question (nothing) or holds an "if": what comes before it."""
    for position, token in enumerate(words):
        if token.kind == "hypothetical" and token.value == "sentence":
            return []
        if token.kind == "hypothetical" and token.value == "rest":
            return words[:position]
    return words


def _written(clause: list[Token], claim: Claim, words: list[Token], change: str) -> Iterator[Observation]:
    side, zone = side_and_zone(words)
    absent = claim.status == "absent"
    severity = "" if absent else severity_of(clause[claim.first : claim.last + 1], words)
    for finding in claim.findings:
        midline = finding in MIDLINE
        yield Observation(
            finding,
            claim.status,
            location="" if midline else location(finding, side, zone),
            side="" if midline else side,
            severity=severity,
            change=("resolved" if claim.resolved else "") if absent else change,
            start=clause[claim.first].start,
            end=clause[claim.last].end,
            hedge=claim.hedge,
        )
