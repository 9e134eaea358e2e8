"""How a file of a dataset is opened: packed or not, in UTF-8 or with the accents of Windows in it."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from cxreason.errors import UserError


class DatasetError(UserError):
    """A dataset that does not lie on disk as it was published: what was expected, and what was found."""


def _western(error: UnicodeError) -> tuple[str, int]:
    """Bytes that are no UTF-8, as Windows writes accents and quotes. FE and FF are in no such text."""
    if not isinstance(error, UnicodeDecodeError) or error.object[error.start] >= 0xFE:
        raise error
    return error.object[error.start : error.end].decode("cp1252", errors="replace"), error.end


codecs.register_error("western", _western)


@contextlib.contextmanager
def open_text(path: Path, encoding: str = "utf-8-sig") -> Iterator[IO[str]]:
    """A text file for reading, packed or not; a byte order mark at its start is left out.

    A file that cannot be opened, was cut short or holds no text is a DatasetError, also while it is read.
    """
    try:
        with (
            open_bytes(path) as stream,
            io.TextIOWrapper(stream, encoding=encoding, errors="western", newline="") as file,
        ):
            yield file
    except (OSError, EOFError, UnicodeDecodeError, zlib.error, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path}: cannot be read ({error}).") from None


def open_bytes(path: Path) -> IO[bytes]:
    """A file as it was before it was packed; of an archive its only file, or the one it is named after."""
    if path.suffix == ".gz":
        return cast(IO[bytes], gzip.open(path, "rb"))
    if path.suffix != ".zip":
        return path.open("rb")
    archive = zipfile.ZipFile(path)
    held = [name for name in archive.namelist() if not name.startswith("__MACOSX") and name[-1] != "/"]
    named = [name for name in held if PurePosixPath(name).name == path.stem] or held
    if len(named) != 1:
        raise DatasetError(f"{path}: expected {path.stem} in it; found {', '.join(held[:8]) or 'nothing'}.")
    return archive.open(named[0])
