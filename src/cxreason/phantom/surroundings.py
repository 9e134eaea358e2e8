"""Findings outside the lungs: heart, great vessels, diaphragm, bones, soft tissue.

Heart, mediastinum, aorta, spine and diaphragm were drawn with the body, from its altered anatomy. Here they
only say where they are.

>>> "hiatal hernia" in WHOLE
True
"""

from __future__ import annotations

import numpy as np

from cxreason.phantom.anatomy import SIGN
from cxreason.phantom.picture import Picture, bump, cloud, edge
from cxreason.phantom.places import RAISED, shape_of
from cxreason.phantom.visit import Finding


def _mark_heart(picture: Picture, finding: Finding) -> None:
    anatomy, y = picture.anatomy, picture.y
    tall = (y >= np.float32(anatomy.heart_top)) & (y <= np.float32(anatomy.heart_bottom))
    for side, sign in SIGN.items():
        picture.mark(tall & (picture.outward(side) <= anatomy.heart(y, sign)), columns=picture.half(side))


def _mark_mediastinum(picture: Picture, finding: Finding) -> None:
    anatomy, y = picture.anatomy, picture.y
    tall = (y >= np.float32(anatomy.top + 0.01)) & (y <= np.float32(anatomy.heart_top + 0.08))
    for side, sign in SIGN.items():
        picture.mark(tall & (picture.outward(side) <= anatomy.inner(y, sign)), columns=picture.half(side))


def _mark_aorta(picture: Picture, finding: Finding) -> None:
    """The arch and what follows it, on the patient's left."""
    anatomy, y, d = picture.anatomy, picture.y, picture.outward("left")
    tall = (y >= np.float32(anatomy.knob - 0.06)) & (y <= np.float32(anatomy.knob + 0.08))
    picture.mark(tall & (d <= anatomy.inner(y, 1)), columns=picture.half("left"))


def _mark_spine(picture: Picture, finding: Finding) -> None:
    anatomy, y = picture.anatomy, picture.y
    bow = anatomy.bend * np.sin(np.pi * np.clip((y - 0.05) / 0.85, 0, 1))
    column = np.abs(picture.x - anatomy.midline - bow) < 0.045
    picture.mark(column & (y > anatomy.top - 0.03) & (y < 0.95))


def _mark_dome(picture: Picture, finding: Finding, side: str) -> None:
    anatomy, y, d = picture.anatomy, picture.y, picture.outward(side)
    top, lift = anatomy.diaphragm(d, SIGN[side]), np.float32(RAISED[finding.level])
    picture.mark((y >= top) & (y <= top + lift) & (d < anatomy.outer(y)), columns=picture.half(side))


def _calcify_aorta(picture: Picture, finding: Finding) -> None:
    """A thin white line of chalk along the rim of the arch."""
    anatomy = picture.anatomy
    y = anatomy.knob + np.linspace(-0.035, 0.03, 12)
    d = anatomy.inner(y, 1) - 0.006
    line = np.stack([anatomy.midline + d, y], 1)
    arc = picture.strokes([(line, 1.2 + 0.7 * finding.level, 1.0)], blur=0.7)
    picture.light += (0.10 + 0.04 * finding.level) * arc
    picture.mark(arc, least=0.3)


def _draw_hernia(picture: Picture, finding: Finding) -> None:
    """A round shadow behind the heart, just above the diaphragm, with air over a level of fluid."""
    anatomy, random = picture.anatomy, shape_of(finding)
    radius = (0.0, 0.045, 0.062, 0.082)[finding.level]
    x = anatomy.midline + 0.03 + random.uniform(-0.01, 0.02)
    y = anatomy.dome - 0.35 * radius
    away = np.hypot((picture.x - np.float32(x)) / 1.15, picture.y - np.float32(y))
    sac = edge(np.float32(radius) - away, 0.014)
    picture.light += 0.045 * sac
    air = edge(np.float32(0.78 * radius) - away, 0.012) * edge(np.float32(y) - picture.y, 0.008)
    picture.light -= 0.13 * air
    picture.mark(sac)


def _mark_break(picture: Picture, finding: Finding, side: str) -> None:
    """The gap and the step in the collar bone, which is drawn broken."""
    sign, place, step = picture.anatomy.broken
    x, y = picture.anatomy.collar(sign, np.array([place]))[0]
    tall = np.abs(picture.y - np.float32(y + 0.5 * step)) < 0.022 + 0.5 * step
    picture.mark(tall & (np.abs(picture.x - np.float32(x)) < 0.035))


def _draw_air_under_skin(picture: Picture, finding: Finding, side: str) -> None:
    """Dark streaks in the soft tissue of the chest wall."""
    anatomy, d, y = picture.anatomy, picture.outward(side), picture.y
    outer = anatomy.outer(y).astype(np.float32)
    place = edge(d - outer - 0.022, 0.02) * edge(outer + np.float32(0.055 + 0.02 * finding.level) - d, 0.03)
    high = (0.0, 0.13, 0.19, 0.26)[finding.level]
    place *= bump(y - np.float32(anatomy.zone("upper") + 0.06), high)
    streaks = np.clip(cloud(shape_of(finding), picture.size, 56)[:, picture.half(side)] + 0.5, 0, 1.5)
    light = picture.light[:, picture.half(side)]
    light -= place * streaks * (0.0, 0.09, 0.12, 0.15)[finding.level]
    np.maximum(light, 0.02, out=light)
    picture.mark(place, columns=picture.half(side), least=0.4)


def _draw_free_air(picture: Picture, finding: Finding, side: str) -> None:
    """A black crescent between the diaphragm and the liver."""
    anatomy, d, y = picture.anatomy, picture.outward(side), picture.y
    thick = (0.0, 0.022, 0.036, 0.052)[finding.level]
    away = np.clip(1 - ((d / anatomy.half - 0.45) / 0.33) ** 2, 0, None)
    depth = y - anatomy.diaphragm(d, SIGN[side]).astype(np.float32) - np.float32(0.010)
    air = edge(depth, 0.008) * edge(np.float32(thick) * away - depth, 0.010)
    light = picture.light[:, picture.half(side)]
    light += air * (0.20 - light) * 0.85
    picture.mark(air, columns=picture.half(side), least=0.4)


WHOLE = {
    "cardiomegaly": _mark_heart,
    "enlarged cardiomediastinum": _mark_mediastinum,
    "tortuous aorta": _mark_aorta,
    "scoliosis": _mark_spine,
    "aortic calcification": _calcify_aorta,
    "hiatal hernia": _draw_hernia,
}
"""Painters of findings without a side, called as (picture, finding)."""

SIDED = {
    "elevated diaphragm": _mark_dome,
    "clavicle fracture": _mark_break,
    "subcutaneous emphysema": _draw_air_under_skin,
    "pneumoperitoneum": _draw_free_air,
}
"""Painters of findings with a side, called as (picture, finding, side)."""
