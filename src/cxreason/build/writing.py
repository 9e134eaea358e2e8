"""Write the samples of a shard: one Parquet file for each split that it has samples of."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.audit import Cell, Source, take
from cxreason.build.quartets import written
from cxreason.build.rows import Rows
from cxreason.build.shards import Piece, Shard
from cxreason.build.work import keep, kept, taken_file, without_collection
from cxreason.rows import partial, replace_whole
from cxreason.tasks import TASKS, Dice, Draft, Topic, draft, random_for

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
        return self.piece.work / "written" / f"{self.piece.name}.pickle"


@without_collection
def write_shard(job: Writing) -> dict[str, Any]:
    """Write the chosen samples of a shard; returns how many of each feed and split, and the files' hashes."""
    if job.done_file().exists():
        return kept(job.done_file())
    piece = job.piece
    rows, counts = _ask(job, piece.shard())
    hashes = {}
    for split, table in rows.tables():
        file = job.out / "samples" / f"{split}-{piece.name}.parquet"
        keep(taken_file(piece.work, file.name), take(table, Source(file, job.out, False), job.limits))
        hashes[file.name] = _write(file, table)
    done = {"counts": counts, "hashes": hashes}
    keep(job.done_file(), done)
    return done


def _ask(job: Writing, shard: Shard) -> tuple[Rows, dict[int, Counter[str]]]:
    """Everything that was chosen, and how many there are of each feed and split."""
    piece, counts = job.piece, {}
    priors = shard.priors() if any(TASKS[feed.task].prior for _, feed in piece.feeds) else None
    rows = Rows(shard.studies, priors)
    files = (piece.survey_file(), piece.texts_file(), piece.choice_file())
    for (number, feed), offers, (text, read), (mask, options) in zip(
        piece.feeds, *map(kept, files), strict=True
    ):
        wanted = np.flatnonzero(mask)
        places = offers.place[wanted].tolist()
        if TASKS[feed.task].told:
            subjects, texts = replace(offers, text=text).told(wanted)
            splits = rows.tell(feed.task, places, subjects, texts, piece.seed)
        else:
            # Where a task stands in quartets, its options were drawn with the choice.
            drawn = options.tolist() if TASKS[feed.task].wrong else [()] * len(places)
            frequency = job.frequency[number]
            drafts = _drafts(rows, feed.task, offers.topics(wanted), drawn, frequency, piece.seed, read)
            splits = rows.ask(feed.task, places, drafts)
        counts[number] = Counter(splits)
    return rows, counts


def _drafts(
    rows: Rows,
    task: str,
    topics: Iterable[tuple[int, Topic, list[int]]],
    drawn: Sequence[Sequence[int]],
    frequency: dict[str, dict[str, int]],
    seed: int,
    read: Sequence[Any],
) -> list[Draft]:
    """A draft for each topic of a feed, with the options that were drawn for it."""
    studies, dice, drafts = rows.studies, Dice(), []
    known = {study.id: one for study, one in zip(studies, read, strict=bool(read))}
    again = (lambda one: known[one.id]) if read else None
    for (place, topic, company), options in zip(topics, drawn, strict=True):
        study = studies[place]
        rng = random_for(study, task, topic, seed, dice)
        often = frequency.get(topic.split or study.split) or None
        others = [studies[other] for other in company if other >= 0] if company else ()
        prior = rows.prior(task, place)
        shown = [*map(written, options)] if len(options) else ()
        drafts.append(draft(study, prior, task, topic, rng, often, others, shown, again))
    return drafts


def _write(file: Path, table: Any) -> str:
    """Write a table whole or not at all; returns the SHA-256 of the file."""
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    part = partial(file)
    # Reports come once for each task: a dictionary that holds them all makes the file small and fast.
    repeating: Any = [name for name in table.column_names if name not in NEVER_TWICE]
    looked_up: Any = ["dataset", "task", "split"]
    pq.write_table(
        table,
        part,
        compression="zstd",
        compression_level=1,
        dictionary_pagesize_limit=16 << 20,
        write_statistics=looked_up,
        use_dictionary=repeating,
        store_schema=False,  # texts are texts: that they came as dictionaries is nobody's business
    )
    with part.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    replace_whole(part, file)
    return digest
