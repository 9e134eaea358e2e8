"""What the studies of a shard offer to be asked, in an order that never changes.

The builder goes through the offers of a shard twice: once to learn what there is, once to write what was
chosen. An offer is known by its place in this list, so both times see the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from cxreason.build.paths import BuildError
from cxreason.build.reading import BITS, number_of
from cxreason.records import Study
from cxreason.tasks import TASKS, Task, Topic

NAMES = {bit: name for name, bit in BITS.items()}
OPEN_CIRCLES = 64
"""So many circles wait for a study that says something else; the oldest is given up."""


class Offer(NamedTuple):
    """A topic of a study, with what it needs to be asked."""

    place: int
    """Of the study in its shard."""
    study: Study
    prior: Study | None
    topic: Topic
    others: tuple[Study, ...]


@dataclass(frozen=True)
class Shard:
    """The studies of a shard with their sides, and the number of each that orders draws."""

    studies: list[Study]
    sides: np.ndarray
    numbers: list[int]

    @classmethod
    def of(cls, studies: list[Study], splits: np.ndarray, sides: np.ndarray, seed: int) -> Shard:
        """Studies get the split that they were assigned, where their dataset has none."""
        kept = [
            replace(study, split=NAMES[int(split)])
            if int(split) in NAMES and NAMES[int(split)] != study.split
            else study
            for study, split in zip(studies, splits, strict=True)
        ]
        return cls(kept, sides, [number_of(f"{seed} {study.id}") for study in kept])


def offers(shard: Shard, task: str) -> Iterator[Offer]:
    """Everything that a task can be asked about, study by study.

    A topic is offered on the side of its study alone: a training question about an image that is tested is
    none. What needs a prior or company that is not there is not offered either.
    """
    way = TASKS[task]
    by_id = {study.id: place for place, study in enumerate(shard.studies)} if way.prior else {}
    circles = _circles(shard, way) if way.company else None
    for place, study in enumerate(shard.studies):
        side = shard.sides[place]
        if not side:
            continue
        prior = None
        if way.prior:
            if not study.prior_id:
                continue
            prior = _prior(shard, by_id, place)
            if prior is None:
                continue
        for topic in way.topics(study):
            if BITS.get(_split_of(topic, study)) != side:
                continue
            others = circles.get((place, topic.group), ()) if circles is not None else ()
            if way.company and not others and not topic.alone:
                continue
            yield Offer(place, study, prior, topic, others)


def _split_of(topic: Topic, study: Study) -> str:
    return topic.split or study.split


def _prior(shard: Shard, by_id: dict[str, int], place: int) -> Study | None:
    """The earlier study; None where that one may not be asked about on this side."""
    study = shard.studies[place]
    before = by_id.get(study.prior_id)
    if before is None or shard.studies[before].patient_id != study.patient_id:
        raise BuildError(
            f"{study.dataset}: study {study.id!r} names the prior {study.prior_id!r}, which is no study of "
            "the same patient beside it. Mend prior_id or leave it empty."
        )
    return shard.studies[before] if shard.sides[before] == shard.sides[place] else None


def _circles(shard: Shard, way: Task) -> dict[tuple[int, str], tuple[Study, ...]]:
    """(study, group of its topics) -> the others of its circle.

    A circle is of `company` + 1 patients of one side who say different things: whoever is shown with me has
    me shown with them, so that each text is right as often as it is wrong.
    """
    waiting: dict[tuple[int, str], list[tuple[int, Topic]]] = defaultdict(list)
    for place, study in enumerate(shard.studies):
        if shard.sides[place]:
            for group, topic in {
                topic.group: topic
                for topic in reversed(way.topics(study))
                if BITS.get(_split_of(topic, study)) == shard.sides[place]
            }.items():
                waiting[int(shard.sides[place]), group].append((place, topic))
    found: dict[tuple[int, str], tuple[Study, ...]] = {}
    for (_, group), members in sorted(waiting.items(), key=lambda item: item[0]):
        members.sort(key=lambda member: (shard.numbers[member[0]], member[0]))
        for circle in _gather(shard, way, members):
            for place in circle:
                found[place, group] = tuple(shard.studies[one] for one in circle if one != place)
    return found


def _gather(shard: Shard, way: Task, members: Sequence[tuple[int, Topic]]) -> Iterator[list[int]]:
    waiting: list[tuple[list[int], set[str], list[set[int]]]] = []
    for place, topic in members:
        study = shard.studies[place]
        says = way.says(study, topic)
        for circle, patients, said in waiting:
            if study.patient_id in patients or any(one in seen for one, seen in zip(says, said, strict=True)):
                continue
            circle.append(place)
            patients.add(study.patient_id)
            for one, seen in zip(says, said, strict=True):
                seen.add(one)
            if len(circle) > way.company:
                waiting = [one for one in waiting if one[0] is not circle]
                yield circle
            break
        else:
            waiting.append(([place], {study.patient_id}, [{one} for one in says]))
            waiting = waiting[-OPEN_CIRCLES:]
