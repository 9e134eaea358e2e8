"""The healthy chest of the tiny world, and its film: how much each part weakens the beam, then noise.

Brightness is built up in float32 from 0 (black: the beam reached the detector) to 1 (white). Nothing but the
anatomy, the findings and the numbers of patient and visit decides the image.

    >>> from cxreason.phantom.anatomy import draw_anatomy
    >>> own = np.random.default_rng(0)
    >>> draw_body(draw_anatomy(own), 64, own).light.shape
    (64, 64)
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from cxreason.phantom.anatomy import SIGN, Anatomy
from cxreason.phantom.picture import NORMAL_SIZE, Picture, bump, edge
from cxreason.phantom.visit import Visit, generator


def draw_body(anatomy: Anatomy, size: int, own: np.random.Generator) -> Picture:
    """The healthy parts: soft tissue, lungs, heart, bones, vessels, airway."""
    picture = Picture.blank(anatomy, size)
    y, rows = picture.y, picture.y[:, 0]
    _draw_soft_tissue(picture, rows)
    branches = 0.27 * picture.strokes(vessels(anatomy, own), blur=0.7)
    # Nothing of the lungs and ribs lies outside these rows.
    chest = slice(max(int((anatomy.top - 0.04) * size), 0), int((anatomy.dome + 0.16) * size))
    for side, sign in SIGN.items():
        columns, d = picture.half(side), picture.outward(side)
        lung = np.zeros((size, d.shape[1]), np.float32)
        lung[chest] = aerated(anatomy, d, y[chest], sign)
        picture.lungs[side] = lung
        _draw_lung(picture.light[chest, columns], anatomy, d, y[chest], lung[chest], branches[chest, columns])
    _draw_middle(picture, rows)
    return picture


def aerated(anatomy: Anatomy, d: np.ndarray, y: np.ndarray, sign: int) -> np.ndarray:
    """How much of each pixel is lung: the least of the distances to its four borders, as one soft step."""
    borders = (
        (anatomy.outer(y), d, 1 / 0.022),
        (d, anatomy.inner(y, sign), 1 / 0.022),
        (anatomy.diaphragm(d, sign), y, 1 / 0.016),
        (y, anatomy.apex(d), 1 / 0.03),
    )
    within = np.full((y.size, d.size), 1, np.float32)
    for far, near, sharpness in borders:
        distance = (far * sharpness).astype(np.float32) - (near * sharpness).astype(np.float32)
        np.minimum(within, distance, out=within)
    return edge(within, 1.0)


def _draw_lung(
    light: np.ndarray, anatomy: Anatomy, d: np.ndarray, y: np.ndarray, lung: np.ndarray, vessels: np.ndarray
) -> None:
    """Air, vessels, lung root and ribs of one side, into `light`."""
    outer = anatomy.outer(y).astype(np.float32)
    # Air takes most of the tissue away; the chest wall before and behind is thicker low down and at the rim.
    change = np.maximum((d - outer) * 10 + 1, 0)
    change *= change
    change *= 0.07
    change += 0.08 * (y - 0.3) - 0.42
    change += vessels
    change += bump(d - 0.085, 0.035) * (0.13 * bump(y - np.float32(anatomy.hilum), 0.06))
    change *= lung
    light += change
    cage = edge(outer + 0.012 - d, 0.012)
    cage *= edge(np.float32(anatomy.dome + 0.10) - y, 0.06)
    cage *= 0.45 + 0.55 * lung
    cage *= ribs(anatomy, d, y)
    light += cage


def _draw_soft_tissue(picture: Picture, rows: np.ndarray) -> None:
    """Neck, shoulders, flanks and belly on a black ground."""
    anatomy, x, y = picture.anatomy, picture.x, picture.y
    shoulder = anatomy.top + 0.02
    neck = 0.125 + 0.5 * np.clip((rows - shoulder + 0.045) / 0.10, 0, None) ** 1.6
    flank = anatomy.half + anatomy.soft_tissue + 0.35 * np.clip((0.46 - rows) / 0.46, 0, None) ** 1.3
    width = np.minimum(neck, flank)[:, None].astype(np.float32)
    d = np.abs(x - np.float32(anatomy.midline))
    body = edge(width - d, 0.03)
    thick = 0.47 + 0.13 * edge(y - np.float32(anatomy.dome), 0.30) - 0.5 * np.clip(d - np.float32(0.36), 0, 1)
    np.multiply(body, thick, out=picture.light, casting="same_kind")


def ribs(anatomy: Anatomy, d: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Posterior ribs, plain, and the fainter anterior ribs that run the other way."""
    spacing = np.float32(1 / anatomy.rib_spacing)
    away = d / np.float32(anatomy.half)
    start = y - np.float32(anatomy.top)
    back = (start - np.float32(anatomy.rib_drop) * away * away) * spacing
    front = (start + np.float32(0.16) * away - np.float32(0.02)) * (spacing * np.float32(0.82))
    light = rib_profile(front)
    light *= np.float32(0.05) * np.clip((away - 0.32) * 5, 0, 1)
    light += np.float32(0.085) * rib_profile(back)
    return light


def rib_profile(phase: np.ndarray) -> np.ndarray:
    """Brightness across ribs at whole numbers of `phase`: a band with slightly brighter rims."""
    off = np.rint(phase)
    off -= phase
    np.abs(off, out=off)
    band = off * -9
    band += np.float32(9 * 0.27)
    np.maximum(band, 0, out=band)
    np.minimum(band, 1, out=band)
    off += np.float32(0.8)
    band *= off
    return band


