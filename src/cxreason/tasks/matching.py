"""Which text belongs to which image, and which images belong together.

matching        is this what the image shows?                   yes or no
selection       which of four texts is about this image?
view_matching   are a frontal and a lateral view of one examination?

The wrong texts and views are those of other examinations that say something else, and the studies that stand
together take turns: a text is right for its own study as often as it is wrong for the others. Whoever reads
the texts alone learns nothing.
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from cxreason.records import Study
from cxreason.tasks.asking import Asked, Given, Task, Topic, shuffled, sign
from cxreason.text.comparisons import without_comparison
from cxreason.text.sections import TEXTS, one_line


def texts(study: Study) -> dict[str, str]:
    """What is written about this examination, by section; a caption or an undivided report where that is all.

    >>> list(texts(Study("s", "toy", "p", ("1.png",), findings="Clear lungs.", impression="No change.")))
    ['findings']
    """
    if study.findings or study.impression or study.language != "en":
        return _written(study.findings, study.impression, "")
    return _written("", "", study.narrative)


@lru_cache(maxsize=TEXTS)
def _written(findings: str, impression: str, narrative: str) -> dict[str, str]:
    sections = {"findings": findings, "impression": impression, "narrative": narrative}
    found = {section: one_line(without_comparison(text)) for section, text in sections.items() if text}
    return {section: text for section, text in found.items() if text}


def labelled(study: Study) -> str:
    """What the labels of a study say is there or may be there; empty where it has none."""
    return ", ".join(sorted(name for name, value in study.labels.items() if value))


def text_says(study: Study, topic: Topic) -> tuple[int, ...]:
    """The labels, where there are any, and the words: studies that agree in either are no contrast."""
    words = _sign(texts(study)[topic.group])
    return (sign(labelled(study)) if study.labels else words, words)


@lru_cache(maxsize=TEXTS)
def _sign(text: str) -> int:
    return sign(text.casefold())


def matching_topics(study: Study) -> list[Topic]:
    """Each text twice: it is shown with its own image and, in exchange, another's is shown with that."""
    if not study.images:
        return []
    return [
        Topic(section, value, section, number=int(value == "no"))
        for section in texts(study)
        for value in ("yes", "no")
    ]


def ask_matching(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The own text or that of the other study."""
    (other,) = given.others
    owner = study if topic.value == "yes" else other
    text = given.read(owner)[topic.group]
    return shuffled(("Yes", "No"), topic.value.capitalize(), rng, fill={"text": text}, styled=True)


def selection_topics(study: Study) -> list[Topic]:
    return [Topic(section, section, section) for section in texts(study)] if study.images else []


def ask_selection(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The own text among those of three others."""
    written = [given.read(one)[topic.group] for one in (study, *given.others)]
    return shuffled(written, written[0], rng, styled=True)


def _view(study: Study, view: str) -> str:
    """The first image taken so; empty where there is none."""
    for path, taken in zip(study.images, study.views, strict=False):
        if taken == view:
            return path
    return ""


def view_topics(study: Study) -> list[Topic]:
    """A study that has a PA and a lateral view, twice: with its own lateral view and with another's."""
    if not _view(study, "PA") or not _view(study, "LATERAL"):
        return []
    return [Topic("", "yes"), Topic("", "no", number=1)]


def ask_views(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    (other,) = given.others
    lateral = _view(study if topic.value == "yes" else other, "LATERAL")
    shown = (_view(study, "PA"), lateral)
    return shuffled(("Yes", "No"), topic.value.capitalize(), rng, images=shown, styled=True)


TASKS: dict[str, Task] = {
    "matching": Task(
        "choice",
        matching_topics,
        ask_matching,
        values=("yes", "no"),
        title="Image-Text Matching",
        company=1,
        says=text_says,
        reads=texts,
    ),
    "selection": Task(
        "choice",
        selection_topics,
        ask_selection,
        title="Image-Text Selection",
        company=3,
        says=text_says,
        reads=texts,
    ),
    "view_matching": Task(
        "choice",
        view_topics,
        ask_views,
        values=("yes", "no"),
        title="View Matching",
        about_views=True,  # those of the other study's image are not known: that alone would be the answer
        company=1,
    ),
}
