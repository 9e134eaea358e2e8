"""The figures of a study as a page: drawn by hand as SVG, in the page's own colours, without scripts."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from cxreason.evaluation.page_charts import nice_ticks
from cxreason.study.analyse import grouped

HERE = Path(__file__).parent
WIDTH, LEFT, RIGHT, ROW = 720, 190, 20, 34
Row = dict[str, Any]


def render(results: dict[str, Any], *, served: bool = False) -> str:
    """The page; `served` links its style instead of holding it, as the server's policy wants.

    render(analyse(study))
    """
    return (
        _environment()
        .get_template("results.html.jinja")
        .render(
            **results,
            served=served,
            style="" if served else (HERE / "static" / "results.css").read_text(encoding="utf-8"),
            time_chart=time_chart(results["times"], results["points"]),
            rating_chart=rating_chart(results["ratings"]),
            reason_chart=stacked(results["edit_reasons"], "reason"),
            preference_chart=stacked(results["preferences"], "preferred"),
        )
    )


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["one"] = lambda value: "–" if value is None else f"{value:.1f}".replace("-", "−")
    found.filters["two"] = lambda value: "–" if value is None else f"{value:.2f}".replace("-", "−")
    found.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.0f}%"
    found.filters["p"] = p_value
    found.filters["words"] = lambda value: str(value).replace("_", " ").replace("-", " ")
    return found


def p_value(p: float | None) -> str:
    """A p as papers write it.

    >>> p_value(0.0123), p_value(1.0), p_value(1e-9), p_value(None)
    ('.012', '1.000', '<.001', '–')
    """
    if p is None:
        return "–"
    return "<.001" if p < 0.001 else f"{p:.3f}".removeprefix("0")


def time_chart(times: Sequence[Row], points: Sequence[Row]) -> Row | None:
    """Every reading's seconds as a dot, with the mean and its interval, a line for each group and arm."""
    if not times:
        return None
    highest = max(row["seconds"] for row in points)
    ticks = nice_ticks(0, highest)
    by_line = grouped(points, "group", "arm")
    lines = []
    for number, row in enumerate(times):
        middle = _middle(number)
        found = by_line.get((row["group"], row["arm"]), [])
        dots = [
            (_x(point["seconds"], 0, ticks[-1]), middle + ((place * 5) % 13 - 6) * 0.9)
            for place, point in enumerate(found)
        ]
        lines.append({**_line(row, middle, 0, ticks[-1]), "dots": dots, "label": _label(row)})
    return _chart(lines, [(_x(tick, 0, ticks[-1]), f"{tick:g} s") for tick in ticks])


def rating_chart(ratings: Sequence[Row]) -> Row | None:
    """Mean ratings with their intervals, on the paper's scale from -10 to 10."""
    if not ratings:
        return None
    ordered = sorted(ratings, key=lambda row: (row["question"], row["group"], row["arm"]))
    lines, last, at = [], "", 0.0
    for row in ordered:
        at += 0.6 if row["question"] != last else 0  # room for the question above its lines
        line = _line(row, _middle(at), -10, 10)
        line |= {"dots": [], "label": _label(row)}
        lines.append(line | {"head": row["question"] if row["question"] != last else ""})
        last, at = row["question"], at + 1
    return _chart(lines, [(_x(tick, -10, 10), f"{tick:+d}" if tick else "0") for tick in (-10, -5, 0, 5, 10)])


def stacked(rows: Sequence[Row], key: str) -> Row | None:
    """Shares that add up to one, a bar for each group and arm."""
    if not rows:
        return None
    names = sorted({row[key] for row in rows})
    bars = []
    for number, ((group, arm), found) in enumerate(grouped(rows, "group", "arm").items()):
        at, pieces = float(LEFT), []
        for row in sorted(found, key=lambda row: names.index(row[key])):
            wide = row["share"] * (WIDTH - LEFT - RIGHT)
            pieces.append({"x": at, "width": wide, "kind": names.index(row[key]) % 4 + 1, "row": row})
            at += wide
        bars.append(
            {"label": f"{group} · {arm}", "y": number * ROW + 8, "middle": _middle(number), "pieces": pieces}
        )
    return {
        "bars": bars,
        "names": names,
        "width": WIDTH,
        "height": len(bars) * ROW + 12,
        "left": LEFT,
        "row": ROW,
    }


def _label(row: Row) -> str:
    return f"{row['group']} · {row['arm']}"


def _line(row: Row, middle: float, low: float, high: float) -> Row:
    has = row["low"] is not None
    return {
        "row": row,
        "y": middle,
        "x": _x(row["mean"], low, high),
        "from": _x(row["low"], low, high) if has else None,
        "to": _x(row["high"], low, high) if has else None,
        "head": "",
    }


def _chart(lines: list[Row], ticks: list[tuple[float, str]]) -> Row:
    height = round(lines[-1]["y"] + ROW / 2 + 30)
    return {
        "lines": lines,
        "ticks": ticks,
        "width": WIDTH,
        "height": height,
        "left": LEFT,
        "bottom": height - 24,
    }


def _x(value: float, low: float, high: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / ((high - low) or 1), 1)


def _middle(number: float) -> float:
    return number * ROW + ROW / 2 + 4


def csv_of(rows: Sequence[Row]) -> str:
    """A table of figures as CSV; the columns are those of its first row.

    >>> csv_of([{"a": 1, "b": None}])
    'a,b\\n1,\\n'
    """
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()
