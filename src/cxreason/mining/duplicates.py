"""Which chains are nearly equal to chains that were kept before, in memory that does not grow.

Each chain gets 32 MinHashes of its word triples (Broder 1997) in four bands of eight. Chains that agree in a
band are taken for nearly equal: 89 in 100 pairs that share nine tenths of their triples do, 1 in 100 of those
that share half. Tables of counters hold how many were kept for each band, 64 MB in all; with a million chains
kept, a new one is taken for a duplicate by mistake about once in ten thousand.
"""

from __future__ import annotations

import zlib

import numpy as np

NUM_BANDS = 4
BAND_HASHES = 8
NUM_SLOTS = 1 << 24
MOST_WORDS = 200_000
SECOND, THIRD = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


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
        self._words: dict[str, int] = {}
        self._counts = np.zeros((NUM_BANDS, NUM_SLOTS), dtype=np.uint8)
        draw = np.random.default_rng(20_261_125)
        self._factors = draw.integers(0, 1 << 62, NUM_BANDS * BAND_HASHES, dtype=np.uint64)[:, None] | 1
        self._offsets = draw.integers(0, 1 << 62, NUM_BANDS * BAND_HASHES, dtype=np.uint64)[:, None]

    def find(self, group: str, reasoning: str) -> str:
        """Why a chain is one too many of its group, or empty; then it counts as kept."""
        slots = self._slots(group, reasoning)
        bands = range(NUM_BANDS)
        most = int(self._counts[bands, slots].max())
        if most >= self.most_alike:
            return f"duplicate: {self.most_alike} like it kept already"
        self._counts[bands, slots] += 1
        return ""

    def remember(self, group: str, reasoning: str) -> None:
        """Count a chain that an earlier start kept."""
        slots = self._slots(group, reasoning)
        counts = self._counts[range(NUM_BANDS), slots]
        self._counts[range(NUM_BANDS), slots] = np.minimum(counts, 254) + 1

    def _slots(self, group: str, reasoning: str) -> list[int]:
        words = reasoning.casefold().split()
        known = self._words
        if len(known) > MOST_WORDS:
            known.clear()
        numbers = [known.get(word) or known.setdefault(word, zlib.crc32(word.encode())) for word in words]
        padded = np.array([*numbers, 0, 0], dtype=np.uint64)
        # A word counts by its place in the triple, so that "no left" is not "left no".
        hashes = padded[:-2] + padded[1:-1] * SECOND + padded[2:] * THIRD
        hashes = hashes[: max(1, len(words) - 2)]
        # Multiply-shift: the high half of a wrapped product is spread well enough to take its minimum.
        least = ((hashes * self._factors + self._offsets) >> np.uint64(32)).min(axis=1).astype(np.uint32)
        start = zlib.crc32(group.encode())
        bands = least.reshape(NUM_BANDS, BAND_HASHES)
        return [zlib.crc32(band.tobytes(), start) % NUM_SLOTS for band in bands]
