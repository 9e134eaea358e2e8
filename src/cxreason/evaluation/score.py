"""`cxreason score`: what predictions are worth, item by item, and every mean with its interval.

Accuracy is over the closed questions, `anomaly_f1` over the open one, `iou` over boxes and `report_f1` over
written reports; RadRScore with its three parts is over all that have mined reasoning. What a model failed to
say in a prediction counts against it: an unreadable answer is worth 0, and so is a trace that claims nothing,
which every direct answer is (S_f is left out there). Samples without a prediction are not counted: finished
runs of `predict` hold one for each sample of their split.

With a `judge` in the recipe a language model reads for RadRScore. What it said is kept in `judge.jsonl`;
items that it failed on have no value, and are counted in `judge_failed`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.answers import score as score_answer
from cxreason.errors import UserError
from cxreason.evaluation.faithfulness import probe_rows, table
from cxreason.evaluation.radrscore import RadRScore, entity_factuality, radrscore, score_traces
from cxreason.evaluation.statistics import bootstrap
from cxreason.evaluation.subgroups import Context
from cxreason.evaluation.totals import over_tasks
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score, content_id
from cxreason.rows import write_json
from cxreason.runs import Run, read

if TYPE_CHECKING:
    from cxreason.evaluation.judge import Judge

METRICS = {
    "accuracy": "share of closed questions answered right; no readable answer is wrong",
    "anomaly_f1": "F1 of the named set of findings against the labelled set",
    "iou": "overlap of the named boxes with the true ones, paired one to one; a true 'none' is 1",
    "iou_accuracy": "share of questions about a place with an overlap of at least 0.5",
    "report_f1": "F1 of the findings and statuses that a written report states, against the true one",
    "report_radrscore": "RadRScore of a written report, the true one taken as the reference too",
    "radrscore": "mean of the three parts below",
    "r_f": "share of the trace's observations that the report bears out",
    "r_c": "share of the mined reasoning's observations that the trace makes",
    "r_e": "share of the trace's observations that the mined reasoning makes",
    "s_f": "share of the trace's findings, by name and status, that the report has as well (CheXOne)",
}
"""Metric -> its one-line definition, as printed beside the numbers."""

ANSWER_METRIC = {"labels": "anomaly_f1", "boxes": "iou", "report": "report_f1"}
"""Kind of answer -> the metric that says what it is worth; all others are right or wrong."""
HIT = 0.5
"""An overlap from here on counts as found (CheXOne)."""


def score(recipe: ScoreRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Score prediction runs against their samples; rows go to `scores.parquet`, means to `summary.json`."""
    samples = {sample.id: sample for sample in read(recipe.samples, Sample)}
    if dry_run:
        num_predictions = sum(1 for folder in recipe.predictions for _ in read(folder, Prediction))
        return {"num_predictions": num_predictions, "metrics": METRICS}
    with Run.open(
        recipe.out, verb="score", recipe=recipe, record=Score, limit=limit, may_change=("most_cases",)
    ) as run:
        counts = run.counts if run.finished else _score(recipe, run, samples, limit)
    if not (recipe.out / "page.html").exists():
        from cxreason.evaluation.score_page import write_score_page

        summary = json.loads((recipe.out / "summary.json").read_text(encoding="utf-8"))
        write_score_page(recipe, summary, METRICS)
    return counts


def _score(recipe: ScoreRecipe, run: Run, samples: dict[str, Sample], limit: int | None) -> dict[str, Any]:
    judge = _judge(recipe)
    summary: dict[str, dict[str, Any]] = {}
    context = Context(samples, partial(estimate, recipe=recipe))
    for folder in recipe.predictions:
        predictions = list(read(folder, Prediction))[:limit]
        if not predictions:
            raise UserError(f"{folder}: holds no predictions. Run `cxreason predict` with more samples.")
        pairs = [(item, _sample(samples, item, folder)) for item in predictions]
        scored = score_reasoning(pairs, recipe, judge)
        rows = [
            row
            for (item, sample), parts in zip(pairs, scored, strict=True)
            for row in score_item(item, sample, parts)
        ]
        run.append([row for row in rows if row.id not in run.done])
        first = predictions[0]
        told = {**summarise(rows, predictions, recipe), **_published_way(pairs, scored, recipe)}
        context.add_to(told, rows)
        summary.setdefault(first.model, {})[first.mode] = told
    _add_probes(recipe, run, samples, summary)
    write_json(recipe.out / "summary.json", summary)
    asked = {} if judge is None else {"judge": judge.about()}
    return run.finish(models={model: sorted(modes) for model, modes in summary.items()}, **asked)


def _add_probes(
    recipe: ScoreRecipe, run: Run, samples: dict[str, Sample], summary: dict[str, dict[str, Any]]
) -> None:
    """The faithfulness of every model that was probed, under `faithfulness` of its mode."""
    said = [one for folder in recipe.predictions for one in read(folder, Prediction)]
    for folder in recipe.probes:
        probes = list(read(folder, Prediction))
        for model, mode in dict.fromkeys((one.model, one.mode) for one in probes):
            own = [one for one in said if (one.model, one.mode) == (model, mode)]
            if not own:
                raise UserError(f"{folder}: probes {model}, which `predictions` does not hold. Add its run.")
            rows = list(probe_rows(own, [one for one in probes if one.model == model], samples))
            run.append([row for row in rows if row.id not in run.done])
            summary[model][mode]["faithfulness"] = table(rows, partial(estimate, recipe=recipe))


def _judge(recipe: ScoreRecipe) -> Judge | None:
    if recipe.judge is None:
        return None
    from cxreason.endpoint.client import Endpoint
    from cxreason.evaluation.judge import Judge

    return Judge(Endpoint(recipe.judge, cache=recipe.judge_cache or recipe.out / "judge.jsonl"))


