"""ROCO: figures of articles in PubMed Central with their captions; only the chest X-rays are read.

Content:  81,825 radiological figures; of the 65,448 of train about 2,550 are chest X-rays. No label says so:
          the captions do, by `chest_xray`. English.
Labels:   none; the keywords and UMLS concepts of the captions are not read.
Access:   open; captions on GitHub, images from PubMed Central by the fetch script, each under its article's
          licence.
Citation: Pelka et al. 2018, https://doi.org/10.1007/978-3-030-01364-6_20
Layout:   data/{train,validation,test}/radiology/captions.txt with a number, a tab, a blank and the caption,
          of one line or several; images/ROCO_00001.jpg beside it; licences.txt, a table of ROCO_ID, PMC_ID
          and CC. Many links are dead: only figures whose image is there are read. Patients are not known:
          figures of one article, which may show one patient, share a key where licences.txt is there, though
          they may stand in different splits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.tables import DatasetError, find_file, listing, prefix, read_csv, read_lines
from cxreason.records import Study

NAME = "roco"
TITLE = "ROCO"
LICENCE = "each figure under the licence of its article"
CITATION = "Pelka et al. 2018, https://doi.org/10.1007/978-3-030-01364-6_20"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ("Image-Text Matching", "Image-Text Selection", "Caption Generation")
EVALUATION_ONLY = False
STANDS_ON = ()

CAPTIONS = "radiology/captions.txt"
_FIGURE = re.compile(r"((?:ROCO|PMC)\w*)\t")
_CHEST_XRAY = re.compile(
    r"\bCXR\b|\b(?:chest|thora\w+|lungs?)\W+(?:\w+\W+){0,2}?(?:x[\s-]*rays?|roentgeno\w+|radiogra\w+|(?:plain|x-ray)\s+films?)"
    r"|\b(?:x[\s-]*rays?|roentgenogram|radiogra(?:ph|m|phy)|plain\s+film)\W+(?:\w+\W+){0,5}?(?:chest|thora\w+|lungs?)\b",
    re.IGNORECASE,
)
_ANOTHER = re.compile(
    r"\b(?:CT|HRCT|CECT|MDCT|CTPA|PET|MRI?|MRA|SPECT|USG?)\b|tomogra|magnetic\s+resonance|ultraso|echocardio|"
    r"angiogra|venogra|bronchogra|scintigra|mammogra|fluorosc|barium|esophagogra|oesophagogra|abdom\w+\s+(?:x|radio)",
    re.IGNORECASE,
)


def find(folder: Path) -> Path | None:
    """The folder above train/."""
    listed = find_file(folder, f"train/{CAPTIONS}", f"data/train/{CAPTIONS}")
    return listed.parents[2] if listed else None


def read(folder: Path) -> Iterator[Study]:
    """One study for each chest X-ray that is there: train, validation, test."""
    root = find(folder)
    if root is None:
        raise DatasetError(
            f"{folder}: expected data/train/{CAPTIONS} there or up to two folders below; found "
            f"{listing(folder)}."
        )
    for split in OFFICIAL_SPLITS:
        captions = root / split / CAPTIONS
        if not captions.is_file():
            raise DatasetError(f"{root}: expected {split}/{CAPTIONS}; found {listing(captions.parent)}.")
        images = captions.parent / "images"
        if not images.is_dir():
            raise DatasetError(
                f"{images.parent}: expected images/; found {listing(images.parent)}. Run its fetch script."
            )
        licences = captions.parent / "licences.txt"
        article = (
            {row["ROCO_ID"]: row["PMC_ID"] for row in read_csv(licences, "ROCO_ID", "PMC_ID")}
            if licences.is_file()
            else {}
        )
        there = {entry.name for entry in os.scandir(images)}
        below = prefix(images, folder)
        for figure, caption in _captions(captions):
            image = f"{figure}.jpg"
            if image in there and chest_xray(caption):
                yield Study(
                    id=f"{NAME}/{figure}",
                    dataset=NAME,
                    patient_id=figure,
                    images=(below + image,),
                    split=split,
                    narrative=encodings.text(caption),
                    groups=(f"pmc/{article[figure]}",) if figure in article else (),
                )


def _captions(path: Path) -> Iterator[tuple[str, str]]:
    """Figures with their captions. A line that names no figure goes on with the caption before it."""
    figure, parts = "", []
    for line in read_lines(path):
        named = _FIGURE.match(line)
        if named is None and (not figure or line.startswith("ROCO_")):
            raise DatasetError(f"{path}: expected a number, a tab and a caption; found {line!r:.80}.")
        if named is not None:
            if figure:
                yield figure, " ".join(parts)
            figure, parts, line = named[1], [], line[named.end() :]
        parts.append(line)
    if figure:
        yield figure, " ".join(parts)


def chest_xray(caption: str) -> bool:
    """Whether a caption is that of a chest X-ray and of no other kind of image beside it.

    >>> chest_xray("Chest X-ray (PA view) with effusion."), chest_xray("Chest X-ray and CT of the chest.")
    (True, False)
    """
    return bool(_CHEST_XRAY.search(caption)) and not _ANOTHER.search(caption)
