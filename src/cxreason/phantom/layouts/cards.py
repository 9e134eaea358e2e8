"""What every layout says of a patient and a study: numbers, dates, label values, image files.

>>> number_of("phantom/deep/0/000001", 8) == number_of("phantom/deep/0/000001", 8)
True
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from cxreason.phantom.study import PhantomStudy
from cxreason.phantom.visit import Finding, Visit, generator
from cxreason.text import label
from cxreason.text.ontology import implies

CHEXPERT = {
    "No Finding": "no finding",
    "Enlarged Cardiomediastinum": "enlarged cardiomediastinum",
    "Cardiomegaly": "cardiomegaly",
    "Lung Opacity": "lung opacity",
    "Lung Lesion": "lung lesion",
    "Edema": "edema",
    "Consolidation": "consolidation",
    "Pneumonia": "pneumonia",
    "Atelectasis": "atelectasis",
    "Pneumothorax": "pneumothorax",
    "Pleural Effusion": "pleural effusion",
    "Pleural Other": "pleural other",
    "Fracture": "fracture",
    "Support Devices": "support devices",
}
"""The 14 labels in CheXpert's order -> the findings here."""


def number_of(text: str, digits: int) -> int:
    """A number of so many digits that looks random and belongs to the text."""
    low = 10 ** (digits - 1)
    return low + int(hashlib.sha256(text.encode()).hexdigest()[:15], 16) % (9 * low)


def hex_of(text: str, digits: int = 32) -> str:
    """A hexadecimal name that belongs to the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:digits]


def labels_as_mined(one: PhantomStudy) -> dict[str, str]:
    """The 14 labels as labellers of reports give them: "1.0", "0.0", "-1.0", or nothing where unmentioned.

    What is there or doubted is known from the patient; of what is not there only what the report denies is 0.
    """
    read = label(f"FINDINGS: {one.study.findings}\nIMPRESSION: {one.study.impression}", "chexpert14")
    result = {}
    for name, finding in CHEXPERT.items():
        value = one.study.labels.get(finding)
        if value == 0 and (read.get(name) != 0 or finding == "no finding"):
            value = None
        result[name] = "" if value is None else f"{value:.1f}"
    return result


def day_of(visit: Visit) -> tuple[date, float]:
    """Date, shifted into a far century, and seconds since midnight. A prior study is always earlier."""
    first = date(2110, 1, 1) + timedelta(days=number_of(f"day {visit.seed} {visit.patient}", 5) % 32_000)
    later = int(generator(visit.seed, 15, visit.patient).integers(1, 400)) if visit.prior else 0
    seconds = generator(visit.seed, 16, visit.index).uniform(600, 86_399)
    return first + timedelta(days=later), round(float(seconds), 3)


def matching(findings: Iterable[Finding], wider: str) -> list[Finding]:
    """The findings that are a kind of another, those that the reader did not mention left out."""
    return [one for one in findings if one.doubt != "unsaid" and implies(one.name, wider)]


def save(pixels: np.ndarray, path: Path, mode: str = "L") -> None:
    """Write an image as its name says (PNG or JPEG), whole or not at all."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.partial")
    image = Image.fromarray(pixels)
    if mode != "L":
        image = image.convert(mode)
    how = (
        {"format": "JPEG", "quality": 95} if path.suffix == ".jpg" else {"format": "PNG", "compress_level": 1}
    )
    image.save(part, **how)
    part.replace(path)


def write_whole(path: Path, text: str) -> None:
    """Write a small text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.partial")
    part.write_text(text, encoding="utf-8")
    part.replace(path)
