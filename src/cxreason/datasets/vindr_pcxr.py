"""VinDr-PCXR: chest X-rays of children under ten, with boxes and diagnoses.

Content:  9,125 images, 7,728 for training and 1,397 for testing, each read by one radiologist. There is no
          patient key, so an image stands for its own patient.
Labels:   36 local classes as boxes in pixels of the DICOM and 15 global ones. The tables misspell some
          names (Brocho-pneumonia, Diagphramatic hernia, Bronchectasis, Diffuse aveolar opacity,
          Paraveterbral mass); they are spelled as usual here, and read in either spelling.
Access:   PhysioNet, credentialed, with a data use agreement.
Citation: Pham et al. 2023, https://doi.org/10.1038/s41597-023-02102-5
Layout:   {annotations,image_labels}_{train,test}.csv at the root, {train,test}/<image_id>.dicom; the reader
          is rad_ID, in capitals. Images without a finding have a "No finding" row without a box.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import vindr_cxr
from cxreason.datasets.tables import find_table, need_table
from cxreason.records import Study

NAME = "vindr-pcxr"
TITLE = "VinDr-PCXR"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Pham et al. 2023, https://doi.org/10.1038/s41597-023-02102-5"
OFFICIAL_SPLITS = ("train", "test")
TASKS = ("Abnormality Grounding", "Localized Disease Identification")
EVALUATION_ONLY = False
STANDS_ON = ()

GLOBAL = (
    "No finding",
    "Bronchitis",
    ("Brocho-pneumonia", "Broncho-pneumonia", "Bronchopneumonia"),
    ("Other disease", "Other diseases"),
    "Bronchiolitis",
    "Situs inversus",
    "Pneumonia",
    "Pleuro-pneumonia",
    ("Diagphramatic hernia", "Diaphragmatic hernia"),
    "Tuberculosis",
    "Congenital emphysema",
    "CPAM",
    "Hyaline membrane disease",
    "Mediastinal tumor",
    "Lung tumor",
)
NAMES = {
    "Brocho-pneumonia": "bronchopneumonia",
    "Broncho-pneumonia": "bronchopneumonia",
    "Diagphramatic hernia": "diaphragmatic hernia",
    "Bronchectasis": "bronchiectasis",
    "Diffuse aveolar opacity": "diffuse alveolar opacity",
    "Paraveterbral mass": "paravertebral mass",
    "CPAM": "congenital pulmonary airway malformation",
    **vindr_cxr.NAMES,
}
_LABELS, _MARK = ("image_labels_train.csv",), ("image_id", "Bronchiolitis")


def find(folder: Path) -> Path | None:
    """The folder of the tables."""
    labels = find_table(folder, _LABELS, *_MARK)
    return None if labels is None else labels.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each image, the training images first, in the order of the tables."""
    root = need_table(folder, _LABELS, *_MARK).parent
    parts = ((split, vindr_cxr.read_split(root, split, GLOBAL, NAMES)) for split in OFFICIAL_SPLITS)
    yield from vindr_cxr.studies(NAME, folder, root, parts, NAMES)
