"""MIMIC-CXR: chest X-rays of an emergency department with their free-text reports.

Content:  377,110 images of 227,835 studies of 65,379 patients, 2011-2016; dates are shifted.
Labels:   14 of CheXpert and the same by NegBio, mined from the reports: 1, 0, -1 (uncertain) or nothing
          (not mentioned). Release 2.1.0 has those of radiologists for 687 test studies; they replace the
          mined ones, which stay in `other_labels`. They call "Lung Opacity" "Airspace Opacity".
Access:   PhysioNet, credentialed, with a data use agreement. No rows, images or texts may be passed on.
Citation: Johnson et al. 2019, https://doi.org/10.1038/s41597-019-0322-0 and https://arxiv.org/abs/1901.07042
Layout:   mimic-cxr-jpg/2.x.0/mimic-cxr-2.0.0-{metadata,split,chexpert,negbio}.csv.gz (2.0.0 in 2.1.0 too),
          mimic-cxr-2.1.0-test-set-labeled.csv, files/p10/p10000032/s50414267/<dicom_id>.jpg;
          mimic-cxr/2.x.0/mimic-cxr-reports.zip, or unpacked: files/p10/p10000032/s50414267.txt, beside the
          folder of the study; files/.../<dicom_id>.dcm are taken where there are no JPEG images.
          Study numbers are random: only date and time say which is the earlier. Times lack leading zeros.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.tables import (
    DatasetError,
    candidates,
    find_file,
    need_file,
    read_csv,
    read_table,
    relative,
)
from cxreason.records import Study
from cxreason.text.sections import sections

NAME = "mimic-cxr"
TITLE = "MIMIC-CXR"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Johnson et al. 2019, https://doi.org/10.1038/s41597-019-0322-0"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = (
    "Disease Classification",
    "View Classification",
    "Image-Text Matching",
    "Image-Text Selection",
    "View Matching",
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
    "Findings Summarization",
)
EVALUATION_ONLY = False
STANDS_ON = ()

METADATA = "mimic-cxr-2.0.0-metadata.csv"
SPLIT = "mimic-cxr-2.0.0-split.csv"
JUDGED = "mimic-cxr-2.1.0-test-set-labeled.csv"
SPLITS = {"train": "train", "validate": "validation", "test": "test"}


def find(folder: Path) -> Path | None:
    """The folder of MIMIC-CXR-JPG, whose tables MIMIC-CXR cannot be used without."""
    table = find_file(folder, METADATA)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study after the other, patient by patient and in the order of time; its prior is the one before."""
    root = need_file(folder, METADATA).parent
    split_of = splits(folder)
    labels = _labels(root)
    images = _by_study(root / need_file(root, METADATA).name)
    report, place, ending = None, "", ""
    prior = {"patient": "", "study": ""}
    for (subject, order, study), rows in groupby(
        images, lambda row: (row["subject_id"], row["order"], row["study_id"])
    ):
        shown = sorted(rows, key=lambda row: (encodings.view_rank(row["view"]), row["dicom_id"]))
        if report is None:
            report = report_reader(folder, subject, study)
            base, ending = image_place(folder, root, subject, study, shown[0]["dicom_id"])
            place = relative(base / "files", folder).removesuffix("files")
        where = f"{place}{study_folder(subject, study)}"
        parts = sections_of(report(subject, study))
        mined = labels(study)
        yield Study(
            id=study_id(study),
            dataset=NAME,
            patient_id=f"p{subject}",
            images=tuple(f"{where}/{row['dicom_id']}{ending}" for row in shown),
            views=tuple(row["view"] for row in shown),
            split=split_among(split_of, subject, folder),
            prior_id=prior["study"] if prior["patient"] == subject else "",
            order=order,
            widths=tuple(encodings.pixels(row["Columns"]) for row in shown),
            heights=tuple(encodings.pixels(row["Rows"]) for row in shown),
            **parts,
            **mined,
        )
        prior = {"patient": subject, "study": study_id(study)}


def study_id(study: str | int) -> str:
    """The id of a study here, from its number with or without the "s".

    >>> study_id(50414267), study_id("s50414267")
    ('mimic-cxr/s50414267', 'mimic-cxr/s50414267')
    """
    return f"{NAME}/s{str(study).removeprefix('s')}"


def study_folder(subject: str | int, study: str | int) -> str:
    """Where a study lies below the root of a release.

    >>> study_folder(10000032, 50414267)
    'files/p10/p10000032/s50414267'
    """
    return f"files/p{str(subject)[:2]}/p{subject}/s{study}"


def splits(folder: Path) -> dict[str, str]:
    """subject_id -> its split, which everything that was made of MIMIC-CXR has to keep to."""
    path = need_file(folder, SPLIT)
    known: dict[str, str] = {}
    for row in read_csv(path, "dicom_id", "study_id", "subject_id", "split"):
        if row["split"] not in SPLITS:
            raise DatasetError(f"{path}: expected a split {', '.join(SPLITS)}; found {row['split']!r}.")
        split = SPLITS[row["split"]]
        if known.setdefault(row["subject_id"], split) != split:
            raise DatasetError(f"{path}: patient {row['subject_id']} is in two splits; expected one.")
    return known


def split_among(split_of: dict[str, str], subject: str, folder: Path) -> str:
    """The split of a patient; DatasetError where the table does not have the patient."""
    if subject not in split_of:
        raise DatasetError(f"{folder}: expected the patient {subject} in {SPLIT}, who is not in there.")
    return split_of[subject]


