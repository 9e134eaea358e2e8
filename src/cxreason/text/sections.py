"""A report cut into its sections, and any text into its sentences.

>>> split("INDICATION: Cough. FINDINGS: Lungs are clear.\\nIMPRESSION:\\nNormal chest.")["impression"]
'Normal chest.'
"""

from __future__ import annotations

import re
from collections.abc import Iterator

HEADERS: dict[str, tuple[str, ...]] = {
    "indication": (
        "indication",
        "indications",
        "clinical indication",
        "clinical information",
        "clinical history",
        "history",
        "reason for exam",
        "reason for examination",
    ),
    "comparison": ("comparison", "comparisons", "comparison study"),
    "technique": ("technique", "procedure", "views"),
    "examination": ("examination", "exam", "study", "type of examination"),
    "findings": ("findings", "finding", "report", "description"),
    "impression": ("impression", "impressions", "conclusion", "conclusions", "summary", "opinion"),
    "recommendation": ("recommendation", "recommendations"),
}
"""Section -> the headers that open it."""

_SECTION = {header: section for section, headers in HEADERS.items() for header in headers}
_WORDS = "|".join(sorted((header.replace(" ", r"\s+") for header in _SECTION), key=len, reverse=True))
_CAPITALS = _WORDS.upper().replace(r"\S+", r"\s+")
# At the start of a line in any case with a colon or alone on the line; inside a line only in capitals.
_HEADER = re.compile(
    rf"^[ \t]*(?P<line>(?i:{_WORDS}))[ \t]*(?::|$)|(?<=\s)(?P<inline>{_CAPITALS}):", re.MULTILINE
)


def split(report: str) -> dict[str, str]:
    """Section name -> its text. A section that stands twice is joined; text before any header is findings.

    >>> split("The lungs are clear.")
    {'findings': 'The lungs are clear.'}
    """
    parts: dict[str, list[str]] = {}
    section, start = "findings", 0

    def close(end: int) -> None:
        text = report[start:end].strip()
        if text:
            parts.setdefault(section, []).append(text)

    for match in _HEADER.finditer(report):
        close(match.start())
        header = " ".join((match["line"] or match["inline"]).lower().split())
        section, start = _SECTION[header], match.end()
    close(len(report))
    return {name: "\n".join(texts) for name, texts in parts.items()}


# A line that wraps inside a sentence is no end; a blank line, a list mark or a capitalised line is one.
_END = re.compile(r"[.!?]+[\"')\]]*(?=\s|$)|\n\s*\n|\n(?=[ \t]*(?:[-*\u2022]\s|\d+[.)]\s|[A-Z][a-z]))")
_ABBREVIATIONS = ("e.g.", "i.e.", "vs.", "dr.", "approx.", "cf.", "resp.")


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """(offset, sentence) for each sentence, without the white space around it.

    >>> list(sentences("Clear.  No change"))
    [(0, 'Clear.'), (8, 'No change')]
    """
    start = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        if end < len(text) and text[max(start, end - 8) : end].lower().endswith(_ABBREVIATIONS):
            continue
        piece = text[start:end]
        sentence = piece.strip()
        if sentence == "?" and end < len(text):  # "? pneumonia" is a doubt that stands in front
            continue
        if sentence:
            yield start + len(piece) - len(piece.lstrip()), sentence
        start = end


def sections(report: str) -> dict[str, str]:
    return split(report)
