"""`cxreason predict`: ask a model every sample of a split, in one mode, and keep what it said.

Replies are understood by the one parser at once and stored beside the raw text. A reply that cannot be
understood stays in the file with its reason: it is the model's failure and counts against it.

With `num_samples` and a temperature each question gets several draws, each with a seed of its own that comes
from the sample and the number of the draw. With `image` the model sees grey, or another patient.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from cxreason.answers import understand
from cxreason.answers.conversation import conversation
from cxreason.errors import UserError
from cxreason.imaging.read import read_image
from cxreason.inference.transformers import Generated, Picture, TransformersEngine
from cxreason.recipes import PredictRecipe
from cxreason.records import Prediction, Sample, content_id
from cxreason.runs import Run
from cxreason.training.data import read_samples

ANY_TASK = ""
GREY = 128
"""What a blank image is made of: the middle of the scale, so that it says nothing of any image."""


def predict(recipe: PredictRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Predict `recipe.split` of `recipe.samples` with `recipe.model`; run again to continue."""
    samples = read_samples(recipe.samples, recipe.split, limit)
    shown = shown_samples(samples, recipe)
    if dry_run:
        chat = conversation(samples[0], dialect=recipe.dialect, mode=recipe.mode)
        return {"num_samples": len(samples), "example": chat}
    with Run.open(recipe.out, verb="predict", recipe=recipe, record=Prediction, limit=limit) as run:
        if run.finished:
            return run.counts
        # Like lengths share a batch, so that little is spent on padding; the order is the same on a restart.
        samples.sort(
            key=lambda sample: (
                len(sample.images),
                len(sample.question) + len(" ".join(sample.options)),
                sample.id,
            )
        )
        todo = [sample for sample in samples if not _ids(recipe, sample) <= run.done]
        if todo:
            engine = TransformersEngine(
                recipe.model, max_new_tokens=recipe.max_new_tokens, max_pixels=recipe.max_pixels
            )
            batches = [todo[at : at + recipe.batch_size] for at in range(0, len(todo), recipe.batch_size)]
            for batch in run.progress(batches, f"{recipe.name} {recipe.mode}"):
                rows = _ask(engine, recipe, batch, [shown[sample.id] for sample in batch])
                run.append([row for row in rows if row.id not in run.done])
        return run.finish(num_samples=len(samples))


def _ask(
    engine: TransformersEngine, recipe: PredictRecipe, batch: Sequence[Sample], shown: Sequence[Sample]
) -> list[Prediction]:
    """All predictions of one batch, the draws of a sample one after another."""
    started = time.perf_counter()
    draws = range(recipe.num_samples)
    chats = [conversation(sample, dialect=recipe.dialect, mode=recipe.mode) for sample in batch]
    images = [_images(recipe, sample) for sample in shown]
    if recipe.temperature:
        seeds = [[draw_seed(recipe.seed, sample, draw) for draw in draws] for sample in batch]
        replies = engine.generate(chats, images, seeds=seeds, temperature=recipe.temperature)
    else:
        replies = engine.generate(chats, images)
    seconds = (time.perf_counter() - started) / len(replies)
    asked = [(sample, draw) for sample in batch for draw in draws]
    return [
        _prediction(recipe, sample, reply, draw, seconds)
        for (sample, draw), reply in zip(asked, replies, strict=True)
    ]


def draw_seed(seed: int, sample: Sample, draw: int) -> int:
    """The seed of one draw: of the recipe, the sample and its number alone, so no batch changes a text."""
    return int(content_id(seed, sample.id, draw)[:15], 16)


def shown_samples(samples: Sequence[Sample], recipe: PredictRecipe) -> dict[str, Sample]:
    """Id of a sample -> the sample whose images the model sees: itself, unless images are swapped.

    Swapped, it is one of another patient with the same task and as many images, drawn by the recipe's seed;
    where there is none, one with as many images that is asked something else.
    """
    if recipe.image != "swapped":
        return {sample.id: sample for sample in samples}
    alike: dict[tuple[str, int], list[Sample]] = {}
    for sample in sorted(samples, key=lambda one: one.id):
        for task in (sample.task, ANY_TASK):
            alike.setdefault((task, len(sample.images)), []).append(sample)
    shown = {}
    for sample in samples:
        others = _of_others(sample, alike[sample.task, len(sample.images)])
        others = others or _of_others(sample, alike[ANY_TASK, len(sample.images)])
        if not others:
            raise UserError(
                f"{recipe.samples}: no other patient has {len(sample.images)} images to show instead. "
                "Predict more samples."
            )
        shown[sample.id] = Random(content_id(recipe.seed, "swapped", sample.id)).choice(others)
    return shown


def _of_others(sample: Sample, alike: Sequence[Sample]) -> list[Sample]:
    owner = (sample.dataset, sample.patient_id)
    return [other for other in alike if (other.dataset, other.patient_id) != owner]


def _images(recipe: PredictRecipe, shown: Sample) -> list[Picture]:
    paths: list[Path] = [recipe.samples / image for image in shown.images]
    if recipe.image == "blank":
        return [np.full_like(read_image(path), GREY) for path in paths]
    return list(paths)


def prediction_id(recipe: PredictRecipe, sample: Sample, draw: int = 0) -> str:
    """The id of a prediction that a recipe makes of a sample."""
    changed = [] if recipe.image == "as_is" else [recipe.image]
    return content_id(sample.id, recipe.name, recipe.dialect, recipe.mode, draw, *changed)


def _ids(recipe: PredictRecipe, sample: Sample) -> set[str]:
    return {prediction_id(recipe, sample, draw) for draw in range(recipe.num_samples)}


def _prediction(
    recipe: PredictRecipe, sample: Sample, reply: Generated, draw: int, seconds: float
) -> Prediction:
    understood = understand(
        reply.text, dialect=recipe.dialect, mode=recipe.mode, kind=sample.kind, options=sample.options
    )
    return Prediction(
        id=prediction_id(recipe, sample, draw),
        sample_id=sample.id,
        model=recipe.name,
        mode=recipe.mode,
        dialect=recipe.dialect,
        text=reply.text,
        reasoning=understood.reasoning,
        answer=understood.answer,
        problem=understood.problem,
        finished=reply.finished,
        num_tokens=reply.num_tokens,
        seconds=seconds,
        repeat=draw,
    )
