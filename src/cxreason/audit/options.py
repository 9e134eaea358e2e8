"""Questions that are wrong in themselves, whoever guesses: options that double, wrong options that are true.

The faults are those of published test sets: distractors that are present as well, uncertain labels asked
about or offered, the answer standing in the question, options that fell together, the same question twice
with two answers, and words about an earlier examination where one is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cxreason.answers.text import gives_away
from cxreason.audit.items import Cell, gold_place
from cxreason.records import Sample
from cxreason.text.comparisons import compares
from cxreason.text.labels import denied

FAULTS = {
    "options double": "two options say the same",
    "options missing": "there are fewer options than this kind of question has",
    "no such answer": "the answer is none of the options",
    "wrong option true": "a wrong option names a finding that is present as well",
    "wrong option uncertain": "a wrong option names a finding that is uncertain, or that nobody judged",
    "uncertain asked": "the finding that is asked about is uncertain, or nobody judged it",
    "answer in question": "the question holds the whole answer",
    "prior language": "one examination is shown, and the answer or its reasoning speaks of an earlier one",
    "asked twice": "the same is asked of the same images again",
    "answered differently": "the same is asked of the same images again, and another answer is right",
}
"""Fault -> what it means."""
NUM_OPTIONS = {"binary": 2, "single": 4, "multiple": 4, "temporal": 3}
"""Task of RadRBench-CXR -> how many options each of its questions has."""
QUOTING = ("localized_phrase", "text_qa")
"""Tasks that ask for words of the question."""
COMPARING = ("temporal", "progression", "difference")
"""What the names of tasks hold that show two examinations."""


def faults(sample: Sample) -> Iterator[str]:
    """The faults of one sample.

    >>> twice = Sample("1", "d", "single", "choice", "p", "s", "test", (), "Which?", "A", ("edema", "Edema"))
    >>> list(faults(twice))
    ['options double']
    """
    if _speaks_of_a_prior(sample):
        yield "prior language"
    if not sample.options:
        if sample.task not in QUOTING and gives_away(sample.question, sample.answer):
            yield "answer in question"
        return
    said = [option.casefold().strip() for option in sample.options]
    if len(set(said)) < len(said):
        yield "options double"
    if len(said) < NUM_OPTIONS.get(sample.task, 0):
        yield "options missing"
    gold = gold_place(sample)
    if gold is None:
        if sample.kind == "choice":
            yield "no such answer"
        return
    labels = {name.casefold(): value for name, value in sample.labels.items()}
    if set(said) == {"yes", "no"}:
        asked = sample.subject.casefold()
        if asked and labels and labels.get(asked) != 1 and not denied(labels, asked):
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
    if any(labels.get(part) != 1 and not denied(labels, part) for part in wrong):
        yield "wrong option uncertain"


def _speaks_of_a_prior(sample: Sample) -> bool:
    """Reports and reasoning about one examination; of other texts it cannot be known what they may say."""
    if sample.prior_report or not sample.images or any(word in sample.task for word in COMPARING):
        return False
    told = f"{sample.reasoning}\n{sample.answer}" if sample.kind == "report" else sample.reasoning
    return compares(told)


def _repeats(samples: Sequence[Sample]) -> Iterator[tuple[str, Sample]]:
    """Every sample that asks what one before it asked: the same words, options in any order, and images."""
    answered: dict[tuple, str] = {}
    for one in samples:
        if not one.images:  # short reports are alike, and whoever reads one may conclude what he likes
            continue
        place = gold_place(one)
        truth = one.answer if place is None else one.options[place]
        key = (one.images, " ".join(one.question.casefold().split()), tuple(sorted(one.options)))
        if key in answered:
            yield ("asked twice" if answered[key] == truth else "answered differently"), one
        answered.setdefault(key, truth)


def find_faults(picked: Mapping[Cell, Sequence[Sample]]) -> list[dict[str, Any]]:
    """Cell, fault, how many of how many samples have it, and one of them by its id."""
    rows = []
    for cell, samples in picked.items():
        found: Counter[str] = Counter()
        example: dict[str, str] = {}
        each = ((fault, one) for one in samples for fault in faults(one))
        for fault, one in (*each, *_repeats(samples)):
            found[fault] += 1
            example.setdefault(fault, one.id)
        rows += [
            {**cell._asdict(), "fault": fault, "number": number, "n": len(samples), "example": example[fault]}
            for fault, number in found.items()
        ]
    return rows
