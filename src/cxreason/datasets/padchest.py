"""PadChest: chest X-rays of the hospital of San Juan, Alicante, with Spanish reports and fine labels.

Content:  160,861 images of 109,931 studies of 67,625 patients, PNG of 16 bits.
Labels:   193 names of findings, devices and diagnoses, by physicians (27%) or by a network that learnt from
          them; only what is there is listed. "normal" is "no finding" here; "exclude", "suboptimal study" and
          "unchanged" say nothing of the chest and are left out.
Access:   BIMCV, after registration; not for commercial use.
Citation: Bustos et al. 2020, https://doi.org/10.1016/j.media.2020.101797
Layout:   PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv (or packed), images/<ImageDir>/<ImageID>.png
          from 52 archives, or all in one folder. Labels are written as Python writes a list, with blanks and
          empty texts in it, and "nan" where there are none. Rows of a study stand apart from each other, and
          one study number belongs to two patients. Ids have 39 digits: as numbers they would lose their ends.
          The report is stemmed, in small letters, without sections. 21 images are broken or missing. There is
          no official split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
from pathlib import Path

from cxreason.datasets import encodings
from cxreason.datasets.images import whichever
from cxreason.datasets.tables import find_file, need_file, prefix, read_gathered
from cxreason.records import Study

NAME = "padchest"
TITLE = "PadChest"
LICENCE = "PadChest dataset research use agreement, non-commercial"
CITATION = "Bustos et al. 2020, https://doi.org/10.1016/j.media.2020.101797"
OFFICIAL_SPLITS = ()
TASKS = ("Disease Classification", "Report Generation")
EVALUATION_ONLY = False
STANDS_ON = ()

TABLE = "PADCHEST_chest_x_ray_images_labels_160K*.csv"
PATIENT, STUDY = "PatientID", "StudyID"
COLUMNS = (
    "ImageID",
    "ImageDir",
    "StudyDate_DICOM",
    "PatientBirth",
    "PatientSex_DICOM",
    "ViewPosition_DICOM",
    "Projection",
    "Report",
    "Labels",
)
FORMS = ("images/{ImageDir}/{ImageID}", "images/{ImageID}", "{ImageDir}/{ImageID}", "{ImageID}")
"""Where images lie beside the table, as the archives can be unpacked."""
NO_FINDINGS = {"exclude", "suboptimal study", "unchanged"}
"""Labels that are no findings."""
BROKEN = frozenset(
    f"216840111366964{name}.png"
    for name in (
        "012283393834152009033102258826_00-059-087",
        "012339356563862009072111404053_00-043-192",
        "012373310883942009117084022290_00-064-025",
        "012373310883942009152114636712_00-102-045",
        "012373310883942009170084120009_00-097-074",
        "012487858717522009280135853083_00-075-001",
        "012558082906712009327122220177_00-102-064",
        "012819207061112010281134410801_00-129-131",
        "012819207061112010306085429121_04-020-102",
        "012819207061112010307142602253_04-014-084",
        "012819207061112010315104455352_04-024-184",
        "012959786098432011033083840143_00-176-115",
        "012989926673512011074122523403_00-163-058",
        "012989926673512011083134050913_00-168-009",
        "012989926673512011151082430686_00-157-045",
        "013076187734852011291090445391_00-196-188",
        "013590140476722013043111952381_02-065-198",
        "013590140476722013058110301622_02-056-111",
        "013686042548532013208193054515_02-026-007",
        "013829543166512013353113303615_02-092-190",
        "013962490064942014134093945580_01-178-104",
    )
)
"""Files of the release that are missing or cannot be decoded, as torchxrayvision (Apache-2.0) lists them."""


def find(folder: Path) -> Path | None:
    """The folder with the table."""
    table = find_file(folder, TABLE)
    return table.parent if table else None


def read(folder: Path) -> Iterator[Study]:
    """One study after the other, each as soon as the last of its rows has been read."""
    table = need_file(folder, TABLE)
    below = prefix(table.parent, folder)
    path_of = whichever(folder, *(partial(_path, below + form) for form in FORMS))
    gathered = read_gathered(table, lambda row: (row[PATIENT], row[STUDY]), (PATIENT, STUDY), *COLUMNS)
    for (patient, study), rows in gathered:
        whole = [row for row in rows if row["ImageID"] not in BROKEN]
        if not whole:
            continue
        first, year = whole[0], whole[0]["StudyDate_DICOM"][:4]
        shown = sorted((encodings.view_rank(view := _view(row)), view, path_of(row)) for row in whole)
        born = encodings.text(first["PatientBirth"]).partition(".")[0]
        yield Study(
            id=f"{NAME}/{patient}/{study}",
            dataset=NAME,
            patient_id=patient,
            images=tuple(path for _, _, path in shown),
            views=tuple(view for _, view, _ in shown),
            labels=dict.fromkeys(findings(first["Labels"]), 1),
            sex=encodings.sex(first["PatientSex_DICOM"]),
            age=encodings.age(int(year) - int(born)) if year.isdigit() and born.isdigit() else None,
            order=first["StudyDate_DICOM"],
            narrative=encodings.text(first["Report"]),
            language="es",
        )


@lru_cache(maxsize=65_536)
def findings(labels: str) -> tuple[str, ...]:
    """The findings of a list of labels, each once.

    >>> findings("['cardiomegaly', ' pneumonia', 'unchanged', '']"), findings("['normal']"), findings("nan")
    (('cardiomegaly', 'pneumonia'), ('no finding',), ())
    """
    names = (encodings.finding(name) for name in encodings.literals(labels) if name not in NO_FINDINGS)
    return tuple(dict.fromkeys(names))


def _view(row: dict[str, str]) -> str:
    """What the makers of the dataset found the projection to be, else what the DICOM header says."""
    return encodings.view(row["Projection"]) or encodings.view(row["ViewPosition_DICOM"])


def _path(form: str, row: Mapping[str, str]) -> str:
    return form.format_map(row)
