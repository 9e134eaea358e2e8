"""What a task is: the topics that a study offers, and how one of them is asked.

A task never looks beyond the study, its prior and the few other studies that it is given, so samples can be
made in any order and by any number of processes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from cxreason.answers.dialects import letters
from cxreason.records import Kind, Study

Member = TypeVar("Member")


class Topic(NamedTuple):
    """One thing that can be asked about a study, and what is true of it.

    Topics with one `group` are balanced over their `value`s: as many yes as no for a finding.
    """

    group: str
    value: str
    subject: str = ""
    number: int = 0
    """Which image, question or passage of the study it is about."""
    alone: bool = False
    """Of a task that wants company: it can be asked without."""
    split: str = ""
    """Its own split, where a dataset splits questions and not studies; empty = that of the study."""
    text: str = ""
    """The whole answer, of a task that is `told`."""


topic_of: Callable[[Iterable[Any]], Topic] = partial(tuple.__new__, Topic)
"""A topic of all its fields in their order: at a fourth of the price, for what is made by the million."""


class Asked(NamedTuple):
    """Options and gold answer, as the answer kind of the task writes it, and what the question shows."""

    options: tuple[str, ...]
    answer: str
    wording: str = ""
    """Whose templates ask it, where a task asks in several ways; else those of the task."""
    fill: Mapping[str, str] = MappingProxyType({})
    """What stands in the blanks of the template."""
    question: str = ""
    """The question itself, where the dataset brings it."""
    images: tuple[str, ...] | None = None
    """What is shown; None is every image of the study."""
    kind: Kind | None = None
    """The kind of answer, where it is not that of the task."""
    subject: str = ""
    official_id: str = ""
    """The id of the question in the dataset that brings it."""
    styled: bool = False
    """Whether the marks of the options are drawn too."""


def reads_nothing(study: Study) -> Any:
    """For a task that reads nothing of a study that would take long."""


class Given(NamedTuple):
    """What a task may use beside the study."""

    frequency: Mapping[str, float]
    """How often each label is right in the corpus: wrong ones are drawn as often."""
    prior: Study | None = None
    others: Sequence[Study] = ()
    """Studies of other patients that say other things. Whoever is shown among mine has me among theirs, so
    that each text is right and wrong equally often."""
    options: Sequence[str] = ()
    """The options in their order, where a builder drew them up for several studies. The truth is one of
    them."""
    read: Callable[[Study], Any] = reads_nothing
    """`Task.reads`, or what gives back what a builder has read so of each study."""


def _not_asked(study: Study, topic: Topic, rng: Random, given: Given) -> Asked:
    raise NotImplementedError("this task is told; see `Task.told`")


@dataclass(frozen=True)
class Task:
    """One way of asking: the kind of its answer, the topics of a study, and options with gold answer."""

    kind: Kind
    topics: Callable[[Study], list[Topic]]
    ask: Callable[[Study, Topic, Random, Given], Asked] = _not_asked
    values: tuple[str, ...] = ()
    """Where given, the values that every group needs equally often."""
    title: str = ""
    """The name under which CheXinstruct publishes it."""
    prior: bool = False
    """Asks about two examinations of one patient, the earlier one shown first."""
    about_views: bool = False
    """Whether the views of the images would answer the question."""
    wrong: Callable[[Study], Sequence[str]] | None = None
    """Where builders draw up the options (`build/quartets.py`): the labels that certainly are not there."""
    turns: int = 0
    """How often they ask it of one study at most; 0 = of every topic."""
    company: int = 0
    """How many other studies a question is made with."""
    says: Callable[[Study, Topic], tuple[int, ...]] = lambda study, topic: ()
    """What a study says to a topic, as numbers: those that stand together differ in every place of it."""
    told: Callable[[Study, str], Mapping[str, str]] | None = None
    """Of a task that is not asked but told: the text of a topic is the answer, only the template is drawn.
    What stands in its blanks, by the study and the subject. Builders write such samples by the column."""
    reads: Callable[[Study], Any] = reads_nothing
    """What its topics and questions read of a study, where that takes long: builders keep it for both."""
    shows_images: bool = True
    """Of a task that is told: whether it shows the images of the study."""


def sign(text: str) -> int:
    """A number that tells texts apart, the same on every machine.

    >>> sign("Clear lungs.") == sign("Clear lung.")
    False
    """
    return zlib.crc32(text.encode())


def pair_of(
    one: Member, four: Sequence[Member], fit: Callable[[Member, Member], object]
) -> tuple[Member, Member]:
    """The pair of one of four, which are paired so that most pairs fit: for both of a pair it is the same.

    >>> pair_of(3, (1, 2, 3, 5), lambda first, second: first + second == 5)
    (2, 3)
    """
    first, second, third, fourth = four
    ways = (
        ((first, second), (third, fourth)),
        ((first, third), (second, fourth)),
        ((first, fourth), (second, third)),
    )
    best = max(ways, key=lambda pairs: sum(bool(fit(*pair)) for pair in pairs))
    (own,) = (pair for pair in best if any(member is one for member in pair))
    return own


def shuffled(options: Iterable[str], truth: str, rng: Random, **more) -> Asked:
    """A choice among the options in any order.

    >>> shuffled(("Yes", "No"), "No", Random(0)).answer in "AB"
    True
    """
    order = list(options)
    rng.shuffle(order)
    return in_order(order, truth, **more)


def in_order(options: Sequence[str], truth: str, **more) -> Asked:
    """A choice among the options in the order that they have.

    >>> in_order(("Yes", "No"), "No").answer
    'B'
    """
    if len(set(options)) < len(options):
        raise ValueError(f"two options are the same: {options}")
    return Asked(tuple(options), letters(options)[options.index(truth)], **more)
