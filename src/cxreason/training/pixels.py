"""Prepared pixels: each image is decoded and brought to its size once, and after that mapped into memory.

A processor turns a file into float32 patches, three channels and two frames of the same grey picture. What
takes time is to decode the file and to resize it; what takes room are the copies. So what is kept is one
byte for each pixel of the resized picture, in the order of its patches: a 24th of the patches, from which a
table look-up makes exactly the floats that the processor would. The table is read off the processor itself.

A file's place is named by the content of the image and by all that changes the picture: its pixel budget,
the sizes of patches, how it is resized. Any number of processes may fill one folder; whatever is torn is
made again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cxreason.imaging.read import read_image

READING = 1
"""Count this up when `imaging/read.py` shows files differently: pictures that are kept would be old ones."""


class PreparedPixels:
    """The images of a training as its processor would make them, kept in a folder.

    >>> pixels = PreparedPixels(Path("runs/pixels"), load_processor("phantom"))        # doctest: +SKIP
    >>> pixels.patches(["one.png", "two.png"])                                         # doctest: +SKIP
    """

    def __init__(self, folder: Path, processor: Any) -> None:
        self._processor: Any = processor.image_processor
        self.merge_size = int(self._processor.merge_size)
        self.folder = folder / _settings_name(self._processor)
        self._table = _grey_table(self._processor)
        self._contents: dict[tuple[str, int, int], str] = {}

    def picture(self, path: str | Path) -> np.ndarray:
        """The resized picture, one byte a pixel, shape (rows of patches, columns of patches, patch pixels).

        The patches lie in the processor's order: those that become one token stand side by side.
        """
        content = self._content(Path(path))
        file = self.folder / content[:2] / f"{content[2:]}.npy"
        kept = _load(file)
        return self._prepare(Path(path), file) if kept is None else kept

    def patches(self, paths: Sequence[str | Path]) -> tuple[np.ndarray, np.ndarray]:
        """`pixel_values` and `image_grid_thw` of these images, as the processor would return them."""
        pictures = [self.picture(path) for path in paths]
        channels, frames = self._table.shape[0], int(self._processor.temporal_patch_size)
        grids = np.array([(1, *picture.shape[:2]) for picture in pictures], dtype=np.int64)
        area = pictures[0].shape[2]
        values = np.empty((int(grids.prod(1).sum()), channels, frames, area), dtype=np.float32)
        start = 0
        for picture in pictures:
            flat = picture.reshape(-1, area)
            for channel, table in enumerate(self._table):
                values[start : start + len(flat), channel] = table[flat][:, None]
            start += len(flat)
        return values.reshape(start, -1), grids

    def image(self, path: str | Path) -> Any:
        """The resized picture as a PIL image, for whoever asks the processor: it has nothing left to resize.

        A long strip can come out smaller than the processor's least size, and would be resized once more: of
        such images the file itself is read.
        """
        from PIL import Image

        picture = self.picture(path)
        rows, columns, area = picture.shape
        side, merge = int(area**0.5), self.merge_size
        if self._processor.get_number_of_image_patches(rows * side, columns * side) != rows * columns:
            return Image.fromarray(read_image(path))
        tiles = picture.reshape(rows // merge, columns // merge, merge, merge, side, side)
        return Image.fromarray(tiles.transpose(0, 2, 4, 1, 3, 5).reshape(rows * side, columns * side))

    def _prepare(self, path: Path, file: Path) -> np.ndarray:
        from PIL import Image

        made = self._processor(
            images=[Image.fromarray(read_image(path))],
            do_rescale=False,
            do_normalize=False,
            return_tensors="np",
        )
        rows, columns = made["image_grid_thw"][0, 1:].tolist()
        frames = int(self._processor.temporal_patch_size)
        values = np.asarray(made["pixel_values"]).reshape(
            rows, columns, -1, frames, self._processor.patch_size**2
        )
        picture = values[:, :, 0, 0].astype(np.uint8)
        if not (values == picture[:, :, None, None]).all():
            raise ValueError(f"{path}: the processor makes no grey bytes of it; read_image gives grey images")
        file.parent.mkdir(parents=True, exist_ok=True)
        # Each process writes beside the place under its own name; the last one wins with the same bytes.
        part = file.with_name(f".{file.name}.{os.getpid()}")
        with part.open("wb") as stream:
            np.save(stream, picture)
        part.replace(file)
        return picture

    def _content(self, path: Path) -> str:
        """The hash of the file, which is read again only where its size or time has changed."""
        state = path.stat()
        key = (str(path), state.st_size, state.st_mtime_ns)
        if key not in self._contents:
            self._contents[key] = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
        return self._contents[key]


def _load(file: Path) -> np.ndarray | None:
    """The kept picture, mapped; None where there is none, or where a power cut left half of one."""
    try:
        return np.load(file, mmap_mode="r")
    except (FileNotFoundError, ValueError, EOFError):
        return None


def _settings_name(image_processor: Any) -> str:
    """The folder of all pictures that are made alike: `<pixel budget>-<hash of the settings>`."""
    names = (
        "size",
        "patch_size",
        "merge_size",
        "temporal_patch_size",
        "resample",
        "do_resize",
        "do_convert_rgb",
    )
    settings = {name: str(getattr(image_processor, name, None)) for name in names}
    told = json.dumps(
        {**settings, "class": type(image_processor).__name__, "reading": READING}, sort_keys=True
    )
    return (
        f"{image_processor.size['longest_edge']}-{hashlib.blake2b(told.encode(), digest_size=6).hexdigest()}"
    )


def _grey_table(image_processor: Any) -> np.ndarray:
    """What the processor makes of each grey value: shape (channels, 256)."""
    side = int(image_processor.patch_size) * int(image_processor.merge_size)
    ramp = np.resize(np.arange(256, dtype=np.uint8), (side, side))
    made = image_processor(images=[np.repeat(ramp[:, :, None], 3, 2)], do_resize=False, return_tensors="np")
    frames, area = int(image_processor.temporal_patch_size), int(image_processor.patch_size) ** 2
    values = np.asarray(made["pixel_values"]).reshape(-1, 3, frames, area)[:, :, 0]
    plain = image_processor(
        images=[np.repeat(ramp[:, :, None], 3, 2)],
        do_resize=False,
        do_rescale=False,
        do_normalize=False,
        return_tensors="np",
    )
    grey = np.asarray(plain["pixel_values"]).reshape(-1, 3, frames, area)[:, 0, 0].astype(np.uint8)
    table = np.empty((3, 256), dtype=np.float32)
    for channel in range(3):
        table[channel, grey.reshape(-1)] = values[:, channel].reshape(-1)
    return table
