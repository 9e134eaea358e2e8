"""VQA-RAD: questions that clinicians asked about radiographs and CT and MR slices of MedPix.

Content:  2,248 questions about 314 images; here the 794 about the chest. There is no word for the kind of
          image: a chest image is left out where its own questions say that it is a CT or MR slice.
Labels:   answers; OPEN or CLOSED (two have a blank behind it), sometimes a number instead of a text, "None"
          as an answer; types of the question, several in one text, with typing errors. What is missing says
          "NULL".
Access:   open, CC0.
Citation: Lau et al. 2018, https://doi.org/10.1038/sdata.2018.251
Layout:   "VQA_RAD Dataset Public.json" and "VQA_RAD Image Folder/synpic*.jpg" as on OSF; or trainset.json,
          testset.json and images/ as MEVF split them, with 1,267 questions once more in their framed form.
          The split is by question (a phrase_type that begins with test_): nearly every image of a test
          question has training questions too. A study with a test question is a test study here, and its
          questions keep their own split. The last digits of image_case_url were filled in by a spreadsheet
          and often count up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.images import images_folder
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    find_json,
    need,
    need_file,
    read_json,
    relative,
)
from cxreason.records import Question, Study

NAME = "vqa-rad"
TITLE = "VQA-RAD"
LICENCE = "CC0 1.0"
CITATION = "Lau et al. 2018, https://doi.org/10.1038/sdata.2018.251"
OFFICIAL_SPLITS = ("train", "test")
TASKS = ("Open-Ended VQA", "Close-Ended VQA")
EVALUATION_ONLY = False
STANDS_ON = ()

_PUBLIC = ("VQA_RAD Dataset Public.json", "vqa_rad_dataset_public.json")
_PARTS = {"trainset.json": "train", "testset.json": "test"}
_KEYS = ("qid", "image_name", "image_organ", "question", "answer", "answer_type", "phrase_type")
_PLACES = ("VQA_RAD Image Folder", "images")
_OTHER_KIND = re.compile(r"\b(?:ct|cta|cat scan|mri?|mra|tomogra\w+|ultrasound|pet)\b", re.IGNORECASE)
_ASKS_KIND = re.compile(r"^(?:is|was)\s+(?:this|that|it|the)\b", re.IGNORECASE)


def find(folder: Path) -> Path | None:
    """The folder of the questions."""
    file = find_file(folder, *_PUBLIC) or find_json(folder, "trainset.json", "image_organ")
    return file and file.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each chest image with its questions, in the order in which the file first names them."""
    by_image: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for split, record in records(folder):
        if str(record["image_organ"]).strip() == "CHEST":
            by_image.setdefault(record["image_name"], []).append((split, record))
    if not by_image:
        raise DatasetError(f"{folder}: expected questions about the chest in VQA-RAD; found none.")
    images = images_folder(find(folder) or folder, by_image, *_PLACES)
    for image, asked in by_image.items():
        if says_another_kind([record for _, record in asked]):
            continue
        cases = {str(record.get("image_case_url", "")).rpartition("=")[2] for _, record in asked} - {""}
        stem = Path(image).stem
        yield Study(
            id=f"{NAME}/{stem}",
            dataset=NAME,
            patient_id=stem,
            images=(relative(images / image, folder),),
            split="test" if any(split == "test" for split, _ in asked) else "train",
            questions=tuple(question(record, split) for split, record in asked),
            groups=(f"medpix/{stem}", *(f"medpix/case/{case}" for case in sorted(cases))),
        )


def records(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(split, question as published) of every question, of all organs."""
    public = find_file(folder, *_PUBLIC)
    if public is None and find_file(folder, *_PARTS) is None:
        public = need_file(folder, *_PUBLIC)
    if public is not None:
        for _, record in read_json(public):
            need(record, public, *_KEYS)
            yield "test" if str(record["phrase_type"]).startswith("test_") else "train", record
        return
    for name, split in _PARTS.items():
        file = need_file(folder, name)
        for _, record in read_json(file):
            need(record, file, *_KEYS)
            yield split, record


def question(record: dict[str, Any], split: str) -> Question:
    """A question as it is asked here.

    >>> made = question({"qid": 0, "question": "Clear?", "answer": "No", "answer_type": "CLOSED "}, "train")
    >>> made.answers, made.options, made.closed, made.id
    (('no',), ('yes', 'no'), True, '0')
    """
    return encodings.question(
        record["question"],
        record["answer"],
        closed=str(record["answer_type"]).strip().upper() == "CLOSED",
        type=encodings.text(record.get("question_type", "")),
        split=split,
        id=str(record["qid"]),
    )


def says_another_kind(asked: Sequence[dict[str, Any]]) -> bool:
    """Whether the questions of an image say that it is no radiograph.

    >>> says_another_kind([{"question": "What modality?", "answer": "CT", "question_type": "MODALITY"}])
    True
    >>> says_another_kind([{"question": "Is this a CT?", "answer": "No", "question_type": "MODALITY"}])
    False
    """
    for record in asked:
        text, answer = str(record["question"]), str(record["answer"])
        names_it = (
            "MODALITY" in str(record.get("question_type", "")).upper() and " not " not in text.casefold()
        )
        if _ASKS_KIND.search(text):
            found = _OTHER_KIND.search(text) if answer.strip().casefold() == "yes" else None
        else:
            found = _OTHER_KIND.search(answer) if names_it else None
        if found:
            return True
    return False
