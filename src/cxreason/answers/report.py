"""A findings or impression text. The score is the F1 of what it states about the ontology's findings.

A statement is a finding with its status (present, absent, uncertain); place, side and severity are not
compared here, report metrics do that; what is on one side is there. What a report says and denies is not
right, though it counts as said: betting on both would else earn more than knowing half. A gold text in which
the reader finds no statement at all, such as "Unchanged.", is compared by its words instead, as `text` does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from cxreason.answers import text as plain_text
from cxreason.answers.parsed import Parsed

if TYPE_CHECKING:
    from cxreason.text.statements import Statement


def write(text: str, options: Sequence[str] = ()) -> str:
    """The report without blanks around it; its lines stay.

    >>> write(" The lungs are clear. ")
    'The lungs are clear.'
    """
    told = text.strip()
    if not told:
        raise ValueError("a report must not be empty")
    return told


def parse(text: str, options: Sequence[str] = ()) -> Parsed:
    """Any text that is not blank.

    >>> parse("The lungs are clear. ").value
    'The lungs are clear.'
    """
    return Parsed(text.strip()) if text.strip() else Parsed("", "the report is empty")


def score(value: str, gold: str, options: Sequence[str] = ()) -> float:
    """F1 of the statements that both reports make.

    >>> score("Heart size is normal.", "There is cardiomegaly."), score("Edema. No edema.", "There is edema.")
    (0.0, 0.0)
    """
    if not gold.strip():
        raise ValueError("the gold report is empty")
    from cxreason.text.contradictions import without_contradictions
    from cxreason.text.matching import facts_of

    known, told = facts_of(gold), facts_of(value)
    true = _named(known.statements)
    if not true:
        return plain_text.score(value, gold)
    right = _named(without_contradictions(told.statements, known)) & true
    return 2 * len(right) / (len(_named(told.statements)) + len(true))


def _named(statements: Iterable[Statement]) -> set[tuple[str, str]]:
    """What is stated of each finding. What is there on one side is there, though it is not on the other:
    counted apart, "left effusion, no right effusion" would bet on both."""
    from cxreason.text.ontology import main_finding

    told: dict[tuple[str, str], bool] = {}
    for said in statements:
        for seen in said:
            key = main_finding(seen.finding) or seen.finding, seen.status
            told[key] = told.get(key, False) or seen.side in ("", "both")
    return {
        (finding, status)
        for (finding, status), everywhere in told.items()
        if everywhere or status != "absent" or (finding, "present") not in told
    }
