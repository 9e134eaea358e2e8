"""What was recorded, as tables in long form: CSV for people, Parquet for programs.

    readings   one row for each assignment: who, what, how long, the draft, the first and the last text
    answers    one row for each question that was answered; likert answers also as a score on [-10, 10]
    events     everything, in order

In CSV a text that a spreadsheet would take for a formula gets an apostrophe in front, in Parquet not.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.rows import write_table, write_text
from cxreason.study.protocol import LIKERT, PREFERENCE, Arm, Case
from cxreason.study.store import Reading, Step, main_step
from cxreason.study.timing import Recorded, times_of

if TYPE_CHECKING:
    from cxreason.study.app import Study

TABLES: dict[str, dict[str, type]] = {
    "readings": {
        "reader": str, "group": str, "position": int, "part": str, "arm": str, "mode": str, "case": str,
        "left": str, "submitted_at": str, "seconds": float, "active_seconds": float, "hidden_seconds": float,
        "idle_seconds": float, "server_seconds": float, "seconds_to_first_edit": float, "pages": int,
        "saves": int, "doubted": bool, "corrected": bool, "draft": str, "submitted_text": str, "text": str,
        "reference": str,
    },
    "answers": {
        "reader": str, "group": str, "position": int, "part": str, "arm": str, "mode": str, "case": str,
        "left": str, "question": str, "value": str, "score": float, "corrected": bool,
    },
    "events": {
        "seq": int, "reader": str, "position": int, "arm": str, "case": str, "page": str, "kind": str,
        "milliseconds": float, "at": str, "data": str,
    },
}  # fmt: skip
"""Tables with their columns and types."""

Row = dict[str, Any]


def write_tables(folder: Path, out: Path, url: str | None = None) -> dict[str, int]:
    """Write every table of a study as CSV and Parquet; how many rows each has.

    write_tables(Path("runs/study"), Path("runs/study-tables"))
    """
    study = recorded_study(folder, url)
    tables = tables_of(study)
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        write_text(out / f"{name}.csv", csv_of(rows, name))
        write_table(out / f"{name}.parquet", arrow_of(rows, name))
    return {name: len(rows) for name, rows in tables.items()}


def recorded_study(folder: Path, url: str | None) -> Study:
    """A study folder as it is for looking at what was recorded; StudyError where nothing was begun."""
    from cxreason.study.app import open_records

    return open_records(folder, url)


def tables_of(study: Study) -> dict[str, list[Row]]:
    """Every table as rows."""
    readings = study.store.all_readings()
    return {
        "readings": [_reading_row(study, one) for one in readings],
        "answers": [row for one in readings for row in _answer_rows(study, one)],
        "events": [row for one in readings for row in _event_rows(one)],
    }


def _key(study: Study, one: Reading) -> Row:
    groups = {reader.name: reader.group for reader in study.protocol.readers}
    return {
        "reader": one.reader,
        "group": groups.get(one.reader, ""),
        "position": one.position,
        "part": one.part,
        "arm": one.arm,
        "mode": study.protocol.arms[one.arm].mode,
        "case": one.case_id,
    }


def _reading_row(study: Study, one: Reading) -> Row:
    arm: Arm = study.protocol.arms[one.arm]
    case: Case = study.protocol.case(one.case_id)
    step = main_step(arm.mode)
    times = times_of(one.events, step)
    submits = _submits(one, step)
    texts = [str(submit.data.get("text") or "") for submit in submits] or [""]
    return {
        **_key(study, one),
        "left": one.left,
        "submitted_at": submits[0].at if submits else "",
        "seconds": times.seconds,
        "active_seconds": times.active,
        "hidden_seconds": times.hidden,
        "idle_seconds": times.idle,
        "server_seconds": times.server,
        "seconds_to_first_edit": times.to_first_edit,
        "pages": times.pages,
        "saves": times.saves,
        "doubted": times.doubted,
        "corrected": len(submits) > 1,
        "draft": case.texts[arm.draft] if arm.draft else "",
        "submitted_text": texts[0],
        "text": texts[-1],
        "reference": case.reference,
    }


def _submits(one: Reading, step: Step) -> list[Recorded]:
    return [event for event in one.events if event.kind == "submit" and event.data.get("step") == step]


def _answer_rows(study: Study, one: Reading) -> Iterator[Row]:
    submits = _submits(one, "answers")
    if not submits:
        return
    reports = study.protocol.arms[one.arm].reports
    for question, value in (submits[-1].data.get("values") or {}).items():
        if question == PREFERENCE:
            value = preferred(value, one.left, reports)
        yield {
            **_key(study, one),
            "left": one.left,
            "question": question,
            "value": value,
            "score": float(LIKERT[value]) if value in LIKERT else None,
            "corrected": len(submits) > 1,
        }


def preferred(side: str, left: str, reports: Sequence[str]) -> str:
    """The source of the report that was preferred, or "comparable".

    >>> preferred("B", "resident", ("model", "resident"))
    'model'
    """
    if side not in ("A", "B"):
        return side
    other = next(name for name in reports if name != left)
    return left if side == "A" else other


def _event_rows(one: Reading) -> Iterator[Row]:
    for event in one.events:
        yield {
            "seq": event.seq,
            "reader": one.reader,
            "position": one.position,
            "arm": one.arm,
            "case": one.case_id,
            "page": event.page,
            "kind": event.kind,
            "milliseconds": event.t,
            "at": event.at,
            "data": json.dumps(event.data, ensure_ascii=False),
        }


def csv_of(rows: Sequence[Row], name: str) -> str:
    """Rows as CSV, with the columns of their table.

    >>> csv_of([], "answers").split(",")[:2]
    ['reader', 'group']
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, TABLES[name], lineterminator="\n")
    writer.writeheader()
    writer.writerows([{key: _cell(value) for key, value in row.items()} for row in rows])
    return text.getvalue()


def _cell(value: Any) -> Any:
    """A cell that no spreadsheet computes.

    >>> _cell("=1+1"), _cell("-3 cm"), _cell(-3.0)
    ("'=1+1", "'-3 cm", -3.0)
    """
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return value


def arrow_of(rows: Sequence[Row], name: str) -> Any:
    """Rows as an Arrow table with the types of their columns."""
    import pyarrow as pa

    types = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    return pa.Table.from_pylist(
        list(rows), schema=pa.schema([(key, types[of]) for key, of in TABLES[name].items()])
    )
