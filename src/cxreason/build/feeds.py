"""Whole datasets -> shards of samples, of any size, with flat memory.

    read      each dataset once: shards of studies, and an index of patients, splits and reports
    assign    sides over all datasets at once, so that nobody stands on two          (splits.py)
    survey    what each shard offers to each feed                                    (survey.py)
    choose    how many of what, over all shards of a feed                            (choosing.py)
    write     the chosen samples, shard by shard                                     (writing.py)

Each step leaves files under `work/` in the run folder, whole or not at all. A build that was killed finds
them and goes on; at the end they are removed. Any number of workers writes the same bytes.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from cxreason.audit import Cell, limits, side_of
from cxreason.build.card import write_card
from cxreason.build.paths import BuildError
from cxreason.build.reading import Reading, check_held, index_file, read_dataset
from cxreason.build.shards import Piece
from cxreason.build.splits import REASONS, Index, assign
from cxreason.build.survey import choose, survey
from cxreason.build.work import keep, kept
from cxreason.build.writing import Writing, write_shard
from cxreason.datasets import DATASETS
from cxreason.records import to_row
from cxreason.rows import write_json
from cxreason.runs import Run, progress
from cxreason.tasks import TASKS
from cxreason.workers import Crew

if TYPE_CHECKING:
    from cxreason.recipes import BuildRecipe


def build_feeds(recipe: BuildRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write `samples/<split>-<dataset>-<shard>.parquet`, the card and the audit under `recipe.out`.

    Returns the counts by dataset, task and split, which datasets of the recipe were not there, why studies
    were left out, and how many images are missing. Feeds of datasets that the folders do not hold are passed
    over, and listed.
    """
    held, missing = _check(recipe)
    if dry_run:
        return _preview(recipe, held, missing)
    recorded = recipe.model_copy(update={"workers": None, "on": "here"})  # who did the work changes nothing
    with (
        Run.open(recipe.out, verb="build", recipe=recorded, limit=limit) as run,
        Crew(recipe.workers, recipe.on) as crew,
    ):
        if run.finished:
            return run.counts
        work = recipe.out / "work"
        pieces, left_out, missing_images = prepare(recipe, held, work, crew)
        choices = _choose(pieces, work, limit, crew)
        written = _write(recipe, pieces, choices, work, crew)
        counts = _counts(recipe, held, choices, written)
        counts |= {"left_out": left_out, "missing_images": missing_images, "not_held": missing}
        hashes = {name: digest for one in written for name, digest in one["hashes"].items()}
        failures = write_card(recipe, counts, dict(sorted(hashes.items())), work, crew)
        shutil.rmtree(work)
        return run.finish(**counts, audit=failures)


def _check(recipe: BuildRecipe) -> tuple[list[str], list[str]]:
    """The datasets of the recipe that the folders hold, and those that they do not."""
    for feed in recipe.feeds:
        if feed.dataset not in DATASETS:
            raise BuildError(f"unknown dataset {feed.dataset!r}. Known datasets: {', '.join(DATASETS)}.")
        if feed.task not in TASKS:
            raise BuildError(f"unknown task {feed.task!r}. Known tasks: {', '.join(TASKS)}.")
    for folder in recipe.folders:
        if not folder.is_dir():
            raise BuildError(
                f"{folder}: there is no such folder. Name those that hold datasets: folders=[...]."
            )
    named = [*(feed.dataset for feed in recipe.feeds), *recipe.evaluation]
    held, missing = check_held(list(dict.fromkeys(named)), recipe.folders)
    if not any(feed.dataset in held for feed in recipe.feeds):
        places = ", ".join(map(str, recipe.folders)) or "no folder"
        raise BuildError(f"{places}: holds none of the datasets of the recipe: {', '.join(missing)}.")
    return held, missing


