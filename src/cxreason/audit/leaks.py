"""Who stands on both sides: patients, studies, images and reports that several splits share.

Splits are "train", "validation" and "test"; a folder that is given as an evaluation set is one more, by its
name. A patient is known by all keys of `Sample.groups`, so that one of MS-CXR is met again in MIMIC-CXR. A
report counts from `REPORT_WORDS` words on: short ones are alike everywhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cxreason.audit.items import Source, batches
from cxreason.progress import progress

REPORT_WORDS = 30
NUM_EXAMPLES = 5
COLUMNS = ("dataset", "split", "patient_id", "study_id", "images", "report", "groups")


@dataclass
class _Seen:
    """Which splits a thing was met in, as bits, by a hash of 64 bits of it."""

    splits: dict[str, int]
    bits: dict[int, int] = field(default_factory=dict)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, thing: str, split: str) -> None:
        bit = 1 << self.splits.setdefault(split, len(self.splits))
        key = int.from_bytes(hashlib.blake2b(thing.encode(), digest_size=8).digest(), "big")
        before = self.bits.get(key, 0)
        if (
            before
            and before | bit != before
            and before & (before - 1) == 0
            and len(self.examples) < NUM_EXAMPLES
        ):
            first = next(name for name, place in self.splits.items() if before == 1 << place)
            self.examples.append({"what": thing[:120], "splits": [first, split]})
        self.bits[key] = before | bit

    def shared(self) -> int:
        return sum(bits & (bits - 1) != 0 for bits in self.bits.values())


def find_leaks(files: Sequence[Source], *, hash_images: bool = True) -> list[dict[str, Any]]:
    """One row for each kind: how many different there are, how many several splits share, examples.

    With `hash_images` every image file that exists is decoded, and equal pixels are equal images, whatever
    the files are called.
    """
    splits: dict[str, int] = {}
    seen = {kind: _Seen(splits) for kind in ("patient", "study", "image file", "report")}
    places: dict[str, set[str]] = {}
    for source in files:
        for batch in batches(source.file, COLUMNS):
            _add(pa.Table.from_batches([batch]), source, seen, places if hash_images else None)
    rows = [_row(kind, one) for kind, one in seen.items()]
    if hash_images:
        rows.append(_image_leaks(places, splits))
    return rows


def _add(table: pa.Table, source: Source, seen: dict[str, _Seen], places: dict | None) -> None:
    def split_of(name: str) -> str:
        return f"evaluation set {source.folder.name}" if source.is_evaluation else name

    def pairs(*columns: str) -> Iterable[tuple]:
        # Distinct combinations first, in Arrow: there are a hundred samples for each patient.
        for row in table.group_by([*columns, "split"]).aggregate([]).to_pylist():
            yield tuple(row[name] for name in (*columns, "split"))

    for dataset, patient, split in pairs("dataset", "patient_id"):
        seen["patient"].add(f"{dataset}/{patient}", split_of(split))
    for key, split in _flat(table, "groups"):
        seen["patient"].add(key, split_of(split))
    for dataset, study, split in pairs("dataset", "study_id"):
        seen["study"].add(study if "/" in study else f"{dataset}/{study}", split_of(split))
    for report, split in pairs("report"):
        if report.count(" ") + 1 >= REPORT_WORDS:
            seen["report"].add(" ".join(report.casefold().split()), split_of(split))
    for image, split in _flat(table, "images"):
        path = os.path.normpath(source.folder / image)
        seen["image file"].add(path, split_of(split))
        if places is not None:
            places.setdefault(path, set()).add(split_of(split))


def _flat(table: pa.Table, column: str) -> Iterable[tuple[str, str]]:
    """The different entries of a column of lists, each with the splits that hold it."""
    if column not in table.column_names:
        return
    owner = pc.call_function("list_parent_indices", [table[column]])
    flat = pa.table(
        {"entry": pc.call_function("list_flatten", [table[column]]), "split": table["split"].take(owner)}
    )
    for row in flat.group_by(["entry", "split"]).aggregate([]).to_pylist():
        yield row["entry"], row["split"]


def _image_leaks(places: dict[str, set[str]], splits: dict[str, int]) -> dict[str, Any]:
    from cxreason.imaging.read import read_image

    seen, missing = _Seen(splits), 0
    for path in progress(sorted(places), "comparing images", len(places)):
        if not Path(path).is_file():
            missing += 1
            continue
        pixels = read_image(path)
        content = f"{pixels.shape} {hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()}"
        for split in sorted(places[path]):
            before = len(seen.examples)
            seen.add(content, split)
            if len(seen.examples) > before:
                seen.examples[-1]["what"] = path
    return _row("image", seen, missing)


def _row(kind: str, seen: _Seen, missing: int = 0) -> dict[str, Any]:
    different, shared = len(seen.bits), seen.shared()
    return {
        "kind": kind,
        "different": different,
        "shared": shared,
        "missing": missing,
        "examples": seen.examples,
    }
