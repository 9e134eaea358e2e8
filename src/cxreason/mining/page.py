"""The page of a mining run: what was kept and why the rest was not, with examples of both, in one file.

    write_page(Path("runs/mine"), samples=Path("runs/build"))

Each example shows its question, the report with the sentences that the chain rests on, and the chain with
each sentence marked by how it stands to the report. It works offline, and its looks are evaluation's.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cxreason.evaluation import page_gallery
from cxreason.evaluation.page_gallery import MARK_CLASSES, MARK_NAMES, Sentence, answer_text, highlight
from cxreason.evaluation.radrscore import mark_sentences
from cxreason.records import Sample, content_id, from_row
from cxreason.rows import write_text

NUM_KEPT, NUM_DROPPED = 4, 3
"""Examples of each task that was kept, and of each reason why chains were dropped."""


@dataclass(frozen=True)
class Example:
    """One sample with its chain, or with the reason why there is none."""

    sample: Sample
    group: str
    """The task of a kept chain, the first reason's filter of a dropped one."""
    kept: bool
    reasons: tuple[str, ...]
    answer: str
    sentences: tuple[Sentence, ...]
    report: tuple[tuple[str, bool], ...]
    prior_report: tuple[tuple[str, bool], ...]

    @property
    def gold(self) -> str:
        """The gold answer in words."""
        return answer_text(self.sample.answer, self.sample)


def write_page(
    folder: Path,
    kept: Iterable[dict[str, Any]],
    dropped: Iterable[dict[str, Any]],
    samples: Iterable[Sample],
    told: Mapping[str, Any],
) -> Path:
    """Write `page.html` in a run's folder and return its path.

    `kept` are rows, `dropped` lines of `failed.jsonl`, `samples` what was read, and `told` holds `counts`,
    `quality` and `recipe`.
    """
    chosen = [
        *(_kept(from_row(Sample, row)) for row in _some(kept, NUM_KEPT, lambda row: row["task"])),
        *_dropped(list(_some(dropped, NUM_DROPPED, lambda row: _first(row))), samples),
    ]
    page = folder / "page.html"
    counts = told["counts"]
    text = (
        _environment()
        .get_template("mined.html.jinja")
        .render(
            examples=sorted(chosen, key=lambda one: (not one.kept, page_gallery.task_order(one.group))),
            funnel=counts["funnel"],
            tasks=counts["tasks"],
            usage=counts.get("usage"),
            quality=told["quality"],
            recipe=json.dumps(told["recipe"], indent=2, ensure_ascii=False),
            mark_names={MARK_CLASSES[mark]: name for mark, name in MARK_NAMES.items()},
        )
    )
    write_text(page, text)
    return page


def _first(row: Mapping[str, Any]) -> str:
    return row["problem"].partition(":")[0]


def _some(rows: Iterable[dict[str, Any]], number: int, group: Any) -> Iterator[dict[str, Any]]:
    """A few rows of each group, chosen by their ids: the same ones whatever the order, with flat memory."""
    best: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for row in rows:
        drawn = best.setdefault(group(row), [])
        heapq.heappush(drawn, (_order(row["id"]), row))
        if len(drawn) > number:
            heapq.heappop(drawn)
    for name in sorted(best):
        yield from (row for _, row in sorted(best[name], key=lambda one: one[0], reverse=True))


def _order(id: str) -> str:
    return content_id("example", id)


def _kept(sample: Sample) -> Example:
    return _example(sample, sample.task, sample.reasoning, sample.answer, sample.evidence, ())


def _dropped(rows: list[dict[str, Any]], samples: Iterable[Sample]) -> Iterator[Example]:
    wanted = {row["id"] for row in rows}
    known = {sample.id: sample for sample in samples if sample.id in wanted} if wanted else {}
    for row in rows:
        chain = (row.get("reasoning", ""), row.get("answer", ""), tuple(row.get("evidence", ())))
        yield _example(known[row["id"]], _first(row), *chain, tuple(row["reasons"]))


def _example(
    sample: Sample,
    group: str,
    reasoning: str,
    answer: str,
    evidence: tuple[str, ...],
    reasons: tuple[str, ...],
) -> Example:
    marked = mark_sentences(reasoning, sample.facts) if reasoning else []
    return Example(
        sample=sample,
        group=group,
        kept=not reasons,
        reasons=reasons,
        answer=answer_text(answer, sample) if answer else "",
        sentences=tuple(Sentence(text, MARK_CLASSES[mark], MARK_NAMES[mark]) for text, mark in marked),
        report=tuple(highlight(sample.report, evidence)),
        prior_report=tuple(highlight(sample.prior_report, evidence)),
    )


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    # The style sheet and the macros that mark sentences are evaluation's. Everything is escaped: what a
    # report or a model says is never trusted as markup.
    folders = [Path(__file__).parent, Path(page_gallery.__file__).parent]
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["grouped"] = lambda number: f"{number:,}"
    # Headings are short lines, in which a browser would break "X-ray" at its hyphen.
    environment.filters["unbroken"] = lambda text: text.replace("X-ray", "X\N{NON-BREAKING HYPHEN}ray")
    environment.filters["two"] = lambda value: f"{value:.2f}"
    environment.filters["three"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["percent"] = lambda value: "–" if value is None else f"{100 * value:.1f}%"
    return environment
