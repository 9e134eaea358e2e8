"""Writes a corpus of phantoms: `studies.parquet` beside `images/`.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder:
...     generate(Path(folder), num_studies=3, image_size=64)["studies"]
3
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxreason.phantom.places import altered, places
from cxreason.phantom.report import write_report
from cxreason.phantom.world import DRAWN, Visit, draw_visit
from cxreason.records import Box, Study, schema, to_row

DATASET = "phantom"
NO_FINDING = "no finding"

# A device that was put in or taken out has neither worsened nor improved, so it has no change then.
CHANGES = {"new": "worsening", "resolved": "improving"}


@dataclass(frozen=True)
class PhantomStudy:
    """A phantom's record, with everything that is needed to draw its image."""

    study: Study
    visit: Visit

    def render(self, image_size: int = 256) -> np.ndarray:
        """The frontal image, 8-bit grey."""
        from cxreason.phantom.render import render

        return render(self.visit, image_size)


def studies(seed: int, num_studies: int) -> Iterator[PhantomStudy]:
    """The first `num_studies` phantoms of this seed; a study does not depend on how many are asked for.

    >>> [phantom.study.id for phantom in studies(seed=0, num_studies=2)]
    ['phantom/0/000000', 'phantom/0/000001']
    """
    for index in range(num_studies):
        yield phantom(seed, index)


def phantom(seed: int, index: int) -> PhantomStudy:
    """One phantom by its number, without drawing any other."""
    visit = draw_visit(seed, index)
    names = {finding.name for finding in visit.findings}
    labels = {name: int(name in names) for name in DRAWN}
    labels[NO_FINDING] = int(not names)
    report = write_report(visit)
    anatomy = altered(visit.anatomy, visit.findings)
    study = Study(
        id=_study_id(seed, index),
        dataset=DATASET,
        patient_id=f"phantom/{seed}/p{visit.patient:06d}",
        images=(f"images/{seed}-{index:06d}.png",),
        views=("PA",),
        split=visit.split,
        indication=report.indication,
        comparison=report.comparison,
        findings=report.findings,
        impression=report.impression,
        labels=labels,
        boxes=tuple(
            Box(finding.name, *place) for finding in visit.findings for place in places(anatomy, finding)
        ),
        prior_id=_study_id(seed, visit.prior.index) if visit.prior else "",
        changes={
            name: CHANGES.get(change, change)
            for name, change in visit.changes.items()
            if name != "support devices" or change == "stable"
        },
    )
    return PhantomStudy(study, visit)


def _study_id(seed: int, index: int) -> str:
    return f"{DATASET}/{seed}/{index:06d}"


def generate(
    out: Path,
    *,
    num_studies: int,
    seed: int = 0,
    image_size: int = 256,
    on_progress: Callable[[int, int], object] | None = None,
) -> dict[str, int]:
    """Writes images and records to `out` and returns how many studies, patients, and of each finding.

    The records are written last, so a folder without `studies.parquet` is an unfinished one; calling again
    draws the same phantoms over it. `on_progress` is called with (done, all) after every study.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if num_studies < 1:
        raise ValueError(f"num_studies is {num_studies}; ask for at least 1")
    out = Path(out)
    (out / "images").mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter(studies=num_studies)
    rows, patients = [], set()
    for done, item in enumerate(studies(seed, num_studies), 1):
        _write_image(item.render(image_size), out / item.study.images[0])
        rows.append(to_row(item.study))
        patients.add(item.study.patient_id)
        counts[item.study.split] += 1
        counts.update(name for name, value in item.study.labels.items() if value)
        if on_progress is not None:
            on_progress(done, num_studies)
    counts["patients"] = len(patients)
    table = pa.Table.from_pylist(rows, schema=schema(Study))
    partial = out / "studies.parquet.tmp"
    pq.write_table(table, partial)
    partial.replace(out / "studies.parquet")
    return dict(counts)


def _write_image(pixels: np.ndarray, path: Path) -> None:
    from PIL import Image

    partial = path.with_suffix(".tmp")
    Image.fromarray(pixels).save(partial, format="PNG", compress_level=1, compress_type=zlib.Z_RLE)
    partial.replace(path)
