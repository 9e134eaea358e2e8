"""Samples -> samples with reasoning, and the funnel that says what was dropped and why.

    cxreason mine recipes/phantom/mine.yaml

An engine writes a chain for each sample (`engines.py`), the filters judge it (`filters.py`; both by
several processes or machines, `judging.py`), and what is kept is appended. What is dropped goes to
`failed.jsonl` with all its reasons and the chain itself, and so does what a server failed on; the latter
is tried again by the next start, also of a finished run. At the end `quality.json` says how true the
chains were before and after the filters, and `page.html` shows examples.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.build import relocate
from cxreason.errors import UserError
from cxreason.mining import filters
from cxreason.mining.duplicates import Duplicates
from cxreason.mining.engines import Engine, Outcome, open_engine
from cxreason.mining.filters import Judgement
from cxreason.mining.judging import judged
from cxreason.records import Sample, to_row
from cxreason.rows import write_json

if TYPE_CHECKING:
    from cxreason.recipes import MineRecipe
    from cxreason.runs import Run
    from cxreason.settings import MineFilters

OF_SERVERS = ("servers", "budget", "budget_tokens", "attempts", "patience_seconds")
MAY_CHANGE = ("workers", "on", *(f"llm.{key}" for key in OF_SERVERS))
"""Keys of a recipe that may differ between two starts of one run: they say where and at what price."""


def mine(recipe: MineRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write the samples whose chain was kept under `recipe.out`; return the funnel.

    `limit` is the largest number of samples that are read. A dry run writes nothing and returns, for rules,
    the funnel and one mined sample, for a language model the prompts of one sample and an estimate of the
    cost. Run again to continue.
    """
    from cxreason.runs import Run

    folder = Path(recipe.out)
    # What has begun may have ended, and needs no samples any more.
    begins = dry_run or not (folder / "run.json").exists()
    if begins and next(_samples(recipe, 1), None) is None:
        wanted = ", ".join(recipe.splits)
        raise UserError(f"{recipe.samples}: holds no sample of {wanted}. Name other splits.")
    if dry_run:
        return _preview(recipe, limit)
    owed = _owes(folder)
    with Run.open(
        folder,
        verb="mine",
        recipe=recipe,
        record=Sample,
        limit=limit,
        may_change=MAY_CHANGE,
        reopen=owed,
    ) as run:
        if run.finished:
            return run.counts
        with open_engine(recipe, folder) as engine:
            funnel = _work(recipe, run, engine, limit)
            about = engine.about()
        if any(outcome == "waiting" for _, outcome in funnel):
            return {**_funnel(funnel), **about, "finished": False}
        counts = {**_funnel(funnel), **about}
        _report(recipe, run, counts, limit)
        return run.finish(**counts)


def _work(recipe: MineRecipe, run: Run, engine: Engine, limit: int | None) -> Counter[tuple[str, str]]:
    """Mine what is not done yet; the outcome of every sample, by task."""
    from cxreason.runs import num_rows, ticking

    source, folder = Path(recipe.samples), Path(recipe.out)
    root = source.parent if source.suffix else source
    # Many questions are about the same images, and to follow a path through the disk takes a while.
    moved = lru_cache(maxsize=1024)(lambda image: relocate(image, root, folder))
    duplicates = _remembering(run, recipe.filters)
    funnel: Counter[tuple[str, str]] = Counter()
    total = min(num_rows(source, Sample), limit or num_rows(source, Sample))
    with ticking(total, "mining") as tick:

        def owed() -> Iterator[Sample]:
            for sample in _samples(recipe, limit):
                if sample.id not in run.done:
                    yield sample
                else:
                    funnel[_key(sample, "")] += 1
                    tick(1)

        for outcome, judgement in judged(recipe, engine, owed(), duplicates):
            sample, chain = outcome.sample, outcome.chain
            problem = judgement.problem
            kind = "waiting" if outcome.waiting else "failed" if outcome.failed else ""
            funnel[_key(sample, kind or problem)] += 1
            if problem or kind:
                run.fail(sample.id, problem, **_dropped(outcome, judgement, kind))
            elif chain is not None:
                images = tuple(map(moved, sample.images))
                told = {"reasoning": chain.reasoning, "evidence": chain.evidence, "images": images}
                run.append(replace(sample, **told))
            tick(1)
    return funnel


