"""NLM tuberculosis sets: chest X-rays of screening in Montgomery County (USA) and in Shenzhen (China).

Content:  138 images (80 normal, 58 tuberculosis) and 662 (326, 336), PNG of 3,000 to 4,900 pixels, all PA; a
          short reading of each.
Labels:   tuberculosis or not: the last digit of the file's name. "no finding" where the reading says
          "normal". Masks of the lungs are not read.
Access:   open, data.lhncbc.nlm.nih.gov.
Citation: Jaeger et al. 2014, https://doi.org/10.3978/j.issn.2223-4292.2014.11.20
Layout:   MontgomerySet/CXR_png/MCUCXR_0001_0.png with ClinicalReadings/MCUCXR_0001_0.txt; ChinaSet_AllFiles/
          (newer: Shenzhen-Hospital-CXR-Set/) with CHNCXR_0001_0.png alike. Readings say sex and age on lines
          of their own ("Patient's Sex: F", "Patient's Age: 026Y") or on one ("male 45yrs"). Thumbs.db files
          lie among the images. There is no official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.tables import DatasetError, candidates, listing, prefix
from cxreason.records import Study

NAME = "nlm-tb"
TITLE = "NLM-TB (Montgomery and Shenzhen)"
LICENCE = "open, to be cited"
CITATION = "Jaeger et al. 2014, https://doi.org/10.3978/j.issn.2223-4292.2014.11.20"
OFFICIAL_SPLITS = ()
TASKS = ("Disease Classification",)
EVALUATION_ONLY = False
STANDS_ON = ()

IMAGES, READINGS = "CXR_png", "ClinicalReadings"
_NAME = re.compile(r"((?:MCU|CHN)CXR_\d+)_([01])\.png", re.IGNORECASE)
_SEX = re.compile(r"\b(?:(fe)?male|sex\W+([FM]))\b", re.IGNORECASE)
_AGE = re.compile(r"(\d+)\s*-?\s*(?:(y)|(m)(?!ale)|(w)|(d))[a-z]*", re.IGNORECASE)


def find(folder: Path) -> Path | None:
    """The folder above the first of the two sets that is there."""
    sets = _sets(folder)
    return sets[0].parent if sets else None


def read(folder: Path) -> Iterator[Study]:
    """One study of one image after the other: Montgomery, then Shenzhen, as far as they are there."""
    sets = _sets(folder)
    if not sets:
        raise DatasetError(
            f"{folder}: expected {IMAGES}/MCUCXR_*.png or {IMAGES}/CHNCXR_*.png there or up to two folders "
            f"below; found {listing(folder)}."
        )
    for home in sets:
        below = f"{prefix(home, folder)}{IMAGES}"
        for name, patient, ill in _named(home):
            sex, age, reading = _reading(home / READINGS / f"{name.rpartition('.')[0]}.txt")
            normal = {"no finding": 1} if reading.casefold().strip(" .") == "normal" else {}
            yield Study(
                id=f"{NAME}/{patient}",
                dataset=NAME,
                patient_id=patient,
                images=(f"{below}/{name}",),
                views=("PA",),
                labels={"tuberculosis": int(ill)} | normal,
                sex=sex,
                age=age,
                narrative=reading,
            )


def _sets(folder: Path) -> list[Path]:
    """The folders above CXR_png of the sets, Montgomery first."""
    found = {}
    for images in candidates(folder, IMAGES):
        if first := next(_named(images.parent), None):
            found.setdefault(first[1][:3].upper(), images.parent)
    return [found[name] for name in ("MCU", "CHN") if name in found]


def _named(home: Path) -> Iterator[tuple[str, str, str]]:
    """File, patient and last digit of each image of a set."""
    for path in sorted((home / IMAGES).iterdir()):
        if match := _NAME.fullmatch(path.name):
            yield path.name, match[1], match[2]


def _reading(path: Path) -> tuple[str, float | None, str]:
    """Sex, age and what the reader saw; nothing where the file is not there."""
    if not path.is_file():
        return "", None, ""
    return parse(path.read_text(encoding="utf-8-sig", errors="replace"))


def parse(reading: str) -> tuple[str, float | None, str]:
    """Sex, age and what the reader saw.

    >>> parse("Patient's Sex: F\\nPatient's Age: 026Y\\nright upper lobe infiltrate")
    ('F', 26.0, 'right upper lobe infiltrate')
    >>> parse("male 45yrs\\nnormal")
    ('M', 45.0, 'normal')
    """
    sex, age, seen = "", None, []
    for line in reading.splitlines():
        person, years = _SEX.search(line), _AGE.search(line)
        if person and not sex:
            sex = encodings.sex(person[2] or person[0])
        if years and age is None and (person or "age" in line.casefold() or not seen):
            age = encodings.age(f"{years[1]}{next(part for part in years.groups()[1:] if part)}")
        elif not person:
            seen.append(line)
    return sex, age, encodings.text(" ".join(seen))
