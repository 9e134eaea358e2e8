"""A process that decodes uploads: `python -m cxreason.serve.decoder`, spoken to over its stdin and stdout.

What a stranger sends is taken apart here and nowhere else. Damaged files can make compiled decoders crash,
loop or ask for all memory; then this process dies, and the server says that the file cannot be read. Nothing
of a file but its pixels and its view leaves this process, and no file is written.

Both ways a message is a length (8 bytes, big-endian) and so many bytes. In: an image file. Out: a JSON head,
then the bytes that it tells the lengths of, each as a message.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

MOST_MEMORY = 4 << 30
LENGTH = struct.Struct(">Q")
VIEWS = {"PA": "PA", "AP": "AP", "LL": "LATERAL", "RL": "LATERAL", "LATERAL": "LATERAL"}


def main() -> None:
    """Decode until stdin ends. The first argument is the most pixels that an image may have."""
    most_pixels = int(sys.argv[1])
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the replies
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core would hold the patient's image
    _load_decoders()

    write_message(replies, b"ready")
    while (content := read_message(sys.stdin.buffer)) is not None:
        head, parts = decode(content, most_pixels)
        write_message(replies, json.dumps(head).encode())
        for part in parts:
            write_message(replies, part)


def _load_decoders() -> None:
    """Import what files need, before the first of them, whose time is limited."""
    from PIL import JpegImagePlugin, PngImagePlugin  # noqa: F401

    import cxreason.viewer.pixels  # noqa: F401

    with contextlib.suppress(ImportError):  # the extra `dicom`; without it those files are refused by name
        import pydicom.pixels.decoders
        import pydicom.pixels.processing
        import pydicom.pixels.utils  # noqa: F401


def decode(content: bytes, most_pixels: int) -> tuple[dict[str, Any], list[bytes]]:
    """Head and parts of the reply to one file: grey values as a model sees them, pixels for the viewer.

    >>> decode(b"hello", 100)[0]
    {'error': 'is not a PNG, JPEG or DICOM image'}
    """
    from cxreason.imaging.read import ImageError, image_size, read_image
    from cxreason.viewer.pixels import pixels_of

    try:
        with _as_file(content) as path:
            try:
                width, height = image_size(path)
                if width * height > most_pixels:
                    raise ImageError(f"{path}: is {width} x {height}, more than {most_pixels:,} pixels")
                grey, pixels = read_image(path), pixels_of(path)
                view = _view(path) if content[128:132] == b"DICM" else ""
            except ImageError as error:
                return {"error": _without_path(str(error), path)}, []
    except MemoryError:
        return {"error": "needs more memory than an image may"}, []
    height, width = grey.shape
    head = {"width": width, "height": height, "view": view}
    return head, [grey.tobytes(), pixels]


def _view(path: Path) -> str:
    """The view of a DICOM file; all else that it says of the patient stays in it."""
    from pydicom import dcmread

    with contextlib.suppress(Exception):  # the pixels could be read; a damaged tag is no reason to refuse
        header = dcmread(path, stop_before_pixels=True, specific_tags=["ViewPosition"])
        return VIEWS.get(str(header.get("ViewPosition") or "").upper(), "")
    return ""


def _without_path(message: str, path: Path) -> str:
    """What is wrong, without where it lay here.

    >>> _without_path("x/1: is empty", Path("x/1"))
    'is empty'
    """
    said = message.removeprefix(f"{path}: ").replace(str(path), "the file")
    return re.sub(r"[^\x20-\x7e]", "?", said)[:300]


@contextlib.contextmanager
def _as_file(content: bytes) -> Iterator[Path]:
    """The content under a path, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("image")
        try:
            with open(number, "wb", closefd=False) as file:
                file.write(content)
            yield Path(f"/proc/self/fd/{number}")
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Path(file.name)


def read_message(stream: BinaryIO) -> bytes | None:
    """The next message, or None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    return stream.read(LENGTH.unpack(head)[0])


def write_message(stream: BinaryIO, content: bytes) -> None:
    """Write one message."""
    stream.write(LENGTH.pack(len(content)) + content)
    stream.flush()


if __name__ == "__main__":
    main()
