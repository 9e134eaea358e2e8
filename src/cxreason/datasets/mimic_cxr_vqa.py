"""MIMIC-CXR-VQA: questions about MIMIC-CXR images, made from the scene graphs of Chest ImaGenome.

Content:  377,391 questions about one image each.
Labels:   lists of answers, an empty one for "none"; seven kinds of content (`Question.type`), asked to
          verify, to choose or to query. What the question is about is in `Question.subject`.
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for images and reports.
Citation: Bae et al. 2023, https://arxiv.org/abs/2310.18652
Layout:   MIMIC-Ext-MIMIC-CXR-VQA/dataset/{train,valid,test}.json, or mimiccxrvqa/dataset/...; each a list.
          The files with an underscore in front have no answers. image_path lacks "files/"; m and f are
          sexes; ids are numbers or texts. The test images are the gold set of Chest ImaGenome, in
          MIMIC-CXR's train in part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home, own_split, place_of
from cxreason.datasets.tables import DatasetError, find_json, need, read_json
from cxreason.records import Question, Study

NAME = "mimic-cxr-vqa"
TITLE = "MIMIC-CXR-VQA"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Bae et al. 2023, https://arxiv.org/abs/2310.18652"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Open-Ended VQA", "Close-Ended VQA")
EVALUATION_ONLY = False
STANDS_ON = ("mimic-cxr",)

FILES = ("train.json", "valid.json", "test.json")
KEYS = ("question", "answer", "image_path", "content_type", "semantic_type")
SEXES = {"m": "Male", "f": "Female"}


def find(folder: Path) -> Path | None:
    """The folder of the first of the three files that is there."""
    found = next(_files(folder), None)
    return found.parent if found else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """One study for each question, in the order of the files."""
    files = list(_files(folder))
    if not files:
        raise DatasetError(
            f"{folder}: expected dataset/train.json of MIMIC-CXR-VQA with {', '.join(KEYS)} in each entry, "
            "there or up to two folders below; found none."
        )
    home = Home(folder, mimic)
    for path in files:
        for position, record in read_json(path):
            _, _, image_path, _, _ = need(record, path, *KEYS)
            subject, study, dicom = place_of(str(image_path), path)
            yield Study(
                id=f"{NAME}/{path.stem}/{record.get('idx', position)}",
                dataset=NAME,
                images=(home.image(subject, study, dicom),),
                views=(home.view(study, dicom),),
                questions=(_question(record, path, position),),
                own_split=own_split(path.stem, path),
                **home.who(subject, study),
                **home.sections(subject, study),
            )


def _files(folder: Path) -> Iterator[Path]:
    for name in FILES:
        for place in ("dataset/", ""):
            found = find_json(folder, f"{place}{name}", *KEYS)
            if found is not None:
                yield found
                break


def _question(record: dict[str, Any], path: Path, position: str) -> Question:
    answers = record["answer"]
    if isinstance(answers, str):  # its README says so, though its files have lists
        answers = [answers]
    if not isinstance(answers, list):
        raise DatasetError(f"{path}: expected a list of answers; found {answers!r:.60}.")
    if record["content_type"] == "gender":
        answers = [SEXES.get(str(one).strip().lower(), one) for one in answers]
    answers = tuple(encodings.answer(one) for one in answers)
    closed = bool(answers) and answers[0].lower() in encodings.YES_NO
    about = record.get("template_arguments") or {}
    named = [about.get(key) for key in ("object", "attribute", "category", "viewpos", "gender")]
    values = (
        one for group in named if group for one in (group.values() if isinstance(group, dict) else [group])
    )
    return Question(
        text=encodings.answer(record["question"]),
        answers=tuple(one.lower() for one in answers) if closed else answers,
        options=encodings.YES_NO if closed else (),
        kind="choice" if closed else "text",
        closed=closed,
        type=f"{record['content_type']}/{record['semantic_type']}",
        subject=", ".join(encodings.text(one) for one in values),
        id=str(record.get("idx", position)),
    )
