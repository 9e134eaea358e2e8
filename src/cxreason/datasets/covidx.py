"""COVIDx CXR-3: chest X-rays with and without COVID-19, collected from eight other datasets.

Content:  about 30,000 images in train and 400 in test, of patients that are in one of them; PNG and JPEG.
Labels:   COVID-19 or not (lists "B"), or normal, pneumonia or COVID-19 (lists "A").
Access:   open, Kaggle andyczhao/covidx-cxr2, of which version 5 is CXR-3; each source has terms of its own.
Citation: Wang et al. 2020, https://doi.org/10.1038/s41598-020-76550-z
Layout:   train.txt, test.txt (and val.txt in later versions) without a header, train/ and test/. A line is
          `patient file class source`, parted by blanks. Old lists lack the source; a patient of "sirm" may
          have a blank in its name; "rnsa" is a misspelt "rsna". What comes from RSNA has the patients' ids of
          that dataset, what comes from BIMCV the numbers of its patients.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets.tables import DatasetError, candidates, find_file, listing, prefix, read_lines
from cxreason.records import Study

NAME = "covidx"
TITLE = "COVIDx CXR-3"
LICENCE = "open on Kaggle; each source has its own terms"
CITATION = "Wang et al. 2020, https://doi.org/10.1038/s41598-020-76550-z"
OFFICIAL_SPLITS = ("train", "test")
TASKS = ("Disease Classification",)
EVALUATION_ONLY = False
STANDS_ON = ()

PARTS = {"train": "train", "val": "validation", "test": "test"}
FORMS = ("{}.txt", "{}_COVIDx*.txt")
COVID = "covid-19"
CLASSES = {
    "positive": {COVID: 1},
    "negative": {COVID: 0},
    "normal": {COVID: 0, "pneumonia": 0, "no finding": 1},
    "pneumonia": {COVID: 0, "pneumonia": 1},
    "covid-19": {COVID: 1},
}
SOURCES = {"rnsa": "rsna"}


def find(folder: Path) -> Path | None:
    """The folder with train.txt, which its first line tells from other lists of that name."""
    for path in candidates(folder, *(form.format("train") for form in FORMS)):
        with contextlib.suppress(DatasetError):
            parse(next(read_lines(path), ""), path)
            return path.parent
    return None


def read(folder: Path) -> Iterator[Study]:
    """One study of one image after the other: train, then val and test."""
    root = find(folder)
    if root is None:
        raise DatasetError(
            f"{folder}: expected train.txt with lines as in 'p1 1.png positive cohen' there or up to two "
            f"folders below; found {listing(folder)}."
        )
    for part, split in PARTS.items():
        path = find_file(root, *(form.format(part) for form in FORMS))
        if path is None:
            if part == "val":  # only from CXR-4 on
                continue
            raise DatasetError(f"{root}: expected {part}.txt; found {listing(root)}.")
        home = f"{prefix(path.parent, folder)}{part}"
        seen: set[str] = set()
        for line in read_lines(path):
            patient, file, kind, source = parse(line, path)
            if file in seen:  # some lists have a line twice
                continue
            seen.add(file)
            yield Study(
                id=f"{NAME}/{part}/{file}",
                dataset=NAME,
                patient_id=patient,
                images=(f"{home}/{file}",),
                split=split,
                labels=dict(CLASSES[kind]),
                groups=_elsewhere(patient, file, source),
            )


def parse(line: str, path: Path) -> tuple[str, str, str, str]:
    """Patient, file, class and source of a line; a list of the first versions has no source.

    >>> parse("COVID 1 COVID(1).png positive sirm", Path("train.txt"))
    ('COVID 1', 'COVID(1).png', 'positive', 'sirm')
    >>> parse("7 a7.jpeg pneumonia", Path("train.txt"))
    ('7', 'a7.jpeg', 'pneumonia', '')
    """
    fields = line.split()
    source = fields.pop() if fields and fields[-1].casefold() not in CLASSES else ""
    kind = fields.pop().casefold() if fields else ""
    if kind not in CLASSES or len(fields) < 2:
        raise DatasetError(
            f"{path}: expected lines 'patient file class source' with a class {', '.join(CLASSES)}; found "
            f"{line!r:.120}."
        )
    *patient, file = fields
    return " ".join(patient), file, kind, SOURCES.get(source.casefold(), source.casefold())


def _elsewhere(patient: str, file: str, source: str) -> tuple[str, ...]:
    """What the dataset that an image was taken from calls its patient."""
    if source == "rsna":
        return (f"rsna/{patient}",)
    number = re.search(r"\bS\d{5}\b|sub-(S\d+)", f"{patient} {file}") if source == "bimcv" else None
    return (f"bimcv-covid19/{number[1] or number[0]}",) if number else ()