def score_reasoning(
    pairs: list[tuple[Prediction, Sample]], recipe: ScoreRecipe, judge: Judge | None
) -> list[RadRScore | None]:
    """The RadRScore of each prediction; None where the sample has no reasoning to hold it against."""
    asked = [(item.reasoning, sample.reasoning, sample.facts) for item, sample in pairs if sample.reasoning]
    traces, references, reports = zip(*asked, strict=True) if asked else ((), (), ())
    engine = "rules" if judge is None else "llm"
    found = iter(score_traces(traces, references, reports, recipe.radrscore, engine, judge=judge))
    return [next(found) if sample.reasoning else None for _, sample in pairs]


def _published_way(
    pairs: list[tuple[Prediction, Sample]], scored: list[RadRScore | None], recipe: ScoreRecipe
) -> dict[str, Any]:
    """RadRScore as the papers add it up, beside the pooled means; and how often a judge failed."""
    files: dict[str, dict[str, list[RadRScore]]] = {}
    for (_, sample), parts in zip(pairs, scored, strict=True):
        if parts is not None:
            files.setdefault(sample.task, {}).setdefault(sample.dataset, []).append(parts)
    if not files:
        return {}
    overall, _ = over_tasks(files, recipe.radrscore)
    values = {
        "radrscore": overall.value,
        "r_f": overall.factuality,
        "r_c": overall.completeness,
        "r_e": overall.effectiveness,
    }
    return {"mean_of_tasks": values, "judge_failed": overall.num_failed}


def _sample(samples: dict[str, Sample], prediction: Prediction, folder: Path) -> Sample:
    if prediction.sample_id not in samples:
        raise UserError(f"{folder}: predicts sample {prediction.sample_id}, which `samples` does not hold.")
    return samples[prediction.sample_id]


def score_item(prediction: Prediction, sample: Sample, parts: RadRScore | None) -> Iterator[Score]:
    """The scores of one prediction, one per metric that applies to its task; `parts` are its RadRScore's."""
    said = prediction.problem or f"said {prediction.answer}, expected {sample.answer}"
    for metric, worth in _answer_scores(prediction, sample):
        yield _row(prediction, sample, metric, worth, said, flagged=bool(prediction.problem))
    if parts is not None:
        reason = f"judge failed: {parts.failed}" if parts.failed else json.dumps(parts.counts)
        silent = parts.counts.get("model") == 0
        for name, value in (
            ("radrscore", parts.value),
            ("r_f", parts.factuality),
            ("r_c", parts.completeness),
            ("r_e", parts.effectiveness),
        ):
            yield _row(prediction, sample, name, value, reason, flagged=silent)
        if prediction.mode == "direct":  # no trace was asked for, so S_f does not apply
            return
        named = entity_factuality(prediction.reasoning, sample.facts)
        asked = "\n".join((sample.question, *sample.options))
        unasked = entity_factuality(prediction.reasoning, sample.facts, without=asked)
        reason = f"{unasked} without what stands in the question"
        yield _row(prediction, sample, "s_f", named, reason, flagged=silent)


def _answer_scores(prediction: Prediction, sample: Sample) -> Iterator[tuple[str, float | None]]:
    """What the answer is worth, by each metric of its kind."""
    worth = score_answer(prediction.answer, sample.answer, kind=sample.kind, options=sample.options)
    yield ANSWER_METRIC.get(sample.kind, "accuracy"), worth
    if sample.kind == "boxes":
        yield "iou_accuracy", float(worth >= HIT)
    if sample.kind == "report":
        yield "report_radrscore", radrscore(prediction.answer, sample.answer, sample.facts).value


def _row(
    prediction: Prediction, sample: Sample, metric: str, value: float | None, reason: str, *, flagged: bool
) -> Score:
    return Score(
        id=content_id(prediction.id, metric),
        prediction_id=prediction.id,
        sample_id=sample.id,
        patient_id=sample.patient_id,
        dataset=sample.dataset,
        task=sample.task,
        metric=metric,
        value=value,
        reason=reason,
        flagged=flagged,
    )


def summarise(rows: Iterable[Score], predictions: list[Prediction], recipe: ScoreRecipe) -> dict[str, Any]:
    """Each metric's mean with a patient-clustered 95% interval, pooled and by task."""
    by_metric: dict[str, list[Score]] = {}
    for row in rows:
        by_metric.setdefault(row.metric, []).append(row)
    summary: dict[str, Any] = {}
    for metric in METRICS:
        items = by_metric.get(metric, [])
        tasks = sorted({row.task for row in items})
        summary[metric] = {
            **estimate(items, recipe),
            "by_task": {task: estimate([row for row in items if row.task == task], recipe) for task in tasks},
        }
    summary["parse_rate"] = sum(not item.problem for item in predictions) / len(predictions)
    summary["finished_rate"] = sum(item.finished for item in predictions) / len(predictions)
    summary["mean_tokens"] = sum(item.num_tokens for item in predictions) / len(predictions)
    return summary


def estimate(rows: list[Score], recipe: ScoreRecipe) -> dict[str, float | int | None]:
    """Mean, interval and counts of one metric's rows; rows without a value are left out and counted."""
    scored = [row for row in rows if row.value is not None]
    mean = bootstrap(
        [row.value for row in scored if row.value is not None],
        [row.patient_id for row in scored],
        draws=recipe.bootstrap_draws,
        seed=recipe.seed,
    )
    return {
        "value": mean.value,
        "low": mean.low,
        "high": mean.high,
        "n": mean.n,
        "num_left_out": len(rows) - len(scored),
        "num_flagged": sum(row.flagged for row in scored),
    }
