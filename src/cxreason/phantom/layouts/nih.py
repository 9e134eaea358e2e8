"""ChestX-ray14 of the NIH: frontal PNG images, labels mined from reports that were never released.

Files:    images_001/images/00000001_000.png, Data_Entry_2017_v2020.csv, BBox_List_2017.csv,
          train_val_list.txt, test_list.txt.
Quirks:   headers with unquoted commas, so that they have more columns than names; "Pleural_Thickening" and
          "Effusion"; boxes of an infiltration are called "Infiltrate".
Boxes:    x, y, width, height on an image of 1024 pixels, whatever the size of the file, as with the smaller
          copies of the dataset; for images of the test list only. `image_size=1024` makes them fit.
Splits:   train and validation are one list.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxreason.phantom.layouts.cards import save
from cxreason.phantom.radiograph import Radiograph
from cxreason.phantom.study import PhantomStudy

CLASSES = {
    "atelectasis": "Atelectasis",
    "cardiomegaly": "Cardiomegaly",
    "consolidation": "Consolidation",
    "edema": "Edema",
    "pleural effusion": "Effusion",
    "emphysema": "Emphysema",
    "fibrosis": "Fibrosis",
    "hiatal hernia": "Hernia",
    "mass": "Mass",
    "nodule": "Nodule",
    "calcified granuloma": "Nodule",
    "lung lesion": "Nodule",
    "pleural thickening": "Pleural_Thickening",
    "pneumonia": "Pneumonia",
    "pneumothorax": "Pneumothorax",
}
INFILTRATES = ("consolidation",)
"""What is labelled as an infiltration too, because the labels of real reports hardly tell the two apart."""
BOXED = {
    "Atelectasis": "Atelectasis",
    "Cardiomegaly": "Cardiomegaly",
    "Consolidation": "Infiltrate",
    "Effusion": "Effusion",
    "Mass": "Mass",
    "Nodule": "Nodule",
    "Pneumonia": "Pneumonia",
    "Pneumothorax": "Pneumothorax",
}
"""Label -> the name of its boxes."""
TABLES: dict[str, str | None] = {
    "Data_Entry_2017_v2020.csv": "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,"
    "Patient Gender,View Position,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]",
    "BBox_List_2017.csv": "Image Index,Finding Label,Bbox [x,y,w,h],,,",
    "train_val_list.txt": None,
    "test_list.txt": None,
}
BOX_SIZE = 1024


def write(out: Path, one: PhantomStudy, films: tuple[Radiograph, ...]) -> Iterator[tuple[str, tuple]]:
    """The frontal image of one study; its rows."""
    visit, film = one.visit, films[0]
    follow_up = int(visit.prior is not None)
    name = f"{visit.patient + 1:08d}_{follow_up:03d}.png"
    save(film.pixels, out / f"images_{1 + visit.patient % 12:03d}" / "images" / name)
    said = [finding for finding in visit.findings if finding.doubt != "unsaid"]
    labels = {CLASSES[finding.name] for finding in said if finding.name in CLASSES}
    labels |= {"Infiltration" for finding in said if finding.name in INFILTRATES}
    height, width = film.pixels.shape
    shape = (width, height, 0.143 * BOX_SIZE * 2.5 / width, 0.143 * BOX_SIZE * 2.5 / height)
    person = (visit.patient + 1, visit.age, {"female": "F", "male": "M"}.get(visit.sex, "M"))
    row = (name, "|".join(sorted(labels)) or "No Finding", follow_up, *person, film.view, *shape)
    yield "Data_Entry_2017_v2020.csv", row
    tested = one.study.split == "test"
    yield ("test_list.txt" if tested else "train_val_list.txt"), (name,)
    for box in one.study.boxes:
        label = BOXED.get(CLASSES.get(box.label, ""))
        if tested and label and not box.image:
            corner = (box.x1 * BOX_SIZE, box.y1 * BOX_SIZE)
            size = ((box.x2 - box.x1) * BOX_SIZE, (box.y2 - box.y1) * BOX_SIZE)
            yield "BBox_List_2017.csv", (name, label, *corner, *size)
