"""RadRScore: is reasoning true (R_f), complete (R_c) and to the point (R_e)? (ChestX-Reasoner, eq. 9-11.)

Read by rules, so the same texts always get the same score, in a fraction of a millisecond. Two modes:

    paper     R_f: share of the model's statements that the report bears out, or leaves unmentioned while they
              are normal. R_c: share of the reference's that the model makes. R_e: share of the model's that
              the reference makes.
    strict    R_f: share borne out, nothing else. R_c, R_e: the largest one-to-one matching M of model and
              reference, divided by each. Here "all else is normal" earns nothing.

Statements, not words, are counted, and a repeated one once. A silent model gets 0 in all three; a reference
or report without a statement gives None in all three, because no model could do better.

    >>> report = "Small left pleural effusion. The heart is normal in size."
    >>> radrscore("I see a small left effusion.", "There is a small left pleural effusion.", report).value
    1.0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from cxreason.text.matching import Relation, Statement, judge, match, statements
from cxreason.text.observations import Observation, observe, sentences

RadRScoreMode = Literal["paper", "strict"]
Mark = Literal["supported", "contradicted", "not in the report", "no claim"]


@dataclass(frozen=True)
class RadRScore:
    """The three parts, and the counts that they come from.

    `counts`: "model", "reference", "report" (statements in each text); the model's by relation to the report:
    "supported", "contradicted", "unmentioned_normal", "unmentioned_abnormal"; "matched" (one-to-one).
    """

    factuality: float | None
    completeness: float | None
    effectiveness: float | None
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """The mean of the three; None where any is."""
        if self.factuality is None or self.completeness is None or self.effectiveness is None:
            return None
        return (self.factuality + self.completeness + self.effectiveness) / 3


@lru_cache(maxsize=8192)
def _read(text: str) -> tuple[Observation, ...]:
    return tuple(observe(text))


@lru_cache(maxsize=8192)
def _statements(text: str) -> tuple[Statement, ...]:
    return tuple(statements(_read(text)))


def _check(mode: str) -> None:
    if mode not in ("paper", "strict"):
        raise ValueError(f"RadRScore mode {mode!r}: write paper or strict")


def radrscore(
    reasoning: str, reference_reasoning: str, report: str, mode: RadRScoreMode = "paper"
) -> RadRScore:
    """Score one chain against the reference chain and the report.

    A comparison with an earlier study needs both reports in `report`, the earlier one first.

    >>> radrscore("The chest was imaged.", "There is edema.", "Mild edema.").value
    0.0
    """
    _check(mode)
    said, reference = _statements(reasoning), _statements(reference_reasoning)
    model_facts, reference_facts, report_facts = _read(reasoning), _read(reference_reasoning), _read(report)
    relations = _relations(said, report_facts)
    matched = match(model_facts, reference_facts)
    counts = {
        "model": len(said),
        "reference": len(reference),
        "report": len(_statements(report)),
        **_by_relation(relations),
        "matched": matched,
    }
    if not reference or not report_facts:
        return RadRScore(None, None, None, counts)
    if not said:
        return RadRScore(0.0, 0.0, 0.0, counts)
    if mode == "paper":
        recalled, effective = _borne_out(reference, model_facts), _borne_out(said, reference_facts)
    else:
        recalled = effective = matched
    return RadRScore(
        _share_factual(relations, len(said), mode), recalled / len(reference), effective / len(said), counts
    )


def _relations(said: Sequence[Statement], facts: Sequence[Observation]) -> Counter[Relation]:
    return Counter([judge(statement, facts) for statement in said])


def _by_relation(relations: Counter[Relation]) -> dict[str, int]:
    names: tuple[Relation, ...] = ("supported", "contradicted", "unmentioned_normal", "unmentioned_abnormal")
    return {name: relations[name] for name in names}


def _borne_out(said: Sequence[Statement], facts: Sequence[Observation]) -> int:
    return sum(judge(statement, facts) == "supported" for statement in said)


def _share_factual(relations: Counter[Relation], num_said: int, mode: RadRScoreMode) -> float:
    factual = relations["supported"] + (relations["unmentioned_normal"] if mode == "paper" else 0)
    return factual / num_said


def factuality(reasoning: str, report: str, mode: RadRScoreMode = "paper") -> float | None:
    """R_f alone: the process reward. Reads the whole of `reasoning`, so hand over the trace only.

    0.0 where the reasoning claims nothing; None where the report says nothing to check against.

    >>> factuality("There is an effusion. There is no edema.", "Left effusion.", "strict")
    0.5
    """
    _check(mode)
    report_facts = _read(report)
    if not report_facts:
        return None
    said = _statements(reasoning)
    if not said:
        return 0.0
    return _share_factual(_relations(said, report_facts), len(said), mode)


_MARKS: dict[Relation, Mark] = {
    "contradicted": "contradicted",
    "unmentioned_abnormal": "not in the report",
    "unmentioned_normal": "not in the report",
    "supported": "supported",
}


def mark_sentences(reasoning: str, report: str) -> list[tuple[str, Mark]]:
    """Each sentence of the reasoning with the worst that the report has to say about it.

    >>> mark_sentences("Look at the heart. It is an enlarged heart.", "Cardiomegaly.")
    [('Look at the heart.', 'no claim'), ('It is an enlarged heart.', 'supported')]
    """
    facts = _read(report)
    marked: list[tuple[str, Mark]] = []
    for _, sentence in sentences(reasoning):
        found = {_MARKS[judge(statement, facts)] for statement in _statements(sentence)}
        worst: Mark = "no claim"
        for mark in ("supported", "not in the report", "contradicted"):
            worst = mark if mark in found else worst
        marked.append((sentence, worst))
    return marked
