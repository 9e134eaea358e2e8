"""What can be asked about a study: Study -> Sample.

`TASKS` lists every task in one plain dict: the five of RadRBench-CXR, all of CheXinstruct and what CheXbench
adds, under the short names that recipes use. A task says which topics a study offers and how one of them is
asked; `build.py` chooses among the topics of a whole corpus so that answers are balanced.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import yaml

from cxreason.answers.dialects import OPTION_STYLES
from cxreason.records import Box, Sample, Study, changed, content_id, text_id
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
from cxreason.tasks.asking import Asked, Given, Task, Topic
from cxreason.tasks.dice import Dice, first_throw

__all__ = [
    "RADRBENCH",
    "TASKS",
    "Asked",
    "Dice",
    "Draft",
    "Given",
    "Shown",
    "Task",
    "Topic",
    "by_title",
    "complete",
    "draft",
    "of_study",
    "questions",
    "random_for",
    "sample",
    "samples",
    "shown",
    "tell",
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


def random_for(study: Study, task: str, topic: Topic, seed: int = 0, dice: Dice | None = None) -> Random:
    """The dice of one sample. They depend on nothing else, so the order of processing does not matter.

    Whoever asks very much hands on the same `dice` again and again; they are taken up for this sample.
    """
    if task in RADRBENCH:  # whose samples stay as they were published
        return Random(content_id(seed, study.dataset, study.id, task, topic.subject))
    text = f"{seed}/{study.dataset}/{study.id}/{task}/{topic.subject}/{topic.number}"
    if dice is None:
        return Dice(text)
    dice.seed(text)
    return dice


def _id(study: Study, task: str, topic: Topic, question: str, asked: Asked) -> str:
    """A hash of what is asked about which study, and of the right answer."""
    if task in RADRBENCH:
        number = (topic.number,) if topic.number else ()
        told = (study.dataset, study.id, task, topic.subject, question, asked.options, asked.answer)
        return content_id(*told, *number)
    what = (study.dataset, study.id, task, topic.subject, str(topic.number))
    return text_id(*what, question, asked.answer, *asked.options)


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
    images: tuple[str, ...] | None = None
    """What is shown, as paths of the studies; None is every image, or of two examinations the first each."""
    option_style: str = ""
    official_id: str = ""
    split: str = ""


class Shown(NamedTuple):
    """What a sample shows of its study, which many samples show alike."""

    images: tuple[str, ...]
    boxes: tuple[Box, ...]
    views: tuple[str, ...]


def draft(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
    others: Sequence[Study] = (),
    options: Sequence[str] = (),
    read: Callable[[Study], Any] | None = None,
) -> Draft:
    """One topic of a study as a question with its answer, without what is the study's own.

    `frequency` says how often each label is the right answer in the corpus; without it wrong labels are
    drawn evenly. A task without the prior or the others that it needs is a fault. `read` gives back what the
    task reads of a study, where that was done before.
    """
    way = TASKS[task]
    if way.prior and prior is None:
        raise ValueError(f"study {study.id}: a {task} question needs its prior study {study.prior_id!r}")
    if len(others) != way.company and (others or not topic.alone):
        raise ValueError(f"study {study.id}: a {task} question needs {way.company} others, not {len(others)}")
    if way.told:
        shown_images = None if way.shows_images else ()
        fill = way.told(study, topic.subject)
        asked = Asked((), topic.text, fill=fill, images=shown_images, subject=topic.subject)
    else:
        often, before = EVEN if frequency is None else frequency, prior if way.prior else None
        asked = way.ask(study, topic, rng, Given(often, before, others, options, read or way.reads))
    question = asked.question
    if not question:
        templates = questions()[asked.wording or task]
        template = templates[0] if len(templates) == 1 else rng.choice(templates)
        question = template.format_map(asked.fill) if asked.fill else template
    style = ""
    if asked.styled:  # an answer that lists labels has no use for letters
        style = "plain" if asked.kind == "labels" else rng.choice(OPTION_STYLES)
    return Draft(
        _id(study, task, topic, question, asked),
        question,
        asked.answer,
        asked.options,
        asked.subject,
        asked.kind or way.kind,
        asked.images,
        style,
        asked.official_id,
        topic.split or study.split,
    )


def tell(
    studies: Sequence[Study], task: str, subjects: Sequence[str], texts: Sequence[str], seed: int = 0
) -> tuple[list[str], list[str]]:
    """The ids and the questions of many topics of a task that is told, as `draft` makes them one by one.

    >>> study = Study("a", "d", "p", ("a.png",), findings="Clear lungs.")
    >>> (topic,) = TASKS["findings"].topics(study)
    >>> made = draft(study, None, "findings", topic, random_for(study, "findings", topic))
    >>> tell([study], "findings", [topic.subject], [topic.text]) == ([made.id], [made.question])
    True
    """
    fill, templates = TASKS[task].told, questions()[task]
    if fill is None:
        raise ValueError(f"the task {task} is not told")
    ids, asked = [], []
    start = str(seed)
    for study, subject, text in zip(studies, subjects, texts, strict=True):
        dataset, name = study.dataset, study.id
        drawn = first_throw("/".join((start, dataset, name, task, subject, "0")), len(templates))
        question = templates[drawn].format_map(fill(study, subject))
        ids.append(text_id(dataset, name, task, subject, "0", question, text))
        asked.append(question)
    return ids, asked


def complete(drawn: Draft, study: Study, prior: Study | None, task: str) -> Sample:
    """A draft with what is its study's own: images, report, labels, boxes; image paths stay the study's."""
    prior = prior if TASKS[task].prior else None
    return Sample(
        task=task,
        **of_study(study),
        prior_report=prior.report if prior else "",
        **{**drawn._asdict(), **shown(drawn.images, study, prior, task)._asdict()},
    )


def of_study(study: Study) -> dict[str, Any]:
    """The fields of a sample that are those of its study, whatever is asked.

    >>> of_study(Study("s1", "toy", "p1", (), impression="Normal."))["report"]
    'Normal.'
    """
    return {
        "dataset": study.dataset,
        "patient_id": study.patient_id,
        "study_id": study.id,
        "report": study.report,
        "labels": study.labels,
        "sex": study.sex,
        "age": study.age,
        "groups": study.keys,
    }


def shown(images: tuple[str, ...] | None, study: Study, prior: Study | None, task: str) -> Shown:
    """What a draft with these images shows; `prior` only where the task asks about two examinations."""
    if images is None:  # a comparison announces exactly two images: one frontal view each
        images = (prior.images[0], study.images[0]) if prior else study.images
    views = () if TASKS[task].about_views else _views(images, study, prior)
    return Shown(images, _on_shown(study, images), views)


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
    return tuple(changed(box, image=where[box.image]) for box in study.boxes if box.image in where)


def sample(
    study: Study,
    prior: Study | None,
    task: str,
    topic: Topic,
    rng: Random,
    frequency: Mapping[str, float] | None = None,
    others: Sequence[Study] = (),
    options: Sequence[str] = (),
) -> Sample:
    """One topic of a study as a whole sample: `draft`, then `complete`."""
    return complete(draft(study, prior, task, topic, rng, frequency, others, options), study, prior, task)


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
