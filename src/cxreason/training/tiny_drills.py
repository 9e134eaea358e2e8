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
from typing import TYPE_CHECKING

from cxreason.answers import DIALECTS
from cxreason.answers.dialects import letters
from cxreason.mining.rules import SEVERITIES, weigh, wording
from cxreason.records import Mode, Study
from cxreason.tasks.radrbench import CHANGES
from cxreason.text.ontology import FINDINGS, NO_FINDING

if TYPE_CHECKING:
    import torch

Turn = tuple[str, str]
"""A question and the reply to it."""

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
    "open": ("Name what is there.", "Which of them are there?", "What holds?", "List what one sees."),
}


@dataclass
class Puzzle:
    """What a drill tells, in two wordings of the same facts, and what it asks."""

    names: list[str]
    question: str
    told: list[str]
    retold: list[str]
    answer: str
    options: list[str] = field(default_factory=list)


def drill(words: Sequence[str], draw: random.Random) -> Turn:
    """A prompt that tells something and asks about it, and a reply that retells, weighs and answers.

    >>> prompt, reply = drill(["left", "heart", "large", "clear", "seen", "mild"], random.Random(1))
    """
    puzzle = draw.choice((_one, _set, _closed, _course, _open))(words, draw)
    mode: Mode = draw.choices(("reasoning", "direct"), (4, 1))[0]
    dialect = DIALECTS[draw.choices(("think", "boxed"), (4, 1))[0]]
    answer, said, verdicts = puzzle.answer, puzzle.answer, []
    if puzzle.options:
        answer = letters(puzzle.options)[puzzle.options.index(answer)]
        verdicts = weigh(puzzle.options, answer)
        said = f"{answer}, {said.casefold()}"
    conclusion = draw.choice((*wording()["conclusion"], *CONCLUSIONS)).format(answer=said)
    asides = [draw.choice(ASIDES).format(draw.choice(puzzle.names)) for _ in range(draw.randrange(3))]
    thought = " ".join([*asides, *puzzle.retold, *verdicts, conclusion])
    prompt = dialect.prompt(f"{' '.join(puzzle.told)} {puzzle.question}", puzzle.options, mode)
    return prompt, dialect.target(answer, mode, thought)


def _name(words: Sequence[str], draw: random.Random) -> str:
    return draw.choice(FINDINGS) if draw.random() < 0.4 else " ".join(draw.sample(words, draw.choice((1, 2))))


def _names(words: Sequence[str], count: int, draw: random.Random) -> list[str]:
    """Different names, of which none is a part of another, so that each can be told apart."""
    names: list[str] = []
    while len(names) < count:
        name = _name(words, draw)
        if not any(name in other or other in name for other in names):
            names.append(name)
    return names


def _tell(there: Iterable[str], gone: Iterable[str], draw: random.Random) -> list[str]:
    """What is there, one by one in this order, and what is not, together; as mining says it or otherwise."""
    said = wording()["evidence"]
    present = [draw.choice((*said["present"], *PRESENT)).format(name, phrase=name) for name in there]
    *first, last = draw.sample(list(gone), len(list(gone))) or [""]
    if not last:
        return present
    listed = f"{', '.join(first)} or {last}" if first else last
    absent = [draw.choice((*said["absent"], *ABSENT)).format(listed, phrase=listed)]
    return present + absent if draw.random() < 0.7 else absent + present


def _tell_twice(
    there: Sequence[str], gone: Sequence[str], draw: random.Random
) -> tuple[list[str], list[str]]:
    """The same facts for the prompt, in any order, and for the reply, in theirs."""
    return _tell(draw.sample(there, len(there)), gone, draw), _tell(there, gone, draw)


def _one(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, 4, draw)
    there, gone, options = names[:1], names[1:], list(names)
    if draw.random() < 0.2:
        there, gone, options = [], names[:3], [*names[:3], NO_FINDING]
    answer = there[0] if there else NO_FINDING
    draw.shuffle(options)
    return Puzzle(names, draw.choice(QUESTIONS["one"]), *_tell_twice(there, gone, draw), answer, options)


