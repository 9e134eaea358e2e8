"""A small MIMIC-CXR written by hand, without images: what datasets that were made of it stand on."""

import csv
import gzip
import json

from cxreason.datasets.encodings import CHEXPERT
from cxreason.datasets.mimic_cxr import study_folder

NAMES = sorted(CHEXPERT)
REPORT = """                                 FINAL REPORT
 INDICATION:  Cough.

 COMPARISON:  None.

 FINDINGS:

 There is a small left pleural
 effusion.

 IMPRESSION:

 Small effusion.
"""

STUDIES = (
    # subject, study, split, (dicom, view)...
    ("10000032", "50000001", "train", ("d1-a", "PA"), ("d1-b", "LATERAL")),
    ("10000032", "50000002", "train", ("d2-a", "AP")),
    ("10000764", "50000003", "validate", ("d3-a", "PA")),
    ("10000898", "50000004", "test", ("d4-a", "PA")),
)


def write_csv(path, header, rows, delimiter=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") if path.suffix == ".gz" else path.open("w") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def write_mimic(folder, studies=STUDIES, report=REPORT):
    """Tables and reports; images are 400 wide and 300 high."""
    root = folder / "mimic-cxr-jpg/2.0.0/mimic-cxr-2.0.0-metadata.csv.gz"
    metadata, splits = [], []
    for number, (subject, study, split, *images) in enumerate(studies):
        for dicom, view in images:
            metadata.append((dicom, subject, study, view, 300, 400, 21800101 + number, 91500.5))
            splits.append((dicom, study, subject, split))
        text = folder / "mimic-cxr/2.0.0/mimic-cxr-reports" / f"{study_folder(subject, study)}.txt"
        text.parent.mkdir(parents=True, exist_ok=True)
        text.write_text(report)
    header = "dicom_id,subject_id,study_id,ViewPosition,Rows,Columns,StudyDate,StudyTime"
    write_csv(root, header.split(","), metadata)
    write_csv(
        root.with_name("mimic-cxr-2.0.0-split.csv.gz"),
        ("dicom_id", "study_id", "subject_id", "split"),
        splits,
    )
    for labeller in ("chexpert", "negbio"):
        rows = [(subject, study, *[""] * len(NAMES)) for subject, study, *_ in studies]
        write_csv(
            root.with_name(f"mimic-cxr-2.0.0-{labeller}.csv.gz"), ("subject_id", "study_id", *NAMES), rows
        )
    return folder


def image(subject, study, dicom):
    return f"../mimic/mimic-cxr-jpg/2.0.0/{study_folder(subject, study)}/{dicom}.jpg"
