"""What a clause claims: each finding it names, present, absent or uncertain.

Findings, and structures with a quality ("heart ... enlarged"), become claims; negation and doubt are walked
through the clause from left to right, and some words settle what stands before them ("... is not seen").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from cxreason.text.clauses import FAR, LISTING
from cxreason.text.ontology import implies
from cxreason.text.tokens import Token
from cxreason.text.vocabulary import IS, NOTHING, SHAPES, appearances

Status = Literal["present", "absent", "uncertain"]
Hedge = Literal["", "suggested", "alternative"]
"""How a finding is said to be there, where it is not plainly said: "suggests edema" is present, "edema versus
infection" uncertain. What is made of either is the reader's choice."""
PARTING = ("comma", "and", "or", "with")
FRESH = ("severity", "change", "place")
SETTLING = frozenset(("negation", "negation after", "uncertain", "uncertain after", "hypothetical"))
"""Without one of these all that a clause claims is present."""
IDLE = frozenset(("or", "article", "change", "severity", "place"))
"""What settles nothing and, where it has no quality, claims nothing."""
MANY = 8
"""More structures than any sentence describes at once; keeps endless repetition cheap to read."""


@dataclass(slots=True)
class Claim:
    """A finding or an appearance on its way to becoming observations; `first`..`last` are token positions."""

    findings: tuple[str, ...]
    status: Status
    first: int
    last: int
    trigger: int = 0
    normal: bool = False
    dropped: bool = False
    resolved: bool = False
    vague: bool = False
    """An "abnormality": it says something only where it is denied."""
    hedge: Hedge = ""
    within: tuple[str, ...] = ()
    """What an "abnormality" can be of the structure that is said to have none: "the bones show no ..."."""


def claims_of(clause: Sequence[Token], kinds: Set[str]) -> list[Claim]:
    """The claims of a clause with their status settled; none where it only asks. `kinds` are its tokens'."""
    if "hypothetical" in kinds and any(
        token.kind == "hypothetical" and token.value not in ("fwd", "near") for token in clause
    ):
        return []
    claims = _claims(clause)
    if claims and not kinds.isdisjoint(SETTLING):
        _settle(clause, claims)
    if "or" in kinds:
        _weigh_alternatives(clause, claims)
    for claim in claims:
        if claim.vague and claim.status != "absent":
            claim.dropped = True
    return claims


def _claims(clause: Sequence[Token]) -> list[Claim]:
    """Findings as they stand, and structures joined with the quality before or behind them."""
    claims: list[Claim] = []
    structures: list[int] = []
    described: list[int] = []  # the structures of the last quality: "normal or mildly enlarged"
    pending: list[int] = []  # qualities whose structure is still to come: "calcified and tortuous aorta"
    parted = True  # a separator since the last structure: "heart and mediastinum", but "bones of the chest"
    for position, token in enumerate(clause):
        kind = token.kind
        if kind in ("finding", "abnormality"):
            vague = kind == "abnormality"
            within = _possible(clause, structures, position) if vague else ()
            claims.append(
                Claim(token.findings, "present", position, position, position, vague=vague, within=within)
            )
            pending = []
        elif kind in LISTING:
            parted = True
        elif kind == "structure":
            ahead = [
                claim for at in pending if parted for claim in _appearance(clause, position, at, position)
            ]
            if ahead and not _has_own_quality(clause, position):
                claims += ahead
            elif (parted or not structures) and len(structures) < MANY:
                structures.append(position)
            parted = False
        elif token.quality:
            before = clause[position - 1 - (clause[position - 1].kind == "severity")].kind if position else ""
            if not structures and before in LISTING and not _names_structure(clause, position + 1):
                structures = [at for at in described if position - at < FAR]
            if structures:
                said = [claim for at in structures for claim in _appearance(clause, at, position, position)]
                claims += said
                if said:
                    described, structures, pending = structures, [], []
                    continue
            if kind == "quality" or not pending:
                pending = [*pending[-1:], position] if before in LISTING else [position]
                parted = True
    return sorted(claims, key=lambda claim: (claim.first, claim.last)) if len(claims) > 1 else claims


