"""Where a finding lies, how large it is and how it changed: the words that stand next to its claim."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import pairwise

from cxreason.text.claims import PARTING, Claim, listed
from cxreason.text.ontology import implies
from cxreason.text.tokens import Token
from cxreason.text.vocabulary import NOTHING

MIDLINE = ("cardiomegaly", "enlarged cardiomediastinum")


def reach(clause: Sequence[Token], claims: list[Claim]) -> list[range]:
    """For each claim the tokens that may describe it: its own, and those up to the nearest separator."""
    if len(claims) == 1:
        return [range(len(clause))]
    borders = [0]
    for earlier, later in pairwise(claims):
        gap = range(earlier.last + 1, later.first)
        parting = max((i for i in gap if clause[i].kind in PARTING), default=None)
        if parting is None:  # "opacity at the base may represent pneumonia": the place is the opacity's
            parting = next(
                (i for i in gap if clause[i].kind in ("uncertain", "verb", "negation")), earlier.last + 1
            )
        borders.append(parting)
    borders.append(len(clause))
    return [
        range(min(borders[index], claim.first), max(borders[index + 1], claim.last + 1))
        for index, claim in enumerate(claims)
    ]


def side_and_zone(words: Sequence[Token]) -> tuple[str, str]:
    """ "left", "right", "both" or nothing, and "upper", "mid", "lower" or nothing."""
    named = [token.value if token.kind == "place" else token.place for token in words]
    return _side_and_zone(tuple(filter(None, named)))


@lru_cache(maxsize=4096)
def _side_and_zone(places: tuple[str, ...]) -> tuple[str, str]:
    named = set(" ".join(places).split())
    side = "both" if "both" in named or {"left", "right"} <= named else "".join(named & {"left", "right"})
    zones = named & {"upper", "mid", "lower"}
    return side, zones.pop() if len(zones) == 1 else ""


@cache
def location(finding: str, side: str, zone: str) -> str:
    """The place in words, such as "left lower lung"; nothing where no zone is told or none makes sense."""
    if not zone or implies(finding, "support devices") or implies(finding, "edema"):
        return ""
    return f"{side} {zone} {'ribs' if implies(finding, 'fracture') else 'lung'}".strip()


def first_of(words: Sequence[Token], kind: str) -> str:
    """The first word of a kind that no "not" stands before."""
    before = NOTHING
    for token in words:
        if token.kind == kind and not (before.kind == "negation" and before.value == "not"):
            return token.value
        before = token
    return ""


def severity_of(clause: Sequence[Token], claim: Claim, near: range) -> str:
    """The size told near a claim. "Slightly decreased" sizes the change, unless it is the claim's own word
    ("mildly increased markings")."""
    for position in near:
        if clause[position].kind != "severity":
            continue
        after = clause[position + 1] if position + 1 < near.stop else NOTHING
        sizes_change = after.kind == "change" and after.value in ("worsening", "improving")
        if not sizes_change or claim.first <= position + 1 <= claim.last:
            return clause[position].value
    return ""


def changes(clause: Sequence[Token], claims: list[Claim], near: list[range]) -> list[str]:
    """The change of each claim. Said of a whole list, it belongs to each member: "effusion and edema are
    unchanged"."""
    said = [first_of(clause[words.start : words.stop], "change") for words in near]
    for index, claim in enumerate(claims):
        end = claims[index + 1].first if index + 1 < len(claims) else len(clause)
        following = clause[claim.last + 1 : end]
        said_behind = any(token.kind == "verb" for token in following) and first_of(following, "change")
        if said[index] and said_behind == said[index]:
            for earlier in range(index - len(list(listed(clause, claims[: index + 1]))) + 1, index):
                said[earlier] = said[earlier] or said[index]
    return said
