"""Word overlap of a report with the true one: BLEU-2 as ReXrank has it, BLEU-4 of a whole set, ROUGE-L.

Each name fixes how texts are cut into words, because scores of different cuts do not compare. Overlap says
little about medicine ("no effusion" against "effusion" does well); it is here because tables print it.

>>> bleu2_rexrank("The heart is normal.", "The heart is large.")
0.7071067811865476
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import numpy as np

from cxreason.evaluation.stemming import stem

SMOOTHED = 0.1
"""What no match at all counts as (method 1 of Chen and Cherry 2014), for pairs of words that share one."""
LONGEST = 4
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")
_STEMMED_FROM = 4
"""Shorter words are compared as they are."""
COCO_BETA = 1.2


def bleu2_rexrank(hypothesis: str, reference: str) -> float:
    """BLEU-2 of one report, as the code behind ReXrank and RadCliQ computes it.

    Lower case, a full stop is a word of its own, cut at single blanks: commas stay glued and line breaks stay
    inside words. A single word that is right earns 0.316, because it holds no pair of words.

    >>> round(bleu2_rexrank("a b d c", "a b c d"), 6), bleu2_rexrank("", "a")
    (0.57735, 0.0)
    """
    said, true = _rexrank_words(hypothesis), _rexrank_words(reference)
    ones = _matches(said, true)
    if not ones:
        return 0.0
    twos = _matches(_runs(said, 2), _runs(true, 2))
    brevity = 1.0 if len(said) > len(true) else math.exp(1 - len(true) / len(said))
    return brevity * math.sqrt(ones / len(said) * (twos or SMOOTHED) / max(1, len(said) - 1))


def _rexrank_words(text: str) -> list[str]:
    return [word for word in text.lower().replace(".", " .").split(" ") if word]


def _matches(said: Sequence, true: Sequence) -> int:
    """How many of the first stand in the second, each of those used once."""
    left: dict = {}
    for one in true:
        left[one] = left.get(one, 0) + 1
    found = 0
    for one in said:
        if left.get(one, 0):
            left[one] -= 1
            found += 1
    return found


def bleu4_parts(hypothesis: str, reference: str) -> tuple[float, ...]:
    """What one report adds to the BLEU-4 of its set: matches and numbers of 1- to 4-grams, both lengths.

    Lower case, cut at white space.

    >>> bleu4_parts("a b c", "a b d")
    (2, 1, 0, 0, 3, 2, 1, 0, 3, 3)
    """
    said, true = hypothesis.lower().split(), reference.lower().split()
    runs = [(_runs(said, size), _runs(true, size)) for size in range(1, LONGEST + 1)]
    matches = [_matches(ours, theirs) for ours, theirs in runs]
    return (*matches, *(len(ours) for ours, _ in runs), len(said), len(true))


def _runs(words: Sequence[str], size: int) -> Sequence:
    return words if size == 1 else list(zip(*(words[start:] for start in range(size)), strict=False))


def bleu_corpus(sums: np.ndarray, longest: int = LONGEST) -> np.ndarray:
    """BLEU-1 to BLEU-4 of whole sets from the sums of their `bleu4_parts`, a row for each set.

    The tiny constants are the captioning scorer's, so that figures agree to the last digit. A single report
    has no BLEU-4 worth the name: a right one of two words would get 0.001.

    >>> bleu_corpus(np.array([bleu4_parts("a b c d e", "a b c d e")]))[0].round(6)
    1.0
    """
    matches, numbers, lengths = (
        sums[:, :longest],
        sums[:, LONGEST : LONGEST + longest],
        sums[:, 2 * LONGEST :],
    )
    precision = np.prod((matches + 1e-15) / (numbers + 1e-9), axis=1) ** (1 / longest)
    ratio = (lengths[:, 0] + 1e-15) / (lengths[:, 1] + 1e-9)
    return precision * np.where(ratio < 1, np.exp(1 - 1 / np.maximum(ratio, 1e-15)), 1.0)


def rouge_l(hypothesis: str, reference: str, *, stemmed: bool = True) -> float:
    """ROUGE-L F1 as the package rouge-score computes it: lower case, words of letters and digits, stemmed.

    >>> rouge_l("Small effusions are seen.", "A small effusion is seen.")
    0.6666666666666666
    """
    said, true = _rouge_words(hypothesis, stemmed), _rouge_words(reference, stemmed)
    shared = longest_common(said, true)
    return 2 * shared / (len(said) + len(true)) if shared else 0.0


def _rouge_words(text: str, stemmed: bool) -> list[str]:
    words = _NOT_PLAIN.sub(" ", text.lower()).split()
    return [stem(word) if len(word) >= _STEMMED_FROM else word for word in words] if stemmed else words


def rouge_l_coco(hypothesis: str, reference: str) -> float:
    """ROUGE-L of the captioning scorer: lower case, cut at white space, recall weighs more (beta 1.2).

    >>> round(rouge_l_coco("a c e", "a b c d e"), 6)
    0.717647
    """
    said, true = hypothesis.lower().split(), reference.lower().split()
    shared = longest_common(said, true)
    if not shared:
        return 0.0
    precision, recall, weight = shared / len(said), shared / len(true), COCO_BETA**2
    return (1 + weight) * precision * recall / (recall + weight * precision)


def longest_common(first: Sequence[str], second: Sequence[str]) -> int:
    """Length of the longest common subsequence.

    One big number holds a bit for each word of the first (Crochemore et al. 2001, Hyyrö 2004): that takes one
    addition for each word of the second instead of a row of a table.

    >>> longest_common("abcd", "acde")
    3
    """
    places: dict[str, int] = {}
    for place, word in enumerate(first):
        places[word] = places.get(word, 0) | 1 << place
    every = (1 << len(first)) - 1
    open_places = every
    for word in second:
        if here := open_places & places.get(word, 0):
            open_places = (open_places + here | open_places - here) & every
    return len(first) - open_places.bit_count()


PER_REPORT: dict[str, Callable[[str, str], float]] = {
    "bleu2_rexrank": bleu2_rexrank,
    "rouge_l": rouge_l,
    "rouge_l_coco": rouge_l_coco,
}
"""Metric -> its value for a report and the true one."""
