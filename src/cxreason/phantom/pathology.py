"""What each finding looks like: lungs and pleura here; `devices.py` and `surroundings.py` hold the rest.

Where it lies is said in `places.py`, so that boxes and images agree.

>>> from cxreason.phantom.anatomy import draw_anatomy
>>> picture = Picture.blank(draw_anatomy(np.random.default_rng(0)), 64)
>>> draw(picture, Finding("support devices", 1, "left", device="pacemaker"))
>>> bool(picture.light.max() > 0.5)
True
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cxreason.phantom import devices, surroundings
from cxreason.phantom.anatomy import SIGN
from cxreason.phantom.picture import Picture, bump, cloud, edge
from cxreason.phantom.places import (
    AIR,
    CONSOLIDATION,
    EDEMA,
    GRANULOMA,
    MASS,
    NODULE,
    centre,
    fluid_top,
    plates,
    shape_of,
)
from cxreason.phantom.visit import Finding


def draw(picture: Picture, finding: Finding) -> None:
    """Adds one finding to the picture. Outlines (heart, diaphragm) are already in its anatomy."""
    concept = finding.concept
    for side in finding.sides:
        if concept in IN_LUNGS:
            IN_LUNGS[concept](picture, finding, side)
        elif concept in surroundings.SIDED:
            surroundings.SIDED[concept](picture, finding, side)
    if concept in devices.DEVICES:
        devices.DEVICES[concept](picture, finding)
    elif concept in surroundings.WHOLE:
        surroundings.WHOLE[concept](picture, finding)


def _draw_fluid(picture: Picture, finding: Finding, side: str) -> None:
    """White from the costophrenic angle up, with a meniscus that climbs the chest wall."""
    anatomy, d = picture.anatomy, picture.outward(side)
    away = np.clip(d / np.float32(anatomy.half), 0, 1)
    top = fluid_top(anatomy, finding.level, SIGN[side])
    # At the wall the fluid stands at `top`; inward it falls, so that a small effusion only fills the angle.
    fall = (0.0, 0.22, 0.12, 0.13)[finding.level]
    surface = np.float32(top) + np.float32(fall) * (1 - away**2.2)
    # Down to the middle of the soft border of the lung, so that no dark rim is left above the diaphragm.
    chest = np.clip(3 * picture.lungs[side], 0, 1)
    fluid = edge(picture.y - surface.astype(np.float32), 0.035 + 0.03 * picture.soft) * chest
    light = picture.light[:, picture.half(side)]
    light += fluid * (picture.white - light) * (1 - 0.08 * picture.soft)
    picture.mark(fluid, columns=picture.half(side))
    picture.lungs[side] = picture.lungs[side] * (1 - fluid)


def _draw_air(picture: Picture, finding: Finding, side: str) -> None:
    """Black without vessels outside a thin white line, the edge of the fallen lung."""
    anatomy, y, d = picture.anatomy, picture.y, picture.outward(side)
    t = np.clip((y - np.float32(anatomy.top)) / np.float32(anatomy.dome + 0.1 - anatomy.top), 0, 1)
    gap = np.float32(AIR[finding.level]) * (1 - t) ** ((0, 1.2, 0.8, 0.45)[finding.level])
    side_border = anatomy.outer(y).astype(np.float32) - gap - d
    top_border = y - anatomy.apex(d).astype(np.float32) - 1.15 * gap
    border = np.minimum(side_border, top_border)  # > 0 inside the fallen lung
    lung = picture.lungs[side]
    air = edge(-border, 0.014) * lung
    light = picture.light[:, picture.half(side)]
    light += air * ((0.07 - light) * (0.75 - 0.3 * picture.soft))  # ribs stay where the film is real
    picture.mark(air, columns=picture.half(side))
    light += bump(border - 0.004, 0.0045) * lung * 0.22
    light += edge(border, 0.02) * lung * (0.0, 0.02, 0.05, 0.09)[finding.level]


def _draw_edema(picture: Picture, finding: Finding, side: str) -> None:
    """Haze around the hilum, and short lines where fluid fills the walls between the lobules."""
    anatomy, level = picture.anatomy, finding.level
    y, d, lung = picture.y, picture.outward(side), picture.lungs[side]
    reach = np.float32(EDEMA[level])
    away = ((d - 0.09) / reach) ** 2 + ((y - np.float32(anatomy.hilum + 0.05)) / (1.25 * reach)) ** 2
    haze = np.exp(-away, dtype=np.float32)
    random = shape_of(finding)
    count = (0, 60, 90, 120)[level]
    origin = np.stack(
        [
            anatomy.midline + SIGN[side] * random.uniform(0.08, 0.95 * anatomy.half, count),
            anatomy.hilum + random.uniform(-0.20, 0.27, count),
        ],
        1,
    )
    heading = random.uniform(0, np.pi, count)
    step = 0.016 * np.stack([np.cos(heading), np.sin(heading)], 1)
    lines = [(np.stack([a - s, a + s]), 1.0, 0.9) for a, s in zip(origin, step, strict=True)]
    for number in range(3 + 3 * level):  # short lines that reach the chest wall low down (Kerley B)
        height = anatomy.dome - 0.10 + 0.014 * number
        wall = float(anatomy.outer(np.float64(height))) - 0.012
        lines.append(
            (
                np.array([[picture.to_x(side, wall - 0.035), height], [picture.to_x(side, wall), height]]),
                1.2,
                1,
            )
        )
    soft = picture.soft
    net = picture.strokes(lines, blur=0.6 + 0.7 * soft)[:, picture.half(side)]
    light = picture.light[:, picture.half(side)]
    picture.mark(haze * lung, columns=picture.half(side), least=0.35)
    if soft:
        haze = haze * (1 + 0.35 * cloud(random, picture.size, 14)[:, picture.half(side)])
    haze = (0.0, 0.22, 0.27, 0.32)[level] * haze
    light += lung * (haze + (0.0, 0.10, 0.13, 0.16)[level] * (1 - 0.55 * soft) * net)


def _draw_plates(picture: Picture, finding: Finding, side: str) -> None:
    """Straight slanting bands of airless lung."""
    d, y, wide, high = plates(picture.anatomy, finding, side)
    random, level = shape_of(finding), finding.level
    tilt, lines = random.uniform(-0.012, 0.028), []
    for number in range(level + 1):
        height = y - high * 0.75 + 1.5 * high * number / max(level, 1)
        slant, inset = (tilt + random.uniform(-0.008, 0.008)) * wide / 0.11, random.uniform(0.0, 0.2) * wide
        first, last = picture.to_x(side, d - wide + inset), picture.to_x(side, d + wide)
        ends = [[first, height - slant], [last, height + slant]]
        lines.append((np.array(ends), (0, 3.2, 4.0, 4.8)[level], 1.0))
    bands = picture.strokes(lines, blur=1.0 + 1.2 * picture.soft)[:, picture.half(side)]
    bands *= picture.lungs[side]
    if picture.soft:  # they thin out to both ends
        bands *= bump(picture.outward(side) - np.float32(d), 0.75 * wide)
    light = picture.light[:, picture.half(side)]
    light += (0.30 - 0.12 * picture.soft) * bands
    picture.mark(bands, columns=picture.half(side), least=0.3)
    if picture.soft:  # airless lung around the plates, and no more than that of brightness
        x = picture.outward(side) - np.float32(d)
        haze = bump(x, 0.8 * wide) * bump(picture.y - np.float32(y), 1.1 * high) * picture.lungs[side]
        light += haze * np.clip(picture.white - light, 0, (0, 0.07, 0.13, 0.20)[level])
        picture.mark(haze, columns=picture.half(side))


def _draw_consolidation(picture: Picture, finding: Finding, side: str) -> None:
    """A dense patch with an uneven, fluffy border."""
    d, y = centre(picture.anatomy, finding, side)
    radius = CONSOLIDATION[finding.level]
    rows, columns, within = picture.window(side, d, y, 1.75 * radius)
    lung = picture.lungs[side][rows, within]
    grain = Image.fromarray(shape_of(finding).standard_normal((7, 7), dtype=np.float32))
    cloud = np.asarray(grain.resize(lung.shape[::-1], Image.Resampling.BICUBIC))
    x = picture.x[:, columns] - np.float32(picture.to_x(side, d))
    away = np.sqrt((x / radius) ** 2 + ((picture.y[rows] - np.float32(y)) / radius) ** 2)
    dense = np.clip((1.12 - away + 0.16 * cloud) * 1.25, 0, 1)
    patch = dense * lung * (0.82 + 0.10 * np.clip(cloud, -1.5, 1))
    light = picture.light[rows, columns]
    light += patch * np.clip(0.62 - light, 0, 1)
    picture.mark(patch, rows, columns, least=0.4)


def _draw_pneumonia(picture: Picture, finding: Finding, side: str) -> None:
    """Several fluffy patches around one place, which run together where it is large."""
    random = shape_of(finding)
    d, y = centre(picture.anatomy, finding, side)
    reach = (0.0, 0.075, 0.11, 0.15)[finding.level]
    lung, out = picture.lungs[side], picture.outward(side)
    patches = np.zeros_like(lung)
    for _ in range(7):
        angle, away = random.uniform(0, 2 * np.pi), reach * random.uniform(0.1, 0.8)
        at, height = d + away * np.cos(angle), y + 0.8 * away * np.sin(angle)
        radius = reach * random.uniform(0.28, 0.5)
        patches += np.exp(-((out - np.float32(at)) ** 2 + (picture.y - np.float32(height)) ** 2) / radius**2)
    uneven = 1 + 0.22 * cloud(random, picture.size, 22)[:, picture.half(side)]
    patch = np.tanh(1.1 * patches * uneven).astype(np.float32) * lung
    light = picture.light[:, picture.half(side)]
    light += patch * np.clip(0.56 - light, 0, (0, 0.20, 0.27, 0.34)[finding.level])
    picture.mark(patch, columns=picture.half(side), least=0.4)


def _draw_nodule(picture: Picture, finding: Finding, side: str) -> None:
    """A round dense spot with a plain border; a mass is larger and lobed, a granuloma small and of chalk."""
    d, y = centre(picture.anatomy, finding, side)
    radius = {"mass": MASS, "calcified granuloma": GRANULOMA}.get(finding.name, NODULE)[finding.level]
    rows, columns, _ = picture.window(side, d, y, 1.5 * radius)
    x = picture.x[:, columns] - np.float32(picture.to_x(side, d))
    away = np.sqrt(x**2 + (picture.y[rows] - np.float32(y)) ** 2)
    if finding.name == "mass":
        turn, start = np.arctan2(picture.y[rows] - np.float32(y), x), shape_of(finding).uniform(0, 6)
        away = away * (1 + 0.10 * np.sin(3 * turn + start) + 0.05 * np.sin(7 * turn - start))
    # By kind: width of its border, brightness it reaches at most, and how much it adds at most.
    rim, bright, most = (0.022, 0.66, 0.36 - 0.12 * picture.soft)
    if finding.name == "mass":
        rim, bright, most = 0.045, 0.56, 0.30
    elif finding.name == "calcified granuloma":
        rim, bright, most = 0.014, 0.80, 0.50
    spot = edge(radius - away, rim)
    light = picture.light[rows, columns]
    light += spot * np.clip(bright - light, 0, most)
    picture.mark(spot, rows, columns)


def _draw_fibrosis(picture: Picture, finding: Finding, side: str) -> None:
    """A net of coarse lines at the rim of the lung."""
    anatomy, level, random = picture.anatomy, finding.level, shape_of(finding)
    middle, high = anatomy.zone(finding.zone), (0.0, 0.10, 0.14, 0.18)[level]
    d, y, lung = picture.outward(side), picture.y, picture.lungs[side]
    outer = anatomy.outer(y).astype(np.float32)
    place = np.clip(1.25 - (outer - d) / 0.16, 0, 1) * bump(y - np.float32(middle), high) * lung
    net = np.abs(cloud(random, picture.size, 64)[:, picture.half(side)])
    light = picture.light[:, picture.half(side)]
    light += place * (0.06 + (0.0, 0.13, 0.18, 0.24)[level] * np.clip(1.0 - 2.0 * net, 0, 1))
    picture.mark(place, columns=picture.half(side), least=0.4)


def _draw_emphysema(picture: Picture, finding: Finding, side: str) -> None:
    """Too much air: a blacker lung with few vessels, most of all on top."""
    lung, columns = picture.lungs[side], picture.half(side)
    light = picture.light[:, columns]
    top = np.clip(1.2 - (picture.y - np.float32(picture.anatomy.top)) * 1.1, 0.3, 1)
    light += lung * top * (0.06 - light) * (0.0, 0.30, 0.45, 0.60)[finding.level]
    picture.mark(lung, columns=columns)


def _draw_thickening(picture: Picture, finding: Finding, side: str) -> None:
    """A white cap inside the top of the lung."""
    anatomy, d, y = picture.anatomy, picture.outward(side), picture.y
    thick = (0.0, 0.022, 0.034, 0.048)[finding.level]
    depth = np.minimum(y - anatomy.apex(d), anatomy.outer(y) - d).astype(np.float32)
    rough = 0.005 * cloud(shape_of(finding), picture.size, 16)[:, picture.half(side)]
    cap = edge(np.float32(thick) + rough - depth, 0.014) * picture.lungs[side]
    cap *= edge(np.float32(anatomy.top + 0.13) - y, 0.08)
    light = picture.light[:, picture.half(side)]
    light += cap * np.clip(0.55 - light, 0, 0.3)
    picture.mark(cap, columns=picture.half(side), least=0.35)


def _draw_fracture(picture: Picture, finding: Finding, side: str) -> None:
    """A rib whose ends stand apart: a step, a dark gap, and brighter bone beside it."""
    anatomy, level = picture.anatomy, finding.level
    d, y = centre(anatomy, finding, side)
    rows, columns, within = picture.window(side, d, y, 0.095)
    out = picture.outward(side)[:, within] - np.float32(d)
    middle = (anatomy.rib(0, out + np.float32(d)) - anatomy.rib(0, np.float64(d)) + y).astype(np.float32)
    weak = 0.35 * picture.soft
    step = np.float32((0, 0.011, 0.016, 0.021)[level] * (1 - weak))
    # The ends stand apart where the rib broke and run back into its old course further out.
    broken = middle + np.sign(out) * step * np.clip(1.25 - np.abs(out) / 0.07, 0, 1)
    bone = edge(0.22 * anatomy.rib_spacing - np.abs(picture.y[rows] - broken), 0.012)
    along = edge(0.062 - np.abs(out), 0.06)
    near = along * edge(0.034 - np.abs(picture.y[rows] - middle), 0.020)
    gap = edge(0.006 - np.abs(out + (picture.y[rows] - middle) * 0.4), 0.008)
    light = picture.light[rows, columns]
    ground = np.float32(np.quantile(light, 0.2))
    light += near * (ground - light) * (0.8 - weak)
    light += along * bone * (1 - gap) * (1 - weak) * (0.15 + 0.17 * edge(0.026 - np.abs(out), 0.04))
    picture.mark(along * bone, rows, columns, least=0.3)


IN_LUNGS = {
    "pleural effusion": _draw_fluid,
    "pneumothorax": _draw_air,
    "edema": _draw_edema,
    "atelectasis": _draw_plates,
    "consolidation": _draw_consolidation,
    "pneumonia": _draw_pneumonia,
    "lung lesion": _draw_nodule,
    "nodule": _draw_nodule,
    "mass": _draw_nodule,
    "calcified granuloma": _draw_nodule,
    "fibrosis": _draw_fibrosis,
    "emphysema": _draw_emphysema,
    "pleural thickening": _draw_thickening,
    "fracture": _draw_fracture,
    "rib fracture": _draw_fracture,
}
"""Painters of findings that lie on one side, by concept. All are called as (picture, finding, side)."""
