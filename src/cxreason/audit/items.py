"""The samples under audit: whose they are, on which side they stand, and a fair handful of each cell.

A cell is one task of one dataset on one side. The sides are "train" and "evaluation": every other split,
and all of a folder that is given as an evaluation set.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from cxreason.answers.dialects import letters
from cxreason.columns import from_table
from cxreason.records import Sample
from cxreason.runs import row_files

TRAIN, EVALUATION = "train", "evaluation"


class Cell(NamedTuple):
    dataset: str
    task: str
    side: str


def side_of(split: str) -> str:
    """The side that a split stands on.

    >>> side_of("test")
    'evaluation'
    """
    return TRAIN if split == TRAIN else EVALUATION


@dataclass(frozen=True)
class Source:
    """One Parquet file of samples, the folder that its image paths start from, and what it is for."""

    file: Path
    folder: Path
    is_evaluation: bool

    def side(self, split: str) -> str:
        return EVALUATION if self.is_evaluation else side_of(split)


@dataclass(frozen=True, slots=True)
class Item:
    """A closed question as a guesser sees it, and where the truth stands among the options."""

    options: tuple[str, ...]
    gold: int
    question: str
    subject: str
    patient: str

    @property
    def truth(self) -> str:
        return self.options[self.gold]


def sources(data: Sequence[Path], evaluation: Sequence[Path] = ()) -> list[Source]:
    """The files of run folders, or Parquet files as they are; RunError where there is nothing to read."""
    found = []
    for path, is_evaluation in [*((one, False) for one in data), *((one, True) for one in evaluation)]:
        folder = path.parent if path.suffix == ".parquet" else path
        found += [Source(file, folder, is_evaluation) for file in row_files(path, Sample)]
    return found


def batches(file: Path, columns: Sequence[str]) -> Iterator[Any]:
    """The record batches of a file with some of its columns, those that it has; memory stays flat."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as parquet:
        there = parquet.schema_arrow.names  # a file of an older version lacks the fields that came later
        yield from parquet.iter_batches(8192, columns=[name for name in columns if name in there])


def count_cells(files: Sequence[Source]) -> Counter[Cell]:
    """How many samples each cell has."""
    counts: Counter[Cell] = Counter()
    for source in files:
        for batch in batches(source.file, ["dataset", "task", "split"]):
            counts += count(pa.Table.from_batches([batch]), source)
    return counts


def count(table: pa.Table, source: Source) -> Counter[Cell]:
    """How many samples of each cell are in a table."""
    counts: Counter[Cell] = Counter()
    cells = table.select(["dataset", "task", "split"])
    for row in cells.group_by(cells.column_names).aggregate([([], "count_all")]).to_pylist():
        counts[Cell(row["dataset"], row["task"], source.side(row["split"]))] += row["count_all"]
    return counts


def limits(counts: Mapping[Cell, int], most: int) -> dict[Cell, float]:
    """Below which number a sample of each cell is picked, so that there are about `most` of each."""
    return {cell: min(1.0, most / max(number, 1)) * 2**32 for cell, number in counts.items()}


def pick(table: pa.Table, source: Source, limits: Mapping[Cell, float]) -> list[Sample]:
    """The samples of a table that the audit looks at, by their ids: the same ones in every run."""
    names, code = [()], np.zeros(len(table), dtype=np.int64)
    for column in ("dataset", "task", "split"):
        once, codes = different(table, column)
        names = [(*before, one) for before in names for one in once]
        code = code * len(once) + codes
    # Of the cells that nobody has counted there is none here.
    below = [limits.get(Cell(dataset, task, source.side(split)), 0.0) for dataset, task, split in names]
    drawn = list(map(zlib.crc32, table["id"].cast(pa.binary()).to_pylist()))
    wanted = np.flatnonzero(np.array(drawn) < np.array(below)[code]) if drawn else ()
    return list(from_table(Sample, table.take(pa.array(wanted)))) if len(wanted) else []


def different(table: pa.Table, column: str) -> tuple[list[Any], np.ndarray]:
    """The different values of a column, and which of them stands in each row."""
    array = table[column].combine_chunks()
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return array.dictionary.to_pylist(), array.indices.to_numpy()


def handful(
    files: Sequence[Source], counts: Mapping[Cell, int], most: int
) -> Iterator[tuple[Source, list[Sample]]]:
    """(file, what is picked of it), at most about `most` samples of each cell in all."""
    below = limits(counts, most)
    for source in files:
        for batch in batches(source.file, list(Sample.__dataclass_fields__)):
            yield source, pick(pa.Table.from_batches([batch]), source, below)


def by_cell(picked: Iterable[tuple[Source, list[Sample]]]) -> dict[Cell, list[Sample]]:
    """What was picked of each file, cell by cell."""
    found: dict[Cell, list[Sample]] = defaultdict(list)
    for source, samples in picked:
        for one in samples:
            found[Cell(one.dataset, one.task, source.side(one.split))].append(one)
    return {cell: found[cell] for cell in sorted(found)}


def items(samples: Sequence[Sample]) -> list[Item]:
    """The closed questions among samples whose answer is one of their options."""
    found = []
    for one in samples:
        place = gold_place(one)
        if place is not None and len(one.options) > 1:
            found.append(Item(one.options, place, one.question, one.subject, one.patient_id))
    return found


def gold_place(sample: Sample) -> int | None:
    """The position of the answer among the options; None where it is none of them."""
    names = letters(sample.options) if sample.options else ""
    return names.index(sample.answer) if sample.answer and sample.answer in names else None
