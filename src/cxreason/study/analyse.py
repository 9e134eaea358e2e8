"""The figures of a study, as the paper's Fig. 7 has them, with its tests and some that it lacks.

Times     mean, SD and median by group and arm; arms against each other: paired by case (t and Wilcoxon),
          unpaired (Welch and Mann-Whitney), and a mixed model with readers and cases, also as a ratio.
Ratings   Likert on [-10, 10] with an interval by cases; "not applicable" is counted and left out.
Edits     the reasons that readers give, words changed, observations added and removed, RadRScore.
Choices   which report was preferred, with Wilson intervals; how often the left one, whatever it was.
Agreement ICC(2,1) over cases that all readers of a group rated, and Krippendorff's alpha over all.

Every family of tests is adjusted by Holm. Times end with the first submit; texts and answers are the last
ones, corrections included.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Any

from cxreason.evaluation.statistics import bootstrap, holm, icc, krippendorff, paired_t, wilcoxon, wilson
from cxreason.evaluation.statistics.mixed import mixed_model
from cxreason.rows import write_json, write_text
from cxreason.study.edits import edit_of
from cxreason.study.export import Row, recorded_study, tables_of
from cxreason.study.protocol import NOT_APPLICABLE, PREFERENCE

if TYPE_CHECKING:
    from cxreason.study.app import Study

FEWEST = 3
"""Pairs or values of each side below which no test is made."""


def write_results(folder: Path, out: Path, url: str | None = None) -> dict[str, Any]:
    """Write results.html, results.json and each table as CSV; how much they stand on.

    write_results(Path("runs/study"), Path("runs/study-results"))
    """
    from cxreason.study.results import csv_of, render

    results = analyse(recorded_study(folder, url))
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / "results.json", results)
    for name, rows in results.items():
        if isinstance(rows, list):
            write_text(out / f"{name}.csv", csv_of(rows))
    write_text(out / "results.html", render(results))
    return results["counts"]


def analyse(study: Study) -> dict[str, Any]:
    """Every figure, as plain values: tables are lists of rows."""
    tables = tables_of(study)
    readings = [row for row in tables["readings"] if row["submitted_at"]]
    answers = tables["answers"]
    return {
        "title": study.protocol.title,
        "counts": _counts(tables["readings"], readings),
        "times": _times(readings),
        "time_contrasts": _adjusted(_contrasts(readings, "seconds", ("group",))),
        "edit_reasons": _reasons(answers),
        "edits": _edits(readings),
        "ratings": _ratings(answers),
        "rating_contrasts": _adjusted(_contrasts(_rated(answers), "score", ("group", "question"))),
        "preferences": _preferences(answers),
        "agreement": _agreement(answers),
        "points": [
            {key: row[key] for key in ("group", "arm", "seconds")}
            for row in readings
            if row["seconds"] is not None
        ],
    }


def _counts(planned: Sequence[Row], done: Sequence[Row]) -> dict[str, Any]:
    return {
        "readers": len({row["reader"] for row in done}),
        "cases": len({row["case"] for row in done}),
        "readings": len(done),
        "planned": len(planned),
        "never_shown": sum(row["seconds"] is None for row in done),
        "doubted": sum(row["doubted"] for row in done),
        "corrected": sum(row["corrected"] for row in done),
        "reloaded": sum(row["pages"] > 1 for row in done),
        "hidden_seconds": round(sum(row["hidden_seconds"] for row in done), 1),
        "idle_seconds": round(sum(row["idle_seconds"] for row in done), 1),
    }


def grouped(rows: Iterable[Row], *keys: str) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by the values of some columns, in order.

    >>> grouped([{"a": 1}, {"a": 2}, {"a": 1}], "a")[(1,)]
    [{'a': 1}, {'a': 1}]
    """
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in sorted(rows, key=lambda row: tuple(str(row[key]) for key in keys)):
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def _summary(values: Sequence[float], cases: Sequence[str]) -> Row:
    """Mean, sample SD, median and the mean's interval over cases."""
    between = bootstrap(values, cases)
    return {
        "n": len(values),
        "mean": mean(values),
        "sd": stdev(values) if len(values) > 1 else None,
        "median": median(values),
        "low": between.low,
        "high": between.high,
    }


def _times(readings: Sequence[Row]) -> list[Row]:
    rows = []
    for (group, arm, mode), found in grouped(readings, "group", "arm", "mode").items():
        timed = [row for row in found if row["seconds"] is not None]
        if timed:
            edits = [
                row["seconds_to_first_edit"] for row in timed if row["seconds_to_first_edit"] is not None
            ]
            rows.append(
                {
                    "group": group,
                    "arm": arm,
                    "mode": mode,
                    "readers": len({row["reader"] for row in timed}),
                    **_summary([row["seconds"] for row in timed], [row["case"] for row in timed]),
                    "median_to_first_edit": median(edits) if edits else None,
                }
            )
    return rows