def moment(date: str, time: str) -> str:
    """Date and time so that they sort as text.

    >>> moment("21800506", "90125.5"), moment("21800506", "213014.531")
    ('2180-05-06 09:01:25.500', '2180-05-06 21:30:14.531')
    """
    whole, _, part = time.partition(".")
    clock = whole.zfill(6)
    return (
        f"{date[:4]}-{date[4:6]}-{date[6:8]} {clock[:2]}:{clock[2:4]}:{clock[4:6]}.{part.ljust(3, '0')[:3]}"
    )


def sections_of(report: str) -> dict[str, Any]:
    """The sections of a report as `Study` has them. Without an indication, the history stands for it.

    >>> sections_of(" HISTORY:  Cough.\\n \\n IMPRESSION: \\n \\n No acute\\n process.")["indication"]
    'Cough.'
    """
    found = {name: encodings.text(part) for name, part in sections(report).items()}
    history = found.get("history", "")
    return {
        "indication": found.get("indication") or history,
        "history": history,
        "technique": found.get("technique", ""),
        "comparison": found.get("comparison", ""),
        "findings": found.get("findings", ""),
        "impression": found.get("impression", ""),
        "narrative": found.get("last_paragraph", ""),
    }


def _by_study(path: Path) -> Iterator[dict[str, Any]]:
    """A row for each image, those of a study together, the studies of a patient in the order of time."""
    import pyarrow as pa

    table = read_table(
        path,
        "dicom_id",
        "subject_id",
        "study_id",
        "ViewPosition",
        "Rows",
        "Columns",
        "StudyDate",
        "StudyTime",
    )
    studies = table["study_id"].to_pylist()
    first: dict[str, str] = {}
    for study, date, time in zip(
        studies, table["StudyDate"].to_pylist(), table["StudyTime"].to_pylist(), strict=True
    ):
        when = moment(date, time)
        first[study] = min(when, first.get(study, when))
    table = table.append_column("order", pa.array([first[study] for study in studies]))
    table = table.sort_by([(name, "ascending") for name in ("subject_id", "order", "study_id")])
    for batch in table.to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            yield {**row, "view": encodings.view(row["ViewPosition"])}


def _labels(root: Path) -> Callable[[str], dict[str, Any]]:
    """study_id -> `labels` and `other_labels` of a study."""
    names = sorted(encodings.CHEXPERT)
    mined = _labels_of(need_file(root, "mimic-cxr-2.0.0-chexpert.csv"), names)
    other = find_file(root, "mimic-cxr-2.0.0-negbio.csv")  # nothing stands on it
    second = _labels_of(other, names) if other else {}
    table = find_file(root, JUDGED)
    judged = _labels_of(table, names, ("Lung Opacity", "Airspace Opacity")) if table else {}

    def of(study: str) -> dict[str, Any]:
        others = {f"negbio/{name}": value for name, value in second.get(study, {}).items()}
        if study in judged:
            others |= {f"chexpert/{name}": value for name, value in mined.get(study, {}).items()}
        return {"labels": judged.get(study) or mined.get(study, {}), "other_labels": others}

    return of


def _labels_of(path: Path, names: list[str], *renamed: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """study_id -> labels. Equal ones are one object: most studies have one of few combinations."""
    columns = [name for name in names if not any(name in spellings for spellings in renamed)]
    shared: dict[tuple[str, ...], dict[str, int]] = {}
    known = {}
    for row in read_csv(path, "study_id", *columns, *renamed):
        values = tuple(row[name] for name in names)
        if values not in shared:
            shared[values] = encodings.labels(row, names, path)
        known[row["study_id"]] = shared[values]
    return known


def report_reader(folder: Path, subject: str, study: str) -> Callable[[str, str], str]:
    """(subject, study) -> the text of its report. The first study says where the reports lie."""
    for name in ("mimic-cxr-reports/files", "files"):
        for files in candidates(folder, name):
            if (files.parent / f"{study_folder(subject, study)}.txt").exists():
                return lambda subject, study: _text(f"{files.parent}/{study_folder(subject, study)}.txt")
    packed = find_file(folder, "mimic-cxr-reports.zip")
    if packed is None:
        raise DatasetError(
            f"{folder}: expected the reports of MIMIC-CXR, mimic-cxr-reports.zip or mimic-cxr-reports/"
            f"{study_folder(subject, study)}.txt; found neither there nor up to two folders below."
        )
    try:
        archive = zipfile.ZipFile(packed)
    except zipfile.BadZipFile as error:
        raise DatasetError(f"{packed}: cannot be read as an archive ({error}). Fetch it again.") from None
    start = next((name.partition("files/")[0] for name in archive.namelist() if name.endswith(".txt")), "")

    def unpacked(subject: str, study: str) -> str:
        name = f"{start}{study_folder(subject, study)}.txt"
        try:
            return archive.read(name).decode("utf-8", errors="replace")
        except KeyError:
            raise DatasetError(f"{packed}: expected the report {name}; it is not in there.") from None

    return unpacked


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123, Path is slow
            return file.read()
    except OSError as error:
        raise DatasetError(f"{path}: expected the report of this study ({error.strerror}).") from None


def image_place(folder: Path, root: Path, subject: str, study: str, dicom: str) -> tuple[Path, str]:
    """Below which folder the images lie as `study_folder` says, and their ending: JPEG, or DICOM where this
    one is there as DICOM only."""
    where = study_folder(subject, study)
    if not (root / where / f"{dicom}.jpg").exists():
        found = find_file(folder, f"{where}/{dicom}.dcm")
        if found is not None:
            return found.parents[len(Path(where).parts)], ".dcm"
    return root, ".jpg"
