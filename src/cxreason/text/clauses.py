"""A sentence's tokens cut into clauses: as far as a negation, a doubt or a plan may reach.

Where to cut is decided by the codes of the tokens alone (`vocabulary.CODES`), so a row of codes is cut once.
"""

from __future__ import annotations

import re
from functools import lru_cache

FAR = 40
"""How many tokens ahead a new subject may have its verb; keeps endless repetition cheap to read."""
LISTING = ("comma", "and", "or")
CLAIMING = ("finding", "abnormality")
APPEARING = "qD"
"""The codes of what tells how a structure looks."""
IS_PLACE = -1
"""Stands for a colon that is read as "is": "Heart: normal."."""
LEFT_OUT = -2
_DECIDING = frozenset("fsqDF;:tV")
_CUTS = re.compile(r"[;:]|[,&|]V|[,&][padD]*[ts]")
"""Without any of these a sentence is one clause as it stands."""

Clause = tuple[tuple[int, ...], bool]
"""The positions of its tokens in the sentence, and whether it is hypothetical from its start."""


@lru_cache(maxsize=65_536)
def clauses(codes: str) -> tuple[Clause, ...]:
    """The clauses of a sentence; nothing where it is one clause as it stands. A clause ends at a conjunction,
    or where a list gives way to a new subject with its own verb ("no effusion, and the heart is enlarged").

    >>> clauses("f;sq")  # an effusion, but the heart is enlarged
    (((0,), False), ((2, 3), False))
    """
    if not _CUTS.search(codes):
        return ()
    places = list(range(len(codes)))  # a negative one is left out
    found: list[Clause] = []
    start = 0
    planned = False
    asserts = plans = False  # something in this clause could already be a claim; a plan begins in it
    structure = appearance = False
    for position, code in enumerate(codes):
        if code not in _DECIDING:
            continue
        end = position
        if code in ";:":
            looks_back = (
                code == ";" and codes[position + 1 : position + 2] == "u"
            )  # "less likely but not excluded"
            if looks_back or not (asserts or plans or planned):
                places[position] = IS_PLACE if code == ":" else LEFT_OUT
                continue
            begin = position + 1
        elif asserts and code in "tsV" and _starts_subject(codes, places, start, position):
            end = begin = 1 + max(codes.rfind(listing, start, position) for listing in ",&|")
        else:
            begin = start
        if begin > start:
            found.append((_kept(places[start:end]), planned))
            planned = code not in ";:V" and (planned or plans)
            start = begin
            asserts = plans = structure = appearance = False
        if code == "f":
            asserts = True
        elif code == "s" or code in APPEARING:
            structure, appearance = structure or code == "s", appearance or code != "s"
            asserts = asserts or (structure and appearance)
        elif code == "F":
            plans = True
    if last := _kept(places[start:]):
        found.append((last, planned))
    return tuple(found)


def _kept(places: list[int]) -> tuple[int, ...]:
    return tuple([place for place in places if place != LEFT_OUT] if LEFT_OUT in places else places)


def _starts_subject(codes: str, places: list[int], start: int, position: int) -> bool:
    """Whether the token opens a new subject with its own verb, rather than the next item of a list."""
    if codes[position] == "V":
        before = position - 1
        while before >= start and places[before] == LEFT_OUT:
            before -= 1
        return before >= start and codes[before] in ",&|"
    before = position - 1
    while before >= start and (codes[before] in "patdD" or places[before] == LEFT_OUT):
        before -= 1
    if before < start or codes[before] not in ",&":
        return False
    ahead = codes[position + 1 : position + FAR].partition(";")[0]
    verb = "v" in ahead or "V" in ahead
    return verb or (codes[position] == "s" and any(code in ahead for code in APPEARING))
