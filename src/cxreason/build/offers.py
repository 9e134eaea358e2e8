"""What the studies of a shard offer to be asked: made once, in an order that never changes, kept as columns.

A topic is offered on the side of its study alone: a training question about an image that is tested is none.
What needs a prior or company that is not there is not offered either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, repeat
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from cxreason.build.circles import circles
from cxreason.build.quartets import as_bits
from cxreason.build.reading import BITS
from cxreason.build.shards import Shard
from cxreason.build.splits import scatter
from cxreason.records import short_id
from cxreason.tasks import TASKS, Task, Topic
from cxreason.tasks.asking import topic_of


class Texts(NamedTuple):
    """A column of texts, as the different ones and which of them stands in each row."""

    names: list[str]
    codes: np.ndarray

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        if not any(texts):  # as in most columns of most tasks
            return cls([""] if texts else [], np.zeros(len(texts), dtype=np.int32))
        once = pa.array(texts, pa.string()).dictionary_encode()
        return cls(once.dictionary.to_pylist(), once.indices.to_numpy().astype(np.int32))

    def rows(self, places: np.ndarray) -> list[str]:
        names = self.names
        return [names[code] for code in self.codes[places].tolist()]


@dataclass(frozen=True)
class Offers:
    """The topics of one task in a shard, study by study."""

    queue: np.ndarray
    """Where each stands in the order in which offers are taken."""
    side: np.ndarray
    place: np.ndarray
    """Of the study in its shard."""
    group: Texts
    value: Texts
    subject: Texts
    split: Texts
    number: np.ndarray
    alone: np.ndarray
    others: np.ndarray
    """Places of the studies that each is asked with, a row each; -1 where it is asked without."""
    wrong: np.ndarray
    """What is certainly not there as bits of labels; empty where the task does not stand in quartets."""
    text: pa.Array | None
    """The answers of a task that is told; None where they are left aside."""

    def topics(self, wanted: np.ndarray) -> Iterator[tuple[int, Topic, list[int]]]:
        """(place of the study, topic, places of the others) for the offers at the places wanted.

        Where one of a circle is not wanted, what is true of it alone would be wrong too often: the others are
        asked without, where they can be.
        """
        texts = (column.rows(wanted) for column in (self.group, self.value, self.subject))
        numbers = (column[wanted].tolist() for column in (self.number, self.alone))
        topics = map(topic_of, zip(*texts, *numbers, self.split.rows(wanted), repeat("")))
        others = self.others[wanted]
        if others.shape[1]:
            others[~self._in_whole_circles(wanted) & self.alone[wanted]] = -1
        return zip(self.place[wanted].tolist(), topics, others.tolist(), strict=True)

    def _in_whole_circles(self, wanted: np.ndarray) -> np.ndarray:
        """Of the offers at the places wanted, which have all the others of their circle among them."""
        number = max(len(self.group.names), 1)
        own = self.place.astype(np.int64) * number + self.group.codes
        beside = self.others.astype(np.int64) * number + self.group.codes[:, None]
        return np.asarray(np.isin(beside[wanted], own[wanted]).all(axis=1))

    def told(self, wanted: np.ndarray) -> tuple[list[str], list[str]]:
        """The subjects and the texts at the places wanted, of a task that is told."""
        if self.text is None:
            raise ValueError("the texts of these offers were left aside")
        return self.subject.rows(wanted), self.text.take(pa.array(wanted)).to_pylist()


def gather(shard: Shard, tasks: Sequence[str], seed: int) -> list[Offers]:
    """The offers of a shard to each of the tasks.

    Study by study and not task by task, because what a report says is read once for several tasks.
    """
    ways = [TASKS[task] for task in tasks]
    priors = shard.priors() if any(way.prior for way in ways) else []
    places: list[list[int]] = [[] for _ in ways]
    topics: list[list[Topic]] = [[] for _ in ways]
    columns = list(zip(ways, places, topics, strict=True))
    for place, (study, side) in enumerate(zip(shard.studies, shard.sides.tolist(), strict=True)):
        if not side:
            continue
        own = BITS.get(study.split) == side
        for way, where, found in columns:
            if way.prior and priors[place] < 0:
                continue
            offered = [
                topic
                for topic in way.topics(study)
                if (BITS.get(topic.split) == side if topic.split else own)
            ]
            if offered:
                found += offered
                where += [place] * len(offered)
    return [
        _columns(shard, task, where, found, seed)
        for task, where, found in zip(tasks, places, topics, strict=True)
    ]


def _columns(shard: Shard, task: str, places: list[int], topics: list[Topic], seed: int) -> Offers:
    way = TASKS[task]
    others = np.full((len(topics), way.company), -1, dtype=np.int32)
    if way.company:
        found = circles(shard, way, places, topics)
        company = [found.get((place, topic.group)) for place, topic in zip(places, topics, strict=True)]
        asked = [bool(met) or topic.alone for met, topic in zip(company, topics, strict=True)]
        places, topics = list(compress(places, asked)), list(compress(topics, asked))
        company = list(compress(company, asked))
        others = np.array([met or (-1,) * way.company for met in company], dtype=np.int32)
        others = others.reshape(-1, way.company)
    group, value, subject, number, alone, split, text = zip(*topics, strict=True) if topics else [()] * 7
    owner = np.array(places, dtype=np.int32)
    # The queue: a number that belongs to the study, the task, and the how-manieth of its topics it is.
    nth = np.arange(len(owner)) - np.searchsorted(owner, owner, side="left")
    mixed = scatter(nth.astype(np.uint64), short_id(task) % 2**63)
    return Offers(
        queue=scatter(shard.numbers[owner] ^ mixed, seed),
        side=shard.sides[owner].astype(np.int8),
        place=owner,
        group=Texts.of(group),
        value=Texts.of(value),
        subject=Texts.of(subject),
        split=Texts.of(split),
        number=np.array(number, dtype=np.int32),
        alone=np.array(alone, dtype=bool),
        others=others,
        wrong=_wrong(shard, way, owner),
        text=pa.array(text if way.told else (), pa.string()),
    )


def _wrong(shard: Shard, way: Task, owner: np.ndarray) -> np.ndarray:
    if way.wrong is None:
        return np.zeros(0, dtype=np.int64)
    places, of_place = np.unique(owner, return_inverse=True)
    bits = [as_bits(way.wrong(shard.studies[place])) for place in places.tolist()]
    return np.array(bits, dtype=np.int64)[of_place]
