"""The tables of docs/experiments.md: means with 95% intervals over items and seeds, from score runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from grid import Grid, Job

from cxreason.evaluation.habits import HABITS
from cxreason.evaluation.statistics import Estimate, crossed_bootstrap
from cxreason.records import Score
from cxreason.runs import read, state_of

OF_HABITS = tuple(name for name in HABITS if name not in ("r_f", "r_c"))
"""RadRScore's parts stand in another table."""

Way = tuple[str, str, str]
"""Policy, mode, image."""
Values = dict[str, float | None]

ANSWERS = (("closed questions", "accuracy"), ("open question, F1", "anomaly_f1"))
REASONING = (("RadRScore", "radrscore"), ("R_f", "r_f"), ("R_c", "r_c"), ("R_e", "r_e"))
TASKS = {
    "binary": "accuracy",
    "single": "accuracy",
    "multiple": "accuracy",
    "temporal": "accuracy",
    "anomaly": "anomaly_f1",
    "grounding": "iou",
    "findings": "report_f1",
}
"""Task -> the metric that stands for it in the table of tasks."""


@dataclass(frozen=True)
class Measured:
    """The scores of one way of asking: by metric and seed, the value of each item."""

    runs: dict[str, list[Values]]
    patients: dict[str, str]
    tasks: dict[str, str]


class Results:
    """All finished score and habits runs of a grid, read when they are asked for."""

    def __init__(self, grid: Grid, jobs: Sequence[Job]) -> None:
        self._draws = int(grid.score.get("bootstrap_draws", 1000))
        self._jobs: dict[Way, list[Job]] = {}
        for job in jobs:
            if job.stage in ("score", "habits"):
                self._jobs.setdefault((job.policy, job.mode, job.image), []).append(job)
        self._known: dict[Way, Measured] = {}

    def ways(self) -> list[Way]:
        return list(self._jobs)

    def of(self, way: Way) -> Measured:
        if way not in self._known:
            self._known[way] = _measured(self._jobs.get(way, []))
        return self._known[way]

    def mean(self, way: Way, metric: str, task: str = "") -> Estimate:
        """The mean of a metric, of one task or of all that have it."""
        return self._estimate(self.of(way), self.of(way).runs.get(metric, []), task)

    def difference(self, one: Way, other: Way, metric: str, task: str = "") -> Estimate:
        """one - other on the same items, seed by seed; a way without seeds stands beside each seed."""
        first, second = self.of(one).runs.get(metric, []), self.of(other).runs.get(metric, [])
        if not first or not second:
            return Estimate(None, None, None, 0)
        number = max(len(first), len(second))
        pairs = [(first[place % len(first)], second[place % len(second)]) for place in range(number)]
        runs = [{id: _minus(a[id], b[id]) for id in a.keys() & b.keys()} for a, b in pairs]
        return self._estimate(self.of(one), runs, task)

    def _estimate(self, measured: Measured, runs: Sequence[Values], task: str) -> Estimate:
        """Items that have no value in some run are left out of all."""
        if not runs:
            return Estimate(None, None, None, 0)
        whole = [
            id
            for id in sorted(set.intersection(*(set(run) for run in runs)))
            if (not task or measured.tasks[id] == task) and all(run[id] is not None for run in runs)
        ]
        rows = [[float(run[id] or 0.0) for id in whole] for run in runs]
        return crossed_bootstrap(rows, [measured.patients[id] for id in whole], draws=self._draws)


def _measured(jobs: Iterable[Job]) -> Measured:
    by_metric: dict[str, dict[int | None, Values]] = {}
    patients, tasks = {}, {}
    for job in jobs:
        name = "scores" if job.stage == "score" else None
        for row in read(job.out, Score, name):
            # The habits hold some of RadRScore's parts again; the scores' are the ones that count.
            if job.stage == "habits" and row.metric in ("r_f", "r_c"):
                continue
            by_metric.setdefault(row.metric, {}).setdefault(job.seed, {})[row.sample_id] = row.value
            patients[row.sample_id], tasks[row.sample_id] = row.patient_id, row.task
    ordered = {
        metric: [runs[seed] for seed in sorted(runs, key=lambda one: -1 if one is None else one)]
        for metric, runs in by_metric.items()
    }
    return Measured(ordered, patients, tasks)


def _minus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one - other


Column = tuple[str, Callable[[Way], Estimate]]


