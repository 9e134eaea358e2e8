"""VinDr-CXR: frontal chest X-rays of two hospitals in Hanoi, with boxes that radiologists drew.

Content:  18,000 images: 15,000 for training, read by 3 of 17 radiologists each, and 3,000 for testing, with
          the consensus of 5. There is no patient key, so an image stands for its own patient. The Kaggle
          competition VinBigData published the training part in another form, with 14 of the 22 local
          classes.
Labels:   boxes of every reader on its own, in pixels of the DICOM; 22 local and 6 global classes. A finding
          is present where most readers of an image saw it, uncertain where fewer did, absent where none
          did. The column "Other diseases" is "Other disease" in the test table.
Access:   PhysioNet, credentialed, with a data use agreement; the Kaggle variant under the competition's
          rules.
Citation: Nguyen et al. 2022, https://doi.org/10.1038/s41597-022-01498-w
Layout:   annotations/{annotations,image_labels}_{train,test}.csv, {train,test}/<image_id>.dicom. Images
          without a finding have a "No finding" row without a box. The test tables have no rad_id. Kaggle:
          train.csv (image_id, class_name, class_id, rad_id, x_min, ...), train/<image_id>.dicom. Copies of
          them need train_meta.csv (image_id, dim0, dim1: height and width of the DICOM), as on Kaggle.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.images import Shelf, images_folder
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    find_table,
    listing,
    need_file,
    need_table,
    read_csv,
    relative,
)
from cxreason.imaging.boxes import from_image_pixels, tidy
from cxreason.imaging.read import image_size
from cxreason.records import Box, Study

NAME = "vindr-cxr"
TITLE = "VinDr-CXR"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0; Kaggle variant: rules of the competition"
CITATION = "Nguyen et al. 2022, https://doi.org/10.1038/s41597-022-01498-w"
OFFICIAL_SPLITS = ("train", "test")
TASKS = ("Abnormality Grounding", "Localized Disease Identification")
EVALUATION_ONLY = False
STANDS_ON = ()

LOCAL = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Clavicle fracture",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Enlarged PA",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Lung cavity",
    "Lung cyst",
    "Mediastinal shift",
    "Nodule/Mass",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "Rib fracture",
    "Other lesion",
)
GLOBAL = (
    "COPD",
    "Lung tumor",
    "Pneumonia",
    "Tuberculosis",
    ("Other diseases", "Other disease"),
    "No finding",
)
KAGGLE = (
    "Aortic enlargement",
    "Atelectasis",
    "Calcification",
    "Cardiomegaly",
    "Consolidation",
    "ILD",
    "Infiltration",
    "Lung Opacity",
    "Nodule/Mass",
    "Other lesion",
    "Pleural effusion",
    "Pleural thickening",
    "Pneumothorax",
    "Pulmonary fibrosis",
    "No finding",
)
"""The classes of the Kaggle variant in the order of class_id."""
NAMES = {
    "Enlarged PA": "enlarged pulmonary artery",
    "ILD": "interstitial lung disease",
    "COPD": "chronic obstructive pulmonary disease",
    "Nodule/Mass": "nodule or mass",
}
SIZES = ("{}_meta.csv", "{}_sizes.csv")
"""Tables of sizes that come with smaller copies, as of VinBigData on Kaggle."""
CORNERS = ("x_min", "y_min", "x_max", "y_max")
READER = ("rad_id", "rad_ID")
_LABELS, _MARK = ("image_labels_train.csv",), ("image_id", "Aortic enlargement")
_KAGGLE_TABLES = ("train.csv", "vinbigdata-train.csv")
_KAGGLE_MARK = ("image_id", "class_name", "class_id", "rad_id", "x_min")


@dataclass
class Reading:
    """What is known of one image before it is looked at."""

    boxes: list[tuple[str, str, tuple[float, float, float, float]]] = field(default_factory=list)
    """Class, reader ("" = consensus) and corners in pixels, in the order of the table."""
    votes: dict[str, dict[str, int]] = field(default_factory=dict)
    """Reader -> finding -> 1 or 0."""


def find(folder: Path) -> Path | None:
    """The folder above `annotations`, or of the Kaggle variant's train.csv."""
    table = find_table(folder, _LABELS, *_MARK) or find_table(folder, _KAGGLE_TABLES, *_KAGGLE_MARK)
    return table and _root(table)


