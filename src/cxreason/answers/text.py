"""Free text, such as the answer to an open question. The score is word overlap (F1), 1.0 for the same words.

Overlap is a poor judge of meaning: "no effusion" against "effusion" still earns 0.67. It is there so that
open answers have some number without any model; use a report metric where the answer asserts findings.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from cxreason.answers.parsed import Parsed
from cxreason.text.sections import one_line

# Numbers keep their point and their sign, and comparisons stay: "<1 cm" is not ">1 cm", "0.5" is not "05".
_WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)*|[<>≤≥=+±%]|(?<!\w)-(?=\d)")

FEWEST_WORDS = 5
"""An answer of fewer is given away by nothing but its meaning."""


def write(text: str, options: Sequence[str] = ()) -> str:
    """The text on one line.

    >>> write(" left  lower lobe ")
    'left lower lobe'
    """
    value = " ".join(text.split())
    if not value:
        raise ValueError("a text answer must not be empty")
    return value


def parse(text: str, options: Sequence[str] = ()) -> Parsed:
    """Any text that is not blank, on one line.

    >>> parse("Left lower lobe.").value
    'Left lower lobe.'
    """
    value = " ".join(text.split())
    return Parsed(value) if value else Parsed("", "the answer is empty")


def score(value: str, gold: str, options: Sequence[str] = ()) -> float:
    """F1 of the words, any case and punctuation; 1.0 exactly where both say the same words equally often.

    >>> score("The left lower lobe.", "left lower lobe") > 0.85
    True
    """
    if not gold.strip():
        raise ValueError("the gold text is empty")
    if not value.strip():
        return 0.0
    said, true = Counter(words(value)), Counter(words(gold))
    if not true:  # gold is punctuation only
        return float("".join(value.split()) == "".join(gold.split()))
    overlap = (said & true).total()
    return 2 * overlap / (said.total() + true.total())


def gives_away(question: str, answer: str) -> bool:
    """Whether a question holds the whole answer, as it stands; a few words may stand in any question.

    >>> said = "Findings: Clear lungs. No acute disease\\n of the chest."
    >>> gives_away(said, "No acute disease of the chest."), gives_away(said, "Clear lungs.")
    (True, False)
    """
    told = one_line(answer.casefold())
    return told.count(" ") + 1 >= FEWEST_WORDS and told in one_line(question.casefold())


def words(text: str) -> list[str]:
    """The words of a text in lower case, without the punctuation that carries no meaning.

    >>> words("Left-sided, <1.5 cm!")
    ['left', 'sided', '<', '1.5', 'cm']
    """
    return _WORD.findall(text.casefold())
