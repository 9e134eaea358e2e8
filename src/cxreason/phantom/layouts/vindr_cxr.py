"""VinDr-CXR 1.0.0: DICOM images without patients, boxes of three readers in train and of a consensus in test.

Files:    {train,test}/<image_id>.dicom, annotations/{annotations,image_labels}_{train,test}.csv.
Quirks:   the extension is .dicom; 12 bits; every seventh image is MONOCHROME1; frontal views only; an
          image without a finding has a "No finding" row with blank coordinates; train says "Other diseases"
          and test "Other disease"; test has no rad_id.
Boxes:    corners in pixels of the DICOM. The three readers differ by a few percent; doubtful findings are
          marked by one of them or two.
Splits:   train; validation and test are both "test".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cxreason.phantom.layouts.cards import hex_of
from cxreason.phantom.radiograph import Radiograph
from cxreason.phantom.study import PhantomStudy
from cxreason.phantom.visit import generator

NEEDS = ("pydicom",)
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
GLOBAL = ("COPD", "Lung tumor", "Pneumonia", "Tuberculosis", "Other diseases", "No finding")
CLASSES = {
    "tortuous aorta": "Aortic enlargement",
    "atelectasis": "Atelectasis",
    "aortic calcification": "Calcification",
    "calcified granuloma": "Calcification",
    "cardiomegaly": "Cardiomegaly",
    "clavicle fracture": "Clavicle fracture",
    "consolidation": "Consolidation",
    "pneumonia": "Infiltration",
    "edema": "Edema",
    "emphysema": "Emphysema",
    "lung lesion": "Nodule/Mass",
    "nodule": "Nodule/Mass",
    "mass": "Nodule/Mass",
    "pleural effusion": "Pleural effusion",
    "pleural thickening": "Pleural thickening",
    "pneumothorax": "Pneumothorax",
    "fibrosis": "Pulmonary fibrosis",
    "fracture": "Rib fracture",
    "rib fracture": "Rib fracture",
    "enlarged cardiomediastinum": "Other lesion",
    "hiatal hernia": "Other lesion",
    "subcutaneous emphysema": "Other lesion",
    "pneumoperitoneum": "Other lesion",
    "elevated diaphragm": "Other lesion",
}
"""Finding -> local class. Devices and scoliosis have none."""
DISEASES = {"pneumonia": "Pneumonia", "mass": "Lung tumor", "emphysema": "COPD"}
TABLES: dict[str, str | None] = {
    "annotations/annotations_train.csv": "image_id,rad_id,class_name,x_min,y_min,x_max,y_max",
    "annotations/annotations_test.csv": "image_id,class_name,x_min,y_min,x_max,y_max",
    "annotations/image_labels_train.csv": f"image_id,rad_id,{','.join(LOCAL + GLOBAL)}",
    "annotations/image_labels_test.csv": f"image_id,{','.join(LOCAL + GLOBAL)}".replace(
        "diseases", "disease"
    ),
}


def write(out: Path, one: PhantomStudy, films: tuple[Radiograph, ...]) -> Iterator[tuple[str, tuple]]:
    """The frontal image of one study; its rows."""
    image, pixels = hex_of(one.study.id), films[0].pixels
    split = "train" if one.study.split == "train" else "test"
    rng = generator(one.visit.seed, 17, one.visit.index)
    write_dicom(out / split / f"{image}.dicom", pixels, image, inverted=one.visit.index % 7 == 3)
    readers: list[str] = [""]
    if split == "train":
        readers = [f"R{number + 1}" for number in sorted(rng.choice(17, 3, replace=False).tolist())]
    for reader in readers:
        who = (image, reader) if reader else (image,)
        boxes, names = _seen(one, rng if reader else None, *pixels.shape)
        for name, box in boxes:
            yield f"annotations/annotations_{split}.csv", (*who, name, *box)
        if not boxes:
            yield f"annotations/annotations_{split}.csv", (*who, "No finding", "", "", "", "")
        present = names or {"No finding"}
        row = (int(name in present) for name in LOCAL + GLOBAL)
        yield f"annotations/image_labels_{split}.csv", (*who, *row)


def _seen(
    one: PhantomStudy, rng: np.random.Generator | None, height: int, width: int
) -> tuple[list[tuple[str, tuple[float, ...]]], set[str]]:
    """Boxes and classes of one reader, or of the consensus where there are no dice."""
    doubted = {finding.name for finding in one.visit.findings if finding.doubt}
    boxes, names = [], set()
    overlooked = {name for name in sorted(doubted) if rng is not None and rng.random() < 0.5}
    for box in one.study.boxes:
        if box.image or box.label in overlooked or box.label not in CLASSES:
            continue
        corners = np.array([box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height])
        if rng is not None:
            size = np.tile(corners[2:] - corners[:2], 2)
            corners = corners + rng.normal(0, 0.03, 4) * size
        corners = np.clip(corners, 0, [width, height, width, height])
        boxes.append((CLASSES[box.label], tuple(round(float(value), 3) for value in corners)))
        names |= {CLASSES[box.label]} | ({DISEASES[box.label]} if box.label in DISEASES else set())
    return boxes, names


def write_dicom(path: Path, pixels: np.ndarray, name: str, inverted: bool) -> None:
    """A DICOM file of 12 bits with a window, uncompressed."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    stored = pixels.astype(np.uint16) * 16
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DigitalXRayImageStorageForPresentation
    # 2.25 is the root of numbers that are drawn and not registered.
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = UID(f"2.25.{int(name[:30], 16)}")
    made.Modality = "DX"
    made.SamplesPerPixel = 1
    made.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    made.Rows, made.Columns = pixels.shape
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 16, 12, 11, 0
    made.WindowCenter, made.WindowWidth = 2048, 4096
    made.PixelData = (4095 - stored if inverted else stored).astype("<u2").tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.partial")
    made.save_as(part, enforce_file_format=True)
    part.replace(path)
