"""The page of `cxreason score`: leaderboard, tasks, groups, replies, faithfulness, and every case.

    write_score_page(recipe)   # reads the run's summary.json and scores, writes page.html and cases/

It can be written again at any time from what the run holds: no model and no scoring is needed.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cxreason.evaluation.asked import known_samples
from cxreason.evaluation.case_files import Column, Reply, choose_cases, write_cases
from cxreason.evaluation.faithfulness import MEANINGS, PREFIX, WANTED
from cxreason.evaluation.leaderboard import (
    GROUPINGS,
    Summary,
    absent,
    claim,
    columns_of,
    grouped,
    metrics_of,
    placed,
    row,
    sections,
    shared,
)
from cxreason.evaluation.metric_names import NAMES, title
from cxreason.evaluation.metrics import ANSWER_METRIC
from cxreason.evaluation.page import environment, name_of
from cxreason.evaluation.published import paper, suite_of
from cxreason.recipes import ScoreRecipe
from cxreason.records import Prediction, Sample, Score
from cxreason.rows import write_text
from cxreason.runs import read

MODE_NAMES = {"reasoning": "reasons", "direct": "answers at once"}
PRIMARY = {"choice": "accuracy", **ANSWER_METRIC}
"""Kind of answer -> the metric that a case is called right or wrong by; accuracy for all others."""
ICONS = {"supported": "check", "contradicted": "cross", "unmentioned": "question", "silent": ""}
MARKS = {
    "supported": "supported by the report",
    "contradicted": "contradicted by the report",
    "unmentioned": "not in the report",
    "silent": "claims nothing",
}


def write_score_page(recipe: ScoreRecipe, summary: Summary, meanings: Mapping[str, str]) -> Path:
    """Write `page.html` and `cases/` into the run's folder and return the page's path.

    `meanings` are the definitions of the metrics, which stand beside their numbers.
    """
    columns = columns_of(summary)
    num_cases, num_asked = _write_cases(recipe, columns)
    suite = suite_of(recipe.samples)
    name = suite.get("suite", "")
    tables = [
        (title(metric), metric, table)
        for metric in metrics_of(summary)
        if (table := grouped(summary, metric, "by_task", name))
    ]
    leading = metrics_of(summary)[:1]
    groups = [
        (name, title(metric), table)
        for metric in leading
        for key, name in GROUPINGS.items()
        if (table := grouped(summary, metric, key))
    ]
    page = recipe.out / "page.html"
    script = _script()
    told = {
        "claim": claim(_named(summary)),
        "columns": columns,
        "places": {model: place for place, model in enumerate(summary, start=1)},
        "sections": sections(summary, meanings, name),
        "absent": {title(metric): why for metric, why in absent(summary).items()},
        "suite": suite,
        "paper": paper(name),
        "task_titles": {one["name"]: one["title"] for one in suite.get("settings", [])},
        "tables": tables,
        "groups": groups,
        "grouped_tables": [(name, table) for name, _, table in groups],
        "replies": [(model, mode, summary[model][mode]) for model, mode in columns],
        "missing": any(summary[model][mode].get("num_missing") for model, mode in columns),
        "faithfulness": faithfulness_rows(summary),
        "num_cases": num_cases,
        "num_asked": num_asked,
        "modes": MODE_NAMES,
        "marks": MARKS,
        "icons": ICONS,
        "data": _data(columns, summary),
        "name": name_of,
        "title": title,
        "recipe": _recipe(recipe),
        "script": script,
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }
    write_text(page, environment().get_template("score.html.jinja").render(**told))
    return page


def _data(columns: Sequence[Column], summary: Summary) -> dict[str, Any]:
    """What the script of the page needs to know beside the cases."""
    return {
        "columns": columns,
        "names": {model: name_of(model) for model in summary},
        "places": {model: place for place, model in enumerate(summary, start=1)},
        "modes": MODE_NAMES if len({mode for _, mode in columns}) > 1 else dict.fromkeys(MODE_NAMES, ""),
        "metrics": {**NAMES, **{PREFIX + line: meaning for line, meaning in MEANINGS.items()}},
        "marks": MARKS,
        "icons": ICONS,
    }


def _named(summary: Summary) -> dict[str, Any]:
    return {name_of(model): modes for model, modes in summary.items()}


def faithfulness_rows(summary: Summary) -> dict[str, Any] | None:
    """A line for each probe: its meaning, and what each model that was probed came to; None without any."""
    columns = [
        (model, mode) for model, mode in columns_of(summary) if summary[model][mode].get("faithfulness")
    ]
    told = {column: summary[column[0]][column[1]]["faithfulness"] for column in columns}
    places = {model: place for place, model in enumerate(summary, start=1)}
    lines = []
    for line, meaning in MEANINGS.items():
        found = [told[column].get(line) for column in columns]
        cells = [
            cell and placed(row(cell, model, place=places[model]), 0.0, 1.0)
            for cell, (model, _) in zip(found, columns, strict=True)
        ]
        if any(cells):
            lines.append((meaning, WANTED.get(line, ""), cells, shared(cells)))
    return {"columns": columns, "lines": lines} if lines else None


def _write_cases(recipe: ScoreRecipe, columns: Sequence[Column]) -> tuple[int, int]:
    """Write the cases; how many, and of how many samples that were asked."""
    asked: set[str] = set()
    for folder in recipe.predictions:
        asked.update(one.sample_id for one in read(folder, Prediction))
    samples = [one for one in known_samples(recipe).values() if one.id in asked]
    shown = choose_cases(samples, recipe.most_cases)
    if not shown:
        return 0, len(samples)
    wanted = {one.id for one in shown}
    scores: dict[str, list[Score]] = defaultdict(list)
    for score in read(recipe.out, Score):
        if score.sample_id in wanted:
            scores[score.prediction_id].append(score)
    said: dict[str, dict[Column, Prediction]] = defaultdict(dict)
    for folder in recipe.predictions:
        for one in read(folder, Prediction):
            if one.sample_id in wanted and one.repeat == 0:
                said[one.sample_id].setdefault((one.model, one.mode), one)

    probed: dict[tuple[str, Column], list[Prediction]] = defaultdict(list)
    for folder in recipe.probes:
        for one in read(folder, Prediction):
            probed[one.sample_id, (one.model, one.mode)].append(one)

    def replies(sample: Sample) -> dict[Column, Reply]:
        primary = PRIMARY.get(sample.kind, "accuracy")
        return {
            column: Reply(one, scores[one.id], primary, probed[sample.id, column])
            for column, one in said[sample.id].items()
        }

    images = recipe.samples.parent if recipe.samples.suffix else recipe.samples
    write_cases(recipe.out / "cases", shown, replies, columns, images)
    return len(shown), len(samples)


def _recipe(recipe: ScoreRecipe) -> str:
    import yaml

    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


@cache
def _script() -> str:
    return (Path(__file__).parent / "score.js").read_text(encoding="utf-8")
