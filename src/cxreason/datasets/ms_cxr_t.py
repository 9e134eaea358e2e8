"""MS-CXR-T: how five findings changed between two MIMIC-CXR studies of one patient.

Content:  1,045 pairs of images, the earlier one and the later one, with 1,326 labels.
Labels:   improving, stable or worsening for consolidation, edema, pleural effusion, pneumonia and
          pneumothorax; `other_labels` says who gave each: 2 several experts, 1 one expert, 0 experts who
          disagreed.
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for images and reports.
Citation: Bannur et al. 2023, https://arxiv.org/abs/2301.04558
Layout:   MS_CXR_T_temporal_image_classification_v1.0.0.csv: subject_id, study_id, dicom_id,
          previous_study_id, previous_dicom_id, <finding>_progression, <finding>_label_quality; dicom_id
          holds a path. All of it was published as a test set (`own_split`); `split` is MIMIC-CXR's. Its
          pairs of sentences are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home
from cxreason.datasets.tables import find_file, need_file, read_csv
from cxreason.records import Study

NAME = "ms-cxr-t"
TITLE = "MS-CXR-T"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Bannur et al. 2023, https://arxiv.org/abs/2301.04558"
OFFICIAL_SPLITS = ("test",)
TASKS = ("Temporal Classification",)
EVALUATION_ONLY = False
STANDS_ON = ("mimic-cxr",)

TABLE = "MS_CXR_T_temporal_image_classification_v*.csv"
FINDINGS = ("consolidation", "edema", "pleural_effusion", "pneumonia", "pneumothorax")
COURSES = ("improving", "stable", "worsening")
QUALITIES = {"multiple_experts": 2, "one_expert": 1, "disagreement": 0}


def find(folder: Path) -> Path | None:
    """The folder of the table with the courses."""
    table = find_file(folder, TABLE)
    return table.parent if table else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """For each pair the earlier study and then the later one, which has the changes and it as prior."""
    path = need_file(folder, TABLE)
    home = Home(folder, mimic)
    columns = ("subject_id", "study_id", "dicom_id", "previous_study_id", "previous_dicom_id")
    courses = (f"{finding}_progression" for finding in FINDINGS)
    qualities = (f"{finding}_label_quality" for finding in FINDINGS)
    for row in read_csv(path, *columns, *courses, optional=qualities):
        later, earlier = _dicom(row["dicom_id"]), _dicom(row["previous_dicom_id"])
        pair = f"{NAME}/{later}/{earlier}"
        changes, experts = {}, {}
        for name in FINDINGS:
            course = row[f"{name}_progression"].strip().lower()
            if course in COURSES:  # blank, or another word: not judged
                finding = encodings.finding(name)
                changes[finding] = course
                quality = row.get(f"{name}_label_quality", "").strip()
                if quality in QUALITIES:
                    experts[f"experts/{finding}"] = QUALITIES[quality]
        previous = _shown(home, row["subject_id"], row["previous_study_id"], earlier)
        yield Study(id=f"{pair}/previous", order="1", **previous)
        yield Study(
            id=pair,
            order="2",
            prior_id=f"{pair}/previous",
            changes=changes,
            other_labels=experts,
            **_shown(home, row["subject_id"], row["study_id"], later),
        )


def _shown(home: Home, subject: str, study: str, dicom: str) -> dict[str, Any]:
    return {
        "dataset": NAME,
        "images": (home.image(subject, study, dicom),),
        "views": (home.view(study, dicom),),
        "own_split": "test",
        **home.who(subject, study),
        **home.sections(subject, study),
    }


def _dicom(path: str) -> str:
    return path.strip().rpartition("/")[2].removesuffix(".jpg")
