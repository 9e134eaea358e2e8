"""Work on many things at once: with the processes of this machine, or with those of a Ray cluster.

The pieces of work have to be the same whoever does them, and write what they make themselves; only small
results come back, in the order of the pieces.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import chain, islice
from typing import Any, Literal, TypeVar

from cxreason.machine import num_cores

Piece = TypeVar("Piece")
Result = TypeVar("Result")
Place = Literal["here", "ray"]


class Crew:
    """Processes of this machine, or of a Ray cluster, that do one kind of work after another.

    They are started, and import what they need, once for all of it.

        with Crew(workers=2) as crew:
            for count in crew.each(write_shard, shards): ...
    """

    def __init__(self, workers: int | None = None, on: Place = "here") -> None:
        self._workers = workers
        self._on = on
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *failure: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def each(
        self, work: Callable[[Piece], Result], pieces: Iterable[Piece], at_once: int | None = None
    ) -> Iterator[Result]:
        """As `each`, with so many pieces under way at once, by default two for each worker."""
        rest = iter(pieces)
        if self._on == "ray":
            yield from _on_ray(work, rest, self._workers, at_once)
            return
        number = self._workers or num_cores()
        first = list(islice(rest, number))
        todo = chain(first, rest)
        if len(first) <= 1:  # nothing to share out
            yield from map(work, todo)
            return
        if self._pool is None:
            # New processes, not copies of this one: that may hold threads of other libraries, which copies
            # lack. They are started as there is work for them.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(number, context, initializer=leave_with_parent)
        pool = self._pool
        yield from _in_order(
            todo, at_once or 2 * number, lambda piece: pool.submit(work, piece), Future.result
        )


def each(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], workers: int | None = None, on: Place = "here"
) -> Iterator[Result]:
    """The results of `work` on every piece, in order; by default one process for each core.

    `work` and the pieces are sent to other processes, so `work` stands at the top of a module. Pieces are
    taken as they are needed, twice as many as there are workers, so there may be any number of them. On Ray,
    they run wherever the cluster has cores; it needs the folders that they write to on every machine. Where
    the first piece fails its error is raised, and what is under way is left to end.

        for count in each(write_shard, shards, workers=2): ...
    """
    with Crew(workers, on) as crew:
        yield from crew.each(work, pieces)


def _on_ray(work: Callable, todo: Iterator, workers: int | None, at_once: int | None) -> Iterator[Any]:
    import ray

    if not ray.is_initialized():
        # The cluster that RAY_ADDRESS or `ray start` names; without one a small one on this machine.
        address = os.environ.get("RAY_ADDRESS")
        ray.init(address=address, num_cpus=None if address else workers, log_to_driver=False)
    remote: Any = ray.remote(work)
    many = 2 * (workers or max(int(ray.cluster_resources().get("CPU", 1)), 1))
    yield from _in_order(todo, at_once or many, remote.remote, ray.get)


def _in_order(
    todo: Iterator, at_once: int, start: Callable[[Any], Any], wait_for: Callable[[Any], Any]
) -> Iterator[Any]:
    """The results of all pieces, with so many of them under way at once and the oldest waited for."""
    waiting: deque[Any] = deque()
    while True:
        waiting.extend(start(piece) for piece in islice(todo, at_once - len(waiting)))
        if not waiting:
            return
        yield wait_for(waiting.popleft())


def leave_with_parent() -> None:
    """Ctrl-C is the parent's business; and where the parent is killed, its helpers end too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
