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

import yaml

from cxreason.records import Kind, Sample, Study, content_id
from cxreason.tasks import radrbench
from cxreason.tasks.radrbench import Asked, Topic

__all__ = ["TASKS", "Task", "Topic", "random_for", "sample", "samples"]


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


def sample(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
) -> Sample:
    """One topic of a study as a question with its answer.

    `frequency` says how often each label is the right answer in the corpus; without it wrong labels are
    drawn evenly. Images keep the paths of the studies. A temporal task without `prior` is a fault.
    """
    if task == "temporal" and prior is None:
        raise ValueError(f"study {study.id}: a temporal question needs its prior study {study.prior_id!r}")
    even = dict.fromkeys(radrbench.LABELS, 1.0)
    asked = TASKS[task].ask(study, topic, rng, even if frequency is None else frequency)
    question = _questions()[task].format(finding=topic.subject)
    # One frontal view each for a comparison: the question announces exactly two images.
    images = (prior.images[0], study.images[0]) if task == "temporal" and prior else study.images
    shift = len(images) - 1 if task == "temporal" else 0
    boxes = tuple(
        type(box)(box.label, box.x1, box.y1, box.x2, box.y2, box.image + shift)
        for box in study.boxes
        if box.image + shift < len(images)
    )
    return Sample(
        id=content_id(study.dataset, study.id, task, topic.subject, question, asked.options, asked.answer),
        dataset=study.dataset,
        task=task,
        kind=TASKS[task].kind,
        patient_id=study.patient_id,
        study_id=study.id,
        split=study.split,
        images=images,
        question=question,
        answer=asked.answer,
        options=asked.options,
        subject=topic.subject if task in ("binary", "temporal") else "",
        report=study.report,
        prior_report=prior.report if task == "temporal" and prior else "",
        boxes=boxes,
        labels=study.labels,
    )


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
