"""The pieces of a large build: some thousand studies of one dataset, with their sides and their priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxreason.build.paths import BuildError
from cxreason.build.reading import BITS, shard_file
from cxreason.build.work import kept
from cxreason.columns import from_columns
from cxreason.records import Study, changed, short_id

if TYPE_CHECKING:
    from cxreason.settings import Feed

NAMES = {bit: name for name, bit in BITS.items()}


@dataclass(frozen=True)
class Piece:
    """One shard of a dataset, and the feeds that draw on it with their numbers in the recipe."""

    work: Path
    dataset: str
    number: int
    start: int
    """Number of its first study in the dataset."""
    size: int
    feeds: tuple[tuple[int, Feed], ...]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.number:05d}"

    def shard(self) -> Shard:
        """Its studies with their sides."""
        mine = slice(self.start, self.start + self.size)
        splits, sides = (known[mine] for known in kept(self.work / "sides" / f"{self.dataset}.pickle"))
        studies = from_columns(Study, kept(shard_file(self.work, self.dataset, self.number)))
        return Shard.of(studies, splits, sides, self.seed)

    def survey_file(self) -> Path:
        return self.work / "survey" / f"{self.name}.pickle"

    def texts_file(self) -> Path:
        return self.work / "texts" / f"{self.name}.pickle"

    def choice_file(self) -> Path:
        return self.work / "chosen" / f"{self.name}.pickle"


@dataclass(frozen=True)
class Shard:
    """The studies of a shard with their sides."""

    studies: list[Study]
    sides: np.ndarray
    seed: int

    @classmethod
    def of(cls, studies: Sequence[Study], splits: np.ndarray, sides: np.ndarray, seed: int) -> Shard:
        """Studies get the split that they were assigned, where their dataset has none."""
        names = [NAMES.get(split, "") for split in splits.tolist()]
        kept = [
            changed(study, split=name) if name and name != study.split else study
            for study, name in zip(studies, names, strict=True)
        ]
        return cls(kept, sides, seed)

    @cached_property
    def numbers(self) -> np.ndarray:
        """What orders are drawn from: a number that belongs to each study."""
        return np.array([short_id(f"{self.seed} {study.id}") for study in self.studies], dtype=np.uint64)

    def priors(self) -> list[int]:
        """For each study the place of its prior; -1 where there is none, or not on its side.

        A prior that is no study of the same patient is a fault of the dataset.
        """
        places = {study.id: place for place, study in enumerate(self.studies)}
        found = []
        for side, study in zip(self.sides.tolist(), self.studies, strict=True):
            before = -1
            if study.prior_id and side:
                before = places.get(study.prior_id, -1)
                if before < 0 or self.studies[before].patient_id != study.patient_id:
                    raise BuildError(
                        f"{study.dataset}: study {study.id!r} names the prior {study.prior_id!r}, which is "
                        "no study of the same patient beside it. Mend prior_id or leave it empty."
                    )
                before = before if self.sides[before] == side else -1
            found.append(before)
        return found
