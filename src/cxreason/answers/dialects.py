r"""How a model is asked and answers: `think` is ChestX-Reasoner's tags, `boxed` is CheXOne's `\boxed{}`.

The suffixes and targets are protocol constants: released checkpoints were trained to listen to exactly them.
`think-answer-first` has the answer before the trace, with a suffix of ours. `boxed-released` differs from
`boxed` only in the suffix that CheXOne's released files print, with doubled braces after a space; both are
read alike.

Reading starts after the last assistant turn, forgets echoed suffixes, and takes the last complete answer
after the reasoning. Whether the words of that answer mean something is decided by the answer kinds.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cxreason.records import Mode

THINK_DIRECT_SUFFIX = "Please enclose the answer within <answer></answer>"
THINK_REASONING_SUFFIX = (
    "Please think step by step, and enclose the answer within <answer></answer>"
    " and the reasoning processes within <think></think>."
)
# Ours, for the question whether a trace that comes after the answer is as true as one that leads to it.
THINK_ANSWER_FIRST_SUFFIX = (
    "Please enclose the answer within <answer></answer> first,"
    " and then the reasoning processes within <think></think>."
)
BOXED_SUFFIX = r"Please reason step by step, and put your final answer within \boxed{}."
BOXED_RELEASED_SUFFIX = r"Please reason step by step, and put your final answer within \boxed{{}}."

# The longest first, so that no suffix is cut out of the middle of another.
_SUFFIXES = sorted(
    (
        THINK_DIRECT_SUFFIX,
        THINK_REASONING_SUFFIX,
        THINK_ANSWER_FIRST_SUFFIX,
        BOXED_SUFFIX,
        BOXED_RELEASED_SUFFIX,
    ),
    key=len,
    reverse=True,
)
# Transcripts of Qwen, of LLaVA-like models, and of Qwen decoded without its special tokens.
_ASSISTANT_TURN = re.compile(
    r"<\|im_start\|>assistant|(?<!\w)(?:ASSISTANT|Assistant):|^assistant$", re.MULTILINE
)
_ENDS = ("<|im_end|>", "<|endoftext|>", "</s>")
_END_TOKENS = re.compile(rf"(?:\s*(?:{'|'.join(map(re.escape, _ENDS))}))+\s*\Z")
_THINK_OPEN = re.compile("<think>", re.IGNORECASE)
_THINK_CLOSE = re.compile("</think>", re.IGNORECASE)
_ANSWER = re.compile(r"<answer>([^<]*(?:<(?!/?answer>)[^<]*)*)</answer>", re.IGNORECASE)
_BOX_OR_BRACE = re.compile(r"\\boxed\s*\{|[{}]")


@dataclass(frozen=True)
class Reply:
    """What a reply holds by its form alone. `well_formed` is what the format reward pays for."""

    reasoning: str
    answer: str | None
    problem: str
    well_formed: bool


@dataclass(frozen=True)
class Think:
    """`<think> trace </think><answer> B </answer>`, or the answer pair alone in direct mode.

    With `answer_first` the answer pair comes before the trace.
    """

    name: str = "think"
    answer_first: bool = False

    def prompt(self, question: str, options: Sequence[str], mode: Mode, style: str = "") -> str:
        """The user's text without images; a `style` of the options wins over the dialect's own.

        >>> print(Think().prompt("Is the heart enlarged?", ("Yes", "No"), "direct"))
        Is the heart enlarged?
        Options:
        A) Yes
        B) No
        Please enclose the answer within <answer></answer>
        """
        reasoning_suffix = THINK_ANSWER_FIRST_SUFFIX if self.answer_first else THINK_REASONING_SUFFIX
        suffix = reasoning_suffix if _reasons(mode) else THINK_DIRECT_SUFFIX
        return f"{_with_options(question, options, style or 'A)')}\n{suffix}"

    def target(self, answer: str, mode: Mode, reasoning: str = "") -> str:
        """What the model should say; ValueError where the parser could not read it back.

        >>> Think().target("B", "reasoning", "The heart is small.")
        '<think> The heart is small. </think><answer> B </answer>'
        """
        answer, reasoning = answer.strip(), reasoning.strip()
        trace = f"<think> {reasoning} </think>" if _reasons(mode) else ""
        said = f"<answer> {answer} </answer>"
        text = f"{said}{trace}" if self.answer_first else f"{trace}{said}"
        return _checked(text, self.read(text, mode), answer, reasoning if trace else "")

    def opening(self, reasoning: str, *, answering: bool) -> str:
        """How a reply begins that reasons so; with `answering` the reasoning is over and the answer is due.

        >>> Think().opening("There is edema.", answering=True)
        '<think> There is edema. </think><answer>'
        """
        if self.answer_first:
            raise ValueError("the answer comes before the reasoning: nothing of it hangs on a trace")
        began = f"<think> {reasoning.strip()}".rstrip()
        return f"{began} </think><answer>" if answering else began

    def read(self, text: str, mode: Mode) -> Reply:
        """The last complete answer after the thinking; two different ones there are none.

        >>> Think().read("<think> <answer>A</answer>? no </think><answer> B </answer>", "reasoning").answer
        'B'
        """
        if self.answer_first and _reasons(mode):
            return _read_answer_first(*_final_turn(text, _thinking_begins(text)))
        turn, alone = _final_turn(text)
        said = _without_suffixes(turn)
        closes = list(_THINK_CLOSE.finditer(said))
        before, after = (said[: closes[-1].start()], said[closes[-1].end() :]) if closes else ("", said)
        reopened = _THINK_OPEN.search(after)
        answering = after[: reopened.start()] if reopened else after
        found = [(match, match[1].strip()) for match in _ANSWER.finditer(answering) if match[1].strip()]
        if closes:
            opened = _THINK_OPEN.search(before)
            reasoning = before[opened.end() :] if opened else before
        elif reopened:
            reasoning = after[reopened.end() :]
        else:
            reasoning = answering[: found[0][0].start()] if found else answering
        well_formed = alone and _think_well_formed(turn, mode)
        answers = [answer for _, answer in found]
        if _agree(answers):
            return Reply(reasoning.strip(), answers[-1], "", well_formed)
        if found:
            problem = f"{len(found)} different answers after the reasoning"
        elif reopened:
            problem = "the reasoning is never closed by </think>"
        elif answering.casefold().rfind("<answer>") > answering.casefold().rfind("</answer>"):
            problem = "the answer is never closed by </answer>"
        else:
            problem = "no filled <answer></answer> after the reasoning"
        return Reply(reasoning.strip(), None, problem, well_formed)


@dataclass(frozen=True)
class Boxed:
    r"""A trace that ends in `\boxed{B}`, or the answer text alone in direct mode (which has no suffix)."""

    name: str = "boxed"
    suffix: str = f"\n{BOXED_SUFFIX}"

    def prompt(self, question: str, options: Sequence[str], mode: Mode, style: str = "") -> str:
        r"""The user's text without images; a `style` of the options wins over the dialect's own.

        >>> Boxed().prompt("Is the heart enlarged?", ("Yes", "No"), "direct")
        'Is the heart enlarged?\nOptions:\nA. Yes\nB. No'
        """
        listed = _with_options(question, options, style or "A.")
        return listed + (self.suffix if _reasons(mode) else "")

    def target(self, answer: str, mode: Mode, reasoning: str = "") -> str:
        r"""What the model should say; ValueError where the parser could not read it back.

        >>> Boxed().target("B", "reasoning", "The heart is small.")
        'The heart is small. \\boxed{B}'
        """
        answer, reasoning = answer.strip(), reasoning.strip()
        text = f"{reasoning} \\boxed{{{answer}}}" if _reasons(mode) else answer
        return _checked(text, self.read(text, mode), answer, reasoning if _reasons(mode) else "")

    def opening(self, reasoning: str, *, answering: bool) -> str:
        r"""How a reply begins that reasons so; with `answering` the reasoning is over and the answer is due.

        >>> Boxed().opening("There is edema.", answering=True)
        'There is edema. \\boxed{'
        """
        return f"{reasoning.strip()} \\boxed{{".lstrip() if answering else reasoning.strip()

    def read(self, text: str, mode: Mode) -> Reply:
        r"""The last filled box with balanced braces; in direct mode the whole reply where it has no box.

        >>> Boxed().read(r"Not \boxed{A}, rather \boxed{B}", "reasoning").answer
        'B'
        """
        turn, alone = _final_turn(text)
        said = _without_suffixes(turn)
        filled = next(((start, content) for start, _, content in _boxes(said) if content), None)
        well_formed = alone and _boxed_well_formed(turn, mode)
        if filled is not None:
            start, content = filled
            return Reply(said[:start].strip(), content, "", well_formed)
        said = said.strip()
        if not _reasons(mode) and said and "\\boxed" not in said:
            return Reply("", said, "", well_formed)
        problem = r"no filled \boxed{} with balanced braces" if said else "the reply is empty"
        return Reply(said if _reasons(mode) else "", None, problem, well_formed)


Dialect = Think | Boxed

DIALECTS: dict[str, Dialect] = {
    "think": Think(),
    "think-answer-first": Think("think-answer-first", answer_first=True),
    "boxed": Boxed(),
    "boxed-released": Boxed("boxed-released", f" {BOXED_RELEASED_SUFFIX}"),
}


def letters(options: Sequence[str]) -> str:
    """The letters of the options in order; more than 26 raise, because a 27th has no letter.

    >>> letters(("Yes", "No"))
    'AB'
    """
    if len(options) > len(string.ascii_uppercase):
        raise ValueError(f"{len(options)} options, but only 26 letters to name them")
    return string.ascii_uppercase[: len(options)]


def _reasons(mode: str) -> bool:
    if mode not in ("reasoning", "direct"):
        raise ValueError(f"unknown mode {mode!r}: 'reasoning' or 'direct'")
    return mode == "reasoning"


OPTION_STYLES = ("A.", "A)", "(a)", "plain")
"""How options can be marked; plain ones stand on their lines without a letter."""


def mark(letter: str, style: str) -> str:
    """A letter as a style writes it; nothing for plain options.

    >>> mark("B", "(a)"), mark("B", "A."), mark("B", "plain")
    ('(b)', 'B.', '')
    """
    if style not in OPTION_STYLES:
        raise ValueError(f"unknown style of options {style!r}: one of {', '.join(OPTION_STYLES)}")
    return {"A.": f"{letter}.", "A)": f"{letter})", "(a)": f"({letter.lower()})", "plain": ""}[style]


def _with_options(question: str, options: Sequence[str], style: str) -> str:
    if not options:
        return question
    marks = [f"{mark(letter, style)} " if style != "plain" else "" for letter in letters(options)]
    lines = [sign + option for sign, option in zip(marks, options, strict=True)]
    return "\n".join([question, "Options:", *lines])


def _checked(text: str, reply: Reply, answer: str, reasoning: str) -> str:
    # A target that reads back as something else would teach the model an answer that never counts.
    if not reply.well_formed or reply.answer != answer or reply.reasoning != reasoning:
        raise ValueError(f"no target: {text!r} would be read as {reply.answer!r} after {reply.reasoning!r}")
    return text


def _final_turn(text: str, limit: int | None = None) -> tuple[str, bool]:
    """What follows the last mark of an assistant's turn that ends before `limit`, and whether it is alone:
    who was asked for a form and says something before it, unread, has not kept to the form."""
    start = 0
    if "ssistant" in text or "ASSISTANT" in text:  # a search for words is far cheaper than one for a pattern
        for match in _ASSISTANT_TURN.finditer(text):
            if limit is None or match.end() <= limit:
                start = match.end()
    said = text[start:]
    said = _END_TOKENS.sub("", said) if said.rstrip().endswith(_ENDS) else said
    return said, not start


def _without_suffixes(text: str) -> str:
    for suffix in _SUFFIXES:
        if suffix in text:
            text = text.replace(suffix, "\n")
    return text


def _agree(answers: Sequence[str]) -> bool:
    return len({" ".join(answer.casefold().split()) for answer in answers}) == 1


def _thinking_begins(text: str) -> int:
    """Where the first thinking is opened, other than in an echoed prompt."""
    for suffix in _SUFFIXES:
        text = text.replace(suffix, " " * len(suffix))
    opened = _THINK_OPEN.search(text)
    return opened.start() if opened else len(text)


def _read_answer_first(turn: str, alone: bool) -> Reply:
    """The answer stands before the thinking begins; what is said to be one inside of it is none."""
    said = _without_suffixes(turn)
    well_formed = alone and _think_well_formed(turn, "reasoning", answer_first=True)
    opened = _THINK_OPEN.search(said)
    found = list(_ANSWER.finditer(said[: opened.start()] if opened else said))
    answers = [match[1].strip() for match in found if match[1].strip()]
    rest = said[opened.end() :] if opened else said[found[-1].end() :] if found else said
    closes = list(_THINK_CLOSE.finditer(rest))
    reasoning = (rest[: closes[-1].start()] if closes else rest).strip()
    if _agree(answers):
        return Reply(reasoning, answers[-1], "", well_formed)
    problem = f"{len(answers)} different answers before the reasoning" if answers else ""
    return Reply(reasoning, None, problem or "no filled <answer></answer> before the reasoning", well_formed)


def _think_well_formed(turn: str, mode: Mode, *, answer_first: bool = False) -> bool:
    counts = [turn.count(tag) for tag in ("<think>", "</think>", "<answer>", "</answer>")]
    if not _reasons(mode):
        match = _ANSWER.fullmatch(turn.strip())
        return counts == [0, 0, 1, 1] and match is not None and _is_filled(match[1])
    thought, said = r"\s*<think>(.*)</think>", r"\s*<answer>(.*)</answer>"
    match = re.fullmatch(rf"{said}{thought}\s*" if answer_first else rf"{thought}{said}\s*", turn, re.DOTALL)
    return counts == [1, 1, 1, 1] and match is not None and _is_filled(match[1]) and _is_filled(match[2])


def _boxed_well_formed(turn: str, mode: Mode) -> bool:
    if not _reasons(mode):
        return _is_filled(turn) and "\\boxed" not in turn
    box = next(_boxes(turn), None) if turn.count("\\boxed") == 1 else None
    if box is None or not _is_filled(box[2]):
        return False
    start, end, _ = box
    # A stray brace or a dollar sign after the box is a slip of the pen, not a second answer.
    return _is_filled(turn[:start]) and not turn[end:].strip(string.whitespace + string.punctuation)


def _is_filled(text: str) -> bool:
    """Whether there is something to see: characters without width are as empty as blanks are."""
    return any(not letter.isspace() and unicodedata.category(letter) not in ("Cc", "Cf") for letter in text)


def _spans(text: str) -> list[tuple[int, int]]:
    """Start and end of every closed box, by start; one pass, so that a flood of open braces stays cheap."""
    stack: list[tuple[bool, int]] = []
    spans = []
    for match in _BOX_OR_BRACE.finditer(text):
        if match[0] != "}":
            stack.append((match[0] != "{", match.start()))
        elif stack:
            is_box, start = stack.pop()
            if is_box:
                spans.append((start, match.end()))
    return sorted(spans)


def _boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and content of every closed box, the last to be opened first; contents are cut as they are
    asked for, since boxes in boxes by the thousand hold each other's. Doubled braces are taken off."""
    for start, end in reversed(_spans(text)):
        content = text[text.index("{", start) + 1 : end - 1].strip()
        while content.startswith("{") and content.endswith("}") and "{" not in content[1:-1]:
            content = content[1:-1].strip()
        yield start, end, content
