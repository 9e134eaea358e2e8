"""How the files of datasets are found and read: CSV, JSON, JSON Lines and plain lists, packed or not.

Whatever is not there is a `DatasetError` that says what was expected and what was found. Everything streams:
a table or a JSON file of any size takes the memory of one row.

    for row in read_csv(path, "ImageId", ("EncodedPixels", " EncodedPixels")):
        row["EncodedPixels"]
"""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import zipfile
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, TypeVar

from cxreason.datasets.opening import DatasetError, open_bytes, open_text

csv.field_size_limit(1 << 27)  # masks and notes go beyond the 128 kB that csv allows by itself

Key = TypeVar("Key", bound=Hashable)
Row = Mapping[str, str]
Column = str | tuple[str, ...]
"""A column's name, or the name used here with the other spellings that are known of it."""

_NUMBER_GOES_ON = {"", *".eE+-0123456789"}

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tar.zst", ".7z", ".rar")
PHYSIONET = "physionet.org"
_PROJECT = re.compile(r"(mimic|ms-cxr|vindr|brax|radqa|radgraph|cxr-lt|chest-imagenome|medical-)")
_VERSION = re.compile(r"\d+(\.\d+)+")
MOST_FOLDERS = 1000
"""A folder with more folders than this holds patients or studies, and no tables in them."""


def find_file(folder: Path, *names: str) -> Path | None:
    """The first of the names that lies in a folder or up to two folders below it, the newest version first.

    A name may have folders in it and wildcards, and stands for the same file packed with gzip or zip as well.
    """
    return next(_found(folder, names), None)


def find_table(folder: Path, names: Sequence[str], *columns: Column, delimiter: str = ",") -> Path | None:
    """Like `find_file`, but of tables with these columns only: many datasets have a train.csv."""
    for path in _found(folder, names):
        with contextlib.suppress(DatasetError):
            next(read_csv(path, *columns, delimiter=delimiter), None)
            return path
    return None


def find_json(folder: Path, name: str, *keys: str) -> Path | None:
    """Like `find_file`, for names that many datasets use, as train.json: its first entry has these keys."""
    for path in _found(folder, (name,)):
        with contextlib.suppress(DatasetError):
            _, value = next(read_json(path), ("", None))
            if isinstance(value, Mapping) and set(keys) <= set(value):
                return path
    return None


def need_table(folder: Path, names: Sequence[str], *columns: Column, delimiter: str = ",") -> Path:
    """Like `find_table`; DatasetError where there is no such file, or none that has these columns."""
    found = find_table(folder, names, *columns, delimiter=delimiter)
    if found is None:
        found = need_file(folder, *names)
        next(read_csv(found, *columns, delimiter=delimiter), None)  # says which column is missing
    return found


def candidates(folder: Path, *names: str) -> Iterator[Path]:
    """What has one of the names in a folder or up to two folders below it: the nearest first, and of those as
    near the newest version."""
    below = _folders(folder)
    for level in ([folder], below, (inner for one in below for inner in _folders(one))):
        found = {path for place in level for name in names for path in visible(place.glob(name))}
        yield from sorted(found, key=_newest, reverse=True)


def _newest(path: Path) -> tuple[str, bool]:
    """Sorts versions; of one file packed and unpacked, the unpacked one is the newer."""
    packed = path.suffix in (".gz", ".zip")
    return str(path.with_suffix("") if packed else path), not packed


def visible(paths: Iterable[Path]) -> Iterator[Path]:
    """Without what a Mac packs into archives beside the files themselves: `._name` for each, and __MACOSX.

    >>> [path.name for path in visible([Path("._1.xml"), Path("1.xml")])]
    ['1.xml']
    """
    return (path for path in paths if not path.name.startswith((".", "__MACOSX")))


def _folders(folder: Path) -> list[Path]:
    """The folders in a folder; none where they are so many that each is a patient.

    `wget -r` makes two folders above all that it fetches from PhysioNet, which are looked through. So are the
    folders of versions that PhysioNet has in each of its own.
    """
    if folder.name == PHYSIONET and (folder / "files").is_dir():
        folder /= "files"
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = list(islice((entry for entry in entries if entry.is_dir()), MOST_FOLDERS + 1))
        if len(found) <= MOST_FOLDERS:
            known = list(visible(map(Path, found)))
            fetched = [inner for one in known if one.name == PHYSIONET for inner in _folders(one)]
            return [*known, *fetched, *(version for one in known for version in _versions(one))]
    return []


