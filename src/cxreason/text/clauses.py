"""A sentence's tokens cut into clauses: as far as a negation, a doubt or a plan may reach."""

from __future__ import annotations

from collections.abc import Iterator

from cxreason.text.tokens import Token

FAR = 40
"""How many tokens ahead a new subject may have its verb; keeps endless repetition cheap to read."""
LISTING = ("comma", "and", "or")
CLAIMING = ("finding", "abnormality")


def clauses(tokens: list[Token]) -> Iterator[tuple[list[Token], bool]]:
    """(clause, hypothetical from its start). A clause ends at a conjunction, or where a list gives way to
    a new subject with its own verb ("no effusion, and the heart is enlarged")."""
    clause: list[Token] = []
    planned = False
    asserts = plans = False  # something in this clause could already be a claim; a plan begins in it
    appearance = 0
    for position, token in enumerate(tokens):
        kind = token.kind
        if kind == "break" and _looks_back(tokens, position + 1):
            continue
        if kind in ("break", "colon"):
            if asserts or plans or planned:
                yield clause, planned
                clause, planned, asserts, plans, appearance = [], False, False, False, 0
            elif kind == "colon":  # "Heart: normal."
                clause.append(Token("verb", "is", token.start, token.end))
            continue
        if asserts and kind in ("article", "structure", "verb") and _starts_subject(clause, tokens, position):
            cut = max(i for i, word in enumerate(clause) if word.kind in LISTING) + 1
            yield clause[:cut], planned
            planned = (planned or plans) and kind != "verb"
            clause, asserts, plans, appearance = clause[cut:], False, False, 0
        clause.append(token)
        appearance |= 1 if kind == "structure" else 2 if token.quality else 0
        asserts = asserts or kind in CLAIMING or appearance == 3
        plans = plans or (kind == "hypothetical" and token.value == "fwd")
    if clause:
        yield clause, planned


def _looks_back(tokens: list[Token], position: int) -> bool:
    """Whether what follows a "but" still speaks of what stands before it: "less likely but not excluded"."""
    return position < len(tokens) and tokens[position].kind in ("uncertain after", "negation after")


def _starts_subject(clause: list[Token], tokens: list[Token], position: int) -> bool:
    """Whether the token opens a new subject with its own verb, rather than the next item of a list."""
    token = tokens[position]
    if token.kind == "verb":
        return token.value == "there" and bool(clause) and clause[-1].kind in LISTING
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
        if later.kind == "verb" or (later.quality and token.kind == "structure"):
            return True
    return False
