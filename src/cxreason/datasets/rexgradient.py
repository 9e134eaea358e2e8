"""ReXGradient-160K: chest X-rays and reports of 79 sites of three health systems in the USA.

Content:  160,000 studies of 109,487 patients with 273,004 images at a quarter of their size; reports in
          English.
Labels:   none; boxes of interstitial patterns are not read.
Access:   Hugging Face rajpurkarlab/ReXGradient-160K, gated; not for commercial use.
Citation: Zhang et al. 2025, https://arxiv.org/abs/2505.00228
Layout:   metadata/{train,valid,test}_metadata_view_position.json, an object of one record for each study;
          without it {split}_metadata.json or .csv, which may lack the views. ImagePath is relative to
          metadata/, as in ../deid_png/<patient>/<accession>/studies/<uid>/series/<uid>/instances/<uid>.png:
          the parts deid_png.part00 .. part09 are one zstd tar. The text "None" is no text. Views have long
          and short names, and about 2% have none. PNG images may have 16 bits. Ages are as in "007Y".
          Patients are in one split.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from posixpath import normpath
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.tables import DatasetError, find_file, listing, need, prefix, read_csv, read_json
from cxreason.records import Study

NAME = "rexgradient"
TITLE = "ReXGradient-160K"
LICENCE = "ReXGradient data use agreement, non-commercial"
CITATION = "Zhang et al. 2025, https://arxiv.org/abs/2505.00228"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = (
    "Findings Generation",
    "Findings Generation with Indication",
    "Impression Generation",
    "Impression Generation with Indication",
    "Findings Summarization",
)
EVALUATION_ONLY = False
STANDS_ON = ()

SPLITS = {"train": "train", "valid": "validation", "test": "test"}
FORMS = ("{}_metadata_view_position.json", "{}_metadata.json", "{}_metadata.csv")
KEYS = ("PatientID", "Findings", "Impression", "ImagePath")
CSV = ("id", *KEYS)


def find(folder: Path) -> Path | None:
    """The folder above metadata/."""
    table = _table(folder, "train")
    return table.parent.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study after the other: train, valid, test."""
    for part, split in SPLITS.items():
        path = _table(folder, part)
        if path is None:
            names = " or ".join(form.format(part) for form in FORMS)
            raise DatasetError(
                f"{folder}: expected metadata/{names} there or up to two folders below; found "
                f"{listing(_listed(folder))}."
            )
        below = prefix(path.parent, folder)
        records = read_json(path) if path.suffix == ".json" else _rows(path)
        for key, record in records:
            yield _study(key, record, split, below, path)


def _table(folder: Path, part: str) -> Path | None:
    return find_file(folder, *(f"metadata/{form.format(part)}" for form in FORMS)) or find_file(
        folder, *(form.format(part) for form in FORMS)
    )


def _listed(folder: Path) -> Path:
    """What is shown of a folder that lacks something: metadata/ where it is there."""
    train = _table(folder, "train")
    return train.parent if train else folder


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records of the table, whose lists are written as Python writes them."""
    for row in read_csv(path, *CSV, optional=("ImageViewPosition",)):
        lists = {name: list(encodings.literals(row[name])) for name in ("ImagePath",)}
        if row.get("ImageViewPosition"):
            lists["ImageViewPosition"] = list(encodings.literals(row["ImageViewPosition"]))
        yield row["id"], row | lists


def _study(key: str, record: Any, split: str, below: str, path: Path) -> Study:
    patient, findings, impression, images = need(record, path, *KEYS)
    if key.isdigit():  # the position in a list of records, which is no name
        key = encodings.text(record.get("id") or record.get("StudyInstanceUid")) or key
    if not isinstance(images, list):
        raise DatasetError(f"{path}: expected a list as ImagePath of {key}; found {images!r:.80}.")
    named = record.get("ImageViewPosition")
    views = [encodings.view(view) for view in named] if isinstance(named, list) else []
    if len(views) != len(images):  # a record that names no views, or not one for each image, tells of none
        views = [""] * len(images)
    shown = sorted(zip(views, images, strict=True), key=lambda one: encodings.view_rank(one[0]))
    return Study(
        id=f"{NAME}/{key}",
        dataset=NAME,
        patient_id=str(patient),
        images=tuple(normpath(below + image) for _, image in shown),
        views=tuple(view for view, _ in shown),
        split=split,
        indication=encodings.text(record.get("Indication")),
        comparison=encodings.text(record.get("Comparison")),
        findings=encodings.text(findings),
        impression=encodings.text(impression),
        sex=encodings.sex(record.get("PatientSex")),
        age=encodings.age(record.get("PatientAge")),
        order=encodings.text(record.get("StudyDate")),
    )
