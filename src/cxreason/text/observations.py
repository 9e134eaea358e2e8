"""What a text says about the chest: each finding it names, and whether it says present, absent or uncertain.

A sentence is read clause by clause. Words of the lexicon become tokens; findings, and structures with a
quality ("heart ... enlarged"), become claims; negation, doubt and plans reach as far as their clause lets
them; sides, zones, sizes and changes go to the claim they stand next to. Nothing looks beyond its own
sentence, so a text means what its sentences mean, and a sentence is read once however often it occurs.

    >>> [(seen.finding, seen.status, seen.side) for seen in observe("Small left effusion, no pneumothorax.")]
    [('pleural effusion', 'present', 'left'), ('pneumothorax', 'absent', '')]
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from typing import Literal, NamedTuple

from cxreason.text import ontology
from cxreason.text.sections import sentences

Status = Literal["present", "absent", "uncertain"]


@dataclass(frozen=True, slots=True)
class Observation:
    """One finding as one place of a text speaks of it; `text[start:end]` is the wording.

    `side` is "left", "right", "both" or empty; `location` names a zone where there is one ("left lower
    lung"); `severity` is "mild", "moderate", "severe" or empty; `change` is "new", "worsening", "stable",
    "improving", "resolved" or empty. A normal statement gives one observation for each finding that it
    excludes, all with the same span.
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


def observe(text: str) -> list[Observation]:
    """All observations of a text in reading order. Questions, plans and hypotheses assert nothing.

    >>> observe("Look for an effusion. Is there a nodule?")
    []
    """
    found = []
    for offset, sentence in sentences(text):
        for seen in _observe_sentence(sentence):
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
                )
            )
    return found


class Token(NamedTuple):
    kind: str
    value: str
    start: int
    end: int
    findings: tuple[str, ...]


@dataclass(slots=True)
class Claim:
    """A finding or an appearance on its way to becoming observations; `first`..`last` are token positions."""

    findings: tuple[str, ...]
    status: Status
    first: int
    last: int
    normal: bool = False
    trigger: int = 0
    dropped: bool = False
    resolved: bool = False
    change: str = ""


_PUNCTUATION = {
    ",": "comma",
    ";": "break",
    ":": "colon",
    "(": "comma",
    ")": "comma",
    "/": "or",
    "?": "uncertain",
    "--": "comma",
    "\u2013": "comma",
    "\u2014": "comma",
}
_NOTHING = Token("", "", 0, 0, ())
FAR = 40
"""How many tokens ahead a new subject may have its verb; keeps endless repetition cheap to read."""
_LISTING = ("comma", "and", "or")
_PARTING = ("comma", "and", "or", "with")
# str.lower can lengthen a text (dotted capital I), which would shift every offset behind it.
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} | {0xA0: " ", 0x2019: "'"}


@cache
def _vocabulary() -> tuple[re.Pattern[str], dict[str, ontology.Meaning]]:
    return ontology.phrase_pattern(), ontology.phrases()


def _tokens(sentence: str) -> list[Token]:
    pattern, meanings = _vocabulary()
    lowered = sentence.lower() if sentence.isascii() else sentence.translate(_LOWER)
    tokens = []
    for match in pattern.finditer(lowered):
        words = match.group()
        kind = _PUNCTUATION.get(words)
        if kind is not None:
            tokens.append(Token(kind, "", match.start(), match.end(), ()))
            continue
        meaning = meanings.get(words) or meanings[" ".join(re.split(r"[\s\-]+", words))]
        if meaning.kind != "ignore":
            tokens.append(Token(meaning.kind, meaning.value, match.start(), match.end(), meaning.findings))
    return tokens


def _clauses(tokens: list[Token]) -> Iterator[tuple[list[Token], bool]]:
    """(clause, hypothetical from its start). A clause ends at a conjunction, or where a list gives way to
    a new subject with its own verb ("no effusion, and the heart is enlarged")."""
    clause: list[Token] = []
    planned = False
    asserts = plans = False  # something in this clause could already be a claim; a plan begins in it
    appearance = 0
    for position, token in enumerate(tokens):
        kind = token.kind
        if kind in ("break", "colon"):
            if asserts or plans or planned:
                yield clause, planned
                clause, planned, asserts, plans, appearance = [], False, False, False, 0
            elif kind == "colon":  # "Heart: normal."
                clause.append(Token("verb", "is", token.start, token.end, ()))
            continue
        if asserts and kind in ("article", "structure", "verb") and _starts_subject(clause, tokens, position):
            cut = max(i for i, word in enumerate(clause) if word.kind in _LISTING) + 1
            yield clause[:cut], planned
            planned = (planned or plans) and kind != "verb"
            clause, asserts, plans, appearance = clause[cut:], False, False, 0
        clause.append(token)
        appearance |= {"structure": 1, "quality": 2}.get(kind, 0)
        asserts = asserts or kind in ("finding", "normal") or appearance == 3
        plans = plans or (kind == "hypothetical" and token.value == "fwd")
    if clause:
        yield clause, planned