def read(folder: Path) -> Iterator[Study]:
    """One study for each image, the training images first, in the order of the tables."""
    if find_table(folder, _LABELS, *_MARK) is None and find_file(folder, *_KAGGLE_TABLES):
        kaggle = need_table(folder, _KAGGLE_TABLES, *_KAGGLE_MARK)
        yield from studies(NAME, folder, kaggle.parent, [("train", kaggle_readings(kaggle))], NAMES)
        return
    root = _root(need_table(folder, _LABELS, *_MARK))
    parts = ((split, read_split(root, split, (*LOCAL, *GLOBAL), NAMES)) for split in OFFICIAL_SPLITS)
    yield from studies(NAME, folder, root, parts, NAMES)


def read_split(
    folder: Path, split: str, classes: Sequence[str | tuple[str, ...]], names: Mapping[str, str]
) -> dict[str, Reading]:
    """image_id -> what the two tables of a split say of it; the test tables may have no readers."""
    readings: dict[str, Reading] = defaultdict(Reading)
    labels = need_file(folder, f"annotations/image_labels_{split}.csv", f"image_labels_{split}.csv")
    plain = [name if isinstance(name, str) else name[0] for name in classes]
    shared: dict[tuple[str, ...], dict[str, int]] = {}  # most readings are one of a few combinations
    for row in read_csv(labels, "image_id", *classes, optional=(READER,)):
        values = tuple(row[name] for name in plain)
        if values not in shared:
            seen = encodings.labels(row, plain, labels)
            found = {name: seen.get(encodings.finding(name)) for name in plain}
            shared[values] = {
                called(name, names): value for name, value in found.items() if value is not None
            }
        readings[row["image_id"]].votes[row.get("rad_id", "")] = shared[values]
    table = need_file(folder, f"annotations/annotations_{split}.csv", f"annotations_{split}.csv")
    for row in read_csv(table, "image_id", "class_name", *CORNERS, optional=(READER,)):
        if row["image_id"] not in readings:
            raise DatasetError(f"{table}: expected image {row['image_id']} in {labels.name} as well.")
        if (box := corners_of(row, table)) is not None:
            readings[row["image_id"]].boxes.append((row["class_name"], row.get("rad_id", ""), box))
    return readings


def kaggle_readings(table: Path) -> dict[str, Reading]:
    """image_id -> what the one table of the Kaggle variant says of it."""
    readings: dict[str, Reading] = defaultdict(Reading)
    for row in read_csv(table, "image_id", "class_name", "class_id", READER, *CORNERS):
        name, reader, reading = row["class_name"], row["rad_id"], readings[row["image_id"]]
        if name not in KAGGLE or row["class_id"] != str(KAGGLE.index(name)):
            raise DatasetError(
                f"{table}: expected a class of {', '.join(KAGGLE)} with its number from 0; "
                f"found {name!r} with {row['class_id']!r}."
            )
        nothing_seen = {called(known, NAMES): 0 for known in KAGGLE}
        reading.votes.setdefault(reader, nothing_seen)[called(name, NAMES)] = 1
        if (box := corners_of(row, table)) is not None:
            reading.boxes.append((name, reader, box))
    return readings


def studies(
    name: str,
    folder: Path,
    root: Path,
    parts: Iterable[tuple[str, Mapping[str, Reading]]],
    names: Mapping[str, str],
) -> Iterator[Study]:
    """The studies of the splits. Only images with a box are opened, to learn their size.

    One that is not there has no boxes; DatasetError where none of those is.
    """
    boxed, measured = 0, 0
    for split, readings in parts:
        for study in _of_split(name, folder, root, split, readings, names):
            boxed += bool(readings[study.patient_id].boxes)
            measured += bool(study.widths)
            yield study
    if boxed and not measured:
        raise DatasetError(
            f"{root}: expected train/<image_id>.dicom and so on, of {boxed:,} images with boxes, to learn "
            f"their size; found none of them, and {listing(root)}."
        )


