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
from cxreason.text.sections import headed_lines, sentences

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
def _stems() -> dict[str, tuple[str, ...]]:
    """Phrase, without its star -> the regions that it names; the longest first."""
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
def _pattern() -> re.Pattern[str]:
    phrases = (
        re.escape(phrase.rstrip("*")) + (r"\w*" if phrase.endswith("*") else r"\b") for phrase in _stems()
    )
    return re.compile(rf"\b(?:{'|'.join(phrases)})", re.IGNORECASE)


@lru_cache(maxsize=4096)
def _named_by(words: str) -> tuple[str, ...]:
    for phrase, named in _stems().items():
        if words == phrase or (phrase.endswith("*") and words.startswith(phrase[:-1])):
            return named
    raise ValueError(f"{words!r} is no phrase of regions.tsv")


@lru_cache(maxsize=65_536)
def named_regions(text: str) -> tuple[str, ...]:
    """The regions that a sentence names, each once, in the order in which it names them.

    >>> named_regions("The cardiomediastinal contours and lungs are normal.")
    ('heart', 'mediastinum', 'lungs')
    """
    found = (_named_by(match[0].lower()) for match in _pattern().finditer(text))
    return tuple(dict.fromkeys(region for named in found for region in named))


@lru_cache(maxsize=4096)
def passages(text: str) -> dict[str, str]:
    """Region -> the sentences that speak of it, in the order of the text."""
    found: dict[str, list[str]] = {}
    for heading, body in headed_lines(text):
        name = heading.lower()
        opened = HEADINGS[name] if name in HEADINGS else named_regions(heading)
        for _, sentence in sentences(body):
            for region in opened or named_regions(sentence):
                found.setdefault(region, []).append(" ".join(sentence.split()))
    return {region: " ".join(said) for region, said in found.items()}
