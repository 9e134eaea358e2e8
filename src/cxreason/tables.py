"""Tables that people hand over, as predictions and scores: JSON Lines, a JSON list, CSV or TSV.

What scripts and spreadsheets write is read as it was meant: a mark at the head, Windows line ends, quoted
cells with line ends inside, semicolons where commas would be. What would have to be guessed is refused in one
line: a row with more or fewer cells than the header (a comma in a text that nobody quoted), a column that is
there twice, an encoding other than UTF-8.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from cxreason.errors import UserError

SEPARATORS = (",", ";", "\t")
MOST_OF_A_CELL = 2**31 - 1


def read_table(path: Path, what: str) -> Iterator[dict[str, Any]]:
    """The rows of a file, each as column -> value; `what` they are says the error.

    for row in read_table(Path("theirs.csv"), "predictions"): ...
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file of {what}.")
    is_cells = path.suffix.lower() in (".csv", ".tsv")
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from _cells(path, lines) if is_cells else _objects(path, lines)
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not text in UTF-8. Save it so (a spreadsheet as CSV UTF-8).") from None


def _objects(path: Path, lines: TextIO) -> Iterator[dict[str, Any]]:
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("["):  # a whole list, on one line or on many
        told = _parsed(path, first + lines.read(), "Write a list of objects, or one object a line")
        rows = enumerate(told if isinstance(told, list) else [told], start=1)
        place = "entry"
    else:
        lines.seek(0)
        told = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
        rows = (
            (number, _parsed(path, line, "Write one object a line, or CSV", number)) for number, line in told
        )
        place = "line"
    for number, row in rows:
        if not isinstance(row, dict):
            raise UserError(f"{path}: {place} {number} is no object. Write one with a name for each value.")
        yield row


def _parsed(path: Path, text: str, mend: str, line: int = 0) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {line}: " if line else ""
        raise UserError(f"{path}: {where}is not JSON ({error}). {mend}.") from None


def _cells(path: Path, lines: TextIO) -> Iterator[dict[str, Any]]:
    head = lines.readline()
    separator = max(SEPARATORS, key=head.count)
    csv.field_size_limit(MOST_OF_A_CELL)
    # Strict: else a quote that nobody closes swallows the rest of the file without a word.
    reader = csv.reader(chain([head], lines), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise UserError(f"{path}: column {twice[0]!r} is there twice. Remove or rename one.")
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(names):
                raise UserError(
                    f"{path}: the row that ends at line {reader.line_num} has {len(cells)} cells, and the "
                    f"header has {len(names)}. Put a text that holds {_named(separator)} in quotes."
                )
            yield dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num} is no row of a table ({error}). Mend it.") from None


def _named(separator: str) -> str:
    return {",": "a comma", ";": "a semicolon", "\t": "a tab"}[separator]
