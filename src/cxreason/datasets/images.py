"""Where the images of a dataset lie, and which of them are there.

A lab often has half of them, or copies as PNG under the same names. Readers give every image that a table
names the path that it should have; whoever builds samples asks a `Shelf` which of them are there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from pathlib import Path

from cxreason.datasets.tables import DatasetError, Row, candidates
from cxreason.records import Study, changed

ENDINGS = (".png", ".jpg", ".jpeg", ".dcm", ".dicom", "")
"""What may stand behind the name of an image; CANDID-PTX has nothing there."""


class Shelf:
    """Which images are there. A folder is listed once, so that a million of them take seconds."""

    def __init__(self) -> None:
        self._names = lru_cache(maxsize=1024)(self._list)
        self._gone = "\0"

    def named(self, path: str) -> str:
        """The path of an image as it is there, with another ending where it was converted; empty = not there.

        Shelf().named("nih/images/00000001_000.png")
        """
        if path.startswith(self._gone):
            return ""
        home, slash, name = path.rpartition("/")
        names = self._names(home)
        if name in names:
            return path
        return next((f"{home}{slash}{other}" for other in _spellings(name) if other in names), "")

    def _list(self, home: str) -> Collection[str]:
        try:
            with os.scandir(home or ".") as entries:
                return frozenset(entry.name for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            gone = home
            while (above := gone.rpartition("/")[0]) and not Path(above).is_dir():
                gone = above
            self._gone = f"{gone}/"  # nothing below is there: the next thousand need not be looked for
            return frozenset()
        except OSError as error:
            raise DatasetError(f"{home}: cannot be looked through ({error.strerror}).") from None


def _spellings(name: str) -> tuple[str, ...]:
    """A name with every ending that an image may have."""
    ending = next((one for one in ENDINGS if one and name.lower().endswith(one)), "")
    stem = name[: len(name) - len(ending)]
    return tuple(f"{stem}{one}" for one in ENDINGS)


def there(study: Study, folder: Path | str, shelf: Shelf) -> Study | None:
    """A study with those of its images that are there; None where it has images and none of them is.

    Views, sizes, boxes and questions go with their images.
    """
    named = tuple([_named(image, folder, shelf) for image in study.images])
    if named == study.images:
        return study
    if not any(named):
        return None
    kept = [place for place, image in enumerate(named) if image]
    new = {old: place for place, old in enumerate(kept)}

    def those(values: tuple) -> tuple:
        return tuple(values[place] for place in kept) if len(values) == len(named) else values

    return changed(
        study,
        images=those(named),
        views=those(study.views),
        widths=those(study.widths),
        heights=those(study.heights),
        boxes=tuple(changed(box, image=new[box.image]) for box in study.boxes if box.image in new),
        questions=tuple(
            changed(one, images=tuple(new[place] for place in one.images)) if one.images else one
            for one in study.questions
            if set(one.images) <= set(new)
        ),
    )


def _named(image: str, folder: Path | str, shelf: Shelf) -> str:
    """An image as it is there, relative to the folder as before."""
    path = image if image[:1] == "/" else f"{folder}/{image}"
    found = shelf.named(path)
    if found == path or not found:
        return image if found else ""
    home, slash, _ = image.rpartition("/")
    return f"{home}{slash}{found.rpartition('/')[2]}"


def images_folder(folder: Path, names: Iterable[str], *places: str) -> Path:
    """The folder of the images: the first of `places`, in a folder or up to two below, that has any of them.

    Where none has, it is the first place in the folder: the tables can be read without the images.
    """
    shelf = Shelf()
    homes = [home for place in places for home in candidates(folder, place) if home.is_dir()]
    if homes:
        for name in names:
            for home in homes:
                if shelf.named(f"{home}/{name}"):
                    return home
    return homes[0] if homes else folder / places[0]


def whichever(folder: Path, *ways: Callable[[Row], str]) -> Callable[[Row], str]:
    """What gives the path of a row's image below a folder, where a release can be unpacked in several ways.

    It is the first way by which an image is there, as it is named or else as a copy with another ending;
    until one was found, the first of all.
    """
    found: list[Callable[[Row], str]] = []
    shelf = Shelf()

    def path_of(row: Row) -> str:
        if not found:
            paths = {way: f"{folder}/{way(row)}" for way in ways}
            named = {way: shelf.named(path) for way, path in paths.items()}
            found.extend(way for way in ways if named[way] == paths[way])
            found.extend(way for way in ways if named[way])
        return (found or ways)[0](row)

    return path_of
