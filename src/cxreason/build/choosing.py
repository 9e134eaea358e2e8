"""Which of the candidates are asked: balanced, the same ones in whatever order they come.

    >>> orders = np.array([3, 1, 2, 4], dtype=np.uint64)
    >>> in_turns(orders, np.zeros(4, dtype=int), 3).tolist()
    [1, 2, 0]

A candidate is a number: its `order` says where it stands in the queue, its `group` what it is about, its
`value` what is true. Everything is done on whole columns, so that ten million candidates take seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

MOST_RATIO = 2.0
"""The most frequent label is asked about at most so many times as often as the rarest: both papers' rule."""


def in_turns(orders: np.ndarray, groups: np.ndarray, number: int) -> np.ndarray:
    """At most `number` candidates, the groups taking turns until their queues are empty.

    A rare group runs out and the others go on, but no group gets more than twice the smallest one or its
    even share, whichever is more. Groups are numbers that sort as their names do.
    """
    sizes = np.bincount(groups)[np.unique(groups)] if len(groups) else np.array([], dtype=int)
    if not len(sizes):
        return np.array([], dtype=np.int64)
    even_share = -(-min(number, len(groups)) // len(sizes))
    most = max(2 * int(sizes.min()), even_share, 1)
    turn = _places(orders, groups)
    kept = np.flatnonzero(turn < most)
    return kept[np.lexsort((groups[kept], turn[kept]))][:number]


def in_sets(
    orders: np.ndarray,
    groups: np.ndarray,
    values: np.ndarray,
    num_values: int,
    number: int,
    most_ratio: float | None = None,
) -> np.ndarray:
    """The same with turns of one candidate of each value; a group that lacks one is done.

    Its name would give the answer away. Values are numbers below `num_values`; others are never taken. With
    `most_ratio` no group is taken more than so many times as often as another: see `within_ratio`.
    """
    wanted = np.flatnonzero((values >= 0) & (values < num_values))
    if not len(wanted):
        return wanted
    group, value = groups[wanted], values[wanted]
    turn = _places(orders[wanted], group * num_values + value)
    counts = np.bincount(group * num_values + value, minlength=(int(group.max()) + 1) * num_values)
    complete = counts.reshape(-1, num_values).min(axis=1)
    if most_ratio is not None:
        fewest, most = within_ratio(complete.tolist(), most_ratio, number / num_values)
        complete = np.where(complete < fewest, 0, np.minimum(complete, most)).astype(complete.dtype)
    kept = np.flatnonzero(turn < complete[group])
    ordered = kept[np.lexsort((value[kept], group[kept], turn[kept]))]
    return wanted[ordered[: number // num_values * num_values]]


def within_ratio(sizes: Sequence[int], most_ratio: float, number: float = np.inf) -> tuple[float, float]:
    """(fewest, most) of a group: those with fewer are given up, of those with more the rest is left.

    Between keeping every group and having many, it takes the largest product of both.

    >>> within_ratio([1, 30, 40, 100], 2.0)
    (30, 60.0)
    """
    best, worth = (0.0, 0.0), 0.0
    for fewest in sorted({size for size in sizes if size}):
        kept = [min(size, most_ratio * fewest) for size in sizes if size >= fewest]
        if min(sum(kept), number) * len(kept) > worth:
            worth = min(sum(kept), number) * len(kept)
            best = (fewest, most_ratio * fewest)
    return best


def first(orders: np.ndarray, number: int) -> np.ndarray:
    """The first `number` of the queue, as they come: the balance of the candidates stays."""
    return np.argsort(orders, kind="stable")[:number]


def capped(orders: np.ndarray, labels: np.ndarray, caps: dict[int, int]) -> np.ndarray:
    """A mask of what stays where a label may come only so often: the first of its queue."""
    kept = np.ones(len(orders), dtype=bool)
    for label, most in caps.items():
        places = np.flatnonzero(labels == label)
        kept[places[np.argsort(orders[places], kind="stable")[most:]]] = False
    return kept


def _places(orders: np.ndarray, queues: np.ndarray) -> np.ndarray:
    """The place of each candidate in its own queue, from 0 on."""
    order = np.lexsort((orders, queues))
    starts = np.flatnonzero(np.diff(queues[order], prepend=-1))
    lengths = np.diff(np.append(starts, len(order)))
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return places
