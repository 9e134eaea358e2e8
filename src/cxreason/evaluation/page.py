"""The page of a whole run: numbers with intervals, learning curves and cases, in one file that works offline.

    write_page(Path("runs/demo"))   # reads summary.json and the stage folders, writes runs/demo/page.html

Only `summary.json` must be there. A part whose files are missing is left out, and the page says so.
What it looks like is in `page.html.jinja`, `page.css` and `page.js` beside this file.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cxreason.errors import UserError
from cxreason.evaluation.controls import CONTROLS
from cxreason.evaluation.metric_names import NAMES
from cxreason.evaluation.metrics import ALWAYS, METRICS, OF_REASONING
from cxreason.evaluation.page_charts import training_charts
from cxreason.evaluation.page_gallery import (
    MARK_CLASSES,
    MARK_NAMES,
    Case,
    make_cases,
    task_order,
    values_of,
)
from cxreason.records import Prediction, Sample, Score
from cxreason.rows import write_text
from cxreason.runs import read

MODEL_NAMES = {
    "base": "Base",
    "sft": "SFT",
    "grpo": "GRPO",
    "probe": "Pixels only",
    "question-only": "Words only",
}
MODE_NAMES = {
    "reasoning": "Asked to reason first",
    "direct": "Asked for the answer alone",
    "controls": "What has to be beaten: a straight line through pixels, and who sees no image",
}
INDEX = {"r_f": "f", "r_c": "c", "r_e": "e"}
METRIC_NAMES = {metric: (name, INDEX.get(metric, "")) for metric, name in NAMES.items()}
"""Metric -> name and index of its R, as the ChestX-Reasoner paper writes it."""
ONLY_WHERE_MEASURED = ("iou", "iou_accuracy", "report_f1", "report_radrscore")
"""Columns that stand in the table only where boxes or reports were asked for."""


def write_page(folder: Path) -> Path:
    """Write `page.html` for the runs in a folder, as `cxreason demo` leaves them, and return its path.

    Raises UserError where `summary.json` is missing, damaged or holds no model.
    """
    folder = Path(folder)
    summary = _summary(folder)
    predictions = [item for run in sorted(folder.glob("predict-*")) for item in read(run, Prediction)]
    samples = _asked(folder, predictions)
    # Only samples can tell whether training had seen the patients.
    held_out = "held-out " if samples and all(one.split != "train" for one in samples) else ""
    page = folder / "page.html"
    write_text(
        page,
        environment()
        .get_template("page.html.jinja")
        .render(
            claim=claim(models_of(summary["models"]), held_out),
            held_out=held_out,
            synthetic=(folder / "phantom").is_dir(),
            patients=len({sample.patient_id for sample in samples}),
            groups=headline(summary["models"], chance(samples)),
            chance=chance(samples),
            definitions={metric: METRICS[metric] for metric in shown(summary["models"])},
            by_task=by_task(summary["models"]),
            charts=training_charts(_list(folder / "sft/curve.json"), _list(folder / "grpo/curve.json")),
            funnel=funnel(folder),
            seconds=stage_seconds(summary.get("seconds", {})),
            cases=_cases(folder, models_of(summary["models"]), samples, predictions),
            pages=_pages(folder),
            recipe=json.dumps(summary.get("recipe", {}), indent=2, ensure_ascii=False),
            of_reasoning=[metric for metric in shown(summary["models"]) if metric in OF_REASONING],
            metric_names=METRIC_NAMES,
            mode_names=MODE_NAMES,
            mark_names={MARK_CLASSES[mark]: name for mark, name in MARK_NAMES.items()},
            name=name_of,
            script=_script(),
            script_hash=base64.b64encode(hashlib.sha256(_script().encode()).digest()).decode(),
        ),
    )
    return page


def _pages(folder: Path) -> dict[str, str]:
    """Stage -> the page that it left, seen from this one."""
    return {
        stage: f"{stage}/page.html" for stage in ("score", "mine") if (folder / stage / "page.html").exists()
    }


def models_of(models: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of models, without those of the controls that stand beside them.

    >>> list(models_of({"sft": {}, "probe": {}}))
    ['sft']
    """
    return {name: figures for name, figures in models.items() if name not in CONTROLS}


