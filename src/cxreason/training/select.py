"""`cxreason select`: keep the samples on which a model is of two minds, as only they teach in stage 2.

CheXOne's low-variance filter: several draws of each sample, the variance of their reward, and of each task
the share where it is largest. GRPO learns from differences within a group, so a sample whose draws all earn
the same moves nothing. `choose: random` keeps as many of each task by lot: the control at equal budget.

    cxreason predict recipe.yaml split=train num_samples=8 temperature=1
    cxreason select select.yaml

`samples.parquet` holds the kept samples, in the order in which they were read, `variances.parquet` what was
measured on every sample, and `report.html` the histograms.
"""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.build import relocate
from cxreason.errors import UserError
from cxreason.recipes import SelectRecipe
from cxreason.records import Prediction, Sample, Score, content_id, to_row
from cxreason.rewards import REWARDS
from cxreason.rows import read_lines, write_parquet, write_text
from cxreason.runs import Run, read
from cxreason.training.data import reward_row

METRIC = "reward_variance"
BATCH_SAMPLES = 64


def select(recipe: SelectRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write the chosen samples under `recipe.out`; run again to continue.

    `limit` is the largest number of samples that are looked at.
    """
    samples = {sample.id: sample for sample in read(recipe.samples, Sample)}
    groups = _groups(recipe, samples, limit)
    if dry_run:
        first = next(groups)
        return {"num_draws": len(first), "example": to_row(_measure(recipe, [first], samples)[0])}
    with Run.open(
        recipe.out, verb="select", recipe=recipe, record=Score, name="variances", limit=limit
    ) as run:
        if run.finished:
            return run.counts
        waiting: list[list[Prediction]] = []
        for group in run.progress(groups, "rewarding"):
            if content_id(group[0].sample_id, METRIC) not in run.done:
                waiting.append(group)
            if len(waiting) == BATCH_SAMPLES:
                run.append(_measure(recipe, waiting, samples))
                waiting = []
        run.append(_measure(recipe, waiting, samples))
        run.sync()
        scores = [Score(**row) for row in read_lines(recipe.out / "variances.jsonl")]
        kept = choose(scores, recipe)
        rows = (to_row(_moved(sample, recipe)) for sample in samples.values() if sample.id in kept)
        write_parquet(recipe.out / "samples.parquet", Sample, rows)
        write_text(recipe.out / "report.html", report(scores, kept, recipe))
        return run.finish(kept=len(kept), tasks=_counts(scores, kept))


def _groups(
    recipe: SelectRecipe, samples: dict[str, Sample], limit: int | None
) -> Iterator[list[Prediction]]:
    """The draws of one sample after another. Only those of unfinished groups are held."""
    open_groups: dict[str, list[Prediction]] = {}
    expected, number = _num_draws(recipe.predictions), 0
    for item in read(recipe.predictions, Prediction):
        if item.sample_id not in samples:
            raise UserError(
                f"{recipe.predictions}: predicts sample {item.sample_id}, which {recipe.samples} does not "
                "hold. Name the folder that was predicted."
            )
        group = open_groups.setdefault(item.sample_id, [])
        group.append(item)
        if len(group) == expected:
            yield sorted(open_groups.pop(item.sample_id), key=lambda one: one.repeat)
            number += 1
            if number == limit:
                return


def _num_draws(predictions: Path) -> int:
    """How many draws each sample has: the same number for all, as `predict` makes them."""
    largest = max((item.repeat for item in read(predictions, Prediction)), default=-1) + 1
    if largest < 2:
        raise UserError(
            f"{predictions}: holds {largest} reply for each sample, and one reply has no variance. "
            "Predict with num_samples=8 temperature=1."
        )
    return largest


def _measure(
    recipe: SelectRecipe, groups: Sequence[list[Prediction]], samples: dict[str, Sample]
) -> list[Score]:
    """The variance of the weighted reward over the draws of each sample."""
    flat = [(item, samples[item.sample_id]) for group in groups for item in group]
    if not flat:
        return []
    totals = iter(total_rewards(flat, recipe.rewards))
    rows = []
    for group in groups:
        worth = np.array([next(totals) for _ in group])
        sample = samples[group[0].sample_id]
        rows.append(
            Score(
                id=content_id(sample.id, METRIC),
                prediction_id=group[0].id,
                sample_id=sample.id,
                patient_id=sample.patient_id,
                dataset=sample.dataset,
                task=sample.task,
                metric=METRIC,
                value=float(worth.var()),
                reason=f"rewards {', '.join(f'{one:.2f}' for one in worth)}",
                flagged=bool(worth.var() == 0),
            )
        )
    return rows


def total_rewards(pairs: Sequence[tuple[Prediction, Sample]], weights: dict[Any, float]) -> list[float]:
    """What GRPO would pay for each prediction: the weighted sum of the rewards that apply to it."""
    completions = [[{"role": "assistant", "content": item.text}] for item, _ in pairs]
    rows = [
        reward_row(
            sample, Path(), dialect=item.dialect, mode="direct" if item.mode == "direct" else "reasoning"
        )
        for item, sample in pairs
    ]
    columns = {key: [row[key] for row in rows] for key in rows[0] if key not in ("prompt", "images")}
    prompts = [row["prompt"] for row in rows]
    totals = np.zeros(len(pairs))
    for name, weight in weights.items():
        worth = REWARDS[name](completions, prompts=prompts, **columns)
        totals += weight * np.array([0.0 if one is None else one for one in worth])
    return totals.tolist()


def choose(scores: Iterable[Score], recipe: SelectRecipe) -> set[str]:
    """The ids of the samples that stay: of each task the share with most variance, or as many by lot.

    Ties are broken by the sample's id, which no order of files changes. A task keeps at least one sample.
    """
    tasks: dict[str, list[Score]] = defaultdict(list)
    for one in scores:
        tasks[one.task].append(one)
    kept: set[str] = set()
    for rows in tasks.values():
        number = max(1, round(recipe.share * len(rows)))
        if recipe.choose == "variance":
            rows.sort(key=lambda one: (-(one.value or 0.0), one.sample_id))
        else:
            rows.sort(key=lambda one: content_id(recipe.seed, "lot", one.sample_id))
        kept |= {one.sample_id for one in rows[:number]}
    return kept


def _moved(sample: Sample, recipe: SelectRecipe) -> Sample:
    root = recipe.samples.parent if recipe.samples.suffix else recipe.samples
    return replace(sample, images=tuple(relocate(image, root, recipe.out) for image in sample.images))


def _counts(scores: Sequence[Score], kept: set[str]) -> dict[str, dict[str, float]]:
    counts = {}
    for task in sorted({one.task for one in scores}):
        rows = [one for one in scores if one.task == task]
        chosen = [one for one in rows if one.sample_id in kept]
        counts[task] = {
            "samples": len(rows),
            "kept": len(chosen),
            "without_variance": sum(one.flagged for one in rows),
            "mean_variance": round(_mean(rows), 4),
            "mean_variance_kept": round(_mean(chosen), 4),
        }
    return counts


def _mean(rows: Sequence[Score]) -> float:
    return float(np.mean([one.value or 0.0 for one in rows])) if rows else 0.0


NUM_BARS, WIDTH, HEIGHT = 20, 360, 120


def report(scores: Sequence[Score], kept: set[str], recipe: SelectRecipe) -> str:
    """A page with one histogram for each task: all samples in grey, the kept ones in blue before them."""
    most = max([one.value or 0.0 for one in scores], default=0.0) or 1.0
    parts = []
    for task, counts in _counts(scores, kept).items():
        rows = [one for one in scores if one.task == task]
        told = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in counts.items())
        parts.append(f"<h2>{html.escape(task)}</h2><p>{told}</p>{_histogram(rows, kept, most)}")
    title = f"Reward variance, chosen by {recipe.choose}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font:16px system-ui;margin:2rem;max-width:50rem}.all{fill:#c8ccd2}.kept{fill:#2b6cb0}"
        f"text{{font-size:11px}}</style><h1>{title}</h1>"
        f"<p>Grey: all samples. Blue: kept. From 0 to {most:.3f}.</p>{''.join(parts)}</html>\n"
    )


def _histogram(rows: Sequence[Score], kept: set[str], most: float) -> str:
    def bars(some: Sequence[Score]) -> np.ndarray:
        return np.histogram([one.value or 0.0 for one in some], bins=NUM_BARS, range=(0.0, most))[0]

    everything, chosen = bars(rows), bars([one for one in rows if one.sample_id in kept])
    tallest, width = max(1, everything.max()), WIDTH / NUM_BARS
    drawn = [
        f'<rect class="{name}" x="{number * width:.1f}" y="{HEIGHT - HEIGHT * count / tallest:.1f}" '
        f'width="{width - 1:.1f}" height="{HEIGHT * count / tallest:.1f}"><title>{count}</title></rect>'
        for name, counts in (("all", everything), ("kept", chosen))
        for number, count in enumerate(counts)
        if count
    ]
    axis = f'<text x="0" y="{HEIGHT + 14}">0</text><text x="{WIDTH - 40}" y="{HEIGHT + 14}">{most:.3f}</text>'
    return f'<svg width="{WIDTH}" height="{HEIGHT + 20}" role="img">{"".join(drawn)}{axis}</svg>'
