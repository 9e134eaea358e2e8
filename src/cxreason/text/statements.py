"""What a text states, each thing once: observations grouped by their wording, repetitions left out.

>>> from cxreason.text import observe
>>> [len(said) for said in statements(observe("Lungs are clear. No edema. No oedema."))]
[6, 1]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from cxreason.text.observations import Observation, Saying, spoken, written
from cxreason.text.tokens import Token, cut

Statement = tuple[Observation, ...]
"""What one wording says: one observation, or all that a normal statement excludes at once."""


class _Told(NamedTuple):
    """A statement, what it is about, and how exactly it tells it."""

    said: Statement
    subject: object
    details: object


def statements(observations: Sequence[Observation], *, collapse: bool = True) -> list[Statement]:
    """Distinct statements in the order of the text: repeating one, in other words or not, adds nothing.

    What a normal statement excludes counts as one ("the lungs are clear" is one claim, not six). An
    observation without a span is a statement of its own. A statement that says no more than another is a
    repetition of it, whichever comes first; `collapse=False` keeps repetitions.
    """
    said = _by_span(observations)
    return _distinct(map(_told, said)) if collapse else said


def stated(said: Iterable[str]) -> list[Statement]:
    """The distinct statements of sentences, without their places: quicker than `statements` of all that is
    observed, because two that say the same are one object.

    >>> [said[0].finding for said in stated(["There is edema.", "No effusion.", "Edema."])]
    ['edema', 'pleural effusion']
    """
    return _distinct(chain.from_iterable(map(_told_in, said)))


@lru_cache(maxsize=32_768)
def _told_in(sentence: str) -> tuple[_Told, ...]:
    return tuple([_told_by(sayings, token) for sayings, token, _ in spoken(sentence, cut(sentence))])


@lru_cache(maxsize=32_768)
def _told_by(sayings: tuple[Saying, ...], token: Token) -> _Told:
    return _told(
        tuple(
            [Observation(*told, hedge=saying.hedge) for saying in sayings for told in written(saying, token)]
        )
    )


def _by_span(observations: Sequence[Observation]) -> list[Statement]:
    spans: dict[object, list[Observation]] = {}
    for number, seen in enumerate(observations):
        key = (seen.start, seen.end) if seen.end > seen.start else -number - 1
        if key in spans:
            spans[key].append(seen)
        else:
            spans[key] = [seen]
    return [tuple(said) for said in spans.values()]


def _told(said: Statement) -> _Told:
    if len(said) == 1:
        return _Told(said, said[0][:4], said[0][4:6])
    subject = frozenset([seen[:4] for seen in said])
    return _Told(said, subject, frozenset([(seen.finding, *seen[4:6]) for seen in said]))


def _distinct(told: Iterable[_Told]) -> list[Statement]:
    # About the same thing: how exactly it is told -> the first statement that tells it so.
    alike: dict[object, dict[object, Statement]] = {}
    first: list[Statement] = []
    for said, subject, details in told:
        tellings = alike.get(subject)
        if tellings is None:
            alike[subject] = {details: said}
            first.append(said)
        elif details not in tellings:
            tellings[details] = said
            first.append(said)
    if len(first) == len(alike):
        return first
    kept = {
        id(_fullest(said, list(tellings.values())))
        for tellings in alike.values()
        for said in tellings.values()
    }
    return [said for said in first if id(said) in kept]


def _fullest(said: Statement, alike: Sequence[Statement]) -> Statement:
    """The first of the statements about the same thing that says all that this one says, and most."""
    fuller = [other for other in alike if _covers(other, said)]
    return max(fuller, key=lambda other: sum(bool(seen.severity) + bool(seen.change) for seen in other))


def _covers(full: Statement, said: Statement) -> bool:
    return all(
        any(
            seen.finding == other.finding
            and seen.severity in ("", other.severity)
            and seen.change in ("", other.change)
            for other in full
        )
        for seen in said
    )
