"""`cxreason suite`: a published benchmark from datasets as they are published, and any model on it.

    <out>/samples.parquet   the samples of all settings; each is a task under the setting's name
    <out>/suite.json        the settings: title, metric, how many were published and are here, or why none
    <out>/reasoning/        a part of the samples, for factuality and self-consistency

With `predict` in the recipe the model is asked at once, and scored: <out>/predict, <out>/draws, <out>/score.
Without it, `cxreason predict` and `cxreason score` take the folder as they take any other.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from cxreason.build import build, relocate
from cxreason.datasets import DATASETS
from cxreason.errors import UserError
from cxreason.recipes import BuildRecipe, PredictRecipe, ScoreRecipe, SuiteRecipe, validate
from cxreason.records import Sample, content_id
from cxreason.rows import write_json, write_records
from cxreason.runs import Run, read
from cxreason.settings import SuiteSetting
from cxreason.suites.sampling import Source, missing, samples_of
from cxreason.tasks import TASKS

PART = "reasoning"
DRAWS = 8
"""Replies to each question of the part that self-consistency is measured on (CheXOne)."""


def suite(recipe: SuiteRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write the samples of a suite, and ask and score a model where the recipe names one."""
    settings = _wanted(recipe)
    gone = {one.name: why for one in settings if (why := missing(one, recipe.folders))}
    held = [one for one in settings if one.name not in gone]
    if dry_run:
        return {"settings": [_told(one, gone.get(one.name, "")) for one in settings]}
    if not held:
        places = ", ".join(map(str, recipe.folders)) or "no folder"
        lacks = "; ".join(dict.fromkeys(gone.values()))
        raise UserError(f"{places}: holds no dataset of this suite ({lacks}). Name others: folders=[...].")
    with Run.open(
        recipe.out, verb="suite", recipe=_recorded(recipe), record=Sample, name="samples", limit=limit
    ) as run:
        counts = run.counts if run.finished else _sample(recipe, run, settings, held, gone, limit)
    if recipe.predict:
        counts = {**counts, "score": _ask(recipe, limit)}
    return counts


def _wanted(recipe: SuiteRecipe) -> list[SuiteSetting]:
    known = {one.name: one for one in recipe.settings}
    unknown = [name for name in recipe.only if name not in known]
    if unknown:
        raise UserError(f"only: unknown setting {unknown[0]!r}. This suite has {', '.join(known)}.")
    return [one for one in recipe.settings if not recipe.only or one.name in recipe.only]


def _recorded(recipe: SuiteRecipe) -> SuiteRecipe:
    """What decides on the samples: another model changes nothing of them."""
    return recipe.model_copy(update={"predict": {}, "score": {}})


def _sample(
    recipe: SuiteRecipe,
    run: Run,
    settings: list[SuiteSetting],
    held: list[SuiteSetting],
    gone: dict[str, str],
    limit: int | None,
) -> dict[str, Any]:
    sampled: dict[str, dict[str, Any]] = {}
    built = [one for one in held if one.how == "build"]
    if built:
        _build(recipe, built, limit)
    for setting in run.progress(held, f"sampling {recipe.suite}"):
        if setting.how == "build":
            found, lacking = _built(recipe, setting), {}
        else:
            source = Source(setting, recipe.folders, recipe.out, recipe.seed)
            found, lacking = samples_of(source)[:limit], source.images.lacking()
        run.append([one for one in found if one.id not in run.done])
        sampled[setting.name] = {"n": len(found), **lacking}
    told = [{**_told(one, gone.get(one.name, "")), **sampled.get(one.name, {})} for one in settings]
    write_json(recipe.out / "suite.json", {"suite": recipe.suite, "settings": told})
    counts = run.finish(suite=recipe.suite, settings=told)
    _write_part(recipe)
    return counts


def _told(setting: SuiteSetting, why: str) -> dict[str, Any]:
    told = {"name": setting.name, "title": setting.title, "dataset": setting.dataset}
    told |= {"metrics": list(setting.metrics), "published": setting.published}
    return {**told, "n": 0 if why else None, "absent": why}


