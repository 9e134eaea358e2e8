"""Write the samples of a shard: one Parquet file for each split that it has samples of."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from cxreason.audit import Cell, Source, take
from cxreason.build.quartets import written
from cxreason.build.shards import Piece, Shard
from cxreason.build.work import keep, kept, taken_file, without_collection
from cxreason.columns import to_array
from cxreason.records import Sample, Study, schema
from cxreason.rows import partial, replace_whole, write_json
from cxreason.tasks import TASKS, Dice, Draft, Shown, Topic, draft, of_study, random_for, shown

NEVER_TWICE = ("id", "answer")
"""Columns whose values hardly repeat."""


@dataclass(frozen=True)
class Writing:
    """A shard to write, and where."""

    piece: Piece
    out: Path
    frequency: dict[int, dict[str, dict[str, int]]]
    """Feed -> split -> how often each label is right."""

    limits: dict[Cell, float]
    """What the audit wants to look at; see `audit.limits`."""

    def done_file(self) -> Path:
        return self.piece.work / "written" / f"{self.piece.name}.json"


class Rows:
    """Samples of one split on their way to a table: what they share is turned into columns once.

    Many samples show the same images of the same study; of those only their drafts differ.
    """

    def __init__(self, studies: Sequence[Study]) -> None:
        self._studies = studies
        self._drafts: list[Draft] = []
        self._places: list[int] = []
        self._priors: list[int] = []
        self._shown: list[Shown] = []
        self._numbers: dict[tuple, int] = {}
        self._ways: list[int] = []
        self._tasks: list[str] = []

    def add(self, task: str, drawn: Draft, place: int, before: int) -> None:
        """A draft of a task with the places of its study and of the prior; -1 where it has none."""
        way = TASKS[task]
        key = (place, drawn.images, way.prior, way.about_views)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self._numbers)
            prior = self._studies[before] if before >= 0 else None
            self._shown.append(shown(drawn.images, self._studies[place], prior, task))
        self._ways.append(number)
        self._places.append(place)
        self._priors.append(before)
        self._drafts.append(drawn)
        self._tasks.append(task)

    def table(self, split: str) -> Any:
        """The rows with the fields of `Sample`, texts that repeat as dictionaries."""
        import pyarrow as pa

        kinds, hints = schema(Sample), get_type_hints(Sample)
        own: dict[str, Sequence[Any]] = dict(zip(Draft._fields, zip(*self._drafts, strict=True), strict=True))
        own["task"] = self._tasks
        shared = self._shared()
        nowhere = np.zeros(len(self._drafts), dtype=np.int32)
        columns = []
        for one in kinds:
            if one.name in shared:
                columns.append(_repeated(*shared[one.name], hints[one.name], one.type))
            elif one.name == "split":
                columns.append(_repeated([split], nowhere, str, one.type))
            elif one.name in own:
                columns.append(to_array(own[one.name], hints[one.name], one.type))
            else:  # what mining fills in
                empty = Sample.__dataclass_fields__[one.name]
                columns.append(_repeated([_default(empty)], nowhere, hints[one.name], one.type))
        return pa.Table.from_arrays(columns, names=kinds.names)

    def _shared(self) -> dict[str, tuple[Sequence[Any], np.ndarray]]:
        """Field -> its different values, and which of them stands in each row."""
        places, of_place = np.unique(self._places, return_inverse=True)
        studies = [of_study(self._studies[place]) for place in places.tolist()]
        priors, of_prior = np.unique(self._priors, return_inverse=True)
        reports = [self._studies[place].report if place >= 0 else "" for place in priors.tolist()]
        return {
            **{name: ([one[name] for one in studies], of_place) for name in studies[0]},
            "prior_report": (reports, of_prior),
            **{
                name: (values, np.array(self._ways))
                for name, values in zip(Shown._fields, zip(*self._shown, strict=True), strict=True)
            },
        }


def _repeated(values: Sequence[Any], rows: np.ndarray, hint: Any, kind: Any) -> Any:
    """Values that stand in many rows: texts stay where they are and are pointed at."""
    import pyarrow as pa

    once, pointers = to_array(values, hint, kind), pa.array(rows, pa.int32())
    return (once.dictionary_encode() if hint is str else once).take(pointers)


def _default(field: dataclasses.Field) -> Any:
    made: Any = field.default_factory
    return field.default if made is dataclasses.MISSING else made()


@without_collection
def write_shard(job: Writing) -> dict[str, Any]:
    """Write the chosen samples of a shard; returns how many of each feed and split, and the files' hashes."""
    if job.done_file().exists():
        return json.loads(job.done_file().read_text(encoding="utf-8"))
    piece = job.piece
    shard = piece.shard()
    rows: dict[str, Rows] = defaultdict(lambda: Rows(shard.studies))
    counts: dict[str, Counter[str]] = {str(number): Counter() for number, _ in piece.feeds}
    for number, task, drawn, place, before in _ask(job, shard):
        rows[drawn.split].add(task, drawn, place, before)
        counts[number][drawn.split] += 1
    hashes = {}
    for split, found in sorted(rows.items()):
        file = job.out / "samples" / f"{split}-{piece.name}.parquet"
        table = found.table(split)
        keep(taken_file(piece.work, file.name), take(table, Source(file, job.out, False), job.limits))
        hashes[file.name] = _write(file, table)
    done = {"counts": counts, "hashes": hashes}
    job.done_file().parent.mkdir(parents=True, exist_ok=True)
    write_json(job.done_file(), done)
    return done


