"""Where on the image something is: boxes in CheXOne's literal form, or one sentence that there is nothing.

grounding               any labelled abnormality (VinDr-CXR, VinDr-PCXR, phantoms)
pneumothorax_grounding  and so on: one finding or device whose masks or boxes a dataset gives

One finding of one image is a sample. For each finding there are as many images without it as with it. The
same finding's boxes are joined where they overlap, and written from left to right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from random import Random

from cxreason.answers import boxes as box_answer
from cxreason.imaging.boxes import area, in_order, merged, to_hundred
from cxreason.records import Box, Study
from cxreason.tasks.asking import Asked, Given, Task, Topic
from cxreason.tasks.radrbench import is_normal
from cxreason.text.ontology import NO_FINDING, implies, main_finding, parents

MOST_BOXES = 2
"""An abnormality that lies in more places than these is not asked for, as in CheXinstruct."""


@cache
def covers(wider: str, label: str) -> bool:
    """Whether a box with this label shows the wider finding.

    >>> covers("lung lesion", "granuloma"), covers("foreign object", "foreign object")
    (True, True)
    """
    return label == wider or (label in parents() and wider in parents() and implies(label, wider))


def asked_image(study: Study) -> int:
    """The image that is asked about: the first frontal one, so that the view never tells the answer."""
    return next((number for number, view in enumerate(study.views) if view in ("PA", "AP")), 0)


def boxes_of(study: Study, label: str, image: int) -> list[Box]:
    """The boxes of a finding on one image, named as asked, overlapping ones joined, from left to right."""
    found = [
        Box(label, box.x1, box.y1, box.x2, box.y2)
        for box in study.boxes
        if box.image == image and covers(label, box.label)
    ]
    return in_order(merged(found)) if len(found) > 1 else found


def can_be_written(boxes: Sequence[Box]) -> bool:
    """Whether every box still has an area in whole hundredths: else no answer could earn anything.

    >>> can_be_written([Box("line", 0.2, 0.101, 0.9, 0.104)])
    False
    """
    return bool(boxes) and all(area(to_hundred(box)) > 0 for box in boxes)


def _known_absent(study: Study, label: str) -> bool:
    """Labelled as absent, itself or by what it is a kind of; nothing that shows it lies on any image."""
    value = study.labels.get(label)
    if value is None and label in parents():  # of a foreign object, "normal" says nothing
        value = study.labels.get(main_finding(label), 0 if is_normal(study) else None)
    return value == 0 and not any(covers(label, box.label) for box in study.boxes)


def abnormality_topics(study: Study) -> list[Topic]:
    """Every label of a study: its boxes where there are any, their lack where it is absent.

    A box counts where only some readers, or the report only by half, call the finding present.
    """
    if not study.images:
        return []
    image, topics = asked_image(study), []
    for label, value in study.labels.items():
        if label == NO_FINDING:
            continue
        if value == 0:
            if _known_absent(study, label):
                topics.append(Topic(label, "no", label))
            continue
        found = boxes_of(study, label, image)
        if len(found) <= MOST_BOXES and can_be_written(found):
            topics.append(Topic(label, "yes", label))
    return topics


def single_topics(study: Study, label: str) -> list[Topic]:
    """The one thing that a task looks for, wherever it lies and however often."""
    if not study.images:
        return []
    found = boxes_of(study, label, asked_image(study))
    if found:
        return [Topic(label, "yes", label)] if can_be_written(found) else []
    return [Topic(label, "no", label)] if _known_absent(study, label) else []


def ask_where(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The boxes of the subject on the image that is asked about."""
    label, image = topic.subject, asked_image(study)
    found = boxes_of(study, label, image) if topic.value == "yes" else []
    return Asked(
        (),
        box_answer.write(found, name=label),
        wording="grounding",
        fill={"finding": label},
        images=study.images[image : image + 1],
        subject=label,
    )


def _one(label: str, title: str) -> Task:
    topics: Callable[[Study], list[Topic]] = partial(single_topics, label=label)
    return Task("boxes", topics, ask_where, values=("yes", "no"), title=title)


TASKS: dict[str, Task] = {
    "grounding": Task(
        "boxes", abnormality_topics, ask_where, values=("yes", "no"), title="Abnormality Grounding"
    ),
    "pneumothorax_grounding": _one("pneumothorax", "Pneumothorax Grounding"),
    "rib_fracture_grounding": _one("rib fracture", "Rib Fracture Grounding"),
    "chest_tube_grounding": _one("chest tube", "Chest Tube Grounding"),
    "foreign_object_grounding": _one("foreign object", "Foreign Object Grounding"),
}
