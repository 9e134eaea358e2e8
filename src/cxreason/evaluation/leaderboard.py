"""What the page of `score` says in numbers: panels, tables by task and by group, all from `summary.json`.

A panel is one metric with every model in it, best first, its floors and what was published for the same
setting. Numbers come from the summary alone; nothing is computed anew that could come out differently.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Summary = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Model -> mode -> metric -> estimate."""
Column = tuple[str, str]

GROUPINGS = {"by_source": "Source", "by_view": "View", "by_sex": "Sex", "by_age": "Age"}
LOWER_IS_BETTER = ("radcliq",)
"""Beginnings of the names of metrics of which less is better."""
SECTIONS = {
    "Answers": (
        "accuracy",
        "word_f1",
        "self_consistency",
        "anomaly",
        "iou",
        "label",
        "miou",
        "ap50",
        "hit",
        "negative",
        "precision",
        "recall",
    ),
    "Reports": (
        "report",
        "bleu",
        "rouge",
        "bertscore",
        "radgraph",
        "sembscore",
        "chexbert",
        "radcliq",
        "ratescore",
        "green",
        "observation",
    ),
    "Reasoning": ("radrscore", "r_f", "r_c", "r_e", "s_f", "sf_", "factuality"),
}
"""Heading -> beginnings of the names of its metrics."""
OF_TRACES = SECTIONS["Reasoning"]
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


def section_of(metric: str) -> str:
    """The heading under which a metric stands.

    >>> section_of("radgraph_xl_partial_cased"), section_of("r_f"), section_of("anything")
    ('Reports', 'Reasoning', 'Other')
    """
    return next((one for one, beginnings in SECTIONS.items() if metric.startswith(beginnings)), "Other")


def less_is_better(metric: str) -> bool:
    """Whether a lower value is the better one.

    >>> less_is_better("radcliq_v1"), less_is_better("radcliq_v1_inverse")
    (True, False)
    """
    return metric.startswith(LOWER_IS_BETTER) and not metric.endswith("_inverse")


def sections(
    summary: Summary, names: Mapping[str, str], meanings: Mapping[str, str]
) -> dict[str, list[Panel]]:
    """Heading -> its panels."""
    found: dict[str, list[Panel]] = {section: [] for section in (*SECTIONS, "Other")}
    for metric in metrics_of(summary):
        made = panel(summary, metric, names.get(metric, words(metric)), meanings.get(metric, ""))
        if any(
            one.kind == "model" for one in made.rows
        ):  # a metric of traces, where none was asked for, has none
            found[section_of(metric)].append(made)
    return {section: panels for section, panels in found.items() if panels}


def words(metric: str) -> str:
    """A metric's key as words, where nobody gave it a name.

    >>> words("bleu2_rexrank")
    'Bleu2 rexrank'
    """
    return metric.replace("_", " ").capitalize()


def panel(summary: Summary, metric: str, title: str, meaning: str, published: Sequence[Row] = ()) -> Panel:
    """One metric of all models that were measured by it, best first, then its floors."""
    rows: list[Row] = []
    left_out = 0
    models = list(summary)
    floors: dict[str, Row] = {}
    for model, mode in columns_of(summary):
        stored = summary[model][mode].get(metric)
        if not stored or stored.get("value") is None:
            continue
        if mode == "direct" and metric.startswith(OF_TRACES):
            continue  # a reply without a trace is worth 0 by rule, which says nothing of the model
        rows.append(row(stored, model, mode=mode, place=models.index(model) + 1))
        left_out = max(left_out, stored.get("num_left_out") or 0)
        floors |= floors_of(stored)
    rows.sort(key=lambda one: one.value, reverse=not less_is_better(metric))
    low, high = ends((*rows, *floors.values(), *published))
    placed = [_placed(one, low, high) for one in (*rows, *published, *floors.values())]
    return Panel(
        metric,
        title,
        meaning,
        "less is better" if less_is_better(metric) else "",
        tuple((share, f"{low + share * (high - low):g}") for share in (0.0, 0.5, 1.0)),
        tuple(placed),
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


def _placed(one: Row, low: float, high: float) -> Row:
    def share(value: float | None) -> float | None:
        return None if value is None else (value - low) / (high - low)

    return replace(one, at=share(one.value) or 0.0, from_=share(one.low), to=share(one.high))


def grouped(summary: Summary, metric: str, key: str) -> dict[str, Any] | None:
    """A table of one metric by the groups under a key: a line for each group, a cell for each model.

    None where no model has more than one group: it would repeat the panel.
    """
    columns = [
        column
        for column in columns_of(summary)
        if not (column[1] == "direct" and metric.startswith(OF_TRACES))
        and (summary[column[0]][column[1]].get(metric) or {}).get("value") is not None
    ]
    told = {(model, mode): summary[model][mode][metric].get(key) or {} for model, mode in columns}
    groups = dict.fromkeys(group for groups in told.values() for group in groups)
    if len(groups) < 2:
        return None
    lines = []
    for group in groups:
        cells = [told[column].get(group) for column in columns]
        shown = [
            row(cell, model, mode=mode, place=list(summary).index(model) + 1)
            if cell and cell.get("value") is not None
            else None
            for cell, (model, mode) in zip(cells, columns, strict=True)
        ]
        floor = _floors_of_task(summary, metric, group) if key == "by_task" else {}
        lines.append((group, shown, floor))
    low, high = ends(cell for _, cells, _ in lines for cell in cells if cell)
    placed = [
        (group, [cell and _placed(cell, low, high) for cell in cells], floor, _shared(cells))
        for group, cells, floor in lines
    ]
    return {"columns": columns, "lines": placed, "floors": any(floor for _, _, floor in lines)}


def _shared(cells: Iterable[Row | None]) -> int | None:
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


def claim(summary: Summary, names: Mapping[str, str]) -> str:
    """What the run showed, in a sentence that holds whichever way the numbers went.

    >>> claim({"a": {"direct": {"accuracy": {"value": 0.5, "n": 9}}}}, {})
    'a: accuracy 0.50.'
    """
    metrics = metrics_of(summary)
    if not metrics:
        return "Nothing was measured."
    metric = metrics[0]
    shown = panel(summary, metric, names.get(metric, words(metric)), "")
    best = next(one for one in shown.rows if one.kind == "model")
    title = shown.title[0].lower() + shown.title[1:] if shown.title[1:2].islower() else shown.title
    interval = f" ({best.interval})" if best.interval else ""
    several = sum(one.kind == "model" for one in shown.rows) > 1
    lead = f"{best.name} leads with {title}" if several else f"{best.name}: {title}"
    floors = [one for one in shown.rows if one.kind == "floor"]
    if not floors:
        return f"{lead} {best.figure}{interval}."
    highest = max(floors, key=lambda one: one.value)
    seen = {"Question only, no image": "without the image one gets", "Random guess": "guessing gives"}
    return f"{lead} {best.figure}{interval}; {seen[highest.name]} {highest.figure}."
