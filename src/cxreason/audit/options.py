"""Questions that are wrong in themselves, whoever guesses: options that double, wrong options that are true.

The faults are those of published test sets: distractors that are present as well, uncertain labels asked
about or offered, the answer standing in the question, fewer different options than shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxreason.audit.items import Cell, gold_place
from cxreason.records import Sample

FAULTS = {
    "options double": "two options say the same",
    "no such answer": "the answer is none of the options",
    "wrong option true": "a wrong option names a finding that is present as well",
    "wrong option uncertain": "a wrong option names a finding that is uncertain, or that nobody judged",
    "uncertain asked": "the finding that is asked about is uncertain, or nobody judged it",
    "answer in question": "the question holds the whole answer",
}
"""Fault -> what it means."""
FEWEST_WORDS = 5


def faults(sample: Sample) -> Iterator[str]:
    """The faults of one sample.

    >>> twice = Sample("1", "d", "single", "choice", "p", "s", "test", (), "Which?", "A", ("edema", "Edema"))
    >>> list(faults(twice))
    ['options double']
    """
    if not sample.options:
        told = sample.answer.casefold()
        if len(told.split()) >= FEWEST_WORDS and told in sample.question.casefold():
            yield "answer in question"
        return
    said = [option.casefold().strip() for option in sample.options]
    if len(set(said)) < len(said):
        yield "options double"
    gold = gold_place(sample)
    if gold is None:
        if sample.kind == "choice":
            yield "no such answer"
        return
    labels = {name.casefold(): value for name, value in sample.labels.items()}
    if set(said) == {"yes", "no"}:
        if sample.subject and labels and labels.get(sample.subject.casefold(), -1) == -1:
            yield "uncertain asked"
        return
    yield from _distractor_faults(said, gold, labels)


def _distractor_faults(said: Sequence[str], gold: int, labels: Mapping[str, int]) -> Iterator[str]:
    """Only where the options are labels of the study; others cannot be checked against them."""
    parts = [{part.strip() for part in option.split(",")} for option in said]
    if not labels or not all(part in labels for part in parts[gold]):
        return
    wrong = set().union(*parts) - parts[gold]
    if any(labels.get(part) == 1 for part in wrong):
        yield "wrong option true"
    if any(labels.get(part, -1) == -1 for part in wrong):
        yield "wrong option uncertain"


def find_faults(picked: Mapping[Cell, Sequence[Sample]]) -> list[dict[str, Any]]:
    """Cell, fault, how many of how many samples have it, and one of them by its id."""
    rows = []
    for cell, samples in picked.items():
        found: Counter[str] = Counter()
        example: dict[str, str] = {}
        for one in samples:
            for fault in faults(one):
                found[fault] += 1
                example.setdefault(fault, one.id)
        rows += [
            {**cell._asdict(), "fault": fault, "number": number, "n": len(samples), "example": example[fault]}
            for fault, number in found.items()
        ]
    return rows
