"""ChestX-ray14 of the NIH Clinical Center: frontal chest X-rays with labels mined from reports.

Content:  112,120 images of 30,805 patients, PNG of 1024 x 1024; the reports were never released.
Labels:   14 findings, all of them judged, and "No Finding"; mined from the reports and noisy. 984 boxes by a
          radiologist on 880 images of the test list, of eight of the findings.
Access:   open; the NIH asks to be named and cited.
Citation: Wang et al. 2017, https://arxiv.org/abs/1705.02315
Layout:   images_001/images/00000001_000.png to images_012/images/, or all in images/;
          Data_Entry_2017_v2020.csv or Data_Entry_2017.csv, BBox_List_2017.csv, train_val_list.txt,
          test_list.txt. Headers have commas in their names, so that "OriginalImage[Width,Height]" is two
          columns. Boxes are x, y, width, height on 1024 pixels whatever the size of the files; their
          "Infiltrate" is the label "Infiltration". Each image is a study of its own. Train and validation are
          one list: whoever needs a validation part takes patients out of it.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.tables import DatasetError, find_file, need_file, prefix, read_csv, read_lines
from cxreason.imaging.boxes import from_image_pixels, tidy
from cxreason.records import Box, Study

NAME = "chestx-ray14"
TITLE = "ChestX-ray14"
LICENCE = "NIH Clinical Center, free to use with acknowledgement"
CITATION = "Wang et al. 2017, https://arxiv.org/abs/1705.02315"
OFFICIAL_SPLITS = ("train", "test")
TASKS = ("Disease Classification",)
EVALUATION_ONLY = False
STANDS_ON = ()

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
BOXES = "BBox_List_2017.csv"
LISTS = {"train_val_list.txt": "train", "test_list.txt": "test"}
COLUMNS = (
    "Image Index",
    "Finding Labels",
    "Follow-up #",
    "Patient ID",
    "Patient Age",
    "Patient Gender",
    "View Position",
)
CLASSES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Effusion",
    "Emphysema",
    "Fibrosis",
    "Hernia",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pleural_Thickening",
    "Pneumonia",
    "Pneumothorax",
    "No Finding",
)
BOX_SIZE = 1024


def find(folder: Path) -> Path | None:
    """The folder with the table of labels."""
    table = find_file(folder, *TABLES)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study of one image after the other, as the table has them."""
    table = need_file(folder, *TABLES)
    root = table.parent
    split_of = {
        name: split for listed, split in LISTS.items() for name in read_lines(need_file(root, listed))
    }
    boxes = _boxes(need_file(root, BOXES))
    path_of = _images(root, prefix(root, folder))
    absent = {encodings.finding(name): 0 for name in CLASSES}
    for row in read_csv(table, *COLUMNS):
        name = row["Image Index"]
        if name not in split_of:
            raise DatasetError(
                f"{table}: expected each image in {' or '.join(LISTS)}; found {name} in neither."
            )
        labels = row["Finding Labels"].split("|")
        if not set(labels) <= set(CLASSES):
            raise DatasetError(
                f"{table}: expected labels among {', '.join(CLASSES)}; found {row['Finding Labels']!r}."
            )
        yield Study(
            id=f"{NAME}/{name.partition('.')[0]}",
            dataset=NAME,
            patient_id=row["Patient ID"],
            images=(path_of(name),),
            views=(encodings.view(row["View Position"]),),
            split=split_of[name],
            labels=absent | {encodings.finding(label): 1 for label in labels},
            boxes=tuple(boxes.get(name, ())),
            sex=encodings.sex(row["Patient Gender"]),
            age=encodings.age(row["Patient Age"]),
            order=row["Follow-up #"].zfill(4),
        )


def _boxes(path: Path) -> dict[str, list[Box]]:
    """Image -> its boxes. Their header has commas inside a name as well, and three columns without one."""
    found: dict[str, list[Box]] = defaultdict(list)
    for row in read_csv(path, "Image Index", "Finding Label", ("x", "Bbox [x"), "y", "w", ("h", "h]")):
        try:
            x, y, width, height = (float(row[name]) for name in "xywh")
        except ValueError:
            raise DatasetError(
                f"{path}: expected x, y, w and h of {row['Image Index']} as numbers; found {row}."
            ) from None
        corners = tidy(from_image_pixels((x, y, x + width, y + height), BOX_SIZE, BOX_SIZE))[0]
        found[row["Image Index"]].append(Box(encodings.finding(row["Finding Label"]), *corners))
    return found


def _images(root: Path, below: str) -> Callable[[str], str]:
    """What gives the path of an image, whichever of the folders it was unpacked to; smaller copies last."""
    home: dict[str, str] = {}
    forms = ("images_*/images", "images", "images_*", "images*/images*", "images*")
    for place in (place for form in forms for place in sorted(root.glob(form))):
        if not place.is_dir():  # an archive that was not unpacked
            continue
        name = place.relative_to(root).as_posix()
        home.update(
            (entry.name, name) for entry in os.scandir(place) if entry.is_file() and entry.name not in home
        )
    return lambda image: f"{below}{home.get(image, 'images')}/{image}"
