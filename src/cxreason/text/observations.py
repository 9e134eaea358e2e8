"""What a text says about the chest: each finding it names, and whether it says present, absent or uncertain.

A sentence is read clause by clause. Words of the lexicon become tokens (`tokens.py`), tokens clauses
(`clauses.py`), clauses claims (`claims.py`); sides, zones, sizes and changes go to the claim they stand next
to (`attributes.py`). Nothing looks beyond its own sentence, so a text means what its sentences mean, and a
sentence is read once however often it occurs.

    >>> [(seen.finding, seen.status, seen.side) for seen in observe("Small left effusion, no pneumothorax.")]
    [('pleural effusion', 'present', 'left'), ('pneumothorax', 'absent', '')]
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from cxreason.text.attributes import MIDLINE, changes, location, reach, severity_of, side_and_zone
from cxreason.text.claims import Hedge, Status, claims_of
from cxreason.text.clauses import CLAIMING, clauses
from cxreason.text.ontology import implies, kin
from cxreason.text.sections import sentences
from cxreason.text.tokens import Cut, Token, characters, cut, tokens
from cxreason.text.vocabulary import AND, IS, SHAPES

HEADING = ("finding", "comma", "and", "or")


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
        make(Observation, (*told, start + offset, end + offset, sentence, hedge))
        for offset, sentence in sentences(text)
        for told, start, end, hedge in _read(sentence)
    ]


def read_sentence(sentence: str) -> tuple[Observation, ...]:
    """The observations of one sentence with offsets into it.

    >>> [seen.start for seen in read_sentence("No effusion.")]
    [3]
    """
    return tuple([Observation(*told, start, end, "", hedge) for told, start, end, hedge in _read(sentence)])


Told = tuple[str, Status, str, str, str, str]
"""The first six fields of an observation."""


@lru_cache(maxsize=65_536)
def _read(sentence: str) -> tuple[tuple[Told, int, int, Hedge], ...]:
    parts = cut(sentence)
    said = spoken(sentence, parts)
    if not said:
        return ()
    places = characters(parts, [wording for _, _, wording in said])
    return tuple(
        [
            (told, *place, saying.hedge)
            for (sayings, token, _), place in zip(said, places, strict=True)
            for saying in sayings
            for told in written(saying, token)
        ]
    )


@dataclass(frozen=True, slots=True, eq=False)
class Saying:
    """What a clause says of one finding, or of one structure, whichever it is; one object for all that say
    the same."""

    findings: tuple[str, ...]
    """What it says it of; of a finding that the clause names, nothing."""
    status: Status
    side: str
    zone: str
    severity: str
    change: str
    hedge: Hedge
    within: tuple[str, ...]
    """Where what the clause names could be anything: what it can be of the structure that is spoken of."""


_saying = lru_cache(maxsize=65_536)(Saying)


Spoken = tuple[tuple[Saying, ...], Token, tuple[int, int]]
"""What one wording says, the token that names what it says it of, and the wording's first and last piece."""


def spoken(sentence: str, parts: Cut) -> list[Spoken]:
    """All that a sentence says, in the order of its clauses."""
    words, firsts, lasts = tokens(parts)
    codes = "".join([word.code for word in words])
    if ("f" not in codes and "s" not in codes) or sentence.rstrip("\"')] ").endswith("?"):
        return []
    # "otherwise clear" cannot say which findings it spares, so it excludes none.
    spared = "o" in codes
    skipped = 0
    if ":" in codes or "H" in codes:
        words, skipped = _without_heading(words)
        words = _without_hypotheses(words)
        codes = "".join([word.code for word in words])
    shapes = tuple(map(SHAPES.__getitem__, words))
    parted = clauses(codes)
    if not parted:
        return [
            (sayings, words[first], (firsts[first + skipped], lasts[last + skipped]))
            for first, last, sayings in _said(shapes, False, spared)
        ]
    shapes += (SHAPES[IS],)
    found = []
    for clause, planned in parted:
        for first, last, sayings in _said(tuple([shapes[place] for place in clause]), planned, spared):
            start, end = clause[first], clause[last]
            found.append((sayings, words[start], (firsts[start + skipped], lasts[end + skipped])))
    return found


