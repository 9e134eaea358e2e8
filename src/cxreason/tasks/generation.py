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
from collections.abc import Mapping
from functools import partial

from cxreason.answers import report as report_answer
from cxreason.answers import text as text_answer
from cxreason.records import Study
from cxreason.tasks.asking import Task, Topic, topic_of
from cxreason.text.comparisons import (
    compares,
    sentence_compares,
    sentence_without_comparison,
    without_comparison,
)
from cxreason.text.passages import sentences_about
from cxreason.text.sections import one_line

UNDIVIDED_IMPRESSION = ("candid-ptx",)
"""Datasets whose undivided reports stand for an impression."""
LANGUAGES = {"en": "English", "es": "Spanish"}
_MASKED = re.compile(r"_{3,}|\bxxxx\b|\b[ap]\.m\.|\d [ap]m\b")
"""Marks of de-identification and of the clock: a summary that has them tells more than the findings do."""


_PARTS_OF_MASKS = ("___", "xxxx", ".m.", " am", " pm")
"""One of these is in every such mark; to look for them is far cheaper than for the marks."""


def section_of(study: Study, section: str) -> str:
    """The text of a section; empty where there is none."""
    if section == "impression" and not study.impression and study.dataset in UNDIVIDED_IMPRESSION:
        return study.narrative
    return getattr(study, section)


def _alone(study: Study, section: str, indication: bool) -> list[Topic]:
    """A section without what it compares with."""
    text = section_of(study, section)
    if not text or not study.images or (indication and not study.indication):
        return []
    return _whole(without_comparison(text))


def _whole(text: str) -> list[Topic]:
    return [Topic("", "", text=report_answer.write(text))] if text.strip() else []


def _compared(study: Study, section: str) -> list[Topic]:
    """A section as it compares with the study before."""
    text = section_of(study, section)
    return _whole(text) if study.prior_id and study.images and text and compares(text) else []


def _local(study: Study, section: str, compared: bool) -> list[Topic]:
    """What a section says of each region, with or without what it compares with."""
    text = section_of(study, section)
    if not text or not study.images or (compared and not (study.prior_id and compares(text))):
        return []
    about = sentences_about(text).items()
    if compared:
        told = [(region, " ".join(said)) for region, said in about if any(map(sentence_compares, said))]
    else:
        told = [
            (region, " ".join(filter(None, map(sentence_without_comparison, said)))) for region, said in about
        ]
    return [
        topic_of((region, "", region, 0, False, "", report_answer.write(text)))
        for region, text in told
        if text
    ]


def summary_topics(study: Study) -> list[Topic]:
    """The impression of findings, where it neither hides nor dates anything and is no sentence of theirs."""
    if not study.findings.strip() or not study.impression:
        return []
    said = study.impression.lower()
    if any(part in said for part in _PARTS_OF_MASKS) and _MASKED.search(said):
        return []
    return [] if text_answer.gives_away(study.findings, study.impression) else _whole(study.impression)


def narrative_topics(study: Study) -> list[Topic]:
    return _whole(study.narrative) if study.images else []


def caption_topics(study: Study) -> list[Topic]:
    if not study.narrative.strip() or not study.images:
        return []
    return [Topic("", "", text=text_answer.write(study.narrative))]


def _nothing(study: Study, subject: str) -> Mapping[str, str]:
    return {}


def _indication(study: Study, subject: str) -> Mapping[str, str]:
    return {"indication": one_line(study.indication)}


def _region_named(study: Study, subject: str) -> Mapping[str, str]:
    return {"region": subject}


def _findings(study: Study, subject: str) -> Mapping[str, str]:
    return {"findings": study.findings.strip()}


def _language(study: Study, subject: str) -> Mapping[str, str]:
    """An undivided report is asked for in its own language, which the question names."""
    return {"language": LANGUAGES.get(study.language, study.language)}


def _section(section: str, title: str, *, indication: bool = False) -> Task:
    topics = partial(_alone, section=section, indication=indication)
    return Task("report", topics, title=title, told=_indication if indication else _nothing)


def _region(section: str, title: str, *, compared: bool = False) -> Task:
    topics = partial(_local, section=section, compared=compared)
    return Task("report", topics, title=title, prior=compared, told=_region_named)


def _progression(section: str, title: str) -> Task:
    return Task("report", partial(_compared, section=section), title=title, prior=True, told=_nothing)


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
    "summarization": Task(
        "report", summary_topics, title="Findings Summarization", told=_findings, shows_images=False
    ),
    "report": Task("report", narrative_topics, title="Report Generation", told=_language),
    "caption": Task("text", caption_topics, title="Caption Generation", told=_nothing),
}
