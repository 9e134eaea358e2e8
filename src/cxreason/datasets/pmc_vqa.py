"""PMC-VQA: questions with four choices about figures of PubMed Central, written by a language model.

Content:  v2, of figures with a single panel (176,948 questions for training, 2,000 for testing), where it
          is there; else v1. Here those about chest X-rays, which no column says: the caption (v1: the
          question or a choice) has to speak of a chest X-ray, and neither it nor the question nor its
          choices may speak of CT or MR.
Labels:   four choices with a letter before them, "A:..." or " A:...". In v1 `Answer` is the text and
          `Answer_label` the letter (an old dump spells Anwser and Anwser_label); in v2 `Answer` is the
          letter. A question whose answer is not one of its choices is left out.
Access:   open, CC BY-SA; each figure under the licence of its article.
Citation: Zhang et al. 2023, https://arxiv.org/abs/2305.10415
Layout:   train_2.csv, test_2.csv (or train2.csv, test2.csv) and figures/ from images_2.zip; v1: train.csv,
          test_clean.csv (or test.csv) and images/ from images.zip. Figure_path is PMC1064097_F1.jpg: the
          article, which stands for the patient here, and its figure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.images import images_folder
from cxreason.datasets.tables import Column, find_table, need_table, read_csv, relative
from cxreason.records import Question, Study

NAME = "pmc-vqa"
TITLE = "PMC-VQA"
LICENCE = "CC BY-SA"
CITATION = "Zhang et al. 2023, https://arxiv.org/abs/2305.10415"
OFFICIAL_SPLITS = ("train", "test")
TASKS = ("Open-Ended VQA", "Close-Ended VQA")
EVALUATION_ONLY = False
STANDS_ON = ()

LETTERS = "ABCD"
SECOND = {"train": ("train_2.csv", "train2.csv"), "test": ("test_2.csv", "test2.csv")}
FIRST = {"train": ("train.csv",), "test": ("test_clean.csv", "test.csv")}
_PLACES = ("figures", "images_2", "images_2/figures", "images", "images/images")
_COLUMNS: tuple[Column, ...] = (
    "Figure_path",
    "Question",
    *(f"Choice {letter}" for letter in LETTERS),
    ("Answer", "Anwser"),
)
_LABEL = ("Answer_label", "Anwser_label")
_CHEST_X_RAY = re.compile(
    r"\bchest\s+(?:plain\s+)?(?:x-?\s?rays?|radiograph\w*|films?|roentgeno\w+)\b"
    r"|\b(?:x-?\s?rays?|radiographs?|roentgenograms?)\s+of\s+(?:the\s+)?(?:chest|thorax|lungs?)\b|\bcxrs?\b",
    re.IGNORECASE,
)
_OTHER_KIND = re.compile(
    r"\b(?:HR|MD)?CT(?:A|PA)?\b|\bMRI\b|\b(?i:comput\w+\s+tomogra\w+|magnetic\s+resonance|ultraso\w+)\b"
)


def find(folder: Path) -> Path | None:
    """The folder of the tables."""
    table = find_table(folder, (*SECOND["train"], *FIRST["train"]), *_COLUMNS)
    return table and table.parent


def read(folder: Path) -> Iterator[Study]:
    """One study for each figure with its questions, train then test, in the order of the tables."""
    root = need_table(folder, (*SECOND["train"], *FIRST["train"]), *_COLUMNS).parent
    version = SECOND if find_table(root, SECOND["train"], *_COLUMNS) else FIRST
    for split, names in version.items():
        by_figure: dict[str, list[Question]] = {}
        table = need_table(root, names, *_COLUMNS)
        for row in read_csv(table, *_COLUMNS, optional=(_LABEL, "Caption", "index")):
            asked = question(row) if is_chest_x_ray(row) else None
            if asked is not None:
                by_figure.setdefault(Path(row["Figure_path"].strip()).name, []).append(asked)
        images = images_folder(root, by_figure, *_PLACES)
        for figure, questions in by_figure.items():
            article = figure.partition("_")[0]
            yield Study(
                id=f"{NAME}/{Path(figure).stem}",
                dataset=NAME,
                patient_id=article,
                images=(relative(images / figure, folder),),
                split=split,
                questions=tuple(questions),
                groups=(f"pmc/{article}",),
            )


def is_chest_x_ray(row: Mapping[str, str]) -> bool:
    """By the words of the caption where there is one, else of the question and its choices.

    >>> is_chest_x_ray({"Caption": "Chest X-ray on admission.", "Question": "What is seen?"})
    True
    >>> is_chest_x_ray({"Caption": "Chest X-ray (a) and CT (b).", "Question": "What is seen?"})
    False
    """
    asked = " ".join(row[name] for name in ("Question", *(f"Choice {one}" for one in LETTERS)) if name in row)
    caption = row.get("Caption", "")
    return bool(_CHEST_X_RAY.search(caption or asked)) and not _OTHER_KIND.search(f"{caption} {asked}")


def question(row: Mapping[str, str]) -> Question | None:
    """A row of either version; None where the answer is not one of the choices."""
    choices = {letter: encodings.choice(row[f"Choice {letter}"], letter) for letter in LETTERS}
    answer = encodings.answer(row["Answer"])
    letter = encodings.answer(row.get("Answer_label", "")) or (answer if len(answer) == 1 else "")
    right = choices.get(letter.upper()) or next(
        (words for letter, words in choices.items() if words and words == encodings.choice(answer, letter)),
        None,
    )
    options = tuple(dict.fromkeys(words for words in choices.values() if words))
    if right is None or len(options) < 2:
        return None
    return Question(
        text=encodings.answer(row["Question"]),
        answers=(right,),
        options=options,
        kind="choice",
        closed=True,
        id=row.get("index", ""),
    )
