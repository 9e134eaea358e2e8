"""RadRScore: is reasoning true (R_f), complete (R_c) and to the point (R_e)? (ChestX-Reasoner, eq. 9-11.)

    from cxreason.evaluation import radrscore

Three modes, and two engines that read: `rules` (same texts, same score, in a fraction of a millisecond) and
`llm` (a judge behind an endpoint, see `judge.py`).

    paper     R_f: share of the trace's statements that the report bears out, or leaves unmentioned while they
              are normal. R_c: share of the reference's that the trace bears out. R_e: share of the trace's
              that the reference bears out.
    released  as the authors' scorer behaves. Repetitions count. R_c: an opposite status recalls as well. R_e:
              over the steps of the trace (with rules: its sentences that claim something). An empty
              denominator gives 0, and `totals.py` adds up the way they did.
    strict    R_f: share borne out, nothing else. R_c, R_e: one to one, so that one vague statement cannot
              answer for two. Here "all else is normal" earns nothing.

Statements, not words, are counted; in `paper` and `strict` a repeated one once, and a silent trace gets 0 in
all three. There a reference or report without a statement gives None in all three, because no model could do
better. A judge that failed gives None and says why in `failed`: count it, never drop it.

    >>> report = "Small left pleural effusion. The heart is normal in size."
    >>> radrscore("I see a small left effusion.", "There is a small left pleural effusion.", report).value
    1.0
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from cxreason.text.matching import (
    Facts,
    Relation,
    Verdict,
    decide,
    facts_of,
    partners,
)
from cxreason.text.matching import judge as relation_of
from cxreason.text.observations import Observation, observe
from cxreason.text.sections import sentences
from cxreason.text.statements import Statement, stated, statements

if TYPE_CHECKING:
    from cxreason.evaluation.judge import Judge

RadRScoreMode = Literal["paper", "released", "strict"]
Engine = Literal["rules", "llm"]
Mark = Literal["supported", "contradicted", "not in the report", "no claim"]

NORMAL_WORTH: dict[RadRScoreMode, float] = {"paper": 1.0, "released": 1.0, "strict": 0.0}
"""What a normal statement that the report does not mention is worth in R_f, where a supported one is 1."""

RELATIONS: tuple[Relation, ...] = get_args(Relation)

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Judged:
    """One statement of the trace as it stands to the report: in words, with the words that decided it."""

    claim: str
    relation: Relation
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tally:
    """What an engine counted in one item, before any arithmetic. None: the judge failed before it knew."""

    judged: tuple[Judged, ...] | None = None
    num_reference: int | None = None
    num_recalled: int | None = None
    num_steps: int | None = None
    """What R_e is a share of: the trace's statements, in `released` its steps."""
    num_effective: int | None = None
    num_report: int | None = None
    failed: str = ""
    """Why the judge could not finish, or empty."""


@dataclass(frozen=True)
class RadRScore:
    """The three parts, what they come from, and why there are none where a judge failed.

    `counts`: "model", "reference", "report" (statements in each text), "steps", "recalled", "effective"; and
    the model's by relation to the report: "supported", "contradicted", "unmentioned_normal",
    "unmentioned_abnormal".
    """

    factuality: float | None
    completeness: float | None
    effectiveness: float | None
    counts: dict[str, int] = field(default_factory=dict)
    judged: tuple[Judged, ...] = ()
    failed: str = ""

    @property
    def value(self) -> float | None:
        """The mean of the three; None where any is."""
        if self.factuality is None or self.completeness is None or self.effectiveness is None:
            return None
        return (self.factuality + self.completeness + self.effectiveness) / 3


def radrscore(
    trace: str,
    reference: str,
    report: str,
    mode: RadRScoreMode = "paper",
    engine: Engine = "rules",
    *,
    judge: Judge | None = None,
) -> RadRScore:
    """Score one trace against the reference reasoning and the report.

    A comparison with an earlier study needs both reports in `report`, the earlier one first. The engine `llm`
    needs a `judge`.

    >>> radrscore("The chest was imaged.", "There is edema.", "Mild edema.").value
    0.0
    """
    return score_traces([trace], [reference], [report], mode, engine, judge=judge)[0]


