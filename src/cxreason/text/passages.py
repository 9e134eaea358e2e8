"""A section of a report cut by anatomy: what it says of the lungs, the pleura, the heart and so on.

A sentence belongs to every region that it names; a line with a heading ("Pleura: ...") belongs to that of its
heading. Which words name a region is data, `lexicon/regions.tsv`. What names none belongs nowhere. (The
passages behind the published "local" tasks were written anew by a language model and were never released.)

    >>> passages("Heart size is normal. No effusion or pneumothorax. Comparison is limited.")
    {'heart': 'Heart size is normal.', 'pleura': 'No effusion or pneumothorax.'}
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from cxreason.text.lexicon_files import rows
from cxreason.text.sections import TEXTS, headed_sentences

_WORD = re.compile("[a-z]+")

HEADINGS = {
    "cardiovascular": ("heart", "mediastinum"),
    "cardiac": ("heart",),
    "cardiomediastinum": ("heart", "mediastinum"),
    "heart and mediastinum": ("heart", "mediastinum"),
    "lines and tubes": ("devices",),
    "tubes and lines": ("devices",),
    "lines/tubes": ("devices",),
    "pleura/lungs": ("lungs", "pleura"),
    "lungs/pleura": ("lungs", "pleura"),
    "lungs and pleura": ("lungs", "pleura"),
    "musculoskeletal": ("bones",),
    "upper abdomen": ("abdomen",),
    "other": (),
}
"""Headings of lines that are not read like words: what they open."""


@cache
def _phrases() -> dict[str, tuple[str, ...]]:
    """Phrase -> the regions that it names; the longest first."""
    found: dict[str, tuple[str, ...]] = {}
    for _, (region, phrase) in rows("regions.tsv", 2):
        found[phrase] = (*found.get(phrase, ()), region)
    return dict(sorted(found.items(), key=lambda item: -len(item[0])))


def regions() -> tuple[str, ...]:
    """The regions, in the order of the lexicon.

    >>> regions()[0]
    'lungs'
    """
    return tuple(dict.fromkeys(region for _, (region, _) in rows("regions.tsv", 2)))


@cache
def _longer() -> dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]]:
    """First word -> the phrases of several words that begin with it and their regions, the longest first."""
    found: dict[str, list[tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for phrase, named in _phrases().items():
        words = tuple(phrase.split())
        if len(words) > 1:
            found.setdefault(words[0], []).append((words, named))
    return found


@lru_cache(maxsize=65_536)
def _of_word(word: str) -> tuple[str, ...]:
    """The regions that one word names, by the longest phrase that fits it."""
    return next((named for phrase, named in _phrases().items() if _fits(word, phrase)), ())


def _fits(word: str, phrase: str) -> bool:
    return word.startswith(phrase[:-1]) if phrase.endswith("*") else word == phrase


@lru_cache(maxsize=65_536)
def named_regions(text: str) -> tuple[str, ...]:
    """The regions that a sentence names, each once, in the order in which it names them.

    >>> named_regions("The cardiomediastinal contours and lungs are normal.")
    ('heart', 'mediastinum', 'lungs')
    """
    words = _WORD.findall(text.lower())
    found: dict[str, None] = {}
    position = 0
    while position < len(words):
        step, named = 1, _of_word(words[position])
        for phrase, regions_of_it in _longer().get(words[position], ()):
            if len(words) >= position + len(phrase) and all(
                map(_fits, words[position : position + len(phrase)], phrase)
            ):
                step, named = len(phrase), regions_of_it
                break
        found.update(dict.fromkeys(named))
        position += step
    return tuple(found)


def passages(text: str) -> dict[str, str]:
    """Region -> the sentences that speak of it, as one text, in the order of the section."""
    return {region: " ".join(said) for region, said in sentences_about(text).items()}


@lru_cache(maxsize=TEXTS)
def sentences_about(text: str) -> dict[str, list[str]]:
    """Region -> the sentences that speak of it, each on one line.

    >>> sentences_about("Heart size is normal. No effusion.")
    {'heart': ['Heart size is normal.'], 'pleura': ['No effusion.']}
    """
    found: dict[str, list[str]] = {}
    for heading, said in headed_sentences(text):
        opened = _opened(heading) if heading else ()
        for sentence in said:
            for region in opened or named_regions(sentence):
                found.setdefault(region, []).append(sentence)
    return found


def _opened(heading: str) -> tuple[str, ...]:
    """The regions that a heading opens."""
    name = heading.lower()
    return HEADINGS[name] if name in HEADINGS else named_regions(heading)
