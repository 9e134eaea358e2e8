"""Work that waits for servers, many items at a time, with the outcomes in the order of the items.

So a run that was stopped ends in the same file as one that was not. Ctrl-C lets the calls under way come in,
for they are paid for, and stops then; a second one does not wait.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from cxreason.endpoint.asking import Stopped
from cxreason.endpoint.batch import Batch
from cxreason.endpoint.pool import Pool

AHEAD = 16
"""Items in work for each call that may be under way: so many may wait behind a slow one."""
LEAST_AHEAD = 256

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


class Window(Generic[Item, Outcome]):
    """`work(item, turn)` for many items at once; `turn` says who is served first.

    with Window(Pool(settings, file), work) as window: list(window.outcomes(items))
    """

    def __init__(
        self, carrier: Pool | Batch, work: Callable[[Item, int], Awaitable[Outcome]], ahead: int | None = None
    ):
        self.carrier = carrier
        self._work = work
        calls = sum(server.concurrency for server in carrier.settings.servers)
        self._ahead = ahead or max(LEAST_AHEAD, AHEAD * calls)
        self._loop = asyncio.new_event_loop()
        self._tasks: deque[asyncio.Task[Outcome]] = deque()
        self._num_interrupts = 0
        self._handler: Any = None

    def outcomes(self, items: Iterable[Item]) -> Iterator[Outcome]:
        """The outcome of each item, in order. What stops the work (no budget, no server, Ctrl-C) is raised
        after the outcomes that were whole by then."""
        waiting = iter(items)
        turn = 0
        stop: BaseException | None = None
        while True:
            while stop is None and self._stopped_by() is None and len(self._tasks) < self._ahead:
                item = next(waiting, None)
                if item is None:
                    break
                self._tasks.append(self._loop.create_task(_awaited(self._work(item, turn))))
                turn += 1
            if not self._tasks:
                break
            self._loop.run_until_complete(asyncio.wait([self._tasks[0]]))
            while self._tasks and self._tasks[0].done():
                task = self._tasks.popleft()
                try:
                    outcome = task.result()
                except Stopped:
                    stop = self._stopped_by()
                    continue
                if stop is None:  # behind a gap nothing is given out; it is in the file of replies
                    yield outcome
        if stop is None:
            stop = self._stopped_by()
        if stop is not None:
            raise stop

    def _stopped_by(self) -> BaseException | None:
        return self.carrier.stopped_by if isinstance(self.carrier, Pool) else None

    def __enter__(self) -> Window[Item, Outcome]:
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *problem: object) -> None:
        try:
            if isinstance(self.carrier, Pool):
                self.carrier.stop()
                if self._tasks and self._num_interrupts < 2:
                    self._loop.run_until_complete(asyncio.wait(self._tasks))
                for task in self._tasks:
                    task.cancel()
                if self._tasks:
                    self._loop.run_until_complete(asyncio.wait(self._tasks))
                self._loop.run_until_complete(self.carrier.__aexit__())
            else:
                self.carrier.close()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
        finally:
            if self._handler is not None:
                signal.signal(signal.SIGINT, self._handler)

    def _interrupted(self, number: int, frame: object) -> None:
        self._num_interrupts += 1
        if self._num_interrupts > 1 or not isinstance(self.carrier, Pool):
            raise KeyboardInterrupt
        under_way = self.carrier.lanes.num_under_way
        sys.stderr.write(f"waiting for {under_way} answers that are paid for; Ctrl-C again to leave them\n")
        # From a signal handler the loop may only be woken, or it would not notice before its next event.
        self._loop.call_soon_threadsafe(self.carrier.stop, KeyboardInterrupt())


async def _awaited(outcome: Awaitable[Outcome]) -> Outcome:
    return await outcome
