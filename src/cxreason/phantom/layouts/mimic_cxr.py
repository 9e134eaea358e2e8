"""MIMIC-CXR 2.1.0 and MIMIC-CXR-JPG 2.1.0: JPEG images, reports beside the study folders, packed tables.

Files:    mimic-cxr-jpg/2.1.0/files/p10/p10000032/s50414267/<dicom_id>.jpg and its tables;
          mimic-cxr/2.1.0/mimic-cxr-reports/files/p10/p10000032/s50414267.txt and the two lists.
Quirks:   the tables keep "2.0.0" in their names; the split is called "validate"; study numbers are random, so
          only date and time tell which of two studies is the earlier; times have no leading zeros; the
          radiologists' table says "Airspace Opacity" and has no subject_id.
Left out: the DICOM files that the lists name; the JPEG images are the same pictures.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from cxreason.phantom.dictation import technique
from cxreason.phantom.layouts.cards import (
    CHEXPERT,
    day_of,
    hex_of,
    labels_as_mined,
    save,
    write_whole,
)
from cxreason.phantom.radiograph import Radiograph
from cxreason.phantom.study import PhantomStudy

JPG, TEXT = "mimic-cxr-jpg/2.1.0", "mimic-cxr/2.1.0"
MINED = sorted(CHEXPERT)
JUDGED = sorted(name.replace("Lung Opacity", "Airspace Opacity") for name in CHEXPERT)
TABLES: dict[str, str | None] = {
    f"{JPG}/mimic-cxr-2.0.0-metadata.csv.gz": "dicom_id,subject_id,study_id,"
    "PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,ProcedureCodeSequence_CodeMeaning,"
    "ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning",
    f"{JPG}/mimic-cxr-2.0.0-split.csv.gz": "dicom_id,study_id,subject_id,split",
    f"{JPG}/mimic-cxr-2.0.0-chexpert.csv.gz": f"subject_id,study_id,{','.join(MINED)}",
    f"{JPG}/mimic-cxr-2.0.0-negbio.csv.gz": f"subject_id,study_id,{','.join(MINED)}",
    f"{JPG}/mimic-cxr-2.1.0-test-set-labeled.csv": f"study_id,{','.join(JUDGED)}",
    f"{JPG}/IMAGE_FILENAMES": None,
    f"{TEXT}/cxr-record-list.csv.gz": "subject_id,study_id,dicom_id,path",
    f"{TEXT}/cxr-study-list.csv.gz": "subject_id,study_id,path",
}
SPLITS = {"train": "train", "validation": "validate", "test": "test"}
PROCEDURES = {
    "AP": ("CHEST (PORTABLE AP)", "CHEST (PORTABLE AP)", "antero-posterior", "Recumbent"),
    "PA": ("CHEST (PA AND LAT)", "CHEST (PA AND LAT)", "postero-anterior", "Erect"),
    "LATERAL": ("CHEST (PA AND LAT)", "CHEST (PA AND LAT)", "lateral", "Erect"),
}


def names(one: PhantomStudy) -> tuple[int, int, str, list[str]]:
    """subject_id, study_id, the study's folder below `files`, and the dicom_id of each image."""
    subject = 10_000_000 + one.visit.patient
    study = (
        50_000_000 + (one.visit.index * 7_654_321 + one.visit.seed) % 10_000_000
    )  # in no order, none twice
    folder = f"files/p{str(subject)[:2]}/p{subject}/s{study}"
    dicoms = []
    for image in one.study.images:
        whole = hex_of(f"{one.study.id} {image}", 40)
        dicoms.append("-".join(whole[start : start + 8] for start in range(0, 40, 8)))
    return subject, study, folder, dicoms


def write(out: Path, one: PhantomStudy, films: tuple[Radiograph, ...]) -> Iterator[tuple[str, tuple]]:
    """Images and report of one study; its rows."""
    subject, study, folder, dicoms = names(one)
    day, seconds = day_of(one.visit)
    clock = f"{int(seconds // 3600):02d}{int(seconds // 60 % 60):02d}{seconds % 60:06.3f}"
    write_whole(out / TEXT / "mimic-cxr-reports" / f"{folder}.txt", report(one))
    yield f"{TEXT}/cxr-study-list.csv.gz", (subject, study, f"{folder}.txt")
    for dicom, film in zip(dicoms, films, strict=True):
        save(film.pixels, out / JPG / folder / f"{dicom}.jpg")
        step, procedure, code, stance = PROCEDURES[film.view]
        rows, columns = film.pixels.shape
        when = (f"{day:%Y%m%d}", float(clock))
        values = (dicom, subject, study, step, film.view, rows, columns, *when, procedure, code, stance)
        yield f"{JPG}/mimic-cxr-2.0.0-metadata.csv.gz", values
        yield f"{JPG}/mimic-cxr-2.0.0-split.csv.gz", (dicom, study, subject, SPLITS[one.study.split])
        yield f"{JPG}/IMAGE_FILENAMES", (f"{folder}/{dicom}.jpg",)
        yield f"{TEXT}/cxr-record-list.csv.gz", (subject, study, dicom, f"{folder}/{dicom}.dcm")
    mined = labels_as_mined(one)
    for labeller in ("chexpert", "negbio"):
        row = (subject, study, *(mined[name] for name in MINED))
        yield f"{JPG}/mimic-cxr-2.0.0-{labeller}.csv.gz", row
    if one.study.split == "test":
        judged = (mined[name.replace("Airspace Opacity", "Lung Opacity")] for name in JUDGED)
        yield f"{JPG}/mimic-cxr-2.1.0-test-set-labeled.csv", (study, *judged)


def report(one: PhantomStudy) -> str:
    """The text of a report: headers after one blank, wrapped at 79 columns."""
    study, exam = one.study, one.visit.exam
    examination = "CHEST (PA AND LAT)" if exam.lateral else f"CHEST ({exam.view})"
    parts = [
        ("EXAMINATION", examination),
        ("INDICATION", study.indication),
        ("TECHNIQUE", technique(one.visit)),
        ("COMPARISON", study.comparison),
        ("FINDINGS", study.findings),
        ("IMPRESSION", study.impression),
    ]
    text = f"{'FINAL REPORT':>45}\n"
    for header, body in parts:
        if not body:
            continue
        lines = [
            line for part in body.splitlines() for line in textwrap.wrap(part, 78, break_on_hyphens=False)
        ]
        long = header in ("FINDINGS", "IMPRESSION")
        start = f" {header}: \n \n " if long else f" {header}:  "
        text += start + "\n ".join(lines) + "\n \n"
    return text