def _starts_subject(clause: list[Token], tokens: list[Token], position: int) -> bool:
    """Whether the token opens a new subject with its own verb, rather than the next item of a list."""
    token = tokens[position]
    if token.kind == "verb":
        return token.value == "there" and bool(clause) and clause[-1].kind in _LISTING
    if token.kind == "article" and token.value != "the":
        return False
    before = len(clause) - 1
    while before >= 0 and clause[before].kind in ("place", "article", "severity"):
        before -= 1
    if before < 0 or clause[before].kind not in ("comma", "and"):
        return False
    for later in tokens[position + 1 : position + FAR]:
        if later.kind == "break":
            return False
        if later.kind == "verb" or (later.kind == "quality" and token.kind == "structure"):
            return True
    return False


def _claims(clause: list[Token]) -> list[Claim]:
    """Findings as they stand, and structures joined with the quality before or behind them."""
    claims: list[Claim] = []
    structures: list[int] = []
    quality: int | None = None
    parted = True  # a separator since the last structure: "heart and mediastinum", but "bones of the chest"
    for position, token in enumerate(clause):
        if token.kind == "finding":
            claims.append(Claim(token.findings, "present", position, position, trigger=position))
            quality = None
        elif token.kind == "normal":
            claims.append(Claim(token.findings, "absent", position, position, normal=True, trigger=position))
        elif token.kind in _LISTING:
            parted = True
        elif token.kind == "structure":
            if quality is not None and parted:
                claims += _appearance(clause, position, quality, position)
            elif quality is None and (parted or not structures):
                structures.append(position)
            parted = False
        elif token.kind == "quality":
            if structures:
                claims += [
                    claim for place in structures for claim in _appearance(clause, place, position, position)
                ]
                structures, quality = [], None
            else:
                quality, parted = position, True
    return sorted(claims, key=lambda claim: (claim.first, claim.last))


def _appearance(clause: list[Token], structure: int, quality: int, trigger: int) -> list[Claim]:
    said = ontology.appearances().get((clause[structure].value, clause[quality].value))
    if said is None:
        return []
    status: Status = "absent" if said[0] == "absent" else "present"
    first, last = min(structure, quality), max(structure, quality)
    return [Claim(said[1], status, first, last, normal=status == "absent", trigger=trigger)]


def _settle(clause: list[Token], claims: list[Claim], planned: bool) -> None:
    """Give each claim its status: walk the clause with the negation and the doubt that are open."""
    if planned or any(token.kind == "hypothetical" and token.value != "fwd" for token in clause):
        for claim in claims:
            claim.dropped = True
        return
    by_trigger: dict[int, list[Claim]] = {}
    for claim in claims:
        by_trigger.setdefault(claim.trigger, []).append(claim)
    last_or = max((position for position, token in enumerate(clause) if token.kind == "or"), default=-1)
    negation = doubt = None
    negated = doubted = plan = False  # whether the open negation, or doubt, has met a claim yet
    for position, token in enumerate(clause):
        kind = token.kind
        following = clause[position + 1] if position + 1 < len(clause) else _NOTHING
        if kind == "hypothetical":
            plan = True
        elif kind in ("negation", "negation after", "uncertain", "uncertain after"):
            if _settles_backward(clause, claims, position, following):
                continue
            if kind == "uncertain":
                negation = None if negated else negation
                doubt, doubted = position, False
            elif (
                kind != "uncertain after" and following.kind != "comma"
            ):  # "No, there is ..." negates nothing
                negation, negated = position, False
        elif kind in ("verb", "with"):
            negation = None if negated else negation
            doubt = None if doubted else doubt
        elif kind in ("comma", "and") and position > last_or:
            fresh = following.kind in ("severity", "change") or following[:2] == ("article", "a")
            negation = None if negated and fresh else negation
            doubt = None if doubted else doubt
        for claim in by_trigger.get(position, ()):
            if plan:
                claim.dropped = True
            elif negation is not None:
                _negate(clause, claim, negation)
                negated = True
            elif doubt is not None:
                claim.status, claim.dropped = "uncertain", claim.normal
                doubted = True


def _settles_backward(clause: list[Token], claims: list[Claim], position: int, following: Token) -> bool:
    """Settle the claims that a word behind them decides ("... is not seen", "... may be present").

    False where the word does not look back, or finds nothing behind it.
    """
    token = clause[position]
    seen_next = following.kind == "verb" and following.value == "seen"
    if token.kind == "negation" and not (token.value == "not" and seen_next):
        return False
    if token.kind == "uncertain" and not seen_next:
        return False
    earlier = [claim for claim in claims if claim.last < position]
    for claim in _listed(clause, earlier):
        if token.kind in ("uncertain", "uncertain after"):
            claim.status, claim.dropped = "uncertain", claim.dropped or claim.normal
        else:
            claim.status, claim.dropped = "absent", claim.dropped or claim.normal
            claim.resolved = token.kind == "negation after" and token.value == "resolved"
    return bool(earlier)