def name_of(model: str) -> str:
    """A model's name as the page prints it."""
    return MODEL_NAMES.get(model, model)


def claim(models: Mapping[str, Any], held_out: str = "") -> str:
    """What the run showed, in one sentence that holds whichever way the numbers went.

    >>> claim({"base": {"direct": {"accuracy": {"value": 0.5}}}})
    'The model Base reaches an accuracy of 0.50 on these patients.'
    """
    mode = next(
        mode for mode in (*MODE_NAMES, *next(iter(models.values()))) if mode in next(iter(models.values()))
    )
    told = [model for model in models if _value(models, model, mode, "accuracy") is not None]
    if not told:
        return "What each model said, and what it was worth."
    first, last = told[0], told[-1]
    patients = f"{held_out or 'these '}patients"
    if first == last:
        accuracy = _value(models, first, mode, "accuracy")
        return f"The model {name_of(first)} reaches an accuracy of {accuracy:.2f} on {patients}."
    at_first, at_last = (_value(models, model, mode, "accuracy") for model in (first, last))
    course = f"from {at_first:.2f} ({name_of(first)}) to {at_last:.2f} ({name_of(last)})"
    text = f"Accuracy goes {course} on {patients}"
    before, after = (_value(models, model, mode, "radrscore") for model in (first, last))
    if mode == "direct" or before is None or after is None:
        return f"{text}."
    return f"{text}, and RadRScore, which asks whether the reasoning holds, from {before:.2f} to {after:.2f}."


def _value(models: Mapping[str, Any], model: str, mode: str, metric: str) -> float | None:
    return models[model].get(mode, {}).get(metric, {}).get("value")


def shown(models: Mapping[str, Any]) -> list[str]:
    """The metrics of the main table, in their order.

    >>> shown({"sft": {"direct": {"iou": {"value": 0.5}}}})[:3]
    ['accuracy', 'anomaly_f1', 'iou']
    """
    measured = {
        metric
        for model, modes in models.items()
        for mode in modes
        for metric in ONLY_WHERE_MEASURED
        if _value(models, model, mode, metric) is not None
    }
    return [metric for metric in ALWAYS if metric not in ONLY_WHERE_MEASURED or metric in measured]


def headline(models: Mapping[str, Any], chance: float | None) -> list[dict[str, Any]]:
    """The rows of the main table, grouped by mode: base, SFT and GRPO of one mode are what one compares.

    Controls come last, in a group of their own.
    """
    groups = []
    told = [(mode, mode, models_of(models)) for mode in _modes(models)]
    told.append(("controls", "direct", {name: models[name] for name in models if name in CONTROLS}))
    for group, mode, some in told:
        rows = [
            {
                "model": name_of(model),
                "cells": [
                    {
                        "metric": metric,
                        "chance": chance if metric == "accuracy" else None,
                        **_estimate(modes[mode].get(metric)),
                    }
                    for metric in shown(models)
                ],
                **{key: modes[mode].get(key) for key in ("parse_rate", "finished_rate", "mean_tokens")},
            }
            for model, modes in some.items()
            if mode in modes
        ]
        if rows:
            groups.append({"mode": group, "title": MODE_NAMES.get(group, group), "rows": rows})
    return groups


def _modes(models: Mapping[str, Any]) -> list[str]:
    there = dict.fromkeys(mode for modes in models.values() for mode in modes)
    return sorted(there, key=lambda mode: (mode != "reasoning", mode != "direct"))


def _estimate(stored: Mapping[str, Any] | None) -> dict[str, Any]:
    keys = ("value", "low", "high", "n", "num_left_out", "num_flagged")
    return {key: (stored or {}).get(key) for key in keys}


