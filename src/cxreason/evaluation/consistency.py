"""Self-consistency S_sc (CheXOne): does a model say the same when it is asked again?

S_sc = 1 - H / log K, with the entropy H of its answers over the K options offered. It says nothing of being
right: a constant wrong answer scores 1. And a guesser does not score 0: see `expected_of_guesser`.

>>> round(self_consistency([5, 3], 4), 6)
0.522783
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence


def self_consistency(times: Sequence[int], num_options: int, num_unreadable: int = 0) -> float:
    """S_sc of one question: how often each answer came, and how often none could be read.

    Unreadable answers are spread evenly over the options, so that only they alone give 0.

    >>> round(self_consistency([7], 4, num_unreadable=1), 6), self_consistency([], 4, num_unreadable=8)
    (0.701273, 0.0)
    """
    total = sum(times) + num_unreadable
    if num_options < 2 or total < 2:
        raise ValueError(
            f"self_consistency: {num_options} options, {total} answers; two of each are the least"
        )
    if len(times) > num_options or any(number < 0 for number in times):
        raise ValueError(f"self_consistency: answers {list(times)} of {num_options} options")
    counts = [*times, *[0] * (num_options - len(times))]
    shares = [(number + num_unreadable / num_options) / total for number in counts]
    entropy = -sum(share * math.log(share) for share in shares if share > 0)
    return max(0.0, 1 - entropy / math.log(num_options))


def answers_consistency(answers: Sequence[str], num_options: int) -> float:
    """The same from the answers themselves; an empty one could not be read.

    >>> answers_consistency(["A", "A", "", "A"], 2) < answers_consistency(["A"] * 4, 2)
    True
    """
    times = Counter(answer for answer in answers if answer)
    return self_consistency(list(times.values()), num_options, sum(not answer for answer in answers))


def expected_of_guesser(num_answers: int, num_options: int) -> float:
    """The mean S_sc of somebody who picks each time anew, all options alike, by enumeration.

    >>> round(expected_of_guesser(8, 4), 6)
    0.159357
    """
    whole = math.factorial(num_answers)
    expected = 0.0
    for times in _splits(num_answers, num_options):
        ways = whole / math.prod(math.factorial(number) for number in times)
        expected += ways / num_options**num_answers * self_consistency(times, num_options)
    return expected


def _splits(total: int, places: int) -> Iterator[list[int]]:
    if places == 1:
        yield [total]
        return
    for first in range(total + 1):
        for rest in _splits(total - first, places - 1):
            yield [first, *rest]
