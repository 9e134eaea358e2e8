"""How a model has learned to talk: what a trace is made of, and how much of it hangs on the image.

A policy that earns more by a reward need not reason better. Here is counted what gaming would look like: many
claims or few, normals that nobody asked for, words of the question given back, the same thing said twice.

>>> habits("There is edema. No fracture. No fracture.", "Edema.", reference="Edema.")["repeated"]
1.0
"""

from __future__ import annotations

from collections.abc import Sequence

from cxreason.evaluation.guarded import guarded_worth
from cxreason.evaluation.radrscore import entities, factuality, plain_words, radrscore
from cxreason.text.matching import Facts, Statement, decide, statements
from cxreason.text.observations import observe
from cxreason.text.sections import sentences

HABITS = {
    "claims": "statements in a trace, each counted once",
    "words": "words in a trace",
    "silent": "share of traces without a statement",
    "normal": "share of the statements that only say what is not there",
    "unmentioned_normal": "share that are normal and not in the report: free money under R_f",
    "wrong": "share that the report contradicts, or that are abnormal and not in it",
    "copied": "share of the sentences that stand in the question in the same words",
    "asked": "share of the findings whose words stand in the question",
    "repeated": "statements that were made before in the same trace",
    "r_f": "factuality: what `process` pays",
    "r_c": "completeness against the mined reasoning",
    "guarded": "what `process_guarded` pays",
}
"""Habit -> what it measures, as printed beside the numbers."""


def habits(trace: str, report: str, *, reference: str = "", question: str = "") -> dict[str, float | None]:
    """The habits of one trace; None where one does not apply (no statement, no reference, no report)."""
    observations = observe(trace)
    said = statements(observations)
    scored = radrscore(trace, reference, report)
    relations = scored.counts
    told = [sentence for _, sentence in sentences(trace)]
    asked = plain_words(question)
    copied = sum(plain_words(sentence) in asked for sentence in told) if question else 0
    named, own = entities(trace), entities(trace, without=question)
    number = len(said)
    wrong = relations.get("contradicted", 0) + relations.get("unmentioned_abnormal", 0)
    return {
        "claims": float(number),
        "words": float(len(trace.split())),
        "silent": float(not said),
        "normal": _share(sum(_is_normal(one) for one in said), number),
        "unmentioned_normal": _share(relations.get("unmentioned_normal", 0), number),
        "wrong": _share(wrong, number),
        "copied": _share(copied, len(told)),
        "asked": _share(len(named) - len(own), len(named)),
        "repeated": float(len(statements(observations, collapse=False)) - number),
        "r_f": factuality(trace, report),
        "r_c": scored.completeness,
        "guarded": guarded_worth(trace, report, question),
    }


def trace_change(trace: str, other: str) -> float:
    """How much two traces differ, from 0 to 1: the mean share of what one says and the other does not.

    >>> trace_change("There is edema.", "There is edema. No fracture."), trace_change("Edema.", "No edema.")
    (0.25, 1.0)
    """
    one, two = Facts(observe(trace)), Facts(observe(other))
    if not one.observations and not two.observations:
        return 0.0
    return (_unsupported(one.statements, two) + _unsupported(two.statements, one)) / 2


def _unsupported(said: Sequence[Statement], facts: Facts) -> float:
    if not said:
        return 1.0  # silence beside a trace that speaks: nothing of either is in the other
    return sum(decide(one, facts).relation != "supported" for one in said) / len(said)


def _is_normal(said: Statement) -> bool:
    return all(seen.status == "absent" for seen in said)


def _share(number: int, of: int) -> float | None:
    return number / of if of else None
