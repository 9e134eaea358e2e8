"""Beside every mean: the same by source, view, sex and age, and what those score who never saw an image.

An overall mean hides whom it fails, and says nothing without its floor. The floors are a random guess, which
is exact, and `question_only`: the best answer of somebody who knows the questions and the habits of the
answers but sees no image. It learns from the training samples where there are any; else from the other
patients of the test, so that nobody's own answer is used to guess it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any

from cxreason.answers import score as score_answer
from cxreason.evaluation.controls import question_only
from cxreason.records import Sample, Score, content_id

Estimate = Callable[[list[Score]], dict[str, Any]]
"""Rows -> value, interval and counts."""

NOT_KNOWN = "not known"
AGES = ((18, "under 18"), (40, "18–39"), (60, "40–59"), (80, "60–79"))
OLDEST = "80 and over"
SEXES = {"M": "male", "F": "female"}
OF_ANSWERS = ("accuracy", "anomaly_f1", "iou", "report_f1")
"""Metrics that say what an answer is worth, one for each kind: those that a guesser can be held to."""
FOLDS = 5
MOST_TRAINING = 50_000
"""Training samples that the question-only guesser learns from: more would change nothing."""


def view_of(sample: Sample) -> str:
    """The views that a sample shows.

    >>> view_of(Sample("1", "d", "t", "choice", "p", "s", "test", (), "?", "A", views=("PA", "LATERAL")))
    'PA + LATERAL'
    """
    return " + ".join(dict.fromkeys(sample.views)) or NOT_KNOWN


def age_of(sample: Sample) -> str:
    """The age group of a sample's patient.

    >>> age_of(Sample("1", "d", "t", "choice", "p", "s", "test", (), "?", "A", age=59.5))
    '40–59'
    """
    if sample.age is None:
        return NOT_KNOWN
    return next((name for end, name in AGES if sample.age < end), OLDEST)


GROUPS: dict[str, Callable[[Sample], str]] = {
    "source": lambda sample: sample.dataset,
    "view": view_of,
    "sex": lambda sample: SEXES.get(sample.sex, NOT_KNOWN),
    "age": age_of,
}
"""What is grouped by -> the group of a sample."""
AGE_ORDER = [name for _, name in AGES] + [OLDEST, NOT_KNOWN]


def by_groups(
    rows: Iterable[Score], samples: Mapping[str, Sample], estimate: Estimate
) -> dict[str, dict[str, dict[str, Any]]]:
    """`by_source`, `by_view`, ... -> group -> estimate, for the rows of one metric.

    What is not known of any sample is left out.
    """
    found: dict[str, dict[str, list[Score]]] = {name: defaultdict(list) for name in GROUPS}
    for row in rows:
        sample = samples[row.sample_id]
        for name, group_of in GROUPS.items():
            found[name][group_of(sample)].append(row)
    told = {}
    for name, groups in found.items():
        if set(groups) - {NOT_KNOWN}:
            order = sorted(groups, key=_place if name == "age" else str)
            told[f"by_{name}"] = {group: estimate(groups[group]) for group in order}
    return told


def _place(age: str) -> int:
    return AGE_ORDER.index(age)


class Context:
    """What stands beside the means of every model that was asked about the same samples.

    context = Context(samples, estimate)
    context.add_to(summary, rows)
    """

    def __init__(self, samples: Mapping[str, Sample], estimate: Estimate):
        self._samples = samples
        self._estimate = estimate
        self._worths: dict[str, float] = {}

    def add_to(self, summary: dict[str, Any], rows: Iterable[Score]) -> None:
        """Add groups to every metric that has rows, and the floors to those of answers."""
        by_metric: dict[str, list[Score]] = defaultdict(list)
        for row in rows:
            by_metric[row.metric].append(row)
        for metric, own in by_metric.items():
            if metric in summary:
                summary[metric] |= by_groups(own, self._samples, self._estimate)
        for metric in OF_ANSWERS:
            if by_metric[metric] and metric in summary:
                self._guess(row.sample_id for row in by_metric[metric])
                summary[metric] |= floors(by_metric[metric], self._samples, self._worths, self._estimate)

    def _guess(self, asked: Iterable[str]) -> None:
        """Find out what a blind answer to each of these samples earns."""
        new = [self._samples[id] for id in dict.fromkeys(asked) if id not in self._worths]
        if new:
            tasks = {one.task for one in new}
            taught = (one for one in self._samples.values() if one.split == "train" and one.task in tasks)
            train = list(islice(taught, MOST_TRAINING))
            if {one.task for one in train} < tasks or any(one.split == "train" for one in new):
                train = []  # who was not taught everything is not comparable; and nobody learns the test
            self._worths |= blind_worths(blind_answers(new, train), new)


def blind_answers(test: Sequence[Sample], train: Sequence[Sample] = ()) -> dict[str, str]:
    """Sample id -> the answer of somebody who sees only the question.

    Without training samples every patient is guessed from the other patients of the test.
    """
    if train:
        return question_only(train, test)
    patients = sorted({(sample.dataset, sample.patient_id) for sample in test})
    order = Random(content_id("folds", len(patients)))
    order.shuffle(patients)
    fold_of = {patient: place % FOLDS for place, patient in enumerate(patients)}
    answers: dict[str, str] = {}
    for fold in range(FOLDS):
        inside = [one for one in test if fold_of[one.dataset, one.patient_id] == fold]
        outside = [one for one in test if fold_of[one.dataset, one.patient_id] != fold]
        if inside:
            answers |= question_only(outside, inside)
    return answers


def blind_worths(answers: Mapping[str, str], test: Iterable[Sample]) -> dict[str, float]:
    """Sample id -> what the blind answer earns; samples of a kind that cannot be guessed earn 0."""
    return {
        one.id: score_answer(answers.get(one.id, ""), one.answer, kind=one.kind, options=one.options)
        for one in test
    }


def chance(samples: Iterable[Sample]) -> float | None:
    """What accuracy a guesser reaches who picks an option at random, or None without closed questions."""
    shares = [1 / len(sample.options) for sample in samples if sample.kind == "choice" and sample.options]
    return sum(shares) / len(shares) if shares else None


def floors(
    rows: Sequence[Score], samples: Mapping[str, Sample], worths: Mapping[str, float], estimate: Estimate
) -> dict[str, Any]:
    """`chance` and `blind` of the samples of one metric's rows, pooled and by task.

    The rows are those of a metric of answers: what a blind answer earns is measured as a model's is.
    """
    asked = [samples[row.sample_id] for row in rows]
    guessed = [_guess(row, worths[row.sample_id]) for row in rows]
    told: dict[str, Any] = {"chance": chance(asked), "blind": estimate(guessed)}
    tasks = sorted({row.task for row in rows})
    told["chance_by_task"] = {task: chance(one for one in asked if one.task == task) for task in tasks}
    told["blind"]["by_task"] = {
        task: estimate([row for row in guessed if row.task == task]) for task in tasks
    }
    return told


def _guess(row: Score, worth: float) -> Score:
    return Score(row.id, "", row.sample_id, row.patient_id, row.dataset, row.task, row.metric, worth, "blind")
