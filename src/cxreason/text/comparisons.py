"""What a report says by comparison with an earlier examination, and the same report without it.

A model that sees one examination cannot know what is new, so a text that it should write must not say so.
The comparing words are cut where a whole statement remains ("a left effusion, new since the prior study"),
and the sentence is left out where none would ("The effusion has resolved.", "Heart size is unchanged.").

    >>> without_comparison("A small left effusion, new since the prior study. Heart size is unchanged.")
    'A small left effusion.'
"""

from __future__ import annotations

import re
from functools import lru_cache

from cxreason.text.sections import TEXTS, headed_sentences

_ADVERB = (
    r"(?:(?:slightly|mildly|minimally|moderately|markedly|significantly|somewhat|grossly|essentially|largely"
    r"|overall|relatively|now|again|interval(?:ly)?)\s+)*"
)
_CHANGED = (
    r"(?:unchanged|stable|new(?:ly)?|increas(?:ed|ing)|decreas(?:ed|ing)|improv(?:ed|ing)|worse(?:n(?:ed|ing))?"
    r"|larger|smaller|similar|persist(?:ent|s|ing)?|progress(?:ed|ing)|(?:newly )?(?:appeared|developed)"
    r"|(?:more|less)(?:\s+(?:conspicuous|prominent|extensive)|(?=\s+than)))"
)
_ASPECT = r"(?:\s+in\s+(?:size|extent|appearance|position|severity|degree|configuration))?"
_EARLIER = (
    r"(?:\s*,?\s*(?:as\s+|when\s+)?(?:since|from|than(?:\s+on)?|to|with|compared\s+(?:to|with)|in\s+comparison\s+(?:to|with)"
    r"|relative\s+to)\s+(?:the\s+|a\s+)?(?:most\s+recent\s+|recent\s+|immediate\s+)?"
    r"(?:prior|previous|earlier|preceding|last)\b(?=\s*[.,;]|\s*$|\s+(?:chest|stud|exam|film|radiogr|x-?ray|imag|ct))"
    r"(?:\s+(?:chest|study|studies|exam(?:ination)?s?|films?|radiographs?|x-?rays?|images?|imaging|ct))*"
    r"|\s+in\s+the\s+interval)"
)
COMPARES = re.compile(
    r"\b(?:(?:prior|previous)(?!\s+(?:\w+\s+)?(?:granulom|surg|sternotom|infect|trauma|fractur|inflamm))"
    r"|previously|earlier|preceding|interval(?:ly)?|again|anew|comparison"
    r"|compar(?:ed|able|ative)(?!\s+(?:to|with)\s+(?:the\s+)?(?:left|right|contralateral|opposite|other))"
    r"|unchanged|(?:no|without|little|minimal|any)\s+(?:\w+\s+)?change|changed|new(?:ly)?|stable|stability"
    r"|worse\w*|improv\w+|progress(?:ed|ion|ing|ive)|persist\w*|remain\w*|resol(?:ved|ving|ution)"
    r"|remov(?:ed|al)|recurr\w+|redemonstrat\w+|re-demonstrat\w+|no longer|similar"
    rf"|(?:ha(?:s|ve)|is|are)\s+{_ADVERB}(?:in|de)creas(?:ed|ing)|(?:in|de)crease\s+in)\b"
    r"|,\s*(?:in|de)creas(?:ed|ing)\b",
    re.IGNORECASE,
)
"""A word by which a sentence speaks of another examination than this one."""

_WORD = re.compile("[a-z]+")
_STEM = re.compile(
    "prior|previous|earlier|preceding|interval|again|anew|compar|unchanged|chang|new|stab|worse|improv|progress"
    "|persist|remain|resol|remov|recurr|redemonstrat|re$|longer|similar|increas|decreas"
)
"""How the words begin without which a text can not compare."""

