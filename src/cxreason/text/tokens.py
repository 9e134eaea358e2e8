"""A sentence cut into the words that mean something to the reader.

>>> [(token.kind, token.value) for token in tokens(cut("Small effusion."))[0]]
[('severity', 'mild'), ('finding', 'pleural effusion')]
"""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterable
from itertools import accumulate, chain

from cxreason.text.vocabulary import COMMA, IGNORED, TIGHT_COMMA, WORD, Branch, Meaning, tree

Token = Meaning
"""A token is what its phrase means; where it stands is told beside it."""

Piece = tuple[str, Meaning | None, "dict[str, Branch] | None", int, int]
"""A word or a mark: what it means alone, what may go on from it, and where it stands in its chunk."""

# str.lower can lengthen a text (dotted capital I), which would shift every offset behind it.
_LOWER = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_PLAIN = {0xA0: " ", 0x2019: "'"}
_DASH = re.compile(r"\s-\s")
GLUED_COMMA = Meaning("comma", "glued")
"""A comma that stands right behind a word: whether that matters, the word before it decides."""
MOST_CHUNKS = 65_536


class _Chunks(dict[str, tuple[Piece, ...]]):
    """What stands between two spaces -> its pieces. Texts have few different ones, so each is cut once."""

    def __missing__(self, chunk: str) -> tuple[Piece, ...]:
        if len(self) >= MOST_CHUNKS:
            self.clear()
        lowered = chunk.lower() if chunk.isascii() else chunk.translate(_LOWER)
        word = lowered.rstrip(".,")
        mark = lowered[len(word) :]
        if word.isalnum() and word.isascii() and mark in ("", ".", ","):  # as most are
            alone = (word, *_meaning(word), 0, len(word))
            comma = (",", GLUED_COMMA, None, len(word), len(lowered))
            self[chunk] = found = (alone, comma) if mark == "," else (alone,)
            return found
        pieces: list[Piece] = []
        end = -1
        for match in WORD.finditer(lowered):
            word, glued = match[1], match.start() == end
            end = match.end()
            meaning, further = _meaning(word)
            if meaning is COMMA and glued:
                meaning = GLUED_COMMA
            pieces.append((word, meaning, further, match.start(), end))
        self[chunk] = found = tuple(pieces)
        return found


def _meaning(word: str) -> Branch:
    return tree().get(word, (None, None))


_CHUNKS = _Chunks()


Cut = tuple[list[str], list[tuple[Piece, ...]]]
"""What stands between the spaces of a sentence, and the pieces of each part."""


def cut(sentence: str) -> Cut:
    """A sentence cut at its spaces.

    >>> [[piece[0] for piece in pieces] for pieces in cut("Base: clear.")[1]]
    [['base', ':'], ['clear']]
    """
    if not sentence.isascii():
        sentence = sentence.translate(_PLAIN)
    if "-" in sentence:  # a dash between spaces is a comma, and as long
        sentence = _DASH.sub(",  ", sentence)
    chunks = sentence.split(" ")
    return chunks, list(map(_CHUNKS.__getitem__, chunks))


def tokens(sentence: Cut) -> tuple[list[Token], list[int], list[int]]:
    """The tokens of a sentence in their order, and the first and the last piece of each; the longest phrase
    wins.

    >>> tokens(cut("Small pleural effusion."))[1:]
    ([0, 1], [0, 2])
    """
    pieces = list(chain.from_iterable(sentence[1]))
    found: list[Token] = []
    firsts: list[int] = []
    lasts: list[int] = []
    num_pieces, last = len(pieces), -1
    for position, (_, meaning, further, _, _) in enumerate(pieces):
        if position <= last:
            continue
        if further is not None:
            last = past = position
            while further is not None and (past := past + 1) < num_pieces:
                branch = further.get(pieces[past][0])
                if branch is None:
                    break
                longer, further = branch
                if longer is not None:
                    meaning, last = longer, past
            if meaning is None:
                continue
        elif meaning is None:
            continue
        else:
            last = position
        if meaning is IGNORED:
            continue
        if meaning is GLUED_COMMA:
            tight = lasts and lasts[-1] == position - 1 and found[-1].kind in ("negation", "negation after")
            meaning = TIGHT_COMMA if tight else COMMA
        found.append(meaning)
        firsts.append(position)
        lasts.append(last)
    return found, firsts, lasts


def characters(sentence: Cut, wordings: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where wordings start and end, each told by its first and its last piece.

    >>> characters(cut("Small pleural effusion."), [(0, 0), (1, 2)])
    [(0, 5), (6, 22)]
    """
    chunks, pieces = sentence
    num_pieces = list(accumulate(map(len, pieces), initial=0))
    lengths = list(accumulate(map(len, chunks), initial=0))
    found = []
    for first, last in wordings:
        at = to = bisect(num_pieces, first) - 1
        if last >= num_pieces[to + 1]:
            to = bisect(num_pieces, last) - 1
        start = lengths[at] + at + pieces[at][first - num_pieces[at]][3]
        found.append((start, lengths[to] + to + pieces[to][last - num_pieces[to]][4]))
    return found