def _contrasts(rows: Sequence[Row], value: str, keys: tuple[str, ...]) -> list[Row]:
    """Arms of one kind (write and edit together) against each other, within the groups of `keys`."""
    kinds = {"write": "report", "edit": "report"}
    found = []
    told = [{**row, "kind": kinds.get(row["mode"], row["mode"])} for row in rows if row[value] is not None]
    for key, members in grouped(told, *keys, "kind").items():
        arms = sorted({row["arm"] for row in members})
        for first, second in itertools.combinations(arms, 2):
            sides = [[row for row in members if row["arm"] == arm] for arm in (first, second)]
            found.append({**dict(zip(keys, key, strict=False)), **_contrast(first, second, sides, value)})
    return found


def _contrast(first: str, second: str, sides: Sequence[Sequence[Row]], value: str) -> Row:
    """One arm against another; what there is too little for is None."""
    left, right = ([row[value] for row in side] for side in sides)
    by_case = [
        {case: mean(row[value] for row in rows) for (case,), rows in grouped(side, "case").items()}
        for side in sides
    ]
    both = sorted(by_case[0].keys() & by_case[1].keys())
    row: Row = {"first": first, "second": second, "n_first": len(left), "n_second": len(right)}
    row |= {"difference": mean(right) - mean(left), "cases_in_both": len(both)}
    enough = len(both) >= FEWEST
    pairs = ([by_case[0][case] for case in both], [by_case[1][case] for case in both])
    row["p_paired_t"] = paired_t(*pairs).p if enough else None
    row["p_wilcoxon"] = wilcoxon(*pairs).p if enough else None
    row |= _unpaired(left, right)
    flat = [*sides[0], *sides[1]]
    columns = [[one[key] for one in flat] for key in ("arm", "reader", "case")]
    row |= _mixed([one[value] for one in flat], columns, first, second)
    if value == "seconds":
        row["less_percent"] = 100 * (1 - mean(right) / mean(left)) if mean(left) else None
        logs = [math.log(max(one[value], 0.1)) for one in flat]
        ratio = mixed_model(logs, *columns, first=first).effects[second]
        row["ratio"] = math.exp(ratio.value)
        row["ratio_low"] = None if ratio.low is None else math.exp(ratio.low)
        row["ratio_high"] = None if ratio.high is None else math.exp(ratio.high)
        row["p_ratio"] = ratio.p
    return row


def _unpaired(left: Sequence[float], right: Sequence[float]) -> Row:
    if min(len(left), len(right)) < FEWEST:
        return {"p_welch": None, "p_mann_whitney": None}
    from scipy.stats import mannwhitneyu, ttest_ind

    test: Any = ttest_ind(left, right, equal_var=False) if len({*left, *right}) > 1 else None
    welch = 1.0 if test is None else float(test.pvalue)
    return {
        "p_welch": welch if math.isfinite(welch) else None,
        "p_mann_whitney": float(mannwhitneyu(left, right).pvalue),
    }


def _mixed(values: Sequence[float], columns: list[list[str]], first: str, second: str) -> Row:
    fitted = mixed_model(values, *columns, first=first)
    effect = fitted.effects[second]
    return {
        "mixed_difference": effect.value,
        "mixed_low": effect.low,
        "mixed_high": effect.high,
        "p_mixed": effect.p,
        "reader_sd": fitted.reader_sd,
        "case_sd": fitted.case_sd,
    }


def _adjusted(rows: list[Row]) -> list[Row]:
    """With Holm's adjustment of the mixed model's p over the whole table."""
    tested = [row for row in rows if row["p_mixed"] is not None]
    for row in rows:
        row["p_holm"] = None
    for row, p in zip(tested, holm([row["p_mixed"] for row in tested]), strict=True):
        row["p_holm"] = p
    return rows


def _reasons(answers: Sequence[Row]) -> list[Row]:
    """Every question with a choice but the preference: how often each answer was given, by group and arm."""
    chosen = [row for row in answers if row["question"] == "edit_reason"]
    rows = []
    for (group, arm), found in grouped(chosen, "group", "arm").items():
        counts = Counter(row["value"] for row in found)
        for value, count in sorted(counts.items()):
            share = wilson(count, len(found))
            rows.append(
                {"group": group, "arm": arm, "reason": value, "count": count, "n": len(found),
                 "share": share.value, "low": share.low, "high": share.high}
            )  # fmt: skip
    return rows


