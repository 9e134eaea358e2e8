"""A sentence's tokens cut into clauses: as far as a negation, a doubt or a plan may reach."""

from __future__ import annotations

from collections.abc import Iterator

from cxreason.text.tokens import Span, Token
from cxreason.text.vocabulary import IS

FAR = 40
"""How many tokens ahead a new subject may have its verb; keeps endless repetition cheap to read."""
LISTING = ("comma", "and", "or")
CLAIMING = ("finding", "abnormality")
ENDING = ("break", "colon")
OPENING = ("article", "structure", "verb")


def clauses(tokens: list[Token], spans: list[Span]) -> Iterator[tuple[list[Token], list[Span], bool]]:
    """(clause, its places, hypothetical from its start). A clause ends at a conjunction, or where a list
    gives way to a new subject with its own verb ("no effusion, and the heart is enlarged")."""
    tokens, spans = tokens.copy(), spans.copy()
    start = position = 0
    planned = False
    asserts = plans = False  # something in this clause could already be a claim; a plan begins in it
    appearance = 0
    while position < len(tokens):
        token = tokens[position]
        kind = token.kind
        if kind in ENDING:
            looks_back = kind == "break" and _looks_back(tokens, position + 1)
            if (asserts or plans or planned) and not looks_back:
                yield tokens[start:position], spans[start:position], planned
                start = position = position + 1
                planned = asserts = plans = False
                appearance = 0
            elif kind == "colon":  # "Heart: normal."
                tokens[position] = IS
                position += 1
            else:
                del tokens[position], spans[position]
            continue
        if asserts and kind in OPENING and _starts_subject(tokens, start, position):
            cut = max(i for i in range(start, position) if tokens[i].kind in LISTING) + 1
            yield tokens[start:cut], spans[start:cut], planned
            planned = (planned or plans) and kind != "verb"
            start, asserts, plans, appearance = cut, False, False, 0
        if kind in CLAIMING:
            asserts = True
        elif kind == "structure" or token.quality:
            appearance |= 1 if kind == "structure" else 2
            asserts = asserts or appearance == 3
        elif kind == "hypothetical" and token.value == "fwd":
            plans = True
        position += 1
    if start < len(tokens):
        yield tokens[start:], spans[start:], planned


def _looks_back(tokens: list[Token], position: int) -> bool:
    """Whether what follows a "but" still speaks of what stands before it: "less likely but not excluded"."""
    return position < len(tokens) and tokens[position].kind in ("uncertain after", "negation after")


def _starts_subject(tokens: list[Token], start: int, position: int) -> bool:
    """Whether the token opens a new subject with its own verb, rather than the next item of a list."""
    token = tokens[position]
    if token.kind == "verb":
        return token.value == "there" and position > start and tokens[position - 1].kind in LISTING
    if token.kind == "article" and token.value != "the":
        return False
    before = position - 1
    while before >= start and tokens[before].kind in ("place", "article", "severity"):
        before -= 1
    if before < start or tokens[before].kind not in ("comma", "and"):
        return False
    for later in tokens[position + 1 : position + FAR]:
        if later.kind == "break":
            return False
        if later.kind == "verb" or (later.quality and token.kind == "structure"):
            return True
    return False