def _versions(folder: Path) -> Iterator[Path]:
    """The folders of versions in the folder of a project of PhysioNet."""
    if _PROJECT.match(folder.name):
        with contextlib.suppress(OSError):
            yield from (path for path in sorted(folder.iterdir()) if _VERSION.fullmatch(path.name))


def _found(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        yield from candidates(folder, name, f"{name}.gz", f"{name}.zip")


def need_file(folder: Path, *names: str) -> Path:
    """Like `find_file`; DatasetError where there is none."""
    found = find_file(folder, *names)
    if found is None:
        wanted = " or ".join(names)
        raise DatasetError(
            f"{folder}: expected {wanted} there or up to two folders below; found {listing(folder)}."
            f"{unpack_first(folder)}"
        )
    return found


def unpack_first(folder: Path) -> str:
    """What to do about archives that lie in a folder."""
    if not folder.is_dir():
        return ""
    packed = sorted(path.name for path in visible(folder.iterdir()) if path.name.endswith(ARCHIVES))
    return (
        f" Unpack {', '.join(packed[:3])}{' and so on' if len(packed) > 3 else ''} first." if packed else ""
    )


def listing(folder: Path, most: int = 8) -> str:
    """What a folder holds, in words."""
    if not folder.is_dir():
        return "no such folder"
    names = sorted(f"{entry.name}/" if entry.is_dir() else entry.name for entry in os.scandir(folder))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}" if names else "an empty folder"


def relative(path: Path, folder: Path) -> str:
    """A path as `Study.images` has it: relative to the folder that was read.

    >>> relative(Path("data/mimic/files/1.jpg"), Path("data/ms-cxr"))
    '../mimic/files/1.jpg'
    """
    return Path(os.path.relpath(path, folder)).as_posix()


def prefix(root: Path, folder: Path) -> str:
    """What stands before paths below `root` so that they are relative to `folder`; empty where both are one.

    >>> prefix(Path("data/nih"), Path("data")), prefix(Path("data"), Path("data"))
    ('nih/', '')
    """
    return "" if (path := relative(root, folder)) == "." else f"{path}/"


