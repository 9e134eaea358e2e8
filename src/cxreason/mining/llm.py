"""The engine `llm`: a language model on servers, or behind batch files, writes the chains.

Samples are worked on many at a time, and their outcomes come in order: `endpoint/window.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.endpoint.asking import Asker, Deferred
from cxreason.endpoint.batch import Batch
from cxreason.endpoint.pool import Pool
from cxreason.endpoint.window import Window
from cxreason.endpoint.wire import CallFailed
from cxreason.mining import one_prompt, three_step
from cxreason.mining.asked import Rejected, versions
from cxreason.mining.engines import Outcome
from cxreason.records import Sample

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe

WAYS = {"three_step": three_step.mine, "one_prompt": one_prompt.mine}


class LlmEngine:
    """Asks the model that a recipe names; `folder` keeps what it replied."""

    def __init__(self, recipe: MineRecipe, folder: Path):
        assert recipe.llm is not None
        self.recipe = recipe
        self._way = WAYS[recipe.way]
        replies = folder / "replies.jsonl"
        if recipe.llm.batch:
            self.carrier: Pool | Batch = Batch(recipe.llm, folder / "batch", replies)
        else:
            self.carrier = Pool(recipe.llm, replies)
        self._window: Window[Sample, Outcome] = Window(self.carrier, self._mine_one)

    def mine(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        """The outcome of each sample, in order. What stops the work (no budget, no server, Ctrl-C) is raised
        after the outcomes that were whole by then."""
        return self._window.outcomes(samples)

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
        self._window.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._window.__exit__(*problem)
