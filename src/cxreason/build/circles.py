"""Who is shown with whom, where a question is made with the studies of other patients.

A circle is of `company` + 1 patients of one side who say different things: whoever is shown with me has me
shown with them, so that each text is right as often as it is wrong.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from cxreason.build.shards import Shard
from cxreason.tasks import Task, Topic

OPEN_CIRCLES = 64
"""So many circles wait for a study that says something else; the oldest is given up."""


def circles(
    shard: Shard, way: Task, places: Sequence[int], topics: Sequence[Topic]
) -> dict[tuple[int, str], tuple[int, ...]]:
    """(study, group of its topics) -> the others of its circle, all as places in the shard.

    `places` and `topics` are what a task can be asked about on the sides of the studies, study by study.
    """
    waiting: dict[tuple[int, str], dict[int, Topic]] = defaultdict(dict)
    sides, numbers = shard.sides.tolist(), shard.numbers.tolist()
    for place, topic in zip(places, topics, strict=True):
        waiting[sides[place], topic.group].setdefault(place, topic)
    found: dict[tuple[int, str], tuple[int, ...]] = {}
    for (_, group), members in sorted(waiting.items(), key=lambda item: item[0]):
        queue = sorted(members, key=lambda place: (numbers[place], place))
        for circle in _gather(shard, way, [(place, members[place]) for place in queue]):
            for place in circle:
                found[place, group] = tuple(one for one in circle if one != place)
    return found


def _gather(shard: Shard, way: Task, members: Sequence[tuple[int, Topic]]) -> Iterator[list[int]]:
    waiting: list[tuple[list[int], set[str], list[set[int]]]] = []
    for place, topic in members:
        study = shard.studies[place]
        says = way.says(study, topic)
        for number, (circle, patients, said) in enumerate(waiting):
            if study.patient_id in patients or any(map(set.__contains__, said, says)):
                continue
            circle.append(place)
            patients.add(study.patient_id)
            for one, seen in zip(says, said, strict=True):
                seen.add(one)
            if len(circle) > way.company:
                del waiting[number]
                yield circle
            break
        else:
            waiting.append(([place], {study.patient_id}, [{one} for one in says]))
            del waiting[:-OPEN_CIRCLES]
