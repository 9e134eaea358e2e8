"""Which side each study stands on, over all datasets at once, so that nobody stands on two.

Studies that share a key (`Study.keys`: patient, study or image, under every dataset that holds it) hang
together, directly or through others. Where one of them is asked in a test, nothing of them is trained on.

- A study keeps the split of its dataset. One of a dataset without splits goes where those that hang with it
  are tested, else by lot, all that hang together as one; the recipe's `shares` say how many go where.
- A derived dataset goes by the split of the images it was made of. Where its own split says otherwise, and
  one of the two is an evaluation, the study is left out.
- What hangs with a test study and is no test itself is left out; so is what hangs with validation and trains.
- A study that would be trained on, but has the same long report as one of an evaluation, is left out; so is
  one of validation that has the report of a test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cxreason.build.reading import BITS, TEST, TRAIN, VALIDATION

REASONS = {
    1: "own split says otherwise",
    2: "hangs with an evaluation study",
    3: "same report as an evaluation study",
    4: "none of its images is there",
}
_ORDER = (TRAIN, VALIDATION, TEST)


@dataclass(frozen=True)
class Index:
    """What is known of a dataset's studies before they are split; see `reading`."""

    dataset: str
    keys: np.ndarray
    num_keys: np.ndarray
    bits: np.ndarray
    own: np.ndarray
    reports: np.ndarray
    has_splits: bool
    gone: np.ndarray | None = None
    """Of which studies no image is there, where others have theirs."""
    evaluation_only: bool = False


@dataclass(frozen=True)
class Sides:
    """For each study of a dataset: the split it has, the side it may be asked on (0: none), and why not."""

    split: np.ndarray
    side: np.ndarray
    reason: np.ndarray


def assign(
    indexes: Sequence[Index], shares: Mapping[str, Mapping[Any, float]], seed: int = 0
) -> dict[str, Sides]:
    """The sides of the studies of every dataset.

    `shares` gives, for a dataset without splits, how much of it goes where: {"rsna": {"train": 0.7, ...}}.
    """
    sizes = [len(one.bits) for one in indexes]
    owner = np.repeat(np.arange(len(indexes)), sizes)
    bits = np.concatenate([_bits(one) for one in indexes])
    own = np.concatenate([one.own for one in indexes])
    reports = np.concatenate([one.reports for one in indexes])
    component, lots = _components(indexes, seed)
    loose = np.repeat([not one.has_splits and not one.evaluation_only for one in indexes], sizes)

    together = np.zeros(component.max() + 1, dtype=np.int8)
    fixed = np.flatnonzero(~loose)
    np.bitwise_or.at(together, component[fixed], bits[fixed])
    strictest = np.select([together & TEST > 0, together & VALIDATION > 0], [TEST, VALIDATION], TRAIN)[
        component
    ]
    drawn = np.zeros(len(bits), dtype=np.int8)
    for place, one in enumerate(indexes):
        mine = owner == place
        drawn[mine] = _draw(lots[mine], shares.get(one.dataset, {"train": 1.0}))
    split = np.where(loose, np.where(strictest == TRAIN, drawn, strictest), bits).astype(np.int8)
    # What was drawn can be an evaluation too, for everything that hangs with it.
    np.bitwise_or.at(together, component, split)
    side = np.select([together & TEST > 0, together & VALIDATION > 0], [TEST, VALIDATION], TRAIN)[component]

    reason = np.zeros(len(bits), dtype=np.int8)
    reason[(split & side) == 0] = 2
    reason[(own > 0) & (own != split) & ((own | split) > TRAIN)] = 1
    for tried in (TEST, VALIDATION):  # nothing is trained on either, nor chosen by what is tested
        asked = np.unique(reports[(side == tried) & (reason == 0) & (reports > 0)])
        easier = (side == TRAIN) | ((side == VALIDATION) & (tried == TEST))
        reason[easier & (reason == 0) & np.isin(reports, asked)] = 3
    gone = [np.zeros(len(one.bits), bool) if one.gone is None else one.gone for one in indexes]
    reason[(reason == 0) & np.concatenate(gone)] = 4
    side = np.where(reason > 0, 0, side).astype(np.int8)
    ends = np.cumsum(sizes)
    return {
        one.dataset: Sides(*(column[end - size : end] for column in (split, side, reason)))
        for one, size, end in zip(indexes, sizes, ends, strict=True)
    }


def _bits(one: Index) -> np.ndarray:
    """An evaluation set without splits of its own is a test as a whole."""
    return np.full_like(one.bits, TEST) if one.evaluation_only and not one.has_splits else one.bits


def _components(indexes: Sequence[Index], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """For each study the number of what hangs together, and that group's lot in [0, 1)."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    num_studies = sum(len(one.bits) for one in indexes)
    study = np.repeat(np.arange(num_studies), np.concatenate([one.num_keys for one in indexes]))
    keys = np.concatenate([one.keys for one in indexes])
    names, key = np.unique(keys, return_inverse=True)
    size = num_studies + len(names)
    edges = coo_matrix((np.ones(len(study), dtype=np.int8), (study, num_studies + key)), shape=(size, size))
    _, label = connected_components(edges, directed=False)
    component = label[:num_studies]
    # The smallest key names the group: it is the same whatever else is in the build, and in any order.
    lowest = np.full(label.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(lowest, label[num_studies:], names)
    return component, scatter(lowest, seed)[component] / 2.0**64


def scatter(numbers: np.ndarray, seed: int) -> np.ndarray:
    """Numbers of 64 bits that look random and belong to the numbers given (SplitMix64, Steele et al. 2014).

    >>> scatter(np.array([1, 2], dtype=np.uint64), 0).tolist()
    [10451216379200822465, 10905525725756348110]
    """
    with np.errstate(over="ignore"):
        mixed = numbers.astype(np.uint64) + np.uint64(
            (seed * 0xD1342543DE82EF95 + 0x9E3779B97F4A7C15) % 2**64
        )
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return mixed ^ (mixed >> np.uint64(31))


def _draw(lots: np.ndarray, shares: Mapping[Any, float]) -> np.ndarray:
    """The split that each lot falls into."""
    total = sum(shares.values())
    edges = np.cumsum([shares.get(name, 0.0) / total for name in BITS])
    edges[-1] = 1.0
    return np.array(_ORDER, dtype=np.int8)[np.searchsorted(edges, lots, side="right").clip(max=2)]