def by_task(models: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Two tables, of answers and of RadRScore: a row per task, a column per model and mode."""
    tables = []
    for title, metrics in (("Answers", ("accuracy", "anomaly_f1")), ("RadRScore", ("radrscore",))):
        columns = [
            (model, mode)
            for mode in _modes(models)
            for model in models
            if mode in models[model] and not (mode == "direct" and metrics == ("radrscore",))
        ]
        cells: dict[tuple[str, str], dict[tuple[str, str], dict[str, Any]]] = {}
        for model, mode in columns:
            for metric in metrics:
                for task, stored in models[model][mode].get(metric, {}).get("by_task", {}).items():
                    cells.setdefault((task, metric), {})[model, mode] = _estimate(stored)
        if cells:
            heads = [(name_of(model), "" if model in CONTROLS else mode) for model, mode in columns]
            rows = [
                (task, metric, [cells[task, metric].get(column) for column in columns])
                for task, metric in sorted(cells, key=lambda row: task_order(row[0]))
            ]
            tables.append({"title": title, "columns": heads, "rows": rows})
    return tables


def chance(samples: Sequence[Sample]) -> float | None:
    """What accuracy a guesser reaches who picks an option at random, or None without closed questions."""
    shares = [1 / len(sample.options) for sample in samples if sample.kind == "choice" and sample.options]
    return sum(shares) / len(shares) if shares else None


def funnel(folder: Path) -> dict[str, Any]:
    """How many studies became questions became reasoning, and why chains were dropped, per task."""
    counts = {
        stage: (_json(folder / stage / "run.json") or {}).get("counts", {})
        for stage in ("phantom", "build", "mine")
    }
    names = {"phantom": "Studies", "build": "Questions", "mine": "With reasoning"}
    numbers_of = {stage: counts[stage].get("rows", counts[stage].get("studies")) for stage in names}
    steps = [(names[stage], number) for stage, number in numbers_of.items() if number is not None]
    tasks = {"all tasks": counts["mine"].get("funnel"), **counts["mine"].get("tasks", {})}
    rows = []
    for task, numbers in tasks.items():
        if numbers and numbers.get("read"):
            dropped = sorted((key, number) for key, number in numbers.items() if key not in ("read", "kept"))
            rows.append(
                {"task": task, "read": numbers["read"], "kept": numbers.get("kept", 0), "dropped": dropped}
            )
    return {"steps": steps, "most": max((number for _, number in steps), default=0), "tasks": rows}


def stage_seconds(seconds: Mapping[str, float]) -> dict[str, Any]:
    """The stages with their seconds, and the sum."""
    stages = [(stage, taken) for stage, taken in seconds.items() if stage != "total"]
    taken = [value for _, value in stages]
    return {"stages": stages, "most": max(taken, default=0), "total": seconds.get("total", sum(taken))}


def _cases(
    folder: Path, models: Mapping[str, Any], samples: Sequence[Sample], predictions: Sequence[Prediction]
) -> list[Case]:
    if not samples or not (folder / "score/scores.parquet").exists():
        return []
    return make_cases(
        samples,
        predictions,
        values_of(read(folder / "score", Score)),
        models=list(models),
        modes=_modes(models),
        folder=folder / "mine",
    )


def _asked(folder: Path, predictions: Sequence[Prediction]) -> list[Sample]:
    """The samples that the predictions answer, where there are any."""
    if not predictions or not (folder / "mine/samples.parquet").exists():
        return []
    wanted = {prediction.sample_id for prediction in predictions}
    return [sample for sample in read(folder / "mine", Sample) if sample.id in wanted]


def _summary(folder: Path) -> dict[str, Any]:
    file = folder / "summary.json"
    summary = _json(file)
    if summary is None:
        raise UserError(f"{file}: is missing. `cxreason demo` writes it.")
    if not isinstance(summary, dict) or not summary.get("models"):
        raise UserError(f"{file}: holds no scores under 'models'. Run `cxreason demo` again.")
    return summary


def _list(file: Path) -> list[dict[str, Any]]:
    return _json(file) or []


def _json(file: Path) -> Any:
    """What a JSON file holds, or None where there is no such file."""
    if not file.exists():
        return None
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{file}: is not readable JSON. Remove it and run its stage again.") from None


@cache
def _script() -> str:
    return (Path(__file__).parent / "page.js").read_text(encoding="utf-8")


@cache
def environment(*folders: Path) -> Any:
    """Where templates of pages are found: in `folders`, then here, beside the style and the drawings.

    environment(Path("templates")).get_template("mine.html.jinja").render()
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # Everything is escaped: what a model says is never trusted as markup.
    environment = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["two"] = lambda value: "–" if value is None else f"{value:.2f}"
    environment.filters["percent"] = lambda value: (
        "–" if value is None else f"{100 * value:.1f}".removesuffix(".0") + "%"
    )
    return environment
