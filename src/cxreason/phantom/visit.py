"""The nouns of the synthetic world: a visit of a patient, how it was examined, and the findings there are.

>>> Finding("port", 1, "right").main
'support devices'
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cxreason.phantom.anatomy import Anatomy
from cxreason.text.ontology import main_finding

DRAWN = (
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung lesion",
    "edema",
    "consolidation",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "fracture",
    "support devices",
)
"""The findings of the tiny world, in the order of the ontology."""

LEVELS = ("", "small", "moderate", "large")


@dataclass(frozen=True)
class World:
    """What there is to see in one world. Both worlds share their patients' anatomy, painters and words."""

    name: str
    deep: bool
    """Patients, views and findings of a hospital (`clinic.py`), films with faults, doubtful findings. Without
    it every finding is about as common as the next and every film is a good PA view."""

    @property
    def place(self) -> str:
        """What ids of this world begin with, so that those of two worlds are never the same."""
        return "phantom/deep" if self.deep else "phantom"


TINY, DEEP = World("tiny", deep=False), World("deep", deep=True)


@dataclass(frozen=True)
class Exam:
    """How a patient was examined on one day."""

    setting: str = ""
    view: str = "PA"
    lateral: bool = False
    low_volume: bool = False
    turn: float = 0.0
    """How far the patient is turned, in fractions of the image; above 0 towards the patient's left."""


@dataclass(frozen=True)
class Finding:
    """Something to see on a phantom's image.

    `level` is 1 small, 2 moderate, 3 large. `shape` seeds its form, which stays the same between visits.
    """

    name: str
    level: int
    side: str = ""
    zone: str = ""
    device: str = ""
    """Which device: in the tiny world alone, where all devices are one finding, "support devices"."""
    shape: int = 0
    doubt: str = ""
    """"hedged" or "unsaid" where the reader of the film was not sure."""

    @property
    def concept(self) -> str:
        """The finest name of it, under which it is drawn and worded."""
        return self.device or self.name

    @property
    def main(self) -> str:
        """The one of the 13 CheXpert findings that it is a kind of; empty where it is of none."""
        return main_finding(self.name)

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides it lies on, as single words; empty where side means nothing."""
        return ("right", "left") if self.side == "both" else ((self.side,) if self.side else ())


@dataclass(frozen=True)
class Visit:
    """One patient on one day: everything that the image and the report are made from."""

    seed: int
    index: int
    patient: int
    split: str
    anatomy: Anatomy
    findings: tuple[Finding, ...]
    prior: Visit | None = None
    world: World = TINY
    exam: Exam = Exam()
    age: int = 0
    sex: str = ""

    @property
    def changes(self) -> dict[str, str]:
        """Finding -> "new", "resolved", "worsening", "stable" or "improving" since the prior, if any."""
        if self.prior is None:
            return {}
        before = {finding.name: finding.level for finding in self.prior.findings}
        now = {finding.name: finding.level for finding in self.findings}
        order = dict.fromkeys((*before, *now)) if self.world.deep else DRAWN
        doubtful = {one.name for one in (*self.prior.findings, *self.findings) if one.doubt}
        return {
            name: _change(before.get(name, 0), now.get(name, 0))
            for name in order
            if (name in before or name in now) and name not in doubtful
        }


def _change(before: int, now: int) -> str:
    if not before or not now:
        return "new" if now else "resolved"
    return "stable" if before == now else "worsening" if now > before else "improving"


def generator(*key: int) -> np.random.Generator:
    """Random numbers that depend on the key alone, the same in any order and on any machine."""
    return np.random.Generator(np.random.PCG64(key))
