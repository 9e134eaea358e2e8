"""BIMCV-COVID19: chest X-rays and Spanish reports of patients tested for COVID-19 in the region of Valencia.

Content:  X-rays and CT of positive (iterations 1 to 3) and negative patients; only X-rays are read here.
Labels:   those of PadChest, mined from the reports; only what is there is listed. That a patient is positive
          is no label of an image.
Access:   BIMCV, after registration; research only.
Citation: de la Iglesia Vayá et al. 2020, https://arxiv.org/abs/2006.01174
Layout:   covid19_posi/sub-S03047/ses-E07985/mod-rx/sub-S03047_ses-E07985_run-1_bp-chest_vp-ap_dx.png, and
          covid19_neg/ alike; derivatives/labels/labels_covid_posi.tsv (iterations 1 and 2),
          Labels_covid_123.tsv (1 to 3) and Labels_covid_NEG_JAN21.tsv. ReportID is the session. CT lies in
          the same sessions: an X-ray is in mod-rx and ends in _cr or _dx. PNG images have 16 bits. Labels are
          written as Python writes a list. There is no official split.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.padchest import findings
from cxreason.datasets.tables import DatasetError, candidates, listing, read_csv, relative, visible
from cxreason.records import Study

NAME = "bimcv-covid19"
TITLE = "BIMCV-COVID19"
LICENCE = "BIMCV research use agreement"
CITATION = "de la Iglesia Vayá et al. 2020, https://arxiv.org/abs/2006.01174"
OFFICIAL_SPLITS = ()
TASKS = ("Report Generation",)
EVALUATION_ONLY = False
STANDS_ON = ()

_LABELS = re.compile(r"labels_covid(?:19)?_?(?P<part>posi|123|neg)\w*\.tsv(?:\.gz)?", re.IGNORECASE)
_RADIOGRAPH = re.compile(r".*_(?:cr|dx)\.png", re.IGNORECASE)
_VIEW = re.compile(r"_vp-([a-z]+)", re.IGNORECASE)


def find(folder: Path) -> Path | None:
    """The folder with sub-.../ of the first table of labels."""
    tables = _tables(folder)
    return _home(tables[0]) if tables else None


def read(folder: Path) -> Iterator[Study]:
    """One study for each session with an X-ray; sessions in two tables are read once."""
    tables = _tables(folder)
    if not tables:
        raise DatasetError(
            f"{folder}: expected derivatives/labels/labels_covid_posi.tsv, Labels_covid_123.tsv or "
            f"Labels_covid_NEG_JAN21.tsv there or up to two folders below; found {listing(folder)}."
        )
    done: set[tuple[str, str]] = set()
    empty = ""
    for table in tables:
        home = _home(table)
        for row in read_csv(table, "PatientID", "ReportID", "Report", "Labels", delimiter="\t"):
            patient, session = (row[name].strip().removeprefix(mark) for name, mark in _IDS)
            if (patient, session) in done:
                continue
            done.add((patient, session))
            place = home / f"sub-{patient}" / f"ses-{session}" / "mod-rx"
            shown = sorted(_radiographs(place))
            if not shown:
                empty = (
                    empty or f"{place}: expected X-rays ending in _cr.png or _dx.png; found {listing(place)}."
                )
                continue
            yield Study(
                id=f"{NAME}/{patient}/{session}",
                dataset=NAME,
                patient_id=patient,
                images=tuple(f"{relative(place, folder)}/{name}" for _, _, name in shown),
                views=tuple(view for _, view, _ in shown),
                labels=dict.fromkeys(findings(row["Labels"]), 1),
                narrative=encodings.text(row["Report"]),
                language="es",
            )
            empty = "-"
    if empty not in ("", "-"):
        raise DatasetError(f"{empty} No session of {', '.join(table.name for table in tables)} has any.")


_IDS = (("PatientID", "sub-"), ("ReportID", "ses-"))


def _tables(folder: Path) -> list[Path]:
    """The tables of labels: of iterations 1 to 3 before that of 1 and 2, then of the negative patients."""
    order = {"123": 0, "posi": 1, "neg": 2}
    found = {}
    for path in candidates(folder, "*.tsv*", "labels/*.tsv*", "derivatives/labels/*.tsv*"):
        if match := _LABELS.fullmatch(path.name):
            found.setdefault(path.name.casefold(), (order[match["part"].casefold()], path))
    return [path for _, path in sorted(found.values())]


def _home(table: Path) -> Path:
    """The folder of the patients: beside the table, or above derivatives/labels/ or labels/."""
    for folder in (table.parent, *table.parents[1:4]):
        if any(folder.glob("sub-*")):
            return folder
    return table.parents[2] if table.parent.name == "labels" else table.parent


def _radiographs(place: Path) -> Iterator[tuple[int, str, str]]:
    """Rank, view and name of the X-rays of a session."""
    for path in visible(place.iterdir()) if place.is_dir() else ():
        if _RADIOGRAPH.fullmatch(path.name):
            match = _VIEW.search(path.name)
            view = encodings.view(match[1]) if match else ""
            yield encodings.view_rank(view), view, path.name
