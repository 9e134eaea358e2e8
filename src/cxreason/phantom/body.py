"""The healthy chest of the deep world from the front: more of what real films show, on the same anatomy.

Brightness is on the scale of the tiny world (0.15 lung, 0.6 heart), so that one set of painters draws the
findings of both.

    >>> from cxreason.phantom.anatomy import draw_anatomy
    >>> own = np.random.default_rng(0)
    >>> draw_body(draw_anatomy(own), 64, own).light.shape
    (64, 64)
"""

from __future__ import annotations

import numpy as np

from cxreason.phantom.anatomy import SIGN, Anatomy
from cxreason.phantom.picture import Picture, bump, cloud, edge
from cxreason.phantom.render import aerated, vessels

WHITE = 0.70
"""Brightness of fluid: as heart and belly, so that their borders are lost in it."""


def draw_body(anatomy: Anatomy, size: int, own: np.random.Generator) -> Picture:
    """Everything that is there in health. `own` are the numbers that stay with the patient."""
    picture = Picture.blank(anatomy, size)
    picture.white, picture.soft = WHITE, 1.0
    _draw_trunk(picture)
    vessel = picture.strokes(vessels(anatomy, own), blur=1.1)
    grain = cloud(own, size, 34) + 0.7 * cloud(own, size, 70)
    for side, sign in SIGN.items():
        _draw_lung(picture, side, sign, vessel, grain, own)
    _draw_mediastinum(picture)
    _draw_spine(picture)
    _draw_shoulders(picture)
    _draw_belly(picture, own)
    return picture


def _draw_trunk(picture: Picture) -> None:
    """Neck, shoulders, arms and flanks on a black ground, thicker downwards."""
    anatomy, y = picture.anatomy, picture.y
    d = np.abs(picture.x - np.float32(anatomy.midline))
    rows = y[:, 0]
    rim = anatomy.half + anatomy.soft_tissue
    neck = 0.135 + 0.55 * np.clip((rows - anatomy.top + 0.075) / 0.10, 0, None) ** 1.5
    arms = rim + 0.03 + 0.5 * np.clip((0.42 - rows) / 0.3, 0, None) ** 0.8
    width = np.minimum(neck, np.maximum(arms, rim + 0.02 * np.sin(4 * rows)))[:, None].astype(np.float32)
    thick = 0.50 + 0.16 * edge(y - np.float32(anatomy.dome - 0.06), 0.36)
    thick = thick - 0.30 * np.clip(d - np.float32(0.30), 0, 1) - 0.05 * edge(np.float32(anatomy.top) - y, 0.1)
    np.multiply(edge(width - d, 0.035), thick, out=picture.light, casting="same_kind")


def _draw_lung(
    picture: Picture, side: str, sign: int, vessel: np.ndarray, grain: np.ndarray, own: np.random.Generator
) -> None:
    """Air, vessels, lung root, breast and ribs of one side."""
    anatomy, columns, d = picture.anatomy, picture.half(side), picture.outward(side)
    y, light = picture.y, picture.light[:, columns]
    lung = aerated(anatomy, d, y, sign)
    picture.lungs[side] = lung
    outer = anatomy.outer(y).astype(np.float32)
    inner = anatomy.inner(y, sign).astype(np.float32)
    # A lung is deepest between its middle and its rim; the heart and great vessels veil its inner part.
    across = np.clip((d - inner) / np.maximum(outer - inner, 0.05), 0, 1)
    depth = 0.25 + 0.12 * np.sin(np.pi * np.sqrt(across)) - 0.11 * np.clip(y - 0.35, 0, None)
    change = vessel[:, columns] * (0.17 - 0.06 * across) + 0.012 * grain[:, columns]
    hilum = np.float32(anatomy.hilum - (0.02 if sign > 0 else -0.01))  # the left root lies higher
    change += 0.15 * bump(d - inner - 0.012, 0.034) * bump(y - hilum, 0.062)
    change += 0.05 * bump(d - inner - 0.01, 0.07) * bump(y - hilum - 0.07, 0.10)
    light += lung * (change - depth)
    if anatomy.breast:
        away = ((d - 0.60 * anatomy.half) / 1.15) ** 2 + (y - np.float32(anatomy.dome - 0.085)) ** 2
        lower = edge(np.float32(anatomy.breast) - np.sqrt(away), 0.05)
        light += 0.085 * lower * (0.5 + 0.5 * edge(y - np.float32(anatomy.dome - 0.16), 0.2))
    cage = edge(outer + 0.016 - d, 0.014) * edge(np.float32(anatomy.dome + 0.16) - y, 0.12)
    cage *= edge(d - np.float32(0.03), 0.04) * edge(y - anatomy.apex(d).astype(np.float32) + 0.06, 0.05)
    light += cage * (0.55 + 0.45 * lung) * _ribs(anatomy, d, y, own.uniform(-0.01, 0.01))
    # Where the ribs turn forward the beam runs along them: a bright rim of the chest wall.
    light += 0.07 * bump(d - outer - 0.006, 0.010) * edge(y - np.float32(anatomy.top + 0.06), 0.1) * cage