def table(results: Results, title: str, rows: Sequence[tuple[str, Way]], columns: Sequence[Column]) -> str:
    """A Markdown table; a way that was not asked has a dash."""
    head = f"| {title} | {' | '.join(name for name, _ in columns)} |"
    lines = [head, "|---" * (len(columns) + 1) + "|"]
    for label, way in rows:
        lines.append(f"| {label} | {' | '.join(cell(measure(way)) for _, measure in columns)} |")
    return "\n".join(lines)


def cell(estimate: Estimate, sign: str = "") -> str:
    """
    >>> cell(Estimate(0.5, 0.4, 0.6, 9))
    '.500 (.400 to .600)'
    """
    if estimate.value is None:
        return "-"
    numbers = [_short(one, sign) for one in (estimate.value, estimate.low, estimate.high) if one is not None]
    return numbers[0] if len(numbers) < 3 else f"{numbers[0]} ({numbers[1]} to {numbers[2]})"


def _short(value: float, sign: str) -> str:
    return f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}.1f}"


def all_tables(grid: Grid, jobs: Sequence[Job]) -> dict[str, str]:
    """Name of a table, as the template has it, -> Markdown."""
    results = Results(grid, jobs)
    asked = results.ways()

    def scored(metrics: Iterable[tuple[str, str]], task: str = "") -> list[Column]:
        return [(name, lambda way, m=metric: results.mean(way, m, task)) for name, metric in metrics]

    def ways(mode: str, image: str = "as_is", names: Sequence[str] = ()) -> list[tuple[str, Way]]:
        return [
            (way[0], way)
            for way in asked
            if way[1] == mode and way[2] == image and (not names or way[0] in names)
        ]

    everyone = [(f"{way[0]}, {way[1]}", way) for way in asked if way[2] == "as_is"]
    images = [(f"{way[0]}, {way[2].replace('_', ' ')}", way) for way in asked if way[1] == "reasoning"]
    images = [row for row in images if any(way[0] == row[1][0] and way[2] != "as_is" for way in asked)]
    changes = (
        ("traces changed", "trace_change"),
        ("same trace", "same_trace"),
        ("answers changed", "answer_change"),
        ("R_f against the patient shown", "r_f_shown"),
        ("guarded worth against the patient shown", "guarded_shown"),
    )
    by_task = [
        (f"{task}, {metric.replace('_', ' ')}", lambda way, m=metric, t=task: results.mean(way, m, t))
        for task, metric in TASKS.items()
    ]
    return {
        "reasoning": table(results, "with reasoning", ways("reasoning"), scored((*ANSWERS, *REASONING))),
        "direct": table(results, "direct", ways("direct"), scored(ANSWERS)),
        "tasks": table(results, "by task", everyone, by_task),
        "habits": table(results, "habits", ways("reasoning"), scored((name, name) for name in OF_HABITS)),
        "images": table(results, "images", images, scored((*ANSWERS, *REASONING[:2], *changes))),
        "contrasts": _contrasts(grid, results),
        "times": times(jobs),
    }  # fmt: skip


def _contrasts(grid: Grid, results: Results) -> str:
    """Differences on the same items, seed by seed."""
    metrics = (*ANSWERS, ("RadRScore", "radrscore"), ("guarded worth", "guarded"))
    lines = [f"| A less B | {' | '.join(name for name, _ in metrics)} |", "|---" * (len(metrics) + 1) + "|"]
    for one, other in grid.contrasts:
        ways = [_way(text) for text in (one, other)]
        cells = [cell(results.difference(ways[0], ways[1], metric), "+") for _, metric in metrics]
        lines.append(f"| {one} - {other} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _way(text: str) -> Way:
    """`policy`, `policy/direct` or `policy/reasoning/blank`."""
    policy, *rest = text.split("/")
    return policy, rest[0] if rest else "reasoning", rest[1] if len(rest) > 1 else "as_is"


def times(jobs: Sequence[Job]) -> str:
    """Seconds of work per stage, over all its runs."""
    stages: dict[str, list[float]] = {}
    for job in jobs:
        stages.setdefault(job.stage, []).append(seconds(job.out))
    lines = ["| stage | runs | seconds each | seconds in all |", "|---|---|---|---|"]
    for stage, taken in stages.items():
        lines.append(f"| {stage} | {len(taken)} | {sum(taken) / len(taken):.0f} | {sum(taken):.0f} |")
    total = sum(map(sum, stages.values()))
    return "\n".join([*lines, f"| all | {sum(map(len, stages.values()))} | | {total:.0f} |"])


def seconds(folder: Path) -> float:
    """What a run took so far, over all its starts."""
    return float((state_of(folder) or {})["seconds"])
