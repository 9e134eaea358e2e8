"""Object-CXR: frontal chest X-rays with and without foreign objects, from a challenge of MIDL 2020.

Content:  8,000 images for training, 1,000 for development and 1,000 for testing, half of each with foreign
          objects. There is no patient key, so an image stands for its own patient.
Labels:   foreign objects as rectangles, ellipses (both given by their corners) or polygons, in pixels,
          sometimes outside the image; here the box around each, cut at the edges.
Access:   open, CC BY-NC 4.0 as far as known; its first host is gone, archive.org and Academic Torrents have
          it.
Citation: JF Healthcare 2020, https://jfhealthcare.github.io/object-CXR/
Layout:   train/*.jpg, dev/*.jpg, test/*.jpg; train.csv, dev.csv and, where it was released, test.csv:
          image_name (or image_path) and annotation: nothing, or shapes "TYPE x1 y1 x2 y2 ..." parted by
          ";", where TYPE is 0 for a rectangle, 1 for an ellipse and 2 for a polygon.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.images import Shelf, images_folder
from cxreason.datasets.tables import (
    DatasetError,
    find_table,
    listing,
    need_table,
    read_csv,
    relative,
)
from cxreason.imaging.boxes import Corners, from_image_pixels, tidy
from cxreason.imaging.read import image_size
from cxreason.records import Box, Study

NAME = "object-cxr"
TITLE = "Object-CXR"
LICENCE = "CC BY-NC 4.0"
CITATION = "JF Healthcare 2020, https://jfhealthcare.github.io/object-CXR/"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Foreign Object Grounding",)
EVALUATION_ONLY = False
STANDS_ON = ()

FINDING = "foreign object"
SPLITS = {"train": "train", "dev": "validation", "test": "test"}
_MARK = (("image_name", "image_path"), "annotation")


def find(folder: Path) -> Path | None:
    """The folder of the tables."""
    table = find_table(folder, ("train.csv",), *_MARK)
    return table and table.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each image, in the order of the tables; the images for testing where a table has them.

    DatasetError where no image with an object is there to learn its size.
    """
    root = need_table(folder, ("train.csv",), *_MARK).parent
    boxed, measured = 0, 0
    for part, split in SPLITS.items():
        name = f"{part}.csv"
        table = find_table(root, (name,), *_MARK) if part == "test" else need_table(root, (name,), *_MARK)
        for study in _split(folder, root, table, part, split) if table is not None else ():
            boxed, measured = boxed + study.labels[FINDING], measured + bool(study.widths)
            yield study
    if boxed and not measured:
        raise DatasetError(
            f"{root}: expected train/<image_name> and so on, of {boxed:,} images with foreign objects, to "
            f"learn their size; found none of them, and {listing(root)}."
        )


def _split(folder: Path, root: Path, table: Path, part: str, split: str) -> Iterator[Study]:
    """The studies of a part. The boxes of an image that is not there are left out."""
    images = images_folder(root, (Path(row["image_name"]).name for row in read_csv(table, *_MARK)), part)
    shelf = Shelf()
    for row in read_csv(table, *_MARK):
        name = Path(row["image_name"]).name
        try:
            drawn = shapes(row["annotation"])
        except ValueError as error:
            raise DatasetError(f"{table}: {name}: {error}.") from None
        path = shelf.named(f"{images}/{name}") if drawn else ""
        width, height = image_size(path) if path else (0, 0)
        yield Study(
            id=f"{NAME}/{Path(name).stem}",
            dataset=NAME,
            patient_id=Path(name).stem,
            images=(relative(images / name, folder),),
            split=split,
            labels={FINDING: int(bool(drawn))},
            boxes=tuple(Box(FINDING, *tidy(from_image_pixels(box, width, height))[0]) for box in drawn)
            if path
            else (),
            widths=(width,) if path else (),
            heights=(height,) if path else (),
        )


def shapes(annotation: str) -> list[Corners]:
    """The boxes around the shapes of an image, in pixels.

    >>> shapes("0 10 20 30 40;2 5 5 9 1 7 -3")
    [(10.0, 20.0, 30.0, 40.0), (5.0, -3.0, 9.0, 5.0)]
    """
    found = []
    for shape in filter(None, (part.split() for part in encodings.text(annotation).split(";"))):
        kind, *numbers = shape
        fits = len(numbers) == 4 if kind in ("0", "1") else kind == "2" and len(numbers) >= 4
        if not fits or len(numbers) % 2:
            raise ValueError(
                f"expected 0 or 1 and four numbers, or 2 and a polygon's corners; found {' '.join(shape):.60}"
            )
        xs, ys = [float(x) for x in numbers[::2]], [float(y) for y in numbers[1::2]]
        found.append((min(xs), min(ys), max(xs), max(ys)))
    return found