def _ask(job: Writing, shard: Shard) -> Iterator[tuple[str, str, Draft, int, int]]:
    """(feed, task, draft, place of the study, place of its prior) for every offer that was chosen.

    All that is asked of a study comes together: its report is cut once, and stays where the processor has it.
    """
    piece, studies, dice = job.piece, shard.studies, Dice()
    priors = shard.priors() if any(TASKS[feed.task].prior for _, feed in piece.feeds) else None
    asked: list[tuple[int, int, str, Topic, list[int], list[int]]] = []
    with np.load(piece.choice_file()) as masks:
        for (number, feed), offers in zip(piece.feeds, kept(piece.survey_file()), strict=True):
            wanted = np.flatnonzero(masks[str(number)])
            # Where a task stands in quartets, its options were drawn with the choice.
            drawn = masks[f"{number}.options"].tolist() if TASKS[feed.task].wrong else [[]] * len(wanted)
            rows = zip(offers.topics(wanted), drawn, offers.in_whole_circles(wanted).tolist(), strict=True)
            for (place, topic, company), options, whole in rows:
                # Where one of a circle was not chosen, what is true of it alone would be wrong too often.
                beside = company if whole or not topic.alone else []
                asked.append((place, number, feed.task, topic, beside, options))
    asked.sort(key=itemgetter(0))
    for place, number, task, topic, company, options in asked:
        study = studies[place]
        before = priors[place] if priors and TASKS[task].prior else -1
        prior = studies[before] if before >= 0 else None
        rng = random_for(study, task, topic, piece.seed, dice)
        often = job.frequency[number].get(topic.split or study.split) or None
        others = [studies[other] for other in company if other >= 0]
        drawn = draft(study, prior, task, topic, rng, often, others, list(map(written, options)))
        yield str(number), task, drawn, place, before


def _write(file: Path, table: Any) -> str:
    """Write a table whole or not at all; returns the SHA-256 of the file."""
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    part = partial(file)
    # Reports come once for each task: a dictionary that holds them all makes the file small and fast.
    repeating: Any = [name for name in table.column_names if name not in NEVER_TWICE]
    pq.write_table(
        table,
        part,
        compression="zstd",
        compression_level=1,
        dictionary_pagesize_limit=16 << 20,
        use_dictionary=repeating,
        store_schema=False,  # texts are texts: that they came as dictionaries is nobody's business
    )
    with part.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    replace_whole(part, file)
    return digest
