"""The tables of docs/experiments.md, from the runs that are finished."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from grid import Contrast, Experiment, Grid, Job, Way, only, way_of
from results import METRICS, NOTHING, Results, adjusted

from cxreason.evaluation.controls import CONTROLS
from cxreason.evaluation.statistics import Crossed
from cxreason.runs import state_of

TASKS = {
    "binary": "accuracy",
    "single": "accuracy",
    "multiple": "accuracy",
    "temporal": "accuracy",
    "anomaly": "anomaly_f1",
    "grounding": "iou",
    "findings": "report_f1",
}
"""Task -> the metric that stands for it in the tables of tasks."""
SURE = 0.05
EMPTY = "No numbers yet: none of its runs is finished."

Column = tuple[str, Callable[[Way], Crossed]]
Row = tuple[str, Way]


def all_tables(grid: Grid, planned: Sequence[Job], finished: Sequence[Job]) -> dict[str, str]:
    """Name of a table, as the template has it, -> Markdown, or a line where nothing is measured."""
    results = Results(finished)
    made = {"state": state(planned, finished)}
    for name, experiment in grid.experiments.items():
        made[name] = _means(grid, results, experiment)
        made[f"{name}, differences"] = _differences(grid, results, experiment.contrasts)
        made[f"{name}, changes"] = _changes(grid, results, experiment)
        made[f"{name}, time"] = _time(only(planned, [experiment]), finished)
    for mode in ("reasoning", "direct"):
        made[f"tasks, {mode}"] = _tasks(grid, results, mode)
    return {**made, "times": times(finished)}


def state(planned: Sequence[Job], finished: Sequence[Job]) -> str:
    """How much of the grid the page stands on.

    >>> state([], [])
    'All 0 runs of the grid are finished.'
    """
    if len(finished) == len(planned):
        return f"All {len(planned)} runs of the grid are finished."
    if not any(job.stage == "score" for job in finished):
        return f"**Not run yet: this page has no numbers.** The grid has {len(planned)} runs."
    return (
        f"**Unfinished: {len(finished)} of {len(planned)} runs are there.** A dash stands where nothing is "
        "measured yet, and the number of seeds beside each row says what it is the mean of."
    )


def _means(grid: Grid, results: Results, experiment: Experiment) -> str:
    """A row for each way; beside its accuracy that of the same model without the image, and the controls."""
    rows = [(label(grid, way), way) for way in map(way_of, experiment.ways)]
    columns: list[Column] = []
    for metric in experiment.columns:
        columns.append((METRICS[metric], lambda way, m=metric: results.mean(way, m)))
        if metric == "accuracy":
            columns.append(("the same, image blank", lambda way: _blank(results, way, "accuracy")))
    return _table(results, rows, [*columns], controls=True)


def _blank(results: Results, way: Way, metric: str) -> Crossed:
    return NOTHING if way[2] != "as_is" else results.mean((way[0], way[1], "blank"), metric)


def _tasks(grid: Grid, results: Results, mode: str) -> str:
    rows = [(label(grid, way), way) for way in results.ways() if way[1:] == (mode, "as_is")]
    rows = [row for row in rows if row[1][0] not in CONTROLS]
    columns = [
        (f"{task}, {metric.replace('_', ' ')}", lambda way, m=metric, t=task: results.mean(way, m, t))
        for task, metric in TASKS.items()
    ]
    return _table(results, rows, columns, controls=True)


def _table(results: Results, rows: Sequence[Row], columns: Sequence[Column], *, controls: bool) -> str:
    """Markdown; a way that is not measured has dashes, and a column that nobody has is left out."""
    own = [[measure(way) for _, measure in columns] for _, way in rows]
    if all(one.value is None for cells in own for one in cells):
        return EMPTY
    used = [place for place in range(len(columns)) if any(cells[place].value is not None for cells in own)]
    if controls:
        rows = [*rows, *((name, (name, "direct", "as_is")) for name in CONTROLS)]
        own += [[measure(way) for _, measure in columns] for _, way in rows[-len(CONTROLS) :]]
    lines = [_line(["", "seeds", *(columns[place][0] for place in used)]), _line(["---"] * (len(used) + 2))]
    for (name, way), cells in zip(rows, own, strict=True):
        lines.append(_line([name, _seeds(results, way), *(cell(cells[place]) for place in used)]))
    return "\n".join(lines)


def _seeds(results: Results, way: Way) -> str:
    seeds = results.of(way).seeds
    return "-" if seeds in ([], [None]) else str(len(seeds))


def _differences(grid: Grid, results: Results, contrasts: Sequence[Contrast]) -> str:
    """Paired differences, with p after Holm's correction over all of the table."""
    found = {
        (place, metric): results.difference(way_of(one.first), way_of(one.second), metric)
        for place, one in enumerate(contrasts)
        for metric in one.published
    }
    if all(one.value is None for one in found.values()):
        return EMPTY
    # One seed has nothing to say of the next, so its p says nothing of a method.
    corrected = adjusted({key: one for key, one in found.items() if len(one.of_runs) > 1})
    head = ["A less B", "", "A", "B", "A - B", "each seed", "questions", "p (Holm)", "printed", "here"]
    lines = [_line(head), _line(["---"] * len(head))]
    for (place, metric), one in found.items():
        contrast, p = contrasts[place], corrected.get((place, metric))
        ways = [way_of(contrast.first), way_of(contrast.second)]
        printed = contrast.published[metric]
        lines.append(
            _line(
                [
                    " less ".join(label(grid, way) for way in ways),
                    METRICS[metric],
                    *(cell(results.mean(way, metric), interval=False) for way in ways),
                    cell(one, "+"),
                    " ".join(_short(value, "+") for value in one.of_runs),
                    str(one.n),
                    "-" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001",
                    printed or "-",
                    verdict(one, p, published=bool(printed)),
                ]
            )
        )
    return "\n".join(lines)


