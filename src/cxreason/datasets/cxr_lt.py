"""CXR-LT: MIMIC-CXR with labels of rare findings, a challenge of 2023 and 2024. For evaluation only.

Content:  MIMIC-CXR studies: 26 findings in 2023, 45 in 2024, of which 5 (bulla, ...) were never to be
          trained on.
Labels:   1 or 0 for each finding, mined from reports; those of the second task of 2024 by readers. In 2024
          "No Finding" is called "Normal". Where a year's table has no labels it is left out.
Access:   PhysioNet, credentialed, with a data use agreement. Needs MIMIC-CXR for images and splits.
Citation: Holste et al. 2024, https://doi.org/10.1016/j.media.2024.103224
Layout:   cxr-lt-2023/{train,development,test}.csv and *_labeled*.csv, cxr-lt-2024/*_labeled*.csv: dicom_id,
          subject_id, study_id, fpath, some columns about the image, and one column for each finding. The
          splits are its own and contradict MIMIC-CXR's, which is the one used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings
from cxreason.datasets.mimic_home import Home, number, own_split
from cxreason.datasets.tables import DatasetError, candidates, read_csv, read_header, read_table, visible
from cxreason.records import Study

NAME = "cxr-lt"
TITLE = "CXR-LT"
LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"
CITATION = "Holste et al. 2024, https://doi.org/10.1016/j.media.2024.103224"
OFFICIAL_SPLITS = ("train", "validation", "test")
TASKS = ()
EVALUATION_ONLY = True
STANDS_ON = ("mimic-cxr",)

YEARS = ("2023", "2024")
LABELS = ("0", "1", "-1", "0.0", "1.0", "-1.0")
KEYS = ("dicom_id", "subject_id", "study_id")
# What else stands in its tables; every other column of 0 and 1 is a finding.
ABOUT_IMAGES = {
    *KEYS,
    "path",
    "fpath",
    "split",
    "viewposition",
    "viewcodesequence_codemeaning",
    "frontal",
    "view",
    "rows",
    "columns",
    "studydate",
    "studytime",
    "performedprocedurestepdescription",
    "procedurecodesequence_codemeaning",
    "patientorientationcodesequence_codemeaning",
    "",
}
_TABLE = re.compile(r"(train|development|test)(_labeled)?(_task\d)?\.csv(\.gz)?$")


def find(folder: Path) -> Path | None:
    """The folder of the newest year that is there, or the one that holds the years."""
    found = [path for year in YEARS for path in _tables(folder, year)]
    return found[-1].parent if found else None


def read(folder: Path, mimic: Path) -> Iterator[Study]:
    """One study for each MIMIC-CXR study of a table, with all its images, year by year."""
    tables = [(year, path) for year in YEARS for path in _tables(folder, year)]
    if not tables:
        raise DatasetError(
            f"{folder}: expected cxr-lt-2023 or cxr-lt-2024 with tables of dicom_id and findings, there or "
            "up to two folders below; found none."
        )
    home = Home(folder, mimic)
    for year, path in tables:
        names = _findings(path)
        table = read_table(path, *KEYS, *names).sort_by(
            [(key, "ascending") for key in ("subject_id", "study_id")]
        )
        rows = (row for batch in table.to_batches(max_chunksize=4096) for row in batch.to_pylist())
        split = own_split(_TABLE.search(path.name)[1], path)  # type: ignore[index]
        for (subject, study), group in groupby(rows, lambda row: (row["subject_id"], row["study_id"])):
            images = sorted(
                ((home.view(study, row["dicom_id"]), row["dicom_id"], row) for row in group),
                key=lambda one: (encodings.view_rank(one[0]), one[1]),
            )
            yield Study(
                id=f"{NAME}/{year}/{path.name.partition('.')[0]}/s{number(study, 's')}",
                dataset=NAME,
                images=tuple(home.image(subject, study, dicom) for _, dicom, _ in images),
                views=tuple(view for view, *_ in images),
                labels=encodings.labels(images[0][2], names, path),
                own_split=split,
                **home.who(subject, study),
                **home.sections(subject, study),
            )


def _tables(folder: Path, year: str) -> list[Path]:
    """The tables of a year that have labels, in the order of their names."""
    homes = [folder] if year in folder.name else []
    homes += [home for home in candidates(folder, f"cxr-lt-{year}") if home.is_dir()]
    for home in homes:
        files = (path for path in sorted(visible(home.iterdir())) if _TABLE.search(path.name))
        found = [path for path in files if _labelled(path)]
        if found:
            return found
    return []


def _labelled(path: Path) -> bool:
    """Whether a table has findings, and anything under them: test tables come without as well."""
    if not set(KEYS) <= {name.casefold() for name in read_header(path)}:
        return False
    first: dict[str, Any] = next(read_csv(path, *KEYS), {})
    return any(first[name].strip() for name in _findings(path))


def _findings(path: Path) -> list[str]:
    """The columns of findings: those where the first row has a label or nothing, and no path or age."""
    first: dict[str, Any] = next(read_csv(path, *KEYS), {})
    return [
        name
        for name, value in first.items()
        if name.casefold() not in ABOUT_IMAGES
        and not name.startswith("Unnamed")
        and value.strip() in ("", *LABELS)
    ]
