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
from functools import lru_cache
from typing import NamedTuple

from cxreason.text.attributes import MIDLINE, changes, location, reach, severity_of, side_and_zone
from cxreason.text.claims import Hedge, Status, claims_of
from cxreason.text.clauses import CLAIMING, clauses
from cxreason.text.ontology import implies, kin
from cxreason.text.sections import sentences
from cxreason.text.tokens import Span, Token, tokens
from cxreason.text.vocabulary import AND, IS, SHAPES

HEADING = ("finding", "comma", "and", "or")
NAMING = frozenset(("finding", "abnormality", "structure"))
"""Without one of these kinds of token a sentence can claim nothing."""


class Observation(NamedTuple):
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
    make = tuple.__new__  # what the class does, without its keywords
    return [
        make(Observation, (*seen[:6], seen[6] + offset, seen[7] + offset, sentence, seen[9]))
        for offset, sentence in sentences(text)
        for seen in read_sentence(sentence)
    ]


@lru_cache(maxsize=65_536)
def read_sentence(sentence: str) -> tuple[Observation, ...]:
    """The observations of one sentence with offsets into it."""
    words, spans = tokens(sentence)
    kinds = {token.kind for token in words}
    if not kinds & NAMING or sentence.rstrip("\"')] ").endswith("?"):
        return ()
    if "colon" in kinds:
        words, spans = _without_heading(words, spans)
    if "hypothetical" in kinds:
        words = _without_hypotheses(words)
    # "otherwise clear" cannot say which findings it spares, so it excludes none.
    spared = "otherwise" in kinds
    found: list[Observation] = []
    for clause, places, planned in clauses(words, spans):
        for said in _said(tuple(map(SHAPES.__getitem__, clause)), planned):
            if not (spared and said.sweeping):
                found += _written(said, clause, places)
    return tuple(found)


class _Said(NamedTuple):
    """What a clause says of one finding, or of one structure, whichever it is."""

    findings: tuple[str, ...]
    """What it says it of; of a finding that the clause names, nothing, and `first` tells which."""
    first: int
    last: int
    status: Status
    side: str
    zone: str
    severity: str
    change: str
    hedge: Hedge
    sweeping: bool
    within: tuple[str, ...]
    """Where what the clause names could be anything: what it can be of the structure that is spoken of."""


@lru_cache(maxsize=65_536)
def _said(clause: tuple[Token, ...], planned: bool) -> tuple[_Said, ...]:
    """What a clause of this shape says, read once for all the findings that it may name.

    >>> shapes = [tuple(map(SHAPES.__getitem__, tokens(text)[0])) for text in ("No edema.", "No mass.")]
    >>> shapes[0] == shapes[1], _said(shapes[0], False)[0].status
    (True, 'absent')
    """
    claims = claims_of(clause, planned)
    if not claims:
        return ()
    near = reach(clause, claims)
    said = []
    for claim, described, change in zip(claims, near, changes(clause, claims, near), strict=True):
        if claim.dropped:
            continue
        side, zone = side_and_zone(clause[described.start : described.stop])
        absent = claim.status == "absent"
        said.append(
            _Said(
                () if clause[claim.first].kind in CLAIMING else claim.findings,
                claim.first,
                claim.last,
                claim.status,
                side,
                zone,
                severity="" if absent else severity_of(clause, claim, described),
                change=("resolved" if claim.resolved else "") if absent else change,
                hedge=claim.hedge,
                sweeping=claim.normal or claim.vague,
                within=claim.within,
            )
        )
    return tuple(said)


def _without_heading(words: list[Token], spans: list[Span]) -> tuple[list[Token], list[Span]]:
    """A sentence whose first words are a heading: "Effusion: small" says that the effusion is small, while
    "Devices: left pacemaker" and "Pneumothorax: no pneumothorax" say what stands behind their headings."""
    colon = next(position for position, token in enumerate(words) if token.kind == "colon")
    heading = {finding for token in words[:colon] for finding in token.findings}
    if not heading or any(token.kind not in HEADING for token in words[:colon]):
        return words, spans
    behind = {finding for token in words[colon + 1 :] for finding in token.findings}
    if not behind and not any(token.kind == "structure" for token in words[colon + 1 :]):
        listed = [AND if token.kind == "comma" else token for token in words[:colon]]
        return [*listed, IS, *words[colon + 1 :]], spans
    named = any(finding in kin(name) for name in heading for finding in behind)
    if named or all(implies(name, "support devices") for name in heading):
        return words[colon + 1 :], spans[colon + 1 :]
    return words, spans


def _without_hypotheses(words: list[Token]) -> list[Token]:
    """What is left of a sentence that repeats a question (nothing) or holds an "if": what comes before it."""
    for position, token in enumerate(words):
        if token.kind == "hypothetical" and token.value == "sentence":
            return []
        if token.kind == "hypothetical" and token.value == "rest":
            return words[:position]
    return words


def _written(said: _Said, clause: list[Token], places: list[Span]) -> Iterator[Observation]:
    start, end = places[said.first][0], places[said.last][1]
    names = said.findings or clause[said.first].findings
    if said.within:
        names = [name for name in names if name in said.within] or said.within
    for finding in names:
        midline = finding in MIDLINE
        yield Observation(
            finding,
            said.status,
            location(finding, said.side, said.zone) if said.zone and not midline else "",
            "" if midline else said.side,
            said.severity,
            said.change,
            start,
            end,
            "",
            said.hedge,
        )
