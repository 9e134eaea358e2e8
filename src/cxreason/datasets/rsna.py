"""RSNA Pneumonia Detection Challenge (2018): boxes of lung opacities that suggest pneumonia.

Content:  26,684 labelled images, one for each patient, DICOM of 1024 x 1024; 3,000 images without labels are
          left out.
Labels:   pneumonia or not, by radiologists, with 1 to 4 boxes on each of 6,012 images; of the others, whether
          they are normal.
Access:   Kaggle, under the rules of the competition.
Citation: Shih et al. 2019, https://doi.org/10.1148/ryai.2019180041
Layout:   stage_2_train_labels.csv with a row for each box (x, y, width, height in pixels, blank without
          pneumonia), stage_2_detailed_class_info.csv with as many rows, stage_2_train_images/<patientId>.dcm.
          Whether a view is PA or AP stands in the DICOM header only. There is no official labelled test part.
          The images come from ChestX-ray14, with other names; COVIDx has them again. Whose they are tells
          pneumonia-challenge-dataset-mappings_2018.json of RSNA's site: lay it beside the tables where both
          datasets are used, or images of the test of one may be trained on in the other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    need_file,
    prefix,
    read_csv,
    read_gathered,
    read_json,
)
from cxreason.imaging.boxes import from_image_pixels, tidy
from cxreason.records import Box, Study

NAME = "rsna"
TITLE = "RSNA Pneumonia"
LICENCE = "Kaggle competition rules, non-commercial"
CITATION = "Shih et al. 2019, https://doi.org/10.1148/ryai.2019180041"
OFFICIAL_SPLITS = ()
TASKS = ("Disease Classification",)
EVALUATION_ONLY = False
STANDS_ON = ()

LABELS = ("stage_2_train_labels.csv", "kaggle_stage_2_train_labels.csv")
CLASSES = ("stage_2_detailed_class_info.csv", "kaggle_stage_2_detailed_class_info.csv")
"""Each as on Kaggle, and as torchxrayvision keeps it."""
PATIENT, CORNERS = "patientId", ("x", "y", "width", "height")
FINDING, SIZE = "pneumonia", 1024
MAPPING = "pneumonia-challenge-dataset-mappings*.json"
_ORIGINAL = re.compile(r"0*(\d+)_\d{3}\.png")


def find(folder: Path) -> Path | None:
    """The folder with the labels."""
    table = find_file(folder, *LABELS)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study of one image after the other."""
    table = need_file(folder, *LABELS)
    images = f"{prefix(table.parent, folder)}stage_2_train_images"
    kinds = find_file(table.parent, *CLASSES)
    kind = {row[PATIENT]: row["class"].strip() for row in read_csv(kinds, PATIENT, "class")} if kinds else {}
    patient_of = _originals(table.parent)
    for patient, rows in read_gathered(table, lambda row: row[PATIENT], (PATIENT,), *CORNERS, "Target"):
        labels = encodings.labels({FINDING: rows[0]["Target"]}, (FINDING,), table)
        if patient in kind:
            labels[encodings.finding("normal")] = int(kind[patient].casefold() == "normal")
        yield Study(
            id=f"{NAME}/{patient}",
            dataset=NAME,
            patient_id=patient,
            images=(f"{images}/{patient}.dcm",),
            labels=labels,
            boxes=tuple(_box(row, table) for row in rows if labels[FINDING] == 1),
            widths=(SIZE,),
            heights=(SIZE,),
            groups=(f"chestx-ray14/{patient_of[patient]}",) if patient in patient_of else (),
        )


def _originals(root: Path) -> dict[str, str]:
    """Image -> its patient in ChestX-ray14, where the list is there. Entries are known by how names look."""
    path = find_file(root, MAPPING)
    known: dict[str, str] = {}
    for _, entry in read_json(path) if path else ():
        names = [one for one in entry.values() if isinstance(one, str)] if isinstance(entry, dict) else []
        original = next((found[1] for one in names if (found := _ORIGINAL.fullmatch(one))), "")
        if not original:
            raise DatasetError(
                f"{path}: expected entries with an image as in 00000001_000.png; found {entry!r:.120}."
            )
        known.update((one, original) for one in names if not _ORIGINAL.fullmatch(one))
    return known


def _box(row: dict[str, str], table: Path) -> Box:
    try:
        x, y, width, height = (float(row[name]) for name in CORNERS)
    except ValueError:
        raise DatasetError(f"{table}: expected a box where Target is 1; found {row}.") from None
    return Box(FINDING, *tidy(from_image_pixels((x, y, x + width, y + height), SIZE, SIZE))[0])
