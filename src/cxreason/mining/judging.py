"""Chains written and judged, by as many processes or machines as there are, and their outcomes in order.

Rules and filters need nothing but the sample, so a piece of samples can be worked on anywhere. What needs to
know all that was kept before, the last filter, is asked here, in the order of the samples; so the rows are
the same whoever does the work. A language model's chains are judged here as well: the servers have the work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, tee
from typing import TYPE_CHECKING

from cxreason.mining import filters
from cxreason.mining.duplicates import Duplicates
from cxreason.mining.engines import Engine, Outcome, RulesEngine
from cxreason.mining.filters import Candidate, Judgement
from cxreason.records import Sample
from cxreason.workers import each

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe
    from cxreason.settings import MineFilters

PIECE_SAMPLES = 256
"""Samples that are sent together: a tenth of a second's work, and some hundred kilobytes."""


@dataclass(frozen=True)
class Piece:
    """Samples to mine by rules and to judge."""

    engine: RulesEngine
    wanted: MineFilters
    samples: list[Sample]


def judged(
    recipe: MineRecipe, engine: Engine, samples: Iterable[Sample], duplicates: Duplicates | None
) -> Iterator[tuple[Outcome, Judgement]]:
    """The outcome of each sample and what all filters say of it, in order; kept ones count in `duplicates`.

    for outcome, judgement in judged(recipe, engine, samples, Duplicates(20)): ...
    """
    if isinstance(engine, RulesEngine):
        outcomes = _by_workers(recipe, engine, samples)
    else:
        outcomes = ((outcome, _judge(outcome, recipe.filters)) for outcome in engine.mine(samples))
    for outcome, judgement in outcomes:
        if outcome.chain is not None and duplicates is not None:
            judgement = filters.unless_repeated(outcome.sample, outcome.chain, judgement, duplicates)
        yield outcome, judgement


def mine_piece(piece: Piece) -> list[tuple[Candidate | None, str, Judgement]]:
    """Chain, problem and what the filters say of it alone, for each sample of a piece.

    mine_piece(Piece(RulesEngine("prose"), MineFilters(), samples))
    """
    # The samples themselves stay where they came from: they are most of what would have to be sent.
    outcomes = piece.engine.mine(piece.samples)
    return [(outcome.chain, outcome.problem, _judge(outcome, piece.wanted)) for outcome in outcomes]


def _by_workers(
    recipe: MineRecipe, engine: RulesEngine, samples: Iterable[Sample]
) -> Iterator[tuple[Outcome, Judgement]]:
    source = iter(samples)
    sent, kept = tee(iter(lambda: list(islice(source, PIECE_SAMPLES)), []))
    pieces = (Piece(engine, recipe.filters, some) for some in sent)
    workers = recipe.workers or (1 if recipe.on == "here" else None)
    results = each(mine_piece, pieces, workers, recipe.on)
    # Results first: `kept` holds no more than the pieces that are under way.
    for done, some in zip(results, kept, strict=True):
        for sample, (chain, problem, judgement) in zip(some, done, strict=True):
            yield Outcome(sample, chain, problem), judgement


def _judge(outcome: Outcome, wanted: MineFilters) -> Judgement:
    if outcome.chain is None:
        return Judgement((outcome.problem,))
    return filters.judge(outcome.sample, outcome.chain, wanted)
