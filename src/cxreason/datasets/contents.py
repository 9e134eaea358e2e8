"""What lies in the folder of a dataset, counted without reading it all.

Tables and lists tell their rows, folders how many files or folders they have. What would take long is named
with None: a JSON file has to be read to be counted, and a table beyond some gigabytes takes minutes.
"""

from __future__ import annotations

import os
from pathlib import Path

from cxreason.datasets.tables import (
    ARCHIVES,
    DatasetError,
    open_bytes,
    read_csv,
    read_header,
    read_json,
    read_lines,
)

MOST_BYTES = {".csv": 2 << 30, ".gz": 256 << 20, ".json": 128 << 20, ".jsonl": 256 << 20, ".txt": 256 << 20}
MOST_BYTES[".zip"] = MOST_BYTES[".gz"]
"""A file that is larger is not counted."""


def contents(place: Path) -> dict[str, int | None]:
    """Name -> rows of a table, entries of a list, or what a folder holds; in the order of the names.

    contents(Path("mimic-cxr-jpg/2.1.0"))["mimic-cxr-2.0.0-metadata.csv.gz"]
    """
    found: dict[str, int | None] = {}
    for entry in sorted(os.scandir(place), key=lambda one: one.name):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            with os.scandir(entry) as inner:
                found[f"{entry.name}/"] = sum(not one.name.startswith(".") for one in inner)
        elif Path(entry.name).suffix in (*MOST_BYTES, ".parquet"):
            path = Path(entry)
            large = entry.stat().st_size > MOST_BYTES.get(path.suffix, entry.stat().st_size)
            found[entry.name] = None if large else _rows(path)
        elif entry.name.endswith(ARCHIVES):
            found[entry.name] = None
    return found


def _rows(path: Path) -> int | None:
    """None where a file is not what its name says: whoever reads the dataset will be told."""
    import pyarrow as pa

    kind = Path(path.stem).suffix if path.suffix in (".gz", ".zip") else path.suffix
    try:
        if kind == ".parquet":
            import pyarrow.parquet as pq

            return pq.read_metadata(path).num_rows
        if kind == ".csv":
            try:
                return _rows_of_table(path)
            except pa.ArrowInvalid:  # rows are not as long as their header, as in NIH's list of boxes
                return sum(1 for _ in read_csv(path))
        if kind == ".json":
            return sum(1 for _ in read_json(path))
        return sum(1 for _ in read_lines(path)) if kind in (".jsonl", ".txt") else None
    except (DatasetError, OSError, ValueError):  # Arrow's own errors are ValueErrors
        return None


def _rows_of_table(path: Path) -> int:
    """Rows below the header; texts in quotes may hold line ends."""
    import pyarrow as pa
    import pyarrow.csv as pc

    names = [str(number) for number, _ in enumerate(read_header(path))]
    with pc.open_csv(
        path if path.suffix != ".zip" else open_bytes(path),
        read_options=pc.ReadOptions(column_names=names, skip_rows=1),
        parse_options=pc.ParseOptions(newlines_in_values=True),
        convert_options=pc.ConvertOptions(include_columns=names[:1], column_types={"0": pa.string()}),
    ) as reader:
        return sum(batch.num_rows for batch in reader)
