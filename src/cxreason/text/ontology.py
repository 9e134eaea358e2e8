"""What the reader knows: the findings, what implies what, and every phrase, read from `lexicon/*.tsv`.

A contributor teaches the reader a synonym by adding one line to one of these files:

    findings.tsv      finding, concept, phrase       what is called abnormal
    structures.tsv    structure, phrase              what can be called normal or abnormal
    qualities.tsv     quality, phrase                how a structure can look
    appearances.tsv   structure, quality, status, findings    what a structure that looks so says
    normal.tsv        phrase, findings               whole statements that exclude findings
    cues.tsv          kind, value, phrase            negation, doubt, place, size, change, clause ends

    >>> FINDINGS[1]
    'cardiomegaly'
    >>> PARENTS["consolidation"]
    'lung opacity'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LEXICON = Path(__file__).parent / "lexicon"

FINDINGS: tuple[str, ...] = (
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
)
NO_FINDING = "no finding"

PARENTS: dict[str, str] = dict.fromkeys(
    ("lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"), "lung opacity"
)
"""Finding -> the wider finding that it implies. Denying the wider one denies the narrower ones."""


@cache
def implies(finding: str, wider: str) -> bool:
    """Whether whatever is the one finding is also the other: itself, its parent, and its parent's parents.

    >>> implies("consolidation", "lung opacity"), implies("lung opacity", "consolidation")
    (True, False)
    """
    parent = PARENTS.get(finding)
    return finding == wider or (parent is not None and implies(parent, wider))


NORMAL_OF: dict[str, str] = {
    "enlarged cardiomediastinum": "the mediastinum is of normal width",
    "cardiomegaly": "the heart is normal in size",
    "lung opacity": "there is no lung opacity",
    "lung lesion": "there is no lung nodule",
    "edema": "the pulmonary vessels are sharp",
    "consolidation": "there is no consolidation",
    "pneumonia": "there is no sign of pneumonia",
    "atelectasis": "there is no volume loss",
    "pneumothorax": "there is no pneumothorax",
    "pleural effusion": "the costophrenic angles are sharp",
    "pleural other": "there is no pleural thickening",
    "fracture": "the bones are intact",
    "support devices": "there is no support device",
}
"""Finding -> a clause that denies it and nothing else, for writers of sentences."""


@dataclass(frozen=True)
class Concept:
    """Something that has a name of its own and counts as one of the findings: a nodule is a lung lesion."""

    name: str
    finding: str
    synonyms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What one phrase of the lexicon contributes: a kind of word and its value."""

    kind: str
    value: str = ""
    findings: tuple[str, ...] = ()


def _lines(name: str) -> list[tuple[str, ...]]:
    lines = (LEXICON / name).read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")) for line in lines if line and not line.startswith("#")]


def _split(findings: str) -> tuple[str, ...]:
    names = tuple(findings.split(", "))
    unknown = [name for name in names if name not in FINDINGS]
    if unknown:
        raise ValueError(f"lexicon names unknown findings: {unknown}")
    return names


@cache
def concepts() -> tuple[Concept, ...]:
    """Every concept with its synonyms, in the order of `findings.tsv`.

    >>> [concept.finding for concept in concepts() if "pacemaker" in concept.synonyms]
    ['support devices']
    """
    phrases: dict[tuple[str, str], list[str]] = {}
    for finding, name, phrase in _lines("findings.tsv"):
        _split(finding)
        phrases.setdefault((name, finding), []).append(phrase)
    return tuple(Concept(name, finding, tuple(synonyms)) for (name, finding), synonyms in phrases.items())


@cache
def appearances() -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """(structure, quality) -> (status, findings): "heart" that is "enlarged" is cardiomegaly present."""
    return {
        (structure, quality): (status, _split(findings))
        for structure, quality, status, findings in _lines("appearances.tsv")
    }


def _plurals(phrase: str) -> list[str]:
    if phrase.endswith("is"):
        return [phrase, phrase[:-2] + "es"]
    if phrase.endswith("y"):
        return [phrase, phrase[:-1] + "ies"]
    return (
        [phrase]
        if phrase.endswith("s")
        else [phrase, phrase + "s", *([phrase + "es"] if phrase[-1] in "x" else [])]
    )


@cache
def phrases() -> dict[str, Meaning]:
    """Every phrase the reader reacts to, lower case with single spaces, and what it means.

    One phrase has one meaning: a second line for it is a mistake in the data and raises.
    """
    known: dict[str, Meaning] = {}

    def learn(phrase: str, meaning: Meaning, plural: bool = False) -> None:
        if phrase != " ".join(re.findall(r"[a-z0-9']+", phrase)):
            raise ValueError(f"lexicon phrase {phrase!r}: lower-case words, single spaces, no hyphens please")
        if phrase in known:
            raise ValueError(f"lexicon phrase {phrase!r} stands twice: {known[phrase]} and {meaning}")
        known[phrase] = meaning
        for form in _plurals(phrase)[1:] if plural else ():
            generated.setdefault(form, meaning)

    generated: dict[str, Meaning] = {}
    for concept in concepts():
        for phrase in concept.synonyms:
            learn(phrase, Meaning("finding", concept.name, (concept.finding,)), plural=True)
    for structure, phrase in _lines("structures.tsv"):
        learn(phrase, Meaning("structure", structure), plural=True)
    for quality, phrase in _lines("qualities.tsv"):
        learn(phrase, Meaning("quality", quality))
    for phrase, findings in _lines("normal.tsv"):
        learn(phrase, Meaning("normal", "", _split(findings)))
    for kind, value, phrase in _lines("cues.tsv"):
        learn(phrase, Meaning(kind, value))
    return {**generated, **known}  # a plural never hides a phrase that somebody wrote down


@cache
def phrase_pattern() -> re.Pattern[str]:
    """One expression for every phrase and the punctuation that separates clauses.

    The alternatives share their beginnings (a trie), which keeps matching fast however long the lexicon
    grows; at each place the longest phrase wins.
    """
    trie: dict[str, dict] = {}
    for phrase in phrases():
        node = trie
        for letter in phrase:
            node = node.setdefault(letter, {})
        node[""] = {}

    def alternatives(node: dict[str, dict]) -> str:
        branches = [
            (r"[\s\-]+" if letter == " " else re.escape(letter)) + alternatives(child)
            for letter, child in sorted(node.items())
            if letter
        ]
        if not branches:
            return ""
        group = branches[0] if len(branches) == 1 and "" not in node else f"(?:{'|'.join(branches)})"
        return f"{group}?" if "" in node else group

    return re.compile(rf"\b(?:{alternatives(trie)})\b|[,;:()/?]|--|[\u2013\u2014]")
