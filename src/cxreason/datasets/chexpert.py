"""CheXpert: chest X-rays of Stanford Hospital with labels mined from their reports.

Content:  223,414 images of 187,641 studies of 64,540 patients in train, 234 images of 200 studies in valid;
          668 images of 500 studies in test, which are published apart. The reports are in CheXpert Plus.
Labels:   14, mined from the reports in train: 1, 0, -1 (uncertain) or nothing (not mentioned), the same for
          every view of a study; "No Finding" is 1 or nothing. Those of valid and test are by radiologists, 0
          or 1.
Access:   Stanford AIMI, after registration; research only, no redistribution.
Citation: Irvin et al. 2019, https://doi.org/10.1609/aaai.v33i01.3301590
Layout:   CheXpert-v1.0[-small]/{train,valid}.csv, train/patient00001/study1/view1_frontal.jpg; paths in the
          tables begin with the name of that folder. AP/PA is blank for a lateral view and AP, PA, LL or RL
          for a frontal one. Study numbers go up to 91 and are not in the order of time. test_labels.csv has a
          row for an image (Path) or for a study (Study) and no views; it may lie with the others or in a
          folder of its own. The whole release also comes in batches side by side, "CheXpert-v1.0 batch 1
          (validate & csv)" with the tables and "... batch 2 (train 1)" and so on with folders of patients.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.tables import (
    DatasetError,
    find_table,
    listing,
    prefix,
    read_gathered,
    read_header,
    relative,
    visible,
)
from cxreason.records import Study

NAME = "chexpert"
TITLE = "CheXpert"
LICENCE = "Stanford University Dataset Research Use Agreement"
CITATION = "Irvin et al. 2019, https://doi.org/10.1609/aaai.v33i01.3301590"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Disease Classification", "View Classification")
EVALUATION_ONLY = False
STANDS_ON = ()

SIDE, VIEW = "Frontal/Lateral", "AP/PA"
COLUMNS = ("Path", "Sex", "Age", SIDE, VIEW, *encodings.CHEXPERT)
TRAIN = ("train.csv", "chexpert_train.csv")
TEST = ("test_labels.csv", "test.csv", "groundtruth.csv")
PARTS = {"train": "train", "valid": "validation", "test": "test"}
_PLACE = re.compile(
    r"(?:.*/)?(?P<place>(?P<part>train|valid|test)/(?P<patient>patient\d+)/study(?P<study>\d+))/?"
)


def find(folder: Path) -> Path | None:
    """The folder with train.csv, which its columns tell from the tables of that name in other datasets."""
    table = find_table(folder, TRAIN, "Path", SIDE)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study after the other: train, then valid and test as far as they are there."""
    train = find_table(folder, TRAIN, "Path", SIDE)
    if train is None:
        raise DatasetError(
            f"{folder}: expected train.csv with the columns Path and {SIDE}, there or up to two folders "
            f"below; found {listing(folder)}."
        )
    root = train.parent
    yield from _studies(folder, root, train, COLUMNS)
    valid = find_table(folder, ("valid.csv",), "Path", SIDE)
    if valid is not None:
        yield from _studies(folder, valid.parent, valid, COLUMNS)
    elif (root / "valid").exists():
        raise DatasetError(f"{root}: expected valid.csv beside valid/; found {listing(root)}.")
    for key in ("Path", "Study"):
        test = find_table(folder, TEST, key, "Cardiomegaly", "Pleural Effusion")
        if test is not None:
            there = set(read_header(test))
            columns = (key, *(name for name in COLUMNS[1:] if name in there))
            yield from _studies(
                folder, test.parent if (test.parent / "test").is_dir() else root, test, columns
            )
            break


def split_path(path: str, table: Path) -> tuple[str, str, str, int]:
    """Folder of a study below the root, its part, patient and number.

    >>> split_path("CheXpert-v1.0-small/train/patient00002/study10", Path("train.csv"))
    ('train/patient00002/study10', 'train', 'patient00002', 10)
    """
    match = _PLACE.fullmatch(path)
    if match is None:
        raise DatasetError(
            f"{table}: expected paths as in train/patient00001/study1/view1_frontal.jpg; found {path!r:.120}."
        )
    return match["place"], match["part"], match["patient"], int(match["study"])


def view(row: Mapping[str, str], path: str) -> str:
    """The view of a row; where the table has no views, the name of the file tells a lateral one.

    >>> view({"Frontal/Lateral": "Lateral", "AP/PA": ""}, ""), view({}, "study1/view2_lateral.jpg")
    ('LATERAL', 'LATERAL')
    """
    named = encodings.view(row.get(VIEW, ""))
    lateral = (
        row[SIDE].strip().casefold() == "lateral" if SIDE in row else "lateral" in path.rpartition("/")[2]
    )
    return named or ("LATERAL" if lateral else "")


def _studies(folder: Path, root: Path, table: Path, columns: tuple[str, ...]) -> Iterator[Study]:
    """The studies of one table, whose images lie below `root`."""
    below, batch_of = prefix(root, folder), _batches(root)
    key = columns[0]
    labels = [name for name in encodings.CHEXPERT if name in columns]

    def study_folder(row: dict[str, str]) -> str:
        return row[key].rpartition("/")[0] if key == "Path" else row[key]

    for path, rows in read_gathered(table, study_folder, (key,), *columns[1:]):
        place, part, patient, study = split_path(path, table)
        if key == "Study":
            files = sorted(path.name for path in visible((root / place).glob("*.jpg")))
            images = [(view({}, file), file) for file in files]
        else:
            images = [(view(row, row[key]), row[key].rpartition("/")[2]) for row in rows]
        # A frontal view of the test set may be AP or PA; it comes before the lateral one in either case.
        place = f"{below}{place}"
        if patient in batch_of:
            place = f"{relative(batch_of[patient], folder)}/{patient}/study{study}"
        images.sort(key=lambda one: (encodings.view_rank(one[0] or "AP"), one[1]))
        yield Study(
            id=f"{NAME}/{patient}/study{study}",
            dataset=NAME,
            patient_id=patient,
            images=tuple(f"{place}/{file}" for _, file in images),
            views=tuple(name for name, _ in images),
            split=PARTS[part],
            labels=encodings.labels(rows[0], labels, table),
            sex=encodings.sex(rows[0].get("Sex", "")),
            age=encodings.age(rows[0].get("Age", "")),
        )


def _batches(root: Path) -> dict[str, Path]:
    """Patient -> the folder that holds it, where images lie in batches beside the tables or their folder."""
    if (root / "train").is_dir():
        return {}
    batches = sorted({*visible(root.glob("* batch *")), *visible(root.parent.glob("* batch *"))})
    places = [place for batch in batches for place in (batch, batch / "train", batch / "valid")]
    return {
        entry.name: place
        for place in places
        if place.is_dir()
        for entry in os.scandir(place)
        if entry.name.startswith("patient")
    }
