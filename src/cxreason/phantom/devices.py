"""What was put into the patient: tubes, lines, leads, wires.

>>> sorted(DEVICES)[:2]
['central venous catheter', 'chest tube']
"""

from __future__ import annotations

import numpy as np

from cxreason.phantom.picture import Picture, edge
from cxreason.phantom.places import pacemaker, shape_of
from cxreason.phantom.visit import Finding

Strokes = list[tuple[np.ndarray, float, float]]


def _draw(picture: Picture, lines: Strokes, strength: float) -> None:
    layer = picture.strokes(lines, blur=0.5)
    picture.light += strength * layer
    picture.mark(layer, least=0.3)


def _strength(picture: Picture, plain: float) -> float:
    """How bright a device is: real ones are fainter than those of the tiny world."""
    return plain * (1 - 0.45 * picture.soft)


def _endotracheal_tube(picture: Picture, finding: Finding) -> None:
    anatomy, middle = picture.anatomy, picture.anatomy.midline
    tip = anatomy.hilum - 0.10
    walls = [np.array([[middle + w, 0.0], [middle + w, tip]]) for w in (-0.011, 0.011)]
    core = (np.array([[middle, 0.0], [middle, tip + 0.008]]), 5, 0.4)
    _draw(picture, [core, *((wall, 1.8, 0.95) for wall in walls)], _strength(picture, 0.55))


def _cava(picture: Picture) -> float:
    return picture.anatomy.midline - 0.042  # the superior vena cava lies on the right of the midline


def _central_venous_catheter(picture: Picture, finding: Finding) -> None:
    anatomy, side, cava = picture.anatomy, finding.side, _cava(picture)
    top = anatomy.top
    start = picture.to_x(side, 0.12)
    path = [[start, 0.0], [picture.to_x(side, 0.095), top + 0.02], [picture.to_x(side, 0.06), top + 0.10]]
    path += [[cava, top + 0.17], [cava, anatomy.hilum + 0.015]]
    _draw(picture, [(smooth(path), 2.4, 0.95)], _strength(picture, 0.5))


def _pacemaker(picture: Picture, finding: Finding) -> None:
    anatomy, side, cava = picture.anatomy, finding.side, _cava(picture)
    middle, top = anatomy.midline, anatomy.top
    d, y = pacemaker(anatomy)
    x = picture.to_x(side, d)
    lead = [[x, y - 0.03], [picture.to_x(side, 0.5 * d), top + 0.06], [picture.to_x(side, 0.06), top + 0.08]]
    lead += [
        [cava, top + 0.19],
        [cava - 0.005, anatomy.heart_top + 0.12],
        [middle + 0.03, anatomy.dome - 0.01],
    ]
    lead += [[middle + 0.11, anatomy.dome - 0.02]]
    _draw(picture, [(smooth(lead), 1.9, 0.95)], _strength(picture, 0.5))
    _box(picture, side, d, y, 0.052, 0.038, 0.97)


def _box(
    picture: Picture, side: str, d: float, y: float, half_width: float, half_height: float, bright: float
) -> None:
    """A rounded box: the fourth power lies between a circle and a square."""
    x = picture.to_x(side, d)
    rows, columns, _ = picture.window(side, d, y, 0.07)
    across = (picture.x[:, columns] - np.float32(x)) / half_width
    down = (picture.y[rows] - np.float32(y)) / half_height
    box = edge(1 - across**4 - down**4, 0.5)
    light = picture.light[rows, columns]
    light += box * (bright - light) * 0.92
    picture.mark(box, rows, columns)


def _picc(picture: Picture, finding: Finding) -> None:
    """A thin line from the arm along the vein under the clavicle."""
    anatomy, side, cava = picture.anatomy, finding.side, _cava(picture)
    top, half = anatomy.top, anatomy.half
    path = [[picture.to_x(side, half + 0.13), top + 0.28], [picture.to_x(side, half + 0.03), top + 0.14]]
    path += [[picture.to_x(side, 0.55 * half), top + 0.065], [picture.to_x(side, 0.07), top + 0.085]]
    path += [[cava, top + 0.17], [cava, anatomy.hilum + 0.035]]
    _draw(picture, [(smooth(path), 1.5, 0.9)], _strength(picture, 0.45))


