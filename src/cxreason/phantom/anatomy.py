"""The chest of one patient as a handful of numbers and smooth curves.

Everything is measured in fractions of the image: x to the right, y down, `d` outward from the patient's
midline. The image's left is the patient's right, so `sign` is +1 for the patient's left and -1 for the right.

    >>> anatomy = draw_anatomy(np.random.default_rng(0))
    >>> bool(anatomy.outer(np.float32(0.6)) > anatomy.inner(np.float32(0.6), SIGN["left"]))
    True
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

Values = np.ndarray | np.floating
"""Places along one axis, or a single place."""

SIGN = {"left": 1, "right": -1}
ZONES = {"upper": 0.27, "mid": 0.53, "lower": 0.82}
"""How far down the lung, from apex to dome of the diaphragm, the middle of each zone lies."""


@dataclass(frozen=True)
class Anatomy:
    """What makes a chest this patient's chest, and what a day's positioning changes about it."""

    midline: float
    top: float
    """Height of the lung apices."""
    dome: float
    """Height of the right hemidiaphragm; the left one lies a little lower."""
    half: float
    """Half of the inner width of the thorax at its widest."""
    heart_ratio: float
    """Width of the heart over the inner width of the thorax."""
    mediastinum: float
    """Half of the width of the upper mediastinum."""
    left_drop: float
    """How much lower the left hemidiaphragm lies than the right."""
    rib_spacing: float
    rib_drop: float
    """How far a posterior rib falls between the spine and the chest wall."""
    soft_tissue: float
    """Thickness of the chest wall beside the lungs."""
    clavicle: float
    """Height of the clavicles below the lung apices."""
    gastric: float
    """Radius of the gas bubble of the stomach."""
    widening: float = 0.0
    """How far the upper mediastinum bulges beyond its normal border."""
    raised: tuple[float, float] = (0.0, 0.0)
    """How far the (right, left) hemidiaphragm is pulled up by lost volume."""
    # The rest is the same for every patient of the tiny world.
    apex_width: float = 0.36
    """Width of the lung at its top over its greatest."""
    apex_slope: float = 0.9
    heart_shares: tuple[float, float] = (0.345, 0.655)
    """Shares of the heart's width that lie on the (right, left)."""
    heart_turns: tuple[tuple[float, float], tuple[float, float]] = ((0.17, 0.58), (0.10, 0.62))
    """Where on a half circle each border of the heart begins, and how far along it runs."""
    knob_size: float = 0.02
    """How far the aortic arch stands out."""
    flattening: float = 0.0
    """How much of the curve of the diaphragm is lost to too much air."""
    widest_heart: float = 0.0
    """How much wider every heart looks because the beam comes from the front."""
    bend: float = 0.0
    """How far the spine leaves the midline."""
    turn: float = 0.0
    """How far what lies in front (breastbone, clavicles) is turned against the spine."""
    breast: float = 0.0
    """Radius of the shadow of the breasts."""
    blade: float = 0.0
    """How far the shoulder blades lie over the lungs."""
    broken: tuple[int, float, float] = (0, 0.0, 0.0)
    """A broken clavicle: its sign (0 where both are whole), how far along, and how far its ends are apart."""

    def outer(self, y: Values) -> np.ndarray:
        """Distance of the lung's lateral border from the midline."""
        t = np.clip((y - self.top) / (self.dome + 0.10 - self.top), 0, 1)
        return self.half * (self.apex_width + (1 - self.apex_width) * (1 - (1 - t) ** 2.6) ** 0.75)

    def apex(self, d: Values) -> np.ndarray:
        """Height of the lung's upper border."""
        return np.asarray(self.top + self.apex_slope * ((d - 0.40 * self.half) / self.half) ** 2)

    def inner(self, y: Values, sign: int) -> np.ndarray:
        """Distance of the lung's medial border from the midline: upper mediastinum, aortic knob, heart."""
        width = self.mediastinum * (1.06 if sign > 0 else 0.94)
        mediastinum = width * (1 - 0.25 * np.clip((self.top + 0.1 - y) / 0.1, 0, 1))
        if self.widening:
            mediastinum = mediastinum + self.widening * np.exp(-(((y - self.knob + 0.01) / 0.13) ** 2))
        if sign > 0:  # the aortic knob
            mediastinum = mediastinum + self.knob_size * np.exp(-(((y - self.knob) / 0.04) ** 2))
        return np.maximum(mediastinum, self.heart(y, sign))

    @property
    def knob(self) -> float:
        """Height of the aortic arch."""
        return self.top + 0.27 * (self.dome - self.top)

    @property
    def hilum(self) -> float:
        """Height of the lung roots."""
        return self.top + 0.46 * (self.dome - self.top)

    @property
    def heart_top(self) -> float:
        return self.top + 0.42 * (self.dome - self.top)

    @property
    def heart_bottom(self) -> float:
        return self.dome + 0.045

    def heart(self, y: Values, sign: int) -> np.ndarray:
        """Distance of the heart's border from the midline; about two thirds of the heart lie on the left."""
        s = (y - self.heart_top) / (self.heart_bottom - self.heart_top)
        width = 2 * self.half * self.heart_ratio
        start, span = self.heart_turns[sign > 0]
        share = self.heart_shares[sign > 0]
        return share * width * np.sin(np.pi * np.clip(start + span * s, 0, 0.97))

    def diaphragm(self, d: Values, sign: int) -> np.ndarray:
        """Height of the hemidiaphragm: a dome that falls to the costophrenic angle."""
        dome = self.dome + (self.left_drop - self.raised[1] if sign > 0 else -self.raised[0])
        u = (d / self.half - 0.42) / 0.58
        curve = 1 - self.flattening
        return dome + np.where(u > 0, curve * 0.115 * np.abs(u) ** 2.4, curve * 0.035 * u * u)

    def rib(self, number: Values | float, d: Values) -> np.ndarray:
        """Height of the middle of a posterior rib."""
        return self.top + self.rib_spacing * number + self.rib_drop * np.abs(d / self.half) ** 2.0

    def collar(self, sign: int, t: np.ndarray) -> np.ndarray:
        """The middle line (x, y) of a clavicle, for `t` from its inner end (0) to the shoulder (1).

        The inner ends stay level with the breastbone, which turns with the patient.
        """
        x = self.midline + self.turn + sign * (0.030 + (0.40 - sign * self.turn) * t)
        y = self.top + self.clavicle + 0.022 - 0.09 * t**0.9 + 0.016 * np.sin(2 * np.pi * t)
        side, place, step = self.broken
        return np.stack([x, y + (step * (t > place) if side == sign else 0.0)], -1)

    def zone(self, zone: str) -> float:
        """Height of the middle of a lung zone."""
        return self.top + ZONES[zone] * (self.dome - self.top)


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """A patient's own chest."""
    uniform = rng.uniform
    return Anatomy(
        midline=0.5 + uniform(-0.018, 0.018),
        top=uniform(0.08, 0.14),
        dome=uniform(0.67, 0.77),
        half=uniform(0.32, 0.40),
        heart_ratio=uniform(0.42, 0.49),
        mediastinum=uniform(0.052, 0.064),
        left_drop=uniform(0.012, 0.035),
        rib_spacing=uniform(0.062, 0.078),
        rib_drop=uniform(0.045, 0.105),
        soft_tissue=uniform(0.03, 0.10),
        clavicle=uniform(0.055, 0.08),
        gastric=uniform(0.03, 0.048),
    )


def repositioned(anatomy: Anatomy, rng: np.random.Generator) -> Anatomy:
    """The same chest on another day: a little shifted and turned, with another depth of breath."""
    shift, height = rng.uniform(-0.01, 0.01), rng.uniform(-0.008, 0.008)
    return replace(
        anatomy,
        midline=anatomy.midline + shift,
        top=anatomy.top + height,
        dome=anatomy.dome + height + rng.uniform(-0.012, 0.012),
        heart_ratio=anatomy.heart_ratio + rng.uniform(-0.006, 0.006),
    )
