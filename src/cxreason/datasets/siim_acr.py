"""SIIM-ACR Pneumothorax: masks of pneumothoraces on chest X-rays of the NIH.

Content:  12,047 labelled images of 1024 x 1024 (stage 1 of the competition: 10,675), without a patient key,
          so an image stands for its own patient. They were taken from ChestX-ray14, without a common id in
          the tables.
Labels:   run lengths of the masks, "gap length gap length ..." down the columns, where a gap counts from
          the end of the run before; "-1" (in the older table " -1") where there is no pneumothorax. One row
          is one mask, here one box; 624 images have up to 10 rows and are one study here.
Access:   Kaggle, under the rules of the competition; its first host is gone.
Citation: SIIM-ACR Pneumothorax Segmentation 2019,
          https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation
Layout:   train-rle.csv (or stage_2_train.csv): ImageId and EncodedPixels, with a blank before the second
          name; dicom-images-train/<study>/<series>/<ImageId>.dcm. The images for testing have no labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from cxreason.datasets.tables import (
    DatasetError,
    find_table,
    need_table,
    read_csv,
    relative,
    visible,
)
from cxreason.imaging.boxes import relative_rle_box
from cxreason.records import Box, Study

NAME = "siim-acr"
TITLE = "SIIM-ACR Pneumothorax"
LICENCE = "rules of the Kaggle competition"
CITATION = (
    "SIIM-ACR Pneumothorax Segmentation 2019, https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation"
)
OFFICIAL_SPLITS = ()
TASKS = ("Pneumothorax Grounding",)
EVALUATION_ONLY = False
STANDS_ON = ()

FINDING = "pneumothorax"
SIZE = 1024
_TABLES = ("train-rle.csv", "stage_2_train.csv", "*train-rle*.csv")
_MARK = ("ImageId", "EncodedPixels")
_PLACES = ("dicom-images-train", "stage_2_images", "stage_2_train")


def find(folder: Path) -> Path | None:
    """The folder of the table."""
    table = find_table(folder, _TABLES, *_MARK)
    return table and table.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each image, in the order in which the table first names them."""
    table = need_table(folder, _TABLES, *_MARK)
    masks: dict[str, list[str]] = {}
    for row in read_csv(table, *_MARK):
        masks.setdefault(row["ImageId"], []).append(row["EncodedPixels"])
    paths = _images(table.parent)
    for image, encoded in masks.items():
        path = paths.get(image, table.parent / _PLACES[0] / f"{image}.dcm")
        boxes = mask_boxes(encoded, FINDING, table)
        yield Study(
            id=f"{NAME}/{image}",
            dataset=NAME,
            patient_id=image,
            images=(relative(path, folder),),
            labels={FINDING: int(bool(boxes))},
            boxes=boxes,
            widths=(SIZE,),
            heights=(SIZE,),
        )


def mask_boxes(encoded: Iterable[str], label: str, table: Path) -> tuple[Box, ...]:
    """The box around each mask of an image that has one.

    >>> mask_boxes(["-1", "1024 2"], "pneumothorax", Path("a.csv"))
    (Box(label='pneumothorax', x1=0.0009765625, y1=0.0, x2=0.001953125, y2=0.001953125, ...),)
    """
    found = []
    for runs in encoded:
        if not runs.strip():  # a line that was cut short must not pass for one without a mask
            raise DatasetError(f"{table}: expected run lengths or -1 in every row; found nothing in one.")
        try:
            box = relative_rle_box(runs, SIZE, SIZE)
        except ValueError as error:
            raise DatasetError(f"{table}: {error}.") from None
        if box is not None:
            found.append(Box(label, *box))
    return tuple(found)


def _images(root: Path) -> dict[str, Path]:
    """Image id -> its file. The names of the folders of studies and series stand in no table."""
    files = [path for place in _PLACES for path in sorted(visible((root / place).rglob("*")))]
    return {path.stem: path for ending in (".jpg", ".png", ".dcm") for path in files if path.suffix == ending}
