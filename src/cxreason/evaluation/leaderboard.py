"""What the page of `score` says in numbers: panels, tables by task and by group, all from `summary.json`.

A panel is one metric with every model in it, best first, its floors and what was published for the same
setting. Numbers come from the summary alone; nothing is computed anew that could come out differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cxreason.evaluation.metric_names import HEADINGS, OTHER, heading, of_traces, order, title
from cxreason.evaluation.metrics import TABLE
from cxreason.evaluation.published import OVERALL, figures

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Model -> mode -> metric -> estimate."""
Column = tuple[str, str]

MEAN_OF_TASKS = "mean of tasks"
GROUPINGS = {"by_source": "Source", "by_view": "View", "by_sex": "Sex", "by_age": "Age"}
MAIN = ("accuracy", "anomaly_f1", "iou", "report_f1", "radrscore")
"""Metrics that lead, in their order: the first that was measured is the headline."""


@dataclass(frozen=True)
class Row:
    """One line of a panel: where it stands between the ends of the axis, and its figures in words."""

    name: str
    mode: str
    kind: str
    """`model`, `floor` or `published`."""
    place: int
    """Which colour it has: the number of the model, from 1."""
    value: float
    low: float | None
    high: float | None
    figure: str
    interval: str
    n: int | None
    at: float = 0.0
    """Share of the axis, from 0 to 1; `from_` and `to` are those of the interval."""
    from_: float | None = None
    to: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Panel:
    """One metric: what it is, the ends of its axis, and its lines."""

    metric: str
    title: str
    meaning: str
    better: str
    ticks: tuple[tuple[float, str], ...]
    rows: tuple[Row, ...]
    left_out: int


def columns_of(summary: Summary) -> list[Column]:
    """Every model and mode, reasoning before direct, models in the order in which they were given."""
    modes = dict.fromkeys(mode for modes in summary.values() for mode in modes)
    ordered = sorted(modes, key=lambda mode: (mode != "reasoning", mode != "direct"))
    return [(model, mode) for mode in ordered for model in summary if mode in summary[model]]


def metrics_of(summary: Summary) -> list[str]:
    """The metrics of which anything was measured, those that lead first."""
    there = dict.fromkeys(
        metric
        for modes in summary.values()
        for told in modes.values()
        for metric, stored in told.items()
        if isinstance(stored, Mapping) and stored.get("value") is not None and "n" in stored
    )
    return sorted(there, key=lambda metric: MAIN.index(metric) if metric in MAIN else len(MAIN))


def less_is_better(metric: str) -> bool:
    """Whether a lower value is the better one.

    >>> less_is_better("radcliq_v1"), less_is_better("radcliq_v1_inverse")
    (True, False)
    """
    return metric in TABLE and TABLE[metric].lower_is_better


def sections(summary: Summary, meanings: Mapping[str, str], suite: str = "") -> dict[str, list[Panel]]:
    """Heading -> its panels; of a suite with what was published for it as a whole."""
    found: dict[str, list[Panel]] = {name: [] for name in (*HEADINGS, OTHER)}
    for metric in sorted(metrics_of(summary), key=order):
        beside = [
            row({"value": one.value, "low": one.low, "high": one.high}, one.model, kind="published")
            for one in figures(suite, OVERALL, metric)
        ]
        made = panel(summary, metric, meanings.get(metric, ""), beside)
        # A metric of traces has no model where no trace was asked for.
        if any(one.kind == "model" for one in made.rows):
            found[heading(metric)].append(made)
    return {name: panels for name, panels in found.items() if panels}


def panel(summary: Summary, metric: str, meaning: str = "", published: Sequence[Row] = ()) -> Panel:
    """One metric of all models that were measured by it, best first, then its floors."""
    rows: list[Row] = []
    left_out = 0
    models = list(summary)
    floors: dict[str, Row] = {}
    for model, mode in columns_of(summary):
        stored = summary[model][mode].get(metric)
        if not stored or stored.get("value") is None:
            continue
        if mode == "direct" and of_traces(metric):
            continue  # a reply without a trace is worth 0 by rule, which says nothing of the model
        rows.append(row(stored, model, mode=mode, place=models.index(model) + 1))
        left_out = max(left_out, stored.get("num_left_out") or 0)
        floors |= floors_of(stored)
    rows.sort(key=lambda one: one.value, reverse=not less_is_better(metric))
    low, high = ends((*rows, *floors.values(), *published))
    lines = [placed(one, low, high) for one in (*rows, *published, *floors.values())]
    return Panel(
        metric,
        title(metric),
        meaning,
        "less is better" if less_is_better(metric) else "",
        tuple((share, f"{low + share * (high - low):g}") for share in (0.0, 0.5, 1.0)),
        tuple(lines),
        left_out,
    )


def row(stored: Mapping[str, Any], name: str, *, mode: str = "", kind: str = "model", place: int = 0) -> Row:
    """An estimate as a line."""
    value, low, high = stored["value"], stored.get("low"), stored.get("high")
    # Joined, so that no line breaks inside an interval.
    interval = "" if low is None or high is None else f"{low:.2f}\u2060–\u2060{high:.2f}"
    return Row(name, mode, kind, place, value, low, high, f"{value:.2f}", interval, stored.get("n"))


def floors_of(stored: Mapping[str, Any]) -> dict[str, Row]:
    """The floors that stand beside an estimate: those of the same items."""
    found = {}
    blind = stored.get("blind")
    if blind and blind.get("value") is not None:
        found["blind"] = row(blind, "Question only, no image", kind="floor")
    if stored.get("chance") is not None:
        found["chance"] = row({"value": stored["chance"]}, "Random guess", kind="floor")
    return found


