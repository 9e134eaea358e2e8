"""An image file at its full depth, for eyes that turn the window themselves.

`read_image` gives models what a reader would see at first; a `Film` keeps every grey value that was stored,
as 16-bit numbers in which bone is bright, and says through which window `read_image` looks at them. It holds
pixels and nothing else of the file: no name, no date, no number of a patient.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cxreason.imaging import read
from cxreason.imaging.read import Window

if TYPE_CHECKING:
    from pydicom import Dataset

DEEPEST = 65_535


@dataclass(frozen=True)
class Film:
    """Grey values of shape (height, width), uint16, and the window they are first shown through."""

    values: np.ndarray
    window: Window

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.values.shape[1], self.values.shape[0]


def read_film(path: str | Path) -> Film:
    """The image at full depth; `ImageError` where the file holds none, as `read_image` says it.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.fromarray(np.array([[0, 4095]], dtype=np.uint16)).save(Path(folder) / "deep.png")
    ...     read_film(Path(folder) / "deep.png").values.tolist()
    [[0, 4095]]
    """
    path = Path(path)
    if read.is_dicom(path):
        with read.faults_of(path):
            return _of_dicom(*read.decoded(path))
    with read.opened(path) as image:
        if not read.is_deep(image):
            return _shallow(read.grey(image))
        values = np.asarray(image).astype(np.float64)
        return _film(values, read.span(values))


def _shallow(shown: np.ndarray) -> Film:
    return Film(shown.astype(np.uint16), Window(0.0, 255.0))


def _of_dicom(stored: np.ndarray, dataset: Dataset) -> Film:
    kind = dataset.PhotometricInterpretation
    if stored.ndim != 2 or kind == "PALETTE COLOR":
        return _shallow(read.display(stored, dataset))
    values, padding, window = read.presentation(stored, dataset)
    film = _film(values, window)
    if kind == "MONOCHROME1":
        top = int(film.values.max())
        film = Film(top - film.values, Window(top - film.window.high, top - film.window.low, window.sigmoid))
    film.values[padding] = 0
    return film


def _film(values: np.ndarray, window: Window) -> Film:
    """Values of any range as 16-bit ones: as they are where they fit, scaled where they do not."""
    if not np.isfinite(values).all():
        raise ValueError("pixel values are not finite")
    low, high = float(values.min()), float(values.max())
    offset = 0.0 if low >= 0 and high <= DEEPEST else low
    scale = 1.0
    if high - offset > DEEPEST or not np.array_equal(values, np.rint(values)):
        offset, scale = low, DEEPEST / ((high - low) or 1.0)
    stored = np.rint((values - offset) * scale).astype(np.uint16)
    low, high = ((end - offset) * scale for end in window[:2])
    return Film(stored, Window(low, high, window.sigmoid))
