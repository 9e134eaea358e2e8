"""The text of a report from the images of an examination.

findings, impression                    of one examination: what the text compares with is cut out
findings_with_indication, ...           the same, told why the examination was made

What cannot be seen is never asked for: a text that is about the past alone makes no sample.
"""

from __future__ import annotations

from functools import lru_cache, partial
from random import Random

from cxreason.answers import report
from cxreason.records import Study
from cxreason.tasks.asking import Asked, Given, Task, Topic
from cxreason.text.comparisons import without_comparison

of_one_examination = lru_cache(maxsize=4096)(without_comparison)


def section_topics(study: Study, section: str, *, indication: bool = False) -> list[Topic]:
    """One topic where the section says something about this examination."""
    text = getattr(study, section)
    if not text or not study.images or (indication and not study.indication):
        return []
    return [Topic(section, "", "")] if of_one_examination(text) else []


def ask_section(
    study: Study, topic: Topic, rng: Random, given: Given, *, section: str, indication: bool = False
) -> Asked:
    """The section as its author wrote it, without what it compares with."""
    fill = {"indication": study.indication.strip()} if indication else {}
    return Asked((), report.write(of_one_examination(getattr(study, section))), fill=fill)


def _section(section: str, title: str, *, indication: bool = False) -> Task:
    return Task(
        "report",
        partial(section_topics, section=section, indication=indication),
        partial(ask_section, section=section, indication=indication),
        title=title,
    )


TASKS: dict[str, Task] = {
    "findings": _section("findings", "Findings Generation"),
    "findings_with_indication": _section("findings", "Findings Generation with Indication", indication=True),
    "impression": _section("impression", "Impression Generation"),
    "impression_with_indication": _section(
        "impression", "Impression Generation with Indication", indication=True
    ),
}
