"""Where each finding lies: the outlines it moves, its centre, its box.

>>> from cxreason.phantom.world import draw_visit
>>> visit = draw_visit(seed=0, index=1)
>>> all(places(visit.anatomy, finding) for finding in visit.findings)
True
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cxreason.phantom.anatomy import SIGN, Anatomy
from cxreason.phantom.visit import Finding

Rectangle = tuple[float, float, float, float]

# By level: nothing, small, moderate, large.
HEART_RATIO = (0.0, 0.565, 0.62, 0.675)
WIDENING = (0.0, 0.040, 0.062, 0.085)
"""How far each border of the upper mediastinum bulges."""
NODULE = (0.0, 0.024, 0.034, 0.046)
MASS = (0.0, 0.062, 0.082, 0.105)
GRANULOMA = (0.0, 0.013, 0.018, 0.018)
CONSOLIDATION = (0.0, 0.072, 0.098, 0.128)
EDEMA = (0.0, 0.11, 0.17, 0.23)
FLUID = (0.0, 0.04, 0.14, 0.27)
"""How far above the dome of the diaphragm the fluid reaches at the chest wall."""
AIR = (0.0, 0.045, 0.085, 0.14)
"""How wide the air is between chest wall and lung at the apex."""
LOST = (0.0, 0.012, 0.028, 0.05)
"""How far lost volume pulls the diaphragm up."""
RAISED = (0.0, 0.05, 0.08, 0.11)
"""How far a raised hemidiaphragm stands above its place."""
UNFOLDED = (0.0, 0.012, 0.022, 0.034)
"""How much further a tortuous aorta stands out."""
BEND = (0.0, 0.03, 0.048, 0.068)
"""How far a scoliotic spine leaves the midline."""
TRAPPED = (0.0, 0.025, 0.045, 0.07)
"""How far emphysema pushes the diaphragm down."""


def altered(anatomy: Anatomy, findings: tuple[Finding, ...]) -> Anatomy:
    """The chest with the findings that change its outline: heart, mediastinum, diaphragm."""
    for finding in findings:
        wobble, level = shape_of(finding).uniform(-1, 1), finding.level
        if finding.name == "cardiomegaly":
            ratio = HEART_RATIO[level] + 0.012 * wobble + anatomy.widest_heart
            anatomy = replace(anatomy, heart_ratio=ratio)
        elif finding.name == "enlarged cardiomediastinum":
            anatomy = replace(anatomy, widening=WIDENING[level] + 0.004 * wobble)
        elif finding.name == "atelectasis" and finding.zone == "lower":
            anatomy = _raised(anatomy, finding, LOST[level])
        elif finding.name == "elevated diaphragm":
            anatomy = _raised(anatomy, finding, RAISED[level])
        elif finding.name == "tortuous aorta":
            anatomy = replace(anatomy, knob_size=anatomy.knob_size + UNFOLDED[level])
        elif finding.name == "scoliosis":
            anatomy = replace(anatomy, bend=BEND[level] * (1 if wobble > 0 else -1))
        elif finding.name == "clavicle fracture":
            step = (0.0, 0.016, 0.022, 0.030)[level]
            anatomy = replace(anatomy, broken=(SIGN[finding.side], 0.50 + 0.08 * wobble, step))
        elif finding.name == "emphysema":
            flat = (0.0, 0.3, 0.5, 0.7)[level]
            anatomy = replace(anatomy, dome=anatomy.dome + TRAPPED[level], flattening=flat)
    return anatomy


def _raised(anatomy: Anatomy, finding: Finding, lift: float) -> Anatomy:
    right, left = anatomy.raised
    on_right, on_left = ("right" in finding.sides) * lift, ("left" in finding.sides) * lift
    return replace(anatomy, raised=(right + on_right, left + on_left))


def shape_of(finding: Finding) -> np.random.Generator:
    """The same for every level of one finding, so that it grows and shrinks in place between visits."""
    return np.random.Generator(np.random.PCG64(finding.shape))


def places(anatomy: Anatomy, finding: Finding) -> list[Rectangle]:
    """The boxes (x1, y1, x2, y2) of a finding, one for each side it lies on. `anatomy` is the altered one."""
    if finding.name == "cardiomegaly":
        rows = np.linspace(anatomy.heart_top, anatomy.heart_bottom, 32)
        right, left = anatomy.heart(rows, -1).max(), anatomy.heart(rows, 1).max()
        return [_clipped(anatomy.midline - right, rows[0], anatomy.midline + left, rows[-1])]
    if finding.name == "enlarged cardiomediastinum":
        bottom = anatomy.heart_top + 0.08
        wide = anatomy.mediastinum + anatomy.widening + 0.01
        return [_clipped(anatomy.midline - wide, anatomy.top + 0.01, anatomy.midline + wide, bottom)]
    if finding.device == "endotracheal tube":
        return [_clipped(anatomy.midline - 0.03, 0.0, anatomy.midline + 0.03, anatomy.hilum - 0.085)]
    return [_sided(anatomy, side, *_extent(anatomy, finding, side)) for side in finding.sides]


def _extent(anatomy: Anatomy, finding: Finding, side: str) -> Rectangle:
    """(nearest d, top, farthest d, bottom) of a finding on one side."""
    level, sign = finding.level, SIGN[side]
    if finding.name == "pleural effusion":
        bottom = anatomy.dome + 0.13
        top = fluid_top(anatomy, level, sign)
        return (0.10 if level > 1 else 0.6 * anatomy.half, top - 0.02, anatomy.half, bottom)
    if finding.name == "pneumothorax":
        return (
            0.3 * anatomy.half,
            anatomy.top,
            anatomy.half,
            anatomy.zone(("", "mid", "mid", "lower")[level]),
        )
    if finding.name == "edema":
        reach = EDEMA[level]
        return (
            0.05,
            anatomy.hilum - 1.1 * reach,
            min(0.09 + reach, anatomy.half),
            anatomy.hilum + 1.2 * reach,
        )
    if finding.name == "atelectasis":
        d, y, wide, high = plates(anatomy, finding, side)
        return (d - wide, y - high, d + wide, y + high)
    if finding.name == "support devices":
        if finding.device == "pacemaker":
            d, y = pacemaker(anatomy)
            return (d - 0.058, y - 0.045, d + 0.058, y + 0.045)
        return (0.0, 0.0, 0.14, anatomy.hilum + 0.03)
    d, y = centre(anatomy, finding, side)
    if finding.name == "fracture":
        return (d - 0.065, y - 0.045, d + 0.065, y + 0.045)
    radius = 1.15 * NODULE[level] if finding.name == "lung lesion" else CONSOLIDATION[level]
    return (max(d - radius, 0.02), y - radius, d + radius, y + radius)


def _sided(anatomy: Anatomy, side: str, near: float, top: float, far: float, bottom: float) -> Rectangle:
    first, second = anatomy.midline + SIGN[side] * near, anatomy.midline + SIGN[side] * far
    return _clipped(min(first, second), top, max(first, second), bottom)


def _clipped(x1: float, y1: float, x2: float, y2: float) -> Rectangle:
    x1, y1, x2, y2 = (round(min(max(float(value), 0.0), 1.0), 4) for value in (x1, y1, x2, y2))
    return x1, y1, x2, y2


def centre(anatomy: Anatomy, finding: Finding, side: str) -> tuple[float, float]:
    """(d, y) of the middle of a finding that lies in one zone of one lung."""
    random = shape_of(finding)
    y = anatomy.zone(finding.zone) + random.uniform(-0.03, 0.03)
    inner, outer = float(anatomy.inner(np.float64(y), SIGN[side])), float(anatomy.outer(np.float64(y)))
    if finding.main == "fracture":  # on the middle of a rib, well out
        d = outer - random.uniform(0.055, 0.075)
        number = np.rint((y - anatomy.rib(0, np.float64(d))) / anatomy.rib_spacing)
        return d, float(anatomy.rib(number, np.float64(d)))
    return inner + (outer - inner) * random.uniform(0.42, 0.6), y


def fluid_top(anatomy: Anatomy, level: int, sign: int) -> float:
    drop = anatomy.left_drop if sign > 0 else 0.0
    return anatomy.dome + drop - FLUID[level]


def pacemaker(anatomy: Anatomy) -> tuple[float, float]:
    return 0.70 * anatomy.half, anatomy.top + 0.145


def plates(anatomy: Anatomy, finding: Finding, side: str) -> Rectangle:
    """(d, y, half width, half height) of the place of the atelectatic plates."""
    level, sign = finding.level, SIGN[side]
    high = (0.0, 0.032, 0.045, 0.058)[level]
    y = anatomy.zone("mid")
    if finding.zone == "lower":
        y = float(anatomy.diaphragm(np.float64(0.58 * anatomy.half), sign)) - high - 0.008
    inner, outer = float(anatomy.inner(np.float64(y), sign)), float(anatomy.outer(np.float64(y)))
    wide = min((0.0, 0.085, 0.105, 0.125)[level], 0.46 * (outer - inner))
    return 0.5 * (inner + outer), y, wide, high
