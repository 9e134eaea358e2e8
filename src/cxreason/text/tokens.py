"""A sentence cut into the words that mean something to the reader.

>>> [(token.kind, token.value) for token in tokens("Small effusion.")[0]]
[('severity', 'mild'), ('finding', 'pleural effusion')]
"""

from __future__ import annotations

from itertools import accumulate

from cxreason.text.vocabulary import COMMA, TIGHT_COMMA, WORD, Meaning, tree

Token = Meaning
"""A token is what its phrase means; where it stands is told beside it."""
Span = tuple[int, int]

# str.lower can lengthen a text (dotted capital I), which would shift every offset behind it.
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"} | {0xA0: " ", 0x2019: "'"}


def tokens(sentence: str) -> tuple[list[Token], list[Span]]:
    """The tokens of a sentence in their order, and their places; the longest phrase wins.

    >>> tokens("Small effusion.")[1]
    [(0, 5), (6, 14)]
    """
    lowered = sentence.lower() if sentence.isascii() else sentence.translate(_LOWER)
    parts = WORD.split(lowered)  # what lies between the words, and the words, in turn
    borders = list(accumulate(map(len, parts)))
    words = parts[1::2]
    root = tree()
    branches = list(map(root.get, words))
    if "-" in lowered:  # a dash between spaces, whichever spaces
        branches = [
            root[","] if branch is None and word[0].isspace() else branch
            for word, branch in zip(words, branches, strict=True)
        ]
    found: list[Token] = []
    spans: list[Span] = []
    num_words, after = len(words), 0
    for position, branch in enumerate(branches):
        if branch is None or position < after:
            continue
        meaning, branch = branch
        after = end = position + 1
        while branch is not None and end < num_words:
            further = branch.get(words[end])
            if further is None:
                break
            end += 1
            longer, branch = further
            if longer is not None:
                meaning, after = longer, end
        if meaning is None or meaning.kind == "ignore":
            continue
        start = borders[2 * position]
        if meaning is COMMA and found and found[-1].kind in ("negation", "negation after"):
            meaning = TIGHT_COMMA if spans[-1][1] == start else meaning
        found.append(meaning)
        spans.append((start, borders[2 * after - 1]))
    return found, spans
