"""What keeps a chain out, each rule once: every filter gives its reason in words, or nothing.

    answer       the chain ends elsewhere than at the gold answer
    evidence     it points at no sentence of the report
    leak         it gives away that it was made from a report
    comparison   it speaks of change or of earlier studies where there is one image
    length       too short to be reasoning, or too long to be learnt
    factuality   a smaller share of its statements than asked for follows from the report (R_f)
    duplicate    as many nearly equal chains were kept before as may be

All reasons of a chain are kept; the funnel counts the first. What cannot be judged at all has reasons of its
own: `unread` (there is no report), `uncertain` (the report hedges), `empty` (the model said nothing).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from cxreason.evaluation.radrscore import NORMAL_WORTH, facts_of
from cxreason.records import Sample
from cxreason.text.matching import judge as relation_of
from cxreason.text.sections import sentences
from cxreason.text.statements import stated

if TYPE_CHECKING:
    from cxreason.mining.duplicates import Duplicates
    from cxreason.settings import MineFilters

Reading = Literal["paper", "strict"]
READINGS: tuple[Reading, ...] = ("paper", "strict")
NAMES = ("answer", "evidence", "leak", "comparison", "length", "factuality", "duplicate")
"""The filters in their order."""


@dataclass(frozen=True)
class Candidate:
    """A chain before it is judged: where it leads and which sentences of the report it rests on."""

    reasoning: str
    answer: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Judgement:
    """Why a chain is dropped, filter by filter in their order; none where it is kept."""

    reasons: tuple[str, ...] = ()
    readings: dict[Reading, float] = field(default_factory=dict)
    """R_f by reading; empty where the chain or the report says nothing."""

    @property
    def problem(self) -> str:
        """The first reason, or empty."""
        return self.reasons[0] if self.reasons else ""


def judge(
    sample: Sample, candidate: Candidate, wanted: MineFilters, duplicates: Duplicates | None = None
) -> Judgement:
    """A chain held against all filters. One that is kept is remembered in `duplicates`.

    judge(sample, Candidate(chain, "A", ("No edema.",)), MineFilters()).reasons
    """
    readings, unfounded = factuality(candidate.reasoning, sample.facts, wanted.reading)
    share = readings.get(wanted.reading)
    leak, comparison = _find_wordings(candidate.reasoning)
    found = (
        find_disagreement(candidate.answer, sample.answer),
        "evidence: it points at no sentence" if wanted.evidence and not candidate.evidence else "",
        leak,
        "" if sample.task == "temporal" or sample.prior_report else comparison,
        find_length(candidate.reasoning, wanted.min_words, wanted.max_words),
        "" if share is not None and share >= wanted.factuality else unfounded,
    )
    judgement = Judgement(tuple(reason for reason in found if reason), readings)
    return judgement if duplicates is None else unless_repeated(sample, candidate, judgement, duplicates)


def unless_repeated(
    sample: Sample, candidate: Candidate, judgement: Judgement, duplicates: Duplicates
) -> Judgement:
    """The last filter, which needs to know all that was kept before; one that nothing else dropped counts.

    unless_repeated(sample, chain, judge(sample, chain, MineFilters()), Duplicates(20))
    """
    if judgement.reasons:
        return judgement
    repeated = duplicates.find(group(sample.task, candidate.answer), candidate.reasoning)
    return Judgement((repeated,), judgement.readings) if repeated else judgement


def group(task: str, answer: str) -> str:
    """The chains among which nearly equal ones are looked for.

    >>> group("binary", "A")
    'binary A'
    """
    return f"{task} {answer}"


def find_disagreement(answer: str, gold: str) -> str:
    """Why a chain's own answer is not the gold answer, or empty."""
    if answer == gold:
        return ""
    return f"answer: the evidence says {answer or 'nothing'}, the gold answer is {gold}"


def find_leak(reasoning: str) -> str:
    """Why a chain gives its source away, or empty.

    >>> find_leak("The report says edema.")
    "leak: says 'report'"
    """
    return _find_wordings(reasoning)[0]


def find_comparison(reasoning: str) -> str:
    """Why a chain about one image speaks of change, or empty.

    >>> find_comparison("The effusion is unchanged."), find_comparison("Compare both sides.")
    ("comparison: says 'unchanged'", '')
    """
    return _find_wordings(reasoning)[1]


def find_length(reasoning: str, fewest: int, most: int) -> str:
    """Why a chain is too short or too long, or empty.

    >>> find_length("There is edema.", 12, 320)
    'length: 3 words, at least 12'
    """
    words = len(reasoning.split())
    if words < fewest:
        return f"length: {words} words, at least {fewest}"
    return f"length: {words} words, at most {most}" if words > most else ""


@lru_cache(maxsize=16)
def _spoken(reasoning: str) -> tuple[str, ...]:
    return tuple([sentence for _, sentence in sentences(reasoning)])


def _find_wordings(reasoning: str) -> tuple[str, str]:
    """The first leak and the first comparison of a chain, each in words or empty."""
    leak = comparison = ""
    for sentence in _spoken(reasoning):
        found = _wordings_in(sentence)
        leak, comparison = leak or found[0], comparison or found[1]
    return leak, comparison


@lru_cache(maxsize=32_768)
def _wordings_in(sentence: str) -> tuple[str, str]:
    """What a sentence is dropped for; remembered, because chains share most of their sentences."""
    leak, comparison = (_wordings()[name].search(sentence) for name in ("leak", "comparison"))
    return (
        f"leak: says {leak.group().lower()!r}" if leak else "",
        f"comparison: says {comparison.group().lower()!r}" if comparison else "",
    )


@cache
def _wordings() -> dict[str, re.Pattern[str]]:
    text = (Path(__file__).parent / "filters.yaml").read_text(encoding="utf-8")
    return {
        name: re.compile(rf"\b(?:{'|'.join(f'(?:{line})' for line in lines)})\b", re.IGNORECASE)
        for name, lines in yaml.safe_load(text).items()
    }


def factuality(reasoning: str, facts: str, reading: Reading) -> tuple[dict[Reading, float], str]:
    """R_f by reading (`paper`: an unmentioned normal statement counts, `strict`: it does not), and in words
    the first statement that does not count under the one asked for.

    >>> factuality("There is edema. There is no fracture.", "Edema.", "strict")
    ({'paper': 1.0, 'strict': 0.5}, 'factuality: unmentioned normal: There is no fracture.')
    """
    known = facts_of(facts)
    spoken = _spoken(reasoning)
    claims = stated(spoken)
    if not claims:
        return {}, "factuality: the chain observes nothing"
    relations = [relation_of(claim, known) for claim in claims]
    supported, normal = relations.count("supported"), relations.count("unmentioned_normal")
    shares: dict[Reading, float] = {
        name: (supported + NORMAL_WORTH[name] * normal) / len(claims) for name in READINGS
    }
    if supported == len(claims):
        return shares, ""
    accepted = {"supported", "unmentioned_normal"} if NORMAL_WORTH[reading] else {"supported"}
    for claim, relation in zip(claims, relations, strict=True):
        if relation not in accepted:
            where = next(sentence for sentence in spoken if claim in stated([sentence]))
            return shares, f"factuality: {relation.replace('_', ' ')}: {where}"
    return shares, ""