def _port(picture: Picture, finding: Finding) -> None:
    """A round chamber under the skin with a line into the vein."""
    anatomy, side, cava = picture.anatomy, finding.side, _cava(picture)
    top, d, y = anatomy.top, 0.62 * anatomy.half, anatomy.top + 0.17
    path = [[picture.to_x(side, d), y], [picture.to_x(side, 0.45 * anatomy.half), top + 0.05]]
    path += [[picture.to_x(side, 0.07), top + 0.075], [cava, top + 0.17], [cava, anatomy.hilum + 0.03]]
    _draw(picture, [(smooth(path), 1.7, 0.9)], _strength(picture, 0.5))
    _box(picture, side, d, y, 0.026, 0.024, 0.85)


def _nasogastric_tube(picture: Picture, finding: Finding) -> None:
    """A line down the middle behind the heart that ends in the stomach."""
    anatomy = picture.anatomy
    middle, sway = anatomy.midline, shape_of(finding).uniform(-0.008, 0.008)
    below = float(anatomy.diaphragm(np.float64(0.15), 1))
    path = [
        [middle + 0.008, 0.0],
        [middle + 0.012 + sway, anatomy.hilum],
        [middle + 0.02, anatomy.dome - 0.06],
    ]
    path += [[middle + 0.06, below + 0.03], [middle + 0.14, below + 0.075], [middle + 0.20, below + 0.06]]
    _draw(picture, [(smooth(path), 1.9, 0.9)], _strength(picture, 0.42))


def _chest_tube(picture: Picture, finding: Finding) -> None:
    """A wide tube through the flank that climbs along the chest wall."""
    anatomy, side, random = picture.anatomy, finding.side, shape_of(finding)
    low, high = anatomy.zone("lower"), anatomy.zone("upper") + random.uniform(-0.05, 0.10)
    wall = float(anatomy.outer(np.float64(low)))
    path = [[picture.to_x(side, wall + 0.10), low + 0.06], [picture.to_x(side, wall - 0.02), low - 0.02]]
    path += [[picture.to_x(side, wall - 0.07), anatomy.zone("mid")]]
    path += [[picture.to_x(side, 0.62 * float(anatomy.outer(np.float64(high)))), high]]
    curve = smooth(path)
    _draw(picture, [(curve, 4.5, 0.45), (curve, 1.2, 1.0)], _strength(picture, 0.55))


def _sternotomy_wire(picture: Picture, finding: Finding) -> None:
    """Loops of wire, one below the other, over the middle."""
    anatomy, random = picture.anatomy, shape_of(finding)
    middle, lines = anatomy.midline + anatomy.turn, []
    t = np.linspace(0, 2 * np.pi, 15)
    for number in range(5):
        y = anatomy.knob + 0.005 + 0.085 * number
        wide, tilt = 0.016 + random.uniform(-0.002, 0.002), random.uniform(-0.3, 0.3)
        x = middle + wide * np.cos(t)
        lines.append((np.stack([x, y + 0.010 * np.sin(t) + tilt * (x - middle)], 1), 1.4, 0.95))
    _draw(picture, lines, _strength(picture, 0.5))


def smooth(path: list[list[float]]) -> np.ndarray:
    """A curve through the points (Catmull-Rom)."""
    points = np.array([path[0], *path, path[-1]])
    t = np.linspace(0, 1, 8, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(points, points[1:], points[2:], points[3:], strict=False):
        curve = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
        pieces.append(0.5 * curve)
    return np.concatenate([*pieces, points[-1:]])


DEVICES = {
    "endotracheal tube": _endotracheal_tube,
    "central venous catheter": _central_venous_catheter,
    "pacemaker": _pacemaker,
    "peripherally inserted central catheter": _picc,
    "port": _port,
    "nasogastric tube": _nasogastric_tube,
    "chest tube": _chest_tube,
    "sternotomy wire": _sternotomy_wire,
}
"""Painters by concept, called as (picture, finding)."""
