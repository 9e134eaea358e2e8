"""Image files as the bytes that the viewer reads: grey values of 16 bits and the window to begin with.

Layout, all little-endian: the mark `CXF1`, width, height (uint32), black, white (float32; values shown black
and white), 1 where the window is a sigmoid, the highest value, 0 (uint32); then the low bytes of all values
and the high bytes of all values. Each row holds differences to the left neighbour, folded so that small ones
of either sign are small numbers: that halves what travels. The whole is gzip, as `Content-Encoding` says.

Nothing else of the file is in it: no name, date or number of a patient, neither in DICOM tags nor in the
text chunks of a PNG. What is burnt into the pixels stays; `docs/study.md` says so to whoever runs a study.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from cxreason.imaging.film import Film, read_film
from cxreason.imaging.read import Window

MARK = b"CXF1"
HEADER = struct.Struct("<4sIIffIII")


def pixels_of(path: str | Path) -> bytes:
    """The bytes for an image file; `ImageError` where it holds none.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (3, 2)).save(Path(folder) / "black.png")
    ...     decode(pixels_of(Path(folder) / "black.png")).size
    (3, 2)
    """
    return encode(read_film(path))


def encode(film: Film) -> bytes:
    """A film as bytes, the same on every machine."""
    width, height = film.size
    steps = np.diff(film.values.astype("<u2"), axis=1, prepend=np.uint16(0)).view("<i2")
    folded = ((steps << 1) ^ (steps >> 15)).view("<u2")
    planes = folded.reshape(-1).view(np.uint8).reshape(-1, 2).T
    window = film.window
    head = HEADER.pack(
        MARK, width, height, window.low, window.high, window.sigmoid, int(film.values.max(initial=0)), 0
    )
    return gzip.compress(head + np.ascontiguousarray(planes).tobytes(), compresslevel=1, mtime=0)


def decode(packed: bytes) -> Film:
    """The film that `encode` wrote; `ValueError` where the bytes are not from there.

    >>> film = Film(np.array([[7, 65535, 0]], dtype=np.uint16), Window(0.0, 255.0))
    >>> decode(encode(film)).values.tolist()
    [[7, 65535, 0]]
    """
    data = gzip.decompress(packed)
    mark, width, height, low, high, sigmoid, _, _ = HEADER.unpack_from(data)
    if mark != MARK or len(data) != HEADER.size + 2 * width * height:
        raise ValueError("these are no pixels of a viewer")
    planes = np.frombuffer(data, dtype=np.uint8, offset=HEADER.size).reshape(2, -1)
    folded = planes[0].astype(np.uint16) | (planes[1].astype(np.uint16) << 8)
    steps = (folded >> 1) ^ (-(folded & 1).astype(np.int32)).astype(np.uint16)
    values = np.cumsum(steps.reshape(height, width), axis=1, dtype=np.uint16)
    return Film(values, Window(low, high, bool(sigmoid)))
