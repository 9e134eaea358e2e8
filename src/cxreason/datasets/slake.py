"""SLAKE: questions about CT, MR and X-ray images, in English and Chinese, with a knowledge graph.

Content:  642 images with 14,028 questions; here the English ones about X-rays of the lung.
Labels:   answers, OPEN or CLOSED; a closed one is not always yes or no ("Lung").
Access:   open, CC BY 4.0 as far as known.
Citation: Liu et al. 2021, https://arxiv.org/abs/2102.09542
Layout:   {train,validate,test}.json, each a list, and imgs/xmlab<id>/source.jpg. The order of the keys
          varies between questions. A location is Lung, or begins with Chest. The X-rays are said to come
          from ChestX-ray14, without its ids.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.images import images_folder
from cxreason.datasets.tables import (
    DatasetError,
    find_json,
    need,
    need_file,
    read_json,
    relative,
)
from cxreason.records import Study

NAME = "slake"
TITLE = "SLAKE 1.0"
LICENCE = "CC BY 4.0"
CITATION = "Liu et al. 2021, https://arxiv.org/abs/2102.09542"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Open-Ended VQA", "Close-Ended VQA")
EVALUATION_ONLY = False
STANDS_ON = ()

SPLITS = {
    "train": ("train.json",),
    "validation": ("validate.json", "validation.json"),
    "test": ("test.json",),
}
CHEST = ("lung", "chest")
_KEYS = ("img_name", "question", "answer", "q_lang", "location", "modality", "answer_type", "qid")


def find(folder: Path) -> Path | None:
    """The folder of the questions."""
    found = (find_json(folder, name, "img_name", "q_lang") for name in SPLITS["validation"])
    file = next((file for file in found if file is not None), None)
    return file and file.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each chest X-ray with its English questions, in the order of the files."""
    root = need_file(folder, *SPLITS["validation"]).parent
    by_image: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for split, names in SPLITS.items():
        file = need_file(root, *names)
        for _, record in read_json(file):
            need(record, file, *_KEYS)
            if is_chest_x_ray(record) and str(record["q_lang"]).strip() == "en":
                by_image.setdefault(record["img_name"], []).append((split, record))
    if not by_image:
        raise DatasetError(f"{root}: expected English questions about an X-Ray of the Lung; found none.")
    images = images_folder(root, by_image, "imgs", "images")
    for image, asked in by_image.items():
        stem = Path(image).parent.name or Path(image).stem
        yield Study(
            id=f"{NAME}/{stem}",
            dataset=NAME,
            patient_id=stem,
            images=(relative(images / image, folder),),
            split=max((split for split, _ in asked), key=OFFICIAL_SPLITS.index),
            questions=tuple(
                encodings.question(
                    record["question"],
                    record["answer"],
                    closed=str(record["answer_type"]).strip().upper() == "CLOSED",
                    type=encodings.text(record.get("content_type", "")),
                    split=split,
                    id=str(record["qid"]),
                )
                for split, record in asked
            ),
        )


def is_chest_x_ray(record: dict[str, Any]) -> bool:
    """By the words of SLAKE, in any case of their letters; a part of the chest is the chest.

    >>> is_chest_x_ray({"modality": "X-Ray", "location": "Lung"})
    True
    >>> is_chest_x_ray({"modality": "xray", "location": "Chest_heart"})
    True
    >>> is_chest_x_ray({"modality": "CT", "location": "Lung"})
    False
    """
    modality, location = (encodings.text(record[key]).casefold() for key in ("modality", "location"))
    return modality.replace("-", "").replace(" ", "") == "xray" and location.startswith(CHEST)
