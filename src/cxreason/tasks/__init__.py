"""What can be asked about a study: Study -> Sample.

`TASKS` lists every task in one plain dict. A task says which topics a study offers and how one of them is
asked; `build.py` chooses among the topics of a whole corpus so that answers are balanced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import yaml

from cxreason.records import Kind, Sample, Study, content_id
from cxreason.tasks import radrbench
from cxreason.tasks.radrbench import Asked, Topic

__all__ = ["TASKS", "Draft", "Task", "Topic", "complete", "draft", "random_for", "sample", "samples"]

EVEN = dict.fromkeys(radrbench.LABELS, 1.0)
"""How often each label is right where nobody has counted."""


@dataclass(frozen=True)
class Task:
    """One way of asking: the kind of its answer, the topics of a study, and options with gold answer."""

    kind: Kind
    topics: Callable[[Study], list[Topic]]
    ask: Callable[[Study, Topic, Random, Mapping[str, float]], Asked]
    values: tuple[str, ...] = ()
    """Where given, the values that every group needs equally often."""


TASKS: dict[str, Task] = {
    "binary": Task("choice", radrbench.binary_topics, radrbench.ask_binary, values=("yes", "no")),
    "single": Task("choice", radrbench.single_topics, radrbench.ask_single),
    "multiple": Task("choice", radrbench.multiple_topics, radrbench.ask_multiple),
    "anomaly": Task("labels", radrbench.anomaly_topics, radrbench.ask_open),
    "temporal": Task("choice", radrbench.temporal_topics, radrbench.ask_temporal, values=radrbench.CHANGES),
}


@cache
def _questions() -> dict[str, str]:
    return yaml.safe_load((Path(__file__).parent / "questions.yaml").read_text(encoding="utf-8"))


def random_for(study: Study, task: str, topic: Topic, seed: int = 0) -> Random:
    """The dice of one sample. They depend on nothing else, so the order of processing does not matter."""
    return Random(content_id(seed, study.dataset, study.id, task, topic.subject))


class Draft(NamedTuple):
    """What differs between the samples of one study. `complete` adds what they share with it.

    A large build never makes a `Sample`: it writes drafts beside the columns of their studies, so a draft
    is all that a sample costs. Keep making one below 20 microseconds.
    """

    id: str
    question: str
    answer: str
    options: tuple[str, ...] = ()
    subject: str = ""


def draft(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
) -> Draft:
    """One topic of a study as a question with its answer, without what is the study's own.

    `frequency` says how often each label is the right answer in the corpus; without it wrong labels are
    drawn evenly. A temporal task without `prior` is a fault.
    """
    if task == "temporal" and prior is None:
        raise ValueError(f"study {study.id}: a temporal question needs its prior study {study.prior_id!r}")
    asked = TASKS[task].ask(study, topic, rng, EVEN if frequency is None else frequency)
    question = _questions()[task].format(finding=topic.subject)
    return Draft(
        id=content_id(study.dataset, study.id, task, topic.subject, question, asked.options, asked.answer),
        question=question,
        answer=asked.answer,
        options=asked.options,
        subject=topic.subject if task in ("binary", "temporal") else "",
    )


def complete(drawn: Draft, study: Study, prior: Study | None, task: str) -> Sample:
    """A draft with what is its study's own: images, report, labels, boxes; image paths stay the study's."""
    # One frontal view each for a comparison: the question announces exactly two images.
    images = (prior.images[0], study.images[0]) if task == "temporal" and prior else study.images
    shift = len(images) - 1 if task == "temporal" else 0
    boxes = tuple(
        type(box)(box.label, box.x1, box.y1, box.x2, box.y2, box.image + shift)
        for box in study.boxes
        if box.image + shift < len(images)
    )
    return Sample(
        id=drawn.id,
        dataset=study.dataset,
        task=task,
        kind=TASKS[task].kind,
        patient_id=study.patient_id,
        study_id=study.id,
        split=study.split,
        images=images,
        question=drawn.question,
        answer=drawn.answer,
        options=drawn.options,
        subject=drawn.subject,
        report=study.report,
        prior_report=prior.report if task == "temporal" and prior else "",
        boxes=boxes,
        labels=study.labels,
    )


def sample(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
) -> Sample:
    """One topic of a study as a whole sample: `draft`, then `complete`."""
    return complete(draft(study, prior, task, topic, rng, frequency), study, prior, task)


def samples(study: Study, prior: Study | None, task: str, rng: Random) -> Iterator[Sample]:
    """Every sample of one task that a study offers.

    >>> study = Study("a", "d", "p", ("a.png",), labels={"edema": 1, "fracture": -1})
    >>> [one.question for one in samples(study, None, "binary", Random(0))]
    ['Does this chest X-ray show edema?']
    """
    if task == "temporal" and prior is None:
        return
    for topic in TASKS[task].topics(study):
        yield sample(study, prior, task, topic, rng)