def score_traces(
    traces: Sequence[str],
    references: Sequence[str],
    reports: Sequence[str],
    mode: RadRScoreMode = "paper",
    engine: Engine = "rules",
    *,
    judge: Judge | None = None,
) -> list[RadRScore]:
    """`radrscore` of many items, in their order; equal references and reports are read once.

    >>> seen = "There is edema."
    >>> [score.value for score in score_traces([seen, "No edema."], [seen] * 2, [seen] * 2)]
    [1.0, 0.0]
    """
    _check(mode)
    items = list(zip(traces, references, reports, strict=True))
    if engine == "rules":
        return [score_tally(_tally(*item, mode), mode) for item in items]
    if engine != "llm":
        raise ValueError(f"RadRScore engine {engine!r}: write rules or llm")
    if judge is None:
        raise ValueError("RadRScore engine 'llm' asks a judge: pass judge=Judge(Endpoint(...))")
    asked = judge
    tallies = asked.endpoint.map(lambda item: asked.tally(*item, mode), items)
    return [score_tally(tally, mode) for tally in tallies]


def score_tally(tally: Tally, mode: RadRScoreMode) -> RadRScore:
    """The arithmetic, the same for both engines. In `released` a part that a judge left out is None alone."""
    judged = tally.judged or ()
    relations: Counter[Relation] = Counter(one.relation for one in judged)
    counts: dict[str, int] = {name: relations[name] for name in RELATIONS} if tally.judged is not None else {}
    known = {
        "model": None if tally.judged is None else len(judged),
        "reference": tally.num_reference,
        "report": tally.num_report,
        "steps": tally.num_steps,
        "recalled": tally.num_recalled,
        "effective": tally.num_effective,
    }
    counts |= {name: number for name, number in known.items() if number is not None}
    # In `released` a missing part stays alone; else it would be averaged over other items than its siblings.
    if mode != "released" and (tally.failed or tally.num_reference == 0 or tally.num_report == 0):
        return RadRScore(None, None, None, counts, judged, tally.failed)
    return RadRScore(
        None if tally.judged is None else _share(_num_factual(relations, mode), len(judged)),
        _share(tally.num_recalled, tally.num_reference),
        _share(tally.num_effective, tally.num_steps),
        counts,
        judged,
        tally.failed,
    )


def judged_factuality(tally: Tally, mode: RadRScoreMode = "paper") -> float | None:
    """R_f of what a judge counted, as `factuality` has it: 0.0 for a silent trace, None for a silent report.

    >>> judged_factuality(Tally(judged=(Judged("edema", "supported"),), num_report=1))
    1.0
    """
    if tally.judged is None or not tally.num_report:
        return None
    return _share(_num_factual(Counter([one.relation for one in tally.judged]), mode), len(tally.judged))


def _share(number: float | None, of: int | None) -> float | None:
    if number is None or of is None:
        return None
    return number / of if of else 0.0


def _num_factual(relations: Counter[Relation], mode: RadRScoreMode) -> float:
    return relations["supported"] + NORMAL_WORTH[mode] * relations["unmentioned_normal"]


def _check(mode: str) -> None:
    if mode not in NORMAL_WORTH:
        raise ValueError(f"RadRScore mode {mode!r}: write paper, released or strict")


def _tally(trace: str, reference: str, report: str, mode: RadRScoreMode) -> Tally:
    known_report, known_reference = facts_of(report), facts_of(reference)
    model = facts_of(trace)
    if mode == "released":
        said: Sequence[Statement] = statements(model.observations, collapse=False)
        expected = statements(known_reference.observations, collapse=False)
        num_recalled = sum(any(model.about(one.finding) for one in one_said) for one_said in expected)
        steps = _steps(trace, model.observations)
        effective = [_effective(step, known_reference) for step in steps]
        num_steps, num_effective = len(steps), sum(effective)
    else:
        said, expected, num_steps = model.statements, known_reference.statements, len(model.statements)
        recalled = [decide(statement, model) for statement in expected]
        effective = [decide(statement, known_reference) for statement in said]
        num_recalled = _num_borne_out(recalled, model, mode)
        num_effective = _num_borne_out(effective, known_reference, mode)
    judged = tuple(_in_words(decide(statement, known_report), trace, report) for statement in said)
    return Tally(judged, len(expected), num_recalled, num_steps, num_effective, len(known_report.statements))