def _set(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, draw.choice((4, 4, 6)), draw)
    half = len(names) // 2
    there, gone = names[:half], names[half:]
    # Two sets share something with the right one, as in the benchmark, and one shares nothing.
    sets = [there, there[:1] + gone[1:], gone[:1] + there[1:], gone]
    order = {name: place for place, name in enumerate(draw.sample(names, len(names)))}
    options = [", ".join(sorted(one, key=order.__getitem__)) for one in sets]
    answer = options[0]
    draw.shuffle(options)
    return Puzzle(names, draw.choice(QUESTIONS["set"]), *_tell_twice(there, gone, draw), answer, options)


def _closed(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, draw.choice((1, 2, 3)), draw)
    there = [name for name in names if draw.random() < 0.5]
    gone = [name for name in names if name not in there]
    asked = names[0]
    question = draw.choice(QUESTIONS["closed"]).format(asked)
    told = _tell(draw.sample(there, len(there)), gone, draw)
    retold = _tell([asked], [], draw) if asked in there else _tell([], [asked], draw)
    answer = "Yes" if asked in there else "No"
    return Puzzle([asked], question, told, retold, answer, draw.sample(("Yes", "No"), 2))


def _course(words: Sequence[str], draw: random.Random) -> Puzzle:
    """Two degrees of one thing, and which way it went."""
    name = _name(words, draw)
    degrees = ["none", *(f"{grade} {name}" for grade in SEVERITIES)]
    first, then = draw.choices(range(4), k=2)
    if first == then == 0:
        then = 2
    change = "stable" if first == then else "worsening" if then > first else "improving"
    told = draw.choice(COURSES).format(degrees[first], degrees[then])
    retold = [f"First there is {degrees[first]}.", f"Then there is {degrees[then]}.", f"It is {change}."]
    question = draw.choice(QUESTIONS["course"]).format(name)
    return Puzzle([name], question, [told], retold, change, draw.sample(CHANGES, len(CHANGES)))


def _open(words: Sequence[str], draw: random.Random) -> Puzzle:
    names = _names(words, draw.randint(2, 7), draw)
    there = names[: draw.randint(0, 4)]
    told, retold = _tell_twice(there, names[len(there) :], draw)
    return Puzzle(names, draw.choice(QUESTIONS["open"]), told, retold, ", ".join(there) or NO_FINDING)


def pointer(words: Sequence[str], draw: random.Random) -> Turn:
    """A prompt that names the right option, and a reply that says it again and goes through to it.

    The least that a choice needs: to tell whether an option is what was just said.

    >>> prompt, reply = pointer(["left", "heart", "large", "clear", "seen", "mild"], random.Random(1))
    """
    kinds = (_names(words, draw.choice((2, 3, 4)), draw), list(CHANGES), ["Yes", "No"])
    options = draw.choice(kinds)
    draw.shuffle(options)
    number = draw.randrange(len(options))
    letter, said = letters(options)[number], options[number].casefold()
    told = draw.choice(NAMING).format(said)
    thought = [told, *weigh(options, letter)[: number + 1]]
    asides = [draw.choice(ASIDES).format(draw.choice(options).casefold()) for _ in range(draw.randrange(3))]
    conclusion = draw.choice(wording()["conclusion"]).format(answer=f"{letter}, {said}")
    dialect = DIALECTS[draw.choices(("think", "boxed"), (4, 1))[0]]
    prompt = dialect.prompt(f"{told} Which one is it?", options, "reasoning")
    return prompt, dialect.target(letter, "reasoning", " ".join([*asides, *thought, conclusion]))


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
    """Batches of lessons of two turns each that `make` gives, without end."""
    while True:
        yield [([], [make(words, draw), make(words, draw)]) for _ in range(batch_size)]


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
