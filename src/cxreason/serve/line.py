"""The waiting line in front of the model: so many are served at once, so many wait, the rest come again."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque

LONGEST_RETRY_SECONDS = 120
FIRST_GUESS_SECONDS = 3.0
MEMORY = 0.8
"""How much the mean time of service minds what was before the newest."""


class Full(Exception):
    """Nobody else can wait. `retry_seconds` is when a place should be free."""

    def __init__(self, retry_seconds: int):
        super().__init__("too many questions are waiting")
        self.retry_seconds = retry_seconds


class Line:
    """First come, first served.

    place = line.enter()         # Full where there is no room
    try:
        await place.turn()
    finally:
        place.leave()
    """

    def __init__(self, at_once: int, most_waiting: int):
        self.at_once, self.most_waiting = at_once, most_waiting
        self.num_served = 0
        self.waiting: deque[Place] = deque()
        self.mean_seconds = FIRST_GUESS_SECONDS

    def enter(self) -> Place:
        """A place in the line, taken at once; Full where there is none."""
        place = Place(self)
        if self.num_served < self.at_once and not self.waiting:
            self._serve(place)
        elif len(self.waiting) >= self.most_waiting:
            raise Full(self.retry_seconds)
        else:
            self.waiting.append(place)
        return place

    @property
    def retry_seconds(self) -> int:
        """When there should be a place again: after those that are served and those that wait."""
        rounds = (len(self.waiting) + 1) / self.at_once
        return min(LONGEST_RETRY_SECONDS, max(1, math.ceil(rounds * self.mean_seconds)))

    def _serve(self, place: Place) -> None:
        self.num_served += 1
        place.started = time.monotonic()
        place.called.set()

    def _left(self, place: Place) -> None:
        if place.started is None:
            self.waiting.remove(place)
            return
        seconds = time.monotonic() - place.started
        self.mean_seconds = MEMORY * self.mean_seconds + (1 - MEMORY) * seconds
        self.num_served -= 1
        if self.waiting:
            self._serve(self.waiting.popleft())


class Place:
    """One question's place in a line."""

    def __init__(self, line: Line):
        self.line = line
        self.called = asyncio.Event()
        self.started: float | None = None
        self.gone = False

    @property
    def number(self) -> int:
        """How many are served before it; 0 when it has its turn."""
        return 0 if self.started is not None or self.gone else self.line.waiting.index(self) + 1

    async def turn(self) -> None:
        """Wait until it is served."""
        await self.called.wait()

    def leave(self) -> None:
        """Make room, whether it was served or not; a second time does nothing."""
        if not self.gone:
            self.gone = True
            self.line._left(self)