def prepare(
    recipe: BuildRecipe, held: list[str], work: Path, crew: Crew
) -> tuple[list[Piece], dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    """Read every dataset and assign sides.

    Returns the shards, why studies of each dataset were left out, and where images are missing how many are
    named and how many are there. Where none is, the dataset is built from its tables alone.
    """
    jobs = [Reading(name, recipe.folders, recipe.out, work, recipe.shard_studies) for name in held]
    (work / "studies").mkdir(parents=True, exist_ok=True)
    # All at once, since datasets differ so much in size that nobody should wait for the first of them.
    for _ in progress(crew.each(read_dataset, jobs, at_once=len(jobs)), "reading datasets", len(jobs)):
        pass
    indexes, shards, missing_images = [], {}, {}
    for name in held:
        arrays = kept(index_file(work, name))
        shards[name] = arrays.pop("shards").tolist()
        images = dict(zip(("named", "there"), arrays.pop("images").tolist(), strict=True))
        if images["there"] < images["named"]:
            missing_images[name] = images
        if not images["there"]:
            arrays["gone"][:] = False
        dataset = DATASETS[name]
        indexes.append(
            Index(
                name,
                **arrays,
                has_splits=bool(dataset.OFFICIAL_SPLITS),
                evaluation_only=dataset.EVALUATION_ONLY,
            )
        )
        if name in recipe.by_images:
            indexes[-1].own[:] = 0
    sides = assign(indexes, recipe.shares, recipe.seed)
    left_out = {}
    for name, one in sides.items():
        keep(work / "sides" / f"{name}.pickle", (one.split, one.side))
        found = {why: int((one.reason == code).sum()) for code, why in REASONS.items()}
        left_out[name] = {why: number for why, number in found.items() if number}
    feeds = defaultdict(list)
    for number, feed in enumerate(recipe.feeds):
        feeds[feed.dataset].append((number, feed))
    pieces = []
    for name in held:
        start = 0
        for number, size in enumerate(shards[name]):
            if feeds[name]:
                pieces.append(Piece(work, name, number, start, size, tuple(feeds[name]), recipe.seed))
            start += size
    return pieces, {name: why for name, why in left_out.items() if why}, missing_images


def _choose(pieces: list[Piece], work: Path, limit: int | None, crew: Crew) -> dict[int, dict[str, Any]]:
    """What was chosen of each feed, without the masks: those lie beside the shards."""
    summary = work / "choices.json"
    if summary.exists():
        return {int(number): one for number, one in json.loads(summary.read_text(encoding="utf-8")).items()}
    for _ in progress(crew.each(survey, pieces), "looking what there is", len(pieces)):
        pass
    by_dataset = [(list(of), limit) for _, of in groupby(pieces, lambda piece: piece.dataset)]
    told = {number: feed for one in crew.each(_told, by_dataset) for number, feed in one.items()}
    write_json(summary, told)
    return told


def _told(job: tuple[list[Piece], int | None]) -> dict[int, dict[str, Any]]:
    """What was chosen of each feed of a dataset, in short."""
    return {
        number: {"frequency": one.frequency, "offered": one.offered, "chosen": one.chosen}
        for number, one in choose(*job).items()
    }


def _write(
    recipe: BuildRecipe, pieces: list[Piece], choices: dict[int, dict[str, Any]], work: Path, crew: Crew
) -> list[dict[str, Any]]:
    frequency = {number: one["frequency"] for number, one in choices.items()}
    cells: Counter[Cell] = Counter()
    for number, one in choices.items():
        feed = recipe.feeds[number]
        for split, chosen in one["chosen"].items():
            cells[Cell(feed.dataset, feed.task, side_of(split))] += chosen
    wanted = limits(cells, recipe.audit.most)
    jobs = [
        Writing(piece, recipe.out, {number: frequency[number] for number, _ in piece.feeds}, wanted)
        for piece in pieces
    ]
    (recipe.out / "samples").mkdir(exist_ok=True)
    return list(progress(crew.each(write_shard, jobs), "writing samples", len(jobs)))


def _counts(
    recipe: BuildRecipe,
    held: list[str],
    choices: dict[int, dict[str, Any]],
    written: Iterable[dict[str, Any]],
) -> dict[str, Any]:
    by_feed: dict[int, Counter[str]] = defaultdict(Counter)
    for one in written:
        for number, counts in one["counts"].items():
            by_feed[number].update(counts)
    rows = []
    for number, feed in enumerate(recipe.feeds):
        if feed.dataset in held:
            splits = {split: count for split, count in sorted(by_feed[number].items()) if count}
            offered = choices[number]["offered"] if number in choices else {}
            rows.append(
                {"dataset": feed.dataset, "task": feed.task, **splits, "offered": sum(offered.values())}
            )
    return {"samples": sum(counts.total() for counts in by_feed.values()), "feeds": rows}


def _preview(recipe: BuildRecipe, held: list[str], missing: list[str]) -> dict[str, Any]:
    """What the folders hold, how much, and which tasks it feeds; one sample of the first study with any."""
    from cxreason.datasets import held as held_in
    from cxreason.datasets import read
    from cxreason.datasets.contents import contents
    from cxreason.tasks import samples

    places = {name: place for folder in reversed(recipe.folders) for name, place in held_in(folder).items()}
    fed = {name: [feed.task for feed in recipe.feeds if feed.dataset == name] for name in held}
    holds = {name: contents(places[name]) for name in held}
    shown: dict[str, Any] = {"held": fed, "holds": holds, "not_held": missing, "example": None}
    for name, tasks in fed.items():
        for study, _ in zip(read(name, recipe.folders), range(200), strict=False):
            for task in filter(_can_be_asked_alone, tasks):
                one = next(samples(study, None, task, Random(recipe.seed)), None)
                if one is not None:
                    return {**shown, "example": to_row(one)}
    return shown


def _can_be_asked_alone(task: str) -> bool:
    return not TASKS[task].prior and not TASKS[task].company


def list_held(folders: Iterable[Path]) -> dict[str, Any]:
    """Which datasets the folders hold, how much of each, and which tasks they feed.

    `feeds` has the names of tasks in the CheXOne paper, `tasks` those that recipes use.

    list_held([Path("/data")])["mimic-cxr"]["holds"]
    """
    from cxreason.datasets import held
    from cxreason.datasets.contents import contents
    from cxreason.tasks import by_title

    short = by_title()
    found = {name: place for folder in folders for name, place in held(folder).items()}
    return {
        name: {
            "title": DATASETS[name].TITLE,
            "folder": str(place),
            "holds": contents(place),
            "licence": DATASETS[name].LICENCE,
            "splits": list(DATASETS[name].OFFICIAL_SPLITS),
            "feeds": list(DATASETS[name].TASKS),
            "tasks": [short[title] for title in DATASETS[name].TASKS if title in short],
            "evaluation_only": DATASETS[name].EVALUATION_ONLY,
            "stands_on": list(DATASETS[name].STANDS_ON),
        }
        for name, place in found.items()
    }
