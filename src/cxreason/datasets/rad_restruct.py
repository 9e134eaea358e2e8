"""Rad-ReStruct: structured reports of Open-i, asked question by question from general to detailed.

Content:  3,597 reports with 142,340 questions in the training part; frontal images only, one to four a
          report.
Labels:   answers among given options: one of them (single_choice), any number (multi_choice) or fixed ones.
          What was asked and answered before belongs to the question.
Access:   open; code MIT, reports and images from Open-i under CC BY-NC-ND 4.0.
Citation: Pellegrini et al. 2023, https://arxiv.org/abs/2307.05766
Layout:   data/radrestruct/{train,val,test}_qa_pairs/<report>.json, each a list of [question, [answers],
          history, {answer_type, options, path}] with a history of [question, [answers]];
          id_to_img_mapping_frontal_reports.json: report -> ["CXR1_1_IM-0001-4001", ...], without .png;
          images/*.png. The images are those of Open-i: never train on these and test on those.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.images import images_folder
from cxreason.datasets.tables import (
    DatasetError,
    find_file,
    listing,
    need,
    need_file,
    read_json,
    relative,
    visible,
)
from cxreason.records import Question, Study

NAME = "rad-restruct"
TITLE = "Rad-ReStruct"
LICENCE = "MIT (code), CC BY-NC-ND 4.0 (reports and images)"
CITATION = "Pellegrini et al. 2023, https://arxiv.org/abs/2307.05766"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Open-Ended VQA", "Close-Ended VQA")
EVALUATION_ONLY = False
STANDS_ON = ()

MAPPING = "id_to_img_mapping_frontal_reports.json"
_MAPPINGS = (MAPPING, f"data/radrestruct/{MAPPING}")
PARTS = {"train": "train", "val": "validation", "test": "test"}
KINDS = {"single_choice": "choice", "multi_choice": "labels"}


def find(folder: Path) -> Path | None:
    """The folder of the questions."""
    mapping = find_file(folder, *_MAPPINGS)
    return mapping and mapping.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each report with its questions, train, validation, then test, reports by number."""
    mapping = need_file(folder, *_MAPPINGS)
    root = mapping.parent
    names = {str(report): tuple(images) for report, images in read_json(mapping)}
    every = (f"{name}.png" for images in names.values() for name in images)
    images = images_folder(root, every, "images", "images/images")
    for part, split in PARTS.items():
        asked = root / f"{part}_qa_pairs"
        files = sorted(visible(asked.glob("*.json")), key=lambda file: (len(file.stem), file.stem))
        if not files:
            raise DatasetError(f"{asked}: expected <report>.json files; found {listing(asked)}.")
        for file in files:
            shown = names.get(file.stem)
            if not shown:
                raise DatasetError(f"{mapping}: expected the images of report {file.stem!r}; found none.")
            patient = shown[0].partition("_")[0]
            yield Study(
                id=f"{NAME}/{file.stem}",
                dataset=NAME,
                patient_id=patient,
                images=tuple(relative(images / f"{name}.png", folder) for name in shown),
                split=split,
                questions=tuple(question(item, file) for _, item in read_json(file)),
                groups=(f"open-i/{patient}",),
            )


def question(item: Any, file: Path) -> Question:
    """One entry of a file of questions.

    >>> about = {"answer_type": "single_choice", "options": ["yes", "no"], "path": "lung_opacity"}
    >>> made = question(["Opacity?", ["yes"], [["Lung?", ["yes"]]], about], Path("1.json"))
    >>> made.context, made.kind, made.answers
    ('Lung? yes', 'choice', ('yes',))
    """
    if not isinstance(item, list) or len(item) != 4:
        raise DatasetError(
            f"{file}: expected [question, [answers], history, {{answer_type, options, path}}]; "
            f"found {item!r:.80}."
        )
    asked, answers, history, about = item
    kind, options, path = need(about, file, "answer_type", "options", "path")
    said, choices = _words(answers), _words(options)
    return Question(
        text=_plain(str(asked)),
        answers=said,
        options=choices,
        kind=KINDS.get(kind, "choice" if len(said) == 1 else "labels")
        if set(said) <= set(choices)
        else "text",
        closed=True,
        type=str(path),
        context="\n".join(f"{_plain(str(before))} {', '.join(_words(said))}" for before, said in history),
    )


def _words(values: Any) -> tuple[str, ...]:
    return tuple(_plain(str(value)) for value in values)


@lru_cache(maxsize=16_384)
def _plain(text: str) -> str:
    """A question or an answer; the same few thousand come again in every report, and in every history."""
    return encodings.answer(text)
