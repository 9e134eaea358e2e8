"""What datasets write for one and the same thing: views, sexes, ages, labels, missing texts.

>>> view("postero-anterior"), sex("Male"), age("058Y"), finding("Pleural_Thickening")
('PA', 'M', 58.0, 'pleural thickening')
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cxreason.datasets.tables import DatasetError
from cxreason.records import Question

CHEXPERT: tuple[str, ...] = (
    "No Finding",
    "Enlarged Cardiomediastinum",
    "Cardiomegaly",
    "Lung Opacity",
    "Lung Lesion",
    "Edema",
    "Consolidation",
    "Pneumonia",
    "Atelectasis",
    "Pneumothorax",
    "Pleural Effusion",
    "Pleural Other",
    "Fracture",
    "Support Devices",
)
"""The 14 labels in CheXpert's order."""

VIEWS: tuple[str, ...] = (
    "PA",
    "AP",
    "LATERAL",
    "LL",
    "RL",
    "AP AXIAL",
    "AP LLD",
    "AP RLD",
    "PA RLD",
    "PA LLD",
    "LAO",
    "RAO",
    "LPO",
    "XTABLE LATERAL",
    "SWIMMERS",
)
"""The names of views that are used here, in the order in which images of one study are shown."""
_VIEWS = {
    "POSTEROANTERIOR": "PA",
    "ANTEROPOSTERIOR": "AP",
    "L": "LATERAL",
    "LAT": "LATERAL",
    "LARGELATERAL": "LATERAL",
    "APHORIZONTAL": "AP",
    "OBLICUA": "OBLIQUE",
    "LTDECUB": "LLD",
    "N/A": "",
    "UNKNOWN": "",
    "UNK": "",
    "GENERICA": "",
    "EXCLUDE": "",
}
YES_NO = ("yes", "no")
_MISSING = {"", "none", "nan", "null", "n/a"}
_FINDINGS = {
    "effusion": "pleural effusion",
    "heart insufficiency": "heart failure",
    "infiltrates": "infiltrate",
    "infiltration": "infiltrate",
    "normal": "no finding",
    "pulmonary edema": "edema",
    "pulmonary fibrosis": "fibrosis",
}
_NOTHING = re.compile(r"(?<=[\[\s,])nan(?=\s*[\],])")
_APART = re.compile(r"(?<=[^\[,\s])(['\"])\s+(['\"])(?=[^\],\s])")
"""Texts of a list without a comma between them, which Python would join to one."""
_VALUES = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, "-1": -1, "-1.0": -1}


def text(value: Any) -> str:
    """A text of a table: white space made single, and nothing where it says None, NaN or NULL.

    >>> text("The lungs\\n are clear. "), text("None"), text(float("nan")), text("___ year old")
    ('The lungs are clear.', '', '', '___ year old')
    """
    words = " ".join(str(value).split())
    return "" if len(words) < 5 and words.casefold() in _MISSING else words


@lru_cache(maxsize=1024)
def view(value: Any) -> str:
    """A view by its name here; one that nobody knows keeps its own, in capitals, and none is empty.

    >>> view("Antero-posterior"), view("POSTERO_ANTERIOR"), view("L"), view(None), view("LL")
    ('AP', 'PA', 'LATERAL', '', 'LL')
    """
    name = " ".join(text(value).upper().replace("_", " ").split())
    return _VIEWS.get(re.sub(r"[ \-]", "", name), name)


def view_rank(name: str) -> int:
    """Where an image with this view stands among the images of its study; unknown views come last."""
    return VIEWS.index(name) if name in VIEWS else len(VIEWS)


@lru_cache(maxsize=1024)
def sex(value: Any) -> str:
    """M or F; another or an unknown one is empty.

    >>> sex("female"), sex("M"), sex("O")
    ('F', 'M', '')
    """
    return {"M": "M", "F": "F", "MALE": "M", "FEMALE": "F"}.get(text(value).upper(), "")


