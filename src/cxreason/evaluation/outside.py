"""Scores that come from elsewhere: backends with published weights, and files of scores computed before.

What was not asked for is told as absent, with the reason, and never as 0. A backend that is asked for and
not installed stops the run before anything is scored; one that fails on an item leaves it without a value,
under a reason with its name, and owed. RadCliQ is arithmetic over four scores, wherever they come from.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cxreason.errors import UserError
from cxreason.evaluation.backends import BACKENDS
from cxreason.evaluation.backends.pipe import Failed, Pair, Worker
from cxreason.evaluation.backends.places import command_of
from cxreason.evaluation.backends.readings import Worth, factuality, worth_of, worth_of_silence
from cxreason.evaluation.item_scores import given_rows, part_rows
from cxreason.evaluation.metrics import TABLE
from cxreason.evaluation.radcliq import FEATURES, Version, radcliq
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score, content_id
from cxreason.rows import append_lines, drop_torn_line, read_lines
from cxreason.tables import read_table

Item = tuple[Prediction, Sample]
OF_TRACES = ("sf_labelled", "sf_tokens")
OF_OPEN_ANSWERS = ("ratescore",)
"""Metrics that open answers get, sets of findings and free words, beside written reports."""
MOST = 1.0 + 1e-6
"""What no score of a single text that is read from a file exceeds; some go below 0."""
RADCLIQ: dict[str, Version] = {"radcliq_v0": "v0", "radcliq_v1": "v1"}


class Outside:
    """All that a recipe asks of others about the predictions of its runs.

    with Outside(recipe) as outside:
        rows = outside.rows(pairs)
        why = outside.absent(pairs)
    """

    def __init__(self, recipe: ScoreRecipe):
        self._recipe = recipe
        self.num_failed: Counter[str] = Counter()
        """Backend or file -> items that it owes."""
        self._workers = {
            name: Worker(name, command_of(name), seconds=recipe.backend_seconds) for name in recipe.backends
        }
        cache = recipe.backend_cache or recipe.out / "backends.jsonl"
        self._found = Found(cache) if self._workers else None
        self._given = Given(recipe.subscores) if recipe.subscores else None
        if self._given is not None:
            for metric in self._given.metrics:
                if TABLE[metric].backend in self._workers:
                    both = f"gives {metric}, which backend {TABLE[metric].backend} does too"
                    raise UserError(f"{recipe.subscores}: {both}. Ask one of them.")

    def rows(self, pairs: Sequence[Item]) -> list[Score]:
        """The rows of one run: those of each backend, those of the file, and RadCliQ from both."""
        rows: list[Score] = []
        for name, worker in self._workers.items():
            rows += self._of_backend(name, worker, pairs)
        if self._given is not None:
            rows += self._of_file(self._given, pairs)
        rows += _radcliq_rows(rows, pairs)
        return rows

    def absent(self, pairs: Sequence[Item]) -> dict[str, str]:
        """Metric -> why it is not there, for all that would fit these samples."""
        kinds = {sample.kind for _, sample in pairs}
        fitting: set[str] = set()
        if "report" in kinds:
            fitting |= {name for name, told in TABLE.items() if told.backend and name not in OF_TRACES}
            fitting |= set(RADCLIQ)
        if kinds & {"labels", "text"}:
            fitting |= set(OF_OPEN_ANSWERS)
        if any(sample.reasoning and prediction.mode == "reasoning" for prediction, sample in pairs):
            fitting |= set(OF_TRACES)
        there = set() if self._given is None else set(self._given.metrics)
        there |= {name for name, told in TABLE.items() if told.backend in self._workers}
        why = {}
        for name in (one for one in TABLE if one in fitting - there):
            needed = TABLE[name].backend
            if needed:
                why[name] = f"not computed: backends=[{needed}] was not asked for"
            elif missing := [one for one in FEATURES if one not in there and TABLE[one].backend]:
                why[name] = f"not computed: it needs {', '.join(missing)}"
        return why

    def about(self) -> dict[str, Any]:
        """Who read, with which weights: to be written beside the numbers."""
        return {name: worker.about() for name, worker in self._workers.items()}

    def _of_backend(self, name: str, worker: Worker, pairs: Sequence[Item]) -> Iterator[Score]:
        written = [item for item in pairs if item[1].kind == "report"]
        if name == "ratescore":
            written = [item for item in pairs if item[1].kind in ("report", "labels", "text")]
        asked = [(item, item[1].answer, item[0].answer) for item in written]
        for (prediction, sample), worth in self._read(
            name, worker, asked, lambda found: worth_of(name, found)
        ):
            yield from _worth_rows(prediction, sample, worth, name)
        if name == "radgraph":
            traced = [item for item in pairs if item[1].reasoning and item[0].mode == "reasoning"]
            asked = [(item, item[1].facts, item[0].reasoning) for item in traced]
            for (prediction, sample), worth in self._read(name, worker, asked, factuality):
                yield from _worth_rows(prediction, sample, worth, name, only=OF_TRACES)

    def _read(
        self,
        name: str,
        worker: Worker,
        asked: Sequence[tuple[Item, str, str]],
        worth: Callable[[Any], Worth],
    ) -> Iterator[tuple[Item, Worth]]:
        """What each pair of texts is worth; those that a worker read before are not read again."""
        assert self._found is not None
        backend, about = BACKENDS[name], worker.about()
        keys = [self._found.key(about, reference, hypothesis) for _, reference, hypothesis in asked]
        new: dict[str, Pair] = {}
        for (_, reference, hypothesis), key in zip(asked, keys, strict=True):
            if (hypothesis.strip() or backend.reads_nothing) and key not in self._found:
                new[key] = Pair(key, reference, hypothesis)
        failed: dict[str, str] = {}
        todo = sorted(new.values(), key=lambda pair: (len(pair.reference) + len(pair.hypothesis), pair.id))
        for start in range(0, len(todo), backend.batch):
            replies = worker.ask(todo[start : start + backend.batch])
            failed |= {key: one.reason for key, one in replies.items() if isinstance(one, Failed)}
            self._found.add({key: one for key, one in replies.items() if not isinstance(one, Failed)})
        for (item, _, hypothesis), key in zip(asked, keys, strict=True):
            if not hypothesis.strip() and not backend.reads_nothing:
                yield item, worth_of_silence(name)
                continue
            told = Worth(problem=failed[key]) if key in failed else worth(self._found[key])
            self.num_failed[name] += bool(told.problem)
            yield item, told

    def _of_file(self, given: Given, pairs: Sequence[Item]) -> Iterator[Score]:
        reports = [(item, given.of(*item)) for item in pairs if item[1].kind == "report"]
        if reports and not any(values for _, values in reports):
            raise UserError(f"{given.file}: none of its ids is that of a prediction or a sample.")
        for (prediction, sample), values in reports:
            missing = [metric for metric in given.metrics if values.get(metric) is None]
            if missing:
                self.num_failed[str(given.file)] += 1
            reason = (
                f"{given.file.name} holds no {', '.join(missing)}" if missing else f"from {given.file.name}"
            )
            whole = {metric: values.get(metric) for metric in given.metrics}
            yield from given_rows(prediction, sample, whole, reason, flagged=bool(prediction.problem))

    def __enter__(self) -> Outside:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers.values():
            worker.close()


def _worth_rows(
    prediction: Prediction, sample: Sample, worth: Worth, backend: str, only: Sequence[str] = ()
) -> Iterator[Score]:
    if worth.problem:
        own = only or [one for one, told in TABLE.items() if told.backend == backend and one not in OF_TRACES]
        reason = f"backend {backend} failed: {worth.problem}"
        yield from given_rows(prediction, sample, dict.fromkeys(own), reason, flagged=False)
        return
    flagged = worth.flagged or bool(prediction.problem)
    yield from given_rows(prediction, sample, worth.values, worth.reason, flagged=flagged)
    yield from part_rows(prediction, sample, worth.parts, worth.reason)


def _radcliq_rows(rows: Iterable[Score], pairs: Sequence[Item]) -> Iterator[Score]:
    """RadCliQ of every report whose four scores are there; where one failed, none, with the reason."""
    from cxreason.evaluation.overlap import bleu2_rexrank

    given: dict[str, dict[str, Score]] = {}
    for row in rows:
        if row.metric in FEATURES:
            given.setdefault(row.prediction_id, {})[row.metric] = row
    needed = [name for name in FEATURES if TABLE[name].backend]
    for prediction, sample in pairs:
        own = given.get(prediction.id, {})
        if sample.kind != "report" or not all(name in own for name in needed):
            continue
        values = {name: row.value for name, row in own.items()}
        values.setdefault("bleu2_rexrank", bleu2_rexrank(prediction.answer, sample.answer))
        numbers = [values[name] for name in FEATURES]
        empty = [name for name in FEATURES if values[name] is None]
        known = [number for number in numbers if number is not None]
        reason = (
            f"without {', '.join(f'{name} ({own[name].reason})' for name in empty)}"
            if empty
            else ", ".join(f"{name} {number:.4f}" for name, number in zip(FEATURES, known, strict=True))
        )
        found = {
            metric: None if empty else radcliq(*known, version=version) for metric, version in RADCLIQ.items()
        }
        yield from given_rows(
            prediction, sample, found, reason, flagged=any(row.flagged for row in own.values())
        )


class Found:
    """What workers found before, by who read what: a file of lines that only grows."""

    def __init__(self, file: Path):
        self._file = file
        self._known: dict[str, Any] = {}
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.exists():
            drop_torn_line(file)
            self._known = {row["id"]: row["found"] for row in read_lines(file)}

    @staticmethod
    def key(about: dict[str, Any], reference: str, hypothesis: str) -> str:
        """The name of a pair of texts as this worker reads it."""
        return content_id(about, reference, hypothesis)

    def add(self, found: dict[str, Any]) -> None:
        """Keep what was found, safe on disk."""
        if found:
            append_lines(self._file, [json.dumps({"id": key, "found": one}) for key, one in found.items()])
            self._known |= found

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]


class Given:
    """A file of scores computed elsewhere: JSON Lines or CSV with `id` and columns named as metrics.

    An id is that of a prediction or of a sample; with samples of several models, columns `model` and `mode`
    tell them apart. Empty cells and nan are scores that are missing. What is computed here anyway, such as
    BLEU-2, is not taken from it.
    """

    def __init__(self, file: Path):
        self.file = file
        rows = list(read_table(file, "scores"))
        if not rows or "id" not in rows[0]:
            raise UserError(f"{file}: needs lines with an `id` and columns named as metrics.")
        columns = {name for row in rows for name in row} - {"id", "model", "mode"}
        known = [name for name, told in TABLE.items() if told.whole is None]
        if unknown := sorted(columns - set(known)):
            raise UserError(
                f"{file}: {unknown[0]!r} is no metric of single reports. Known: {', '.join(known)}."
            )
        self.metrics = [name for name in TABLE if name in columns and TABLE[name].backend]
        self._values: dict[tuple[str, ...], dict[str, float | None]] = {}
        self._whose: dict[tuple[str, ...], tuple[str, str]] = {}
        for number, row in enumerate(rows, start=1):
            if row.get("id") in (None, ""):
                raise UserError(f"{file}: row {number} of scores has no id.")
            key = tuple(str(row[name]) for name in ("id", "model", "mode") if row.get(name))
            if key in self._values:
                raise UserError(f"{file}: {' '.join(key)} is there twice. Add columns `model` and `mode`.")
            self._values[key] = {name: _number(file, row.get(name)) for name in self.metrics}

    def of(self, prediction: Prediction, sample: Sample) -> dict[str, float | None]:
        """The scores of a prediction; empty where the file has none."""
        keys = [(prediction.id,)]
        keys += [(sample.id, prediction.model, prediction.mode), (sample.id, prediction.model), (sample.id,)]
        key = next((key for key in keys if key in self._values), None)
        if key is None:
            return {}
        model = (prediction.model, prediction.mode)
        if self._whose.setdefault(key, model) != model:
            raise UserError(
                f"{self.file}: one line for {sample.id} cannot be of two models. Add `model` and `mode`."
            )
        return self._values[key]


def _number(file: Path, value: Any) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise UserError(f"{file}: {value!r} is no score.") from None
    if number > MOST or number == -math.inf:
        raise UserError(f"{file}: {value!r} is more than any score can be. Write 0.573, not 57.3 per cent.")
    return None if math.isnan(number) else number
