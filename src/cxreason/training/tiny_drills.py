"""The tiny base model learns to use a text: to look things up in it, weigh options against it and choose.

No image is needed, and every reply hangs on its prompt: most names in a drill are words put together by
chance, and what is said of them is said in many ways. A large language model brings this along from its own
training; a small one would answer by habit. The drills come in the forms of both dialects and both modes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING

from cxreason.answers import DIALECTS
from cxreason.answers.dialects import letters
from cxreason.mining.rules import (
    SEVERITIES,
    TIMES,
    Evidence,
    in_question,
    state,
    what_fits,
    with_letter,
    wording,
)
from cxreason.records import Mode, Study
from cxreason.tasks.radrbench import CHANGES
from cxreason.text.ontology import FINDINGS, NO_FINDING

if TYPE_CHECKING:
    import torch

Segment = tuple[str, bool]
"""A piece of a conversation, and whether the loss is taken on it."""

Turn = tuple[str, str | list[Segment]]
"""A question and the reply to it; of a reply in pieces not all is learnt."""

Lesson = tuple[list[int], list[Turn]]
"""A conversation: the rows of the images that it shows, and its turns."""

PRESENT = ("{} is there.", "Here is {}.", "{} is seen.", "This has {}.", "One sees {}.", "Yes: {}.")
ABSENT = ("No {}.", "Not {}.", "Without {}.", "This has no {}.", "One sees no {}.", "Gone: {}.")
ASIDES = ("Look at {}.", "Check {}.", "First, {}.", "Think of {}.", "It is about {}.", "What of {}?")
CONCLUSIONS = ("The answer is {answer}.", "That gives {answer}.", "It is {answer}.", "Therefore {answer}.")
NAMING = ("It is {}.", "This means {}.", "That makes it {}.", "Then it is {}.", "So it is {}.", "This is {}.")
COURSES = ("First {}, then {}.", "From {} to {}.", "Once {}. Now {}.")
QUESTIONS = {
    "one": ("What is there?", "Which one holds?", "Which of them is it?", "Which one is named?"),
    "set": ("What is there?", "Which group holds?", "Which of them fit?", "Which ones are named?"),
    "closed": ("Is {} there?", "Does this have {}?", "Does one see {}?", "Is it {}?"),
    "course": ("How does {} go?", "Which way went {}?", "What became of {}?"),
    "open": ("Take {} in turn.", "Which of {} are there?", "Go through {}.", "One by one: {}."),
}


@dataclass
class Puzzle:
    """What a drill tells and asks, and how one gets from there to the answer."""

    names: list[str]
    question: str
    told: list[str]
    answer: str
    options: list[str] = field(default_factory=list)
    retold: list[str] = field(default_factory=list)
    """What the reply says before it concludes and looks up the option's letter."""


def drill(words: Sequence[str], draw: random.Random) -> Turn:
    """A prompt that tells something and asks about it, and a reply that retells, weighs and answers.

    >>> prompt, reply = drill(["left", "heart", "large", "clear", "seen", "mild"], random.Random(1))
    """
    return posed(draw.choice((_one, _set, _closed, _course, _open, _named))(words, draw), draw)


def posed(puzzle: Puzzle, draw: random.Random) -> Turn:
    """A puzzle as a prompt and the reply to it, in a dialect and a mode.

    >>> puzzle = Puzzle(["edema"], "Which is it?", ["It is edema."], "Edema", ["Edema", "Fracture"])
    >>> prompt, reply = posed(puzzle, random.Random(2))
    """
    mode: Mode = draw.choices(("reasoning", "direct"), (5, 1))[0]
    prompt, thought, said, end = _answered(puzzle, puzzle.told, mode, draw)
    return prompt, f"{thought}{said}{end}"


def conclusion(words: Sequence[str], draw: random.Random) -> Turn:
    """A drill whose thought is given up to its last words: only what follows from it is learnt.

    >>> prompt, reply = conclusion(["left", "heart", "large", "clear", "seen", "mild"], random.Random(1))
    >>> [learnt for text, learnt in reply]
    [False, True]
    """
    puzzle = draw.choice((_one, _set, _set, _closed, _course, _open))(words, draw)
    prompt, thought, said, end = _answered(puzzle, [], "reasoning", draw)
    return prompt, [(thought.rstrip(), False), (f" {said}{end}", True)]