def _draw_middle(picture: Picture, rows: np.ndarray) -> None:
    """Mediastinum, heart, spine, airway, clavicles, diaphragm and stomach gas."""
    anatomy, x, y, light = picture.anatomy, picture.x, picture.y, picture.light
    middle = np.float32(anatomy.midline)
    for side, sign in SIGN.items():
        inner = anatomy.inner(y, sign).astype(np.float32)
        columns = picture.near(side, float(inner.max()) + 0.03)
        d = sign * (x[:, columns] - middle)
        inside = edge(inner + 0.004 - d, 0.03) * edge(y - np.float32(anatomy.top - 0.05), 0.10)
        below = edge(np.float32(anatomy.heart_bottom + 0.03) - y, 0.10)
        depth = np.clip((inner - d) / np.float32(0.16), 0, 1)
        heart = edge(y - np.float32(anatomy.heart_top), 0.10) * below
        light[:, columns] += inside * (below * (0.08 + heart * (0.03 + 0.11 * depth)))
    # Only a strip beside the midline holds the spine and the airway.
    size = picture.size
    strip = slice(round((anatomy.midline - 0.09) * size), round((anatomy.midline + 0.09) * size))
    d = np.abs(x[:, strip] - middle)
    discs = np.abs(((rows / 0.047) % 1) - 0.5)[:, None].astype(np.float32)
    light[:, strip] += edge(0.038 - d, 0.02) * (0.04 + 0.045 * np.clip(discs * 3 - 0.45, 0, 1))
    light[:, strip] += 0.03 * bump(d, 0.009) * np.clip(discs * 4 - 0.9, 0, 1)
    carina = np.float32(anatomy.hilum - 0.06)
    fork = np.clip(y - carina, 0, 0.07)  # below the carina the airway parts into the two main bronchi
    airway = edge(0.016 - np.abs(d - fork * 0.9), 0.014) * edge(carina + 0.05 - y, 0.05)
    light[:, strip] -= 0.13 * airway
    lines = []
    for sign in SIGN.values():
        t = np.linspace(0, 1, 9)
        height = anatomy.top + anatomy.clavicle + 0.020 - 0.075 * t + 0.02 * np.sin(2 * np.pi * t)
        lines.append((np.stack([anatomy.midline + sign * (0.035 + 0.33 * t), height], 1), 8, 1.0))
        blade = anatomy.half * (0.86 + 0.10 * np.sin(np.pi * t))  # the inner border of the shoulder blade
        lines.append((np.stack([anatomy.midline + sign * blade, anatomy.top + 0.09 + 0.27 * t], 1), 3, 0.4))
    light += 0.13 * picture.strokes(lines, blur=1.0)
    belly = float(anatomy.diaphragm(np.float64(0.15), 1)) + 0.025 + anatomy.gastric
    stomach, below = picture.near("left", 0.26), slice(int((belly - 0.08) * picture.size), picture.size)
    across = (x[:, stomach] - middle - np.float32(0.16)) / np.float32(1.4 * anatomy.gastric)
    down = (y[below] - np.float32(belly)) / np.float32(anatomy.gastric)
    light[below, stomach] -= 0.24 * edge(1 - np.sqrt(across**2 + down**2), 0.5)


def vessels(anatomy: Anatomy, own: np.random.Generator) -> list[tuple[np.ndarray, float, float]]:
    """The branching arteries and veins: from each hilum outward, parting twice and thinning."""
    sign = np.repeat(np.array(list(SIGN.values()), dtype=float), 8)
    heading = np.tile(np.linspace(-1.25, 1.35, 8), 2) + own.uniform(-0.22, 0.22, 16)
    origin = np.stack([anatomy.midline + sign * 0.085, anatomy.hilum + 0.02 * heading], 1)
    lines = []
    for generation, width in enumerate((3.0, 1.9, 1.2)):
        bend, spread = own.uniform(-0.3, 0.3, len(sign)), own.uniform(0.15, 0.36, len(sign))
        length = 0.5 * own.uniform(0.06, 0.12, (len(sign), 1)) * 0.85**generation
        half = origin + length * np.stack([sign * np.cos(heading), np.sin(heading)], 1)
        end = half + length * np.stack([sign * np.cos(heading + bend), np.sin(heading + bend)], 1)
        points = np.concatenate([origin, half, end], 1)
        lines += [(line, width, 0.85 - 0.22 * generation) for line in points]
        # Every end parts in two.
        origin, sign = np.tile(end, (2, 1)), np.tile(sign, 2)
        heading = np.concatenate([heading + bend - spread, heading + bend + spread])
    return lines


def develop(picture: Picture, visit: Visit, own: np.random.Generator) -> np.ndarray:
    """The finished film: uneven tissue, exposure, noise, a little blur."""
    day = generator(visit.seed, 5, visit.index)
    size, light = picture.size, picture.light
    gain, offset = own.uniform(1.04, 1.26), own.uniform(-0.02, 0.04) + day.uniform(-0.015, 0.015)
    mottle = Image.fromarray(day.standard_normal((20, 20), dtype=np.float32) * np.float32(0.013))
    uneven = np.array(mottle.resize((size, size), Image.Resampling.BILINEAR))
    uneven *= light  # only tissue is uneven, not the air around the body
    light += uneven
    light *= np.float32(gain * 255)
    # Two dice for every pixel: quicker than a bell curve, and nobody can tell them apart at this size.
    dice = np.frombuffer(day.bytes(2 * size * size), dtype=np.uint8).reshape(2, size, size)
    noise = np.add(dice[0], dice[1], dtype=np.float32)
    strength = np.float32(day.uniform(2.0, 4.5) / 104.5)
    noise *= strength
    light += noise
    light += np.float32(offset * 255) - 255 * strength
    np.clip(light, 0, 255, out=light)
    film = Image.fromarray(light.astype(np.uint8))
    return np.asarray(film.filter(ImageFilter.BoxBlur(0.35 * size / NORMAL_SIZE)))
