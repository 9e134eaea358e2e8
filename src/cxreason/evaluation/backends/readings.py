"""What the finds of a backend are worth: the same rules for all, whoever read.

What the model caused is the worst value: an empty text, a report without an entity. What the reference
caused, a true report in which the reader finds nothing, is None. A reply that cannot be read is a failure
with a name.

>>> worth_of("bertscore", {"f": 1.0}).values
{'bertscore_rexrank': 1.0}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cxreason.evaluation import graphs
from cxreason.evaluation.bertscore import rescaled
from cxreason.evaluation.chexbert import label_parts
from cxreason.evaluation.graphs import VARIANTS
from cxreason.evaluation.green import read_green
from cxreason.evaluation.metrics import TABLE
from cxreason.evaluation.radrscore import share_of_entities
from cxreason.evaluation.ratescore import TYPES, ratescore

CASES = {"cased": False, "casefold": True}


@dataclass(frozen=True)
class Worth:
    """Values by metric, what is added to metrics of the whole set, and what to say about them."""

    values: dict[str, float | None] = field(default_factory=dict)
    parts: dict[str, tuple[float, ...]] = field(default_factory=dict)
    reason: str = ""
    flagged: bool = False
    problem: str = ""
    """Why the find cannot be understood; there is no value then, and it counts as a failure."""


def _of_reports(name: str) -> list[str]:
    """The metrics that a backend gives of written reports."""
    return [one for one, told in TABLE.items() if told.backend == name and not one.startswith("sf_")]


def worth_of_silence(name: str) -> Worth:
    """What an empty text is worth: known without asking.

    >>> worth_of_silence("green").values
    {'green': 0.0}
    """
    return Worth(dict.fromkeys(_of_reports(name), 0.0), reason="the text is empty", flagged=True)


def worth_of(name: str, found: Any) -> Worth:
    """What a backend's find of one pair of texts is worth.

    Something that is no find of this backend is a problem, not an exception: the worker is not ours.
    """
    try:
        return RULES[name](found)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        return Worth(problem=f"not understood ({type(error).__name__}: {error}): {str(found)[:80]}")


def _bertscore(found: Any) -> Worth:
    return Worth(
        {"bertscore_rexrank": rescaled(float(found["f"]))}, reason=f"F {found['f']:.4f} before rescaling"
    )


def _radgraph(found: Any) -> Worth:
    values: dict[str, float | None] = {}
    xl, original = found["xl"], found["original"]
    for variant in VARIANTS:
        for case, casefold in CASES.items():
            value = graphs.radgraph_f1(xl["hypothesis"], xl["reference"], variant, casefold=casefold)
            values[f"radgraph_xl_{variant}_{case}"] = value
    values["radgraph_combined"] = graphs.combined(original["hypothesis"], original["reference"])
    for names, pair in ((list(values)[:-1], xl), (["radgraph_combined"], original)):
        if not graphs.num_entities(pair["reference"]):
            values |= dict.fromkeys(names)
    numbers = [graphs.num_entities(xl[side]) for side in ("reference", "hypothesis")]
    return Worth(
        values,
        reason=f"{numbers[0]} entities in the reference, {numbers[1]} in the hypothesis",
        flagged=not numbers[1],
    )


def factuality(found: Any) -> Worth:
    """CheXOne's S_f of a trace (hypothesis) and a report (reference), from RadGraph's graphs of both."""
    trace, report = found["xl"]["hypothesis"], found["xl"]["reference"]
    values: dict[str, float | None] = {}
    for name, labelled in (("sf_labelled", True), ("sf_tokens", False)):
        known = graphs.entity_set(report, labelled=labelled)
        said = graphs.entity_set(trace, labelled=labelled)
        values[name] = share_of_entities(said, known) if known else None
    number = graphs.num_entities(trace)
    return Worth(values, reason=f"{number} entities in the trace", flagged=not number)


def _chexbert(found: Any) -> Worth:
    true, said = found["reference"], found["hypothesis"]
    if len(true) != 14 or len(said) != 14:
        raise ValueError(f"{len(true)} and {len(said)} labels")
    parts = tuple(map(float, label_parts(true, said)))
    names = [one for one in _of_reports("chexbert") if TABLE[one].whole is not None]
    return Worth(
        {"sembscore": float(found["cosine"])},
        dict.fromkeys(names, parts),
        reason=f"labels {''.join(map(str, true))} and {''.join(map(str, said))}",
    )


def _ratescore(found: Any) -> Worth:
    true, said = found["reference"], found["hypothesis"]
    if unknown := [one for one in (*true, *said) if one not in TYPES]:
        raise ValueError(f"{unknown[0]!r} is no type of entity")
    reason = f"{len(true)} entities in the reference, {len(said)} in the hypothesis"
    if not true:
        return Worth({"ratescore": None}, reason=reason)
    if not said:
        return Worth({"ratescore": 0.0}, reason=reason, flagged=True)
    return Worth({"ratescore": ratescore(true, said, found["cosines"])}, reason=reason)


def _green(found: Any) -> Worth:
    green = read_green(found["reply"])
    if green.value is None:
        return Worth(problem=green.problem)
    counted = ", ".join(f"({letter}) {number}" for letter, number in green.errors.items() if number)
    return Worth({"green": green.value}, reason=f"{green.matched} matched; errors {counted or 'none'}")


RULES: dict[str, Callable[[Any], Worth]] = {
    "bertscore": _bertscore,
    "radgraph": _radgraph,
    "chexbert": _chexbert,
    "ratescore": _ratescore,
    "green": _green,
}
"""Backend -> what its find of one pair of reports is worth."""