def ends(rows: Iterable[Row]) -> tuple[float, float]:
    """The ends of an axis: 0 and 1, and further where a value lies outside.

    >>> ends([])
    (0.0, 1.0)
    """
    values = [value for one in rows for value in (one.value, one.low, one.high) if value is not None]
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (0.0 if low >= 0 else float(int(low - 1)), 1.0 if high <= 1 else float(int(high + 1)))


def placed(one: Row, low: float, high: float) -> Row:
    """A line with its places on an axis from `low` to `high`."""

    def share(value: float | None) -> float | None:
        return None if value is None else (value - low) / (high - low)

    return replace(one, at=share(one.value) or 0.0, from_=share(one.low), to=share(one.high))


def absent(summary: Summary) -> dict[str, str]:
    """Metric -> why it was not computed, of those that no model has a value of."""
    found: dict[str, str] = {}
    for model, mode in columns_of(summary):
        for metric, stored in summary[model][mode].items():
            if isinstance(stored, Mapping) and stored.get("absent"):
                found[metric] = str(stored["absent"])
    measured = set(metrics_of(summary))
    return {metric: why for metric, why in found.items() if metric not in measured}


def grouped(summary: Summary, metric: str, key: str, suite: str = "") -> dict[str, Any] | None:
    """A table of one metric by the groups under a key: a line for each group, a cell for each model.

    Tasks of a suite have beside them what was published for the same. None where there is one group alone:
    it would repeat the panel.
    """
    columns = [
        column
        for column in columns_of(summary)
        if not (column[1] == "direct" and of_traces(metric))
        and (summary[column[0]][column[1]].get(metric) or {}).get("value") is not None
    ]
    told = {(model, mode): summary[model][mode][metric].get(key) or {} for model, mode in columns}
    groups = dict.fromkeys(group for groups in told.values() for group in groups)
    if len(groups) < 2:
        return None
    places = {model: place for place, model in enumerate(summary, start=1)}

    def cells_of(found: Mapping[Column, Any]) -> list[Row | None]:
        return [
            row(stored, column[0], mode=column[1], place=places[column[0]])
            if (stored := found.get(column)) and stored.get("value") is not None
            else None
            for column in columns
        ]

    lines: list[tuple[str, list[Row | None], dict[str, float | None]]] = []
    for group in groups:
        floor = _floors_of_task(summary, metric, group) if key == "by_task" else {}
        lines.append((group, cells_of({column: told[column].get(group) for column in columns}), floor))
    means = {(model, mode): summary[model][mode][metric].get("macro") for model, mode in columns}
    if key == "by_task" and any(means.values()):
        lines.append((MEAN_OF_TASKS, cells_of(means), {}))
    low, high = ends(cell for _, cells, _ in lines for cell in cells if cell)
    drawn = [
        (group, [cell and placed(cell, low, high) for cell in cells], floor, shared(cells))
        for group, cells, floor in lines
    ]
    published = {group: figures(suite, group, metric) for group in groups} if key == "by_task" else {}
    return {
        "columns": columns,
        "lines": drawn,
        "floors": any(floor for _, _, floor in lines),
        "published": published if any(published.values()) else {},
    }


def shared(cells: Iterable[Row | None]) -> int | None:
    """The number of items, where all models were asked equally many."""
    counts = {cell.n for cell in cells if cell}
    return counts.pop() if len(counts) == 1 else None


def _floors_of_task(summary: Summary, metric: str, task: str) -> dict[str, float | None]:
    """Chance and blind of one task, from the first model that was asked it."""
    for model, mode in columns_of(summary):
        stored = summary[model][mode].get(metric) or {}
        if task in (stored.get("by_task") or {}) and "blind" in stored:
            blind = stored["blind"].get("by_task", {}).get(task, {})
            return {"chance": stored.get("chance_by_task", {}).get(task), "blind": blind.get("value")}
    return {}


ASKED_TO = {"reasoning": "asked to reason", "direct": "asked for the answer alone"}


def claim(summary: Summary) -> str:
    """What the run showed, in a sentence that holds whichever way the numbers went.

    >>> claim({"a": {"direct": {"accuracy": {"value": 0.5, "n": 9}}}})
    'a: accuracy 0.50.'
    """
    metrics = metrics_of(summary)
    if not metrics:
        return "Nothing was measured."
    metric = metrics[0]
    shown = panel(summary, metric)
    models = [one for one in shown.rows if one.kind == "model"]
    best = models[0]
    called = shown.title[0].lower() + shown.title[1:] if shown.title[1:2].islower() else shown.title
    figure = f"{best.figure} ({best.interval})" if best.interval else best.figure
    if len(models) == 1:
        said = f"{best.name}: {called} {figure}"
    else:
        several_modes = len({one.mode for one in models}) > 1
        who = f"{best.name}, {ASKED_TO.get(best.mode, best.mode)}," if several_modes else best.name
        end = "lowest" if less_is_better(metric) else "highest"
        said = f"{who} has the {end} {called}, {figure}"
        near = next((one for one in models[1:] if one.name != best.name and _within(one, best)), None)
        said += f", and {near.name} ({near.figure}) lies within its interval" if near else ""
    floors = [one for one in shown.rows if one.kind == "floor"]
    if not floors:
        return f"{said}."
    highest = max(floors, key=lambda one: one.value)
    seen = {"Question only, no image": "without the image one gets", "Random guess": "guessing gives"}
    return f"{said}; {seen[highest.name]} {highest.figure}."


def _within(other: Row, best: Row) -> bool:
    return best.low is not None and best.high is not None and best.low <= other.value <= best.high
