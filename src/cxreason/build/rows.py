"""Drafts of samples -> tables, a column at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Any, get_type_hints

import numpy as np
import pyarrow as pa

from cxreason.columns import default_of, to_array
from cxreason.records import Sample, Study, schema
from cxreason.tasks import TASKS, Draft, Shown, of_study, shown, tell

FEW = ("task", "kind", "subject", "split", "option_style", "official_id")
"""Columns of drafts with few different values."""


class Rows:
    """Samples of a shard on their way to tables, feed by feed; what they share becomes columns once.

    Many samples show the same images of the same study; of those only their drafts differ.
    """

    def __init__(self, studies: Sequence[Study], priors: Sequence[int] | None) -> None:
        """`priors` has the place of the prior of each study; see `Shard.priors`."""
        self.studies = studies
        self._before = [-1] * len(studies) if priors is None else priors
        self._own: dict[str, list[Any]] = {name: [] for name in ("task", *Draft._fields) if name != "images"}
        self._places: list[int] = []
        self._priors: list[int] = []
        self._shown: list[Shown] = []
        self._numbers: dict[tuple, int] = {}
        self._ways: list[int] = []

    def ask(self, task: str, places: Sequence[int], drafts: Sequence[Draft]) -> list[str]:
        """Add drafts of a task with the places of their studies; returns their splits."""
        ways = self._ways_of(task, places, [drawn.images for drawn in drafts])
        own = dict(zip(Draft._fields, map(list, zip(*drafts, strict=True)), strict=False))
        return self._add(task, places, ways, own)

    def tell(
        self, task: str, places: Sequence[int], subjects: list[str], texts: list[str], seed: int
    ) -> list[str]:
        """Add texts of a task that is told; returns their splits."""
        studies, way, number = [self.studies[place] for place in places], TASKS[task], len(texts)
        ids, asked = tell(studies, task, subjects, texts, seed)
        images = None if way.shows_images else ()
        once = list(dict.fromkeys(places))
        way_of = dict(zip(once, self._ways_of(task, once, repeat(images, len(once))), strict=True))
        own = {
            "id": ids,
            "question": asked,
            "answer": texts,
            "subject": subjects,
            "split": [study.split for study in studies],
            "kind": [way.kind] * number,
            "options": [()] * number,
            "option_style": [""] * number,
            "official_id": [""] * number,
        }
        return self._add(task, places, [way_of[place] for place in places], own)

    def _add(self, task: str, places: Sequence[int], ways: list[int], own: dict[str, list[Any]]) -> list[str]:
        before = self._before
        self._places += places
        self._priors += [before[place] for place in places] if TASKS[task].prior else [-1] * len(places)
        self._ways += ways
        for name, column in self._own.items():
            column += [task] * len(places) if name == "task" else own.get(name, [])
        return own.get("split", [])

    def prior(self, task: str, place: int) -> Study | None:
        """The prior of a study, where a task asks about two examinations."""
        before = self._before[place] if TASKS[task].prior else -1
        return self.studies[before] if before >= 0 else None

    def _ways_of(
        self, task: str, places: Sequence[int], images: Iterable[tuple[str, ...] | None]
    ) -> list[int]:
        """The numbers of what is shown of studies, which other tasks may show as well."""
        way, numbers, found = TASKS[task], self._numbers, []
        for place, own in zip(places, images, strict=True):
            key = (place, own, way.prior, way.about_views)
            number = numbers.get(key)
            if number is None:
                number = numbers[key] = len(numbers)
                self._shown.append(shown(own, self.studies[place], self.prior(task, place), task))
            found.append(number)
        return found

    def tables(self) -> Iterator[tuple[str, Any]]:
        """(split, its rows with the fields of `Sample`), study by study; repeating texts as dictionaries."""
        kinds, hints = schema(Sample), get_type_hints(Sample)
        columns = {}
        for name, values in self._own.items():
            made = to_array(values, hints[name], kinds.field(name).type)
            columns[name] = made.dictionary_encode() if name in FEW else made
        splits = np.array(self._own["split"])
        order = np.argsort(self._places, kind="stable")
        for split in np.unique(splits).tolist():
            rows = order[splits[order] == split]
            yield (
                split,
                self._table(rows, {name: column.take(pa.array(rows)) for name, column in columns.items()}),
            )

    def _table(self, rows: np.ndarray, own: dict[str, pa.Array]) -> pa.Table:
        kinds, hints = schema(Sample), get_type_hints(Sample)
        shared = self._shared(rows)
        nowhere = np.zeros(len(rows), dtype=np.int32)
        columns = []
        for one in kinds:
            if one.name in own:
                columns.append(own[one.name])
            elif one.name in shared:
                columns.append(_repeated(*shared[one.name], hints[one.name], one.type))
            else:  # what mining fills in
                empty = Sample.__dataclass_fields__[one.name]
                columns.append(_repeated([default_of(empty)], nowhere, hints[one.name], one.type))
        return pa.Table.from_arrays(columns, names=kinds.names)

    def _shared(self, rows: np.ndarray) -> dict[str, tuple[Sequence[Any], np.ndarray]]:
        """Field -> its different values, and which of them stands in each row."""
        places, of_place = np.unique(np.array(self._places)[rows], return_inverse=True)
        studies = [of_study(self.studies[place]) for place in places.tolist()]
        priors, of_prior = np.unique(np.array(self._priors)[rows], return_inverse=True)
        reports = [self.studies[place].report if place >= 0 else "" for place in priors.tolist()]
        ways, of_way = np.unique(np.array(self._ways)[rows], return_inverse=True)
        views = [self._shown[way] for way in ways.tolist()]
        return {
            **{name: ([one[name] for one in studies], of_place) for name in studies[0]},
            "prior_report": (reports, of_prior),
            **{
                name: (values, of_way)
                for name, values in zip(Shown._fields, zip(*views, strict=True), strict=True)
            },
        }


def _repeated(values: Sequence[Any], rows: np.ndarray, hint: Any, kind: pa.DataType) -> pa.Array:
    """Values that stand in many rows: texts stay where they are and are pointed at."""
    once, pointers = to_array(values, hint, kind), pa.array(rows, pa.int32())
    return (once.dictionary_encode() if hint is str else once).take(pointers)
