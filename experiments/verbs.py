"""What the experiments do beside the verbs of cxreason: questions, pool, habits. Each resumes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from grid import HabitsRecipe, Job, PoolRecipe, QuestionsRecipe

from cxreason.build import relocate
from cxreason.evaluation.guarded import guarded_worth
from cxreason.evaluation.habits import habits, trace_change
from cxreason.evaluation.radrscore import factuality
from cxreason.inference.predict import shown_samples
from cxreason.recipes import PredictRecipe, load
from cxreason.records import Prediction, Sample, Score, content_id, score_of
from cxreason.runs import Run, read
from cxreason.samples import read_samples


def run_job(job: Job) -> None:
    """Do one job, or go on with it where it was stopped."""
    _verbs()[job.stage](job.recipe)


def _verbs() -> dict[str, Callable[[Any], Any]]:
    from cxreason.build import build
    from cxreason.evaluation.controls import control
    from cxreason.evaluation.score import score
    from cxreason.inference.predict import predict
    from cxreason.mining.run import mine
    from cxreason.phantom.run import make_phantoms
    from cxreason.training import grpo, select, sft

    return {
        "phantom": make_phantoms,
        "build": build,
        "mine": mine,
        "questions": questions,
        "pool": pool,
        "control": control,
        "sft": sft.train,
        "grpo": grpo.train,
        "draws": predict,
        "select": select.select,
        "predict": predict,
        "score": score,
        "habits": habits_of_run,
    }


def questions(recipe: QuestionsRecipe) -> dict[str, Any]:
    """All built samples of the split, in the form in which they were mined where they were."""
    with Run.open(recipe.out, verb="questions", recipe=recipe, record=Sample) as run:
        if run.finished:
            return run.counts
        mined = {sample.id: sample for sample in read(recipe.mine, Sample) if sample.split == recipe.split}
        for sample in read_samples(recipe.build, recipe.split):
            if sample.id not in run.done:
                found, root = (
                    (mined[sample.id], recipe.mine) if sample.id in mined else (sample, recipe.build)
                )
                images = tuple(relocate(image, root, recipe.out) for image in found.images)
                run.append(replace(found, images=images))
        return run.finish(with_reasoning=len(mined))


def pool(recipe: PoolRecipe) -> dict[str, Any]:
    """So many training samples of each task with their reasoning, chosen by lot."""
    with Run.open(recipe.out, verb="pool", recipe=recipe, record=Sample) as run:
        if run.finished:
            return run.counts
        by_task: dict[str, list[Sample]] = defaultdict(list)
        for sample in read_samples(recipe.mine, "train"):
            by_task[sample.task].append(sample)
        for task in sorted(by_task):
            by_lot = sorted(by_task[task], key=lambda one: content_id(recipe.seed, "pool", one.id))
            for sample in by_lot[: recipe.per_task]:
                if sample.id not in run.done:
                    images = tuple(relocate(image, recipe.mine, recipe.out) for image in sample.images)
                    run.append(replace(sample, images=images))
        return run.finish(tasks={task: len(samples) for task, samples in by_task.items()})


def habits_of_run(recipe: HabitsRecipe) -> dict[str, Any]:
    """A score row for each habit of each trace; beside the true image's traces, for each change as well."""
    with Run.open(recipe.out, verb="habits", recipe=recipe, record=Score) as run:
        if run.finished:
            return run.counts
        samples = {sample.id: sample for sample in read(recipe.samples, Sample)}
        said = {item.sample_id: item for item in read(recipe.predictions, Prediction)}
        true = (
            {} if recipe.beside is None else {one.sample_id: one for one in read(recipe.beside, Prediction)}
        )
        asked = load(PredictRecipe, recipe.predictions / "recipe.yaml")
        shown = shown_samples(list(samples.values()), asked)
        for id, item in said.items():
            sample, report = samples[id], shown[id].facts if asked.image == "swapped" else ""
            rows = [
                _row(item, sample, name, value)
                for name, value in _measured(item, sample, true.get(id), report).items()
            ]
            run.append([row for row in rows if row.id not in run.done])
        return run.finish()


def _measured(
    item: Prediction, sample: Sample, true: Prediction | None, shown_report: str
) -> dict[str, float | None]:
    question = "\n".join((sample.question, *sample.options))
    values = habits(item.reasoning, sample.facts, reference=sample.reasoning, question=question)
    if true is None:
        return values
    values["trace_change"] = trace_change(true.reasoning, item.reasoning)
    values["same_trace"] = float(true.reasoning == item.reasoning)
    values["answer_change"] = float(true.answer != item.answer)
    if shown_report:
        # Of whom the image is: a trace that follows it is true of that patient.
        values["r_f_shown"] = factuality(item.reasoning, shown_report)
        values["guarded_shown"] = guarded_worth(item.reasoning, shown_report, question)
    return values


def _row(item: Prediction, sample: Sample, name: str, value: float | None) -> Score:
    return score_of(item, sample, id=content_id(item.id, name), metric=name, value=value)
