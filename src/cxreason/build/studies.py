"""Studies that are at hand -> one file of samples: what fits into memory, in the order of the choice.

Two passes over the studies. The first keeps only topics (what could be asked, and the answer to it) and
chooses among them: equally often yes and no per finding, every progression equally often, every single
finding equally often. The second writes the chosen samples. Splits are by patient, and verified.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.build.choosing import MOST_RATIO, in_sets, in_turns
from cxreason.build.paths import BuildError, relocate
from cxreason.build.quartets import as_bits, in_quartets, written
from cxreason.records import Sample, Study, content_id, to_row
from cxreason.tasks import RADRBENCH, TASKS, Topic, random_for, sample

if TYPE_CHECKING:
    import numpy as np

    from cxreason.recipes import BuildRecipe


@dataclass(frozen=True)
class Candidate:
    """A topic of a study, before its sample is made."""

    source: Path
    study_id: str
    prior_id: str
    task: str
    split: str
    topic: Topic
    order: str
    """Where it stands in the queue: a content hash, so that the order of the studies does not matter."""
    wrong: int = 0
    """What is certainly not there, as bits of labels, where the task stands in quartets."""


def build_studies(recipe: BuildRecipe, *, limit: int | None = None, dry_run: bool = False) -> dict[str, Any]:
    """Write `samples.parquet` under `recipe.out`; return the counts per task and split.

    `limit` is the largest number of samples per task and split. A dry run writes nothing and returns the
    same counts and one rendered sample.
    """
    from cxreason.runs import Run

    folder = Path(recipe.out)
    unknown = [task for task in recipe.tasks if task not in TASKS]
    if unknown:
        raise BuildError(f"unknown task {unknown[0]!r}. Known tasks: {', '.join(TASKS)}.")
    if dry_run:
        chosen = choose_all(_candidates(recipe), recipe.tasks, recipe.per_task, limit)
        example = next(make_samples(chosen, folder, recipe.seed), None)
        return {**_counts(chosen), "example": None if example is None else to_row(example)}
    with Run.open(folder, verb="build", recipe=recipe, record=Sample, limit=limit) as run:
        if run.finished:
            return run.counts
        chosen = choose_all(_candidates(recipe), recipe.tasks, recipe.per_task, limit)
        total = sum(len(group.candidates) for group in chosen.values())
        for one in run.progress(make_samples(chosen, folder, recipe.seed), "building", total):
            if one.id not in run.done:
                run.append(one)
        return run.finish(**_counts(chosen))


def _read_studies(source: Path) -> Iterator[Study]:
    from cxreason.runs import read

    return read(source, Study)


def _candidates(recipe: BuildRecipe) -> Iterator[Candidate]:
    """Every topic of every study; raises on a patient who is in two splits or a prior of somebody else."""
    split_of: dict[tuple[str, str], str] = {}
    for source in map(Path, recipe.studies):
        patient_of: dict[str, str] = {}
        prior_of: dict[str, str] = {}
        for study in _read_studies(source):
            known = split_of.setdefault((study.dataset, study.patient_id), study.split)
            if known != study.split:
                raise BuildError(
                    f"{source}: patient {study.patient_id!r} is in {known!r} and in {study.split!r}. "
                    "Give every study of a patient the same split."
                )
            patient_of[study.id] = study.patient_id
            if study.prior_id:
                prior_of[study.id] = study.prior_id
            for task in recipe.tasks:
                way = TASKS[task]
                wrong = as_bits(way.wrong(study)) if way.wrong else 0
                for topic in way.topics(study):
                    order = content_id(recipe.seed, study.dataset, study.id, task, topic.subject)
                    prior = study.prior_id if way.prior else ""
                    yield Candidate(source, study.id, prior, task, study.split, topic, order, wrong)
        for study_id, prior_id in prior_of.items():
            if patient_of.get(prior_id) != patient_of[study_id]:
                raise BuildError(
                    f"{source}: study {study_id!r} names the prior {prior_id!r}, which is not a study of the "
                    "same patient. Mend prior_id or leave it empty."
                )


@dataclass(frozen=True)
class Chosen:
    """The candidates of one task and split, and how often each label is right among them."""

    candidates: tuple[Candidate, ...]
    frequency: Mapping[str, float]
    options: tuple[tuple[str, ...], ...] = ()
    """Those of each candidate, where the task stands in quartets."""


def choose_all(
    candidates: Iterable[Candidate],
    tasks: Sequence[str],
    per_task: Mapping[str, int | None],
    limit: int | None = None,
) -> dict[tuple[str, str], Chosen]:
    """The candidates to ask, per task and split, in the order of `tasks` and of `per_task`.

    `per_task` gives the most samples of a split; where it is empty every split is used whole.
    """
    cells: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        cells[candidate.task, candidate.split].append(candidate)
    splits = list(per_task) or sorted({split for _, split in cells})
    result = {}
    for task in tasks:
        for split in splits:
            queue = cells.pop((task, split), [])
            caps = [number for number in (per_task.get(split), limit) if number is not None]
            most = min(caps, default=len(queue))
            options: tuple[tuple[str, ...], ...] = ()
            if TASKS[task].wrong is None:
                # What other tasks ask about need not come equally often: sections of reports, for one.
                chosen = choose(queue, most, TASKS[task].values, MOST_RATIO if task in RADRBENCH else None)
            else:
                chosen, options = choose_in_quartets(queue, most, TASKS[task].turns)
            right = Counter(label for one in chosen for label in one.topic.value.split(", "))
            result[task, split] = Chosen(tuple(chosen), dict(right), options)
    return result


def choose(
    candidates: Sequence[Candidate],
    number: int,
    values: Sequence[str] = (),
    most_ratio: float | None = None,
) -> list[Candidate]:
    """At most `number` candidates, the groups taking turns: see `choosing`.

    With `values` a turn takes one candidate of each value.
    """
    import numpy as np

    orders = _orders(candidates)
    names = {name: place for place, name in enumerate(sorted({one.topic.group for one in candidates}))}
    groups = np.array([names[one.topic.group] for one in candidates], dtype=np.int64)
    if values:
        number_of = {value: place for place, value in enumerate(values)}
        known = np.array([number_of.get(one.topic.value, -1) for one in candidates], dtype=np.int64)
        places = in_sets(orders, groups, known, len(values), number, most_ratio)
    else:
        places = in_turns(orders, groups, number)
    return [candidates[place] for place in places]


def choose_in_quartets(
    candidates: Sequence[Candidate], number: int, turns: int = 0
) -> tuple[list[Candidate], tuple[tuple[str, ...], ...]]:
    """At most `number` candidates of a task that stands in quartets, and the options of each."""
    import numpy as np

    owners = {
        name: place for place, name in enumerate(sorted({(one.source, one.study_id) for one in candidates}))
    }
    places, options = in_quartets(
        _orders(candidates),
        np.array([owners[one.source, one.study_id] for one in candidates], dtype=np.int64),
        np.array([as_bits(one.topic.value.split(", ")) for one in candidates], dtype=np.int64),
        np.array([one.wrong for one in candidates], dtype=np.int64),
        number,
        turns=turns,
        most_ratio=MOST_RATIO,
    )
    return [candidates[place] for place in places], tuple(
        tuple(map(written, row)) for row in options.tolist()
    )


def _orders(candidates: Sequence[Candidate]) -> np.ndarray:
    import numpy as np

    return np.array([int(one.order[:16], 16) for one in candidates], dtype=np.uint64)


def make_samples(chosen: Mapping[tuple[str, str], Chosen], folder: Path, seed: int) -> Iterator[Sample]:
    """The samples of the chosen candidates, their image paths relative to `folder`."""
    needed: dict[Path, set[str]] = defaultdict(set)
    for group in chosen.values():
        for candidate in group.candidates:
            needed[candidate.source] |= {candidate.study_id, candidate.prior_id}
    studies = {
        (source, study.id): study
        for source, ids in needed.items()
        for study in _read_studies(source)
        if study.id in ids
    }
    for group in chosen.values():
        for place, candidate in enumerate(group.candidates):
            source = candidate.source
            study = studies[source, candidate.study_id]
            prior = studies[source, candidate.prior_id] if candidate.prior_id else None
            rng = random_for(study, candidate.task, candidate.topic, seed)
            options = group.options[place] if group.options else ()
            one = sample(study, prior, candidate.task, candidate.topic, rng, group.frequency, options=options)
            root = source.parent if source.suffix else source
            yield replace(one, images=tuple(relocate(image, root, folder) for image in one.images))


def _counts(chosen: Mapping[tuple[str, str], Chosen]) -> dict[str, Any]:
    by_task: dict[str, dict[str, int]] = defaultdict(dict)
    for (task, split), group in chosen.items():
        by_task[task][split] = len(group.candidates)
    return {"samples": sum(map(sum, map(dict.values, by_task.values()))), "tasks": dict(by_task)}
