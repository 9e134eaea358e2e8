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
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import yaml

from cxreason.evaluation.radrscore import NORMAL_WORTH, facts_of
from cxreason.records import Sample
from cxreason.text.matching import Verdict, decide
from cxreason.text.sections import sentences
from cxreason.text.statements import stated

if TYPE_CHECKING:
    from cxreason.mining.duplicates import Duplicates
    from cxreason.recipes import MineFilters

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
    found = [
        find_disagreement(candidate.answer, sample.answer),
        "evidence: it points at no sentence" if wanted.evidence and not candidate.evidence else "",
        find_leak(candidate.reasoning),
        "" if sample.task == "temporal" or sample.prior_report else find_comparison(candidate.reasoning),
        find_length(candidate.reasoning, wanted.min_words, wanted.max_words),
        "" if share is not None and share >= wanted.factuality else unfounded,
    ]
    if duplicates is not None and not any(found):
        found.append(duplicates.find(group(sample.task, candidate.answer), candidate.reasoning))
    return Judgement(tuple(reason for reason in found if reason), readings)


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
    return next((found for one in _spoken(reasoning) if (found := _wording_in("leak", one))), "")


def find_comparison(reasoning: str) -> str:
    """Why a chain about one image speaks of change, or empty.

    >>> find_comparison("The effusion is unchanged."), find_comparison("Compare both sides.")
    ("comparison: says 'unchanged'", '')
    """
    return next((found for one in _spoken(reasoning) if (found := _wording_in("comparison", one))), "")


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
    return tuple(sentence for _, sentence in sentences(reasoning))


@lru_cache(maxsize=65_536)
def _wording_in(name: str, sentence: str) -> str:
    """What a sentence is dropped for; remembered, because chains share most of their sentences."""
    found = _wordings()[name].search(sentence)
    return f"{name}: says {found.group().lower()!r}" if found else ""


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
    verdicts = [decide(claim, known) for claim in claims]
    shares: dict[Reading, float] = {name: _share(verdicts, name) for name in READINGS}
    wrong = next((one for one in verdicts if not _worth(one, reading)), None)
    if wrong is None:
        return shares, ""
    where = next(sentence for sentence in spoken if wrong.claim in stated([sentence]))
    return shares, f"factuality: {wrong.relation.replace('_', ' ')}: {where}"


def _worth(verdict: Verdict, reading: Reading) -> float:
    if verdict.relation == "unmentioned_normal":
        return NORMAL_WORTH[reading]
    return float(verdict.relation == "supported")


def _share(verdicts: Sequence[Verdict], reading: Reading) -> float:
    return sum(_worth(verdict, reading) for verdict in verdicts) / len(verdicts)
