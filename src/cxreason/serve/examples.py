"""Synthetic examinations to try the page on, of the world that the shipped model was made for.

They are drawn when somebody first asks for one; which ones they are is decided by what they show, so that
another world has fitting ones as well.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from cxreason.records import Study
from cxreason.text.ontology import FINDINGS

SIDE = 768
"""Pixels of an example: enough to look at; the model shrinks it as it does every image."""
SEED = 17
SEARCHED = 600
NOTE = "A drawing (phantom), not a patient."


@dataclass
class Example:
    """An examination, or two of one patient, with a question to begin with."""

    title: str
    indices: tuple[int, ...]
    labels: tuple[str, ...]
    ask: dict[str, Any]
    note: str = NOTE
    report: str = ""
    """What a radiologist would have written of the last one."""
    _files: list[bytes] = field(default_factory=list)

    @property
    def files(self) -> list[bytes]:
        """Its images as PNG files."""
        if not self._files:
            self._files = [_drawn(index) for index in self.indices]
        return self._files


def finding_names() -> list[str]:
    """Findings that can be asked about by name; any other can be written as well."""
    return list(FINDINGS)


def examples() -> dict[str, Example]:
    """The examples by name; one that the world does not have is left out.

    >>> list(examples())
    ['findings', 'normal', 'course']
    """
    wanted: dict[str, tuple[Callable[[Study], bool], Callable[[Study], Example]]] = {
        "findings": (_has_findings, _with_findings),
        "normal": (lambda study: study.labels.get("no finding") == 1, _normal),
        "course": (_has_course, _with_course),
    }
    found: dict[str, Example] = {}
    for study in _studies():
        for name, (fits, make) in wanted.items():
            if name not in found and fits(study):
                found[name] = make(study)
        if len(found) == len(wanted):
            break
    return {name: found[name] for name in wanted if name in found}


def _has_findings(study: Study) -> bool:
    present = [name for name in FINDINGS if study.labels.get(name) == 1]
    return "pleural effusion" in present and 2 <= len(present) <= 4 and not study.prior_id


def _with_findings(study: Study) -> Example:
    ask = {"type": "finding", "finding": "pleural effusion"}
    return Example("One examination", (_index(study.id),), ("",), ask, report=study.report)


def _normal(study: Study) -> Example:
    return Example("A normal chest", (_index(study.id),), ("",), {"type": "findings"}, report=study.report)


def _has_course(study: Study) -> bool:
    return "pleural effusion" in study.changes and study.changes["pleural effusion"] != "stable"


def _with_course(study: Study) -> Example:
    indices = _index(study.prior_id), _index(study.id)
    ask = {"type": "course", "finding": "pleural effusion"}
    return Example("Earlier and current", indices, ("Earlier", "Current"), ask, report=study.report)


def _index(study_id: str) -> int:
    return int(study_id.rpartition("/")[2])


def _studies() -> Iterator[Study]:
    """Studies that no model of the demo was trained on, without their images."""
    from cxreason.phantom.study import record
    from cxreason.phantom.world import draw_visit

    for index in range(SEARCHED):
        study = record(draw_visit(SEED, index, _world()))
        if study.split == "test":
            yield study


@cache
def _world() -> Any:
    """The world of the demo, which is that of the shipped model."""
    from cxreason import phantom
    from cxreason.phantom.run import world_of
    from cxreason.recipes import DemoRecipe, PhantomRecipe, load, validate

    recipe = load(DemoRecipe, Path(phantom.__file__).parent / "demo.yaml", [])
    return world_of(validate(PhantomRecipe, {"out": Path("phantom"), **recipe.phantom}))


def _drawn(index: int) -> bytes:
    from PIL import Image

    from cxreason.phantom.study import phantom

    written = io.BytesIO()
    Image.fromarray(phantom(SEED, index, _world()).render(SIDE)).save(written, "PNG")
    return written.getvalue()
