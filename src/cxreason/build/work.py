"""What one step of a build leaves for the next: files under `work/`, each there whole or not at all."""

from __future__ import annotations

import gc
import pickle
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cxreason.rows import partial, replace_whole

Job = TypeVar("Job")
Result = TypeVar("Result")


def taken_file(work: Path, samples: str) -> Path:
    """What the audit has taken of a file of samples."""
    return work / "taken" / f"{samples}.pickle"


def save(path: Path, arrays: dict[str, Any]) -> None:
    """Write arrays as a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = partial(path)
    with part.open("wb") as stream:
        np.savez(stream, **arrays)
    replace_whole(part, path)


def keep(path: Path, value: Any) -> None:
    """Write a value of Python as a file that only the same build reads again, with `kept`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = partial(path)
    with part.open("wb") as stream:
        pickle.dump(value, stream, protocol=pickle.HIGHEST_PROTOCOL)
    replace_whole(part, path)


def kept(path: Path) -> Any:
    """What `keep` wrote."""
    with path.open("rb") as stream:
        return pickle.load(stream)


def without_collection(work: Callable[[Job], Result]) -> Callable[[Job], Result]:
    """Work that makes millions of small things and no circles of them: nobody needs to look for circles."""

    @wraps(work)
    def quicker(job: Job) -> Result:
        was_on = gc.isenabled()
        gc.disable()
        try:
            return work(job)
        finally:
            if was_on:
                gc.enable()

    return quicker
