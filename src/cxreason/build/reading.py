"""A dataset in its official layout -> shards of studies, and an index of what decides on their splits.

One process reads one dataset, because its tables have to be joined first; what follows is done shard by
shard. A shard ends where a patient ends, so that a prior lies beside the study that is compared with it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import groupby
from operator import or_
from pathlib import Path

import numpy as np

from cxreason.audit.leaks import compared
from cxreason.build.work import keep, without_collection
from cxreason.columns import to_columns
from cxreason.datasets import DATASETS, read
from cxreason.datasets.images import Shelf, there
from cxreason.records import Study, changed, short_id

TRAIN, VALIDATION, TEST = 1, 2, 4
BITS = {"train": TRAIN, "validation": VALIDATION, "test": TEST}


@dataclass(frozen=True)
class Reading:
    """One dataset to read."""

    dataset: str
    folders: tuple[Path, ...]
    out: Path
    """The run folder, which image paths have to start from."""
    work: Path
    shard_studies: int
    limit: int | None = None


def shard_file(work: Path, dataset: str, number: int) -> Path:
    return work / "studies" / f"{dataset}-{number:05d}.pickle"


def index_file(work: Path, dataset: str) -> Path:
    return work / "index" / f"{dataset}.pickle"


@without_collection
def read_dataset(job: Reading) -> str:
    """Write the shards and the index of one dataset. The index comes last: where it is, all is."""
    if index_file(job.work, job.dataset).exists():
        return job.dataset
    index = _Index()
    for number, shard in enumerate(_shards(_studies(job, index), job.shard_studies)):
        for study in shard:
            index.add(study)
        index.shards.append(len(shard))
        file = shard_file(job.work, job.dataset, number)
        if not file.exists():
            keep(file, to_columns(Study, shard))
    keep(index_file(job.work, job.dataset), index.arrays())
    return job.dataset


def _studies(job: Reading, index: _Index) -> Iterator[Study]:
    """The studies with those of their images that are there, as paths seen from the run folder.

    One of which no image is there keeps them: who reads tables alone wants to know where they should be.
    """
    folder = next(one for one in job.folders if DATASETS[job.dataset].find(one) is not None)
    start = Path(os.path.relpath(folder.resolve(), job.out.resolve())).as_posix()
    shelf, place = Shelf(), str(folder)
    for number, whole in enumerate(read(job.dataset, job.folders)):
        if job.limit is not None and number >= job.limit:
            return
        found = there(whole, place, shelf)
        index.look(whole, found)
        study = found or whole
        images = tuple([image if image[:1] == "/" else _joined(start, image) for image in study.images])
        yield changed(study, images=images)


def _joined(start: str, image: str) -> str:
    return os.path.normpath(f"{start}/{image}") if image.startswith("..") else f"{start}/{image}"


def _shards(studies: Iterator[Study], size: int) -> Iterator[list[Study]]:
    shard: list[Study] = []
    for _, of_patient in groupby(studies, lambda study: study.patient_id):
        if len(shard) >= size:
            yield shard
            shard = []
        shard.extend(of_patient)
    if shard:
        yield shard


class _Index:
    """What decides on the splits: one entry for each study, in the order of the shards."""

    def __init__(self) -> None:
        self.shards: list[int] = []
        self._keys: list[int] = []
        self._num_keys: list[int] = []
        self._bits: list[int] = []
        self._own: list[int] = []
        self._reports: list[int] = []
        self._gone: list[bool] = []
        self._images = [0, 0]

    def look(self, whole: Study, found: Study | None) -> None:
        """Count the images of a study, and those of them that are there."""
        self._gone.append(found is None)
        self._images[0] += len(whole.images)
        self._images[1] += len(found.images) if found else 0

    def add(self, study: Study) -> None:
        keys = study.keys
        self._keys += [short_id(key) for key in keys]
        self._num_keys.append(len(keys))
        asked = [BITS[question.split] for question in study.questions if question.split in BITS]
        # Where questions are split, not studies, a study stands on every side that asks about it.
        self._bits.append(reduce(or_, asked) if asked else BITS[study.split])
        self._own.append(BITS.get(study.own_split, 0))
        report = compared(study.report)
        self._reports.append(short_id(report) if report else 0)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "shards": np.array(self.shards, dtype=np.int64),
            "keys": np.array(self._keys, dtype=np.uint64),
            "num_keys": np.array(self._num_keys, dtype=np.int64),
            "bits": np.array(self._bits, dtype=np.int8),
            "own": np.array(self._own, dtype=np.int8),
            "reports": np.array(self._reports, dtype=np.uint64),
            "gone": np.array(self._gone, dtype=bool),
            "images": np.array(self._images, dtype=np.int64),
        }


def check_held(names: Sequence[str], folders: Sequence[Path]) -> tuple[list[str], list[str]]:
    """Which of the datasets the folders hold, with all that they stand on, and which they do not."""

    def is_held(name: str) -> bool:
        return any(DATASETS[name].find(folder) is not None for folder in folders)

    there = [name for name in names if all(map(is_held, (name, *DATASETS[name].STANDS_ON)))]
    return there, [name for name in names if name not in there]