_GONE = re.compile(
    r"\b(?:no|without|not)\s+(?:\w+\s+)?(?:new|longer|change)\b|\bresol|\bremov", re.IGNORECASE
)
# Of these a report may say that they did not change, and so not whether they are normal.
_STRUCTURE = re.compile(
    r"\b(?:sizes?|silhouettes?|contours?|mediastin\w*|lungs?\s+(?:is|are|remain)|volumes?|hil\w+|appearances?"
    r"|positions?|placement|heart|findings?|support (?:lines|devices))\b[^,]*$",
    re.IGNORECASE,
)
_NAMED = re.compile(r"\b(?:enlarge|widen|elevat|tortuo|calcif|hernia|effusion|opaci)", re.IGNORECASE)
_PRONOUNS = ("this", "these", "it", "they", "both", "that", "those", "which")
_SEEN_AGAIN = re.compile(
    r"\b(is|are)\s+(?:again|still|redemonstrated)(?:\s+(seen|noted|identified|visible|present|demonstrated))?"
    rf"(\s*,?\s+{_ADVERB}{_CHANGED}{_ASPECT})?{_EARLIER}?",
    re.IGNORECASE,
)
_IS_CHANGED = re.compile(
    r"(?P<subject>^.*?)\s+(?P<verb>is|are|has|have|remains?|appears?|persists?)\s+(?:been\s+)?"
    rf"{_ADVERB}{_CHANGED}{_ASPECT}{_EARLIER}?(?=\s*[.,;]|\s*$)",
    re.IGNORECASE | re.DOTALL,
)
_BEHIND = re.compile(
    rf"\s*,?\s+(?:and\s+)?{_ADVERB}{_CHANGED}{_ASPECT}{_EARLIER}?(?=\s*[.;]|\s*$|\s*,)", re.IGNORECASE
)
_WHICH = re.compile(
    rf"\s*,?\s+(?:which|that)\s+(?:is|are|has|have|appears?)\s+(?:been\s+)?{_ADVERB}{_CHANGED}{_ASPECT}{_EARLIER}?"
    r"(?=\s*[.;]|\s*$|\s*,)",
    re.IGNORECASE,
)
_STAYS = re.compile(
    r"\bremain(s)?\b(?=\s+(?:clear|normal|intact|enlarged|low|in|within|well|present|sharp|unremarkable)\b)",
    re.I,
)
_BEFORE = re.compile(
    rf"\b{_ADVERB}(?:new(?:ly)?|stable|unchanged|persistent|again|increasing|decreasing|worsen(?:ed|ing)"
    r"|improv(?:ed|ing))\s+(?=\w)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(_EARLIER, re.IGNORECASE)
_ARTICLE = re.compile(r"\b(a)n?(?=\s+([a-z]))", re.IGNORECASE)


@lru_cache(maxsize=TEXTS)
def compares(text: str) -> bool:
    """Whether a text speaks of change or of an earlier examination.

    >>> compares("The effusion has increased."), compares("Increased interstitial markings.")
    (True, False)
    """
    return any(
        any(map(sentence_compares, said)) or (heading and sentence_compares(heading))
        for heading, said in headed_sentences(text)
    )


@lru_cache(maxsize=65_536)
def sentence_compares(sentence: str) -> bool:
    """Whether one sentence does."""
    # Looking up words is far cheaper than the pattern, and most sentences have none of its words.
    words = set(_WORD.findall(sentence.lower()))
    return any(map(_may_compare, words)) and COMPARES.search(sentence) is not None


@lru_cache(maxsize=65_536)
def _may_compare(word: str) -> bool:
    return _STEM.match(word) is not None


@lru_cache(maxsize=TEXTS)
def without_comparison(text: str) -> str:
    """The text as one would write it who knows of no earlier examination; empty where nothing remains.

    Lines with headings of their own ("Pleura: ...") stay lines.

    >>> without_comparison("Lungs: Unchanged left lung nodule.\\nPleura: No new effusion.")
    'Lungs: Left lung nodule.'
    """
    if not compares(text):
        return text
    lines = []
    for heading, said in headed_sentences(text):
        kept = [cut for sentence in said if (cut := sentence_without_comparison(sentence))]
        if kept:
            lines.append(" ".join([f"{heading}:", *kept] if heading else kept))
    return ("\n" if "\n" in text else " ").join(lines)


def _seen(match: re.Match[str]) -> str:
    return f"{match[1]} {match[2] or 'seen'}" if match[2] or match[3] else match[1]


@lru_cache(maxsize=65_536)
def sentence_without_comparison(sentence: str) -> str:
    """The sentence without its comparing words; empty where it is nothing without them."""
    if not sentence_compares(sentence):
        return sentence
    if _GONE.search(sentence):
        return ""
    text = _SEEN_AGAIN.sub(_seen, sentence)
    text = _STAYS.sub(lambda match: "is" if match[1] else "are", _WHICH.sub("", text))
    changed = _IS_CHANGED.match(text)
    if changed:
        subject = changed["subject"]
        if (
            sentence_compares(subject)
            or subject.lower() in _PRONOUNS
            or (_STRUCTURE.search(subject) and not _NAMED.search(subject))
        ):
            return ""
        plural = changed["verb"].lower() in ("are", "have", "remain", "appear", "persist")
        text = f"{subject} {'are' if plural else 'is'} present{text[changed.end() :]}"
    text = _BEHIND.sub("", text)
    bare = _BEFORE.sub("", text)
    if bare != text and _STRUCTURE.search(bare.rstrip(" .")) and not _NAMED.search(bare):
        return ""  # "stable contours" are contours, but that is no finding
    text = _REFERENCE.sub("", bare)
    text = " ".join(text.split()).replace(" .", ".").replace(" ,", ",").strip(" ,;")
    if sentence_compares(text) or not text:
        return ""
    text = _ARTICLE.sub(lambda match: match[1] + ("n" if match[2].lower() in "aeiou" else ""), text)
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
