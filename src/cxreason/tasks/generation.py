"""The text of a report, from the images of an examination or from another part of the report.

findings, impression                 of one examination: what the text compares with is cut out
..._with_indication                  the same, told why the examination was made
local_findings, local_impression     what a section says of one region
progression_findings, ...            of two examinations, the previous one first: the text as it compares
local_progression_findings, ...      what a comparing section says of one region
summarization                        the impression that follows from findings, without an image
report                               a report that is not divided, in the language in which it is written
caption                              the caption of a figure

What cannot be seen is never asked for: a text about the past alone makes no sample of one examination, and
one that compares with nothing makes none of two.
"""

from __future__ import annotations

import re
from functools import partial
from random import Random

from cxreason.answers import report as report_answer
from cxreason.answers import text as text_answer
from cxreason.records import Study
from cxreason.tasks.asking import Asked, Given, Task, Topic
from cxreason.text.comparisons import (
    compares,
    sentence_compares,
    sentence_without_comparison,
    without_comparison,
)
from cxreason.text.passages import sentences_about

UNDIVIDED_IMPRESSION = ("candid-ptx",)
"""Datasets whose undivided reports stand for an impression."""
LANGUAGES = {"en": "English", "es": "Spanish"}
_MASKED = re.compile(r"_{3,}|\bXXXX\b|\b[ap]\.m\.|\d [ap]m\b", re.IGNORECASE)
"""Marks of de-identification and of the clock: a summary that has them tells more than the findings do."""


def section_of(study: Study, section: str) -> str:
    """The text of a section; empty where there is none."""
    if section == "impression" and not study.impression and study.dataset in UNDIVIDED_IMPRESSION:
        return study.narrative
    return getattr(study, section)


def _alone(study: Study, section: str, indication: bool) -> list[Topic]:
    text = section_of(study, section)
    if not text or not study.images or (indication and not study.indication):
        return []
    return [Topic("", "")] if without_comparison(text) else []


def _compared(study: Study, section: str) -> list[Topic]:
    text = section_of(study, section)
    return [Topic("", "")] if study.prior_id and study.images and text and compares(text) else []


def _local(study: Study, section: str, compared: bool) -> list[Topic]:
    text = section_of(study, section)
    if not text or not study.images or (compared and not (study.prior_id and compares(text))):
        return []
    fits = sentence_compares if compared else sentence_without_comparison
    return [
        Topic(region, "", region) for region, said in sentences_about(text).items() if any(map(fits, said))
    ]


def ask_section(
    study: Study,
    topic: Topic,
    rng: Random,
    given: Given,
    *,
    section: str,
    compared: bool = False,
    indication: bool = False,
) -> Asked:
    """A section, or what it says of the region of the topic, with or without what it compares with."""
    text = section_of(study, section)
    if topic.subject:
        said = sentences_about(text)[topic.subject]
        text = " ".join(said if compared else filter(None, map(sentence_without_comparison, said)))
    elif not compared:
        text = without_comparison(text)
    fill = {"region": topic.subject} if topic.subject else {}
    if indication:
        fill["indication"] = " ".join(study.indication.split())
    return Asked((), report_answer.write(text), fill=fill, subject=topic.subject)


def summary_topics(study: Study) -> list[Topic]:
    """Findings with an impression that neither hides nor dates anything, and is no sentence of theirs."""
    if not study.findings or not study.impression or _MASKED.search(study.impression):
        return []
    return [] if text_answer.gives_away(study.findings, study.impression) else [Topic("", "")]


def ask_summary(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The impression of findings that are given in words; no image is shown."""
    fill = {"findings": study.findings.strip()}
    return Asked((), report_answer.write(study.impression), fill=fill, images=())


def narrative_topics(study: Study) -> list[Topic]:
    return [Topic("", "")] if study.narrative and study.images else []


def ask_report(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    """The undivided report in its own language, which the question names."""
    language = LANGUAGES.get(study.language, study.language)
    return Asked((), report_answer.write(study.narrative), fill={"language": language})


def ask_caption(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    return Asked((), text_answer.write(study.narrative))


def _section(section: str, title: str, *, indication: bool = False) -> Task:
    topics = partial(_alone, section=section, indication=indication)
    ask = partial(ask_section, section=section, indication=indication)
    return Task("report", topics, ask, title=title)


def _region(section: str, title: str, *, compared: bool = False) -> Task:
    return Task(
        "report",
        partial(_local, section=section, compared=compared),
        partial(ask_section, section=section, compared=compared),
        title=title,
        prior=compared,
    )


def _progression(section: str, title: str) -> Task:
    ask = partial(ask_section, section=section, compared=True)
    return Task("report", partial(_compared, section=section), ask, title=title, prior=True)


TASKS: dict[str, Task] = {
    "findings": _section("findings", "Findings Generation"),
    "findings_with_indication": _section("findings", "Findings Generation with Indication", indication=True),
    "impression": _section("impression", "Impression Generation"),
    "impression_with_indication": _section(
        "impression", "Impression Generation with Indication", indication=True
    ),
    "local_findings": _region("findings", "Local Findings Generation"),
    "local_impression": _region("impression", "Local Impression Generation"),
    "progression_findings": _progression("findings", "Progression Findings Generation"),
    "progression_impression": _progression("impression", "Progression Impression Generation"),
    "local_progression_findings": _region("findings", "Local Progression Findings Generation", compared=True),
    "local_progression_impression": _region(
        "impression", "Local Progression Impression Generation", compared=True
    ),
    "summarization": Task("report", summary_topics, ask_summary, title="Findings Summarization"),
    "report": Task("report", narrative_topics, ask_report, title="Report Generation"),
    "caption": Task("text", narrative_topics, ask_caption, title="Caption Generation"),
}