def _edits(readings: Sequence[Row]) -> list[Row]:
    edited = [row for row in readings if row["mode"] == "edit"]
    rows = []
    for (group, arm), found in grouped(edited, "group", "arm").items():
        edits = [edit_of(row["draft"], row["text"], row["reference"]) for row in found]
        scored = [edit for edit in edits if edit.score_draft is not None and edit.score_final is not None]
        gain = bootstrap(
            [(edit.score_final or 0) - (edit.score_draft or 0) for edit in scored],
            [row["case"] for row, edit in zip(found, edits, strict=True) if edit in scored],
        )
        rows.append(
            {
                "group": group,
                "arm": arm,
                "n": len(edits),
                "unchanged": sum(edit.words == 0 for edit in edits),
                "mean_words": mean(edit.words for edit in edits),
                "median_words": median(edit.words for edit in edits),
                "mean_share": mean(edit.share for edit in edits),
                "observations_added": mean(edit.added for edit in edits),
                "observations_removed": mean(edit.removed for edit in edits),
                "radrscore_draft": mean(edit.score_draft or 0 for edit in scored) if scored else None,
                "radrscore_final": mean(edit.score_final or 0 for edit in scored) if scored else None,
                "radrscore_gain": gain.value,
                "gain_low": gain.low,
                "gain_high": gain.high,
            }
        )
    return rows


def _rated(answers: Iterable[Row]) -> list[Row]:
    return [row for row in answers if row["score"] is not None]


def _ratings(answers: Sequence[Row]) -> list[Row]:
    rows = []
    likert = [row for row in answers if row["score"] is not None or row["value"] == NOT_APPLICABLE]
    for (group, arm, question), found in grouped(likert, "group", "arm", "question").items():
        scored = _rated(found)
        row = {"group": group, "arm": arm, "question": question, "not_applicable": len(found) - len(scored)}
        if scored:
            row |= _summary([one["score"] for one in scored], [one["case"] for one in scored])
            rows.append(row)
    return rows


def _preferences(answers: Sequence[Row]) -> list[Row]:
    rows = []
    chosen = [row for row in answers if row["question"] == PREFERENCE]
    for (group, arm), found in grouped(chosen, "group", "arm").items():
        counts = Counter(row["value"] for row in found)
        counts.setdefault("comparable", 0)
        left = Counter(row["left"] == row["value"] for row in found if row["value"] != "comparable")
        for value, count in sorted(counts.items()):
            share, at_least = wilson(count, len(found)), wilson(count + counts["comparable"], len(found))
            rows.append(
                {
                    "group": group, "arm": arm, "preferred": value, "count": count, "n": len(found),
                    "share": share.value, "low": share.low, "high": share.high,
                    "or_equal": at_least.value if value != "comparable" else None,
                    "or_equal_low": at_least.low if value != "comparable" else None,
                    "or_equal_high": at_least.high if value != "comparable" else None,
                    "left_chosen": left[True] / sum(left.values()) if left else None,
                }
            )  # fmt: skip
    return rows


def _agreement(answers: Sequence[Row]) -> list[Row]:
    """How well readers of a group agree, on ratings and on preferences."""
    rows = []
    told = [row for row in answers if row["score"] is not None or row["question"] == PREFERENCE]
    for (group, arm, question), found in grouped(told, "group", "arm", "question").items():
        readers = sorted({row["reader"] for row in found})
        if len(readers) < 2:
            continue
        nominal = question == PREFERENCE
        names = sorted({row["value"] for row in found})
        table = {
            (row["reader"], row["case"]): float(names.index(row["value"]) if nominal else row["score"])
            for row in found
        }
        cases = sorted({row["case"] for row in found})
        complete = [case for case in cases if all((reader, case) in table for reader in readers)]
        grid = [[table.get((reader, case)) for case in cases] for reader in readers]
        alpha = krippendorff(grid, "nominal" if nominal else "ordinal", draws=500)
        row: Row = {"group": group, "arm": arm, "question": question, "readers": len(readers)}
        row |= {"cases_of_all": len(complete), "icc": None, "icc_low": None, "icc_high": None}
        if not nominal and len(complete) > 1:
            found_icc = icc([[table[reader, case] for reader in readers] for case in complete])
            row |= {"icc": found_icc.value, "icc_low": found_icc.low, "icc_high": found_icc.high}
        row |= {f"alpha_{key}".replace("_value", ""): value for key, value in asdict(alpha).items()}
        rows.append(row)
    return rows
