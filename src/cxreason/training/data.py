"""Samples as the rows that TRL's trainers read: chat messages, images decoded when a batch needs them."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.answers import DIALECTS
from cxreason.answers.conversation import conversation, reply
from cxreason.errors import UserError
from cxreason.recipes import TrainRecipe
from cxreason.records import Mode, Sample
from cxreason.runs import read
from cxreason.training.pixels import PreparedPixels

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]


def read_samples(
    folder: Path, split: str, limit: int | None = None, *, tasks: Sequence[str] | None = None
) -> list[Sample]:
    """The samples of one split, in file order; an empty split is the user's mistake and says so."""
    samples = [
        sample
        for sample in read(folder, Sample)
        if sample.split == split and (tasks is None or sample.task in tasks)
    ]
    if not samples and tasks is not None:
        raise UserError(
            f"{folder}: no samples of the {split} split have one of the tasks {', '.join(tasks)}."
        )
    if not samples:
        raise UserError(
            f"{folder}: no samples of the {split} split. Build more studies, or name another split."
        )
    return samples[:limit]


def sources(recipe: TrainRecipe) -> list[tuple[Mode, Path]]:
    """The folders that a recipe trains on, with what their samples are asked for."""
    share = recipe.reasoning_share if recipe.reasoning is not None else 0.0
    found: list[tuple[Mode, Path]] = []
    if share < 1:
        found.append(("direct", recipe.samples))
    if recipe.reasoning is not None and share > 0:
        found.append(("reasoning", recipe.reasoning))
    return found


def mixture(
    recipe: TrainRecipe,
    make_row: Callable[..., Row],
    limit: int | None,
    *,
    without: Collection[tuple[str, str]] = (),
) -> list[Row]:
    """The rows of a training recipe: answer-only prompts of `samples`, reasoning prompts of `reasoning`.

    `without` names samples that are left out, as (id, mode): see `data_check`.
    """
    share = recipe.reasoning_share if recipe.reasoning is not None else 0.0
    decks: dict[Mode, list[Row]] = {"direct": [], "reasoning": []}
    for mode, folder in sources(recipe):
        samples = read_samples(folder, "train", limit)
        decks[mode] = [
            make_row(item, folder, dialect=recipe.dialect, mode=mode)
            for item in samples
            if (item.id, mode) not in without
        ]
        if not decks[mode]:
            raise UserError(f"{folder}: none of its samples can be trained on; left_out.jsonl says why.")
    return mix(
        decks["direct"], decks["reasoning"], reasoning_share=share, num_rows=recipe.num_rows, seed=recipe.seed
    )


def target_row(sample: Sample, folder: Path, *, dialect: str, mode: Mode) -> Row:
    """One supervised example: the conversation and the reply that the loss is taken on."""
    said = DIALECTS[dialect].target(reply(sample), mode, sample.reasoning)
    return {
        "prompt": conversation(sample, dialect=dialect, mode=mode),
        "completion": [{"role": "assistant", "content": said}],
        "images": [str(folder / image) for image in sample.images],
    }


def reward_row(sample: Sample, folder: Path, *, dialect: str, mode: Mode) -> Row:
    """One prompt for GRPO, with the columns that the rewards read."""
    return {
        "prompt": conversation(sample, dialect=dialect, mode=mode),
        "images": [str(folder / image) for image in sample.images],
        "kind": sample.kind,
        "options": list(sample.options),
        "answer": sample.answer,
        "report": sample.facts,
        "task": sample.task,
        "dialect": dialect,
        "mode": mode,
    }


def mix(
    direct: Sequence[Row], reasoning: Sequence[Row], *, reasoning_share: float, num_rows: int, seed: int
) -> list[Row]:
    """Draw `num_rows` rows: a seeded mixture of answer-only rows and reasoning rows.

    Each kind is dealt like a deck of cards, without replacement until it is used up and then shuffled
    anew, so that a short training sees as many different rows as it can.

    >>> mix([{"a": 1}], [{"r": 1}], reasoning_share=1.0, num_rows=2, seed=0)
    [{'r': 1}, {'r': 1}]
    """
    draw = random.Random(seed)
    decks = (_deal(direct, random.Random(seed + 1)), _deal(reasoning, random.Random(seed + 2)))
    return [next(decks[draw.random() < reasoning_share]) for _ in range(num_rows)]


def _deal(rows: Sequence[Row], draw: random.Random) -> Iterator[Row]:
    while rows:
        yield from draw.sample(rows, len(rows))


def group_by_length(rows: Sequence[Row], batch_size: int, seed: int, *, window: int = 8) -> list[Row]:
    """The same rows, so ordered that a batch holds rows of like length and little is spent on padding.

    Rows are sorted only within `window` batches, and the batches of a window are shuffled, so that training
    still meets everything in a mixed order.
    """
    draw = random.Random(seed)
    ordered: list[Row] = []
    for at in range(0, len(rows), batch_size * window):
        part = sorted(rows[at : at + batch_size * window], key=_length)
        batches = [part[start : start + batch_size] for start in range(0, len(part), batch_size)]
        full, rest = [batch for batch in batches if len(batch) == batch_size], batches[-1]
        draw.shuffle(full)
        ordered += [row for batch in full for row in batch]
        ordered += rest if len(rest) < batch_size else []
    return ordered


def _length(row: Row) -> int:
    reply = row["completion"][0]["content"] if "completion" in row else ""
    return len(row["prompt"][-1]["content"]) + len(reply)


def dataset(rows: Iterable[Row], pixels: PreparedPixels | None = None) -> Dataset:
    """The rows as a Hugging Face dataset; with `pixels` its images are pictures, read at each access."""
    from datasets import Dataset

    table = Dataset.from_list(list(rows))
    if pixels is None:
        return table

    def decode(batch: dict[str, list]) -> dict[str, list]:
        if "images" in batch:
            batch["images"] = [[pixels.image(path) for path in paths] for paths in batch["images"]]
        return batch

    return table.with_transform(decode)
