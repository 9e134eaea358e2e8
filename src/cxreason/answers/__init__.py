"""How a model is asked, and what its answer means and is worth: the one parser and the one scorer.

`dialects` knows the form (tags, boxes, suffixes); one module per kind of answer knows the meaning. Mining,
rewards, filter, evaluation and serving all come through `understand` and `score`, so a reward can not pay for
what the evaluation would not count.

    >>> reply = "<think> Large heart. </think><answer> A </answer>"
    >>> said = understand(reply, dialect="think", mode="reasoning", kind="choice", options=("Yes", "No"))
    >>> said.answer, score(said.answer, "A", kind="choice", options=("Yes", "No"))
    ('A', 1.0)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from cxreason.answers import boxes, choice, labels, report, text
from cxreason.answers.dialects import DIALECTS, Dialect, Reply
from cxreason.answers.parsed import Parsed
from cxreason.records import Mode

KINDS: dict[str, ModuleType] = {
    "choice": choice,
    "labels": labels,
    "boxes": boxes,
    "report": report,
    "text": text,
}

__all__ = ["DIALECTS", "KINDS", "Dialect", "Parsed", "Reply", "Understood", "score", "understand"]


@dataclass(frozen=True)
class Understood:
    """What was understood of a reply: `answer` in canonical form, or empty with the `problem`.

    `note` says what was mended in an answer that was understood (swapped corners, unknown labels).
    """

    reasoning: str
    answer: str
    problem: str
    well_formed: bool
    note: str = ""


def understand(text: str, *, dialect: str, mode: Mode, kind: str, options: Sequence[str] = ()) -> Understood:
    r"""What a reply says. No text raises; an unknown dialect, mode or kind and bad options do.

    >>> understand(r"The heart is large. \boxed{yes}", dialect="boxed", mode="reasoning", kind="choice",
    ...            options=("Yes", "No")).answer
    'A'
    """
    reply = _known(DIALECTS, dialect, "dialect").read(text, mode)
    parsed = _known(KINDS, kind, "kind of answer").parse(reply.answer or "", options)
    problem = reply.problem if reply.answer is None else parsed.problem
    return Understood(reply.reasoning, parsed.value, problem, reply.well_formed, parsed.note)


def score(answer: str, gold: str, *, kind: str, options: Sequence[str] = ()) -> float:
    """What an understood answer is worth in [0, 1]; an empty one 0.0. Gold that cannot be right raises.

    >>> score("edema", "edema, pneumonia", kind="labels")
    0.6666666666666666
    """
    return _known(KINDS, kind, "kind of answer").score(answer, gold, options)


def _known(table: dict, name: str, what: str):
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}: one of {', '.join(table)}")
    return table[name]
