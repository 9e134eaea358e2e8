"""Samples as the rows that TRL's trainers read: chat messages, images decoded when a batch needs them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cxreason.answers import DIALECTS
from cxreason.answers.conversation import conversation, reply
from cxreason.recipes import SftRecipe, TrainRecipe
from cxreason.records import Mode, Sample
from cxreason.training.mixture import Row, Rows, Samples, by_weights, draw, order_by_length
from cxreason.training.pixels import PreparedPixels

if TYPE_CHECKING:
    from datasets import Dataset


def sources(recipe: TrainRecipe) -> list[tuple[Mode, Path]]:
    """The folders that a recipe trains on, with what their samples are asked for."""
    share = recipe.reasoning_share if recipe.reasoning is not None else 0.0
    if recipe.weights is not None and recipe.reasoning is not None:
        share = 0.5  # both, as the weights say
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
    kept: Path | None = None,
) -> Rows:
    """The rows of a training recipe: answer-only prompts of `samples`, reasoning prompts of `reasoning`.

    `without` names samples that are left out, as (id, mode): see `data_check`. With a folder in `kept` the
    samples are written there once and mapped into memory.
    """
    parts: list[tuple[Samples, Mode]] = []
    for mode, folder in sources(recipe):
        left_out = {sample for sample, asked in without if asked == mode}
        file = None if kept is None else kept / f"{mode}.arrow"
        parts.append((Samples(folder, "train", limit=limit, without=left_out, file=file), mode))
    if recipe.weights is not None:
        decks, weights = by_weights(parts, recipe.weights)
    else:
        ends = list(itertools.accumulate(len(samples) for samples, _ in parts))
        decks = [range(end - len(samples), end) for end, (samples, _) in zip(ends, parts, strict=True)]
        share = recipe.reasoning_share
        weights = [1 - share, share] if len(parts) == 2 else [1.0]
    order = draw(decks, weights, recipe.num_rows, recipe.seed)
    return Rows(parts, order, make_row, recipe.dialect)


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


def by_length(rows: Rows, recipe: SftRecipe, step_rows: int) -> Rows:
    """The same rows, so ordered that those of one batch are of like length."""
    lengths = rows.lengths(recipe.max_pixels)
    return rows.in_order(
        order_by_length(rows.order, lengths, step_rows, recipe.seed, window=recipe.length_window)
    )


def dataset(rows: Sequence[Row], pixels: PreparedPixels | None = None) -> Dataset:
    """The rows as a Hugging Face dataset, made when they are read; with `pixels` images are pictures."""
    from datasets import Dataset

    def make(batch: dict[str, list]) -> dict[str, list]:
        made = [rows[number] for number in batch["row"]]
        if pixels is not None:
            made = [{**row, "images": [pixels.image(path) for path in row["images"]]} for row in made]
        return {name: [row[name] for row in made] for name in made[0]}

    return Dataset.from_dict({"row": range(len(rows))}).with_transform(make)