def _ribs(anatomy: Anatomy, d: np.ndarray, y: np.ndarray, shift: float) -> np.ndarray:
    """Posterior ribs, which rise a little and then fall, and fainter anterior ones that fall inwards."""
    away = d / np.float32(anatomy.half)
    start = y - np.float32(anatomy.top + shift)
    drop = np.float32(anatomy.rib_drop) * away * away - np.float32(0.05) * away * (1 - away)
    back = (start - drop) / np.float32(anatomy.rib_spacing)
    front = (start + np.float32(0.20) * away - np.float32(0.1)) / np.float32(1.18 * anatomy.rib_spacing)
    light = np.float32(0.075) * _rib(back, 0.20)
    light += np.float32(0.05) * _rib(front, 0.24) * np.clip((away - 0.38) * 4, 0, 1)
    return light


def _rib(phase: np.ndarray, half: float) -> np.ndarray:
    """Across ribs at whole numbers of `phase`: a soft band, brighter at its lower rim."""
    off = phase - np.rint(phase)
    band = np.clip((np.float32(half) - np.abs(off)) * 8, 0, 1)
    return band * (
        0.62 + 0.5 * bump(off - np.float32(0.75 * half), 0.07) + 0.25 * bump(off + 0.7 * half, 0.07)
    )


def _draw_mediastinum(picture: Picture) -> None:
    """The broad white middle: great vessels, heart, and the fat beside it."""
    anatomy, y = picture.anatomy, picture.y
    rows = y[:, 0]
    for side, sign in SIGN.items():
        columns, d = picture.half(side), picture.outward(side)
        inner = anatomy.inner(y, sign).astype(np.float32)
        inside = edge(inner + 0.004 - d, 0.030) * edge(y - np.float32(anatomy.top - 0.08), 0.12)
        inside *= edge(np.float32(anatomy.heart_bottom + 0.05) - y, 0.10)
        depth = np.clip((inner - d) / np.float32(0.15), 0, 1)
        heart = edge(y - np.float32(anatomy.heart_top), 0.14)
        picture.light[:, columns] += inside * (0.075 + 0.05 * depth + heart * (0.02 + 0.075 * depth))
    aorta = anatomy.midline + 0.036 + 0.4 * anatomy.knob_size  # its descending part, left of the spine
    column = bump(picture.x - np.float32(aorta), 0.020) * edge(y - np.float32(anatomy.knob), 0.05)
    picture.light += 0.035 * column * edge(np.float32(anatomy.dome + 0.05) - y, 0.2)
    middle = anatomy.midline + 0.5 * anatomy.turn
    carina = np.float32(anatomy.hilum - 0.055)
    fork = np.clip(y - carina, 0, 0.075)
    d = np.abs(picture.x - np.float32(middle))
    airway = edge(0.018 - np.abs(d - fork), 0.016) * edge(carina + 0.055 - y, 0.05)[:, :1]
    picture.light -= 0.085 * airway * np.clip(1.15 - 0.6 * rows, 0, 1)[:, None].astype(np.float32)


def _draw_spine(picture: Picture) -> None:
    """A column of vertebrae, faint behind the heart; it bows where it is scoliotic."""
    anatomy, y, light = picture.anatomy, picture.y, picture.light
    bow = anatomy.bend * np.sin(np.pi * np.clip((y - 0.05) / 0.85, 0, 1)) * 1.0
    size, reach = picture.size, 0.075 + abs(anatomy.bend)
    strip = slice(round((anatomy.midline - reach) * size), round((anatomy.midline + reach) * size))
    across = picture.x[:, strip] - np.float32(anatomy.midline) - bow.astype(np.float32)
    d = np.abs(across)
    phase = (y / np.float32(0.052)) % 1
    disc = np.clip(np.abs(phase - 0.5) * 4 - 1.2, 0, 1).astype(np.float32)
    column = edge(0.043 - d, 0.016)
    light[:, strip] += column * (0.042 - 0.02 * disc + 0.015 * bump(d - 0.036, 0.008))
    pedicle = bump(d - 0.024, 0.006) * bump(phase - 0.3, 0.12)
    light[:, strip] += 0.022 * pedicle + 0.02 * bump(d, 0.006) * bump(phase - 0.65, 0.16)


