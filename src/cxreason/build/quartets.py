"""Questions in fours that share their options, each option right in one of the four.

    >>> orders, owners = np.arange(4, dtype=np.uint64), np.arange(4)
    >>> truths = np.array([1, 2, 4, 8])
    >>> places, options = in_quartets(orders, owners, truths, 15 - truths, number=100)
    >>> sorted(places.tolist()), sorted(options[0].tolist())
    ([0, 1, 2, 3], [1, 2, 4, 8])

A quartet is four labels, all of which are known of a study: some are there, the others certainly are not. The
options of a question are sets of labels of one quartet, equally many in each. Four studies of which four
different sets are true make a circle: they are asked the same options in the same order. So each option, and
each letter, is right as often as any other beside it, and whoever reads the question alone, however cleverly,
is at chance.

An offer is a study with a true set, and what is certainly not there: `truths` and `wrongs` have a bit for
each label. What fits into no circle is not asked. Labels take turns, the least asked first, and a label that
is too rare to be balanced with the others is given up where that leaves more to ask.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from cxreason.tasks.radrbench import LABELS

MOST_LABELS = 16
"""So many bits a set has."""
SIDES = 4
ATTEMPTS = 12
FEW_OFFERS = 20_000
"""With more there is enough of everything, and one attempt will do."""
_BIT = {label: 1 << place for place, label in enumerate(LABELS)}


class _Circle(NamedTuple):
    places: tuple[int, ...]
    options: tuple[int, ...]


def in_quartets(
    orders: np.ndarray,
    owners: np.ndarray,
    truths: np.ndarray,
    wrongs: np.ndarray,
    number: int,
    *,
    turns: int = 0,
    most_ratio: float | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Places of at most `number` offers, and a row with the four options of each, in whole circles.

    An owner, which is a study, is asked at most `turns` times (0: as often as it has offers). With
    `most_ratio` no label is in the truth more than so many times as often as another.
    """
    table = _Table(orders, owners, truths, wrongs, turns)
    if most_ratio is None:
        circles = table.draw(number // SIDES, table.labels)
    else:
        circles = _evened(table, number // SIDES, most_ratio)
    places = np.array([place for circle in circles for place in circle.places], dtype=np.int64)
    options = [shown for circle, shown in zip(circles, _mixed(circles), strict=True) for _ in circle.places]
    return places, np.array(options, dtype=np.int64).reshape(-1, SIDES)


def _mixed(circles: Sequence[_Circle]) -> list[np.ndarray]:
    """The options of each circle in an order that is drawn.

    Circles with the same options take turns, so that each option is first, and last, equally often.
    """
    met: Counter[tuple[int, ...]] = Counter()
    orders = []
    for circle in circles:
        rounds, turn = divmod(met[circle.options], SIDES)
        drawn = np.random.default_rng([rounds, *circle.options]).permutation(circle.options)
        orders.append(np.roll(drawn, turn))
        met[circle.options] += 1
    return orders


def as_bits(labels: Iterable[str]) -> int:
    """Labels of RadRBench-CXR as the bits of a number.

    >>> written(as_bits(["edema", "cardiomegaly"]))
    'cardiomegaly, edema'
    """
    return sum(_BIT[label] for label in labels)


def written(labels: int) -> str:
    """Such a number as an option: the labels in canonical order."""
    return ", ".join(LABELS[place] for place in _bits(labels))


def _evened(table: _Table, number: int, most_ratio: float) -> list[_Circle]:
    """Circles of which no label is true too often. The rarest labels are given up as long as that pays."""
    best, worth = [], 0
    for attempt in range(ATTEMPTS if len(table.owners) <= FEW_OFFERS else 1):
        labels = set(table.labels)
        while len(labels) >= SIDES:
            drawn = table.draw(number, labels, attempt)
            counts = _counts(drawn)
            if len(drawn) * len(counts) <= worth:
                break
            kept = _thinned(drawn, most_ratio)
            if len(kept) * len(_counts(kept)) > worth:
                best, worth = kept, len(kept) * len(_counts(kept))
            fewest = min(counts.values())
            labels = {label for label, count in counts.items() if count > fewest}
    return best


def _thinned(circles: Sequence[_Circle], most_ratio: float) -> list[_Circle]:
    """Without as many circles of the labels that are true too often as it takes."""
    has = np.zeros((len(circles), MOST_LABELS))
    for row, circle in zip(has, circles, strict=True):
        for label, count in _counts([circle]).items():
            row[label] = count
    kept = np.arange(len(circles))
    while len(kept):
        counts = has[kept].sum(axis=0)
        there = counts > 0
        over = counts - most_ratio * counts[there].min()
        if over.max() <= 0:
            break
        # Those that hold most of what is too frequent, and least of what is rare; of equals the last.
        worth = has[kept] @ (np.maximum(over, 0) / over.max() - counts[there].min() / np.maximum(counts, 1))
        few = max(1, int(over.max() / has.max() / 8))
        gone = np.lexsort((-kept, -worth))[:few]
        kept = np.delete(kept, gone)
    return [circles[place] for place in kept.tolist()]


def _counts(circles: Collection[_Circle]) -> Counter[int]:
    """How often each label is in a truth."""
    told = Counter(option for circle in circles for option in circle.options)
    counts: Counter[int] = Counter()
    for option, times in told.items():
        for label in _bits(option):
            counts[label] += times
    return counts


def _bits(labels: int) -> list[int]:
    return [place for place in range(MOST_LABELS) if labels >> place & 1]


class _Table:
    """Which offers fit into which quartets. Offers with one truth and the same wrong labels are alike."""

    def __init__(
        self, orders: np.ndarray, owners: np.ndarray, truths: np.ndarray, wrongs: np.ndarray, turns: int
    ):
        self.turns = turns or len(owners) + 1
        self.owners = owners.tolist()
        pairs = np.stack([truths, wrongs], axis=1).reshape(-1, 2)
        kinds, kind = np.unique(pairs, axis=0, return_inverse=True)
        self.truths = kinds[:, 0].astype(np.uint16)
        wrong = kinds[:, 1].astype(np.uint16)
        self.kind = kind.reshape(-1).tolist()
        self.queues: list[list[int]] = [[] for _ in kinds]
        for place in np.lexsort((np.arange(len(orders)), orders))[::-1].tolist():
            self.queues[self.kind[place]].append(place)
        self.of_owner: dict[int, list[int]] = defaultdict(list)
        for place, owner in enumerate(self.owners):
            self.of_owner[owner].append(place)
        known = int(np.bitwise_or.reduce(pairs.reshape(-1))) if len(pairs) else 0
        self.labels = set(_bits(known))
        self.quartets = np.array(list(combinations(sorted(self.labels), SIDES)), dtype=np.int64)
        masks = (1 << self.quartets).sum(axis=1).astype(np.uint16) if len(self.quartets) else np.array([])
        sizes = np.bitwise_count(self.truths) if len(kinds) else np.array([], dtype=int)
        # (size, quartet) -> truth -> the kinds that have it and fit, the least pliable last.
        self.fitting: dict[tuple[int, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        num_fitting = np.zeros(len(kinds), dtype=np.int64)
        found = []
        for mask in masks:
            fits = np.flatnonzero(((self.truths & ~mask) == 0) & (((mask & ~self.truths) & ~wrong) == 0))
            num_fitting[fits] += 1
            found.append(fits)
        for place, fits in enumerate(found):
            for one in fits[np.lexsort((fits, -num_fitting[fits]))].tolist():
                if sizes[one] < SIDES:
                    self.fitting[int(sizes[one]), place][int(self.truths[one])].append(one)
        self.full = [key for key in sorted(self.fitting) if len(self.fitting[key]) >= SIDES]

    def draw(self, number: int, labels: Collection[int], attempt: int = 0) -> list[_Circle]:
        """At most so many circles of these labels, those that were true least often first.

        Every attempt after the first prefers other quartets a little.
        """
        liking = np.random.default_rng(attempt).random(len(self.full)) * (3.0 if attempt else 0.0)
        state = _Drawing(self)
        uses = np.zeros(MOST_LABELS)
        allowed = set(labels)
        live = np.array([set(self.quartets[place].tolist()) <= allowed for _, place in self.full], dtype=bool)
        members = self.quartets[[place for _, place in self.full]] if self.full else self.quartets
        circles: list[_Circle] = []
        while len(circles) < number and live.any():
            worth = uses[members].sum(axis=1) + liking
            worth[~live] = np.inf
            best = int(worth.argmin())
            size, place = self.full[best]
            options = state.options(size, place)
            if options is None:
                live[best] = False
                continue
            circles.append(_Circle(tuple(state.take(size, place, option) for option in options), options))
            for option in options:
                uses[_bits(option)] += 1
        return circles


class _Drawing:
    """What is left of a table while circles are drawn."""

    def __init__(self, table: _Table):
        self.table = table
        self.left = [len(queue) for queue in table.queues]
        self.next = list(self.left)
        self.gone = bytearray(len(table.owners))
        self.asked: Counter[int] = Counter()
        self.dead: dict[tuple[int, int, int], int] = {}

    def options(self, size: int, place: int) -> tuple[int, ...] | None:
        """Four truths of this quartet that offers have; None where there are not as many left.

        Of pairs, two and two that share nothing, where they are there: each label is right in two of four
        then. Otherwise those that most offers have.
        """
        there = {truth: self._number(size, place, truth) for truth in self.table.fitting[size, place]}
        there = {truth: number for truth, number in there.items() if number}
        if len(there) < SIDES:
            return None
        whole = sum({1 << int(label) for label in self.table.quartets[place]})
        couples = {frozenset((truth, whole - truth)) for truth in there if whole - truth in there}
        if size == 2 and len(couples) > 1:
            best = sorted(couples, key=lambda pair: (-min(there[one] for one in pair), sorted(pair)))[:2]
            return tuple(sorted(truth for pair in best for truth in pair))
        return tuple(sorted(sorted(there, key=lambda truth: (-there[truth], truth))[:SIDES]))

    def take(self, size: int, place: int, truth: int) -> int:
        """The first offer in the queue of the least pliable kind."""
        kind = self._kinds(size, place, truth)[-1]
        queue = self.table.queues[kind]
        while self.gone[queue[self.next[kind] - 1]]:
            self.next[kind] -= 1
        offer = queue[self.next[kind] - 1]
        self._remove(offer)
        owner = self.table.owners[offer]
        self.asked[owner] += 1
        if self.asked[owner] >= self.table.turns:
            for other in self.table.of_owner[owner]:
                self._remove(other)
        return offer

    def _remove(self, offer: int) -> None:
        if not self.gone[offer]:
            self.gone[offer] = 1
            self.left[self.table.kind[offer]] -= 1

    def _kinds(self, size: int, place: int, truth: int) -> list[int]:
        """The kinds that still have offers; those at the end that have none are passed over for good."""
        kinds = self.table.fitting[size, place][truth]
        end = self.dead.get((size, place, truth), len(kinds))
        while end and not self.left[kinds[end - 1]]:
            end -= 1
        self.dead[size, place, truth] = end
        return kinds[:end]

    def _number(self, size: int, place: int, truth: int) -> int:
        return sum(self.left[kind] for kind in self._kinds(size, place, truth))
