"""RadQA: questions about the findings and impressions of MIMIC-III reports, answered by words of these.

Content:  3,074 questions about 1,009 reports, each asked about both sections where it has two.
Labels:   spans of the text, several where annotators differ (`Question.also`), none where there is no answer.
Access:   PhysioNet, credentialed, with a data use agreement.
Citation: Soni et al. 2022, https://aclanthology.org/2022.lrec-1.672
Layout:   train.json, dev.json, test.json as SQuAD 2.0: data[].paragraphs[].context and .qas[]. The reports
          are of MIMIC-III, whose numbers cannot be matched to MIMIC-CXR's; the summaries of MIMIC-III may
          be the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import own_split
from cxreason.datasets.mimic_iii import text_keys
from cxreason.datasets.tables import DatasetError, candidates, need, read_json
from cxreason.records import Question, Study, content_id

NAME = "radqa"
TITLE = "RadQA"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Soni et al. 2022, https://aclanthology.org/2022.lrec-1.672"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Text QA",)
EVALUATION_ONLY = False
STANDS_ON = ()

FILES = ("train.json", "dev.json", "test.json")


def find(folder: Path) -> Path | None:
    """The folder of the first of the three files that is there."""
    found = next(_files(folder), None)
    return found.parent if found else None


def read(folder: Path) -> Iterator[Study]:
    """One study for each section of a report, with the questions about it."""
    files = list(_files(folder))
    if not files:
        raise DatasetError(
            f"{folder}: expected train.json of RadQA, an object with data[].paragraphs[].qas[], there or up "
            "to two folders below; found none."
        )
    for path in files:
        for title, paragraph in _paragraphs(path):
            context, asked = need(paragraph, path, "context", "qas")
            document = str(paragraph.get("document_id") or title or content_id(context))
            yield Study(
                id=f"{NAME}/{path.stem}/{content_id(document, context)}",
                dataset=NAME,
                patient_id=document,
                images=(),
                split=own_split(path.stem, path),
                narrative=encodings.text(context),
                questions=tuple(_question(one, context, path) for one in asked),
                groups=text_keys(encodings.text(context)),
            )


def _files(folder: Path) -> Iterator[Path]:
    for name in FILES:
        yield from islice(filter(_is_squad, candidates(folder, name)), 1)


def _is_squad(path: Path) -> bool:
    try:
        for number, (key, value) in enumerate(read_json(path)):
            if key == "data":
                return isinstance(value, list) and (not value or "paragraphs" in value[0])
            if number > 3 or not isinstance(value, str):  # a version may stand before the data
                return False
    except DatasetError:
        return False
    return False


def _paragraphs(path: Path) -> Iterator[tuple[str, Any]]:
    for key, articles in read_json(path):
        if key == "data":
            for article in articles:
                (paragraphs,) = need(article, path, "paragraphs")
                yield from ((str(article.get("title", "")), paragraph) for paragraph in paragraphs)


def _question(one: Any, context: str, path: Path) -> Question:
    text, answers, name = need(one, path, "question", "answers", "id")
    said = [encodings.text(need(answer, path, "text")[0]) for answer in answers]
    if not said and not one.get("is_impossible", True):
        raise DatasetError(f"{path}: expected an answer to question {name!r}, or is_impossible true.")
    said = list(dict.fromkeys(words for words in said if words))
    return Question(
        text=encodings.text(text),
        answers=tuple(said[:1]),
        also=tuple(said[1:]),
        type="unanswerable" if not said else "span",
        context=encodings.text(context),
        id=str(name),
    )
