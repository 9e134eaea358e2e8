"""How rows and small files lie on disk: whole after any crash, read and written with flat memory."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cxreason.errors import UserError
from cxreason.records import schema

Record = TypeVar("Record")

GROUP_ROWS = 4096


class RunError(UserError):
    """A run folder that cannot be used as asked, and what to do about it, in one line."""


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all: a reader never sees half of it, not even after a crash."""
    part = partial(path)
    part.write_text(text, encoding="utf-8")
    replace_whole(part, path)


def stream_parquet(file: Path, record: type[Record]) -> Iterator[Record]:
    """The records of a Parquet file, in order."""
    import pyarrow.parquet as pq

    from cxreason.columns import from_table

    with pq.ParquetFile(file) as parquet:
        for batch in parquet.iter_batches(1024):
            yield from from_table(record, batch)


def write_records(final: Path, record: type, rows: Sequence[Any]) -> None:
    """Write records that are at hand as Parquet, whole or not at all."""
    from cxreason.columns import to_table

    write_table(final, to_table(record, rows))


def write_groups(final: Path, record: type, groups: Iterator[Sequence[Any]]) -> None:
    """Write groups of records that come one after another as Parquet, whole or not at all."""
    import pyarrow.parquet as pq

    from cxreason.columns import to_table

    part = partial(final)
    with pq.ParquetWriter(part, schema(record), compression="zstd", compression_level=1) as writer:
        for rows in groups:
            writer.write_table(to_table(record, rows), row_group_size=GROUP_ROWS)
    replace_whole(part, final)


def write_table(final: Path, table: Any) -> None:
    """Write an Arrow table as Parquet, whole or not at all."""
    import pyarrow.parquet as pq

    part = partial(final)
    pq.write_table(table, part, compression="zstd", compression_level=1, row_group_size=GROUP_ROWS)
    replace_whole(part, final)


def write_parquet(final: Path, record: type, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows (see `to_row`) as Parquet in row groups, whole or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    part = partial(final)
    with pq.ParquetWriter(part, schema(record), compression="zstd") as writer:
        while group := list(itertools.islice(rows, GROUP_ROWS)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema(record)))
    replace_whole(part, final)


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a JSONL file; RunError names a line that is not JSON."""
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except ValueError:
                mend = "Remove that line, then run the same command again."
                raise RunError(f"{file}: line {number} is damaged. {mend}") from None


def drop_torn_line(file: Path) -> None:
    """Cut off what follows the last line end: a line that was being written when the process died."""
    with file.open("rb+") as stream:
        end = stream.seek(0, os.SEEK_END)
        keep, block = end, 1 << 16
        while keep > 0:
            start = max(0, keep - block)
            stream.seek(start)
            found = stream.read(keep - start).rfind(b"\n")
            if found >= 0:
                keep = start + found + 1
                break
            keep = start
        if keep < end:
            stream.truncate(keep)
            os.fsync(stream.fileno())


def append_lines(file: Path, lines: list[str]) -> None:
    """Append lines and wait until the disk has them."""
    with file.open("a", encoding="utf-8") as stream:
        stream.write("".join(f"{line}\n" for line in lines))
        stream.flush()
        os.fsync(stream.fileno())


def partial(path: Path) -> Path:
    """Where a file is written before it is renamed to `path`; hidden, and overwritten after a crash."""
    return path.with_name(f".{path.name}.partial")


def replace_whole(part: Path, final: Path) -> None:
    """Rename `part` to `final`: after a power cut the old file is there or the whole new one."""
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
