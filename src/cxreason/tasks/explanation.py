"""What lies at a place, why a finding is suspected, and which words of a report stand for what.

phrase_grounding             a phrase of a report -> its boxes
phrase_extraction_grounding  a report and a finding -> the phrase that speaks of it, with its boxes
localized_description        a box -> the words of the radiologist
localized_disease            a box -> the finding
localized_phrase             a box and the report -> the phrase
explanation                  a diagnosis -> the sentence that gives its signs (MIMIC-NLE)
entities                     a report -> its anatomy and observations (RadGraph)
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache, partial
from itertools import permutations
from random import Random

from cxreason.answers import boxes as box_answer
from cxreason.answers import text as text_answer
from cxreason.imaging.boxes import in_order, merged
from cxreason.records import Box, Study
from cxreason.tasks.asking import Asked, Given, Task, Topic, pair_of, shuffled, sign
from cxreason.tasks.grounding import MOST_BOXES, can_be_written, covers
from cxreason.text.ontology import NO_FINDING

MEANINGS = {"ANAT-DP": "anatomy", "OBS-DP": "present", "OBS-U": "uncertain", "OBS-DA": "absent"}
"""RadGraph's labels in words."""
ROWS, COLUMNS, SIZES = ("upper", "middle", "lower"), ("left", "middle", "right"), ("small", "medium", "large")
AREAS = (0.02, 0.1)
"""Of an image: where small ends, and medium."""


def _plain(text: str) -> str:
    return " ".join(text.split())


def phrases(study: Study) -> list[tuple[str, str, int, tuple[Box, ...]]]:
    """(phrase, finding, image, boxes) for each phrase of a study, in the order in which they first stand."""
    found: dict[tuple[str, int], list[Box]] = {}
    for box in study.boxes:
        if box.phrase:
            found.setdefault((_plain(box.phrase), box.image), []).append(box)
    return [
        (phrase, own[0].label, image, tuple(in_order(own)))
        for (phrase, image), own in found.items()
        if can_be_written(own)
    ]


def report_of(study: Study) -> str:
    """Findings, impression and what stands in no section, on one line each."""
    return "\n".join(_plain(part) for part in (study.findings, study.impression, study.narrative) if part)


def phrase_topics(study: Study, *, in_report: bool = False) -> list[Topic]:
    """Every phrase; where wanted only those that the report has word by word, and no other of its finding."""
    known = phrases(study)
    if in_report:
        report = report_of(study).casefold()
        labels = [label for _, label, _, _ in known]
        return [
            Topic("", label, label, number=number)
            for number, (phrase, label, _, _) in enumerate(known)
            if phrase.casefold() in report and labels.count(label) == 1
        ]
    return [Topic("", label, label, number=number) for number, (_, label, _, _) in enumerate(known)]


def _literal(boxes: tuple[Box, ...], name: str = "") -> str:
    return box_answer.write(Box(name, box.x1, box.y1, box.x2, box.y2) for box in boxes)


def ask_phrase(study: Study, topic: Topic, rng: Random, given: Given, *, way: str) -> Asked:
    """One phrase of a study: where it is, which it is, or what it says, as the task's `way` has it."""
    phrase, label, image, boxes = phrases(study)[topic.number]
    shown = study.images[image : image + 1]
    fill = {"phrase": phrase, "finding": label, "boxes": _literal(boxes), "report": report_of(study)}
    answer = _literal(boxes, phrase) if way == "boxes" else text_answer.write(phrase)
    return Asked((), answer, fill=fill, images=shown, subject=label)


def _phrase_task(title: str, way: str, *, in_report: bool = False) -> Task:
    return Task(
        "boxes" if way == "boxes" else "text",
        partial(phrase_topics, in_report=in_report),
        partial(ask_phrase, way=way),
        title=title,
    )


def places(study: Study) -> list[tuple[str, int, tuple[Box, ...]]]:
    """(finding, image, boxes) of what lies somewhere: phrase by phrase, else box by joined box."""
    with_phrases = phrases(study)
    if with_phrases:
        return [(label, image, boxes) for _, label, image, boxes in with_phrases]
    found = merged(study.boxes)
    count = [(box.label, box.image) for box in found]
    return [
        (box.label, box.image, (box,))
        for box in found
        if count.count((box.label, box.image)) <= MOST_BOXES and can_be_written([box])
    ]


