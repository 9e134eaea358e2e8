"""BRAX: chest X-rays of the Hospital Israelita Albert Einstein, São Paulo, with labels mined from reports.

Content:  40,967 images of 24,959 studies of 19,351 patients, DICOM and PNG; the reports were not released.
Labels:   CheXpert's 14, mined from Portuguese reports: 1, 0, -1 (uncertain) or nothing (not mentioned).
Access:   PhysioNet, credentialed, with a data use agreement. No rows or images may be passed on.
Citation: Reis et al. 2022, https://doi.org/10.1038/s41597-022-01608-8
Layout:   master_spreadsheet_update.csv (1.0: master_spreadsheet.csv) with a row for each image;
          images/id_<patient>/Study_<uid>/Series_<uid>/image-<uid>.png, Anonymized_DICOMs/ alike with .dcm.
          Columns are told by their names, as their order differs between releases. Ages are groups of five
          years up to "85 or more". Views are as documented (AP, PA, LL, RL, ...) or as they came (L,
          LT-DECUB, AP LLD, ...). A dozen images are strips of the border of a film, more than ten times as
          long as wide, and are left out. There is no official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.images import whichever
from cxreason.datasets.tables import find_file, need_file, prefix, read_gathered
from cxreason.records import Study

NAME = "brax"
TITLE = "BRAX"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Reis et al. 2022, https://doi.org/10.1038/s41597-022-01608-8"
OFFICIAL_SPLITS = ()
TASKS = ("Disease Classification",)
EVALUATION_ONLY = False
STANDS_ON = ()

TABLES = ("master_spreadsheet_update.csv", "master_spreadsheet.csv")
PNG, DICOM, PATIENT = "PngPath", "DicomPath", "PatientID"
COLUMNS = (
    DICOM,
    "PatientSex",
    "PatientAge",
    "StudyDate",
    "ViewPosition",
    "Rows",
    "Columns",
    *encodings.CHEXPERT,
)
MOST_ELONGATED = 10
_STUDY = re.compile(r"(?:^|/)Study_([^/]+)/")


def find(folder: Path) -> Path | None:
    """The folder with the table."""
    table = find_file(folder, *TABLES)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study after the other as the table has them."""
    table = need_file(folder, *TABLES)
    below = prefix(table.parent, folder)
    path_of = whichever(folder, lambda row: below + row[PNG], lambda row: below + row[DICOM])
    for (patient, study), rows in read_gathered(table, _key, (PATIENT, PNG, "AccessionNumber"), *COLUMNS):
        whole = [row for row in rows if not _strip(row)]
        if not whole:
            continue
        first = whole[0]
        views = [encodings.view(row["ViewPosition"]) for row in whole]
        shown = sorted(
            (encodings.view_rank(view), view, path_of(row)) for view, row in zip(views, whole, strict=True)
        )
        yield Study(
            id=f"{NAME}/{patient}/{study}",
            dataset=NAME,
            patient_id=patient,
            images=tuple(path for _, _, path in shown),
            views=tuple(view for _, view, _ in shown),
            labels=encodings.labels(first, encodings.CHEXPERT, table),
            sex=encodings.sex(first["PatientSex"]),
            age=encodings.age(first["PatientAge"]),
            order=encodings.text(first["StudyDate"]),
        )


def _key(row: dict[str, str]) -> tuple[str, str]:
    """Patient and study; the study's folder names it, as accession numbers were made anew."""
    match = _STUDY.search(row[PNG])
    return row[PATIENT], match[1] if match else row["AccessionNumber"]


def _strip(row: dict[str, str]) -> bool:
    """Whether an image is far too long for a chest; what has no size may be one."""
    try:
        sides = sorted((float(row["Rows"]), float(row["Columns"])))
    except ValueError:
        return False
    return sides[1] > MOST_ELONGATED * sides[0]