def _answered(
    puzzle: Puzzle, told: Sequence[str], mode: Mode, draw: random.Random
) -> tuple[str, str, str, str]:
    """The prompt of a puzzle, and the reply in three: the thought, what it concludes, and the end."""
    # An answer that comes first is learnt where something was told that it hangs on.
    spoken = ("think", "boxed", "think-answer-first") if told else ("think", "boxed")
    dialect = DIALECTS[draw.choices(spoken, (4, 1, 1)[: len(spoken)])[0]]
    answer, said, listed = puzzle.answer, puzzle.answer, []
    if puzzle.options:
        answer = letters(puzzle.options)[puzzle.options.index(answer)]
        listed = [in_question(puzzle.options)]
        said = with_letter(said, puzzle.options)
    leads, _, end = draw.choice((*wording()["conclusion"], *CONCLUSIONS)).partition("{answer}")
    # To say the question again is to know what it is about, however much stands in between.
    again = [puzzle.question] if draw.random() < 0.5 else []
    asides = [draw.choice(ASIDES).format(draw.choice(puzzle.names)) for _ in range(draw.randrange(3))]
    thought = " ".join([*again, *asides, *listed, *puzzle.retold, leads])
    prompt = dialect.prompt(" ".join([*told, puzzle.question]), puzzle.options, mode)
    target = dialect.target(answer, mode, f"{thought}{said}{end}")
    if mode == "direct":
        return prompt, "", "", target
    before, _, after = target.partition(f"{thought}{said}")
    return prompt, f"{before}{thought}", said, after


def _name(words: Sequence[str], draw: random.Random) -> str:
    return draw.choice(FINDINGS) if draw.random() < 0.5 else " ".join(draw.sample(words, draw.choice((1, 2))))


def _names(words: Sequence[str], count: int, draw: random.Random) -> list[str]:
    """Different names, of which none is a part of another, so that each can be told apart."""
    names: list[str] = []
    while len(names) < count:
        name = _name(words, draw)
        if not any(name in other or other in name for other in names):
            names.append(name)
    return names


def _tell(there: Iterable[str], gone: Iterable[str], draw: random.Random) -> list[str]:
    """What is there, one by one, and what is not, together; in any order, as mining says it or otherwise."""
    said = wording()["evidence"]
    there, gone = list(there), list(gone)
    told = [
        draw.choice((*said["present"], *PRESENT)).format(name, phrase=name)
        for name in draw.sample(there, len(there))
    ]
    *first, last = draw.sample(gone, len(gone)) or [""]
    if not last:
        return told
    listed = f"{', '.join(first)} or {last}" if first else last
    absent = [draw.choice((*said["absent"], *ABSENT)).format(listed, phrase=listed)]
    return told + absent if draw.random() < 0.7 else absent + told


def _evidence(names: Iterable[str], there: Sequence[str]) -> list[Evidence]:
    return [Evidence(name, "present" if name in there else "absent") for name in names]


def _one(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, 4, draw)
    there, options = names[:1], list(names)
    if draw.random() < 0.2:
        there, options = [], [*names[:3], NO_FINDING]
    answer = there[0] if there else NO_FINDING
    draw.shuffle(options)
    told = _tell(there, [name for name in options if name not in (*there, NO_FINDING)], draw)
    retold = [what_fits(_evidence([name for name in options if name != NO_FINDING], there))]
    return Puzzle(names, draw.choice(QUESTIONS["one"]), told, answer, options, retold)


def _set(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, draw.choice((4, 4, 6)), draw)
    half = len(names) // 2
    there, gone = names[:half], names[half:]
    order = {name: place for place, name in enumerate(draw.sample(names, len(names)))}
    sets = sets_with(there, gone, draw, order.__getitem__)
    there = sorted(there, key=order.__getitem__)
    told = _tell(there, gone, draw)
    retold = [what_fits(_evidence(there, there))]
    return Puzzle(names, draw.choice(QUESTIONS["set"]), told, ", ".join(there), sets, retold)


def sets_with(
    there: Sequence[str],
    gone: Sequence[str],
    draw: random.Random,
    order: Callable[[str], int] = FINDINGS.index,
) -> list[str]:
    """Four sets as options in any order, equally large: the right one, and any three others of the names.

    >>> len(set(sets_with(["edema", "fracture"], ["pneumonia", "atelectasis"], random.Random(1))))
    4
    """
    right = tuple(sorted(there, key=order))
    others = [one for one in combinations(sorted((*there, *gone), key=order), len(there)) if one != right]
    return [", ".join(one) for one in draw.sample([right, *draw.sample(others, 3)], 4)]


def _closed(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, draw.choice((1, 2, 3)), draw)
    there = [name for name in names if draw.random() < 0.5]
    told = _tell(there, [name for name in names if name not in there], draw)
    asked = names[0]
    verdict = "yes" if asked in there else "no"
    retold = [state(*_evidence([asked], there)), draw.choice(wording()["binary"][verdict])]
    question = draw.choice(QUESTIONS["closed"]).format(asked)
    return Puzzle([asked], question, told, verdict.capitalize(), draw.sample(("Yes", "No"), 2), retold)


