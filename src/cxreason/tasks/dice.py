"""Dice for a single question: cheap to take up, because there are ten million questions.

`random.Random` fills 2,500 bytes before its first throw, a dozen times the price of all throws of a question.
These dice read a hash of 512 bits digit by digit, and hash on where it is used up.

>>> dice = Dice("17/mimic-cxr/s1/view")
>>> dice.choice("abc"), dice.seed("17/mimic-cxr/s1/view"), dice.choice("abc")
('a', None, 'a')
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableSequence, Sequence
from random import Random
from typing import Any, TypeVar

Thing = TypeVar("Thing")

_LEAST = 1 << 128
"""With less than this left, the next throw would no longer be even."""


class Dice(Random):
    """The throws that belong to a text: the same on every machine and with every version of Python.

    Only the methods written here are cheap; the others of `Random` work too.
    """

    def seed(self, a: Any = "", version: int = 2) -> None:
        """Take up the dice of another text."""
        self._text = a if isinstance(a, str) else str(a)
        self._times = self._left = 0  # not hashed before the first throw: many questions need none

    def below(self, number: int) -> int:
        """One of so many numbers, from 0 on.

        >>> sorted({Dice(str(text)).below(3) for text in range(20)})
        [0, 1, 2]
        """
        left = self._left if self._left >= _LEAST else self._hashed_on()
        self._left, thrown = divmod(left, number)
        return thrown

    def _hashed_on(self) -> int:
        self._times += 1
        return _hashed(f"{self._times} {self._text}")

    def random(self) -> float:
        return self.below(1 << 53) / (1 << 53)

    def getrandbits(self, k: int, /) -> int:
        bits = 0
        for start in range(0, k, 32):
            bits |= self.below(1 << min(32, k - start)) << start
        return bits

    def randint(self, a: int, b: int) -> int:
        return a + self.below(b - a + 1)

    def choice(self, seq: Sequence[Thing]) -> Thing:  # type: ignore[override]
        return seq[self.below(len(seq))]

    def shuffle(self, x: MutableSequence[Any]) -> None:
        left = self._left
        for place in range(len(x) - 1, 0, -1):  # each as `below` throws it
            left, other = divmod(left if left >= _LEAST else self._hashed_on(), place + 1)
            x[place], x[other] = x[other], x[place]
        self._left = left


def first_throw(text: str, number: int) -> int:
    """What `Dice(text).below(number)` throws first, at half its price, where nothing else is thrown.

    >>> first_throw("17/mimic-cxr/s1/view", 3) == Dice("17/mimic-cxr/s1/view").below(3)
    True
    """
    return _hashed(f"1 {text}") % number


def _hashed(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode()).digest(), "little")
