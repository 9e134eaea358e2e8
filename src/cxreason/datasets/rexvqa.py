"""ReXVQA: questions with four options about the studies of ReXGradient-160K, written by a language model.

Content:  about 696,000 questions on presence, location, negation, differential diagnosis and geometry:
          572,952 for training; the test part is for evaluation only.
Labels:   four options "A. ..." with the letter of the right one and an explanation. The findings and the
          impression of the study stand beside every question: they are the report here, and no part of it.
Access:   Hugging Face rajpurkarlab/ReXVQA, gated, for research; the images are those of ReXGradient-160K.
Citation: Pal et al. 2025, https://arxiv.org/abs/2506.04353
Layout:   metadata/{train,valid,test}_vqa_data.json, each an object: id -> record, with ImagePath relative
          to metadata/ ("../deid_png/<patient>/..."), which lies here or in the folder of ReXGradient-160K.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.tables import (
    DatasetError,
    candidates,
    find_file,
    need,
    need_file,
    read_json,
    relative,
)
from cxreason.records import Question, Study

NAME = "rexvqa"
TITLE = "ReXVQA"
LICENCE = "ReXGradient non-commercial data access agreement"
CITATION = "Pal et al. 2025, https://arxiv.org/abs/2506.04353"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Close-Ended VQA",)
EVALUATION_ONLY = False
STANDS_ON = ("rexgradient",)

SPLITS = {"train": "train", "valid": "validation", "test": "test"}
LETTERS = "ABCDEFGH"
FILES = tuple(f"metadata/{part}_vqa_data.json" for part in SPLITS)
_KEYS = ("study_id", "question", "options", "correct_answer", "ImagePath")


def find(folder: Path) -> Path | None:
    """The folder above `metadata`."""
    file = find_file(folder, *FILES)
    return file and file.parents[1]


def read(folder: Path, rexgradient: Path) -> Iterator[Study]:
    """One study for each run of questions about one; where it comes again its id has a number behind it.

    Questions of a study usually stand together, and to gather the others would take the memory of all.
    """
    root = need_file(folder, *FILES).parents[1]
    images = _images(root, rexgradient)
    runs: dict[str, int] = {}
    for name, split in zip(FILES, SPLITS.values(), strict=True):
        file = find_file(root, name)
        if file is None:  # who only evaluates fetches the test part alone
            continue
        records = ((key, _checked(record, file)) for key, record in read_json(file))
        for study, asked in itertools.groupby(records, key=lambda item: str(item[1]["study_id"])):
            run = list(asked)
            first = run[0][1]
            paths = [_inside(path, file) for path in first["ImagePath"]]
            patient = str(first.get("PatientID") or paths[0].split("/")[1])
            runs[study] = runs.get(study, 0) + 1
            yield Study(
                id=f"{NAME}/{study}" if runs[study] == 1 else f"{NAME}/{study}-{runs[study]}",
                dataset=NAME,
                patient_id=patient,
                images=tuple(relative(images / path, folder) for path in paths),
                views=tuple(map(encodings.view, first.get("ImageViewPosition") or ())),
                split=split,
                indication=encodings.text(first.get("Indication", "")),
                comparison=encodings.text(first.get("Comparison", "")),
                findings=encodings.text(first.get("Findings", "")),
                impression=encodings.text(first.get("Impression", "")),
                sex=encodings.sex(first.get("PatientSex", "")),
                age=encodings.age(first.get("PatientAge", "")),
                order=encodings.text(first.get("StudyDate", "")),
                questions=tuple(question(key, record, file) for key, record in run),
                groups=(f"{STANDS_ON[0]}/{patient}",),
            )


def question(key: str, record: dict[str, Any], file: Path) -> Question:
    """A record as it is asked here.

    >>> record = {"question": "Which?", "options": ["A. Left", "B. Right"], "correct_answer": "B"}
    >>> made = question("1", record, Path("test_vqa_data.json"))
    >>> made.answers, made.options
    (('Right',), ('Left', 'Right'))
    """
    listed = record["options"]
    listed = listed.values() if isinstance(listed, dict) else listed
    options = tuple(encodings.choice(option, letter) for letter, option in zip(LETTERS, listed, strict=False))
    letter = encodings.answer(record["correct_answer"])[:1].upper()
    if not letter or letter not in LETTERS[: len(options)]:
        raise DatasetError(
            f"{file}: {key}: expected the letter of one of {len(options)} options as correct_answer; "
            f"found {record['correct_answer']!r}."
        )
    return Question(
        text=encodings.answer(record["question"]),
        answers=(options[LETTERS.index(letter)],),
        options=options,
        kind="choice",
        closed=True,
        type=encodings.text(record.get("task_name", "")),
        subject=encodings.text(record.get("subcategory", "")),
        explanation=encodings.text(record.get("correct_answer_explanation", "")),
        id=key,
    )


def _checked(record: Any, file: Path) -> dict[str, Any]:
    need(record, file, *_KEYS)
    if not record["ImagePath"] or not isinstance(record["ImagePath"], list):
        raise DatasetError(
            f"{file}: expected a list of images as ImagePath; found {record['ImagePath']!r:.60}."
        )
    return record


def _inside(path: str, file: Path) -> str:
    """An ImagePath from deid_png on."""
    _, mark, rest = str(path).partition("deid_png/")
    if not mark:
        raise DatasetError(f"{file}: expected an ImagePath with deid_png/ in it; found {path!r}.")
    return mark + rest


def _images(root: Path, rexgradient: Path) -> Path:
    """The folder in which deid_png lies: here, or that of ReXGradient."""
    for folder in (root, rexgradient):
        for place in candidates(folder, "deid_png"):
            return place.parent
    return root