def _num_borne_out(verdicts: Sequence[Verdict], facts: Facts, mode: RadRScoreMode) -> int:
    if mode == "strict":
        return sum(partner is not None for partner in partners(verdicts, facts))
    return sum(verdict.relation == "supported" for verdict in verdicts)


def _steps(trace: str, observations: Sequence[Observation]) -> list[list[Statement]]:
    """The sentences that claim something, each as its statements."""
    steps = []
    for offset, sentence in sentences(trace):
        inside = [seen for seen in observations if offset <= seen.start < offset + len(sentence)]
        if inside:
            steps.append(statements(inside))
    return steps


def _effective(step: Sequence[Statement], reference: Facts) -> bool:
    found = {relation_of(statement, reference) for statement in step}
    return "supported" in found and "contradicted" not in found


def _in_words(verdict: Verdict, trace: str, report: str) -> Judged:
    first = verdict.claim[0]
    evidence = dict.fromkeys(report[fact.start : fact.end] for fact in verdict.evidence)
    return Judged(trace[first.start : first.end], verdict.relation, tuple(evidence))


def factuality(trace: str, report: str, mode: RadRScoreMode = "paper") -> float | None:
    """R_f alone: the process reward. Reads the whole of `trace`, so hand over the reasoning only.

    0.0 where the trace claims nothing; None where the report says nothing to check against.

    >>> factuality("There is an effusion. There is no edema.", "Left effusion.", "strict")
    0.5
    """
    _check(mode)
    known = facts_of(report)
    if not known.statements:
        return None
    if mode == "released":
        said = statements(observe(trace), collapse=False)
    else:
        said = stated(sentence for _, sentence in sentences(trace))
    if not said:
        return 0.0
    relations: Counter[Relation] = Counter([relation_of(statement, known) for statement in said])
    return _num_factual(relations, mode) / len(said)


def entity_factuality(trace: str, report: str, *, without: str = "") -> float | None:
    """CheXOne's S_f, read by rules: the share of the trace's entities that the report has as well.

    An entity is a finding with its status, counted once; side, place and size do not matter, and what only
    follows from the report does not count: S_f is an equality of entities. `without` takes the question and
    its options: an entity whose words stand there is left out. 0.0 where the trace has no entity, None where
    the report has none.

    >>> entity_factuality("There is a left effusion. There is no edema.", "Effusion. Edema.")
    0.5
    """
    known = entities(report)
    return share_of_entities(entities(trace, without=without), known) if known else None


def entities(text: str, *, without: str = "") -> set[tuple[str, str]]:
    """The (finding, status) pairs of a text, less those in words that `without` has too.

    >>> sorted(entities("There is edema. No edema."))
    [('edema', 'absent'), ('edema', 'present')]
    """
    asked = plain_words(without)
    return {
        (seen.finding, seen.status)
        for seen in observe(text)
        if not without or plain_words(text[seen.start : seen.end]) not in asked
    }


@lru_cache(maxsize=32_768)
def plain_words(text: str) -> str:
    """The words of a text for looking up whether one text stands in another, whole words only.

    >>> plain_words("Edema?") in plain_words("A) Pulmonary edema"), plain_words("a") in plain_words("edema")
    (True, False)
    """
    words = " ".join(_WORD.findall(text.casefold()))
    return f" {words} "


def stands_in(sentence: str, asked: str) -> bool:
    """Whether all words of a sentence stand one behind the other in a text, given by its `plain_words`.

    >>> stands_in("Pleural effusion?", plain_words("A) Pleural Effusion B) Edema"))
    True
    """
    for match in _WORD.finditer(sentence.casefold()):  # the first strange word settles it
        if f" {match[0]} " not in asked:
            return False
    return plain_words(sentence) in asked


def share_of_entities(trace: set, report: set) -> float:
    """|trace and report| / |trace|, for entities of any reader; 0.0 for an empty trace (CheXOne, S_f).

    >>> share_of_entities({"a", "b"}, {"a"})
    0.5
    """
    return len(trace & report) / len(trace) if trace else 0.0


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
    facts = facts_of(report)
    marked: list[tuple[str, Mark]] = []
    for _, sentence in sentences(reasoning):
        found = {_MARKS[relation_of(statement, facts)] for statement in statements(observe(sentence))}
        worst: Mark = "no claim"
        for mark in ("supported", "not in the report", "contradicted"):
            worst = mark if mark in found else worst
        marked.append((sentence, worst))
    return marked
