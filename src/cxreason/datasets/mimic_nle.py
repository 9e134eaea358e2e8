"""MIMIC-NLE: sentences of MIMIC-CXR reports that explain a diagnosis by what is seen.

Content:  38,003 sentences: 37,016 train, 273 dev, 714 test.
Labels:   for each sentence the diagnoses that it explains and the evidence that it names, out of ten
          findings; for its image each of the ten as positive, uncertain, or "negative or unknown", which is
          left out here.
Access:   query files on GitHub; its script takes the sentences from MIMIC-CXR reports (credentialed). The
          query files as published have no text and are refused.
Citation: Kayser et al. 2022, https://arxiv.org/abs/2207.04343
Layout:   mimic-nle/mimic-nle-{train,dev,test}.json, JSON Lines: sentence_ID ("s51038639#2"), nle,
          patient_ID, report_ID, diagnosis_label, evidence_label, img_labels (one-hot triples).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home, own_split
from cxreason.datasets.tables import DatasetError, find_file, need, need_file, read_json_lines
from cxreason.records import Question, Study

NAME = "mimic-nle"
TITLE = "MIMIC-NLE"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0 (sentences of reports)"
CITATION = "Kayser et al. 2022, https://arxiv.org/abs/2207.04343"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Natural Language Explanation",)
EVALUATION_ONLY = False
STANDS_ON = ("mimic-cxr",)

FILES = ("mimic-nle-train.json", "mimic-nle-dev.json", "mimic-nle-test.json")
FINDINGS = (
    "Atelectasis",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Lung Lesion",
    "Lung Opacity",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
)
MEANS = (None, -1, 1)
"""What the places of a triple say: negative or not mentioned, uncertain, positive."""


def find(folder: Path) -> Path | None:
    """The folder of the sentences."""
    found = find_file(folder, *FILES)
    return found.parent if found else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """One study for each sentence, with the images of its MIMIC-CXR study."""
    root = need_file(folder, *FILES).parent
    home = Home(folder, mimic)
    for path in (root / name for name in FILES):
        if not path.exists():
            continue
        for record in read_json_lines(path):
            if "nle" not in record:
                raise DatasetError(
                    f"{path}: expected the key 'nle'; found {', '.join(record)}. These are the query files: "
                    "run the extraction script of MIMIC-NLE with the MIMIC-CXR reports first."
                )
            keys = (
                "sentence_ID",
                "nle",
                "patient_ID",
                "report_ID",
                "diagnosis_label",
                "evidence_label",
                "img_labels",
            )
            sentence, text, subject, study, diagnosis, evidence, seen = need(record, path, *keys)
            yield Study(
                id=f"{NAME}/{sentence}",
                dataset=NAME,
                labels=_labels(seen, path),
                questions=(
                    Question(
                        text="",
                        answers=(encodings.text(text),),
                        type="explanation",
                        subject=", ".join(_marked(diagnosis, path)),
                        context=", ".join(_marked(evidence, path)),
                        id=sentence,
                    ),
                ),
                own_split=own_split(path.stem.rpartition("-")[2], path),
                **home.who(subject, study),
                **home.images(subject, study),
                **home.sections(subject, study),
            )


def _marked(values: Any, path: Path) -> list[str]:
    """The findings whose place in a vector is set."""
    if not isinstance(values, list) or len(values) != len(FINDINGS):
        raise DatasetError(f"{path}: expected a list of {len(FINDINGS)} numbers; found {values!r:.80}.")
    return [
        encodings.finding(name) for name, value in zip(FINDINGS, values, strict=True) if float(value) == 1
    ]


def _labels(triples: Any, path: Path) -> dict[str, int]:
    if not isinstance(triples, list) or len(triples) != len(FINDINGS):
        raise DatasetError(
            f"{path}: expected {len(FINDINGS)} triples under img_labels; found {triples!r:.80}."
        )
    found = {}
    for name, triple in zip(FINDINGS, triples, strict=True):
        if not isinstance(triple, list) or sorted(map(float, triple)) != [0, 0, 1]:
            raise DatasetError(f"{path}: expected one 1 and two 0 under img_labels; found {triple!r:.60}.")
        value = MEANS[[float(one) for one in triple].index(1)]
        if value is not None:
            found[encodings.finding(name)] = value
    return found