def disease_topics(study: Study) -> list[Topic]:
    """What lies somewhere. A group is a place and a size: where a box lies must not tell what is in it."""
    met: Counter[str] = Counter()
    topics = []
    for number, (label, _, boxes) in enumerate(places(study)):
        about = _about(boxes)
        topics.append(Topic(f"{about}/{met[about]}", label, label, number, alone=True))
        met[about] += 1
    return topics


def _about(boxes: Sequence[Box]) -> str:
    """About where boxes lie on an image, by thirds, and how much of it they take.

    >>> _about([Box("edema", 0.1, 0.1, 0.2, 0.2)])
    'upper left, small'
    """
    left, upper = min(box.x1 for box in boxes), min(box.y1 for box in boxes)
    right, lower = max(box.x2 for box in boxes), max(box.y2 for box in boxes)
    row = ROWS[min(int((upper + lower) / 2 * len(ROWS)), len(ROWS) - 1)]
    column = COLUMNS[min(int((left + right) / 2 * len(COLUMNS)), len(COLUMNS) - 1)]
    return f"{row} {column}, {SIZES[bisect(AREAS, (right - left) * (lower - upper))]}"


def disease_says(study: Study, topic: Topic) -> tuple[int, ...]:
    return (sign(topic.value),)


def ask_disease(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The finding in a box, among those in such a place of three other studies, or of one; else in words.

    Each is right for one of them, and certainly nowhere in the others.
    """
    label, image, boxes = places(study)[topic.number]
    fill, shown = {"boxes": _literal(boxes)}, study.images[image : image + 1]
    if given.others:
        found = {one.id: _named(one, topic.group) for one in (study, *given.others)}

        def apart(*studies: Study) -> bool:
            return all(found[two.id] in _lacking(one) for one, two in permutations(studies, 2))

        circle = sorted((study, *given.others), key=lambda one: one.id)
        for beside in (circle, pair_of(study, circle, apart)):
            if apart(*beside):
                options = [found[one.id] for one in beside]
                return shuffled(options, label, rng, fill=fill, images=shown, styled=True)
    return Asked((), text_answer.write(label), fill=fill, images=shown, kind="text")


def _named(study: Study, group: str) -> str:
    return next(topic.value for topic in disease_topics(study) if topic.group == group)


def _lacking(study: Study) -> tuple[str, ...]:
    return _absent(tuple(study.labels.items()), tuple(box.label for box in study.boxes))


@lru_cache(maxsize=4096)
def _absent(labels: tuple[tuple[str, int], ...], boxed: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        name
        for name, value in labels
        if value == 0 and name != NO_FINDING and not any(covers(name, label) for label in boxed)
    )


def explanation_topics(study: Study) -> list[Topic]:
    return [
        Topic("", one.subject, one.subject, number)
        for number, one in enumerate(study.questions)
        if one.type == "explanation" and one.subject and one.answers
    ]


def ask_explanation(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The sentence in which the radiologist says what a diagnosis rests on."""
    one = study.questions[topic.number]
    answer = text_answer.write(one.answer)
    return Asked((), answer, fill={"finding": one.subject}, subject=one.subject, official_id=one.id)


def entity_topics(study: Study) -> list[Topic]:
    return [Topic("", "")] if study.entities and study.narrative else []


def ask_entities(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """Every word or phrase that is marked, in the order of the report, each with what it is."""
    marked = sorted(study.entities, key=lambda one: (one.start, one.end))
    said = "; ".join(f"{_plain(one.text)}: {MEANINGS[one.label]}" for one in marked)
    return Asked((), text_answer.write(said), fill={"report": _plain(study.narrative)}, images=())


TASKS: dict[str, Task] = {
    "phrase_grounding": _phrase_task("Phrase Grounding", "boxes"),
    "phrase_extraction_grounding": _phrase_task("Phrase Extraction and Grounding", "boxes", in_report=True),
    "localized_description": _phrase_task("Localized Abnormality Description", "text"),
    "localized_phrase": _phrase_task("Localized Phrase Extraction", "text", in_report=True),
    "localized_disease": Task(
        "choice",
        disease_topics,
        ask_disease,
        title="Localized Disease Identification",
        company=3,
        says=disease_says,
    ),
    "explanation": Task("text", explanation_topics, ask_explanation, title="Natural Language Explanation"),
    "entities": Task("text", entity_topics, ask_entities, title="Named Entity Recognition"),
}
