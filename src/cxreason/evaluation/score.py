"""`cxreason score`: what predictions are worth, item by item, and every mean with its interval.

Which metrics a sample gets follows from its kind of answer: `metrics.py` names them all. RadRScore with its
three parts is over all that have mined reasoning. What a model failed to say counts against it: an unreadable
answer is worth 0, and so is a trace that claims nothing, which every direct answer is (S_f is left out then).
A sample without a prediction is a model that said nothing, unless the run of `predict` was limited.

With a `judge` in the recipe a language model reads for RadRScore. What it said is kept in `judge.jsonl`;
items that it failed on have no value, and are counted in `judge_failed`. `backends` and `subscores` bring the
metrics that need published weights; see `outside.py`. Nothing here asks the model that is
scored: a run can be scored as often as one likes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.errors import UserError
from cxreason.evaluation.asked import Asked, check_same_items, known_samples, read_asked
from cxreason.evaluation.faithfulness import probe_rows, table
from cxreason.evaluation.item_scores import consistency_rows, score_item
from cxreason.evaluation.metrics import METRICS
from cxreason.evaluation.outside import Outside
from cxreason.evaluation.radrscore import RadRScore, score_traces
from cxreason.evaluation.subgroups import Context
from cxreason.evaluation.summary import estimate, summarise
from cxreason.evaluation.totals import over_tasks
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score
from cxreason.rows import write_groups, write_json
from cxreason.runs import Run, read, state_of

if TYPE_CHECKING:
    from cxreason.evaluation.judge import Judge

__all__ = ["METRICS", "estimate", "score", "score_item", "summarise"]


def score(recipe: ScoreRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Score prediction runs against their samples; rows go to `scores.parquet`, means to `summary.json`.

    Items that a judge failed on are owed: the same command asks again for them alone.
    """
    samples = known_samples(recipe)
    if dry_run:
        num_predictions = sum(1 for folder in recipe.predictions for _ in read(folder, Prediction))
        return {"num_predictions": num_predictions, "metrics": METRICS}
    with Run.open(
        recipe.out,
        verb="score",
        recipe=recipe,
        limit=limit,
        may_change=("most_cases",),
        reopen=_owes(recipe.out),
    ) as run:
        counts = run.counts if run.finished else _score(recipe, run, samples, limit)
    if not (recipe.out / "page.html").exists():
        from cxreason.evaluation.score_page import write_score_page

        summary = json.loads((recipe.out / "summary.json").read_text(encoding="utf-8"))
        write_score_page(recipe, summary, METRICS)
    return counts


def _owes(out: Path) -> bool:
    state = state_of(out)
    return state is not None and bool(state["counts"].get("num_owed"))


def _score(recipe: ScoreRecipe, run: Run, samples: dict[str, Sample], limit: int | None) -> dict[str, Any]:
    """All rows anew, which takes seconds: what was dear, what a judge said, is kept beside them."""
    (recipe.out / "page.html").unlink(missing_ok=True)  # it would show the numbers of before
    runs = [read_asked(folder, samples, recipe, limit) for folder in recipe.predictions]
    check_same_items(runs, recipe)
    judge = _judge(recipe)
    summary: dict[str, dict[str, Any]] = {}
    context = Context(samples, partial(estimate, recipe=recipe))
    num_rows = num_owed = 0

    def groups() -> Iterator[list[Score]]:
        nonlocal num_rows, num_owed
        for asked in runs:
            rows, told = _score_run(asked, recipe, judge, outside)
            context.add_to(told, rows)
            summary.setdefault(asked.model, {})[asked.mode] = told
            num_rows += len(rows)
            num_owed += told.get("judge_failed", 0) + sum(told["backend_failed"].values())
            yield rows
        for rows in _probed(recipe, runs, samples, summary):
            num_rows += len(rows)
            yield rows

    with Outside(recipe) as outside:
        write_groups(recipe.out / "scores.parquet", Score, groups())
        backends = outside.about()
    write_json(recipe.out / "summary.json", summary)
    about: dict[str, Any] = {} if judge is None else {"judge": judge.about()}
    about |= {"backends": backends} if backends else {}
    models = {model: sorted(modes) for model, modes in summary.items()}
    return run.finish(rows=num_rows, num_owed=num_owed, models=models, **about)


def _score_run(
    asked: Asked, recipe: ScoreRecipe, judge: Judge | None, outside: Outside
) -> tuple[list[Score], dict[str, Any]]:
    """The rows of one model in one mode, and what they add up to."""
    reasoning = score_reasoning(asked.pairs, recipe, judge)
    rows = [
        row
        for (prediction, sample), parts in zip(asked.pairs, reasoning, strict=True)
        for row in score_item(prediction, sample, parts)
    ]
    rows += consistency_rows(asked.pairs)
    before = outside.num_failed.copy()
    rows += outside.rows(asked.pairs)
    told = summarise(rows, asked.predictions, recipe, outside.absent(asked.pairs))
    told["backend_failed"] = dict(outside.num_failed - before)
    told |= {**_published_way(asked.pairs, reasoning, recipe), "num_missing": asked.num_missing}
    return rows, told


def _probed(
    recipe: ScoreRecipe, runs: Sequence[Asked], samples: dict[str, Sample], summary: dict[str, dict[str, Any]]
) -> Iterator[list[Score]]:
    """The rows of every model that was probed; what they add up to goes under `faithfulness` of its mode."""
    for folder in recipe.probes:
        probes = list(read(folder, Prediction))
        for model, mode in dict.fromkeys((one.model, one.mode) for one in probes):
            own = [one for run in runs if (run.model, run.mode) == (model, mode) for one in run.predictions]
            if not own:
                raise UserError(f"{folder}: probes {model}, which `predictions` does not hold. Add its run.")
            rows = list(probe_rows(own, [one for one in probes if one.model == model], samples))
            summary[model][mode]["faithfulness"] = table(rows, partial(estimate, recipe=recipe))
            yield rows


def _judge(recipe: ScoreRecipe) -> Judge | None:
    if recipe.judge is None:
        return None
    from cxreason.endpoint.client import Endpoint
    from cxreason.evaluation.judge import Judge

    return Judge(Endpoint(recipe.judge, cache=recipe.judge_cache or recipe.out / "judge.jsonl"))


def score_reasoning(
    pairs: Sequence[tuple[Prediction, Sample]], recipe: ScoreRecipe, judge: Judge | None
) -> list[RadRScore | None]:
    """The RadRScore of each prediction; None where the sample has no reasoning to hold it against."""
    asked = [(item.reasoning, sample.reasoning, sample.facts) for item, sample in pairs if sample.reasoning]
    traces, references, reports = zip(*asked, strict=True) if asked else ((), (), ())
    engine = "rules" if judge is None else "llm"
    found = iter(score_traces(traces, references, reports, recipe.radrscore, engine, judge=judge))
    return [next(found) if sample.reasoning else None for _, sample in pairs]


def _published_way(
    pairs: Sequence[tuple[Prediction, Sample]], scored: Sequence[RadRScore | None], recipe: ScoreRecipe
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
