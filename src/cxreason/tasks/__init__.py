"""What can be asked about a study: Study -> Sample.

`TASKS` lists every task in one plain dict: the five of RadRBench-CXR, all of CheXinstruct and what CheXbench
adds, under the short names that recipes use. A task says which topics a study offers and how one of them is
asked; `build.py` chooses among the topics of a whole corpus so that answers are balanced.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import NamedTuple

import yaml

from cxreason.answers.dialects import OPTION_STYLES
from cxreason.records import Box, Sample, Study, content_id
from cxreason.tasks import (
    chexbench,
    classification,
    explanation,
    generation,
    grounding,
    matching,
    radrbench,
    vqa,
)
from cxreason.tasks.asking import Asked, Given, Task, Topic, sign

__all__ = [
    "RADRBENCH",
    "TASKS",
    "Asked",
    "Draft",
    "Given",
    "Task",
    "Topic",
    "by_title",
    "complete",
    "draft",
    "questions",
    "random_for",
    "sample",
    "samples",
]

RADRBENCH = tuple(radrbench.TASKS)
"""The tasks of RadRBench-CXR, for which reasoning is mined by rule."""

TASKS: dict[str, Task] = {
    **radrbench.TASKS,
    **vqa.TASKS,
    **classification.TASKS,
    **matching.TASKS,
    **grounding.TASKS,
    **generation.TASKS,
    **explanation.TASKS,
    **chexbench.TASKS,
}

EVEN = dict.fromkeys(radrbench.LABELS, 1.0)
"""How often each label is right where nobody has counted."""


def by_title() -> dict[str, str]:
    """The name under which CheXinstruct publishes a task -> its short name.

    >>> by_title()["Findings Generation"]
    'findings'
    """
    return {task.title: name for name, task in TASKS.items() if task.title}


@cache
def questions() -> dict[str, tuple[str, ...]]:
    """Wording -> its templates, from the files in `questions/`.

    >>> questions()["binary"]
    ('Does this chest X-ray show {finding}?',)
    """
    found: dict[str, tuple[str, ...]] = {}
    for file in sorted((Path(__file__).parent / "questions").glob("*.yaml")):
        for name, templates in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"{file}: the wording {name!r} stands in two files")
            found[name] = (templates,) if isinstance(templates, str) else tuple(templates)
    return found


def random_for(study: Study, task: str, topic: Topic, seed: int = 0) -> Random:
    """The dice of one sample. They depend on nothing else, so the order of processing does not matter."""
    if task in RADRBENCH:
        return Random(content_id(seed, study.dataset, study.id, task, topic.subject))
    # A sum is a tenth of the price of a hash, and there are ten million samples.
    return Random(sign(f"{seed}/{study.dataset}/{study.id}/{task}/{topic.subject}/{topic.number}"))


def _number(topic: Topic) -> tuple[int, ...]:
    """Nothing for the first: most topics have no number, and ids made without one stay."""
    return (topic.number,) if topic.number else ()


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
    kind: str = ""
    """The kind of answer, where a task has several; else empty."""
    images: tuple[str, ...] | None = None
    """What is shown, as paths of the studies; None is every image, or of two examinations the first each."""
    option_style: str = ""
    official_id: str = ""
    split: str = ""
    """Its own split; empty = that of the study."""


def draft(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
    others: Sequence[Study] = (),
) -> Draft:
    """One topic of a study as a question with its answer, without what is the study's own.

    `frequency` says how often each label is the right answer in the corpus; without it wrong labels are
    drawn evenly. A task without the prior or the others that it needs is a fault.
    """
    way = TASKS[task]
    if way.prior and prior is None:
        raise ValueError(f"study {study.id}: a {task} question needs its prior study {study.prior_id!r}")
    if len(others) != way.company and (others or not topic.alone):
        raise ValueError(f"study {study.id}: a {task} question needs {way.company} others, not {len(others)}")
    given = Given(EVEN if frequency is None else frequency, prior if way.prior else None, others)
    asked = way.ask(study, topic, rng, given)
    question = asked.question
    if not question:
        templates = questions()[asked.wording or task]
        template = templates[0] if len(templates) == 1 else rng.choice(templates)
        question = template.format_map(asked.fill) if asked.fill else template
    style = ""
    if asked.styled:  # an answer that lists labels has no use for letters
        style = "plain" if asked.kind == "labels" else rng.choice(OPTION_STYLES)
    return Draft(
        id=content_id(
            *(study.dataset, study.id, task, topic.subject, question, asked.options, asked.answer),
            *_number(topic),
        ),
        question=question,
        answer=asked.answer,
        options=asked.options,
        subject=asked.subject,
        kind=asked.kind or "",
        images=asked.images,
        option_style=style,
        official_id=asked.official_id,
        split=topic.split,
    )


def complete(drawn: Draft, study: Study, prior: Study | None, task: str) -> Sample:
    """A draft with what is its study's own: images, report, labels, boxes; image paths stay the study's."""
    way, images = TASKS[task], drawn.images
    prior = prior if way.prior else None
    if images is None:  # a comparison announces exactly two images: one frontal view each
        images = (prior.images[0], study.images[0]) if prior else study.images
    return Sample(
        id=drawn.id,
        dataset=study.dataset,
        task=task,
        kind=drawn.kind or way.kind,
        patient_id=study.patient_id,
        study_id=study.id,
        split=drawn.split or study.split,
        images=images,
        question=drawn.question,
        answer=drawn.answer,
        options=drawn.options,
        subject=drawn.subject,
        report=study.report,
        prior_report=prior.report if prior else "",
        boxes=_on_shown(study, images),
        labels=study.labels,
        views=() if way.about_views else _views(images, study, prior),
        sex=study.sex,
        age=study.age,
        groups=_keys(study.dataset, study.patient_id, study.groups),
        official_id=drawn.official_id,
        option_style=drawn.option_style,
    )


@lru_cache(maxsize=4096)
def _keys(dataset: str, patient_id: str, groups: tuple[str, ...]) -> tuple[str, ...]:
    """`Study.keys`, as one object for all samples of a study: such are written once."""
    return Study("", dataset, patient_id, (), groups=groups).keys


def _views(images: tuple[str, ...], study: Study, prior: Study | None) -> tuple[str, ...]:
    """The views of what is shown, empty where they are not known."""
    if images is study.images:
        return study.views if all(study.views) else ()
    studies = (study, prior)
    view_of = {
        path: view for one in studies if one for path, view in zip(one.images, one.views, strict=False)
    }
    return tuple(view_of[path] for path in images) if all(map(view_of.get, images)) else ()


def _on_shown(study: Study, images: tuple[str, ...]) -> tuple[Box, ...]:
    """The boxes of the study that lie on an image that is shown."""
    if not study.boxes or images == study.images:
        return study.boxes
    where = {number: images.index(path) for number, path in enumerate(study.images) if path in images}
    return tuple(
        Box(box.label, box.x1, box.y1, box.x2, box.y2, where[box.image], box.phrase, box.reader)
        for box in study.boxes
        if box.image in where
    )


def sample(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
    others: Sequence[Study] = (),
) -> Sample:
    """One topic of a study as a whole sample: `draft`, then `complete`."""
    return complete(draft(study, prior, task, topic, rng, frequency, others), study, prior, task)


def samples(
    study: Study, prior: Study | None, task: str, rng: Random, others: Sequence[Study] = ()
) -> Iterator[Sample]:
    """Every sample of one task that a study offers, with its prior and the others at hand.

    >>> study = Study("a", "d", "p", ("a.png",), labels={"edema": 1, "fracture": -1})
    >>> [one.question for one in samples(study, None, "binary", Random(0))]
    ['Does this chest X-ray show edema?']
    """
    way = TASKS[task]
    if way.prior and prior is None:
        return
    for topic in way.topics(study):
        if len(others) >= way.company or topic.alone:
            yield sample(study, prior, task, topic, rng, others=others[: way.company])
