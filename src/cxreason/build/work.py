"""What one step of a build leaves for the next: files under `work/`, none of them there by half."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import zlib
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

from cxreason.build.paths import BuildError
from cxreason.rows import partial

Job = TypeVar("Job")
Result = TypeVar("Result")


def taken_file(work: Path, samples: str) -> Path:
    """What the audit has taken of a file of samples."""
    return work / "taken" / f"{samples}.pickle"


def keep(path: Path, value: Any) -> None:
    """Write a value of Python as a file that only the same build reads again, with `kept`.

    Nobody waits for the disk: a build that is killed has lost nothing, and after a power cut `kept` sees
    what is torn.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    held = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    part = partial(path)
    with part.open("wb") as stream:
        stream.write(zlib.crc32(held).to_bytes(4, "big"))
        stream.write(held)
    part.replace(path)


def kept(path: Path) -> Any:
    """What `keep` wrote; BuildError where it is torn."""
    held = memoryview(path.read_bytes())
    if zlib.crc32(held[4:]) != int.from_bytes(held[:4], "big"):
        work = path.parents[1]
        raise BuildError(f"{path}: is damaged, as after a power cut. Remove {work} and build again.")
    return pickle.loads(held[4:])


def without_collection(work: Callable[[Job], Result]) -> Callable[[Job], Result]:
    """Work that makes millions of small things and no circles of them: nobody needs to look for circles.

    In a process of a crew, what is remembered of it, as how texts were cut, is not looked through after each
    piece either. A process that builds by itself may hold what is not ours to keep.
    """

    @wraps(work)
    def quicker(job: Job) -> Result:
        was_on = gc.isenabled()
        gc.disable()
        try:
            return work(job)
        finally:
            if was_on:
                if multiprocessing.parent_process() is not None:
                    gc.freeze()
                gc.enable()

    return quicker
