"""MIMIC-CXR as the home of what was made of it: splits, images and reports for the derived datasets.

Every derived dataset keeps to the split that MIMIC-CXR gives the patient, whatever split it publishes itself;
its own goes into `Study.own_split`, so that a builder can refuse what one of the two calls test.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from cxreason.datasets import encodings, mimic_cxr
from cxreason.datasets.tables import DatasetError, need_file, read_csv, relative

OWN_SPLITS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "validation": "validation",
    "dev": "validation",
    "development": "validation",
    "test": "test",
}
"""What derived datasets call the splits."""


class Home:
    """MIMIC-CXR in the folder `mimic`, for a dataset in `folder`."""

    def __init__(self, folder: Path, mimic: Path):
        self._folder, self._mimic = folder, mimic
        self._root = need_file(mimic, mimic_cxr.METADATA).parent
        self._splits = mimic_cxr.splits(mimic)
        self.sections = lru_cache(maxsize=4096)(self._sections)
        self._report: Callable[[str, str], str] | None = None
        self._place: tuple[str, str] | None = None

    def who(self, subject: str, study: str) -> dict[str, Any]:
        """Patient, split and keys of a study, as `Study` has them; numbers with or without their letters."""
        subject, study = number(subject, "p"), number(study, "s")
        return {
            "patient_id": f"p{subject}",
            "split": mimic_cxr.split_among(self._splits, subject, self._mimic),
            "groups": (f"{mimic_cxr.NAME}/p{subject}", mimic_cxr.study_id(study)),
        }

    def image(self, subject: str, study: str, dicom: str) -> str:
        """An image, relative to the folder of the derived dataset."""
        subject, study = number(subject, "p"), number(study, "s")
        if self._place is None:
            base, ending = mimic_cxr.image_place(self._mimic, self._root, subject, study, dicom)
            self._place = relative(base / "files", self._folder).removesuffix("files"), ending
        place, ending = self._place
        return f"{place}{mimic_cxr.study_folder(subject, study)}/{dicom}{ending}"

    def images(self, subject: str, study: str) -> dict[str, Any]:
        """All images of a study with their views and sizes, in the order in which they are shown."""
        shown = sorted(self._shown.get(number(study, "s"), ()), key=lambda one: encodings.view_rank(one[1]))
        return {
            "images": tuple(self.image(subject, study, dicom) for dicom, *_ in shown),
            "views": tuple(view for _, view, *_ in shown),
            "widths": tuple(width for *_, width, _ in shown),
            "heights": tuple(height for *_, height in shown),
        }

    def size(self, study: str, dicom: str) -> tuple[int, int]:
        """Width and height of an image in pixels."""
        for name, _, width, height in self._shown.get(number(study, "s"), ()):
            if name == dicom:
                return width, height
        raise DatasetError(
            f"{self._mimic}: expected the image {dicom} in {mimic_cxr.METADATA}; it is not there."
        )

    def view(self, study: str, dicom: str) -> str:
        """The view of an image; empty where MIMIC-CXR does not know it."""
        return next((view for name, view, *_ in self._shown.get(number(study, "s"), ()) if name == dicom), "")

    @cached_property
    def _shown(self) -> dict[str, list[tuple[str, str, int, int]]]:
        """study -> dicom_id, view, width and height of its images."""
        known: dict[str, list[tuple[str, str, int, int]]] = {}
        columns = ("dicom_id", "study_id", "ViewPosition", "Rows", "Columns")
        for row in read_csv(need_file(self._mimic, mimic_cxr.METADATA), *columns):
            size = encodings.pixels(row["Columns"]), encodings.pixels(row["Rows"])
            known.setdefault(row["study_id"], []).append(
                (row["dicom_id"], encodings.view(row["ViewPosition"]), *size)
            )
        return known

    def _sections(self, subject: str, study: str) -> dict[str, Any]:
        """The sections of its report, as `Study` has them."""
        subject, study = number(subject, "p"), number(study, "s")
        if self._report is None:
            self._report = mimic_cxr.report_reader(self._mimic, subject, study)
        return mimic_cxr.sections_of(self._report(subject, study))


def number(name: Any, letter: str) -> str:
    """A number without its letter and without the point that pandas writes where a column has gaps.

    >>> number("s50414267", "s"), number("50414267.0", "s")
    ('50414267', '50414267')
    """
    return str(name).strip().removeprefix(letter).removesuffix(".0")


def own_split(name: str, path: Path) -> str:
    """A derived dataset's word for a split, in the words used here.

    >>> own_split("val", Path("a.csv")), own_split("", Path("a.csv"))
    ('validation', '')
    """
    if not name.strip():
        return ""
    if name.strip().lower() not in OWN_SPLITS:
        raise DatasetError(f"{path}: expected a split {', '.join(OWN_SPLITS)}; found {name!r}.")
    return OWN_SPLITS[name.strip().lower()]


def place_of(image: str, path: Path) -> tuple[str, str, str]:
    """Subject, study and dicom_id of an image that a file names, with "files/" and ".jpg" or without.

    >>> place_of("files/p10/p10002428/s55758034/3bea-1.jpg", Path("a.csv"))
    ('10002428', '55758034', '3bea-1')
    """
    parts = image.strip().removesuffix(".jpg").removesuffix(".dcm").split("/")
    if len(parts) < 3 or not parts[-3].startswith("p") or not parts[-2].startswith("s"):
        raise DatasetError(
            f"{path}: expected an image as in p10/p10002428/s55758034/<dicom_id>; found {image!r:.80}."
        )
    return parts[-3][1:], parts[-2][1:], parts[-1]
