"""A sentence cut into the words that mean something to the reader.

>>> [(token.kind, token.value) for token in tokens("Small effusion.")]
[('severity', 'mild'), ('finding', 'pleural effusion')]
"""

from __future__ import annotations

from typing import NamedTuple

from cxreason.text.vocabulary import WORD, Meaning, tree


class Token(NamedTuple):
    """One phrase of the lexicon as it stands in a sentence."""

    kind: str
    value: str
    start: int
    end: int
    findings: tuple[str, ...] = ()
    quality: str = ""
    place: str = ""


NOTHING = Token("", "", 0, 0)

_PUNCTUATION = {
    ",": "comma",
    ";": "break",
    ":": "colon",
    "(": "comma",
    ")": "comma",
    "/": "or",
    "?": "uncertain",
    "--": "comma",
    "\u2013": "comma",
    "\u2014": "comma",
}
# str.lower can lengthen a text (dotted capital I), which would shift every offset behind it.
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} | {0xA0: " ", 0x2019: "'"}


def tokens(sentence: str) -> list[Token]:
    """The tokens of a sentence in their order; at each place the longest phrase wins."""
    lowered = sentence.lower() if sentence.isascii() else sentence.translate(_LOWER)
    found = list(WORD.finditer(lowered))
    words = [match.group() for match in found]
    root = tree()
    result: list[Token] = []
    position, num_words = 0, len(words)
    while position < num_words:
        word = words[position]
        branch, after = root.get(word), position + 1
        meaning: Meaning | None = None
        end = after
        while branch is not None:
            if "" in branch:
                meaning, end = branch[""], after
            if after == num_words:
                break
            branch, after = branch.get(words[after]), after + 1
        if meaning is None:
            kind = _PUNCTUATION.get(word) or ("comma" if word[0].isspace() else "")
            if kind:
                result.append(Token(kind, "", found[position].start(), found[position].end()))
        elif meaning.kind != "ignore":
            place = found[position].start(), found[end - 1].end()
            result.append(
                Token(meaning.kind, meaning.value, *place, meaning.findings, meaning.quality, meaning.place)
            )
        position = end
    return result
