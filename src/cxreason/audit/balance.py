"""How evenly answers fall: over letters, yes and no for each finding, labels, boxes, and orders of options.

An unevenness fails the audit where it is beyond doubt (Holm over all tests, 1%) and large enough to matter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cxreason.audit.items import Cell, Item, items
from cxreason.evaluation.statistics import holm
from cxreason.records import Sample

SIGNIFICANCE = 0.01
LETTER_MARGIN = 0.05
YES_MARGIN = 0.05
MOST_LABELS = 60
"""Answers of more kinds than this are no labels."""


@dataclass(frozen=True)
class Uneven:
    """One test of balance in one cell."""

    dataset: str
    task: str
    side: str
    what: str
    """letters, order of options, answers to one finding, labels, a box or none"""
    about: str
    value: float
    """The largest share, or the ratio of the most frequent label to the rarest."""
    even: float
    n: int
    p: float
    failed: bool


class _Test(NamedTuple):
    cell: Cell
    what: str
    about: str
    value: float
    even: float
    n: int
    p: float
    large: bool


def find_uneven(picked: Mapping[Cell, Sequence[Sample]], most_ratio: float | None = 2.0) -> list[Uneven]:
    """Every test on every cell with closed questions. `most_ratio` is how many times as often as the rarest
    the commonest label may be right; None leaves labels as they come."""
    tests = [
        one
        for cell, samples in picked.items()
        if (asked := items(samples))
        for one in (
            *_letters(cell, asked),
            *_option_orders(cell, asked),
            *_yes_and_no(cell, asked),
            *_labels(cell, asked, most_ratio),
        )
    ]
    tests += [one for cell, samples in picked.items() for one in _boxes(cell, samples)]
    doubts = holm([one.p for one in tests])
    return [
        Uneven(*one.cell, *one[1:6], p, one.large and p < SIGNIFICANCE)
        for one, p in zip(tests, doubts, strict=True)
    ]


def _even_p(counts: Sequence[int]) -> float:
    """P of such counts or less even ones if all were equally likely (chi-squared)."""
    from scipy.special import chdtrc  # scipy.stats takes a second to import

    if not sum(counts) or len(counts) < 2:
        return 1.0
    even = sum(counts) / len(counts)
    return float(chdtrc(len(counts) - 1, sum((count - even) ** 2 for count in counts) / even))


def _letters(cell: Cell, asked: Sequence[Item]) -> Iterator[_Test]:
    """The truth stands at each letter equally often, among questions with as many options."""
    by_size: dict[int, Counter[int]] = defaultdict(Counter)
    for one in asked:
        by_size[len(one.options)][one.gold] += 1
    for size, places in sorted(by_size.items()):
        n = places.total()
        share = max(places.values()) / n
        p = _even_p([places[place] for place in range(size)])
        yield _Test(
            cell, "letters", f"{size} options", share, 1 / size, n, p, share - 1 / size > LETTER_MARGIN
        )


def _option_orders(cell: Cell, asked: Sequence[Item]) -> Iterator[_Test]:
    """Where the same options come again and again, each is first equally often."""
    first: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    for one in asked:
        first[tuple(sorted(one.options))][one.options[0]] += 1
    for options, counts in sorted(first.items()):
        n = counts.total()
        if n >= max(0.1 * len(asked), 5 * len(options)):
            share, even = max(counts.values()) / n, 1 / len(options)
            p = _even_p([counts[option] for option in dict.fromkeys(options)])
            about = " / ".join(options)[:80]
            yield _Test(cell, "order of options", about, share, even, n, p, share - even > LETTER_MARGIN)


def _yes_and_no(cell: Cell, asked: Sequence[Item]) -> Iterator[_Test]:
    """For each finding that is asked about, each answer is right equally often."""
    about: dict[tuple[str, tuple[str, ...]], Counter[str]] = defaultdict(Counter)
    for one in asked:
        if one.subject:
            about[one.subject, tuple(sorted(one.options))][one.truth] += 1
    for (subject, options), counts in sorted(about.items()):
        n = counts.total()
        share, even = max(counts.values()) / n, 1 / len(options)
        p = _even_p([counts[option] for option in options])
        yield _Test(cell, "answers to one finding", subject, share, even, n, p, share - even > YES_MARGIN)


def _labels(cell: Cell, asked: Sequence[Item], most_ratio: float | None) -> Iterator[_Test]:
    """The label that is right most often is so at most `most_ratio` times as often as the rarest."""
    if most_ratio is None:
        return
    told = Counter(one.subject or one.truth.casefold() for one in asked)
    if not 2 <= len(told) <= MOST_LABELS or any("," in label for label in told):
        return
    (most, many), (least, few) = told.most_common()[0], told.most_common()[-1]
    p = _binomial_tail(many, many + few, most_ratio / (1 + most_ratio))
    about = f"{most} to {least}"
    yield _Test(cell, "labels", about, many / few, most_ratio, len(asked), p, many > most_ratio * few)


def _boxes(cell: Cell, samples: Sequence[Sample]) -> Iterator[_Test]:
    """Where some questions for a box have none as their answer, half have: one could always say so."""
    none = [one.answer.count("(") == 0 for one in samples if one.kind == "boxes"]
    n, without = len(none), sum(none)
    if 0 < without < n:
        share = max(without, n - without) / n
        p = _even_p([without, n - without])
        yield _Test(cell, "a box or none", "all findings", share, 0.5, n, p, share - 0.5 > YES_MARGIN)


def _binomial_tail(hits: int, n: int, share: float) -> float:
    """P(at least so many hits of n)."""
    from scipy.special import betainc

    return float(betainc(hits, n - hits + 1, share)) if hits else 1.0