def _report(recipe: MineRecipe, run: Run, counts: dict[str, Any], limit: int | None) -> None:
    """`quality.json` and `page.html`, from the run's own files."""
    from cxreason.mining import page, quality

    told = {"counts": counts, "recipe": recipe.model_dump(mode="json")}
    told["quality"] = quality.measure(run.rows(), quality.failures(run.folder), counts)
    write_json(run.folder / "quality.json", told["quality"])
    page.write_page(run.folder, run.rows(), quality.failures(run.folder), _samples(recipe, limit), told)


def _dropped(outcome: Outcome, judgement: Judgement, kind: str) -> dict[str, Any]:
    """What `failed.jsonl` holds of a dropped chain beside its id and first reason."""
    row: dict[str, Any] = {"kind": kind or "rejected", "task": outcome.sample.task}
    row |= {"patient_id": outcome.sample.patient_id, "reasons": list(judgement.reasons)}
    if outcome.chain is not None:
        row |= {"reasoning": outcome.chain.reasoning, "answer": outcome.chain.answer}
        row["evidence"] = list(outcome.chain.evidence)
        row["r_f"] = judgement.readings
    return row


def _owes(folder: Path) -> bool:
    """Whether a run, finished or not, holds failures of the moment, which another start may mend."""
    file = folder / "failed.jsonl"
    if not file.exists():
        return False
    with file.open(encoding="utf-8") as lines:
        # A torn last line is of an unfinished run, where everything is owed anyway.
        return any('"kind": "failed"' in line for line in lines)


def _remembering(run: Run, wanted: MineFilters) -> Duplicates | None:
    if wanted.most_alike is None:
        return None
    known = Duplicates(wanted.most_alike)
    for row in run.rows():
        known.remember(filters.group(row["task"], row["answer"]), row["reasoning"])
    return known


def _preview(recipe: MineRecipe, limit: int | None) -> dict[str, Any]:
    """What a run would do, without writing anything."""
    if recipe.engine == "llm":
        from cxreason.mining.estimate import estimate

        return estimate(recipe, _samples(recipe, limit))
    known = None if recipe.filters.most_alike is None else Duplicates(recipe.filters.most_alike)
    funnel: Counter[tuple[str, str]] = Counter()
    example = None
    with open_engine(recipe, Path(recipe.out)) as engine:
        for outcome, judgement in judged(recipe, engine, _samples(recipe, limit), known):
            chain = outcome.chain
            if chain is not None and not judgement.problem and example is None:
                told = replace(outcome.sample, reasoning=chain.reasoning, evidence=chain.evidence)
                example = to_row(told)
            funnel[_key(outcome.sample, judgement.problem)] += 1
    return {**_funnel(funnel), "example": example}


def _samples(recipe: MineRecipe, limit: int | None) -> Iterator[Sample]:
    from cxreason.runs import read

    wanted = (sample for sample in read(Path(recipe.samples), Sample) if sample.split in recipe.splits)
    for number, sample in enumerate(wanted):
        if limit is not None and number >= limit:
            return
        yield sample


def _key(sample: Sample, problem: str) -> tuple[str, str]:
    return sample.task, problem.partition(":")[0] or "kept"


def _funnel(outcomes: Counter[tuple[str, str]]) -> dict[str, Any]:
    """Read, kept and dropped per reason; in all, and per task."""
    tasks: dict[str, dict[str, int]] = {}
    for (task, outcome), number in outcomes.items():
        tasks.setdefault(task, {"read": 0, "kept": 0})
        tasks[task]["read"] += number
        tasks[task][outcome] = tasks[task].get(outcome, 0) + number
    in_all: Counter[str] = Counter()
    for counts in tasks.values():
        in_all.update(counts)
    return {"funnel": dict(in_all), "tasks": tasks}


def describe(result: dict[str, Any]) -> str:
    """The funnel as a table for a terminal: a row for each reason, a column for each task."""
    tasks = result["tasks"]
    outcomes = ["read", "kept", *sorted(set().union(*tasks.values(), ()) - {"read", "kept"})]
    columns = {"all": result["funnel"], **tasks}
    lines = [" ".join([f"{'':<12}", *(f"{name:>10}" for name in columns)])]
    for outcome in outcomes:
        cells = (f"{counts.get(outcome, 0):>10}" for counts in columns.values())
        lines.append(" ".join([f"{outcome:<12}", *cells]))
    rest = {key: value for key, value in result.items() if key not in ("funnel", "tasks", "rows", "failed")}
    return "\n".join([*lines, *(f"{key}: {json.dumps(value)}" for key, value in rest.items())])
