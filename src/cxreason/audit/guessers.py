"""Guessers that see no image: each learns from some questions how to weigh the options of others.

    >>> known = [Item(("Yes", "No"), 0, "Is there edema?", "edema", "p1")] * 3
    >>> letter(known)(known[0])
    [3.0, 0.0]

A guesser is a function of questions that returns a scorer; the option with the highest score is its guess.
Where options tie, it is right in the mean as often as a draw among them would be: `credit`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from cxreason.audit.items import Item
from cxreason.audit.words import words_scorer
from cxreason.text.labels import schemes
from cxreason.text.ontology import FINDINGS, NO_FINDING

Scorer = Callable[[Item], Sequence[float]]
Guesser = Callable[[Sequence[Item]], Scorer]

_WORD = re.compile(r"\w+")


def credit(scores: Sequence[float], gold: int) -> float:
    """1 for the truth alone on top, a share of it where it ties, else 0.

    >>> credit([2, 2, 1], 0), credit([2, 2, 1], 2)
    (0.5, 0.0)
    """
    best = max(scores)
    return 1 / sum(score == best for score in scores) if scores[gold] == best else 0.0


def _best_of(scorers: Sequence[Scorer], known: Sequence[Item]) -> Scorer:
    """The scorer that is right most often on the known questions; the first of equals."""
    worth = [sum(credit(scorer(one), one.gold) for one in known) for scorer in scorers]
    return scorers[worth.index(max(worth))]


def _either_way(scorer: Scorer, known: Sequence[Item]) -> Scorer:
    return _best_of([scorer, lambda one: [-value for value in scorer(one)]], known)


def letter(known: Sequence[Item]) -> Scorer:
    """The letter that is right most often, among questions with as many options."""
    right = Counter((len(one.options), one.gold) for one in known)
    return lambda one: [float(right[len(one.options), place]) for place in range(len(one.options))]


def option_order(known: Sequence[Item]) -> Scorer:
    """The place that is right most often when the options stand in this order, beginning with this one."""

    def pattern(one: Item) -> tuple[int, ...]:
        return tuple(sorted(range(len(one.options)), key=lambda place: one.options[place]))

    right = Counter((pattern(one), one.gold) for one in known)

    def scores(one: Item) -> list[float]:
        seen = pattern(one)
        return [float(right[seen, place]) for place in range(len(one.options))]

    return scores


def length(known: Sequence[Item]) -> Scorer:
    """The longest option, or the shortest; in letters, or in parts of a list."""
    letters_ = _either_way(lambda one: [float(len(option)) for option in one.options], known)
    parts = _either_way(lambda one: [float(option.count(",")) for option in one.options], known)
    return _best_of([letters_, parts], known)


def orders() -> tuple[tuple[str, ...], ...]:
    """Orders in which lists of labels have been written: the ontology's, CheXpert's, NIH's."""
    named = (tuple(name.casefold() for name in labels) for labels in schemes().values())
    return ((*FINDINGS, NO_FINDING), *named)


def canonical_order(known: Sequence[Item]) -> Scorer:
    """The option that lists its labels in a canonical or alphabetical order, or the one that does not."""

    def sorted_by(order: tuple[str, ...]) -> Scorer:
        rank = {name: place for place, name in enumerate(order)}

        def scores(one: Item) -> list[float]:
            found = []
            for option in one.options:
                places = [rank.get(part.casefold().strip()) for part in option.split(",")]
                seen = [place for place in places if place is not None]
                found.append(float(len(seen) > 1 and seen == sorted(seen)))
            return found

        return scores

    def alphabetical(one: Item) -> list[float]:
        lists = [[part.casefold().strip() for part in option.split(",")] for option in one.options]
        return [float(len(parts) > 1 and parts == sorted(parts)) for parts in lists]

    ways = [_either_way(scorer, known) for scorer in (*map(sorted_by, orders()), alphabetical)]
    return _best_of(ways, known)


def shared_parts(known: Sequence[Item]) -> Scorer:
    """The option that has most words in common with the other options, or fewest."""

    def scores(one: Item) -> list[float]:
        said = [set(_WORD.findall(option.casefold())) for option in one.options]
        total = Counter(word for words in said for word in words)
        return [sum(total[word] - 1 for word in words) / max(len(words), 1) for words in said]

    return _either_way(scores, known)


def named_in_question(known: Sequence[Item]) -> Scorer:
    """The option that has most words in common with the question, or fewest."""

    def scores(one: Item) -> list[float]:
        asked = set(_WORD.findall(one.question.casefold()))
        said = [set(_WORD.findall(option.casefold())) for option in one.options]
        return [len(words & asked) / max(len(words), 1) for words in said]

    return _either_way(scores, known)


def label_majority(known: Sequence[Item]) -> Scorer:
    """What is right most often for this finding; or the option whose labels are right most often."""
    shown: Counter[tuple] = Counter()
    right: Counter[tuple] = Counter()

    def clues(one: Item, option: str) -> list[tuple]:
        if one.subject:
            return [(one.subject, option)]
        return [(part.strip(),) for part in option.split(",")]

    for one in known:
        for place, option in enumerate(one.options):
            for clue in clues(one, option):
                shown[clue] += 1
                right[clue] += place == one.gold

    def scores(one: Item) -> list[float]:
        chance = 1 / len(one.options)
        told = (
            [(right[clue] + chance) / (shown[clue] + 1) for clue in clues(one, option)]
            for option in one.options
        )
        return [sum(shares) / len(shares) for shares in told]

    return scores


GUESSERS: dict[str, Guesser] = {
    "letter": letter,
    "option order": option_order,
    "option length": length,
    "canonical order": canonical_order,
    "shared words": shared_parts,
    "words of the question": named_in_question,
    "label majority": label_majority,
    "bag of words": words_scorer,
}
"""Name -> guesser, in the order of tables."""
