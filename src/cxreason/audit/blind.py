"""What guessers without an image score, cell by cell, with 95% intervals and a verdict against chance.

A guesser learns from the training side and is measured on the evaluation side. The training side itself, and
an evaluation set that has no training side, are measured crosswise: patients fall into two halves by their
names, and each half is guessed by what was learned from the other.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from cxreason.audit.guessers import GUESSERS, Guesser, credit
from cxreason.audit.items import EVALUATION, TRAIN, Cell, Item, items
from cxreason.evaluation.statistics import bootstrap, holm
from cxreason.records import Sample

FEWEST_PATIENTS = 30
"""With fewer, a verdict would be luck: the figure is shown and not judged."""
SIGNIFICANCE = 0.05
MOST_LISTED = 20
"""So many labels a constant list may have."""


@dataclass(frozen=True)
class Guessed:
    """What one guesser scored in one cell. `failed` where it is above chance beyond doubt and margin."""

    dataset: str
    task: str
    side: str
    guesser: str
    value: float
    low: float | None
    high: float | None
    chance: float
    n: int
    patients: int
    p: float
    """One-sided, corrected for all guesses of the audit (Holm 1979)."""
    failed: bool


class Guessing(NamedTuple):
    """All that is guessed in one cell."""

    cell: Cell
    known: Sequence[Item]
    """What guessers learn from; empty where they learn crosswise."""
    asked: Sequence[Item]
    draws: int


def guess_all(
    picked: Mapping[Cell, Sequence[Sample]],
    margin: float,
    draws: int = 500,
    each: Callable[[Callable, Iterable], Iterable] = map,
) -> list[Guessed]:
    """Every guesser on every cell with closed questions; so far above chance as `margin` is harmless.

    `each` is what does the work, cell by cell: `Crew.each` where there are processes at hand.
    """
    closed = {cell: found for cell, samples in picked.items() if (found := items(samples))}
    train = {cell: closed.get(cell._replace(side=TRAIN), ()) for cell in closed if cell.side == EVALUATION}
    jobs = [Guessing(cell, train.get(cell, ()), asked, draws) for cell, asked in closed.items()]
    measured = [one for guesses in each(guess, jobs) for one in guesses]
    doubts = holm([one.p for one in measured])
    return [
        replace(one, p=p, failed=p < SIGNIFICANCE and one.value - one.chance > margin)
        for one, p in zip(measured, doubts, strict=True)
    ]


def guess(job: Guessing) -> list[Guessed]:
    """What every guesser scores in a cell; `p` is not corrected yet, and nothing has failed."""
    found = []
    for name, guesser in GUESSERS.items():
        hits = _hits(guesser, job.known, job.asked) if job.known else _crosswise(guesser, job.asked)
        if hits:
            found.append(_measured(job, name, hits))
    return found


def _hits(guesser: Guesser, known: Sequence[Item], asked: Sequence[Item]) -> list[float]:
    scores = guesser(known)
    return [credit(scores(one), one.gold) for one in asked]


def _crosswise(guesser: Guesser, asked: Sequence[Item]) -> list[float]:
    """Hits in the order of the questions; empty where all patients fall into one half."""
    half = [zlib.crc32(one.patient.encode()) & 1 for one in asked]
    if len(set(half)) < 2:
        return []
    scorers = [guesser([one for one, own in zip(asked, half, strict=True) if own != side]) for side in (0, 1)]
    return [credit(scorers[own](one), one.gold) for one, own in zip(asked, half, strict=True)]


def _p_value(hits: Sequence[float], asked: Sequence[Item]) -> float:
    """P(so far above chance) if the guesser were at chance; patients, not questions, are independent."""
    gains: dict[str, float] = defaultdict(float)
    for hit, one in zip(hits, asked, strict=True):
        gains[one.patient] += hit - 1 / len(one.options)
    if len(gains) < FEWEST_PATIENTS:
        return 1.0
    values = np.array(list(gains.values()))
    spread = float(np.sqrt((values**2).sum()))
    return math.erfc(float(values.sum()) / spread / math.sqrt(2)) / 2 if spread else 1.0


def _measured(job: Guessing, name: str, hits: Sequence[float]) -> Guessed:
    patients = [one.patient for one in job.asked]
    estimate = bootstrap(hits, patients, draws=job.draws)
    chance = sum(1 / len(one.options) for one in job.asked) / len(job.asked)
    value, num_patients = sum(hits) / len(hits), len(set(patients))
    p = _p_value(hits, job.asked)
    return Guessed(
        *job.cell, name, value, estimate.low, estimate.high, chance, len(hits), num_patients, p, failed=False
    )


def constants(picked: Mapping[Cell, Sequence[Sample]]) -> list[dict[str, Any]]:
    """For answers without options: how often the commonest answer to the same words is right.

    For lists of labels also the mean F1 of the list that earns most where it is always given. There is no
    chance to compare these with, so they are told and not judged: a model has to be better than this.
    """
    rows = []
    for cell, samples in picked.items():
        free = [one for one in samples if not one.options and one.kind in ("labels", "text")]
        if not free:
            continue
        known = picked.get(cell._replace(side=TRAIN), ()) if cell.side == EVALUATION else free
        known = known or free  # a test set alone: as those who published such figures took them
        said: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for one in known:
            said[one.question][one.answer] += 1
            said[""][one.answer] += 1
        hits = [
            float(
                max(
                    said.get(one.question) or said[""],
                    key=lambda answer: (said.get(one.question) or said[""])[answer],
                    default="",
                )
                == one.answer
            )
            for one in free
        ]
        estimate = bootstrap(hits, [one.patient_id for one in free], draws=500)
        lists = [one for one in free if one.kind == "labels"]
        best = _best_list([_parts(one.answer) for one in known if one.kind == "labels" and not one.options])
        f1 = sum(_f1(best, _parts(one.answer)) for one in lists) / len(lists) if best and lists else None
        rows.append({**cell._asdict(), **asdict(estimate), "list": sorted(best), "f1": f1})
    return rows


def _parts(answer: str) -> frozenset[str]:
    return frozenset(part.strip().casefold() for part in answer.split(","))


def _f1(said: frozenset[str], truth: frozenset[str]) -> float:
    return 2 * len(said & truth) / (len(said) + len(truth))


def _best_list(known: Sequence[frozenset[str]]) -> frozenset[str]:
    """The list whose mean F1 is highest, found by adding the most frequent labels one by one.

    >>> sorted(_best_list([frozenset("ab"), frozenset("a"), frozenset("abc")]))
    ['a', 'b']
    """
    best, worth = frozenset(), 0.0
    said: frozenset[str] = frozenset()
    for label, _ in Counter(label for truth in known for label in sorted(truth)).most_common(MOST_LISTED):
        said |= {label}
        now = sum(_f1(said, truth) for truth in known) / len(known)
        if now > worth:
            best, worth = said, now
    return best
