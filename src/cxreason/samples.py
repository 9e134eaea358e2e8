"""The samples of one split of a run folder, as every verb that asks or learns reads them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cxreason.errors import UserError
from cxreason.records import Sample
from cxreason.runs import read


def read_samples(
    folder: Path, split: str, limit: int | None = None, *, tasks: Sequence[str] | None = None
) -> list[Sample]:
    """The samples of one split, in file order; an empty split is the user's mistake and says so.

    read_samples(Path("runs/build-a"), "train", tasks=("binary",))
    """
    samples = [
        sample
        for sample in read(folder, Sample)
        if sample.split == split and (tasks is None or sample.task in tasks)
    ]
    if not samples and tasks is not None:
        raise UserError(
            f"{folder}: no samples of the {split} split have one of the tasks {', '.join(tasks)}."
        )
    if not samples:
        raise UserError(
            f"{folder}: no samples of the {split} split. Build more studies, or name another split."
        )
    return samples[:limit]
