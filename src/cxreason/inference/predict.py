"""`cxreason predict`: ask a model every sample of a split, in one mode, and keep what it said.

Replies are understood by the one parser at once and stored beside the raw text. A reply that cannot be
understood stays in the file with its reason: it is the model's failure and counts against it. A call that a
server failed on is no reply: the run stays unfinished and owes it, unless `accept_failures` is set.

With `num_samples` and a temperature each question gets several draws, each with a seed of its own that comes
from the sample and the number of the draw. With `image` the model sees grey, or another patient.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from cxreason.answers import KINDS, understand
from cxreason.answers.conversation import conversation
from cxreason.errors import UserError
from cxreason.imaging.read import read_image
from cxreason.inference.engines import Ask, Generated, Picture, Replied, open_engine
from cxreason.inference.file import MISSING
from cxreason.recipes import PredictRecipe
from cxreason.records import Prediction, Sample, content_id
from cxreason.runs import Run
from cxreason.samples import read_samples

ANY_TASK = ""
MOST_PROBLEMS = 3
GREY = 128
"""What a blank image is made of: the middle of the scale, so that it says nothing of any image."""
OF_SERVERS = ("servers", "budget", "budget_tokens", "attempts", "patience_seconds", "retry_seconds")
MAY_CHANGE = ("accept_failures", *(f"endpoint.{key}" for key in OF_SERVERS))
"""Keys of a recipe that may differ between two starts of one run: where, at what price, and how patiently."""


def predict(recipe: PredictRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Predict `recipe.split` of `recipe.samples` with `recipe.model`; run again to continue."""
    samples = read_samples(recipe.samples, recipe.split, limit, tasks=recipe.tasks)
    shown = shown_samples(samples, recipe)
    if dry_run:
        chat = conversation(samples[0], dialect=recipe.dialect, mode=recipe.mode)
        return {"num_samples": len(samples), "example": chat}
    with Run.open(
        recipe.out, verb="predict", recipe=recipe, record=Prediction, limit=limit, may_change=MAY_CHANGE
    ) as run:
        if run.finished:
            return run.counts
        todo = in_order(sample for sample in samples if not _ids(recipe, sample) <= run.done)
        about: dict[str, Any] = {}
        if todo:
            asks = (ask_of(recipe, sample, shown[sample.id]) for sample in todo)
            with open_engine(recipe) as engine:
                told = f"{recipe.name} {recipe.mode}"
                for replied in run.progress(engine.reply(asks), told, len(todo)):
                    keep(run, recipe, replied)
                about = engine.about()
        owed = [sample for sample in samples if not _ids(recipe, sample) <= run.done]
        if owed:
            raise UserError(
                f"{recipe.out}: {len(owed)} of {len(samples)} samples have no reply, because calls failed; "
                "failed.jsonl says why. Run the same command again to ask them again, or add "
                "accept_failures=true to count them as wrong."
            )
        return run.finish(num_samples=len(samples), **about, **_unread(run, recipe))


def _unread(run: Run, recipe: PredictRecipe) -> dict[str, Any]:
    """How many replies could not be understood and why, the commonest reasons first: who reads a file in the
    wrong form should see it here, not in an accuracy of 0."""
    problems = Counter(row["problem"] for row in run.rows() if row["problem"])
    found: dict[str, Any] = {"num_unread": problems.total()}
    if problems:
        found["unread"] = dict(problems.most_common(MOST_PROBLEMS))
    if recipe.engine == "file" and 2 * problems.total() > len(run.done):
        found["note"] = (
            f"most of {recipe.file} could not be read as replies in the dialect {recipe.dialect}, mode "
            f"{recipe.mode}. Are they of another one (dialect=boxed, mode=direct)? Or are they the answers "
            "alone: columns.answer=COLUMN?"
        )
    return found


def in_order(samples: Iterable[Sample]) -> list[Sample]:
    """Like lengths together, so that little is spent on padding; the order is the same on a restart."""
    return sorted(
        samples,
        key=lambda sample: (
            len(sample.images),
            len(sample.question) + len(" ".join(sample.options)),
            sample.id,
        ),
    )


def ask_of(recipe: PredictRecipe, sample: Sample, shown: Sample) -> Ask:
    """A sample as it is asked, with the images of `shown`."""
    seeds: tuple[int, ...] = ()
    if recipe.temperature:
        seeds = tuple(draw_seed(recipe.seed, sample, draw) for draw in range(recipe.num_samples))
    chat = conversation(sample, dialect=recipe.dialect, mode=recipe.mode)
    return Ask(sample, chat, _images(recipe, shown), seeds)


def keep(run: Run, recipe: PredictRecipe, replied: Replied) -> None:
    """Append the predictions of one sample, the draws one after another; or note why there are none."""
    sample, replies = replied.ask.sample, replied.replies
    if replied.problem:
        if not recipe.accept_failures:
            run.fail(sample.id, replied.problem)
            return
        replies = [Generated("", 0, finished=False)] * recipe.num_samples
    why = f"the call failed: {replied.problem}" if replied.problem else ""
    if recipe.engine == "file" and not any(reply.finished for reply in replies):
        why = MISSING
    rows = [prediction_of(recipe, sample, reply, draw, why) for draw, reply in enumerate(replies)]
    run.append([row for row in rows if row.id not in run.done])


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


def prediction_of(
    recipe: PredictRecipe, sample: Sample, reply: Generated, draw: int, problem: str = ""
) -> Prediction:
    """A reply as it is kept; `problem` is why there is none."""
    reply = _without_halves(reply)
    if reply.parts is None:
        understood = understand(
            reply.text, dialect=recipe.dialect, mode=recipe.mode, kind=sample.kind, options=sample.options
        )
        reasoning, answer, unread = understood.reasoning, understood.answer, understood.problem
    else:
        parsed = KINDS[sample.kind].parse(reply.parts[1], sample.options)
        reasoning, answer, unread = reply.parts[0], parsed.value, parsed.problem
    return Prediction(
        id=prediction_id(recipe, sample, draw),
        sample_id=sample.id,
        model=recipe.name,
        mode=recipe.mode,
        dialect=recipe.dialect,
        text=reply.text,
        reasoning=reasoning,
        answer=answer,
        problem=problem or unread,
        finished=reply.finished,
        num_tokens=reply.num_tokens,
        seconds=reply.seconds,
        repeat=draw,
    )


def _without_halves(reply: Generated) -> Generated:
    """The reply without half characters, which JSON can hold ("\\ud83d", where it was cut) and no file."""
    try:
        "".join((reply.text, *(reply.parts or ()))).encode()
    except UnicodeEncodeError:
        reasoning, answer = (_whole(part) for part in reply.parts or ("", ""))
        return replace(reply, text=_whole(reply.text), parts=reply.parts and (reasoning, answer))
    return reply


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
