"""What somebody who never looks at an image would score, and who stands on both sides of a split.

    cxreason audit runs/build-phantom
    cxreason audit runs/train --evaluation runs/test-set

Published test sets of chest X-rays can be answered right to 73-78% without an image: the right options stood
in canonical order, or one label was nearly always the truth. `audit` tries eight guessers on every task of
every dataset, tests how evenly answers fall, looks for questions that are wrong in themselves and for
patients, studies, images and reports that splits share. What fails is listed; `audit.json` and `audit.html`
hold all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cxreason.audit.balance import find_uneven
from cxreason.audit.blind import constants, guess_all
from cxreason.audit.items import (
    Cell,
    Source,
    by_cell,
    count,
    count_cells,
    handful,
    limits,
    pick,
    side_of,
    sources,
)
from cxreason.audit.leaks import Things, find_leaks, things
from cxreason.audit.options import FAULTS, find_faults
from cxreason.audit.page import render
from cxreason.records import Sample
from cxreason.rows import write_json, write_text

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Cell", "Source", "Taken", "audit", "audit_files", "limits", "side_of", "take", "write_audit"]

MARGIN = 0.02
"""So far above chance, or less, a guesser is harmless, however sure it is."""
MOST = 5000
"""Samples of each task, dataset and side that are guessed; leaks are looked for in all."""


class Taken(NamedTuple):
    """What the audit has to know of one file."""

    counts: Counter[Cell]
    picked: list[Sample]
    met: Things


def take(table: pa.Table, source: Source, limits: Mapping[Cell, float]) -> Taken:
    """The same of a table that is about to be written to the file of a source.

    A large build has it taken by all its workers: reading the samples back takes one of them minutes.
    """
    return Taken(count(table, source), pick(table, source, limits), things(table, source))


def audit(
    data: Sequence[Path],
    evaluation: Sequence[Path] = (),
    *,
    margin: float = MARGIN,
    most: int = MOST,
    most_ratio: float | None = 2.0,
    hash_images: bool = True,
) -> dict[str, Any]:
    """The whole audit of run folders or Parquet files of samples, as plain values.

    Folders under `evaluation` are test sets as a whole, whatever their splits say. `failures` is empty where
    all is well; each of its lines says what is wrong, where and how much.

        report = audit([Path("runs/build-phantom")])
        print("\\n".join(report["failures"]))
    """
    return audit_files(
        sources(data, evaluation), margin=margin, most=most, most_ratio=most_ratio, hash_images=hash_images
    )


def audit_files(
    files: Sequence[Source],
    *,
    margin: float = MARGIN,
    most: int = MOST,
    most_ratio: float | None = 2.0,
    hash_images: bool = True,
    taken: Sequence[Taken] | None = None,
    each: Callable[[Callable, Iterable], Iterable] = map,
) -> dict[str, Any]:
    """The same of files that are told one by one, as those of a run that is not finished.

    `taken` is what `take` made of each of them, where whoever wrote them did so at once. `each` does the
    guessing, cell by cell: `Crew.each` where there are processes at hand.
    """
    if taken is None:
        counts = count_cells(files)
        picked = by_cell(handful(files, counts, most))
    else:
        counts = sum((one.counts for one in taken), Counter())
        picked = by_cell(zip(files, (one.picked for one in taken), strict=True))
    met = None if taken is None else (one.met for one in taken)
    report: dict[str, Any] = {
        "samples": counts.total(),
        "cells": [{**cell._asdict(), "samples": number} for cell, number in sorted(counts.items())],
        "leaks": find_leaks(files, hash_images=hash_images, met=met),
        "faults": find_faults(picked),
        "guesses": [asdict(one) for one in guess_all(picked, margin, each=each)],
        "constants": constants(picked),
        "balance": [asdict(one) for one in find_uneven(picked, most_ratio)],
        "margin": margin,
        "most": most,
        "most_ratio": most_ratio,
    }
    return {"failures": failures(report), **report}


def failures(report: dict[str, Any]) -> list[str]:
    """What is wrong, one line each."""
    lines = []
    for leak in report["leaks"]:
        if leak["shared"]:
            first = leak["examples"][0]
            where = f"as {first['what']!r} in {' and '.join(first['splits'])}"
            lines.append(
                f"leak: {leak['shared']} of {leak['different']} {leak['kind']}s are in two splits, {where}"
            )
    for fault in report["faults"]:
        number = f"{fault['number']} of {fault['n']} samples, as {fault['example']}"
        lines.append(f"fault: {_where(fault)}: {FAULTS[fault['fault']]} ({number})")
    for guess in report["guesses"]:
        if guess["failed"]:
            low, high = (f"{guess[end]:.3f}" if guess[end] is not None else "?" for end in ("low", "high"))
            scored = f"{guess['value']:.3f} ({low}-{high}), chance {guess['chance']:.3f}, n {guess['n']}"
            lines.append(f"blind: {_where(guess)}: {guess['guesser']} scores {scored}")
    for test in report["balance"]:
        if test["failed"]:
            figure = f"{test['value']:.2f} where {test['even']:.2f} is even, n {test['n']}"
            lines.append(f"balance: {_where(test)}: {test['what']} ({test['about']}): {figure}")
    return lines


def write_audit(report: dict[str, Any], folder: Path, title: str = "") -> Path:
    """Write `audit.json` and `audit.html` into a folder; returns the page."""
    write_json(folder / "audit.json", report)
    page = folder / "audit.html"
    write_text(page, render(report, title or folder.name))
    return page


def _where(row: dict[str, Any]) -> str:
    return f"{row['task']} of {row['dataset']}, {row['side']}"