def _build(recipe: SuiteRecipe, settings: list[SuiteSetting], limit: int | None) -> None:
    """The settings whose options need the balance of `cxreason build`: test samples alone."""
    feeds: list[dict[str, Any]] = []
    for one in settings:
        if one.task not in TASKS:
            raise UserError(f"setting {one.name}: unknown task {one.task!r}.")
        sizes = {"train": 0, "validation": 0, "test": 0, one.split: one.most}
        feeds.append({"dataset": one.dataset, "task": one.task, "balance": one.balance, **sizes})
    values: dict[str, Any] = {
        "out": recipe.out / "built",
        "folders": recipe.folders,
        "feeds": feeds,
        "shares": {
            name: {"train": 0.7, "validation": 0.15, "test": 0.15}
            for name in {one.dataset for one in settings}
            if not DATASETS[name].OFFICIAL_SPLITS and not DATASETS[name].EVALUATION_ONLY
        },
        "by_images": tuple(one.dataset for one in settings if one.dataset == "ms-cxr-t"),
        "audit": {"hash_images": False, "most_ratio": None},
        "seed": recipe.seed,
    }
    build(validate(BuildRecipe, values, "suite"), limit=limit)


def _built(recipe: SuiteRecipe, setting: SuiteSetting) -> list[Sample]:
    folder = recipe.out / "built"
    return [
        replace(one, split="test", images=tuple(relocate(image, folder, recipe.out) for image in one.images))
        for one in read(folder, Sample)
        if (one.dataset, one.task) == (setting.dataset, setting.task)
    ]


def _write_part(recipe: SuiteRecipe) -> None:
    """So many samples of each of some settings, by hash, in a folder of their own."""
    if not recipe.part:
        return
    folder = recipe.out / PART
    taken: list[Sample] = []
    samples = list(read(recipe.out, Sample))
    for name in recipe.part:
        own = [one for one in samples if one.task == name]
        own.sort(key=lambda one: content_id(recipe.seed, PART, one.id))
        taken += own[: recipe.part_each]
    if taken:
        folder.mkdir(exist_ok=True)
        moved = [
            replace(one, images=tuple(relocate(image, recipe.out, folder) for image in one.images))
            for one in taken
        ]
        write_records(folder / "samples.parquet", Sample, moved)


def _ask(recipe: SuiteRecipe, limit: int | None) -> dict[str, Any]:
    """Ask the model everything once, and the part `DRAWS` times; score both."""
    from cxreason.evaluation.score import score
    from cxreason.inference.predict import predict

    model = validate(PredictRecipe, {**recipe.predict, "out": recipe.out, "samples": recipe.out}, "predict")
    homes = {"": recipe.out / "predict" / f"{model.name}-{model.mode}"}
    predict(model.model_copy(update={"out": homes[""]}), limit=limit)
    told: dict[str, Any] = {**recipe.score, "samples": recipe.out, "predictions": [homes[""]]}
    out = recipe.out / "score" / f"{model.name}-{model.mode}"
    score(validate(ScoreRecipe, {**told, "out": out}, "score"))
    if (recipe.out / PART).is_dir() and model.mode == "reasoning" and model.engine != "file":
        draws = recipe.out / "draws" / model.name
        drawn = {"out": draws, "samples": recipe.out / PART, "num_samples": DRAWS, "temperature": 1.0}
        predict(model.model_copy(update=drawn), limit=limit)
        told |= {"samples": recipe.out / PART, "predictions": [draws]}
        score(validate(ScoreRecipe, {**told, "out": recipe.out / "score" / f"{model.name}-draws"}, "score"))
    return json.loads((out / "summary.json").read_text(encoding="utf-8"))


def describe(result: dict[str, Any]) -> str:
    """The settings as a table for a terminal: what is here, and why the others are not."""
    lines = []
    for one in result["settings"]:
        found = one["absent"] or ("" if one["n"] is None else f"{one['n']:,} samples")
        if lacks := one.get("missing_images"):
            found += f", {lacks['named'] - lacks['there']:,} of {lacks['named']:,} images are missing"
        published = f"published with {one['published']:,}" if one["published"] else ""
        lines.append(f"{one['name']:<24} {found:<40} {published}".rstrip())
    return "\n".join(lines)