def _possible(clause: Sequence[Token], structures: list[int], position: int) -> tuple[str, ...]:
    """The findings that a structure without any abnormality excludes, where one is the subject."""
    if not structures or any(token.kind in LISTING for token in clause[structures[-1] : position]):
        return ()
    found = (appearances().get((clause[at].value, "normal"), ("", ()))[1] for at in structures)
    return tuple(dict.fromkeys(name for names in found for name in names))


def _names_structure(clause: Sequence[Token], position: int) -> bool:
    return any(token.kind == "structure" for token in clause[position : position + FAR])


def _has_own_quality(clause: Sequence[Token], structure: int) -> bool:
    """Whether a structure is described behind: "normal heart size, lungs hazy"."""
    for token in clause[structure + 1 : structure + FAR]:
        if token.quality:
            return token.kind == "quality"
        if token.kind not in ("verb", "severity", "place", "structure", "and"):
            return False
    return False


def _appearance(clause: Sequence[Token], structure: int, quality: int, trigger: int) -> list[Claim]:
    said = appearances().get((clause[structure].value, clause[quality].quality))
    if said is None:
        return []
    status: Status = "absent" if said[0] == "absent" else "present"
    first, last = min(structure, quality), max(structure, quality)
    return [Claim(said[1], status, first, last, trigger, normal=status == "absent")]


def _settle(clause: Sequence[Token], claims: list[Claim]) -> None:
    """Give each claim its status: walk the clause with the negation and the doubt that are open."""
    by_trigger: dict[int, list[Claim]] = {}
    for claim in claims:
        by_trigger.setdefault(claim.trigger, []).append(claim)
    last_or = max((position for position, token in enumerate(clause) if token.kind == "or"), default=-1)
    last_claim = max(by_trigger)
    negation = doubt = None
    negated = doubted = False  # whether the open negation, or doubt, has met a claim yet
    plan = ""
    for position, token in enumerate(clause):
        kind = token.kind
        if kind in IDLE and not token.quality:
            continue
        following = clause[position + 1] if position + 1 < len(clause) else NOTHING
        if kind == "hypothetical":
            plan = token.value
        elif kind in ("negation", "negation after", "uncertain", "uncertain after"):
            if _settles_backward(clause, claims, position, last_claim):
                continue
            if kind in ("uncertain", "uncertain after"):
                negation = None if negated else negation
                doubt, doubted = token, False
            elif token.value != "none" and following.value != "tight":  # "No, there is ..."
                negation, negated = position, False
        elif kind in ("verb", "with", "otherwise"):
            if not (token.value == "seen" and _describes(clause, position)):
                negation = None if negated else negation
                doubt = None if doubted else doubt
                plan = "" if plan == "near" else plan
        elif kind == "comma" and plan == "near":
            plan = ""
        elif kind in ("comma", "and") and position > last_or:
            fresh = following.kind in FRESH or (following.kind == "article" and following.value == "a")
            negation = None if negated and fresh else negation
            doubt = None if doubted and doubt is not None and doubt.value != "list" else doubt
        for claim in by_trigger.get(position, ()):
            if plan:
                claim.dropped = True
            elif negation is not None:
                _negate(clause, claim, negation)
                negated = True
            elif doubt is not None:
                _doubt(claim, doubt)
                doubted = True


def _describes(clause: Sequence[Token], position: int) -> bool:
    """Whether a "visible" or "identified" describes what comes next: "no edema or visible effusion"."""
    before = clause[position - 1].kind if position else ""
    after = clause[position + 1].kind if position + 1 < len(clause) else ""
    return before in ("negation", *LISTING) and after in ("finding", "abnormality", "severity", "place")


