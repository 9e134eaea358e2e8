"""MIMIC-III notes: reports of CT and MR with findings and impression, for summarization.

Content:  522,279 radiology notes of intensive care, 2001-2012, of which those of CT and MR are read; it has
          no images and, here, no chest X-rays.
Labels:   none. `Study.technique` holds the name of the examination.
Access:   PhysioNet, credentialed, with a data use agreement.
Citation: Johnson et al. 2016, https://doi.org/10.1038/sdata.2016.35
Layout:   NOTEEVENTS.csv.gz with CATEGORY, DESCRIPTION, ISERROR and TEXT. Read are notes of the category
          Radiology that are no errors, name CT or MR of one region, and have findings and exactly one
          impression. Marks of de-identification [**...**] become ___. RadQA asks about such reports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.tables import find_file, need_file, read_csv
from cxreason.records import Study, content_id
from cxreason.text.sections import sections

NAME = "mimic-iii"
TITLE = "MIMIC-III"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Johnson et al. 2016, https://doi.org/10.1038/sdata.2016.35"
OFFICIAL_SPLITS = ()
TASKS = ("Findings Summarization",)
EVALUATION_ONLY = False
STANDS_ON = ()

TABLE = "NOTEEVENTS.csv"
MODALITIES = {"CT": ("CT", "CTA"), "MR": ("MR", "MRA", "MRI")}
REGIONS = {
    "head": ("HEAD", "BRAIN"),
    "sinus": ("SINUS", "MANDIBLE", "MAXILLOFACIAL"),
    "neck": ("NECK",),
    "spine": ("SPINE", "C-SPINE", "T-SPINE", "L-SPINE", "CERVICAL", "THORACIC", "LUMBAR"),
    "chest": ("CHEST", "THORAX"),
    "abdomen": ("ABDOMEN", "ABD"),
    "pelvis": ("PELVIS", "PEL"),
}
OWN_LENGTH = 200
_MARK = re.compile(r"\[\*\*.*?\*\*\]", re.DOTALL)
_IMPRESSION = re.compile(r"^\s*IMPRESSION\s*:", re.MULTILINE)


def find(folder: Path) -> Path | None:
    """The folder of the notes."""
    table = find_file(folder, TABLE)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study for each note, as the table has them."""
    path = need_file(folder, TABLE)
    for row in read_csv(
        path, "ROW_ID", "SUBJECT_ID", "CHARTDATE", "CATEGORY", "DESCRIPTION", "ISERROR", "TEXT"
    ):
        if row["CATEGORY"].strip() != "Radiology" or row["ISERROR"].strip() in ("1", "1.0"):
            continue
        if not examination_of(row["DESCRIPTION"]):
            continue
        note = _MARK.sub("___", row["TEXT"])
        if len(_IMPRESSION.findall(note)) != 1:
            continue
        parts = {name: encodings.text(part) for name, part in sections(note).items()}
        findings, impression = parts.get("findings", ""), parts.get("impression", "")
        if not findings or not impression:
            continue
        yield Study(
            id=f"{NAME}/{row['ROW_ID'].strip()}",
            dataset=NAME,
            patient_id=row["SUBJECT_ID"].strip(),
            images=(),
            indication=parts.get("indication") or parts.get("history", ""),
            comparison=parts.get("comparison", ""),
            technique=encodings.text(row["DESCRIPTION"]),
            history=parts.get("history", ""),
            findings=findings,
            impression=impression,
            order=row["CHARTDATE"].strip(),
            groups=text_keys(findings, impression),
        )


def text_keys(*texts: str) -> tuple[str, ...]:
    """Keys of passages that are long enough to be one report's own: the same words elsewhere are that one.

    >>> text_keys("Normal study.")
    ()
    """
    return tuple(f"{NAME}/text/{content_id(text)}" for text in texts if len(text) >= OWN_LENGTH)


def examination_of(description: str) -> str:
    """Modality and region of an examination of CT or MR; empty where it is another, or of several regions.

    >>> examination_of("CT HEAD W/O CONTRAST"), examination_of("CT ABD & PELVIS WITH CONTRAST")
    ('CT_head', 'CT_abdomen-pelvis')
    >>> examination_of("CHEST (PORTABLE AP)"), examination_of("CT CHEST W/CONTRAST; CT HEAD W/O CONTRAST")
    ('', '')
    """
    words = set(re.findall(r"[A-Z][A-Z\-]*", description.upper()))
    modality = next((name for name, spellings in MODALITIES.items() if words & set(spellings)), "")
    regions = [name for name, spellings in REGIONS.items() if words & set(spellings)]
    if modality == "CT" and set(regions) <= {"abdomen", "pelvis"} and regions:
        return "CT_abdomen-pelvis"  # nearly always scanned together, whichever of the two is named
    return f"{modality}_{regions[0]}" if modality and len(regions) == 1 else ""