def _of_split(
    name: str,
    folder: Path,
    root: Path,
    split: str,
    readings: Mapping[str, Reading],
    names: Mapping[str, str],
) -> Iterator[Study]:
    images = images_folder(root, (f"{image}.dicom" for image in readings), split)
    size_of = _sizes(root, split, images)
    for image, reading in readings.items():
        path = images / f"{image}.dicom"
        width, height = size_of(image) if reading.boxes else (0, 0)
        yield Study(
            id=f"{name}/{image}",
            dataset=name,
            patient_id=image,
            images=(relative(path, folder),),
            split=split,
            labels=agreed(reading.votes),
            other_labels={
                f"{reader}/{label}": value
                for reader, votes in reading.votes.items()
                if reader
                for label, value in votes.items()
            },
            boxes=tuple(
                Box(called(label, names), *tidy(from_image_pixels(box, width, height))[0], reader=reader)
                for label, reader, box in reading.boxes
                if width
            ),
            widths=(width,) if width else (),
            heights=(height,) if height else (),
        )


def _sizes(root: Path, split: str, images: Path) -> Callable[[str], tuple[int, int]]:
    """image -> width and height of the DICOM, which boxes are in pixels of; 0 where it is not there.

    Smaller copies of the images come with a table of the sizes that they had.
    """
    table = find_table(root, [form.format(split) for form in SIZES], "image_id", "dim0", "dim1")
    known = {
        row["image_id"]: (encodings.pixels(row["dim1"]), encodings.pixels(row["dim0"]))
        for row in (read_csv(table, "image_id", "dim0", "dim1") if table else ())
    }
    shelf = Shelf()

    def size(image: str) -> tuple[int, int]:
        if image in known:
            return known[image]
        there = shelf.named(f"{images}/{image}.dicom")
        if there and not there.endswith((".dicom", ".dcm", image)):
            raise DatasetError(
                f"{there}: expected {image}.dicom, whose pixels the boxes are in. Beside copies lay "
                f"{SIZES[0].format(split)}: image_id, dim0 (height of the original) and dim1 (width)."
            )
        return image_size(there) if there else (0, 0)

    return size


def agreed(votes: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """1 where most readers saw a finding, -1 where fewer did, 0 where none did.

    >>> agreed({"R1": {"edema": 1}, "R2": {"edema": 0}, "R3": {"edema": 0}})
    {'edema': -1}
    """
    found = {}
    for name in dict.fromkeys(name for one in votes.values() for name in one):
        seen = sum(one.get(name) == 1 for one in votes.values())
        found[name] = 1 if 2 * seen > len(votes) else -1 if seen else 0
    return found


def corners_of(row: Mapping[str, str], table: Path) -> tuple[float, float, float, float] | None:
    """The box of a row in pixels; None in a row that says that nothing was found."""
    values = [encodings.text(row[name]) for name in CORNERS]
    if not any(values):
        return None
    try:
        x1, y1, x2, y2 = map(float, values)
    except ValueError:
        raise DatasetError(f"{table}: expected four numbers as a box; found {', '.join(values)}.") from None
    return x1, y1, x2, y2


def called(name: str, names: Mapping[str, str]) -> str:
    """A class in the words used here.

    >>> called("ILD", NAMES), called("Lung Opacity", NAMES), called("Other disease", NAMES)
    ('interstitial lung disease', 'lung opacity', 'other diseases')
    """
    return encodings.finding(names.get(name, "Other diseases" if name == "Other disease" else name))


def _root(table: Path) -> Path:
    return table.parent.parent if table.parent.name == "annotations" else table.parent