@lru_cache(maxsize=65_536)
def _said(
    clause: tuple[Token, ...], planned: bool, spared: bool
) -> tuple[tuple[int, int, tuple[Saying, ...]], ...]:
    """What a clause of this shape says, read once for all the findings that it may name: the first and the
    last token of each wording, and what it says.

    >>> shapes = [tuple(map(SHAPES.__getitem__, tokens(cut(text))[0])) for text in ("No edema.", "No mass.")]
    >>> shapes[0] == shapes[1], _said(shapes[0], False, False)[0][2][0].status
    (True, 'absent')
    """
    if planned:
        return ()
    kinds = {token.kind for token in clause}
    claims = claims_of(clause, kinds)
    if not claims:
        return ()
    near = reach(clause, claims)
    changed = changes(clause, claims, near) if "change" in kinds else [""] * len(claims)
    placed = any(token.place or token.kind == "place" for token in clause)
    said: dict[tuple[int, int], list[Saying]] = {}
    for claim, described, change in zip(claims, near, changed, strict=True):
        if claim.dropped or (spared and (claim.normal or claim.vague)):
            continue
        side, zone = side_and_zone(clause[described.start : described.stop]) if placed else ("", "")
        if claim.status == "absent":
            severity, change = "", "resolved" if claim.resolved else ""
        else:
            severity = severity_of(clause, claim, described) if "severity" in kinds else ""
        named = clause[claim.first].kind in CLAIMING
        findings = () if named else claim.findings
        saying = _saying(findings, claim.status, side, zone, severity, change, claim.hedge, claim.within)
        said.setdefault((claim.first, claim.last), []).append(saying)
    return tuple([(first, last, tuple(sayings)) for (first, last), sayings in said.items()])


@lru_cache(maxsize=65_536)
def written(saying: Saying, token: Token) -> tuple[Told, ...]:
    """What a saying says of what its token names."""
    names = saying.findings or token.findings
    if saying.within:
        names = [name for name in names if name in saying.within] or saying.within
    found = []
    for finding in names:
        midline = finding in MIDLINE
        where = location(finding, saying.side, saying.zone) if saying.zone and not midline else ""
        side = "" if midline else saying.side
        found.append((finding, saying.status, where, side, saying.severity, saying.change))
    return tuple(found)


def _without_heading(words: list[Token]) -> tuple[list[Token], int]:
    """A sentence without its heading, and the number of words left out in front: "Effusion: small" says that
    the effusion is small, while "Devices: left pacemaker" and "Pneumothorax: no pneumothorax" say what stands
    behind their headings."""
    colon = next((position for position, token in enumerate(words) if token.kind == "colon"), 0)
    heading = {finding for token in words[:colon] for finding in token.findings}
    if not heading or any(token.kind not in HEADING for token in words[:colon]):
        return words, 0
    behind = {finding for token in words[colon + 1 :] for finding in token.findings}
    if not behind and not any(token.kind == "structure" for token in words[colon + 1 :]):
        listed = [AND if token.kind == "comma" else token for token in words[:colon]]
        return [*listed, IS, *words[colon + 1 :]], 0
    named = any(finding in kin(name) for name in heading for finding in behind)
    if named or all(implies(name, "support devices") for name in heading):
        return words[colon + 1 :], colon + 1
    return words, 0


def _without_hypotheses(words: list[Token]) -> list[Token]:
    """What is left of a sentence that repeats a question (nothing) or holds an "if": what comes before it."""
    for position, token in enumerate(words):
        if token.kind == "hypothetical" and token.value == "sentence":
            return []
        if token.kind == "hypothetical" and token.value == "rest":
            return words[:position]
    return words