def read_csv(
    path: Path,
    *columns: Column,
    optional: Iterable[Column] = (),
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> Iterator[dict[str, str]]:
    """The rows of a table with a header, as texts under the names of its header.

    `columns` have to be there; they and `optional` ones are renamed to the name used here. Blanks around a
    name and the case of its letters do not matter. Columns that are not named come along under their own
    names. A row that is shorter or longer than the header is a DatasetError with its line.
    """
    with open_text(path, encoding) as file:
        lines = csv.reader(file, delimiter=delimiter)
        try:
            header = _header(path, next(lines, None), columns, optional)
            while header and not header[-1]:  # below columns without a name there may be blanks or nothing
                header.pop()
            for values in lines:
                if len(values) > len(header) and not any(values[len(header) :]):
                    values = values[: len(header)]
                if len(values) != len(header):
                    if not values:
                        continue
                    raise DatasetError(
                        f"{path}: line {lines.line_num} has {len(values)} values; expected {len(header)}, "
                        f"one for each of {', '.join(header)}."
                    )
                yield dict(zip(header, values, strict=True))
        except (UnicodeDecodeError, csv.Error, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
            raise DatasetError(
                f"{path}: cannot be read as a table near line {lines.line_num} ({error})."
            ) from None


def read_header(path: Path) -> tuple[str, ...]:
    """The names of the columns of a table."""
    with open_text(path) as file:
        return tuple(name.strip() for name in next(csv.reader(file), ()))


def _header(
    path: Path, found: list[str] | None, columns: Sequence[Column], optional: Iterable[Column]
) -> list[str]:
    if not found:
        raise DatasetError(f"{path}: expected a table with a header; found an empty file.")
    header = [name.strip() for name in found]
    folded = [name.casefold() for name in header]
    renamed = dict(enumerate(header))
    for column in (*columns, *optional):
        name, *others = (column,) if isinstance(column, str) else column
        place = next((folded.index(one) for one in map(_folded, (name, *others)) if one in folded), None)
        if place is not None:
            renamed[place] = name
        elif column in columns:
            also = f" (or {', '.join(others)})" if others else ""
            raise DatasetError(f"{path}: expected a column {name}{also}; found {', '.join(header)}.")
    return list(renamed.values())


def _folded(name: str) -> str:
    return name.strip().casefold()


def read_table(path: Path, *columns: Column) -> Any:
    """Whole columns of a table as an Arrow table of texts, for what has to be sorted or joined.

    Twenty times faster than `read_csv` and far smaller in memory than rows, but all at once.
    """
    import pyarrow as pa
    import pyarrow.csv as pc

    with open_text(path) as file:
        header = _header(path, next(csv.reader(file), None), columns, ())
    names = [column if isinstance(column, str) else column[0] for column in columns]
    try:
        return pc.read_csv(
            path if path.suffix != ".zip" else open_bytes(path),
            read_options=pc.ReadOptions(column_names=header, skip_rows=1),
            parse_options=pc.ParseOptions(newlines_in_values=True),
            convert_options=pc.ConvertOptions(
                include_columns=names,
                column_types=dict.fromkeys(names, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{path}: cannot be read as a table ({error}).") from None


def read_gathered(
    path: Path, key: Callable[[dict[str, str]], Key], keyed_by: Sequence[Column], *columns: Column
) -> Iterator[tuple[Key, list[dict[str, str]]]]:
    """The rows of a table that belong together, such as the images of a study, wherever they stand in it.

    `key` tells what a row belongs to from the columns `keyed_by`. These are read twice, so that no more rows
    are held than those that wait for others of their own.
    """
    sizes: Counter[Key] = Counter()
    for batch in read_table(path, *keyed_by).to_batches(max_chunksize=16_384):
        sizes.update(map(key, batch.to_pylist()))
    waiting: dict[Key, list[dict[str, str]]] = defaultdict(list)
    for row in read_csv(path, *keyed_by, *columns):
        own = key(row)
        waiting[own].append(row)
        if len(waiting[own]) == sizes[own]:
            yield own, waiting.pop(own)


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a list, without line ends; blank ones are left out."""
    with open_text(path) as file:
        for line in file:
            if line.strip():
                yield line.rstrip("\r\n")


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON Lines file."""
    for number, line in enumerate(read_lines(path), 1):
        try:
            yield json.loads(line)
        except json.JSONDecodeError as error:
            raise DatasetError(f"{path}: line {number} is not JSON ({error.msg}).") from None


def read_json(path: Path) -> Iterator[tuple[str, Any]]:
    """The entries of a JSON file one by one: (key, value) of an object, (position, value) of a list.

    The file is never in memory as a whole: some of them have a gigabyte.
    """
    with open_text(path) as file:
        text = _Window(path, file)
        opening = text.next_mark("{[")
        closing, position = ("}" if opening == "{" else "]"), 0
        if text.peek() == closing:
            return
        while True:
            key = str(position)
            if opening == "{":
                key = text.value()
                text.next_mark(":")
            yield key, text.value()
            position += 1
            if text.next_mark(f",{closing}") == closing:
                return


class _Window:
    """The part of a JSON text that is being read."""

    SIZE = 1 << 16

    def __init__(self, path: Path, file: IO[str]):
        self._path, self._file = path, file
        self._text, self._at, self._ended = "", 0, False
        self._decode = json.JSONDecoder().raw_decode

    def _more(self) -> None:
        read = self._file.read(max(self.SIZE, len(self._text) - self._at))  # doubles, so that it stays linear
        self._ended = not read
        self._text, self._at = self._text[self._at :] + read, 0

    def peek(self) -> str:
        """The next character that is not white space, which stays; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at].isspace():
                self._at += 1
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._more()

    def next_mark(self, wanted: str) -> str:
        found = self.peek()
        if not found or found not in wanted:
            raise DatasetError(
                f"{self._path}: is not the JSON that was expected: {' or '.join(wanted)} should stand where "
                f"{found or 'the file ends'} does."
            )
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value, whole. A number may go on beyond the window, so what ends it has to follow."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if self._ended:
                    raise DatasetError(f"{self._path}: is not JSON ({error.msg}).") from None
            else:
                if self._ended or self._text[end : end + 1] not in _NUMBER_GOES_ON:
                    self._at = end
                    return value
            self._more()


def need(record: Any, path: Path, *keys: str) -> tuple[Any, ...]:
    """The values of keys that a JSON object has to have; a DatasetError names what it has instead.

    >>> need({"qid": 1, "answer": "yes"}, Path("a.json"), "answer", "qid")
    ('yes', 1)
    """
    if not isinstance(record, Mapping):
        raise DatasetError(f"{path}: expected an object with {', '.join(keys)}; found {record!r:.60}.")
    missing = [key for key in keys if key not in record]
    if missing:
        raise DatasetError(f"{path}: expected a key {missing[0]!r}; found {', '.join(map(str, record))}.")
    return tuple(record[key] for key in keys)
