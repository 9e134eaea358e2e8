"""CANDID-PTX: chest X-rays with masks of pneumothoraces, rib fractures and chest tubes, and with reports.

Content:  19,237 images of 1024 x 1024 with the report of each. A few images belong to two patients by
          mistake; those two count as one patient here.
Labels:   run lengths of masks as in SIIM-ACR, in three tables: 3,196 images with a pneumothorax, 335 with
          an acute rib fracture, 1,423 with a chest tube. "-1" and an image that a table does not list have
          none. One row is one mask, here one box.
Access:   figshare of the University of Auckland, after an ethics course and with a data use agreement.
Citation: Feng et al. 2021, https://doi.org/10.1148/ryai.2021210136
Layout:   Pneumothorax_reports.csv (SOPInstanceUID, StudyInstanceUID, EncodedPixels, filename, Report, with
          a byte order mark; several rows for an image), acute_rib_fracture.csv and chest_tube.csv
          (anon_SOPUID, mask_rle), dataset/<SOPInstanceUID>: DICOM files without an extension. The patient
          is what stands before "_" in the filename. A report is one text without headers. There is no
          official split.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.images import images_folder
from cxreason.datasets.siim_acr import SIZE, mask_boxes
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    find_table,
    need_file,
    need_table,
    read_csv,
    read_header,
    relative,
)
from cxreason.records import Study

NAME = "candid-ptx"
TITLE = "CANDID-PTX"
LICENCE = "data use agreement of the University of Otago, not for commercial use"
CITATION = "Feng et al. 2021, https://doi.org/10.1148/ryai.2021210136"
OFFICIAL_SPLITS = ()
TASKS = (
    "Pneumothorax Grounding",
    "Rib Fracture Grounding",
    "Chest Tube Grounding",
    "Impression Generation",
)
EVALUATION_ONLY = False
STANDS_ON = ()

REPORTS = "Pneumothorax_reports.csv"
OTHERS = {
    "rib fracture": ("acute_rib_fracture.csv", "Rib_fracture_mask_rle.csv"),
    "chest tube": ("chest_tube.csv",),
}
"""Finding -> the names of its table."""
IMAGE = ("SOPInstanceUID", "anon_SOPUID")
RUNS = ("mask_rle", "EncodedPixels")
_MARK = (IMAGE, "EncodedPixels", "filename")


def find(folder: Path) -> Path | None:
    """The folder of the tables."""
    table = find_table(folder, (REPORTS,), *_MARK)
    return table and table.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each image, in the order in which the table of reports first names them."""
    table = need_table(folder, (REPORTS,), *_MARK)
    root = table.parent
    masks: dict[str, list[str]] = defaultdict(list)
    owners: dict[str, list[str]] = defaultdict(list)
    reports: dict[str, str] = {}
    for row in read_csv(table, IMAGE, "EncodedPixels", "filename", _report(table)):
        image = row["SOPInstanceUID"]
        masks[image].append(row["EncodedPixels"])
        owners[image].append(row["filename"].partition("_")[0])
        reports.setdefault(image, encodings.text(row["Report"]))
    if not masks:
        raise DatasetError(f"{table}: expected a row for each image; found none.")
    others = {finding: _masks(root, names) for finding, names in OTHERS.items()}
    patient_of = one_patient(owners.values())
    images = images_folder(root, masks, "dataset", "dicom")
    for image, encoded in masks.items():
        found = {"pneumothorax": mask_boxes(encoded, "pneumothorax", table)}
        for finding, (path, known) in others.items():
            found[finding] = mask_boxes(known.get(image, ()), finding, path)
        yield Study(
            id=f"{NAME}/{image}",
            dataset=NAME,
            patient_id=patient_of[owners[image][0]],
            images=(relative(images / image, folder),),
            narrative=reports[image],
            labels={finding: int(bool(boxes)) for finding, boxes in found.items()},
            boxes=tuple(box for boxes in found.values() for box in boxes),
            widths=(SIZE,),
            heights=(SIZE,),
        )


def _report(table: Path) -> tuple[str, ...]:
    """The column of the reports and how it is spelled: its name is not known for certain."""
    return ("Report", *(name for name in read_header(table) if "report" in name.casefold()))


def one_patient(owners: Iterable[Iterable[str]]) -> dict[str, str]:
    """Patient -> the first name of all who share an image with each other, in one step or several.

    >>> one_patient([["P1"], ["P3", "P2"], ["P2", "P4"]])
    {'P1': 'P1', 'P3': 'P2', 'P2': 'P2', 'P4': 'P2'}
    """
    group_of: dict[str, set[str]] = {}
    for names in owners:
        group = set().union(*(group_of.get(name, {name}) for name in names))
        for name in group:
            group_of[name] = group
    return {name: min(group) for name, group in group_of.items()}


def _masks(root: Path, names: tuple[str, ...]) -> tuple[Path, dict[str, list[str]]]:
    """A table and its masks: image -> run lengths."""
    table = find_file(root, *names) or need_file(root, *names)
    known: dict[str, list[str]] = defaultdict(list)
    for row in read_csv(table, IMAGE, RUNS):
        known[row["SOPInstanceUID"]].append(row["mask_rle"])
    return table, known
