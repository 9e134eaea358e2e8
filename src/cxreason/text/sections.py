"""A report cut into its sections, and any text into its sentences.

>>> sections("INDICATION: Cough. FINDINGS: Lungs are clear.\\nIMPRESSION:\\nNormal chest.")["impression"]
'Normal chest.'

Headers are found as the section parser of MIT-LCP finds them in MIMIC-CXR (MIT licence; written anew from
its rules): a name in capitals with a colon at the start of a line, spellings brought to one name, a name that
contains a known one taken for it, a name of an examination taken for findings, and `last_paragraph` where
there is neither findings nor impression. Beyond it, for Open-i, ReXGradient, CheXpert Plus and plain text: a
known name opens a section also in other letters, alone on its line or inside a line after a full stop; names
of organs open none; text without headers is findings; a section that stands twice is joined.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import product

HEADERS: dict[str, tuple[str, ...]] = {
    "indication": (
        "indication",
        "indications",
        "clinical indication",
        "reason for exam",
        "reason for examination",
        "reason for study",
        "indicaton",
    ),
    "history": (
        "history",
        "clinical history",
        "clinical information",
        "clinical data",
        "patient history",
        "past medical history",
    ),
    "comparison": (
        "comparison",
        "comparisons",
        "comparison study",
        "comparison studies",
        "comparison exam",
        "comparison film",
        "reference exam",
        "comparision",
        "comparsion",
    ),
    "technique": ("technique", "procedure", "procedure comments", "views", "number of views", "tecnique"),
    "examination": ("examination", "exam", "study", "type of examination", "procedure name"),
    "findings": ("findings", "finding", "report", "description", "narrative", "body of report", "findngs"),
    "impression": (
        "impression",
        "impressions",
        "conclusion",
        "conclusions",
        "opinion",
        "interpretation",
        "findings and impression",
        "findings/impression",
        "impresson",
        "impresion",
        "inpression",
    ),
    "summary": ("summary",),
    "recommendation": ("recommendation", "recommendations", "recommendation(s)"),
    "notification": ("notification", "notifications"),
    "addendum": ("addendum", "addenda"),
    "end": ("end of impression", "accession number"),
}
"""Section -> the headers that open it."""

_SECTION = {header: section for section, headers in HEADERS.items() for header in headers}
_PARTS = ("impression", "findings", "history", "indication", "comparison", "technique", "addendum")
_EXAMINATION = re.compile(
    r"\b(?:chest|portable|pa|ap|lateral|frontal|views?|radiographs?|ribs|films?|upright|supine)\b"
)
# Under findings some write "LUNGS: clear." line by line: these are no sections.
_ORGAN = re.compile(
    r"\b(?:lungs?|heart|cardiac|cardio\w*|mediastin\w+|hil\w+|pleura\w*|bones?|osseous|skelet\w+|soft|airways?"
    r"|trachea|lines?|tubes?|devices?|catheters?|diaphragms?|abdomen|upper|vessels?|vasculature|aorta|other"
    r"|support|musculoskeletal|right|left|additional)\b"
)
_WORDS = "|".join(
    sorted((re.escape(name).replace(r"\ ", r"\s+") for name in _SECTION), key=len, reverse=True)
)
_CAPITALS = _WORDS.upper().replace(r"\S+", r"\s+")
_TITLED = "|".join(f"{name[0].upper()}(?i:{name[1:]})" for name in _WORDS.split("|"))
_HEADER = re.compile(
    r"^[ \t]*(?:"
    rf"(?P<line>(?i:{_WORDS}))[ \t]*(?::|$)"  # in any letters, with a colon or alone on its line
    r"|(?P<added>ADDENDUM)\b(?!:)"
    r"|(?P<unknown>[A-Z][A-Z ()/,&\-]{2,60}):(?=\s)"  # any name in capitals that opens a line
    r"|(?P<rule>_{5,}[ \t]*)$"  # what parts an addendum from the report below it
    r")|(?<=\s)(?=[A-Z])(?:"
    rf"(?=[A-Z]{{4}})(?P<inside>{_CAPITALS})[ \t]*:"  # in capitals inside a line
    rf"|(?<=[.:;]\s)(?=[A-Z][a-z/ ()]+:)(?P<titled>{_TITLED}):"  # with one capital behind a full stop
    r")",
    re.MULTILINE,
)
_TITLE_LINE = re.compile(r"^[ \t]*(?:FINAL REPORT|WET READ\b.*|PRELIMINARY REPORT)[ \t]*$", re.MULTILINE)


def _named(name: str) -> str:
    """The section that an unknown name in capitals opens; empty where it is the name of an organ."""
    name = " ".join(name.lower().split())
    if name in _SECTION:
        return _SECTION[name]
    for part in _PARTS:
        if part in name:
            return part
    if _EXAMINATION.search(name) and not re.search(r"\blungs?\b", name):
        return "findings"
    return "" if _ORGAN.search(name) else name


def sections(report: str) -> dict[str, str]:
    """Section name -> its text, in the order of the report; empty sections are left out.

    The usual names are indication, history, technique, comparison, examination, findings, impression,
    addendum and last_paragraph; a header that nobody knows keeps its own name in small letters. Text before
    any header is findings, or `preamble` where findings follow.

    >>> sections("The lungs are clear.")
    {'findings': 'The lungs are clear.'}
    """
    parts: dict[str, list[str]] = {}
    section, start = "preamble", 0

    def close(end: int) -> None:
        text = _TITLE_LINE.sub("", report[start:end]).strip()
        if text:
            parts.setdefault(section, []).append(text)

    for match in _HEADER.finditer(report):
        if match["rule"] is not None:
            opened = "preamble" if section == "addendum" else ""
        elif match["unknown"] is not None:
            opened = _named(match["unknown"])
        elif match["added"] is not None:
            opened = "addendum"
        else:
            opened = _SECTION[" ".join((match["line"] or match["inside"] or match["titled"]).lower().split())]
        if opened:
            close(match.start())
            section, start = opened, match.end()
    close(len(report))
    found = {name: "\n".join(texts) for name, texts in parts.items() if name != "end"}
    return _renamed(found)


def _renamed(found: dict[str, str]) -> dict[str, str]:
    """What stands without a header of its own gets the name of what it is."""
    if "summary" in found and "impression" not in found:
        found = {("impression" if name == "summary" else name): text for name, text in found.items()}
    if "preamble" in found and "findings" not in found:
        alone = len(found) == 1
        if alone or re.search(r"[a-z][.!]", found["preamble"]):
            return {("findings" if name == "preamble" else name): text for name, text in found.items()}
    if found and not {"findings", "impression"} & set(found):
        last = list(found)[-1]
        before, blank, after = found[last].partition("\n \n")
        if not blank:
            before, blank, after = found[last].partition("\n\n")
        if after.strip():
            found = {**found, last: before.strip(), "last_paragraph": after.strip()}
    return found


_HEADING = r"([A-Z][A-Za-z /&,\-]{2,40}):\s+"
_HEADED = re.compile(rf"\s*{_HEADING}")
_NEW_HEADING = re.compile(rf"(?:\n|(?<=[.!?]) )(?=\s*{_HEADING})")
"""On a new line, or behind a sentence where a section was put on one line."""


def headed_lines(text: str) -> Iterator[tuple[str, str]]:
    """(heading, rest) for each part of a section that has a heading of its own, and ("", text) for others.

    >>> list(headed_lines("Lungs: Clear.\\nPleura: No\\neffusion."))
    [('Lungs', 'Clear.'), ('Pleura', 'No\\neffusion.')]
    """
    if ":" not in text:
        yield "", text
        return
    start = 0
    for end in [*(match.start() for match in _NEW_HEADING.finditer(text)), len(text)]:
        part = text[start:end]
        heading = _HEADED.match(part)
        yield (heading[1], part[heading.end() :]) if heading else ("", part)
        start = end


# A line that wraps inside a sentence is no end; a blank line, a list mark or a capitalised line is one.
# What it begins with stands in front: so it is searched for at once.
_END = re.compile(
    r"[.!?\n](?:(?<!\n)[.!?]*[\"')\]]*(?=\s|$)"
    r"|(?<=[a-z]\.)(?=[A-Z][a-z])"  # "size.No effusion", where a space was forgotten
    r"|(?<=\n)(?:\s*\n|(?=[ \t]*(?:[-*\u2022]\s|\d+[.)]\s|[A-Z][a-z]))))"
)
TEXTS = 16_384
"""So many texts are remembered when they were cut: all sections of one piece of a large build."""
_ABBREVIATIONS = ("e.g.", "i.e.", "vs.", "dr.", "approx.", "cf.", "resp.")
_BEFORE_POINT = frozenset(
    made
    for first, second in (short[-3:-1] for short in _ABBREVIATIONS)
    for made in map("".join, product({first, first.upper()}, {second, second.upper()}))
)
"""The two letters before the point of an abbreviation: few sentences end so, which is seen at once."""


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """(offset, sentence) for each sentence, without the white space around it.

    >>> list(sentences("Clear.  No change"))
    [(0, 'Clear.'), (8, 'No change')]
    """
    start, whole = 0, len(text)
    for end in [*[match.end() for match in _END.finditer(text)], whole]:
        if (
            text[end - 3 : end - 1] in _BEFORE_POINT
            and end < whole
            and text[max(start, end - 8) : end].lower().endswith(_ABBREVIATIONS)
        ):
            continue
        sentence = text[start:end].strip()
        if sentence == "?" and end < whole:  # "? pneumonia" is a doubt that stands in front
            continue
        if sentence:
            while text[start].isspace():
                start += 1
            yield start, sentence
        start = end


def one_line(text: str) -> str:
    """The text with single blanks in the place of all white space.

    >>> one_line(" Lungs\\n clear. ")
    'Lungs clear.'
    """
    flat = text.replace("\n", " ")  # many have no other white space than blanks and ends of lines
    return flat.strip() if _is_plain(flat) else " ".join(flat.split())


_NOT_PLAIN = (*"\t\n\v\f\r\x1c\x1d\x1e\x1f", "  ")
"""All white space of ASCII but a blank, and two blanks."""


def _is_plain(text: str) -> bool:
    """Whether a text has single blanks only: most do, which is far cheaper to see than to make."""
    return text.isascii() and not any(map(text.__contains__, _NOT_PLAIN))


@lru_cache(maxsize=TEXTS)
def headed_sentences(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(heading, its sentences, each on one line) for each part of a section, as `headed_lines` parts it.

    >>> headed_sentences("Lungs: Clear.\\nPleura: No\\neffusion.")
    (('Lungs', ('Clear.',)), ('Pleura', ('No effusion.',)))
    """
    return tuple([(heading, tuple(_lines(body))) for heading, body in headed_lines(text)])


def _lines(text: str) -> list[str]:
    """The sentences of a text, each on one line."""
    if _is_plain(text):
        return [sentence for _, sentence in sentences(text)]
    return [one_line(sentence) for _, sentence in sentences(text)]
