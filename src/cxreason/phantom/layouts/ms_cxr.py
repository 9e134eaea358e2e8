"""MS-CXR 1.1.0: phrases of MIMIC-CXR reports with boxes, and the MIMIC-CXR files that they are about.

Files:    ms-cxr/MS_CXR_Local_Alignment_v1.1.0.csv and .json (COCO), beside the folders of MIMIC-CXR.
Boxes:    x, y, width, height in pixels of the original image, whose size stands in the row; several rows with
          one phrase are one example with several boxes.
Quirks:   the split is its own and contradicts that of MIMIC-CXR for some images.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from cxreason.phantom.layouts import mimic_cxr
from cxreason.phantom.radiograph import Radiograph
from cxreason.phantom.study import PhantomStudy
from cxreason.phantom.visit import generator
from cxreason.rows import write_json
from cxreason.text import observe
from cxreason.text.ontology import implies

TABLE = "ms-cxr/MS_CXR_Local_Alignment_v1.1.0.csv"
CATEGORIES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Lung Opacity",
    "Pleural Effusion",
    "Pneumonia",
    "Pneumothorax",
)
NARROW = ("atelectasis", "consolidation", "edema", "pneumonia")
"""Kinds of lung opacity that have a category of their own."""
TABLES = {
    TABLE: "dicom_id,category_name,label_text,path,x,y,w,h,image_width,image_height,split",
    **mimic_cxr.TABLES,
}


def write(out: Path, one: PhantomStudy, films: tuple[Radiograph, ...]) -> Iterator[tuple[str, tuple]]:
    """The MIMIC-CXR files of one study, and a row for each box on its frontal image."""
    yield from mimic_cxr.write(out, one, films)
    _, _, folder, dicoms = mimic_cxr.names(one)
    height, width = films[0].pixels.shape
    dice = generator(one.visit.seed, 18, one.visit.index).random()
    split = "train" if dice < 0.8 else "val" if dice < 0.85 else "test"
    phrases = _phrases(one)
    for box in one.study.boxes:
        category = category_of(box.label)
        if box.image or not category or box.label not in phrases:
            continue
        x, y = round(box.x1 * width), round(box.y1 * height)
        size = (round(box.x2 * width) - x, round(box.y2 * height) - y)
        where = (f"{folder}/{dicoms[0]}.jpg", x, y, *size, width, height, split)
        yield TABLE, (dicoms[0], category, phrases[box.label], *where)


def category_of(finding: str) -> str:
    """The category of a finding, or nothing.

    >>> category_of("mass"), category_of("pneumonia"), category_of("port")
    ('Lung Opacity', 'Pneumonia', '')
    """
    for category in CATEGORIES:
        if category != "Lung Opacity" and implies(finding, category.lower()):
            return category
    return "Lung Opacity" if implies(finding, "lung opacity") else ""


def _phrases(one: PhantomStudy) -> dict[str, str]:
    """Finding -> the first sentence of the report that says it is there, word for word."""
    said: dict[str, str] = {}
    for seen in observe(one.study.report):
        for finding in one.visit.findings:
            if seen.status != "absent" and implies(seen.finding, finding.name):
                said.setdefault(finding.name, seen.sentence)
    return said


def finish(out: Path) -> None:
    """The same boxes as COCO."""
    with (out / TABLE).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    images: dict[str, dict] = {}
    boxes = []
    for number, row in enumerate(rows, 1):
        size = {"width": int(row["image_width"]), "height": int(row["image_height"])}
        known = {"id": len(images) + 1, "file_name": f"{row['dicom_id']}.jpg", "path": row["path"], **size}
        image = images.setdefault(row["dicom_id"], known)
        box = [int(row[key]) for key in ("x", "y", "w", "h")]
        category = CATEGORIES.index(row["category_name"]) + 1
        boxes.append({"id": number, "image_id": image["id"], "category_id": category, "bbox": box})
        boxes[-1] |= {"area": box[2] * box[3], "iscrowd": 0, "label_text": row["label_text"]}
    kinds = [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, 1)]
    whole = {"info": {}, "images": list(images.values()), "annotations": boxes, "categories": kinds}
    write_json((out / TABLE).with_suffix(".json"), whole)