def _doubt(claim: Claim, cue: Token) -> None:
    if cue.value.startswith("suggested"):
        claim.hedge = "suggested"
    else:
        claim.status, claim.dropped = "uncertain", claim.dropped or claim.normal
        claim.hedge = "alternative" if cue.value == "alternative" else claim.hedge


def _weigh_alternatives(clause: Sequence[Token], claims: list[Claim]) -> None:
    """Both sides of a "versus" are in doubt."""
    for first, second in pairwise(claims):
        between = clause[first.last + 1 : second.first]
        if any(token.value == "versus" for token in between):
            for claim in (first, second):
                if claim.status == "present":
                    claim.status, claim.hedge = "uncertain", "alternative"
                    claim.dropped = claim.dropped or claim.normal


def _settles_backward(clause: Sequence[Token], claims: list[Claim], position: int, last_claim: int) -> bool:
    """Settle the claims that a word behind them decides ("... is not seen", "... may be present").

    A doubt with nothing left to doubt looks back as well ("effusion suspected"). False where the word does
    not look back, or finds nothing behind it.
    """
    token = clause[position]
    following = clause[position + 1] if position + 1 < len(clause) else NOTHING
    seen_next = following.kind == "verb" and following.value == "seen"
    at_end = position + 1 == len(clause)
    if token.value == "none" and not at_end:
        return False
    answers = at_end and position > 0 and clause[position - 1] is SHAPES[IS]  # "Edema: no"
    if token.kind == "negation" and not answers and not (token.value == "not" and seen_next):
        return False
    looks_back = token.value.endswith("either") and position > last_claim
    if token.kind == "uncertain" and not seen_next and not looks_back:
        return False
    earlier = [claim for claim in claims if claim.last < position]
    for claim in listed(clause, earlier):
        if token.kind in ("uncertain", "uncertain after"):
            _doubt(claim, token)
        else:
            claim.status, claim.dropped = "absent", claim.dropped or claim.normal
            claim.resolved = token.kind == "negation after" and token.value == "resolved"
    return bool(earlier)


def _negate(clause: Sequence[Token], claim: Claim, negation: int) -> None:
    """A negation before the claim: it turns a finding round, spoils a normal statement ("not clear"), and
    does not reach over a comma into an appearance ("no effusion, heart enlarged")."""
    own_subject = claim.normal or clause[claim.first].kind == "structure"
    if own_subject and any(token.kind in PARTING for token in clause[negation : claim.first]):
        return
    if claim.normal:
        claim.dropped = True
    else:
        claim.status = "absent"
        claim.findings = _denied_as_normal(clause, claim)
        claim.resolved = clause[negation].value == "resolved"


def _denied_as_normal(clause: Sequence[Token], claim: Claim) -> tuple[str, ...]:
    """A heart that is "not enlarged" is a normal heart: what a denied appearance excludes."""
    structure = next(
        (clause[i].value for i in (claim.first, claim.last) if clause[i].kind == "structure"), ""
    )
    if not structure:
        return claim.findings
    _, normal = appearances().get((structure, "normal"), ("", ()))
    wider = [name for name in normal for finding in claim.findings if implies(finding, name)]
    narrowest = tuple(name for name in wider if not any(o != name and implies(o, name) for o in wider))
    return narrowest or claim.findings


def listed(clause: Sequence[Token], claims: list[Claim]) -> Iterator[Claim]:
    """The last claim and those before it that share its verb: "effusion, edema and nodule (are not seen)"."""
    joined = False
    for index in range(len(claims) - 1, -1, -1):
        yield claims[index]
        between = clause[claims[index - 1].last + 1 : claims[index].first] if index else []
        kinds = {token.kind for token in between}
        joined = joined or "and" in kinds or "or" in kinds
        if not joined or not kinds & set(LISTING) or kinds & {"verb", "with", "uncertain"}:
            return
