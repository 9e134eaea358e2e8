"""Who reads what, when, in which arm, with which report on the left: drawn from the seed, always the same.

Arms     counterbalanced by a Latin square: over the readers of a part every case is read in every arm equally
         often (as nearly as their number allows), and every reader reads equally many cases in each arm.
         With `blocks` the order of arms is a row of a Williams square, which also balances what came before.
Order    drawn for each reader. After the same reader's last reading of a case at least `washout` other cases
         come; where that is impossible the protocol is refused.
Sides    of two reports that are compared: half of a reader's cases each way, drawn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cxreason.records import content_id
from cxreason.study.protocol import Protocol, Reader, Stretch, StudyError


@dataclass(frozen=True)
class Assignment:
    """One reading: a reader, a case, an arm. `position` counts a reader's readings from 0."""

    reader: str
    position: int
    part: str
    arm: str
    case: str
    left: str = ""
    """Compare: which text stands on the left, as report A."""


def design(protocol: Protocol) -> list[Assignment]:
    """Every reading of the study, by reader and position.

    readings = design(load_protocol(Path("runs/study")))
    """
    plans = {part.name: _plan(protocol, part) for part in protocol.parts}
    made: list[Assignment] = []
    for reader in protocol.readers:
        made += _sequence(protocol, reader, plans)
    return made


Periods = list[list[tuple[str, str]]]
"""What one reader reads in a part: periods of (case, arm), each of which is shuffled on its own."""


def _plan(protocol: Protocol, part: Stretch) -> dict[str, Periods]:
    """For each reader of a part: which case in which arm, in which period."""
    dice = _dice(protocol, part.name)
    # In the order of the file: a reader who is added at its end changes nothing for the others.
    readers = [reader.name for reader in protocol.readers if reader.group in part.groups]
    pool = [case.id for case in protocol.cases if case.pool == part.pool]
    dice.shuffle(pool)
    arms = list(part.arms)
    dice.shuffle(arms)
    number = {case: index for index, case in enumerate(pool)}
    plan: dict[str, Periods] = {}
    for row, reader in enumerate(readers):
        cases = chosen(pool, part, row)
        size = len(arms)
        if part.crossing == "every":
            periods = [
                [(case, arms[(number[case] + row + period) % size]) for case in cases]
                for period in range(size)
            ]
        else:
            # By the place among one's own cases: each arm comes equally often, whichever cases these are.
            turn = _turns(cases, number, row, size)
            periods = [[(case, arms[turn[case]]) for case in cases]]
        plan[reader] = _blocks(periods, arms, row) if part.order == "blocks" else periods
    return plan


def _turns(cases: Sequence[str], number: dict[str, int], row: int, size: int) -> dict[str, int]:
    """Case -> column of the Latin square. Whole pools turn by the case, which balances cases over readers."""
    if len(cases) == len(number):
        return {case: (number[case] + row) % size for case in cases}
    return {case: (place + row) % size for place, case in enumerate(sorted(cases, key=number.__getitem__))}


def chosen(pool: Sequence[str], part: Stretch, row: int) -> list[str]:
    """The cases of one reader: the shared ones, then a run of the others that goes on where the last ended.

    >>> part = Stretch(groups=("g",), arms=("a",), cases_per_reader=3, shared=1)
    >>> [chosen("abcde", part, row) for row in range(2)]
    [['a', 'b', 'c'], ['a', 'd', 'e']]
    """
    if part.cases_per_reader is None:
        return list(pool)
    shared, others = list(pool[: part.shared]), list(pool[part.shared :])
    own = part.cases_per_reader - part.shared
    return shared + [others[(row * own + place) % len(others)] for place in range(own)]


def _blocks(periods: Periods, arms: Sequence[str], row: int) -> Periods:
    """One arm after the other, in the order of a Williams square's row."""
    order = williams(len(arms))[row % len(williams(len(arms)))]
    flat = [pair for period in periods for pair in period]
    return [[pair for pair in flat if pair[1] == arms[column]] for column in order]


def williams(size: int) -> list[list[int]]:
    """Rows in which every number comes once in each place and follows every other equally often.

    (Williams 1949. An odd size needs each row backwards as well.)

    >>> williams(4)
    [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    """
    first = [0]
    for step in range(1, size):
        first.append((step + 1) // 2 if step % 2 else size - step // 2)
    rows = [[(value + row) % size for value in first] for row in range(size)]
    return rows + [row[::-1] for row in rows] if size % 2 and size > 1 else rows


def _sequence(protocol: Protocol, reader: Reader, plans: dict[str, dict[str, Periods]]) -> list[Assignment]:
    """All that one reader reads, in order."""
    made: list[Assignment] = []
    last: dict[str, int] = {}
    for part in protocol.parts:
        if reader.group not in part.groups:
            continue
        for number, period in enumerate(plans[part.name][reader.name]):
            dice = _dice(protocol, part.name, reader.name, number)
            for case, arm in _spread(period, last, len(made), protocol.washout, dice):
                if case is None:
                    raise StudyError(
                        f"part '{part.name}': reader '{reader.name}' would see a case again before "
                        f"{protocol.washout} others. Lower `washout` or give the part more cases."
                    )
                last[case] = len(made)
                made.append(Assignment(reader.name, len(made), part.name, arm, case))
    return _with_sides(protocol, reader, made)


def _spread(
    period: list[tuple[str, str]], last: dict[str, int], start: int, washout: int, dice: random.Random
) -> list[tuple[str | None, str]]:
    """A random order of a period in which no case comes too early; a None in it says that there is none.

    At each place one of the cases that may come now is drawn. What may come now may come later as well, so a
    draw never spoils the rest: where this finds no order, none exists.
    """
    waiting = list(period)
    order: list[tuple[str | None, str]] = []
    for place in range(start, start + len(period)):
        free = [pair for pair in waiting if place - last.get(pair[0], -1 - washout) > washout]
        if not free:
            return [*order, (None, "")]
        one = free[dice.randrange(len(free))]
        waiting.remove(one)
        order.append(one)
    return order


def _with_sides(protocol: Protocol, reader: Reader, made: list[Assignment]) -> list[Assignment]:
    """Which report stands on the left: within each arm half of a reader's cases each way, by lot."""
    for name, arm in protocol.arms.items():
        if arm.mode != "compare":
            continue
        places = [place for place, one in enumerate(made) if one.arm == name]
        dice = _dice(protocol, "sides", name, reader.name)
        first = dice.randrange(2)  # an odd one falls to either side
        sides = [arm.reports[(first + turn) % 2] for turn in range(len(places))]
        dice.shuffle(sides)
        for place, side in zip(places, sides, strict=True):
            made[place] = replace(made[place], left=side)
    return made


def _dice(protocol: Protocol, *of: object) -> random.Random:
    """Dice of their own for each thing that is drawn."""
    return random.Random(content_id(protocol.seed, *of))
