"""What each finding looks like. Where it lies is said in `places.py`, so that boxes and images agree.

>>> from cxreason.phantom.anatomy import draw_anatomy
>>> picture = Picture.blank(draw_anatomy(np.random.default_rng(0)), 64)
>>> draw(picture, Finding("support devices", 1, "left", device="pacemaker"))
>>> bool(picture.light.max() > 0.5)
True
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cxreason.phantom.anatomy import SIGN
from cxreason.phantom.picture import Picture, bump, edge
from cxreason.phantom.places import (
    AIR,
    CONSOLIDATION,
    EDEMA,
    NODULE,
    centre,
    fluid_top,
    pacemaker,
    plates,
    shape_of,
)
from cxreason.phantom.world import Finding


def draw(picture: Picture, finding: Finding) -> None:
    """Adds one finding to the picture. Outlines (heart, mediastinum) are already in its anatomy."""
    for side in finding.sides:
        if finding.name == "pleural effusion":
            _draw_fluid(picture, finding, side)
        elif finding.name == "pneumothorax":
            _draw_air(picture, finding, side)
        elif finding.name == "edema":
            _draw_edema(picture, finding, side)
        elif finding.name == "atelectasis":
            _draw_plates(picture, finding, side)
        elif finding.name == "consolidation":
            _draw_consolidation(picture, finding, side)
        elif finding.name == "lung lesion":
            _draw_nodule(picture, finding, side)
        elif finding.name == "fracture":
            _draw_fracture(picture, finding, side)
    if finding.name == "support devices":
        _draw_device(picture, finding)


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
    fluid = edge(picture.y - surface.astype(np.float32), 0.035) * chest
    light = picture.light[:, picture.half(side)]
    light += fluid * (0.60 - light)
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
    light += air * ((0.07 - light) * 0.75)
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
    net = picture.strokes(lines, blur=0.6)[:, picture.half(side)]
    light = picture.light[:, picture.half(side)]
    light += lung * ((0.0, 0.22, 0.27, 0.32)[level] * haze + (0.0, 0.10, 0.13, 0.16)[level] * net)


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
    bands = picture.strokes(lines, blur=1.0)[:, picture.half(side)]
    picture.light[:, picture.half(side)] += 0.30 * bands * picture.lungs[side]


def _window(picture: Picture, side: str, d: float, y: float, reach: float) -> tuple[slice, slice, slice]:
    """Rows, columns and columns within the half of the square of half width `reach` around (d, y)."""
    size, half = picture.size, picture.half(side)
    x = picture.to_x(side, d)
    rows = slice(max(int((y - reach) * size), 0), min(int((y + reach) * size) + 1, size))
    first, last = max(int((x - reach) * size), half.start), min(int((x + reach) * size) + 1, half.stop)
    return rows, slice(first, last), slice(first - half.start, last - half.start)


def _draw_consolidation(picture: Picture, finding: Finding, side: str) -> None:
    """A dense patch with an uneven, fluffy border."""
    d, y = centre(picture.anatomy, finding, side)
    radius = CONSOLIDATION[finding.level]
    rows, columns, within = _window(picture, side, d, y, 1.75 * radius)
    lung = picture.lungs[side][rows, within]
    grain = Image.fromarray(shape_of(finding).standard_normal((7, 7), dtype=np.float32))
    cloud = np.asarray(grain.resize(lung.shape[::-1], Image.Resampling.BICUBIC))
    x = picture.x[:, columns] - np.float32(picture.to_x(side, d))
    away = np.sqrt((x / radius) ** 2 + ((picture.y[rows] - np.float32(y)) / radius) ** 2)
    dense = np.clip((1.12 - away + 0.16 * cloud) * 1.25, 0, 1)
    patch = dense * lung * (0.82 + 0.10 * np.clip(cloud, -1.5, 1))
    light = picture.light[rows, columns]
    light += patch * np.clip(0.62 - light, 0, 1)


def _draw_nodule(picture: Picture, finding: Finding, side: str) -> None:
    """A round dense spot with a plain border."""
    d, y = centre(picture.anatomy, finding, side)
    radius = NODULE[finding.level]
    rows, columns, _ = _window(picture, side, d, y, 1.5 * radius)
    x = picture.x[:, columns] - np.float32(picture.to_x(side, d))
    away = np.sqrt(x**2 + (picture.y[rows] - np.float32(y)) ** 2)
    spot = edge(radius - away, 0.022)
    light = picture.light[rows, columns]
    light += spot * np.clip(0.66 - light, 0, 0.36)


def _draw_fracture(picture: Picture, finding: Finding, side: str) -> None:
    """A rib whose ends stand apart: a step, a dark gap, and brighter bone beside it."""
    anatomy, level = picture.anatomy, finding.level
    d, y = centre(anatomy, finding, side)
    rows, columns, within = _window(picture, side, d, y, 0.095)
    out = picture.outward(side)[:, within] - np.float32(d)
    middle = (anatomy.rib(0, out + np.float32(d)) - anatomy.rib(0, np.float64(d)) + y).astype(np.float32)
    step = np.float32((0, 0.011, 0.016, 0.021)[level])
    # The ends stand apart where the rib broke and run back into its old course further out.
    broken = middle + np.sign(out) * step * np.clip(1.25 - np.abs(out) / 0.07, 0, 1)
    bone = edge(0.22 * anatomy.rib_spacing - np.abs(picture.y[rows] - broken), 0.012)
    along = edge(0.062 - np.abs(out), 0.06)
    near = along * edge(0.034 - np.abs(picture.y[rows] - middle), 0.020)
    gap = edge(0.006 - np.abs(out + (picture.y[rows] - middle) * 0.4), 0.008)
    light = picture.light[rows, columns]
    ground = np.float32(np.quantile(light, 0.2))
    light += near * (ground - light) * 0.8
    light += along * bone * (1 - gap) * (0.15 + 0.17 * edge(0.026 - np.abs(out), 0.04))


def _draw_device(picture: Picture, finding: Finding) -> None:
    """A pacemaker with its leads, a central venous catheter, or an endotracheal tube."""
    anatomy = picture.anatomy
    middle, top = anatomy.midline, anatomy.top
    if finding.device == "endotracheal tube":
        tip = anatomy.hilum - 0.10
        walls = [np.array([[middle + w, 0.0], [middle + w, tip]]) for w in (-0.011, 0.011)]
        core = (np.array([[middle, 0.0], [middle, tip + 0.008]]), 5, 0.4)
        picture.light += 0.55 * picture.strokes([core, *((wall, 1.8, 0.95) for wall in walls)], blur=0.5)
        return
    side = finding.side
    cava = middle - 0.042  # the superior vena cava lies on the right of the midline
    if finding.device == "central venous catheter":
        start = picture.to_x(side, 0.12)
        path = [[start, 0.0], [picture.to_x(side, 0.095), top + 0.02], [picture.to_x(side, 0.06), top + 0.10]]
        path += [[cava, top + 0.17], [cava, anatomy.hilum + 0.015]]
        picture.light += 0.5 * picture.strokes([(_smooth(path), 2.4, 0.95)], blur=0.5)
        return
    d, y = pacemaker(anatomy)
    x = picture.to_x(side, d)
    lead = [[x, y - 0.03], [picture.to_x(side, 0.5 * d), top + 0.06], [picture.to_x(side, 0.06), top + 0.08]]
    lead += [
        [cava, top + 0.19],
        [cava - 0.005, anatomy.heart_top + 0.12],
        [middle + 0.03, anatomy.dome - 0.01],
    ]
    lead += [[middle + 0.11, anatomy.dome - 0.02]]
    picture.light += 0.5 * picture.strokes([(_smooth(lead), 1.9, 0.95)], blur=0.5)
    rows, columns, _ = _window(picture, side, d, y, 0.07)
    # A rounded box: the fourth power lies between a circle and a square.
    across, down = (picture.x[:, columns] - np.float32(x)) / 0.052, (picture.y[rows] - np.float32(y)) / 0.038
    box = edge(1 - across**4 - down**4, 0.5)
    light = picture.light[rows, columns]
    light += box * (0.97 - light) * 0.92


def _smooth(path: list[list[float]]) -> np.ndarray:
    """A curve through the points (Catmull-Rom)."""
    points = np.array([path[0], *path, path[-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        curve = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(0.5 * curve)
    return np.concatenate([*pieces, points[-1:]])
