"""Writes a corpus of phantoms, over several processes, as studies or in a dataset's official layout.

A study is drawn from its number alone, so any number of processes writes the same files. Finished studies
are handed back in order; nothing but the few that are in the making is held in memory.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     generate(Path(folder), num_studies=3, image_size=64)["studies"]
3
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from cxreason.machine import num_cores
from cxreason.phantom.study import PhantomStudy, phantom, studies
from cxreason.phantom.visit import TINY, World
from cxreason.records import Study, to_row
from cxreason.rows import write_parquet
from cxreason.workers import each

__all__ = ["Job", "PhantomStudy", "count", "drawn", "generate", "phantom", "studies"]

CHUNK = 32
"""Studies that a process draws before it hands them back."""
LEAST = 256
"""Below so many studies a second process costs more than it saves."""


@dataclass(frozen=True)
class Job:
    """What to draw and where to write it."""

    out: Path
    seed: int = 0
    image_size: int = 256
    world: World = TINY
    layout: str = ""
    """A module of `phantom.layouts` that writes the files; empty for studies as cxreason has them."""


Done = tuple[Study, list[tuple[str, tuple]]]
"""A study whose files are written, and its rows for the tables of the layout."""


def write_study(job: Job, index: int) -> Done:
    """Draw one study and write its files; what belongs into tables of many studies is returned."""
    one = phantom(job.seed, index, job.world)
    films = one.radiographs(job.image_size)
    if job.layout:
        from cxreason.phantom import layouts

        return one.study, list(layouts.module(job.layout).write(job.out, one, films))
    for image, film in zip(one.study.images, films, strict=True):
        _write_image(film.pixels, job.out / image)
    return one.study, []


def drawn(job: Job, indices: Iterable[int], workers: int | None = None) -> Iterator[Done]:
    """The studies with these numbers, written, in order; by default one process for each core."""
    todo = list(indices)
    workers = workers or min(num_cores(), len(todo) // LEAST + 1)
    if workers == 1:
        yield from (write_study(job, index) for index in todo)
        return
    chunks = [todo[start : start + CHUNK] for start in range(0, len(todo), CHUNK)]
    for chunk in each(partial(_write_chunk, job), chunks, workers):
        yield from chunk


def _write_chunk(job: Job, indices: list[int]) -> list[Done]:
    return [write_study(job, index) for index in indices]


def count(counts: Counter[str], study: Study) -> None:
    """Add a study to the counts of a corpus: its split, and what it has."""
    counts["studies"] += 1
    counts[study.split] += 1
    counts.update(name for name, value in study.labels.items() if value == 1)


def generate(
    out: Path,
    *,
    num_studies: int,
    seed: int = 0,
    image_size: int = 256,
    world: World = TINY,
    workers: int | None = 1,
    on_progress: Callable[[int, int], object] | None = None,
) -> dict[str, int]:
    """Writes images and records to `out` and returns how many studies, patients, and of each finding.

    The records are written last, so a folder without `studies.parquet` is an unfinished one; calling again
    draws the same phantoms over it. `on_progress` is called with (done, all) after every study. With more
    than one worker the calling script needs its `if __name__ == "__main__":`.
    """
    if num_studies < 1:
        raise ValueError(f"num_studies is {num_studies}; ask for at least 1")
    out = Path(out)
    (out / "images").mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    patients: set[str] = set()

    def rows() -> Iterator[dict]:
        job = Job(out, seed, image_size, world)
        for done, (study, _) in enumerate(drawn(job, range(num_studies), workers), 1):
            count(counts, study)
            patients.add(study.patient_id)
            yield to_row(study)
            if on_progress is not None:
                on_progress(done, num_studies)

    write_parquet(out / "studies.parquet", Study, rows())
    return {**counts, "patients": len(patients)}


def _write_image(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    part = path.with_suffix(".tmp")
    Image.fromarray(pixels).save(part, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)
    part.replace(path)
