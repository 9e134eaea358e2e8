"""Every phrase that the reader reacts to, and what it means: built from `lexicon/`, checked while it is read.

>>> phrases()["granulomata"].value
'granuloma'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from cxreason.text import ontology
from cxreason.text.lexicon_files import expand, rows


@dataclass(frozen=True, slots=True, eq=False)
class Meaning:
    """What one phrase contributes: a kind of word and its value.

    `findings` are what it names or, denied, excludes. `quality` is set where a size or a change also tells
    how a structure looks: "increased" markings. `place` is told by words inside the phrase: "apical cap".
    Meanings are compared by identity, so that a tuple of them is looked up at once. `code` is all that the
    cutting into clauses asks of a meaning, as a letter.
    """

    kind: str
    value: str = ""
    findings: tuple[str, ...] = ()
    quality: str = ""
    place: str = ""
    code: str = field(init=False)

    def __post_init__(self) -> None:
        code = CODES.get((self.kind, self.value)) or CODES.get((self.kind, ""), ".")
        object.__setattr__(self, "code", QUALIFIED.get(self.kind, code) if self.quality else code)


CODES = {
    ("finding", ""): "f",
    ("abnormality", ""): "f",
    ("structure", ""): "s",
    ("comma", ""): ",",
    ("and", ""): "&",
    ("or", ""): "|",
    ("break", ""): ";",
    ("colon", ""): ":",
    ("article", ""): "a",
    ("article", "the"): "t",
    ("verb", ""): "v",
    ("verb", "there"): "V",
    ("place", ""): "p",
    ("severity", ""): "d",
    ("hypothetical", ""): "h",
    ("hypothetical", "fwd"): "F",
    ("hypothetical", "sentence"): "H",
    ("hypothetical", "rest"): "H",
    ("negation after", ""): "u",
    ("uncertain after", ""): "u",
    ("otherwise", ""): "o",
}
"""(kind, value, or nothing for every other value) -> code; a "." stands for all else."""
QUALIFIED = {"severity": "D", "change": "q", "quality": "q"}
"""The codes of what also tells how a structure looks."""

NOTHING = Meaning("")
IGNORED = Meaning("ignore")
COMMA = Meaning("comma")
TIGHT_COMMA = Meaning("comma", "tight")
"""A comma behind a negation, without a space between: "No, there is ..." denies nothing."""
IS = Meaning("verb", "is")
AND = Meaning("and")

PUNCTUATION = {
    ",": COMMA,
    ";": Meaning("break"),
    ":": Meaning("colon"),
    "(": COMMA,
    ")": COMMA,
    "/": Meaning("or"),
    "?": Meaning("uncertain"),
    "--": COMMA,
    "\u2013": COMMA,
    "\u2014": COMMA,
}


@cache
def _shape(kind: str, value: str, quality: str, place: str) -> Meaning:
    return Meaning(kind, value, quality=quality, place=place)


class _Shapes(dict[Meaning, Meaning]):
    def __missing__(self, meaning: Meaning) -> Meaning:
        value = "" if meaning.kind in ("finding", "abnormality") else meaning.value
        self[meaning] = _shape(meaning.kind, value, meaning.quality, meaning.place)
        return self[meaning]


SHAPES = _Shapes()
"""Meaning -> what it does in a clause, whichever finding it names: one and the same for all that do alike."""


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Short names for lists of findings, such as "@acute"."""
    return {name: _findings(place, names, {}) for place, (name, names) in rows("groups.tsv", 2)}


