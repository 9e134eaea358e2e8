"""The engine `llm`: a language model on servers, or behind batch files, writes the chains.

Samples are worked on many at a time and their outcomes come in the order of the samples, so that a run that
was stopped ends in the same file as one that was not. Ctrl-C lets the calls under way come in, for they are
paid for, and stops then; a second one does not wait.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.endpoint.asking import Asker, Deferred, Stopped
from cxreason.endpoint.batch import Batch
from cxreason.endpoint.pool import Pool
from cxreason.endpoint.wire import CallFailed
from cxreason.mining import one_prompt, three_step
from cxreason.mining.asked import Rejected, versions
from cxreason.mining.engines import Outcome
from cxreason.records import Sample

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe

AHEAD = 16
"""Samples in work for each call that may be under way: so many may wait behind a slow one."""
LEAST_AHEAD = 256
WAYS = {"three_step": three_step.mine, "one_prompt": one_prompt.mine}


class LlmEngine:
    """Asks the model that a recipe names; `folder` keeps what it replied."""

    def __init__(self, recipe: MineRecipe, folder: Path):
        assert recipe.llm is not None
        self.recipe = recipe
        self._way = WAYS[recipe.way]
        self._loop = asyncio.new_event_loop()
        replies = folder / "replies.jsonl"
        if recipe.llm.batch:
            self.carrier: Pool | Batch = Batch(recipe.llm, folder / "batch", replies)
            self._ahead = LEAST_AHEAD
        else:
            self.carrier = Pool(recipe.llm, replies)
            num_calls = sum(server.concurrency for server in recipe.llm.servers)
            self._ahead = max(LEAST_AHEAD, AHEAD * num_calls)
        self._tasks: deque[tuple[Sample, asyncio.Task]] = deque()
        self._num_interrupts = 0
        self._handler: Any = None

    def mine(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        """The outcome of each sample, in order. What stops the work (no budget, no server, Ctrl-C) is raised
        after the outcomes that were whole by then."""
        waiting = iter(samples)
        turn = 0
        stop: BaseException | None = None
        while True:
            while stop is None and self._stopped_by() is None and len(self._tasks) < self._ahead:
                sample = next(waiting, None)
                if sample is None:
                    break
                self._tasks.append((sample, self._loop.create_task(self._mine_one(sample, turn))))
                turn += 1
            if not self._tasks:
                break
            self._loop.run_until_complete(asyncio.wait([self._tasks[0][1]]))
            while self._tasks and self._tasks[0][1].done():
                sample, task = self._tasks.popleft()
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

    async def _mine_one(self, sample: Sample, turn: int) -> Outcome:
        try:
            chain = await self._way(sample, Asker(self.carrier, turn), answer_aware=self.recipe.answer_aware)
        except Rejected as error:
            return Outcome(sample, problem=str(error))
        except CallFailed as error:
            return Outcome(sample, problem=f"failed: {error}", failed=True)
        except Deferred:
            return Outcome(sample, problem="waiting: for the answers to a batch", waiting=True)
        return Outcome(sample, chain)

    def _stopped_by(self) -> BaseException | None:
        return self.carrier.stopped_by if isinstance(self.carrier, Pool) else None

    def about(self) -> dict[str, Any]:
        """Model, prompts and what was spent over all starts; for batches also what is to be answered."""
        assert self.recipe.llm is not None
        told: dict[str, Any] = {
            "model": self.recipe.llm.model,
            "prompts": versions(self.recipe.way, self.recipe.answer_aware),
            "usage": asdict(self.carrier.usage),
        }
        if isinstance(self.carrier, Batch) and self.carrier.num_asked:
            told["requests"] = self.carrier.num_asked
            told["files"] = [str(file) for file in self.carrier.files]
            told["next"] = (
                f"vllm run-batch -i FILE -o {self.carrier.folder}/answers-N.jsonl "
                f"--model {self.recipe.llm.model}, then the same command again"
            )
        return told

    def __enter__(self) -> LlmEngine:
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._interrupted)
        return self

    def __exit__(self, *problem: object) -> None:
        try:
            if isinstance(self.carrier, Pool):
                self.carrier.stop()
                if self._tasks and self._num_interrupts < 2:
                    self._loop.run_until_complete(asyncio.wait([task for _, task in self._tasks]))
                for _, task in self._tasks:
                    task.cancel()
                if self._tasks:
                    self._loop.run_until_complete(asyncio.wait([task for _, task in self._tasks]))
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