def _draw_shoulders(picture: Picture) -> None:
    """Clavicles, shoulder blades and the upper ends of the arm bones."""
    anatomy = picture.anatomy
    bars, flats, rims, arms = [], [], [], []
    u, turn = np.linspace(0, 1, 9), np.linspace(0, 2 * np.pi, 12)
    for sign in SIGN.values():
        for piece in _clavicle_pieces(anatomy, sign):
            middle = anatomy.collar(sign, piece)
            thick = np.stack([0 * piece, 0.013 - 0.004 * np.sin(np.pi * piece)], 1)
            bars.append((np.concatenate([middle - thick, (middle + thick)[::-1]]), 1.0))
        # A triangle that narrows downwards, with a sharp inner border.
        inset = anatomy.half * 0.99 - anatomy.blade
        border = anatomy.midline + sign * (inset + 0.035 * np.sin(np.pi * u) + 0.02 * u)
        height = anatomy.top + 0.06 + 0.36 * u
        far = anatomy.midline + sign * (inset + 0.155 - 0.10 * u**1.5)
        inner = np.stack([border, height], 1)
        flats.append((np.concatenate([inner, np.stack([far, height - 0.03 * (1 - u)], 1)[::-1]]), 0.35))
        rims.append((inner, 2.5, 1.0))
        x, y = anatomy.midline + sign * (anatomy.half + 0.115), anatomy.top + 0.085
        arms.append((np.array([[x, y], [x + sign * 0.05, y + 0.16], [x + sign * 0.09, y + 0.45]]), 17, 0.6))
        flats.append((np.stack([x + 0.045 * np.cos(turn), y + 0.05 * np.sin(turn)], 1), 0.9))
    bones = 0.085 * picture.shapes(bars, blur=1.0) + 0.11 * picture.shapes(flats, blur=2.5)
    bones += 0.035 * picture.strokes(rims, blur=1.0) + 0.12 * picture.strokes(arms, blur=2.5)
    picture.light += bones * np.clip(picture.light * 5, 0, 1)


def _clavicle_pieces(anatomy: Anatomy, sign: int) -> list[np.ndarray]:
    side, place, _ = anatomy.broken
    if side != sign:
        return [np.linspace(0, 1, 11)]
    return [np.linspace(0, place - 0.015, 7), np.linspace(place + 0.015, 1, 7)]


def _draw_belly(picture: Picture, own: np.random.Generator) -> None:
    """The belly is the whitest part, with gas in stomach and bowel."""
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    low = slice(int((anatomy.dome - 0.12) * picture.size), picture.size)
    for side, sign in SIGN.items():
        columns, d = picture.half(side), picture.outward(side)
        below = edge(y[low] - anatomy.diaphragm(d, sign).astype(np.float32), 0.03)
        below *= edge(np.float32(anatomy.half + 0.5 * anatomy.soft_tissue) - d, 0.10)
        below *= edge(np.maximum(d - 0.03, y[low] - np.float32(anatomy.dome + 0.02)), 0.08)
        dense = 0.13 if sign < 0 else 0.10  # the liver is denser than what lies under the left dome
        picture.light[low, columns] += below * (dense - 0.10 * np.clip(d / anatomy.half, 0, 1) ** 2)
    wide, radius = own.uniform(1.2, 2.0), anatomy.gastric
    level = float(anatomy.diaphragm(np.float64(0.15), 1)) + 0.022 + radius
    away = np.sqrt(((x - np.float32(anatomy.midline + 0.15)) / wide) ** 2 + (y - np.float32(level)) ** 2)
    picture.light -= 0.20 * edge(np.float32(radius) - away + 0.006 * cloud(own, picture.size, 9), 0.022)
    for _ in range(int(own.integers(2, 5))):
        a, b = anatomy.midline + own.uniform(-0.25, 0.28), anatomy.dome + own.uniform(0.17, 0.27)
        away = ((x - np.float32(a)) / 1.5) ** 2 + (y - np.float32(b)) ** 2
        picture.light -= 0.09 * np.exp(-away / np.float32(own.uniform(0.012, 0.026) ** 2))
