"""Questions that datasets publish, as they publish them.

open_vqa         answered in words: all of them, those of yes and no too, as CheXinstruct has it
closed_vqa       those with options: one is right, or any number is
difference_vqa   place, degree and kind of a finding, from one image (what CheXinstruct calls Difference VQA)
difference       what is new, gone or changed between two images (the questions that dataset is named after)
text_qa          about a passage of a report, without an image; some cannot be answered from it
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from random import Random

from cxreason.answers import labels as label_answer
from cxreason.answers import text as text_answer
from cxreason.answers.dialects import letters
from cxreason.records import Question, Study
from cxreason.tasks.asking import Asked, Given, Task, Topic

YES_NO = ("yes", "no")
MOST_OPTIONS = 26
OF_ONE_IMAGE = ("location", "level", "type")
_LISTED = re.compile(r"[,;\n&]|\band\b", re.IGNORECASE)
UNANSWERABLE = "The passage does not say."


def _topics(study: Study, wanted: Callable[[Question], bool]) -> list[Topic]:
    return [
        Topic("", one.answer, one.subject, number=number, split=one.split)
        for number, one in enumerate(study.questions)
        if one.text and wanted(one)
    ]


def options_of(question: Question) -> tuple[str, ...]:
    """The options that a question is closed by; none where they can not be told apart or answered with.

    >>> options_of(Question("Is it enlarged?", ("no",), closed=True))
    ('yes', 'no')
    """
    options = question.options or (YES_NO if question.closed else ())
    return options if _closes(options, question.answers, question.kind == "labels") else ()


@lru_cache(maxsize=65_536)
def _closes(options: tuple[str, ...], answers: tuple[str, ...], several: bool) -> bool:
    """Whether options can be told apart, and answered with."""
    plain = [" ".join(option.casefold().split()) for option in options]
    if not 2 <= len(options) <= MOST_OPTIONS or len(set(plain)) < len(plain) or not all(plain):
        return False
    if not answers or not set(answers) <= set(options):
        return False
    if several:  # an answer lists its options, so none may itself be a list
        return not any(_LISTED.search(option) for option in options)
    return len(answers) == 1


def is_open(question: Question) -> bool:
    return bool(question.answers) and question.type != "explanation"


def is_closed(question: Question) -> bool:
    return bool(options_of(question))


def _shown(study: Study, question: Question) -> tuple[str, ...] | None:
    return tuple(study.images[place] for place in question.images) or None


def _said(question: Question) -> str:
    return f"{question.context}\n{question.text}" if question.context else question.text


def ask_open(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The question as it stands, what goes before it first, and the answer in words."""
    one = study.questions[topic.number]
    return Asked(
        (),
        text_answer.write(one.answer),
        question=_said(one),
        images=_shown(study, one),
        subject=one.subject,
        official_id=one.id,
    )


def ask_closed(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The question as it stands, its options in an order that is drawn."""
    one = study.questions[topic.number]
    options = list(options_of(one))
    rng.shuffle(options)
    several = one.kind == "labels"
    return Asked(
        tuple(options),
        label_answer.write(one.answers, options)
        if several
        else letters(options)[options.index(one.answers[0])],
        question=_said(one),
        images=_shown(study, one),
        kind="labels" if several else None,
        subject=one.subject,
        official_id=one.id,
        styled=True,
    )


def text_topics(study: Study) -> list[Topic]:
    return _topics(study, lambda one: bool(one.context))


def ask_text(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """A question about a passage; where the passage has no answer, that is the answer."""
    one = study.questions[topic.number]
    return Asked(
        (),
        text_answer.write(one.answer or UNANSWERABLE),
        fill={"passage": one.context, "question": one.text},
        images=(),
        official_id=one.id,
    )


TASKS: dict[str, Task] = {
    "open_vqa": Task("text", partial(_topics, wanted=is_open), ask_open, title="Open-Ended VQA"),
    "closed_vqa": Task("choice", partial(_topics, wanted=is_closed), ask_closed, title="Close-Ended VQA"),
    "difference_vqa": Task(
        "text",
        partial(_topics, wanted=lambda one: is_open(one) and one.type in OF_ONE_IMAGE),
        ask_open,
        title="Difference VQA",
    ),
    "difference": Task(
        "text",
        lambda study: (
            _topics(study, lambda one: is_open(one) and one.type == "difference") if study.prior_id else []
        ),
        ask_open,
        prior=True,
    ),
    "text_qa": Task("text", text_topics, ask_text, title="Text QA"),
}
