"""Write the samples of a shard: one Parquet file for each split that it has samples of."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np

from cxreason.build.offers import Offer, offers
from cxreason.build.survey import Piece
from cxreason.columns import to_array, to_table
from cxreason.records import Sample, schema
from cxreason.rows import partial, replace_whole, write_json
from cxreason.tasks import TASKS, Draft, complete, draft, random_for

SHARED = (
    "dataset",
    "patient_id",
    "study_id",
    "images",
    "report",
    "prior_report",
    "boxes",
    "labels",
    "views",
    "sex",
    "age",
    "groups",
)
"""The fields of a sample that are those of its study, as far as it is shown."""


@dataclass(frozen=True)
class Writing:
    """A shard to write, and where."""

    piece: Piece
    out: Path
    frequency: dict[int, dict[str, dict[str, int]]]
    """Feed -> split -> how often each label is right."""

    def done_file(self) -> Path:
        return self.piece.work / "written" / f"{self.piece.name}.json"


class Rows:
    """Samples of one split on their way to a table: what they share is turned into columns once.

    Many samples show the same images of the same study; of those only their drafts differ.
    """

    def __init__(self) -> None:
        self._shown: list[Sample] = []
        self._known: dict[tuple, int] = {}
        self._rows: list[int] = []
        self._drafts: list[Draft] = []
        self._tasks: list[tuple[str, str]] = []

    def add(self, drawn: Draft, offer: Offer, task: str) -> None:
        way = TASKS[task]
        key = (offer.place, drawn.images, way.prior, way.about_views)
        row = self._known.get(key)
        if row is None:
            row = self._known[key] = len(self._shown)
            self._shown.append(complete(drawn, offer.study, offer.prior, task))
        self._rows.append(row)
        self._drafts.append(drawn)
        self._tasks.append((task, drawn.kind or way.kind))

    def table(self, split: str) -> Any:
        """The rows with the schema of `Sample`."""
        import pyarrow as pa

        kinds, hints = schema(Sample), get_type_hints(Sample)
        shared = to_table(Sample, self._shown).select(list(SHARED)).take(pa.array(self._rows))
        tasks, kinds_of = zip(*self._tasks, strict=True)
        own = {"task": tasks, "kind": kinds_of, "split": [split] * len(self._rows)}
        columns = []
        for one in kinds:
            if one.name in SHARED:
                columns.append(shared.column(one.name))
                continue
            values = own.get(one.name)
            if values is None and one.name in Draft._fields:
                values = [getattr(drawn, one.name) for drawn in self._drafts]
            if values is None:  # what mining fills in
                values = [getattr(self._shown[0], one.name)] * len(self._rows)
            columns.append(to_array(values, hints[one.name], one.type))
        return pa.Table.from_arrays(columns, schema=kinds)


def write_shard(job: Writing) -> dict[str, Any]:
    """Write the chosen samples of a shard; returns how many of each feed and split, and the files' hashes."""
    if job.done_file().exists():
        return json.loads(job.done_file().read_text(encoding="utf-8"))
    piece = job.piece
    shard = piece.shard()
    rows: dict[str, Rows] = defaultdict(Rows)
    counts: dict[str, Counter[str]] = {}
    with np.load(piece.choice_file()) as masks:
        for number, feed in piece.feeds:
            counts[str(number)] = Counter()
            mask = masks[str(number)].tolist()
            for offer, wanted in zip(offers(shard, feed.task), mask, strict=True):
                if wanted:
                    split = offer.topic.split or offer.study.split
                    drawn = _ask(offer, feed.task, job.frequency[number].get(split) or None, piece.seed)
                    rows[split].add(drawn, offer, feed.task)
                    counts[str(number)][split] += 1
    hashes = {}
    for split, found in sorted(rows.items()):
        file = job.out / "samples" / f"{split}-{piece.name}.parquet"
        hashes[file.name] = _write(file, found.table(split))
    done = {"counts": {number: dict(count) for number, count in counts.items()}, "hashes": hashes}
    job.done_file().parent.mkdir(parents=True, exist_ok=True)
    write_json(job.done_file(), done)
    return done


def _ask(offer: Offer, task: str, frequency: dict[str, int] | None, seed: int) -> Draft:
    study, topic = offer.study, offer.topic
    rng = random_for(study, task, topic, seed)
    return draft(study, offer.prior, task, topic, rng, frequency, offer.others)


def _write(file: Path, table: Any) -> str:
    """Write a table whole or not at all; returns the SHA-256 of the file."""
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    part = partial(file)
    # Reports come once for each task: a dictionary that holds them all makes the file small and fast.
    pq.write_table(table, part, compression="zstd", compression_level=1, dictionary_pagesize_limit=16 << 20)
    with part.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    replace_whole(part, file)
    return digest
