"""The phantom world as public datasets lie on disk: one module for each layout.

A module has `TABLES`, the tables of many studies (path below the folder -> header, or None where it has
none), and `write(out, one, films)`, which writes the files of one study and yields its rows as
(path of the table, values). A `finish(out)`, where there is one, is called last.

    >>> list(module("nih").TABLES)[0]
    'Data_Entry_2017_v2020.csv'
"""

from __future__ import annotations

import contextlib
import csv
import gzip
import importlib
import io
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO

from cxreason.rows import partial, replace_whole

LAYOUTS = ("mimic-cxr", "chexpert", "vindr-cxr", "ms-cxr", "nih", "open-i")


def module(layout: str) -> ModuleType:
    """The module that writes a layout."""
    if layout not in LAYOUTS:
        raise ValueError(f"layout {layout!r}: write {', '.join(LAYOUTS)}")
    return importlib.import_module(f"cxreason.phantom.layouts.{layout.replace('-', '_')}")


def check(layout: str) -> None:
    """Raises ModuleNotFoundError where a layout needs a package that is not installed."""
    for needed in getattr(module(layout), "NEEDS", ()):
        importlib.import_module(needed)


class Tables:
    """The tables of a layout while they grow. They get their names when they are whole, by `finish`."""

    def __init__(self, out: Path, layout: str):
        self._module = module(layout)
        self._out = out
        self._open = contextlib.ExitStack()
        self._files: dict[str, IO[str]] = {}

    def __enter__(self) -> Tables:
        for name, header in self._module.TABLES.items():
            path = self._out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._files[name] = self._create(partial(path), packed=name.endswith(".gz"))
            if header is not None:
                self._files[name].write(header + "\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._open.close()

    def add(self, rows: Iterable[tuple[str, tuple]]) -> None:
        """Append rows; a row of one text goes into a list without columns as it is."""
        for name, values in rows:
            if self._module.TABLES[name] is None:
                self._files[name].write(f"{values[0]}\n")
            else:
                csv.writer(self._files[name], lineterminator="\n").writerow(values)

    def finish(self) -> None:
        """Close the tables and give them their names."""
        self._open.close()
        for name in self._files:
            replace_whole(partial(self._out / name), self._out / name)
        if hasattr(self._module, "finish"):
            self._module.finish(self._out)

    def _create(self, path: Path, packed: bool) -> IO[str]:
        if not packed:
            return self._open.enter_context(path.open("w", encoding="utf-8", newline=""))
        raw = self._open.enter_context(path.open("wb"))
        # No name and no time inside, so that the same world gives the same bytes.
        squeezed = self._open.enter_context(gzip.GzipFile("", "wb", fileobj=raw, mtime=0))
        return self._open.enter_context(io.TextIOWrapper(squeezed, encoding="utf-8", newline=""))
