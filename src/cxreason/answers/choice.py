"""One of a closed list of options. The answer is the option's capital letter.

Understood: the letter in any dress ("b", "B.", "(B)", "B) edema", "Answer: B"), the whole text of one option
in any case and punctuation, a comma list in any order where the option is such a list, and a sentence that
names exactly one option as whole words. Not understood, and so worth 0: no option, several options, a letter
beside the text of another option, a sentence that denies or weighs what it names ("not PA", "PA or oblique").
A bare letter inside a sentence is never an option, because "a" is an article.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

from cxreason.answers.dialects import letters
from cxreason.answers.parsed import Parsed
from cxreason.answers.text import words

_LEAD_IN = (
    r"(?:(?:so|thus|therefore|hence),? )?(?:the )?(?:(?:final|correct|best|right|my) )?"
    r"(?:answer|option|choice)(?: is| ?[:=])?:? ?(?:(?:option|choice) )?"
)
_BARE = re.compile(rf"(?:{_LEAD_IN})?[(\[{{]? ?([a-z]) ?[)\]}}.:,;!]*", re.IGNORECASE)
_MARKED = re.compile(
    rf"(?:{_LEAD_IN})?(?:[(\[{{] ?([a-z]) ?[)\]}}][.:]?|([a-z])(?:[).:]| [-–—] )) ?(.*)", re.IGNORECASE
)
_SPACED = re.compile(r"([a-z]) (.+)", re.IGNORECASE)
_OTHER_MARKS = re.compile(r"(?<!\w)(?:[(\[]([A-Za-z])[)\]]|([A-Z])[).:](?= |$))")
_LETTER_LIST = re.compile(
    r"[(\[]?[a-z][)\].]?(?:(?: ?[,;/&+|] ?| )(?:(?:and|or) )?[(\[]?[a-z][)\].]?)+\.?", re.IGNORECASE
)
_LATEX_WRAP = re.compile(r"\\(?:boxed|text|textbf|textit|mathrm|mathbf|boldsymbol) ?\{([^{}]*)\}")
_DRESS = " *_`$\"'“”‘’"
_DENYING = re.compile(
    r"no|not|nor|neither|never|none|without|cannot|.+n['’]t|absent|absence|exclude[sd]?|excluding|except"
    r"|unlikely|false|incorrect|wrong|negative|deny|denie[sd]|lack(?:s|ing)?|instead|rather|or|either"
    r"|versus|vs|unless|unsure|unclear"
)


def write(option: str, options: Sequence[str] = ()) -> str:
    """The letter of an option, given by its text or, where no option has that text, by its letter.

    >>> write("No", ("Yes", "No")), write("a", ("Yes", "No"))
    ('B', 'A')
    """
    known = _known(tuple(options))
    if _plain(option) in known.plain:
        return known.letters[known.plain.index(_plain(option))]
    letter = option.strip().upper()
    if len(letter) != 1 or letter not in known.letters:
        raise ValueError(f"{option!r} is not one of the options {tuple(options)}")
    return letter


def parse(text: str, options: Sequence[str] = ()) -> Parsed:
    """The one option that the text names.

    >>> parse("(b) edema.", ("Pneumonia", "Edema")).value, parse("A or B", ("Pneumonia", "Edema")).problem
    ('B', 'several options are named')
    """
    known = _known(tuple(options))
    said = _undressed(text)
    if not said:
        return Parsed("", "the answer is empty")
    bare = _BARE.fullmatch(said)
    if bare and bare[1].upper() in known.letters:
        return Parsed(bare[1].upper())
    whole = known.whole(said)
    if whole:
        return Parsed(whole) if len(whole) == 1 else Parsed("", "several options read like that")
    marked = _MARKED.fullmatch(said)
    if marked and (marked[1] or marked[2]).upper() in known.letters:
        return _beside_letter((marked[1] or marked[2]).upper(), marked[3], known)
    spaced = _SPACED.fullmatch(said)
    if spaced and known.whole(_undressed(spaced[2])) == spaced[1].upper():
        return Parsed(spaced[1].upper())
    if _LETTER_LIST.fullmatch(said):
        listed = {letter.upper() for letter in re.findall(r"(?<!\w)[A-Za-z](?!\w)", said)}
        if len(listed) == 1 and listed <= set(known.letters):
            return Parsed(listed.pop())
        return Parsed("", "several options are named")
    return _in_a_sentence(said, known)


def score(value: str, gold: str, options: Sequence[str] = ()) -> float:
    """1.0 for the gold letter, else 0.0; a gold letter that no option has raises.

    >>> score("B", "B", ("Yes", "No")), score("", "B", ("Yes", "No"))
    (1.0, 0.0)
    """
    if len(gold) != 1 or gold not in _known(tuple(options)).letters:
        raise ValueError(f"gold answer {gold!r} is no letter of the options {tuple(options)}")
    return float(value == gold)


class _Known:
    """The options with what parsing needs of them, computed once per option list."""

    def __init__(self, options: tuple[str, ...]) -> None:
        self.letters = letters(options)
        self.plain = [_plain(text) for text in options]
        if not options or "" in self.plain or len(set(self.plain)) < len(options):
            raise ValueError(f"a choice needs distinct options that are not empty, not {options}")
        self.words = [tuple(words(text)) for text in options]
        self.parts = [_parts(text) for text in options]

    def whole(self, text: str) -> str:
        """The letters of the options that the text as a whole equals, by the closest fitting reading."""
        said, parts = tuple(words(text)), _parts(text)
        readings: list[tuple[object, Sequence[object]]] = [(_plain(text), self.plain)]
        if said:
            readings.append((said, self.words))
        if len(parts) > 1:
            readings.append((parts, self.parts))
        for reading, options in readings:
            same = "".join(
                letter for letter, option in zip(self.letters, options, strict=True) if option == reading
            )
            if same:
                return same
        return ""

    def named(self, text: str) -> tuple[str, list[str]]:
        """Letters of the options whose words stand in the text, and the words that belong to none.

        Where an option lies inside a longer one ("effusion" in "pleural effusion"), the longer one counts.
        """
        said = words(text)
        found: set[str] = set()
        covered = [False] * len(said)
        furthest = [0] * len(said)  # how far a longer option reaches that starts at this word or before it
        for size in sorted({len(option) for option in self.words if option}, reverse=True):
            ends = list(furthest)
            for option, letter in zip(self.words, self.letters, strict=True):
                if len(option) != size:
                    continue
                for start in range(len(said) - size + 1):
                    if said[start] == option[0] and tuple(said[start : start + size]) == option:
                        if furthest[start] >= start + size:
                            continue
                        found.add(letter)
                        covered[start : start + size] = [True] * size
                        ends[start] = start + size
            furthest = list(accumulate(ends, max))
        rest = [word for word, is_covered in zip(said, covered, strict=True) if not is_covered]
        return "".join(sorted(found)), rest


@lru_cache(maxsize=4096)
def _known(options: tuple[str, ...]) -> _Known:
    return _Known(options)


def _beside_letter(letter: str, rest: str, known: _Known) -> Parsed:
    rest = _undressed(rest)
    whole = known.whole(rest)
    if not rest or letter in whole:
        return Parsed(letter)
    named, others = known.named(rest)
    if whole or (named and letter not in named):
        return Parsed("", f"letter {letter} stands beside the text of another option")
    if len(set(named) | _marked_letters(rest, known) | {letter}) > 1:
        return Parsed("", "several options are named")
    if _denies(others) and not _leads(rest, letter, known):
        return Parsed("", f"letter {letter} stands beside words that deny or weigh it")
    return Parsed(letter)


def _in_a_sentence(said: str, known: _Known) -> Parsed:
    named, others = known.named(said)
    # A marked letter ("see (A)") may be anything, so it never makes an answer, but it can spoil one.
    if named and len(set(named) | _marked_letters(said, known)) > 1:
        return Parsed("", "several options are named")
    if not named:
        return Parsed("", "no option is named")
    if _denies(others) and not _leads(said, named, known):
        return Parsed("", "an option is named but denied or weighed against another")
    return Parsed(named)


def _leads(said: str, letter: str, known: _Known) -> bool:
    """Whether the option's whole text comes first, as in "No, the heart is not enlarged"."""
    return known.whole(re.split(r"[.,;:]", said, maxsplit=1)[0]) == letter


def _marked_letters(text: str, known: _Known) -> set[str]:
    return {(mark[0] or mark[1]).upper() for mark in _OTHER_MARKS.findall(text)} & set(known.letters)


def _denies(others: list[str]) -> bool:
    return any(_DENYING.fullmatch(word) for word in others)


def _undressed(text: str) -> str:
    """The text on one line, without LaTeX text commands and without quotes and emphasis around it."""
    text = " ".join(text.split())
    while (bare := _LATEX_WRAP.sub(r"\1", text)) != text:
        text = bare
    return text.strip(_DRESS)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def _parts(text: str) -> frozenset[tuple[str, ...]]:
    return frozenset(part for piece in re.split(r"[,;]", text) if (part := tuple(words(piece))))
