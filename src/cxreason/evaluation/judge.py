"""The engine `llm` of RadRScore: a language model extracts and matches, and Python counts.

    judge = Judge(Endpoint(EndpointSettings(url="http://localhost:8000/v1", model="judge"), cache=path))
    radrscore(trace, reference, report, mode="paper", engine="llm", judge=judge)

Calls of one item: in `paper` and `strict` three extractions and three matchings; in `released` the five of
the authors' scorer. References and reports are read once for all models that share the cache. A number that
a model states is never used: counts are lengths of lists, and every list is checked against its items. A call
that fails leaves its part None and its reason in `failed`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from cxreason.endpoint import prompts
from cxreason.endpoint.client import CallFailed, Endpoint
from cxreason.evaluation.radrscore import Judged, RadRScoreMode, Tally
from cxreason.text.matching import Relation, largest_matching
from cxreason.text.observations import Status

PROMPTS = Path(__file__).parent / "prompts"
NAMES = ("extract", "match", "recall", "factual", "effective")


class Seen(BaseModel):
    """One observation in the judge's words."""

    observation: str = Field(min_length=1)
    status: Status


class Observations(BaseModel):
    """What `extract.md` asks for."""

    observations: list[Seen]


class MatchedClaim(BaseModel):
    """One claim's verdict, with the numbers of the facts that decided it."""

    claim: int
    verdict: Literal["supported", "contradicted", "unmentioned"]
    facts: list[int]


class Verdicts(BaseModel):
    """What `match.md` asks for."""

    verdicts: list[MatchedClaim]


class Recalled(BaseModel):
    """What `recall.md` asks for."""

    recalled: list[int]


class Correct(BaseModel):
    """What `factual.md` asks for."""

    correct: list[int]


class OneStep(BaseModel):
    """A step of the trace as the judge cut it."""

    step: str
    effective: bool


class Steps(BaseModel):
    """What `effective.md` asks for."""

    steps: list[OneStep]


def prompt(name: str) -> prompts.Prompt:
    """One of the judge's prompts.

    >>> "$text" in prompt("extract").text
    True
    """
    return prompts.load(PROMPTS / f"{name}.md")


def versions() -> dict[str, str]:
    """Prompt -> hash of its words, to be written beside the numbers that it made.

    >>> sorted(versions())
    ['effective', 'extract', 'factual', 'match', 'recall']
    """
    return {name: prompt(name).version for name in NAMES}


