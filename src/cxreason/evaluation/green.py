"""GREEN from what its model writes: significant errors, insignificant errors, matched findings.

GREEN = matched / (matched + significant errors) (Ostmeier et al. 2024). The released parser stops a section
at its first blank line, lets a letter that comes twice overwrite itself, and gives 1 where the section of
errors is missing; here sections end at the next header, numbers add up, and what is missing is `None`: owed
again, because it says nothing about the report.

>>> read_green(EXAMPLE).value
0.6
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

EXAMPLE = """[Clinically Significant Errors]:
(a) False report of a finding in the candidate: 1. A nodule.
(b) Missing a finding present in the reference: 0
(c) Misidentification of a finding's location: 1. Left for right.

[Clinically Insignificant Errors]:
(b) Missing a finding present in the reference: 4. Four old fractures.

[Matched Findings]:
3. Effusion; edema; cardiomegaly.
"""
"""A reply as the model writes it, in our words."""

ERRORS = {
    "a": "false finding",
    "b": "missing finding",
    "c": "wrong location",
    "d": "wrong severity",
    "e": "comparison that is not in the reference",
    "f": "comparison left out",
}
SECTIONS = ("significant", "insignificant", "matched")
_HEADER = re.compile(
    r"^[ \t#*]*\[?[ \t]*(?:clinically[ \t]+(significant|insignificant)[ \t]+errors"
    r"|(matched)[ \t]+findings)[ \t]*\]?[ \t*]*:?[ \t*]*",
    re.IGNORECASE | re.MULTILINE,
)
_ERROR = re.compile(r"\(([a-f1-6])\)([^\n]*)", re.IGNORECASE)
"""Letters, or the numbers that the model sometimes writes instead."""
_NUMBER = re.compile(r":\s*(\d+)")
_LEADING = re.compile(r"\s*(\d+)\b(?!\.\d)")
_NONE = re.compile(r"\s*(?:no|none|n/a)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Green:
    """The score, its counts by letter, and what is wrong with the reply where there is no score."""

    value: float | None
    matched: int | None = None
    errors: dict[str, int] = field(default_factory=dict)
    problem: str = ""


def read_green(reply: str) -> Green:
    """What a reply of GREEN's model says.

    >>> read_green("[Matched Findings]: 2").problem
    'no section of clinically significant errors'
    """
    found = _sections(reply)
    if "significant" not in found:
        return Green(None, problem="no section of clinically significant errors")
    if not found.get("matched", "").strip():
        return Green(None, problem="no section of matched findings; the reply may be cut")
    errors = dict.fromkeys(ERRORS, 0)
    for letter, rest in _ERROR.findall(found["significant"]):
        letter = "abcdef"[int(letter) - 1] if letter.isdigit() else letter.lower()
        errors[letter] += _count(rest)
    matched = _matched(found["matched"])
    total = matched + sum(errors.values())
    if not total:
        return Green(None, matched, errors, "neither errors nor matched findings")
    return Green(matched / total, matched, errors)


def _sections(reply: str) -> dict[str, str]:
    headers = list(_HEADER.finditer(reply))
    found: dict[str, str] = {}
    for number, header in enumerate(headers, start=1):
        end = headers[number].start() if number < len(headers) else len(reply)
        name = (header[1] or header[2]).lower()
        found[name] = found.get(name, "") + reply[header.end() : end]
    return found


def _count(rest: str) -> int:
    """The number behind an error's letter; where there is none, the one error that is told."""
    if number := _NUMBER.search(rest):
        return int(number[1])
    told = rest.partition(":")[2] or rest
    return 0 if not told.strip(" .:-") or _NONE.match(told) else 1


def _matched(text: str) -> int:
    """The number of matched findings; where it is missing, how many are listed."""
    if number := _LEADING.match(text):
        return int(number[1])
    if not text.strip() or _NONE.match(text):
        return 0
    lines = [line.strip(" -*•\t") for line in text.strip().splitlines() if line.strip(" -*•\t")]
    listed = lines if len(lines) > 1 else [part for part in re.split(r";|\.\s", lines[0]) if part.strip(" .")]
    return len(listed)
