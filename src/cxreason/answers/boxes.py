"""Places on an image, in CheXOne's literal `<|ref|>name<|/ref|><|box|>(x1,y1),(x2,y2)<|/box|>`, 0-100.

Several boxes follow one another; "No pneumothorax detected." says that there is none. Floats are read as
floats, the name may be missing, line breaks and stray braces do not matter. Swapped corners are put in order
and places off the image moved to its edge, both noted. Names are not compared: the question names the target.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from cxreason.answers.parsed import Parsed
from cxreason.imaging.boxes import Corners, corners, in_order, matched_iou, tidy, to_hundred
from cxreason.records import Box

_NUMBER = r"\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+))\s*"
_PAIR = rf"\({_NUMBER},{_NUMBER}\)"
_BOX = re.compile(
    rf"(?:<\|ref\|>((?:(?!<\|).)*)<\|/ref\|>\s*)?<\|box\|>\s*{_PAIR}\s*,\s*{_PAIR}\s*<\|/box\|>", re.DOTALL
)
_MORE = re.compile(r"[.!?;]\s+\w|\bno\s+(?:idea|doubt)\b|,\s*(?:an?|the|but|there|yes)\b", re.IGNORECASE)
"""What a reply that says "No ... detected." says besides, and then it may say the opposite."""
_NOTHING = re.compile(r"\bno\b(?:(?!<\|).)*\bdetected\b[.\s}]*", re.IGNORECASE | re.DOTALL)


def write(boxes: Iterable[Box], options: Sequence[str] = (), *, name: str = "target") -> str:
    """The literal of boxes on the 0-100 grid, left to right; of none, that `name` was not detected.

    >>> write([Box("nodule", 0.12, 0.6, 0.18, 0.871)])
    '<|ref|>nodule<|/ref|><|box|>(12,60),(18,87)<|/box|>'
    >>> write([], name="pneumothorax")
    'No pneumothorax detected.'
    """
    found = [(" ".join(box.label.split()), to_hundred(corners(box))) for box in in_order(boxes)]
    if any("<|" in label for label in (name, *(label for label, _ in found))):
        raise ValueError("a name must not hold the marks of a box")
    return _literal(found) or f"No {' '.join(name.split())} detected."


def parse(text: str, options: Sequence[str] = ()) -> Parsed:
    """The boxes of a text in one canonical literal, or the sentence that there are none.

    >>> parse("<|box|>(20, 10.5),(5,30)<|/box|>")
    Parsed(value='<|box|>(5,10.5),(20,30)<|/box|>', problem='', note='corners swapped')
    """
    found, notes = _read(text)
    if found:
        if _NOTHING.search(_BOX.sub("<|", text)):
            return Parsed("", "boxes stand beside the statement that there are none")
        return Parsed(_literal(found), note=", ".join(sorted(notes)))
    if _NOTHING.fullmatch(text.strip()):
        if _MORE.search(text):
            return Parsed("", "more than that there is none")
        return Parsed(" ".join(text.replace("}", " ").split()))
    return Parsed("", "no readable box" if text.strip() else "the answer is empty")


def score(value: str, gold: str, options: Sequence[str] = ()) -> float:
    """IoU of the best one-to-one assignment over the larger number of boxes; a true "none" earns 1.0.

    >>> score("<|box|>(0,0),(50,100)<|/box|>", "<|ref|>lung<|/ref|><|box|>(0,0),(100,100)<|/box|>")
    0.5
    """
    true, _ = _read(gold)
    if not true and not _NOTHING.fullmatch(gold.strip()):
        raise ValueError(f"the gold answer {gold!r} holds neither a box nor 'No ... detected.'")
    said, _ = _read(value)
    if not said and not _NOTHING.fullmatch(value.strip()):
        return 0.0
    return matched_iou([place for _, place in said], [place for _, place in true])


def places(value: str) -> list[Box]:
    """The boxes of an answer as fractions of the image.

    >>> places("<|ref|>nodule<|/ref|><|box|>(12,60),(18,87)<|/box|>")[0].x1
    0.12
    """
    found, _ = _read(value)
    return [Box(name, x1 / 100, y1 / 100, x2 / 100, y2 / 100) for name, (x1, y1, x2, y2) in found]


def _read(text: str) -> tuple[list[tuple[str, Corners]], set[str]]:
    """Names ("" where there is none) and places (0-100) of all boxes, and what was mended."""
    found: list[tuple[str, Corners]] = []
    notes: set[str] = set()
    for match in _BOX.finditer(text):
        x1, y1, x2, y2 = (float(match[place]) for place in range(2, 6))
        place, mended = tidy((x1, y1, x2, y2), limit=100.0)
        notes.update(mended)
        found.append((" ".join((match[1] or "").split()), place))
    return found, notes


def _literal(found: Iterable[tuple[str, Corners]]) -> str:
    text = ""
    for name, (x1, y1, x2, y2) in found:
        reference = f"<|ref|>{name}<|/ref|>" if name else ""
        text += f"{reference}<|box|>({_short(x1)},{_short(y1)}),({_short(x2)},{_short(y2)})<|/box|>"
    return text


def _short(number: float) -> str:
    return f"{number + 0.0:.6f}".rstrip("0").rstrip(".")
