"""Which chains are nearly equal to chains that were kept before, in memory that does not grow.

Each chain gets 32 MinHashes (Broder 1997) of the word triples in its sentences, in four bands of eight.
Chains that agree in a band are taken for nearly equal: 89 in 100 pairs that share nine tenths of their
triples do, 1 in 100 of those that share half. Tables of counters hold how many were kept for each band, 64 MB
in all; with a million chains kept, a new one is taken for a duplicate by mistake about once in ten thousand.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np

NUM_BANDS = 4
BAND_HASHES = 8
NUM_SLOTS = 1 << 24
SECOND, THIRD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_DRAW = np.random.default_rng(20_261_125)
_FACTORS = _DRAW.integers(0, 1 << 62, NUM_BANDS * BAND_HASHES, dtype=np.uint64)[:, None] | 1
_OFFSETS = _DRAW.integers(0, 1 << 62, NUM_BANDS * BAND_HASHES, dtype=np.uint64)[:, None]
_ENDS = re.compile(r"(?<=[.?!]) |, (?=and |but |while )")
"""Between sentences, and between the halves of one."""


class Duplicates:
    """Counts kept chains; `find` says why one more like them is too many, and else counts it.

    >>> known, chain = Duplicates(most_alike=1), "There is edema of both lungs."
    >>> known.find("binary A", chain), known.find("binary A", chain)
    ('', 'duplicate: 1 like it kept already')
    """

    def __init__(self, most_alike: int):
        if not 1 <= most_alike <= 255:
            raise ValueError(f"most_alike is {most_alike}; write 1 to 255, or null for no limit")
        self.most_alike = most_alike
        self._counts = [bytearray(NUM_SLOTS) for _ in range(NUM_BANDS)]

    def find(self, group: str, reasoning: str) -> str:
        """Why a chain is one too many of its group, or empty; then it counts as kept."""
        places = list(zip(self._counts, _slots(group, reasoning), strict=True))
        if max(counts[slot] for counts, slot in places) >= self.most_alike:
            return f"duplicate: {self.most_alike} like it kept already"
        for counts, slot in places:
            counts[slot] += 1
        return ""

    def remember(self, group: str, reasoning: str) -> None:
        """Count a chain that an earlier start kept."""
        for counts, slot in zip(self._counts, _slots(group, reasoning), strict=True):
            counts[slot] = min(counts[slot], 254) + 1


def _slots(group: str, reasoning: str) -> list[int]:
    least = np.minimum.reduce([_least(one) for one in _ENDS.split(reasoning)]).tobytes()
    start, width = zlib.crc32(group.encode()), 4 * BAND_HASHES
    return [
        zlib.crc32(least[band * width : (band + 1) * width], start) % NUM_SLOTS for band in range(NUM_BANDS)
    ]


@lru_cache(maxsize=32_768)
def _least(piece: str) -> np.ndarray:
    """The least of each hash over a sentence's triples; remembered, because chains share most sentences."""
    words = [zlib.crc32(word.encode()) for word in piece.casefold().split()]
    padded = np.array([*words, 0, 0], dtype=np.uint64)
    # A word counts by its place in the triple, so that "no left" is not "left no".
    hashes = padded[:-2] + padded[1:-1] * SECOND + padded[2:] * THIRD
    hashes = hashes[: max(1, len(words) - 2)] if words else np.zeros(1, dtype=np.uint64)
    # Multiply-shift: the high half of a wrapped product is spread well enough to take its minimum.
    return ((hashes * _FACTORS + _OFFSETS) >> np.uint64(32)).min(axis=1).astype(np.uint32)
