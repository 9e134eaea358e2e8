"""Learn what there is to ask, then choose: the two steps between reading and writing.

A survey keeps four numbers for each offer of a shard: its place in the queue, what it is about, what is true
and its side. From the surveys of all shards the choice of a feed is made at once, as a mask for each shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cxreason.build.choosing import capped, first, in_sets, in_turns
from cxreason.build.offers import NAMES, Shard, offers
from cxreason.build.reading import number_of, save, shard_file
from cxreason.build.splits import scatter
from cxreason.records import Study
from cxreason.rows import stream_parquet
from cxreason.tasks import TASKS

if TYPE_CHECKING:
    from cxreason.settings import Feed


@dataclass(frozen=True)
class Piece:
    """One shard of a dataset, and the feeds that draw on it with their numbers in the recipe."""

    work: Path
    dataset: str
    number: int
    start: int
    """Number of its first study in the dataset."""
    size: int
    feeds: tuple[tuple[int, Feed], ...]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.number:05d}"

    def shard(self) -> Shard:
        """Its studies with their sides."""
        with np.load(self.work / "sides" / f"{self.dataset}.npz") as known:
            mine = slice(self.start, self.start + self.size)
            splits, sides = known["split"][mine], known["side"][mine]
        studies = list(stream_parquet(shard_file(self.work, self.dataset, self.number), Study))
        return Shard.of(studies, splits, sides, self.seed)

    def survey_file(self) -> Path:
        return self.work / "survey" / f"{self.name}.npz"

    def choice_file(self) -> Path:
        return self.work / "chosen" / f"{self.name}.npz"


def survey(piece: Piece) -> str:
    """Write what the shard offers to each of its feeds."""
    if piece.survey_file().exists():
        return piece.name
    shard = piece.shard()
    numbers = np.array(shard.numbers, dtype=np.uint64)
    arrays: dict[str, Any] = {}
    for feed_number, feed in piece.feeds:
        places: list[int] = []
        groups = _Names()
        values = _Names()
        bits: list[int] = []
        for offer in offers(shard, feed.task):
            places.append(offer.place)
            groups.add(offer.topic.group)
            values.add(offer.topic.value)
            bits.append(shard.sides[offer.place])
        # The queue: a number that belongs to the study, the task, and the how-manieth of its topics it is.
        owner = np.array(places, dtype=np.int64)
        nth = np.arange(len(owner)) - np.searchsorted(owner, owner, side="left") if len(owner) else owner
        salt = number_of(feed.task) % 2**63
        queue = scatter(numbers[owner] ^ scatter(nth.astype(np.uint64), salt), piece.seed)
        arrays |= {f"{feed_number}.queue": queue, f"{feed_number}.side": np.array(bits, dtype=np.int8)}
        arrays |= {f"{feed_number}.group": groups.codes(), f"{feed_number}.groups": groups.names()}
        arrays |= {f"{feed_number}.value": values.codes(), f"{feed_number}.values": values.names()}
    save(piece.survey_file(), arrays)
    return piece.name


class _Names:
    """Texts as small numbers."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}
        self._codes: list[int] = []

    def add(self, name: str) -> None:
        self._codes.append(self._known.setdefault(name, len(self._known)))

    def codes(self) -> np.ndarray:
        return np.array(self._codes, dtype=np.int32)

    def names(self) -> np.ndarray:
        return np.array(list(self._known), dtype=np.str_)


@dataclass(frozen=True)
class Choice:
    """What was chosen of a feed."""

    masks: dict[str, np.ndarray]
    """Shard -> which of its offers are asked."""
    frequency: dict[str, dict[str, int]]
    """Split -> how often each label is right."""
    offered: dict[str, int]
    chosen: dict[str, int]


def choose_feed(number: int, feed: Feed, pieces: Sequence[Piece], limit: int | None = None) -> Choice:
    """Choose among the offers of all shards to one feed."""
    parts = [_load(number, piece) for piece in pieces]
    ends = np.cumsum([len(part["queue"]) for part in parts])
    queue, side = (np.concatenate([part[name] for part in parts]) for name in ("queue", "side"))
    groups, group = _merged([(part["groups"], part["group"]) for part in parts])
    values, value = _merged([(part["values"], part["value"]) for part in parts])
    kept = np.zeros(len(queue), dtype=bool)
    frequency, offered, chosen = {}, {}, {}
    for bit, split in NAMES.items():
        here = np.flatnonzero(side == bit)
        offered[split] = len(here)
        caps = [most for most in (getattr(feed, split), limit) if most is not None]
        picked = here[
            _pick(feed, queue[here], group[here], value[here], groups, values, min(caps, default=len(here)))
        ]
        kept[picked] = True
        chosen[split] = len(picked)
        right: Counter[str] = Counter()
        for code, count in zip(*np.unique(value[picked], return_counts=True), strict=True):
            for label in values[code].split(", "):
                right[label] += int(count)
        frequency[split] = dict(sorted(right.items()))
    starts = [0, *ends[:-1]]
    masks = {piece.name: kept[start:end] for piece, start, end in zip(pieces, starts, ends, strict=True)}
    return Choice(masks, frequency, offered, chosen)


def _load(number: int, piece: Piece) -> dict[str, np.ndarray]:
    with np.load(piece.survey_file()) as arrays:
        return {
            name: arrays[f"{number}.{name}"]
            for name in ("queue", "side", "group", "groups", "value", "values")
        }


def _merged(parts: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[list[str], np.ndarray]:
    """The names of all shards in their order, and every code as a place among them."""
    names = sorted({str(name) for known, _ in parts for name in known})
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.array([place[str(name)] for name in known], dtype=np.int64)[code]
        if len(known)
        else code.astype(np.int64)
        for known, code in parts
    ]
    return names, np.concatenate(codes) if codes else np.array([], dtype=np.int64)


def _pick(
    feed: Feed,
    queue: np.ndarray,
    group: np.ndarray,
    value: np.ndarray,
    groups: list[str],
    values: list[str],
    number: int,
) -> np.ndarray:
    """Places of the chosen among the offers of one split."""
    left = np.arange(len(queue))
    for names, codes in ((groups, group), (values, value)):
        caps = {place: feed.caps[name] for place, name in enumerate(names) if name in feed.caps}
        if caps:
            left = left[capped(queue[left], codes[left], caps)]
    if feed.balance == "natural":
        return left[first(queue[left], number)]
    if feed.balance == "values":
        # As many of each value, whatever they are about: one negative for each positive.
        return left[in_turns_of_values(queue[left], value[left], number)]
    wanted = TASKS[feed.task].values
    if wanted:
        place = np.array([wanted.index(name) if name in wanted else -1 for name in values] or [0])
        return left[in_sets(queue[left], group[left], place[value[left]], len(wanted), number)]
    return left[in_turns(queue[left], group[left], number)]


def in_turns_of_values(queue: np.ndarray, value: np.ndarray, number: int) -> np.ndarray:
    """Each value as often as the rarest."""
    _, code = np.unique(value, return_inverse=True)
    num_values = int(code.max()) + 1 if len(code) else 1
    return in_sets(queue, np.zeros(len(queue), dtype=np.int64), code, num_values, number)


def write_choices(pieces: Sequence[Piece], choices: dict[int, Choice]) -> None:
    """One file of masks for each shard, and beside it how often each label is right."""
    for piece in pieces:
        masks = {str(number): choices[number].masks[piece.name] for number, _ in piece.feeds}
        save(piece.choice_file(), masks)
