"""What turns samples into chains: one protocol, two engines.

`rules` needs no model: the same sample always gets the same chain. `llm` asks a language model on one or
several servers. Both give one Outcome for each sample, in the order of the samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from cxreason.mining.filters import Candidate
from cxreason.mining.prose import mine_prose
from cxreason.mining.rules import mine_sample
from cxreason.records import Sample

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe

ASKED_BY_RULES = ("binary", "single", "multiple", "anomaly", "temporal")


@dataclass(frozen=True)
class Outcome:
    """What an engine made of a sample: a chain, or the problem why there is none.

    `failed` is a problem of the moment (a server that did not answer), which is owed again; `waiting` is one
    whose calls stand in a batch file that nobody has answered yet.
    """

    sample: Sample
    chain: Candidate | None = None
    problem: str = ""
    failed: bool = False
    waiting: bool = False


class Engine(Protocol):
    """Samples in, outcomes out, in their order. A context manager, because a server may have to be left."""

    def mine(self, samples: Iterable[Sample]) -> Iterator[Outcome]: ...

    def about(self) -> dict[str, Any]:
        """What it was and what it cost so far, for the run's counts."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *problem: object) -> None: ...


class RulesEngine:
    """Chains by rules, in full sentences (`prose`) or as short as a tiny model can learn them (`terse`).

    >>> RulesEngine("prose").about()
    {}
    """

    def __init__(self, style: str):
        self._write = {"prose": mine_prose, "terse": mine_sample}[style]

    def mine(self, samples: Iterable[Sample]) -> Iterator[Outcome]:
        """The outcome of each sample."""
        for sample in samples:
            yield self.mine_one(sample)

    def mine_one(self, sample: Sample) -> Outcome:
        """The outcome of one sample."""
        if not sample.report:
            return Outcome(sample, problem="unread: there is no report")
        if sample.task not in ASKED_BY_RULES:
            return Outcome(sample, problem=f"unasked: the rules know no task {sample.task!r}")
        mined = self._write(sample)
        if mined.problem:
            return Outcome(sample, problem=mined.problem)
        return Outcome(sample, Candidate(mined.reasoning, mined.answer, mined.evidence))

    def about(self) -> dict[str, Any]:
        """Rules cost nothing."""
        return {}

    def __enter__(self) -> RulesEngine:
        return self

    def __exit__(self, *problem: object) -> None:
        pass


def open_engine(recipe: MineRecipe, folder: Path) -> Engine:
    """The engine that a recipe names; `folder` is where it keeps what was paid for."""
    if recipe.engine == "rules":
        return RulesEngine(recipe.style)
    from cxreason.mining.llm import LlmEngine

    return LlmEngine(recipe, folder)
