r"""What the released trainer of CheXOne pays, its faults included, to see what they cost.

Format: exactly one `\boxed{...}` up to its first brace, with something before it and in it; text may follow.
Choice: Jaccard of the identifiers in the box and in the gold answer, so that "A, B" earns all of "A".
Boxes: IoU of the first predicted and the first gold box, x 0.95 where their names differ; whole numbers
alone; a gold answer without a box earns nobody anything.
Report: twice the paper's reward, x 0.95 where nothing stands before the box, so that no overlap still pays.

One fault is left out: rows of other tasks got the running mean of a reward's last thousand values there,
which blurs the logs and moves no advantage within a group; here they get None.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from cxreason.imaging.boxes import iou
from cxreason.records import Mode

_BOXED = re.compile(r"\\boxed\{(.*?)\}", re.DOTALL)
_IN_PARENTHESES = re.compile(r"\(([A-Za-z0-9])\)")
_BEFORE_A_MARK = re.compile(r"(?<![A-Za-z0-9])([A-Za-z0-9])(?=[.:, ])")
_PAIR = re.compile(
    r"<\|ref\|>(.*?)<\|/ref\|><\|box\|>\((\d+),\s*(\d+)\),\s*\((\d+),\s*(\d+)\)<\|/box\|>", re.DOTALL
)
OTHER_NAME = 0.95
NO_TRACE = 0.95
REPORT_FACTOR = 2.0


def boxed(text: str) -> str | None:
    r"""What stands in the first box, up to its first closing brace.

    >>> boxed(r"It is \boxed{A} or \boxed{B}"), boxed("A")
    ('A', None)
    """
    found = _BOXED.search(text)
    return None if found is None else found[1].strip()


def format_worth(text: str) -> float:
    r"""1.0 for one filled box with something before it, whatever follows.

    >>> format_worth(r"Clear lungs. \boxed{A} I am sure."), format_worth(r"\boxed{A}")
    (1.0, 0.0)
    """
    found = list(_BOXED.finditer(text))
    return float(len(found) == 1 and bool(text[: found[0].start()].strip()) and bool(found[0][1].strip()))


def identifiers(text: str) -> set[str]:
    """The option letters of a text, by the first rule that finds any; else the text itself.

    >>> identifiers("A, B"), sorted(identifiers("A. Left lung, a mass")), identifiers("AP")
    ({'A'}, ['A', 'a'], {'AP'})
    """
    words = [word for word in text.split() if len(word) == 1 and word.isalnum()]
    for found in (_IN_PARENTHESES.findall(text), _BEFORE_A_MARK.findall(text), words):
        if found:
            return set(found)
    return {text.strip()}


def choice_worth(said: str | None, gold: str) -> float:
    """Jaccard of two sets of identifiers.

    >>> choice_worth("A. Left lung, a mass", "A"), choice_worth("a", "A"), choice_worth(None, "A")
    (0.5, 0.0, 0.0)
    """
    if not said:
        return 0.0
    first, second = identifiers(said), identifiers(gold)
    return len(first & second) / len(first | second)


def boxes_worth(said: str | None, gold: str) -> float:
    """IoU of the first boxes, less a twentieth where the names differ.

    >>> gold = "<|ref|>lung<|/ref|><|box|>(0,0),(50,100)<|/box|>"
    >>> boxes_worth(gold, gold), boxes_worth(gold.replace("lung", "heart"), gold)
    (1.0, 0.95)
    """
    first, second = _PAIR.search(said or ""), _PAIR.search(gold)
    if first is None or second is None:
        return 0.0
    one, other = [tuple(float(found[place]) for place in range(2, 6)) for found in (first, second)]
    same = first[1].strip().casefold() == second[1].strip().casefold()
    return iou(one, other) * (1.0 if same else OTHER_NAME)


def report_worth(paper: float, text: str) -> float:
    r"""Twice what the paper pays, less a twentieth where nothing stands before the box; without a box
    nothing.

    >>> report_worth(0.5, r"I look. \boxed{Clear.}"), report_worth(0.5, r"\boxed{Clear.}")
    (1.0, 0.95)
    """
    found = _BOXED.search(text)
    if found is None:
        return 0.0
    return REPORT_FACTOR * paper * (1.0 if text[: found.start()].strip() else NO_TRACE)


def released_format_reward(
    completions: list, *, dialect: list[str], mode: list[Mode], **columns: object
) -> list[float]:
    """The released format reward, of CheXOne's dialects; others have no released one and raise."""
    only_boxed(dialect)
    return [format_worth(completion[0]["content"]) for completion in completions]


def only_boxed(dialect: Sequence[str]) -> None:
    """Raise where a row is asked in a dialect that no trainer was released for."""
    other = next((name for name in dialect if not name.startswith("boxed")), None)
    if other is not None:
        raise ValueError(f"dialect {other!r} has no released reward: only CheXOne's trainer was released")
