"""How many calls may be under way on each of several servers, and which one takes the next.

A server starts with as many calls as it may have at most. Each call that it refuses as busy (429, 503) takes
a place away, down to half for calls that began together, and ten answers give one back: so a stray refusal
costs nothing, and a server that can bear less settles where one call in eleven is refused. One that names a
time to wait is left alone until then. A server that is not there rests, each time for longer.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from cxreason.endpoint.asking import Stopped
from cxreason.settings import PoolServer

LONGEST_REST_SECONDS = 60.0
GIVEN_BACK = 0.1
"""Places that an answer gives back."""


@dataclass
class Lane:
    """One server and the calls that it has and may have."""

    server: PoolServer
    line: Any = None
    """What speaks to it; the pool's own."""
    num_under_way: int = 0
    allowed: float = 0.0
    resumes_at: float = 0.0
    next_turn: float = 0.0
    """When the next call may begin, where calls per minute are limited."""
    num_away: int = 0
    """How often in a row it was not there."""
    reached: bool = False
    num_served: int = 0
    _round_began: float = field(default=0.0, repr=False)
    _floor: float = field(default=1.0, repr=False)

    def __post_init__(self) -> None:
        self.allowed = float(self.server.concurrency)

    def served(self) -> None:
        """It answered: a little more may be under way."""
        self.reached, self.num_away = True, 0
        self.num_served += 1
        self.allowed = min(self.server.concurrency, self.allowed + GIVEN_BACK)

    def refused(self, started_at: float, wait_seconds: float | None) -> None:
        """It was busy. Calls that began before the last round's end halve what is allowed at most."""
        self.reached, self.num_away = True, 0
        now = time.monotonic()
        if started_at >= self._round_began:
            self._round_began, self._floor = now, max(1.0, self.allowed / 2)
        self.allowed = max(self._floor, self.allowed - 1)
        if wait_seconds is not None:
            self.resumes_at = max(self.resumes_at, now + wait_seconds)

    def away(self, rest_seconds: float) -> None:
        """It was not there: it rests, and all calls that found it so together count once."""
        now = time.monotonic()
        if now < self.resumes_at:
            return
        self.resumes_at = now + min(LONGEST_REST_SECONDS, rest_seconds * 2**self.num_away)
        self.num_away += 1

    def free_at(self) -> float | None:
        """When it could take a call; None while it has as many as it may have."""
        if self.num_under_way >= int(self.allowed):
            return None
        return max(self.resumes_at, self.next_turn)


class Lanes:
    """Gives out places on the lanes, the lowest turn first."""

    def __init__(self, lanes: list[Lane]):
        self.lanes = lanes
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = itertools.count()
        self._alarm: asyncio.TimerHandle | None = None
        self._closed = False

    async def enter(self, turn: int) -> Lane:
        """A place on the lane with most room, once there is one; `leave` gives it back.

        Raises Stopped after `close`.
        """
        while not self._closed:
            if not self._waiting or self._waiting[0][0] >= turn:
                lane = self._free_lane()
                if lane is not None:
                    return self._taken(lane)
            ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (turn, next(self._count), ready))
            self._wake()
            await ready
        raise Stopped

    def leave(self, lane: Lane) -> None:
        """Give a place back."""
        lane.num_under_way -= 1
        self._wake()

    @property
    def num_under_way(self) -> int:
        """Calls under way on all lanes."""
        return sum(lane.num_under_way for lane in self.lanes)

    def close(self) -> None:
        """Give out no more places; all that wait for one are told."""
        self._closed = True
        while self._waiting:
            _, _, ready = heapq.heappop(self._waiting)
            if not ready.done():
                ready.set_result(None)

    def _taken(self, lane: Lane) -> Lane:
        lane.num_under_way += 1
        limit = lane.server.requests_per_minute
        if limit:
            lane.next_turn = max(time.monotonic(), lane.next_turn) + 60.0 / limit
        return lane

    def _free_lane(self) -> Lane | None:
        now = time.monotonic()
        free = [lane for lane in self.lanes if (at := lane.free_at()) is not None and at <= now]
        return min(free, key=lambda lane: lane.num_under_way / lane.allowed, default=None)

    def _wake(self) -> None:
        """Wake one that waits for each place that is free, and set the clock for those that are resting."""
        now = time.monotonic()
        num_free = sum(
            int(lane.allowed) - lane.num_under_way if lane.server.requests_per_minute is None else 1
            for lane in self.lanes
            if (at := lane.free_at()) is not None and at <= now
        )
        while self._waiting and num_free > 0:
            _, _, ready = heapq.heappop(self._waiting)
            if not ready.done():
                ready.set_result(None)
                num_free -= 1
        later = [at for lane in self.lanes if (at := lane.free_at()) is not None and at > now]
        if self._waiting and later:
            if self._alarm is not None:
                self._alarm.cancel()
            loop = asyncio.get_running_loop()
            self._alarm = loop.call_later(max(0.0, min(later) - now) + 0.001, self._wake)
