"""CheXpert Plus: the reports, demographics and full images that belong to CheXpert.

Content:  223,462 images of 187,711 reports of 64,725 patients, each report also cut into its sections.
Labels:   14 by CheXbert, of the whole report (used here), of its findings and of its impression: 1, 0, -1
          (uncertain) or null (not mentioned).
Access:   Stanford AIMI, after registration; research only, no redistribution.
Citation: Chambon et al. 2024, https://arxiv.org/abs/2405.19538
Layout:   df_chexpert_plus_240401.csv with a row for each image;
          PNG/train/patient00001/study1/view1_frontal.png, unpacked from its chunks, or DICOM/;
          chexbert_labels/report_fixed.json, which is JSON Lines. path_to_image says .jpg where the file is
          .png. Sections have line ends in them. Studies follow each other by patient_report_date_order and
          not by study number. The split is train or valid. Patients are those of CheXpert.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.chexpert import split_path
from cxreason.datasets.images import whichever
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    need,
    need_file,
    prefix,
    read_gathered,
    read_json_lines,
    read_table,
)
from cxreason.records import Study

NAME = "chexpert-plus"
TITLE = "CheXpert Plus"
LICENCE = "Stanford University Dataset Research Use Agreement"
CITATION = "Chambon et al. 2024, https://arxiv.org/abs/2405.19538"
OFFICIAL_SPLITS = ("train", "validation")
TASKS = (
    "Findings Generation",
    "Findings Generation with Indication",
    "Impression Generation",
    "Impression Generation with Indication",
    "Local Findings Generation",
    "Local Impression Generation",
    "Progression Findings Generation",
    "Progression Impression Generation",
    "Local Progression Findings Generation",
    "Local Progression Impression Generation",
)
"""The first three stand under "CheXpert Public" in Table S3; their texts are here all the same."""
EVALUATION_ONLY = False
STANDS_ON = ()

TABLES = ("df_chexpert_plus_*.csv", "df_master_*.csv")
IMAGE, PATIENT, ORDER = "path_to_image", "deid_patient_id", "patient_report_date_order"
SECTIONS = {
    "findings": "section_findings",
    "impression": "section_impression",
    "comparison": "section_comparison",
    "history": "section_history",
    "technique": "section_technique",
    "narrative": "section_narrative",
}
COLUMNS = (
    PATIENT,
    ORDER,
    "frontal_lateral",
    "ap_pa",
    "section_clinical_history",
    "split",
    *SECTIONS.values(),
)
SPLITS = {"train": "train", "valid": "validation"}


def find(folder: Path) -> Path | None:
    """The folder with the table of reports."""
    table = find_file(folder, *TABLES)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study after the other as the table has them; its prior is the patient's report before it."""
    table = need_file(folder, *TABLES)
    prior = _priors(table)
    labels = _labels(table.parent)
    path_of = _images(folder, table.parent)
    for place, rows in read_gathered(table, lambda row: _folder(row[IMAGE]), (IMAGE,), *COLUMNS):
        first = rows[0]
        below, _, patient, study = split_path(place, table)
        if first["split"] not in SPLITS:
            raise DatasetError(f"{table}: expected a split {' or '.join(SPLITS)}; found {first['split']!r}.")
        shown = sorted(
            ((_view(row), path_of(row)) for row in rows),
            key=lambda one: (encodings.view_rank(one[0]), one[1]),
        )
        sections: dict[str, Any] = {name: encodings.text(first[column]) for name, column in SECTIONS.items()}
        yield Study(
            id=f"{NAME}/{patient}/study{study}",
            dataset=NAME,
            patient_id=first[PATIENT],
            images=tuple(path for _, path in shown),
            views=tuple(view for view, _ in shown),
            split=SPLITS[first["split"]],
            indication=encodings.text(first["section_clinical_history"]) or sections["history"],
            labels=labels(below),
            prior_id=prior.get(below, ""),
            sex=encodings.sex(first.get("sex", "")),
            age=encodings.age(first.get("age", "")),
            order=_number(first[ORDER], table),
            groups=(f"chexpert/{patient}",),
            **sections,
        )


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _view(row: dict[str, str]) -> str:
    lateral = row["frontal_lateral"].strip().casefold() == "lateral"
    return encodings.view(row["ap_pa"]) or ("LATERAL" if lateral else "")


def _number(order: str, table: Path) -> str:
    """The order of a report so that it sorts as text: "2" and "2.0" are 0002."""
    try:
        return f"{int(float(order)):04d}"
    except ValueError:
        raise DatasetError(f"{table}: expected a number as {ORDER}; found {order!r}.") from None


def _priors(table: Path) -> dict[str, str]:
    """Folder of a study -> id of the study of the same patient before it."""
    studies: dict[str, dict[str, str]] = {}
    for batch in read_table(table, IMAGE, PATIENT, ORDER).to_batches(max_chunksize=16_384):
        for row in batch.to_pylist():
            below, _, patient, study = split_path(_folder(row[IMAGE]), table)
            studies.setdefault(row[PATIENT], {})[below] = (
                f"{_number(row[ORDER], table)} {NAME}/{patient}/study{study}"
            )
    priors: dict[str, str] = {}
    for one in studies.values():
        ordered = sorted(one, key=one.__getitem__)
        priors |= {later: one[earlier].partition(" ")[2] for earlier, later in pairwise(ordered)}
    return priors


def _labels(root: Path) -> Callable[[str], dict[str, int]]:
    """What gives the labels of a study's folder; none where CheXbert's have not been downloaded."""
    path = find_file(root, "chexbert_labels/report_fixed.json", "report_fixed.json")
    known: dict[str, tuple[int | None, ...]] = {}
    alike: dict[tuple[int | None, ...], tuple[int | None, ...]] = {}  # few differ, and 187,711 are held
    for record in read_json_lines(path) if path else ():
        image, *values = need(record, path or root, IMAGE, *encodings.CHEXPERT)
        row = tuple(None if value is None or value != value else int(value) for value in values)  # NaN
        known[_folder(image)] = alike.setdefault(row, row)
    names = [encodings.finding(name) for name in encodings.CHEXPERT]

    def labels(place: str) -> dict[str, int]:
        values = known.get(place, ())
        return {name: value for name, value in zip(names, values, strict=False) if value is not None}

    return labels


def _images(folder: Path, root: Path) -> Callable[[Mapping[str, str]], str]:
    """What gives the path of an image: PNG, else DICOM, else CheXpert's own JPEG, as they are there."""
    below = prefix(root, folder)

    def named(place: str, suffix: str) -> Callable[[Mapping[str, str]], str]:
        return lambda row: f"{below}{place}{PurePosixPath(row[IMAGE]).with_suffix(suffix)}"

    pngs = (named(place, ".png") for place in ("PNG/", "", "PNG/PNG/"))
    dicoms = (named(place, ".dcm") for place in ("DICOM/", "DICOM/Uncompressed/", "DICOM/Compressed/"))
    return whichever(folder, *pngs, *dicoms, named("", ".jpg"))
