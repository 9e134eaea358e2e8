"""Learn what there is to ask, then choose: the two steps between reading and writing.

A survey keeps the topics of a shard. Four things of each count for the choice: its place in the queue, what
it is about, what is true and its side. A feed is chosen as a whole, and kept as a mask for each shard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxreason.build.choosing import MOST_RATIO, capped, first, in_sets, in_turns
from cxreason.build.offers import Texts, gather
from cxreason.build.quartets import SIDES, as_bits, in_quartets
from cxreason.build.shards import NAMES, Piece, Shard
from cxreason.build.work import keep, kept, without_collection
from cxreason.tasks import TASKS
from cxreason.tasks.asking import reads_nothing

if TYPE_CHECKING:
    from cxreason.settings import Feed


@without_collection
def survey(piece: Piece) -> str:
    """Write what the shard offers to each of its feeds: what is chosen by, and beside it the texts."""
    if not piece.survey_file().exists():
        shard, tasks = piece.shard(), [feed.task for _, feed in piece.feeds]
        offers = gather(shard, tasks, piece.seed)
        told = [one.text for one in offers]
        keep(piece.texts_file(), list(zip(told, _read(shard, tasks), strict=True)))
        keep(piece.survey_file(), [replace(one, text=None) for one in offers])
    return piece.name


def _read(shard: Shard, tasks: Sequence[str]) -> list[list[Any]]:
    """For each task what it reads of every study, so that it is not read again for the questions."""
    readers = {TASKS[task].reads for task in tasks} - {reads_nothing}
    known = {reads: [reads(study) for study in shard.studies] for reads in readers}
    return [known.get(TASKS[task].reads, []) for task in tasks]


class Part(NamedTuple):
    """What the choice has to know of the offers of one shard to a feed."""

    queue: np.ndarray
    side: np.ndarray
    group: Texts
    value: Texts
    owner: np.ndarray
    """Numbers of the studies in the dataset."""
    wrong: np.ndarray


class _Columns(NamedTuple):
    """The offers of all shards to one feed."""

    queue: np.ndarray
    group: np.ndarray
    value: np.ndarray
    owner: np.ndarray
    wrong: np.ndarray

    def at(self, places: np.ndarray) -> _Columns:
        return _Columns(*(column[places] if len(column) else column for column in self))


@dataclass(frozen=True)
class Choice:
    """What was chosen of a feed."""

    masks: list[np.ndarray]
    """For each shard, which of its offers are asked."""
    options: list[np.ndarray]
    """For each shard, a row for each of these with its options as bits; none where the task draws them."""
    frequency: dict[str, dict[str, int]]
    """Split -> how often each label is right."""
    offered: dict[str, int]
    chosen: dict[str, int]


def choose(pieces: Sequence[Piece], limit: int | None = None) -> dict[int, Choice]:
    """Choose among the offers of all shards of a dataset to each of its feeds, and write the masks."""
    parts: dict[int, list[Part]] = {number: [] for number, _ in pieces[0].feeds}
    for piece in pieces:
        for (number, _), one in zip(piece.feeds, kept(piece.survey_file()), strict=True):
            owner = one.place + piece.start
            parts[number].append(Part(one.queue, one.side, one.group, one.value, owner, one.wrong))
    choices = {number: choose_feed(feed, parts.pop(number), limit) for number, feed in pieces[0].feeds}
    for place, piece in enumerate(pieces):
        chosen = [(one.masks[place], one.options[place] if one.options else ()) for one in choices.values()]
        keep(piece.choice_file(), chosen)
    return choices


def choose_feed(feed: Feed, parts: Sequence[Part], limit: int | None = None) -> Choice:
    """Choose among the offers of all shards to one feed."""
    ends = np.cumsum([len(part.queue) for part in parts])
    queue = np.concatenate([part.queue for part in parts])
    side = np.concatenate([part.side for part in parts])
    groups, group = _merged([part.group for part in parts])
    values, value = _merged([part.value for part in parts])
    owner = np.concatenate([part.owner for part in parts])
    wrong = np.concatenate([part.wrong for part in parts])
    columns = _Columns(queue, group, value, owner, wrong)
    taken = np.zeros(len(queue), dtype=bool)
    options = np.zeros((len(queue), SIDES), dtype=np.int64)
    frequency, offered, chosen = {}, {}, {}
    for bit, split in NAMES.items():
        here = np.flatnonzero(side == bit)
        offered[split] = len(here)
        caps = [most for most in (getattr(feed, split), limit) if most is not None]
        places, drawn = _pick(feed, columns.at(here), groups, values, min(caps, default=len(here)))
        picked = here[places]
        taken[picked] = True
        if drawn is not None:
            options[picked] = drawn
        chosen[split] = len(picked)
        right: Counter[str] = Counter()
        for code, count in zip(*np.unique(value[picked], return_counts=True), strict=True):
            for label in values[code].split(", "):
                right[label] += int(count)
        frequency[split] = dict(sorted(right.items()))
    spans = [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    rows = [options[span][taken[span]] for span in spans] if TASKS[feed.task].wrong else []
    return Choice([taken[span] for span in spans], rows, frequency, offered, chosen)


def _merged(parts: Sequence[Texts]) -> tuple[list[str], np.ndarray]:
    """The names of all shards in their order, and every code as a place among them."""
    names = sorted({name for part in parts for name in part.names})
    place = {name: number for number, name in enumerate(names)}
    codes = [np.array([place[name] for name in part.names] or [0])[part.codes] for part in parts]
    return names, np.concatenate(codes)


def _pick(
    feed: Feed, offered: _Columns, groups: list[str], values: list[str], number: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Places of the chosen among the offers of one split, and their options where those are drawn up here."""
    left = np.arange(len(offered.queue))
    for names, codes in ((groups, offered.group), (values, offered.value)):
        caps = {place: feed.caps[name] for place, name in enumerate(names) if name in feed.caps}
        if caps:
            left = left[capped(offered.queue[left], codes[left], caps)]
    queue, group, value, owner, wrong = offered.at(left)
    way = TASKS[feed.task]
    most_ratio = MOST_RATIO if feed.balance == "groups" else None
    if way.wrong is not None:
        truth = np.array([as_bits(name.split(", ")) for name in values] or [0], dtype=np.int64)[value]
        places, options = in_quartets(
            queue, owner, truth, wrong, number, turns=way.turns, most_ratio=most_ratio
        )
        return left[places], options
    if feed.balance == "natural":
        return left[first(queue, number)], None
    if feed.balance == "values":
        # As many of each value, whatever they are about: one negative for each positive.
        return left[in_turns_of_values(queue, value, number)], None
    if way.values:
        place = np.array([way.values.index(name) if name in way.values else -1 for name in values] or [0])
        return left[in_sets(queue, group, place[value], len(way.values), number, most_ratio)], None
    return left[in_turns(queue, group, number)], None


def in_turns_of_values(queue: np.ndarray, value: np.ndarray, number: int) -> np.ndarray:
    """Each value as often as the rarest."""
    _, code = np.unique(value, return_inverse=True)
    num_values = int(code.max()) + 1 if len(code) else 1
    return in_sets(queue, np.zeros(len(queue), dtype=np.int64), code, num_values, number)
