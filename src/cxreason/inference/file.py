"""The engine `file`: what somebody's model said before, as JSON Lines or CSV, matched to the samples by id.

    {"id": "...", "text": "<think> ... </think><answer> B </answer>"}    the whole reply, read by the dialect
    {"id": "...", "reasoning": "...", "answer": "B"}                     the reply in its two parts

An id is that of a sample, of the question in its dataset (`official_id`) or, where one question is asked of a
study, of the study. A sample without a line is a model that said nothing: wrong, and counted. What would have
to be guessed is refused: ids that no sample has, an id that comes too often, a file without usable columns.
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.errors import UserError
from cxreason.inference.engines import Ask, Generated, Replied
from cxreason.records import Sample
from cxreason.runs import read
from cxreason.tables import read_table

if TYPE_CHECKING:
    from cxreason.recipes import PredictRecipe

NAMES = {
    "id": ("id", "sample_id", "official_id", "study_id", "question_id", "qid", "unique_id"),
    "text": ("text", "response", "prediction", "output", "generated_text", "reply"),
    "answer": ("answer",),
    "reasoning": ("reasoning", "trace", "thinking"),
    "num_tokens": ("num_tokens",),
}
"""What a line holds -> the names under which it is looked for, in their order."""
MATCHED_BY = ("id", "official_id", "study_id")
"""Fields of a sample that an id of the file may be, in the order in which they are tried."""
MISSING = "the file holds nothing for this sample"


class FileEngine:
    """The replies of a file; each sample takes its lines in their order, one for each draw."""

    def __init__(self, recipe: PredictRecipe):
        assert recipe.file is not None
        self.path = recipe.file
        self.num_draws = recipe.num_samples
        rows = list(read_table(self.path, "predictions"))
        if not rows:
            raise UserError(f"{self.path}: holds no predictions.")
        there = dict.fromkeys(name for row in rows for name in row)
        self._columns = columns_of(self.path, there, recipe.columns)
        self._said = self._by_sample(rows, list(read(recipe.samples, Sample)))
        self.num_missing = 0

    def reply(self, asks: Iterable[Ask]) -> Iterator[Replied]:
        """What the file holds for each question; empty replies where it holds too few."""
        for ask in asks:
            found = self._said.get(ask.sample.id, [])
            self.num_missing += not found
            silent = Generated("", 0, finished=False)
            yield Replied(ask, [*found, *[silent] * (self.num_draws - len(found))])

    def _by_sample(self, rows: Sequence[dict[str, Any]], samples: Sequence[Sample]) -> dict[str, list]:
        ids = [str(row.get(self._columns["id"], "") or "").strip() for row in rows]
        if "" in ids:
            raise UserError(f"{self.path}: prediction {ids.index('') + 1} has no {self._columns['id']}.")
        known = _matched(self.path, ids, samples)
        said: dict[str, list[Generated]] = {}
        for number, (id, row) in enumerate(zip(ids, rows, strict=True), start=1):
            said.setdefault(known[id], []).append(self._reply(row, number))
            if len(said[known[id]]) > self.num_draws:
                draws = "one reply is" if self.num_draws == 1 else f"{self.num_draws} replies are"
                raise UserError(
                    f"{self.path}: {id!r} comes again in prediction {number}, but {draws} wanted. Remove the "
                    "repetition, or write num_samples=N temperature=T where each question was drawn N times."
                )
        return said

    def _reply(self, row: dict[str, Any], number: int) -> Generated:
        told = {what: _words(row.get(column)) for what, column in self._columns.items()}
        tokens = told.get("num_tokens", "")
        counted = int(float(tokens)) if tokens.replace(".", "", 1).isdigit() else 0
        if "text" in told:
            return Generated(told["text"], counted, finished=True)
        parts = told.get("reasoning", ""), told["answer"]
        return Generated("\n".join(filter(None, parts)), counted, finished=True, parts=parts)

    def about(self) -> dict[str, Any]:
        """The file, its columns and how many samples it says nothing of."""
        return {"file": str(self.path), "columns": self._columns, "missing": self.num_missing}

    def __enter__(self) -> FileEngine:
        return self

    def __exit__(self, *problem: object) -> None:
        pass


def columns_of(path: Path, there: Collection[str], told: Mapping[Any, str]) -> dict[str, str]:
    """What a line holds -> its column, of those that are there; `told` wins over the usual names.

    >>> columns_of(Path("x.csv"), ["qid", "output"], {})
    {'id': 'qid', 'text': 'output'}
    """
    for what, column in told.items():
        if column not in there:
            close = difflib.get_close_matches(column, there, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It has: {', '.join(there)}."
            raise UserError(f"{path}: has no column {column!r} for the {what}. {hint}")
    found = dict(told)
    for what, names in NAMES.items():
        usual = [name for name in names if name in there]
        if what not in found and usual:
            found[what] = usual[0]
    if "text" in found and "text" not in told and "answer" in told:
        del found["text"]  # whoever names the answer wants it taken as it is
    if "id" not in found or not {"text", "answer"} & found.keys():
        lacks = "an id" if "id" not in found else "a text or an answer"
        raise UserError(
            f"{path}: no column is known as {lacks}; it has {', '.join(there)}. Name it: "
            f"columns.{'id' if 'id' not in found else 'text'}=COLUMN."
        )
    if "text" in found:
        found.pop("answer", None)
        found.pop("reasoning", None)
    return found


def _matched(path: Path, ids: Sequence[str], samples: Sequence[Sample]) -> dict[str, str]:
    """Id in the file -> id of the sample that it means."""
    best: dict[str, str] = {}
    for field in MATCHED_BY:
        names = Counter(getattr(sample, field) for sample in samples)
        once = {name: sample.id for sample in samples if names[name := getattr(sample, field)] == 1 and name}
        found = {id: once[id] for id in ids if id in once}
        if len(found) > len(best):
            best = found
    unknown = [id for id in dict.fromkeys(ids) if id not in best]
    if unknown:
        raise UserError(
            f"{path}: {len(unknown)} of {len(set(ids))} ids are those of no sample, the first is "
            f"{unknown[0]!r}. Ids are compared with {', '.join(MATCHED_BY)} of the samples; remove lines "
            "about other samples, or name the column: columns.id=COLUMN."
        )
    return best


def _words(value: Any) -> str:
    """A cell as text. An empty one is silence: it must never become the word "nan" or "None"."""
    if value is None or value != value:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
