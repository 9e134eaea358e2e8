"""A classifier of words: which option of a question, by its words and the words of the question.

A conditional logit model (McFadden 1974): each option gets the sum of the weights of its features, and the
softmax over the options of a question is the probability of each. Features are hashed into a fixed number of
weights, learned by Adagrad over all known questions at once.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from cxreason.audit.items import Item

NUM_WEIGHTS = 1 << 16
STEPS = 40
RATE = 0.5
SHRINKAGE = 1e-3
MOST_QUESTION_WORDS = 12

_WORD = re.compile(r"\w+")


def words_scorer(known: Sequence[Item]) -> Callable[[Item], Sequence[float]]:
    """The option whose words, with those of the question, a classifier has learned to be right."""
    common = _common_words(known)
    rows, features, first = _encode(known, common)
    gold = first[:-1] + np.array([one.gold for one in known], dtype=np.int64)
    weights = _learn(rows, features, first, gold)

    def scores(one: Item) -> list[float]:
        return [float(weights[_features(one, option, common)].sum()) for option in one.options]

    return scores


def _common_words(known: Sequence[Item]) -> frozenset[str]:
    """Words that most questions have: they part nothing, and only cost time."""
    seen = Counter(word for one in known for word in set(_WORD.findall(one.question.casefold())))
    return frozenset(word for word, number in seen.items() if number > 0.6 * len(known))


def _features(one: Item, option: str, common: frozenset[str]) -> list[int]:
    asked = dict.fromkeys(_WORD.findall(f"{one.subject} {one.question}".casefold()))
    told = [word for word in asked if word not in common][:MOST_QUESTION_WORDS]
    words = list(dict.fromkeys(_WORD.findall(option.casefold())))[:40]
    names = [f"={option.casefold()[:80]}", f"#{min(len(option) // 8, 12)}", *words]
    names += [f"{seen}|{word}" for seen in told for word in words[:MOST_QUESTION_WORDS]]
    return [zlib.crc32(name.encode()) % NUM_WEIGHTS for name in names]


def _encode(known: Sequence[Item], common: frozenset[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row (one for each option) and weight of each feature, and the first row of each question."""
    rows: list[np.ndarray] = []
    features: list[int] = []
    first = [0]
    row = 0
    for one in known:
        for option in one.options:
            found = _features(one, option, common)
            rows.append(np.full(len(found), row, dtype=np.int64))
            features += found
            row += 1
        first.append(row)
    return np.concatenate(rows), np.array(features, dtype=np.int64), np.array(first, dtype=np.int64)


def _learn(rows: np.ndarray, features: np.ndarray, first: np.ndarray, gold: np.ndarray) -> np.ndarray:
    used, features = np.unique(features, return_inverse=True)  # few of all weights are ever touched
    weights, squares = np.zeros(len(used)), np.zeros(len(used))
    starts, sizes = first[:-1], np.diff(first)
    for _ in range(STEPS):
        logits = np.bincount(rows, weights=weights[features], minlength=first[-1])
        logits -= np.repeat(np.maximum.reduceat(logits, starts), sizes)
        odds = np.exp(logits)
        wrong = odds / np.repeat(np.add.reduceat(odds, starts), sizes)
        wrong[gold] -= 1
        slope = np.bincount(features, weights=wrong[rows], minlength=len(used)) / len(gold)
        slope += SHRINKAGE * weights / len(gold)
        squares += slope**2
        weights -= RATE * slope / (np.sqrt(squares) + 1e-9)
    everything = np.zeros(NUM_WEIGHTS)
    everything[used] = weights
    return everything