def _negate(clause: list[Token], claim: Claim, negation: int) -> None:
    """A negation before the claim: it turns a finding round, spoils a normal statement ("not clear"), and
    does not reach over a comma into an appearance ("no effusion, heart enlarged")."""
    own_subject = claim.normal or clause[claim.first].kind == "structure"
    if own_subject and any(token.kind in _PARTING for token in clause[negation : claim.first]):
        return
    if claim.normal:
        claim.dropped = True
    else:
        claim.status = "absent"
        claim.resolved = clause[negation].value == "resolved"


def _listed(clause: list[Token], claims: list[Claim]) -> Iterator[Claim]:
    """The last claim and those before it that share its verb: "effusion, edema and nodule (are not seen)"."""
    joined = False
    for index in range(len(claims) - 1, -1, -1):
        yield claims[index]
        between = clause[claims[index - 1].last + 1 : claims[index].first] if index else []
        kinds = {token.kind for token in between}
        joined = joined or "and" in kinds or "or" in kinds
        if not joined or not kinds & set(_LISTING) or kinds & {"verb", "with", "uncertain"}:
            return


def _reach(clause: list[Token], claims: list[Claim]) -> list[list[Token]]:
    """For each claim the tokens that may describe it: its own, and those up to the nearest separator."""
    borders = [0]
    for earlier, later in pairwise(claims):
        gap = range(earlier.last + 1, later.first)
        parting = max((i for i in gap if clause[i].kind in _PARTING), default=None)
        if parting is None:  # "opacity at the base may represent pneumonia": the place is the opacity's
            parting = next(
                (i for i in gap if clause[i].kind in ("uncertain", "verb", "negation")), earlier.last + 1
            )
        borders.append(parting)
    borders.append(len(clause))
    return [
        clause[min(borders[index], claim.first) : max(borders[index + 1], claim.last + 1)]
        for index, claim in enumerate(claims)
    ]


def _side_and_zone(words: list[Token]) -> tuple[str, str]:
    named = {part for token in words if token.kind == "place" for part in token.value.split()}
    side = "both" if "both" in named or {"left", "right"} <= named else "".join(named & {"left", "right"})
    zones = named & {"upper", "mid", "lower"}
    return side, zones.pop() if len(zones) == 1 else ""


_MIDLINE = ("cardiomegaly", "enlarged cardiomediastinum")


def _location(finding: str, side: str, zone: str) -> str:
    if not zone or finding in ("support devices", "edema"):
        return ""
    return f"{side} {zone} {'ribs' if finding == 'fracture' else 'lung'}".strip()


def _first(words: list[Token], kind: str) -> str:
    for before, token in zip([None, *words], words, strict=False):
        if token.kind == kind and not (
            before is not None and before.kind == "negation" and before.value == "not"
        ):
            return token.value
    return ""


def _spread_change(clause: list[Token], claims: list[Claim]) -> None:
    """A change said of a whole list belongs to each member: "effusion and edema are unchanged"."""
    for index, claim in enumerate(claims):
        following = (
            clause[claim.last + 1 : claims[index + 1].first]
            if index + 1 < len(claims)
            else clause[claim.last + 1 :]
        )
        said_behind = any(token.kind == "verb" for token in following) and _first(following, "change")
        if claim.change and said_behind == claim.change:
            for earlier in _listed(clause, claims[: index + 1]):
                earlier.change = earlier.change or claim.change


@lru_cache(maxsize=32_768)
def _observe_sentence(sentence: str) -> tuple[Observation, ...]:
    """The observations of one sentence with offsets into it."""
    tokens = _tokens(sentence)
    if sentence.rstrip("\"')] ").endswith("?") or any(
        token.kind == "hypothetical" and token.value == "sentence" for token in tokens
    ):
        return ()
    # "otherwise clear" cannot say which findings it spares, so it excludes none.
    spared = any(token.kind == "otherwise" for token in tokens)
    found: list[Observation] = []
    for clause, planned in _clauses(tokens):
        claims = _claims(clause)
        if not claims:
            continue
        _settle(clause, claims, planned)
        reach = _reach(clause, claims)
        for claim, words in zip(claims, reach, strict=True):
            claim.change = _first(words, "change")
        _spread_change(clause, claims)
        for claim, words in zip(claims, reach, strict=True):
            if not claim.dropped and not (claim.normal and spared):
                found += _written(clause, claim, words)
    return tuple(found)


def _written(clause: list[Token], claim: Claim, words: list[Token]) -> Iterator[Observation]:
    side, zone = _side_and_zone(words)
    absent = claim.status == "absent"
    for finding in claim.findings:
        midline = finding in _MIDLINE
        yield Observation(
            finding,
            claim.status,
            location="" if midline else _location(finding, side, zone),
            side="" if midline else side,
            severity="" if absent else _first(words, "severity"),
            change=("resolved" if claim.resolved else "") if absent else claim.change,
            start=clause[claim.first].start,
            end=clause[claim.last].end,
        )
