"""`cxreason select`: keep the samples on which a model is of two minds, as only they teach in stage 2.

CheXOne's low-variance filter: several draws of each sample, the variance of their reward, and of each task
the share where it is largest. GRPO learns from differences within a group, so a sample whose draws all earn
the same moves nothing. `choose: random` keeps as many of each task by lot: the control at equal budget.

    cxreason predict recipe.yaml split=train num_samples=8 temperature=1
    cxreason select select.yaml

`samples.parquet` holds the kept samples, in the order in which they were read, `variances.parquet` the
variance and the mean reward of every sample, and `report.html` their histograms.

Samples and draws lie in two files in different orders. They are joined part by part, each part being the
samples whose ids fall into it, so that no more than `PART_SAMPLES` are held at a time, whatever their number.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.build import relocate
from cxreason.errors import UserError
from cxreason.recipes import SelectRecipe
from cxreason.records import Prediction, Sample, Score, content_id, score_of, to_row
from cxreason.rewards import functions
from cxreason.rewards.graders import chosen
from cxreason.rows import write_parquet, write_text
from cxreason.runs import Run, num_rows, read
from cxreason.training.data import reward_row
from cxreason.training.select_page import page

METRIC = "reward_variance"
MEAN = "reward_mean"
BATCH_SAMPLES = 64
PART_SAMPLES = 100_000


@dataclass
class Cell:
    """What was measured on the samples of one task, or of one kind: three lists in one order."""

    ids: list[str] = field(default_factory=list)
    variances: list[float] = field(default_factory=list)
    means: list[float] = field(default_factory=list)

    @property
    def without_variance(self) -> int:
        """How many samples earned the same in every draw."""
        return self.variances.count(0.0)


def select(recipe: SelectRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write the chosen samples under `recipe.out`; run again to continue.

    `limit` is the largest number of samples that are looked at.
    """
    if dry_run:
        return _shown(recipe)
    with Run.open(
        recipe.out, verb="select", recipe=recipe, record=Score, name="variances", limit=limit
    ) as run:
        if run.finished:
            return run.counts
        seen = _measure_all(recipe, run, limit)
        cells = measured(run.rows(), recipe)
        kept = choose(cells, recipe)
        rows = (
            to_row(_moved(sample, recipe)) for sample in read(recipe.samples, Sample) if sample.id in kept
        )
        write_parquet(recipe.out / "samples.parquet", Sample, rows)
        counts = tasks(cells, kept)
        told = {"kept": len(kept), "tasks": counts, "draws": dict(seen)}
        write_text(recipe.out / "report.html", page(cells, kept, told, recipe))
        return run.finish(**told)


def _shown(recipe: SelectRecipe) -> dict[str, Any]:
    samples = _samples(recipe, 0, _num_parts(recipe))
    first = next(_groups(recipe, samples, Counter()), None)
    if first is None:
        raise UserError(f"{recipe.predictions}: holds no draws of the samples in {recipe.samples}.")
    return {
        "num_draws": len(first),
        "example": to_row(_measure([first], samples, recipe, rewards_of(recipe))[-1]),
    }


def _measure_all(recipe: SelectRecipe, run: Run, limit: int | None) -> Counter[str]:
    """Append what every sample's draws earned; how many draws were read, and how many understood or cut."""
    seen: Counter[str] = Counter()
    rewards = rewards_of(recipe)
    number, parts = 0, _num_parts(recipe)
    for part in run.progress(parts, "rewarding"):
        samples = _samples(recipe, part, parts)
        waiting: list[list[Prediction]] = []
        for group in _groups(recipe, samples, seen, part, parts):
            if number == limit:
                break
            number += 1
            if content_id(group[0].sample_id, METRIC) not in run.done:
                waiting.append(group)
            if len(waiting) == BATCH_SAMPLES:
                _append(run, _measure(waiting, samples, recipe, rewards))
                waiting = []
        _append(run, _measure(waiting, samples, recipe, rewards))
    run.sync()
    return seen


def _append(run: Run, rows: Sequence[Score]) -> None:
    # The variance comes last of a sample's rows: a kill between them leaves a mean that is there already.
    run.append([row for row in rows if row.id not in run.done])


