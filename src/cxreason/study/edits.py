"""What an edit changed: words, and what the report says about the chest."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cxreason.evaluation.radrscore import radrscore
from cxreason.text.observations import observe

_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Edit:
    """A draft against the text that was submitted."""

    words: int
    """Words that were inserted, deleted or replaced, the least number that does it (Levenshtein)."""
    share: float
    """The same by the words of the longer text, 0 = unchanged."""
    added: int
    """Observations that the final text has and the draft had not."""
    removed: int
    score_draft: float | None
    """RadRScore against the reference report, where there is one."""
    score_final: float | None


def edit_of(draft: str, final: str, reference: str = "") -> Edit:
    """What changed from a draft to the final text.

    >>> found = edit_of("Small left effusion.", "Small right effusion.")
    >>> found.words, found.added, found.removed
    (1, 1, 1)
    """
    before, after = _WORD.findall(draft), _WORD.findall(final)
    words = distance(before, after)
    seen, now = _claims(draft), _claims(final)
    scores = [radrscore(text, reference, reference).value if reference else None for text in (draft, final)]
    longer = max(len(before), len(after)) or 1
    return Edit(words, words / longer, len(now - seen), len(seen - now), scores[0], scores[1])


def distance(first: list[str], second: list[str]) -> int:
    """The least number of insertions, deletions and replacements that turns one list into the other.

    >>> distance("no large effusion".split(), "no effusion seen".split())
    2
    """
    while first and second and first[0] == second[0]:
        first, second = first[1:], second[1:]
    while first and second and first[-1] == second[-1]:
        first, second = first[:-1], second[:-1]
    row = list(range(len(second) + 1))
    for place, word in enumerate(first, start=1):
        before, row[0] = row[0], place
        for column, other in enumerate(second, start=1):
            before, row[column] = (
                row[column],
                min(row[column] + 1, row[column - 1] + 1, before + (word != other)),
            )
    return row[-1]


def _claims(text: str) -> set[tuple[str, str, str]]:
    return {(seen.finding, seen.status, seen.side) for seen in observe(text)}
