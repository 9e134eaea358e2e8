"""What the runs of a grid measured: means over items and seeds, and differences on the same items."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from grid import Job, Way

from cxreason.evaluation.habits import HABITS
from cxreason.evaluation.metrics import OF_REASONING
from cxreason.evaluation.statistics import Crossed, crossed
from cxreason.records import Score
from cxreason.runs import read

Values = dict[str, float | None]
NOTHING = Crossed(None, None, None, 0)

METRICS = {
    "accuracy": "closed questions, accuracy",
    "anomaly_f1": "open question, F1",
    "iou": "boxes, IoU",
    "report_f1": "reports, F1 of findings",
    "radrscore": "RadRScore",
    "r_f": "R_f",
    "r_c": "R_c",
    "r_e": "R_e",
    **{name: meaning for name, meaning in HABITS.items() if name not in ("r_f", "r_c")},
    "guarded": "guarded worth",
    "trace_change": "traces changed",
    "same_trace": "same trace",
    "answer_change": "answers changed",
    "r_f_shown": "R_f against the patient shown",
    "guarded_shown": "guarded worth against the patient shown",
}
"""Metric -> what the tables call it."""


@dataclass(frozen=True)
class Measured:
    """The scores of one way of asking: metric -> seed -> item -> value. Seed None: no seed changes it."""

    runs: dict[str, dict[int | None, Values]]
    patients: dict[str, str]
    tasks: dict[str, str]

    @property
    def seeds(self) -> list[int | None]:
        """The seeds that are measured."""
        return sorted({seed for runs in self.runs.values() for seed in runs}, key=lambda one: one or 0)


class Results:
    """The finished score and habits runs among some jobs, read when they are asked for."""

    def __init__(self, finished: Iterable[Job]) -> None:
        self._jobs: dict[Way, list[Job]] = {}
        for job in finished:
            if job.stage in ("score", "habits"):
                self._jobs.setdefault((job.policy, job.mode, job.image), []).append(job)
        self._known: dict[Way, Measured] = {}

    def ways(self) -> list[Way]:
        """What is measured, in the order of the jobs."""
        return list(self._jobs)

    def of(self, way: Way) -> Measured:
        """All scores of a way; empty where it is not measured yet."""
        if way not in self._known:
            self._known[way] = _measured(self._jobs.get(way, []))
        return self._known[way]

    def mean(self, way: Way, metric: str, task: str = "") -> Crossed:
        """The mean of a metric, of one task or of all that have it."""
        measured = self.of(way)
        return _estimate(measured, list(measured.runs.get(metric, {}).values()), task)

    def difference(self, one: Way, other: Way, metric: str, task: str = "") -> Crossed:
        """one - other on the same items, seed by seed; what has no seed stands beside each seed."""
        first, second = (self.of(way).runs.get(metric, {}) for way in (one, other))
        seeds = {seed: (seed, seed) for seed in first.keys() & second.keys()}
        if None in first:
            seeds = {seed: (None, seed) for seed in second}
        elif None in second:
            seeds = {seed: (seed, None) for seed in first}
        pairs = [(first[mine], second[theirs]) for _, (mine, theirs) in sorted(seeds.items(), key=_by_seed)]
        runs = [{id: _minus(a[id], b[id]) for id in a.keys() & b.keys()} for a, b in pairs]
        return _estimate(self.of(one), runs, task)


def _by_seed(pair: tuple[int | None, object]) -> int:
    return pair[0] or 0


def _estimate(measured: Measured, runs: Sequence[Values], task: str) -> Crossed:
    """Items that have no value in some run are left out of all."""
    if not runs:
        return NOTHING
    whole = [
        id
        for id in sorted(set.intersection(*(set(run) for run in runs)))
        if (not task or measured.tasks[id] == task) and all(run[id] is not None for run in runs)
    ]
    rows = [[float(run[id] or 0.0) for id in whole] for run in runs]
    return crossed(rows, [measured.patients[id] for id in whole])


def _measured(jobs: Iterable[Job]) -> Measured:
    by_metric: dict[str, dict[int | None, Values]] = {}
    patients, tasks = {}, {}
    for job in sorted(jobs, key=lambda one: one.seed or 0):
        name = "scores" if job.stage == "score" else None
        for row in read(job.out, Score, name):
            # The habits hold parts of RadRScore again; those of the scores count, and a direct
            # answer, whose trace nobody asked for, has none.
            if row.metric in OF_REASONING and (job.stage == "habits" or job.mode == "direct"):
                continue
            by_metric.setdefault(row.metric, {}).setdefault(job.seed, {})[row.sample_id] = row.value
            patients[row.sample_id], tasks[row.sample_id] = f"{row.dataset}/{row.patient_id}", row.task
    return Measured(by_metric, patients, tasks)


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


def adjusted(found: Mapping[tuple[int, str], Crossed]) -> dict[tuple[int, str], float]:
    """The p of each difference of one experiment after Holm's correction; what has none is left out."""
    from cxreason.evaluation.statistics import holm

    told = {key: one.p for key, one in found.items() if one.p is not None}
    return dict(zip(told, holm(list(told.values())), strict=True))