def verdict(found: Crossed, p: float | None, *, published: bool) -> str:
    """What a difference says after the correction; of a published one, whether it shows here.

    >>> ahead = Crossed(0.1, 0.0, 0.2, 9, of_runs=(0.1, 0.1))
    >>> verdict(ahead, 0.01, published=True), verdict(ahead, 0.2, published=True)
    ('appears', 'not seen')
    >>> verdict(Crossed(0.1, 0.0, 0.2, 9, of_runs=(0.1,)), None, published=True)
    'one seed'
    """
    value = found.value
    if value is None:
        return "-"
    if len(found.of_runs) < 2:
        return "one seed"
    if p is None or p >= SURE or value == 0:
        return "not seen" if published else "no difference seen"
    if published:
        return "appears" if value > 0 else "the reverse"
    return "A is ahead" if value > 0 else "B is ahead"


def _changes(grid: Grid, results: Results, experiment: Experiment) -> str:
    """Of some metrics the mean of the first way, and how far each of the others is from it."""
    first, *others = map(way_of, experiment.ways)
    if not experiment.changes:
        return ""
    if not results.of(first).runs:
        return EMPTY
    lines = [_line(["", label(grid, first), *(f"{label(grid, way)}, change" for way in others)])]
    lines.append(_line(["---"] * (len(others) + 2)))
    for metric in experiment.changes:
        cells = [cell(results.difference(way, first, metric), "+") for way in others]
        lines.append(_line([METRICS[metric], cell(results.mean(first, metric)), *cells]))
    return "\n".join(lines)


def label(grid: Grid, way: Way) -> str:
    """How tables call a way: its policy, and what is unusual about the mode or the image."""
    policy, mode, image = way
    name = (grid.policies[policy].label if policy in grid.policies else "") or policy
    told = mode == "direct" and policy not in CONTROLS  # a control is asked in one way
    return ", ".join([name, *(["direct"] if told else []), *([image] if image != "as_is" else [])])


def cell(estimate: Crossed, sign: str = "", *, interval: bool = True) -> str:
    """
    >>> cell(Crossed(0.5, 0.4, 0.6, 9)), cell(Crossed(0.5, 0.4, 0.6, 9), "+", interval=False)
    ('.500 (.400 to .600)', '+.500')
    """
    if estimate.value is None:
        return "-"
    value = _short(estimate.value, sign)
    if not interval or estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({_short(estimate.low, sign)} to {_short(estimate.high, sign)})"


def _short(value: float, sign: str) -> str:
    return f"{value:{sign}.3f}".replace("0.", ".", 1) if abs(value) < 0.9995 else f"{value:{sign}.1f}"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _time(needed: Sequence[Job], finished: Sequence[Job]) -> str:
    """What an experiment took alone, with all that others need as well."""
    done = {job.name for job in finished}
    there = [job for job in needed if job.name in done]
    if len(there) < len(needed):
        return f"{len(there)} of its {len(needed)} runs are finished."
    total = sum(seconds(job.out) for job in there)
    return (
        f"{len(needed)} runs of together {total / 60:.0f} minutes, about {total / 120:.0f} with two workers; "
        "what several experiments need is counted in each."
    )


def times(finished: Sequence[Job]) -> str:
    """Seconds of work per stage, over all its finished runs."""
    stages: dict[str, list[float]] = {}
    for job in finished:
        stages.setdefault(job.kind, []).append(seconds(job.out))
    if not stages:
        return EMPTY
    lines = ["| stage | runs | seconds each | seconds in all |", "|---|---|---|---|"]
    for stage, taken in stages.items():
        lines.append(f"| {stage} | {len(taken)} | {sum(taken) / len(taken):.0f} | {sum(taken):.0f} |")
    total = sum(map(sum, stages.values()))
    return "\n".join([*lines, f"| all | {sum(map(len, stages.values()))} | | {total:.0f} |"])


def seconds(folder: Path) -> float:
    """What a run took so far, over all its starts."""
    return float((state_of(folder) or {})["seconds"])