class Judge:
    """A language model that reads for RadRScore.

    judge = Judge(Endpoint(settings, cache=Path("runs/judge.jsonl")))
    """

    def __init__(self, endpoint: Endpoint):
        self.endpoint = endpoint

    def about(self) -> dict[str, Any]:
        """Which model read, with which prompts, and what it cost: to be written beside the numbers."""
        settings = self.endpoint.settings
        return {"model": settings.model, "prompts": versions(), **self.endpoint.spent()}

    def tally(self, trace: str, reference: str, report: str, mode: RadRScoreMode) -> Tally:
        """What `score_tally` counts; what is missing after a failed call is None, with the reason.

        Raises EndpointError where the server cannot be used at all.
        """
        found: dict = {}
        try:
            if mode == "released":
                self._released(found, trace, reference, report)
            else:
                self._paper(found, trace, reference, report, one_to_one=mode == "strict")
        except CallFailed as error:
            return Tally(**found, failed=str(error))
        return Tally(**found)

    def _paper(self, found: dict, trace: str, reference: str, report: str, *, one_to_one: bool) -> None:
        expected = _distinct(self.extract(reference))
        known = _distinct(self.extract(report))
        found |= {"num_reference": len(expected), "num_report": len(known)}
        said = _distinct(self.extract(trace))
        verdicts = self.match(said, known)
        found["judged"] = tuple(
            Judged(one.observation, _relation(verdict.verdict, one), _named(verdict.facts, known))
            for one, verdict in zip(said, verdicts, strict=True)
        )
        found["num_recalled"] = _num_borne_out(self.match(expected, said), one_to_one=one_to_one)
        found["num_effective"] = _num_borne_out(self.match(said, expected), one_to_one=one_to_one)
        found["num_steps"] = len(said)

    def _released(self, found: dict, trace: str, reference: str, report: str) -> None:
        expected, said = self.extract(reference), self.extract(trace)
        found["num_reference"] = len(expected)
        found["num_recalled"] = len(self.recalled(expected, said))
        correct = self.correct(said, report)
        found["judged"] = tuple(
            # One word of the judge for all that is right: it does not tell agreeing from unmentioned.
            Judged(one.observation, "supported" if number in correct else "contradicted")
            for number, one in enumerate(said, start=1)
        )
        steps = self.steps(trace, reference)
        found["num_steps"], found["num_effective"] = len(steps), sum(step.effective for step in steps)

    def extract(self, text: str) -> list[Seen]:
        """The observations of a text; an empty text needs no call."""
        if not text.strip():
            return []
        return self.endpoint.ask(prompt("extract").fill(text=text), Observations).observations

    def match(self, claims: Sequence[Seen], facts: Sequence[Seen]) -> list[MatchedClaim]:
        """A verdict on each claim, in order; where either list is empty no call is needed."""
        if not claims or not facts:
            unmentioned = "unmentioned"
            return [MatchedClaim(claim=n, verdict=unmentioned, facts=[]) for n in range(1, len(claims) + 1)]

        def check(reply: Verdicts) -> None:
            if sorted(one.claim for one in reply.verdicts) != list(range(1, len(claims) + 1)):
                raise ValueError(f"it needs exactly one verdict for each of the claims 1 to {len(claims)}.")
            for one in reply.verdicts:
                _check_numbers(one.facts, len(facts), f"facts of claim {one.claim}")
                if one.verdict != "unmentioned" and not one.facts:
                    raise ValueError(f"claim {one.claim} is {one.verdict}, but no fact is named.")

        asked = prompt("match").fill(claims=_numbered(claims), facts=_numbered(facts))
        return sorted(self.endpoint.ask(asked, Verdicts, check).verdicts, key=lambda one: one.claim)

    def recalled(self, reference: Sequence[Seen], claims: Sequence[Seen]) -> list[int]:
        """The numbers of the reference's observations that the claims take up, whatever their status."""
        if not reference or not claims:
            return []
        asked = prompt("recall").fill(reference=_numbered(reference), claims=_numbered(claims))
        return self.endpoint.ask(asked, Recalled, _numbers_of(Recalled, "recalled", len(reference))).recalled

    def correct(self, claims: Sequence[Seen], report: str) -> list[int]:
        """The numbers of the claims that the text of the report does not belie."""
        if not claims:
            return []
        asked = prompt("factual").fill(report=report, claims=_numbered(claims))
        return self.endpoint.ask(asked, Correct, _numbers_of(Correct, "correct", len(claims))).correct

    def steps(self, trace: str, reference: str) -> list[OneStep]:
        """The trace as the judge cuts it, each step with whether it is effective."""
        if not trace.strip():
            return []
        return self.endpoint.ask(prompt("effective").fill(trace=trace, reference=reference), Steps).steps


def _numbers_of(form: type[BaseModel], name: str, most: int) -> Callable[[BaseModel], None]:
    return lambda reply: _check_numbers(getattr(reply, name), most, name)


def _check_numbers(numbers: Sequence[int], most: int, what: str) -> None:
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"{what}: a number stands twice.")
    wrong = [number for number in numbers if not 1 <= number <= most]
    if wrong:
        raise ValueError(f"{what}: there is no number {wrong[0]}; the list goes from 1 to {most}.")


def _distinct(seen: Sequence[Seen]) -> list[Seen]:
    """Each observation once, however often the judge wrote it down."""
    return list({(" ".join(one.observation.casefold().split()), one.status): one for one in seen}.values())


def _numbered(seen: Sequence[Seen]) -> str:
    lines = (" ".join(one.observation.split()) for one in seen)
    return "\n".join(
        f"{number}. {line} ({one.status})"
        for number, (line, one) in enumerate(zip(lines, seen, strict=True), start=1)
    )


def _relation(verdict: str, seen: Seen) -> Relation:
    if verdict == "supported" or verdict == "contradicted":
        return verdict
    return "unmentioned_normal" if seen.status == "absent" else "unmentioned_abnormal"


def _named(numbers: Sequence[int], facts: Sequence[Seen]) -> tuple[str, ...]:
    return tuple(facts[number - 1].observation for number in numbers)


def _num_borne_out(verdicts: Sequence[MatchedClaim], *, one_to_one: bool) -> int:
    edges = [one.facts if one.verdict == "supported" else [] for one in verdicts]
    if one_to_one:
        return sum(partner is not None for partner in largest_matching(edges))
    return sum(bool(facts) for facts in edges)
