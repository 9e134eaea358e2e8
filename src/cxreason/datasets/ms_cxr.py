"""MS-CXR: sentences of MIMIC-CXR reports with the boxes that they describe.

Content:  1,448 boxes on 1,047 images of 851 patients for 1,160 pairs of an image and a phrase.
Labels:   one of 8 categories and the phrase for each box; several boxes with one phrase are one example.
          Boxes are x, y, width, height in pixels of the original image, whose size stands beside them.
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for images and reports.
Citation: Boecking et al. 2022, https://arxiv.org/abs/2204.09817
Layout:   MS_CXR_Local_Alignment_v1.x.0.csv: dicom_id, category_name, label_text, path, x, y, w, h,
          image_width, image_height and, since 1.1.0, split. That split contradicts MIMIC-CXR's, which is
          the one used.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home, own_split, place_of
from cxreason.datasets.tables import DatasetError, find_file, need_file, read_csv
from cxreason.imaging.boxes import tidy
from cxreason.records import Box, Study

NAME = "ms-cxr"
TITLE = "MS-CXR"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Boecking et al. 2022, https://arxiv.org/abs/2204.09817"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = (
    "Phrase Grounding",
    "Phrase Extraction and Grounding",
    "Localized Abnormality Description",
    "Localized Disease Identification",
    "Localized Phrase Extraction",
)
EVALUATION_ONLY = False
STANDS_ON = ("mimic-cxr",)

TABLE = "MS_CXR_Local_Alignment_v*.csv"


def find(folder: Path) -> Path | None:
    """The folder of the table with the boxes."""
    table = find_file(folder, TABLE)
    return table.parent if table else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """One study for each image, with all its boxes and the report that the phrases are from."""
    path = need_file(folder, TABLE)
    home = Home(folder, mimic)
    columns = (
        "dicom_id",
        "category_name",
        "label_text",
        "path",
        "x",
        "y",
        "w",
        "h",
        "image_width",
        "image_height",
    )
    rows: dict[str, list[dict[str, str]]] = {}
    for row in read_csv(path, *columns, optional=("split",)):
        rows.setdefault(row["dicom_id"], []).append(row)
    for dicom, mine in rows.items():
        subject, study, _ = place_of(mine[0]["path"], path)
        width, height = (encodings.pixels(mine[0][name]) for name in ("image_width", "image_height"))
        published = {own_split(row.get("split", ""), path) for row in mine}
        yield Study(
            id=f"{NAME}/{dicom}",
            dataset=NAME,
            images=(home.image(subject, study, dicom),),
            views=(home.view(study, dicom),),
            widths=(width,),
            heights=(height,),
            boxes=tuple(_box(row, path) for row in mine),
            own_split="test" if "test" in published else next(iter(sorted(published))),
            **home.who(subject, study),
            **home.sections(subject, study),
        )


def _box(row: dict[str, str], path: Path) -> Box:
    try:
        x, y, w, h, width, height = (
            float(row[name]) for name in ("x", "y", "w", "h", "image_width", "image_height")
        )
        corners, _ = tidy((x / width, y / height, (x + w) / width, (y + h) / height))
    except (ValueError, ZeroDivisionError) as error:
        raise DatasetError(f"{path}: expected numbers for the box on {row['dicom_id']} ({error}).") from None
    return Box(encodings.finding(row["category_name"]), *corners, phrase=encodings.text(row["label_text"]))
