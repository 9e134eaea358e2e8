"""Where images lie: paths in records are relative to the folder that holds the records."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from cxreason.errors import UserError


class BuildError(UserError):
    """The studies cannot be used as they are: one line that says which and why."""


def image_path(sample_folder: Path, image: str) -> Path:
    """Where an image of `Sample.images` lies: those paths are relative to the run folder of the samples.

    >>> image_path(Path("/data/build"), "../phantom/images/1.png").as_posix()
    '/data/phantom/images/1.png'
    """
    return Path(os.path.normpath(sample_folder / image))


def relocate(image: str, source: Path, target: Path) -> str:
    """The path of an image as seen from `target`, given as seen from `source`; absolute paths stay."""
    if Path(image).is_absolute():
        return image
    return Path(os.path.relpath(_real(source.absolute()) / image, _real(target.absolute()))).as_posix()


@lru_cache(maxsize=64)
def _real(folder: Path) -> Path:
    # The disk is asked about every part of a path, which is most of the work where there are many images.
    return folder.resolve()
