"""RadGraph: reports with their entities and the relations between them, marked by radiologists.

Content:  550 MIMIC-CXR reports (500 train and dev, 50 test) and 50 CheXpert reports (test).
Labels:   entities ANAT-DP, OBS-DP, OBS-U, OBS-DA, each with the positions of its tokens, first and last,
          and its relations modify, located_at, suggestive_of. Test reports were marked twice; the first is
          read.
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for its splits.
Citation: Jain et al. 2021, https://arxiv.org/abs/2106.14463
Layout:   train.json, dev.json, test.json: objects "p18/p18004941/s588828.txt" -> text, entities,
          data_source; in test.json labeler_1 and labeler_2. The text is tokens parted by blanks. Keys of
          CheXpert reports have short numbers; these are always test. MIMIC-CXR_graphs.json, which a model
          made, is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cxreason.datasets.mimic_home import Home, own_split
from cxreason.datasets.tables import DatasetError, find_json, need, read_json
from cxreason.records import Entity, Study

NAME = "radgraph"
TITLE = "RadGraph"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Jain et al. 2021, https://arxiv.org/abs/2106.14463"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Named Entity Recognition",)
EVALUATION_ONLY = False
STANDS_ON = ("mimic-cxr",)

FILES = {
    "train.json": ("text", "entities"),
    "dev.json": ("text", "entities"),
    "test.json": ("labeler_1",),
}
LABELS = ("ANAT-DP", "OBS-DP", "OBS-U", "OBS-DA")
_KEY = re.compile(r"p(\d+)/s(\d+)\.txt$")


def find(folder: Path) -> Path | None:
    """The folder of the first of the three files that is there."""
    found = next(_files(folder), None)
    return found.parent if found else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """One study for each report, without images."""
    files = list(_files(folder))
    if not files:
        raise DatasetError(
            f"{folder}: expected train.json of RadGraph, reports with text and entities, there or up to two "
            "folders below; found none."
        )
    home = Home(folder, mimic)
    for path in files:
        for key, record in read_json(path):
            need(record, path)
            first = record.get("labeler_1", record)
            (text,) = need(record if "text" in record else first, path, "text")
            (marked,) = need(first, path, "entities")
            source = str(record.get("data_source", ""))
            yield Study(
                id=f"{NAME}/{key.removesuffix('.txt')}",
                dataset=NAME,
                images=(),
                narrative=text,
                entities=tuple(_entities(marked, path, key)),
                own_split=own_split(path.stem, path),
                **_who(home, key, source, path),
            )


def _files(folder: Path) -> Iterator[Path]:
    for name, keys in FILES.items():
        found = find_json(folder, name, *keys)
        if found is not None:
            yield found


def _who(home: Home, key: str, source: str, path: Path) -> dict[str, Any]:
    match = _KEY.search(key)
    if match and len(match[1]) >= 5 and not source.lower().startswith("chexpert"):
        return home.who(match[1], match[2])
    if not match and not source:
        raise DatasetError(f"{path}: expected reports named as p18/p18004941/s588828.txt; found {key!r}.")
    patient = (
        f"chexpert-report/{key.removesuffix('.txt')}"  # these numbers are not those of CheXpert's images
    )
    return {"patient_id": patient, "split": "test", "groups": ()}


def _entities(marked: Any, path: Path, key: str) -> Iterator[Entity]:
    if not isinstance(marked, dict):
        raise DatasetError(f"{path}: expected entities by number in {key}; found {marked!r:.60}.")
    for number, one in marked.items():
        words, label, start, end, relations = need(
            one, path, "tokens", "label", "start_ix", "end_ix", "relations"
        )
        if label not in LABELS:
            raise DatasetError(f"{path}: expected a label {', '.join(LABELS)} in {key}; found {label!r}.")
        yield Entity(
            number, words, label, int(start), int(end), tuple(f"{name} {to}" for name, to in relations)
        )
