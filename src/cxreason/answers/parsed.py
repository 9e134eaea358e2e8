"""What an answer kind understood of a text, the same for every kind."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Parsed:
    """The canonical answer, or an empty one and the problem. `note` says what was mended on the way.

    >>> Parsed("B").problem
    ''
    """

    value: str
    problem: str = ""
    note: str = ""
