"""VQA-Med 2019: questions of an ImageCLEF challenge about radiological images of MedPix.

Content:  3,200 + 500 + 500 images with 12,792 + 2,000 + 500 questions on modality, plane, organ and
          abnormality; here those about chest X-rays: images whose modality is "xr - plain film" and whose
          organ is "lung, mediastinum, pleura". A test image has a single question, so none can be known by
          both answers: of the test set only those come along whose question itself speaks of a chest X-ray.
Labels:   answers in small letters. In those of the test set "#" parts alternatives and what stands in
          brackets may be left out.
Access:   open, CC BY 4.0.
Citation: Ben Abacha et al. 2019, https://doi.org/10.5281/zenodo.10499039
Layout:   ImageClef-2019-VQA-Med-{Training,Validation}/QAPairsByCategory/C{1_Modality,2_Plane,3_Organ,
          4_Abnormality}_{train,val}.txt, lines "image|question|answer" where the image has no .jpg;
          {Train,Val}_images/synpic*.jpg; VQAMed2019Test/VQAMed2019_Test_Questions_w_Ref_Answers.txt, lines
          "image|category|question|answer", and VQAMed2019_Test_Images/. Some images are VQA-RAD's as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cxreason.datasets import encodings
from cxreason.datasets.images import images_folder
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    need_file,
    read_lines,
    relative,
)
from cxreason.records import Question, Study

NAME = "vqa-med-2019"
TITLE = "VQA-Med 2019"
LICENCE = "CC BY 4.0"
CITATION = "Ben Abacha et al. 2019, https://doi.org/10.5281/zenodo.10499039"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Open-Ended VQA",)
EVALUATION_ONLY = False
STANDS_ON = ()

CATEGORIES = ("C1_Modality", "C2_Plane", "C3_Organ", "C4_Abnormality")
MODALITY, ORGAN = "xr - plain film", "lung, mediastinum, pleura"
TEST = "VQAMed2019_Test_Questions_w_Ref_Answers.txt"
_TRAIN = "*Training*/QAPairsByCategory/C1_Modality_train.txt"
_PARTS = (("train", "train", "Train_images"), ("val", "validation", "Val_images"))
_TEST_IMAGES = ("VQAMed2019_Test_Images", "VQAMed2019Test/VQAMed2019_Test_Images", "Test_images")
_CHEST_X_RAY = re.compile(r"\b(?:chest (?:x-?\s?ray|radiograph|film)s?|cxrs?)\b", re.IGNORECASE)


class Line(NamedTuple):
    """A question as it was published."""

    image: str
    category: str
    question: str
    answer: str


def find(folder: Path) -> Path | None:
    """The folder above those of the parts."""
    file = find_file(folder, _TRAIN)
    return file and file.parents[2]


def read(folder: Path) -> Iterator[Study]:
    """One study for each chest X-ray with all its questions, train, validation, then test."""
    root = need_file(folder, _TRAIN).parents[2]
    for part, split, images in _PARTS:
        lines = [
            Line(image, category.partition("_")[2].casefold(), question, answer)
            for category in CATEGORIES
            for image, question, answer in _fields(
                need_file(root, f"QAPairsByCategory/{category}_{part}.txt"), 3
            )
        ]
        yield from _studies(folder, root, lines, split, images)
    test = find_file(root, TEST)
    if test is not None:
        lines = [Line(image, category.casefold(), *rest) for image, category, *rest in _fields(test, 4)]
        yield from _studies(folder, root, lines, "test", *_TEST_IMAGES)


def is_chest_x_ray(asked: Sequence[Line]) -> bool:
    """By the answers about modality and organ; a single question has to say it itself.

    >>> is_chest_x_ray([Line("1", "modality", "what is it?", MODALITY), Line("1", "organ", "where?", ORGAN)])
    True
    """
    if len(asked) == 1:
        return _CHEST_X_RAY.search(asked[0].question) is not None
    said = {(line.category, line.answer.casefold()) for line in asked}
    return {("modality", MODALITY), ("organ", ORGAN)} <= said


def wordings(answer: str) -> tuple[str, ...]:
    """The ways to write a reference answer of the test set, the fullest way of the first alternative first.

    >>> wordings("acute (bacterial) pneumonia#lung infection")
    ('acute bacterial pneumonia', 'acute pneumonia', 'lung infection')
    """
    found = []
    for alternative in answer.split("#"):
        found.append(encodings.answer(re.sub(r"[()]", " ", alternative)))
        found.append(encodings.answer(re.sub(r"\([^()]*\)", " ", alternative)))
    return tuple(dict.fromkeys(words for words in found if words))


def _fields(path: Path, number: int) -> Iterator[list[str]]:
    for line in read_lines(path):
        values = [encodings.answer(value) for value in line.split("|")]
        if len(values) != number:
            raise DatasetError(f"{path}: expected {number} fields parted by |; found {line[:80]!r}.")
        yield values


def _studies(folder: Path, root: Path, lines: Sequence[Line], split: str, *places: str) -> Iterator[Study]:
    by_image: dict[str, list[Line]] = {}
    for line in lines:
        by_image.setdefault(line.image, []).append(line)
    chests = {image: asked for image, asked in by_image.items() if is_chest_x_ray(asked)}
    images = images_folder(root, (f"{image}.jpg" for image in chests), *places)
    for image, asked in chests.items():
        yield Study(
            id=f"{NAME}/{image}",
            dataset=NAME,
            patient_id=image,
            images=(relative(images / f"{image}.jpg", folder),),
            split=split,
            questions=tuple(_question(line, split) for line in asked),
            groups=(f"medpix/{image}",),
        )


def _question(line: Line, split: str) -> Question:
    ways = wordings(line.answer) if split == "test" else (line.answer,)
    binary = ways[:1] in (("yes",), ("no",))
    return Question(
        text=line.question,
        answers=ways[:1],
        also=ways[1:],
        options=encodings.YES_NO if binary else (),
        kind="choice" if binary else "text",
        closed=binary,
        type=line.category,
    )