def _findings(place: str, written: str, known_groups: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    names: list[str] = []
    for name in written.split(", "):
        if name.startswith("@") and name in known_groups:
            names += known_groups[name]
        elif name in ontology.parents():
            names.append(name)
        else:
            raise ValueError(f"{place}: unknown finding {name!r}")
    return tuple(names)


@cache
def appearances() -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """(structure, quality) -> (status, findings): "heart" that is "enlarged" is cardiomegaly present."""
    known: dict[tuple[str, str], tuple[str, tuple[str, ...]]] = {}
    for place, (structure, quality, status, findings) in rows("appearances.tsv", 4):
        if status not in ("present", "absent"):
            raise ValueError(f"{place}: status {status!r}, write present or absent")
        if (structure, quality) in known:
            raise ValueError(f"{place}: {structure} {quality} stands twice")
        known[structure, quality] = (status, _findings(place, findings, groups()))
    return known


def _plurals(phrase: str) -> list[str]:
    if phrase.endswith("is"):
        return [phrase[:-2] + "es"]
    if phrase.endswith("y"):
        return [phrase[:-1] + "ies"]
    if phrase.endswith("s") and not phrase.endswith("ss"):
        return []
    return [phrase + "s", phrase + "es"] if phrase.endswith(("x", "ss")) else [phrase + "s"]


@cache
def phrases() -> dict[str, Meaning]:
    """Phrase -> meaning. A phrase has one meaning; a second line for it is a mistake in the data and raises.

    Only a quality may share its phrase with a size or a change: `Meaning.quality` keeps both.
    """
    known: dict[str, Meaning] = {}
    where: dict[str, str] = {}
    generated: dict[str, Meaning] = {}

    def learn(place: str, written: str, meaning: Meaning, plural: bool = False) -> None:
        for phrase in expand(place, written):
            if phrase in known:
                raise ValueError(f"{place}: phrase {phrase!r} stands twice, first in {where[phrase]}")
            known[phrase], where[phrase] = meaning, place
            for form in _plurals(phrase) if plural else ():
                generated.setdefault(form, meaning)

    for place, (name, _) in rows("concepts.tsv", 2):
        learn(place, name, Meaning("finding", name, (name,)), plural=True)
    for place, (name, phrase) in rows("findings.tsv", 2):
        learn(place, phrase, Meaning("finding", name, _findings(place, name, {})), plural=True)
    for place, (structure, phrase) in rows("structures.tsv", 2):
        learn(place, phrase, Meaning("structure", structure), plural=True)
    for place, (phrase, findings) in rows("abnormalities.tsv", 2):
        meaning = Meaning("abnormality", "", _findings(place, findings, groups()))
        learn(place, phrase, meaning, plural=True)
    for place, (kind, value, phrase) in rows("cues.tsv", 3):
        if kind not in KINDS:
            raise ValueError(f"{place}: unknown kind {kind!r}, one of {', '.join(KINDS)}")
        learn(place, phrase, IGNORED if kind == "ignore" else Meaning(kind, value))
    for place, (quality, written) in rows("qualities.tsv", 2):
        for phrase in expand(place, written):
            if phrase in known and known[phrase].kind in ("severity", "change") and not known[phrase].quality:
                known[phrase] = replace(known[phrase], quality=quality)
            else:
                learn(place, phrase, Meaning("quality", quality, quality=quality))
    known = {**generated, **known}  # a plural never hides a phrase that somebody wrote down
    places = {phrase: meaning.value for phrase, meaning in known.items() if meaning.kind == "place"}
    for phrase, meaning in known.items():
        if meaning.kind == "finding":
            told = " ".join(places[word] for word in phrase.split(" ") if word in places)
            known[phrase] = replace(meaning, place=told) if told else meaning
    return known


KINDS = (
    "negation",
    "negation after",
    "uncertain",
    "uncertain after",
    "hypothetical",
    "change",
    "severity",
    "place",
    "otherwise",
    "break",
    "verb",
    "with",
    "and",
    "or",
    "article",
    "ignore",
)
"""The kinds of cue, as `cues.tsv` may name them."""

WORD = re.compile(r"([a-z]/[a-z]?\b|[a-z0-9']+|[,;:()/?]|--|\s-\s|[\u2013\u2014])")
"""A word of a phrase, or the punctuation that parts clauses. "s/p" and "w/o" are words."""

Branch = tuple[Meaning | None, "dict[str, Branch] | None"]
"""What a phrase that ends here means, and the words that may go on."""


@cache
def tree() -> dict[str, Branch]:
    """The phrases, and the punctuation, as a tree of words.

    >>> tree()["pleural"][1]["effusion"][0].value
    'pleural effusion'
    """
    root: dict[str, Any] = {}
    for phrase, meaning in phrases().items():
        branch = root
        for word in phrase.split(" "):
            branch = branch.setdefault(word, {})
        branch[""] = meaning

    def closed(branch: dict[str, Any]) -> Branch:
        meaning = branch.pop("", None)
        return meaning, {word: closed(further) for word, further in branch.items()} or None

    return {mark: (meaning, None) for mark, meaning in PUNCTUATION.items()} | {
        word: closed(branch) for word, branch in root.items()
    }
