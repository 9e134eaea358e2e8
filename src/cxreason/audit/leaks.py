"""Who stands on both sides: patients, studies, images and reports that several splits share.

Splits are "train", "validation" and "test"; a folder that is given as an evaluation set is one more, by its
name. A patient is known by all keys of `Sample.groups`, so that one of MS-CXR is met again in MIMIC-CXR. A
report counts from `REPORT_WORDS` words on: short ones are alike everywhere.
"""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cxreason.audit.items import Source, batches
from cxreason.progress import progress
from cxreason.records import short_id
from cxreason.text.sections import one_line

REPORT_WORDS = 30
"""Reports of fewer words are alike everywhere, and say nothing about whose they are."""
NUM_EXAMPLES = 5
COLUMNS = ("dataset", "split", "patient_id", "study_id", "images", "report", "groups")
KINDS = ("patient", "study", "image file", "report")

Things = dict[tuple[str, str], np.ndarray]
"""(kind, split) -> a hash of 64 bits of everything that was met there, each once."""


def things(table: pa.Table, source: Source) -> Things:
    """What some samples show, as `find_leaks` compares it."""
    found: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for kind, split, texts in _told(table, source):
        found[kind, split].append(np.fromiter(map(short_id, texts), dtype=np.uint64, count=len(texts)))
    return {key: np.unique(np.concatenate(hashes)) for key, hashes in found.items()}


def _told(table: pa.Table, source: Source) -> Iterator[tuple[str, str, set[str]]]:
    """(kind, split, the different things in words)."""
    place = os.path.normpath(source.folder)
    for dataset, name, rows in _parts(table):
        split = f"evaluation set {source.folder.name}" if source.is_evaluation else name
        yield (
            "patient",
            split,
            {f"{dataset}/{one}" for one in _different(rows, "patient_id")} | _listed(rows, "groups"),
        )
        studies = _different(rows, "study_id")
        yield "study", split, {one if "/" in one else f"{dataset}/{one}" for one in studies}
        yield "report", split, set(filter(None, map(compared, _different(rows, "report"))))
        yield "image file", split, {_joined(place, one) for one in _listed(rows, "images")}


def compared(report: str) -> str:
    """A report as it is compared with others; empty where it is too short to say whose it is.

    >>> compared("Clear lungs.")
    ''
    """
    return one_line(report.casefold()) if report.count(" ") + 1 >= REPORT_WORDS else ""


def _parts(table: pa.Table) -> Iterator[tuple[str, str, pa.Table]]:
    """(dataset, split, the samples of it)."""
    named = [
        (dataset, split) for dataset in _different(table, "dataset") for split in _different(table, "split")
    ]
    if len(named) == 1:
        yield *named[0], table
        return
    for dataset, split in sorted(named):
        kept = pc.call_function(
            "and",
            [
                pc.call_function("equal", [table["dataset"], pa.scalar(dataset)]),
                pc.call_function("equal", [table["split"], pa.scalar(split)]),
            ],
        )
        rows = table.filter(kept)
        if len(rows):
            yield dataset, split, rows


def _different(table: pa.Table, column: str) -> set[str]:
    once = table[column].unique()
    if pa.types.is_dictionary(once.type):  # whose values are many times as slow one by one
        once = once.dictionary_decode()
    return set(once.to_pylist())


def _listed(table: pa.Table, column: str) -> set[str]:
    """The different entries of a column of lists; a file of an older version may lack the column."""
    if column not in table.column_names:
        return set()
    return set(pc.call_function("list_flatten", [table[column]]).unique().to_pylist())


def _joined(folder: str, path: str) -> str:
    """`normpath` of both, at a tenth of its price for paths as a build writes them."""
    while path.startswith("../") and folder.count("/") > 1:
        folder, path = folder.rpartition("/")[0], path[3:]
    odd = path.startswith(("/", "./", "../")) or path.endswith("/") or "//" in path or "/." in path
    return os.path.normpath(Path(folder) / path) if odd else f"{folder}/{path}"


def find_leaks(
    files: Sequence[Source], *, hash_images: bool = True, met: Iterable[Things] | None = None
) -> list[dict[str, Any]]:
    """One row for each kind: how many different there are, how many several splits share, examples.

    `met` are the `things` of the files where somebody has taken them already. With `hash_images` every image
    file that exists is decoded, and equal pixels are equal images, whatever the files are called.
    """
    if met is None:
        met = (things(table, source) for source, table in _tables(files))
    by_key: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
    for one in met:
        for key, hashes in one.items():
            by_key[key].append(hashes)
    once = {key: np.unique(np.concatenate(found)) for key, found in by_key.items()}
    rows = []
    for kind in KINDS:
        here = [hashes for (one, _), hashes in once.items() if one == kind]
        different, times = (
            np.unique(np.concatenate(here), return_counts=True) if here else (np.array([]),) * 2
        )
        shared = different[times > 1]
        rows.append(_row(kind, len(different), len(shared), _examples(files, kind, set(shared.tolist()))))
    if hash_images:
        rows.append(_image_leaks(files))
    return rows


def _tables(files: Sequence[Source]) -> Iterator[tuple[Source, pa.Table]]:
    for source in files:
        for batch in batches(source.file, COLUMNS):
            yield source, pa.Table.from_batches([batch])


def _examples(files: Sequence[Source], kind: str, shared: set[int]) -> list[dict[str, Any]]:
    """Some of what is shared, in words: the files are read once more, where there is any."""
    where: dict[int, str] = {}
    found: list[dict[str, Any]] = []
    for source, table in _tables(files) if shared else ():
        for one, split, texts in _told(table, source):
            for text in sorted(texts) if one == kind else ():
                before = where.setdefault(short_id(text), split) if short_id(text) in shared else split
                if before != split and len(found) < NUM_EXAMPLES:
                    shared.discard(short_id(text))
                    found.append({"what": text[:120], "splits": [before, split]})
        if len(found) == NUM_EXAMPLES:
            break
    return found


def _image_leaks(files: Sequence[Source]) -> dict[str, Any]:
    from cxreason.imaging.read import read_image

    places: dict[str, set[str]] = defaultdict(set)
    for source, table in _tables(files):
        for kind, split, texts in _told(table, source):
            for path in texts if kind == "image file" else ():
                places[path].add(split)
    seen: dict[str, str] = {}
    shared: dict[str, dict[str, Any]] = {}
    missing = 0
    for path in progress(sorted(places), "comparing images", len(places)):
        if not Path(path).is_file():
            missing += 1
            continue
        pixels = read_image(path)
        content = f"{pixels.shape} {hashlib.blake2b(pixels.tobytes(), digest_size=16).hexdigest()}"
        for split in sorted(places[path]):
            if seen.setdefault(content, split) != split:
                shared.setdefault(content, {"what": path, "splits": [seen[content], split]})
    return _row("image", len(seen), len(shared), list(shared.values())[:NUM_EXAMPLES], missing)


def _row(
    kind: str, different: int, shared: int, examples: list[dict[str, Any]], missing: int = 0
) -> dict[str, Any]:
    return {
        "kind": kind,
        "different": different,
        "shared": shared,
        "missing": missing,
        "examples": examples,
    }
