"""A findings or impression text. The score is the F1 of what it states about the ontology's findings.

A statement is a finding with its status (present, absent, uncertain); place, side and severity are not
compared here, report metrics do that. A gold text in which the reader finds no statement at all, such as
"Unchanged.", is compared by its words instead, as `text` does.
"""

from __future__ import annotations

from collections.abc import Sequence

from cxreason.answers import text as plain_text
from cxreason.answers.parsed import Parsed


def write(text: str, options: Sequence[str] = ()) -> str:
    """The report without blanks around it; its lines stay.

    >>> write(" The lungs are clear. ")
    'The lungs are clear.'
    """
    if not text.strip():
        raise ValueError("a report must not be empty")
    return text.strip()


def parse(text: str, options: Sequence[str] = ()) -> Parsed:
    """Any text that is not blank.

    >>> parse("The lungs are clear. ").value
    'The lungs are clear.'
    """
    return Parsed(text.strip()) if text.strip() else Parsed("", "the report is empty")


def score(value: str, gold: str, options: Sequence[str] = ()) -> float:
    """F1 of the statements that both reports make.

    >>> score("Heart size is normal.", "There is cardiomegaly.")
    0.0
    """
    if not gold.strip():
        raise ValueError("the gold report is empty")
    true = _statements(gold)
    if not true:
        return plain_text.score(value, gold)
    said = _statements(value)
    return 2 * len(said & true) / (len(said) + len(true))


def _statements(text: str) -> set[tuple[str, str]]:
    from cxreason.text import observe
    from cxreason.text.ontology import main_finding

    return {(main_finding(seen.finding) or seen.finding, seen.status) for seen in observe(text)}