def _num_parts(recipe: SelectRecipe) -> int:
    return -(-num_rows(recipe.samples, Sample) // PART_SAMPLES) or 1


def _part(id: str, parts: int) -> int:
    return 0 if parts == 1 else int(content_id(id)[:8], 16) % parts


def _samples(recipe: SelectRecipe, part: int, parts: int) -> dict[str, Sample]:
    return {sample.id: sample for sample in read(recipe.samples, Sample) if _part(sample.id, parts) == part}


def _groups(
    recipe: SelectRecipe,
    samples: Mapping[str, Sample],
    seen: Counter[str],
    part: int = 0,
    parts: int = 1,
) -> Iterator[list[Prediction]]:
    """The draws of one sample after another. Only those of unfinished groups are held."""
    open_groups: dict[str, list[Prediction]] = {}
    expected = _num_draws(recipe.predictions)
    for item in read(recipe.predictions, Prediction):
        if _part(item.sample_id, parts) != part:
            continue
        if item.sample_id not in samples:
            raise UserError(
                f"{recipe.predictions}: predicts sample {item.sample_id}, which {recipe.samples} does not "
                "hold. Name the folder that was predicted."
            )
        seen.update(read=1, not_understood=bool(item.problem), cut_at_the_limit=not item.finished)
        group = open_groups.setdefault(item.sample_id, [])
        group.append(item)
        if len(group) == expected:
            yield sorted(open_groups.pop(item.sample_id), key=lambda one: one.repeat)
    seen.update(samples_with_too_few=len(open_groups))


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
    groups: Sequence[list[Prediction]],
    samples: Mapping[str, Sample],
    recipe: SelectRecipe,
    rewards: Mapping[str, Any],
) -> list[Score]:
    """Mean and variance of the weighted reward over the draws of each sample."""
    flat = [(item, samples[item.sample_id]) for group in groups for item in group]
    if not flat:
        return []
    totals = iter(total_rewards(flat, recipe, rewards))
    rows = []
    for group in groups:
        worth = np.array([next(totals) for _ in group])
        said = f"rewards {', '.join(f'{one:.2f}' for one in worth)}"
        sample = samples[group[0].sample_id]
        rows.append(_row(MEAN, float(worth.mean()), group[0], sample))
        # Equal rewards may differ in their last digit, and what is left of them is no variance.
        variance = 0.0 if np.ptp(worth) < 1e-9 else float(worth.var())
        rows.append(replace(_row(METRIC, variance, group[0], sample), reason=said, flagged=variance == 0))
    return rows


def _row(metric: str, value: float, item: Prediction, sample: Sample) -> Score:
    return score_of(item, sample, id=content_id(sample.id, metric), metric=metric, value=value)


def rewards_of(recipe: SelectRecipe) -> dict[str, Any]:
    """The rewards that the recipe of stage 2 will pay by, as `select` is told them."""
    return functions(
        recipe.rewards, graders=chosen(recipe.graders or {}), variant=recipe.reward_variant or "paper"
    )


def total_rewards(
    pairs: Sequence[tuple[Prediction, Sample]], recipe: SelectRecipe, rewards: Mapping[str, Any]
) -> list[float]:
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
    for name, reward in rewards.items():
        worth = reward(completions, prompts=prompts, **columns)
        totals += recipe.rewards[name] * np.array([0.0 if one is None else one for one in worth])  # pyright: ignore
    return totals.tolist()


def measured(rows: Iterator[dict[str, Any]], recipe: SelectRecipe) -> dict[str, Cell]:
    """What was measured, by task, in the order of names: a few numbers of each sample."""
    cells: dict[str, Cell] = defaultdict(Cell)
    means: dict[str, float] = {}
    for row in rows:
        if row["metric"] == MEAN:
            means[row["sample_id"]] = row["value"]
        else:
            cell = cells[row["task"]]
            cell.ids.append(row["sample_id"])
            cell.variances.append(row["value"])
            cell.means.append(means.pop(row["sample_id"]))
    unknown = sorted(set(recipe.shares or {}) - set(cells))
    if unknown:
        raise UserError(f"'shares' names {', '.join(unknown)}, and no sample has that task.")
    return dict(sorted(cells.items()))


def choose(cells: Mapping[str, Cell], recipe: SelectRecipe) -> set[str]:
    """The ids of the samples that stay: of each task the share with most variance, or as many by lot.

    Ties are broken by the sample's id, a hash that no order of files changes. A task keeps at least one.
    """
    kept: set[str] = set()
    for task, cell in cells.items():
        share = (recipe.shares or {}).get(task, recipe.share)
        number = max(1, round(share * len(cell.ids)))
        if recipe.choose == "variance":
            ranked = sorted(zip((-one for one in cell.variances), cell.ids, strict=True))
        else:
            ranked = sorted((content_id(recipe.seed, "lot", id), id) for id in cell.ids)
        kept |= {id for _, id in ranked[:number]}
    return kept


def _moved(sample: Sample, recipe: SelectRecipe) -> Sample:
    root = recipe.samples.parent if recipe.samples.suffix else recipe.samples
    return replace(sample, images=tuple(relocate(image, root, recipe.out) for image in sample.images))


def tasks(cells: Mapping[str, Cell], kept: set[str]) -> dict[str, dict[str, float]]:
    """The figures of each task, as the run's counts and the page tell them."""
    counts = {}
    for task, cell in cells.items():
        chosen_here = [at for at, id in enumerate(cell.ids) if id in kept]
        counts[task] = {
            "samples": len(cell.ids),
            "kept": len(chosen_here),
            "without_variance": cell.without_variance,
            "kept_without_variance": sum(cell.variances[at] == 0 for at in chosen_here),
            "mean_variance": round(float(np.mean(cell.variances)), 4),
            "mean_variance_kept": round(float(np.mean([cell.variances[at] for at in chosen_here])), 4),
            "mean_reward": round(float(np.mean(cell.means)), 4),
            "mean_reward_kept": round(float(np.mean([cell.means[at] for at in chosen_here])), 4),
        }
    return counts
