"""`cxreason predict`: ask a model every sample of a split, in one mode, and keep what it said.

Replies are understood by the one parser at once and stored beside the raw text. A reply that cannot be
understood stays in the file with its reason: it is the model's failure and counts against it.
"""

from __future__ import annotations

import time
from typing import Any

from cxreason.answers import understand
from cxreason.answers.conversation import conversation
from cxreason.inference.transformers import Generated, TransformersEngine
from cxreason.recipes import PredictRecipe
from cxreason.records import Prediction, Sample, content_id
from cxreason.runs import Run
from cxreason.training.data import read_samples


def predict(recipe: PredictRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Predict `recipe.split` of `recipe.samples` with `recipe.model`; run again to continue."""
    folder = recipe.samples
    samples = read_samples(folder, recipe.split, limit)
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
        todo = [sample for sample in samples if prediction_id(recipe, sample) not in run.done]
        if todo:
            engine = TransformersEngine(
                recipe.model, max_new_tokens=recipe.max_new_tokens, max_pixels=recipe.max_pixels
            )
            batches = [todo[at : at + recipe.batch_size] for at in range(0, len(todo), recipe.batch_size)]
            for batch in run.progress(batches, f"{recipe.name} {recipe.mode}"):
                started = time.perf_counter()
                replies = engine.generate(
                    [conversation(sample, dialect=recipe.dialect, mode=recipe.mode) for sample in batch],
                    [[folder / image for image in sample.images] for sample in batch],
                )
                seconds = (time.perf_counter() - started) / len(batch)
                run.append([_prediction(recipe, *pair, seconds) for pair in zip(batch, replies, strict=True)])
        return run.finish(num_samples=len(samples))


def prediction_id(recipe: PredictRecipe, sample: Sample) -> str:
    """The id of the prediction that a recipe makes of a sample."""
    return content_id(sample.id, recipe.name, recipe.dialect, recipe.mode, 0)


def _prediction(recipe: PredictRecipe, sample: Sample, reply: Generated, seconds: float) -> Prediction:
    understood = understand(
        reply.text, dialect=recipe.dialect, mode=recipe.mode, kind=sample.kind, options=sample.options
    )
    return Prediction(
        id=prediction_id(recipe, sample),
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
    )
