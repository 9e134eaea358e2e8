"""MIMIC-Diff-VQA: questions about a MIMIC-CXR study and about what differs from an earlier one.

Content:  700,703 questions about 164,324 pairs of studies of one patient.
Labels:   answers of seven types: abnormality, presence, view, location, level, type and difference. An
          answer to "difference" lists what is additional, what is missing and what has another level. 14
          CheXpert labels.
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for images and reports.
Citation: Hu et al. 2023, https://arxiv.org/abs/2307.11986
Layout:   mimic_pair_questions.csv: study_id, subject_id, ref_id, question_type, question, answer, split;
          mimic_all.csv: subject_id, study_id, 14 labels, dicom_id, view ("postero-anterior"), split,
          study_date, study_order. The reference is the earlier study. Its split is its own; MIMIC-CXR's is
          used. CheXinstruct's "Difference VQA" is not the type difference, but location, level and type,
          asked about one image.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home, number, own_split
from cxreason.datasets.tables import DatasetError, find_file, need_file, read_csv, read_table
from cxreason.records import Question, Study

NAME = "mimic-diff-vqa"
TITLE = "MIMIC-Diff-VQA"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Hu et al. 2023, https://arxiv.org/abs/2307.11986"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Difference VQA",)
EVALUATION_ONLY = False
STANDS_ON = ("mimic-cxr",)

QUESTIONS, STUDIES = "mimic_pair_questions.csv", "mimic_all.csv"
_KEYS = (("subject_id", "p"), ("study_id", "s"), ("ref_id", "s"))
TYPES = ("abnormality", "presence", "view", "location", "level", "type", "difference")


def find(folder: Path) -> Path | None:
    """The folder of the table of questions."""
    table = find_file(folder, QUESTIONS)
    return table.parent if table else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """For each pair the reference and then the study that is asked about, which has it as prior."""
    path = need_file(folder, QUESTIONS)
    known = _studies(need_file(folder, STUDIES))
    home = Home(folder, mimic)
    table = read_table(
        path, "study_id", "subject_id", "ref_id", "question_type", "question", "answer", "split"
    )
    table = table.append_column("line", [list(range(len(table)))])
    order = [(name, "ascending") for name in ("subject_id", "study_id", "ref_id", "line")]
    rows = (row for batch in table.sort_by(order).to_batches(max_chunksize=4096) for row in batch.to_pylist())
    for (subject, study, reference), mine in groupby(
        rows, lambda row: tuple(number(row[name], letter) for name, letter in _KEYS)
    ):
        pair = f"{NAME}/s{study}" + (f"/s{reference}" if reference else "")
        mine = list(mine)
        if reference:
            yield Study(id=f"{pair}/reference", **_shown(home, known, subject, reference, path))
        yield Study(
            id=pair,
            prior_id=f"{pair}/reference" if reference else "",
            questions=tuple(_question(row, path) for row in mine),
            own_split=own_split(mine[0]["split"], path),
            **_shown(home, known, subject, study, path),
        )


def _shown(
    home: Home, known: dict[str, dict[str, Any]], subject: str, study: str, path: Path
) -> dict[str, Any]:
    """What is said of one study of a pair: its one frontal image, labels and report."""
    if study not in known:
        raise DatasetError(
            f"{path}: asks about study {study}; expected it in {STUDIES}, which does not have it."
        )
    one = known[study]
    return {
        "dataset": NAME,
        "images": (home.image(subject, study, one["dicom"]),),
        "views": (one["view"],),
        "labels": one["labels"],
        "order": one["order"],
        **home.who(subject, study),
        **home.sections(subject, study),
    }


def _studies(path: Path) -> dict[str, dict[str, Any]]:
    """study_id -> its image, view, labels and place in time."""
    known = {}
    shared: dict[tuple[str, ...], dict[str, int]] = {}
    columns = ("study_id", "dicom_id", "view", "study_date", "study_order")
    for row in read_csv(path, *columns, *encodings.CHEXPERT):
        values = tuple(row[name] for name in encodings.CHEXPERT)
        if values not in shared:
            shared[values] = encodings.labels(row, encodings.CHEXPERT, path)
        known[number(row["study_id"], "s")] = {
            "dicom": row["dicom_id"].strip(),
            "view": encodings.view(row["view"]),
            "labels": shared[values],
            "order": f"{number(row['study_order'], ''):0>4} {row['study_date'].strip()}",
        }
    return known


def _question(row: dict[str, str], path: Path) -> Question:
    kind = row["question_type"].strip().lower()
    if kind not in TYPES:
        raise DatasetError(f"{path}: expected a question_type {', '.join(TYPES)}; found {kind!r}.")
    closed = row["answer"].strip().lower() in encodings.YES_NO
    return encodings.question(row["question"], row["answer"], closed=closed, type=kind)