@lru_cache(maxsize=1024)
def age(value: Any) -> float | None:
    """Years, from a number, a DICOM age ("058Y", "002D") or a group ("85 or more" is 85).

    >>> age(61), age("006M"), age("85 or more"), age("45yrs"), age(""), age("411")
    (61.0, 0.5, 85.0, 45.0, None, None)
    """
    match = re.match(r"\s*(\d+(?:\.\d+)?)\s*([YMWD]?)", str(value).upper())
    if match is None:
        return None
    years = float(match[1]) / {"": 1, "Y": 1, "M": 12, "W": 365.25 / 7, "D": 365.25}[match[2]]
    return round(years, 4) if years <= 120 else None  # the oldest table of ChestX-ray14 knows ages of 400


def pixels(value: Any) -> int:
    """A width or a height; 0 where it is not known.

    >>> pixels("2544"), pixels("3056.0"), pixels("")
    (2544, 3056, 0)
    """
    try:
        return int(float(value or 0))
    except ValueError:
        return 0


@lru_cache(maxsize=1024)
def finding(name: str) -> str:
    """A label in the words of the findings here (`text/ontology.py`): small letters, blanks, one name each.

    >>> finding("Effusion"), finding("No Finding"), finding("Lung_Opacity")
    ('pleural effusion', 'no finding', 'lung opacity')
    """
    plain = " ".join(name.replace("_", " ").casefold().split())
    return _FINDINGS.get(plain, plain)


def labels(row: Mapping[str, str], names: Iterable[str], path: Path) -> dict[str, int]:
    """Labels of columns that say 1, 0, -1 or nothing: positive, negative, uncertain, not mentioned.

    >>> labels({"Edema": "-1.0", "Fracture": ""}, ("Edema", "Fracture"), Path("a.csv"))
    {'edema': -1}
    """
    found = {}
    for name in names:
        value = row[name].strip()
        if not value or value.casefold() in _MISSING:
            continue
        if value not in _VALUES:
            raise DatasetError(f"{path}: expected 1, 0, -1 or nothing under {name}; found {value!r}.")
        found[finding(name)] = _VALUES[value]
    return found


def literals(value: Any) -> tuple[str, ...]:
    """The texts of a list that is written as Python or as numpy writes it; empty where there is none.

    >>> literals("['cardiomegaly', ' pneumonia', '', nan]"), literals("nan"), literals("['C1' 'C2']")
    (('cardiomegaly', 'pneumonia'), (), ('C1', 'C2'))
    """
    if not text(value) or (isinstance(value, float) and math.isnan(value)):
        return ()
    try:
        listed = ast.literal_eval(_NOTHING.sub("None", _APART.sub(r"\1, \2", str(value))))
    except (ValueError, SyntaxError):
        raise DatasetError(f"expected a list of texts as in ['a', 'b']; found {value!r:.80}.") from None
    return tuple(words for words in (text(one) for one in listed) if words)


def answer(value: Any) -> str:
    """An answer as a text of single blanks. Unlike `text`, it keeps "None", which answers a question.

    >>> answer(4), answer(" left\\n lung"), answer("None")
    ('4', 'left lung', 'None')
    """
    return " ".join(str(value).split())


def question(
    asked: Any, answered: Any, *, closed: bool = False, type: str = "", split: str = "", id: str = ""
) -> Question:
    """A question with one answer. One that is closed by yes or no is a choice between the two.

    >>> question("Is it clear?", "Yes", closed=True)
    Question(text='Is it clear?', answers=('yes',), also=(), options=('yes', 'no'), kind='choice', ...)
    """
    said = answer(answered)
    binary = closed and said.casefold() in YES_NO
    return Question(
        text=answer(asked),
        answers=(said.casefold() if binary else said,) if said else (),
        options=YES_NO if binary else (),
        kind="choice" if binary else "text",
        closed=closed,
        type=type,
        split=split,
        id=id,
    )


def choice(value: Any, letter: str) -> str:
    """A choice without the letter before it.

    >>> choice(" A:Diffuse uptake ", "A"), choice("B. Focal", "B"), choice("A band", "A")
    ('Diffuse uptake', 'Focal', 'A band')
    """
    words = answer(value)
    start = words.removeprefix("(")
    if start.startswith(letter):
        rest = start[len(letter) :].lstrip()
        if rest.startswith((":", ".", ")")):
            return rest[1:].lstrip()
    return words