def _course(words: Sequence[str], draw: random.Random) -> Puzzle:
    """Two degrees of one thing, and which way it went."""
    name = _name(words, draw)
    first, then = draw.choices(range(4), k=2)
    if first == then == 0:
        then = 2
    change = "stable" if first == then else "worsening" if then > first else "improving"
    degrees = ["none", *(f"{grade} {name}" for grade in SEVERITIES)]
    told = [draw.choice(COURSES).format(degrees[first], degrees[then])]
    noted = ["? None", *(f" is present, {grade}" for grade in SEVERITIES)]
    seen = [f"Here {name} {when}{noted[degree]}." for when, degree in zip(TIMES, (first, then), strict=True)]
    retold = [*seen, f"It is {change}."]
    question = draw.choice(QUESTIONS["course"]).format(name)
    return Puzzle([name], question, told, change, draw.sample(CHANGES, len(CHANGES)), retold)


def _open(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, draw.randint(2, 6), draw)
    there = [name for name in names if draw.random() < 0.4]
    told = _tell(there, [name for name in names if name not in there], draw)
    retold = [state(one) for one in _evidence(names, there)]
    question = draw.choice(QUESTIONS["open"]).format(", ".join(names))
    return Puzzle(names, question, told, ", ".join(there) or NO_FINDING, retold=retold)


def _named(words: Sequence[str], draw: random.Random) -> Puzzle:
    """The right option is named outright: the least that a choice needs is to know it again."""
    kinds: tuple[list[str], ...] = (_names(words, draw.choice((2, 3, 4)), draw), [*CHANGES], ["Yes", "No"])
    options = draw.choice(kinds)
    draw.shuffle(options)
    answer = draw.choice(options)
    told = draw.choice(NAMING).format(answer.casefold())
    return Puzzle([option.casefold() for option in options], "Which is it?", [told], answer, options, [told])


def corpus_words(studies: Iterable[Study]) -> list[str]:
    """The longer words of the reports of a corpus, to put names together from.

    >>> corpus_words([Study("1", "d", "p", (), findings="The heart is large. Large effusion.")])
    ['effusion', 'heart', 'large']
    """
    return sorted({word for study in studies for word in re.findall("[a-z]{4,}", study.report.casefold())})


def draw_drills(
    make: Callable[[Sequence[str], random.Random], Turn],
    words: Sequence[str],
    batch_size: int,
    draw: random.Random,
) -> Iterator[list[Lesson]]:
    """Batches of lessons of two drills each, which `make` gives, without end."""
    while True:
        drills = [([], [make(words, draw), make(words, draw)]) for _ in range(4 * batch_size)]
        yield from batches_by_length(drills, batch_size, draw)


def in_pieces(reply: str | list[Segment]) -> list[Segment]:
    """A reply as pieces; one that is given as a text is learnt whole.

    >>> in_pieces("Yes.")
    [('Yes.', True)]
    """
    return [(reply, True)] if isinstance(reply, str) else reply


def batches_by_length(lessons: list[Lesson], batch_size: int, draw: random.Random) -> Iterator[list[Lesson]]:
    """The lessons in batches of like length, so that little is spent on padding, in mixed order."""

    def length(lesson: Lesson) -> int:
        return sum(len(question) for question, _ in lesson[1]) + sum(
            len(text) for _, reply in lesson[1] for text, _ in in_pieces(reply)
        )

    ordered = sorted(lessons, key=length)
    batches = [ordered[at : at + batch_size] for at in range(0, len(ordered), batch_size)]
    yield from draw.sample(batches, len(batches))


def draw_copies(vocabulary: range, batch_size: int, draw: random.Random) -> Iterator[dict[str, torch.Tensor]]:
    """Model inputs without end: tokens put together by chance, some others, and the first ones again.

    The loss is on the second time: nothing but looking up what followed the same token helps.
    """
    import torch

    generator = torch.Generator().manual_seed(draw.getrandbits(32))
    while True:
        length, gap = draw.randint(6, 60), draw.randint(0, 20)
        drawn = torch.randint(
            vocabulary.start, vocabulary.stop, (batch_size, length + gap), generator=generator
        )
        input_ids = torch.cat([drawn, drawn[:, :length]], dim=1)
        labels = input_ids.clone()
        labels[:, : length + gap + 1] = -100  # what begins again, and where, cannot be known
        yield {"input_ids": input_ids, "labels": labels, "attention_mask": torch.ones_like(input_ids)}
