"""The files of `lexicon/`: rows of tab-separated columns, each with the place where it stands.

    concepts.tsv       concept, parents          what can be found, and of what kind it is
    findings.tsv       concept, phrase           what it is called
    structures.tsv     structure, phrase         what can be called normal or abnormal
    qualities.tsv      quality, phrase           how a structure can look
    appearances.tsv    structure, quality, status, findings    what a structure that looks so says
    abnormalities.tsv  phrase, findings          what its denial excludes
    cues.tsv           kind, value, phrase       negation, doubt, place, size, change, clause ends
    groups.tsv         name, findings            short names for lists of findings
    labels.tsv         scheme, label, concepts, except    the label sets of public datasets

A phrase is written in lower case, words parted by single spaces. "[a|b|] c" stands for "a c", "b c", "c".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path

FOLDER = Path(__file__).parent / "lexicon"

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_PHRASE = re.compile(r"(?:[a-z]/[a-z]?|[a-z0-9']+)(?: (?:[a-z]/[a-z]?|[a-z0-9']+))*")


def rows(name: str, num_columns: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(place, columns) for each line of a file that is no comment; a place reads "cues.tsv, line 3".

    >>> next(rows("concepts.tsv", 2))[1][0]
    'enlarged cardiomediastinum'
    """
    for number, line in enumerate((FOLDER / name).read_text(encoding="utf-8").splitlines(), start=1):
        if not line or line.startswith("#"):
            continue
        columns = tuple(column.strip() for column in line.split("\t"))
        if len(columns) != num_columns:
            raise ValueError(f"{name}, line {number}: {len(columns)} columns where {num_columns} should be")
        yield f"{name}, line {number}", columns


def expand(place: str, written: str) -> list[str]:
    """Every phrase that a written one stands for.

    >>> expand("here", "[left|right|] pleural effusion")
    ['left pleural effusion', 'right pleural effusion', 'pleural effusion']
    """
    if "[" not in written:
        phrases = [written]
    else:
        parts = _CHOICE.split(written)
        choices = [part.split("|") if number % 2 else [part] for number, part in enumerate(parts)]
        phrases = [" ".join("".join(chosen).split()) for chosen in product(*choices)]
    for phrase in phrases:
        if not _PHRASE.fullmatch(phrase):
            raise ValueError(
                f"{place}: phrase {phrase!r}: lower-case words, single spaces, no hyphens please"
            )
    return phrases
