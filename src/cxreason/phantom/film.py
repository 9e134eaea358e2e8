"""The film of the deep world: what comes between a chest and its picture, and makes it harder to read.

Confusers are drawn from the numbers of the visit: tilt and frame, exposure, blur, noise, grid, a letter for
the side, folds of skin and nipples over the lungs. None of them is a finding, and none is in a report.

    >>> from cxreason.phantom.visit import DEEP
    >>> from cxreason.phantom.world import draw_visit
    >>> frame = draw_frame(draw_visit(0, 1, DEEP))
    >>> frame.moved(np.ones((64, 64), np.float32)).shape
    (64, 64)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from cxreason.phantom.anatomy import SIGN
from cxreason.phantom.picture import NORMAL_SIZE, Picture, cloud, edge
from cxreason.phantom.visit import Visit, generator

LETTERS = {
    "L": ("10", "10", "10", "10", "11"),
    "R": ("110", "101", "110", "101", "101"),
}


@dataclass(frozen=True)
class Frame:
    """How the picture lies on the plate."""

    tilt: float = 0.0
    """In radians."""
    zoom: float = 1.0
    across: float = 0.0
    down: float = 0.0

    def moved(self, layer: np.ndarray) -> np.ndarray:
        """The layer as it comes to lie on the plate; black where nothing was."""
        size = layer.shape[0]
        c, s = np.cos(self.tilt) / self.zoom, np.sin(self.tilt) / self.zoom
        a = 0.5 * size
        shift_x, shift_y = a + self.across * size, a + self.down * size
        numbers = (c, s, a - c * shift_x - s * shift_y, -s, c, a + s * shift_x - c * shift_y)
        image = Image.fromarray(layer)
        return np.asarray(
            image.transform((size, size), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)
        )

    def moved_mask(self, mask: np.ndarray) -> np.ndarray:
        """A mask of bool as it comes to lie on the plate."""
        return self.moved(mask.astype(np.uint8) * np.uint8(255)) >= 128


def draw_frame(visit: Visit, image: int = 0) -> Frame:
    """The frame of one of the visit's images: bedside films are tilted and framed worst.

    It is as loose as on real films, where no organ has a place of its own: a straight line through pixels
    reads much from places, and would otherwise need no eye for what lies there.
    """
    day = generator(visit.seed, 10, visit.index, image)
    loose = 1.8 if visit.exam.view == "AP" else 1.0
    tilt, near, across, down = (day.uniform(-1, 1) * loose for _ in range(4))
    return Frame(0.055 * tilt, 1.02 + 0.065 * near, 0.03 * across, 0.03 * down)


def draw_confusers(picture: Picture, visit: Visit) -> None:
    """What lies over the lungs and is no finding: skin folds that look like air, nipples like nodules."""
    day = generator(visit.seed, 11, visit.index)
    anatomy = picture.anatomy
    dice = day.random(3)
    side = "left" if dice[2] < 0.5 else "right"
    if visit.exam.view == "AP" and dice[0] < 0.15:
        t = np.linspace(0, 1, 12)
        d = anatomy.half * (day.uniform(0.62, 0.8) + 0.12 * t - 0.06 * t * t)
        y = anatomy.top + 0.12 + day.uniform(0.3, 0.5) * t
        line = np.stack([anatomy.midline + SIGN[side] * d, y], 1)
        picture.light += 0.07 * picture.strokes([(line, 3, 1.0)], blur=2.5)
    if dice[1] < 0.08:
        d, y = anatomy.half * day.uniform(0.55, 0.65), anatomy.dome - day.uniform(0.05, 0.09)
        for one in SIGN.values():  # nipples come in pairs, which tells them from nodules
            x = np.float32(anatomy.midline + one * d)
            picture.light += 0.09 * edge(0.013 - np.hypot(picture.x - x, picture.y - np.float32(y)), 0.014)


def develop(picture: Picture, visit: Visit, frame: Frame, image: int = 0) -> np.ndarray:
    """The finished film, 8-bit grey."""
    day = generator(visit.seed, 12, visit.index, image)
    size, bedside = picture.size, visit.exam.view == "AP"
    light = picture.light
    light += light * (0.02 * cloud(day, size, 12))
    if bedside and day.random() < 0.25:  # the grid was off: one side is whiter
        light += np.float32(day.uniform(-0.10, 0.10)) * (picture.x - np.float32(0.5)) * (light > 0.05)
    light = frame.moved(light)
    # Scattered beams veil everything a little with the brightness around it.
    around = Image.fromarray(light).resize((20, 20), Image.Resampling.BOX)
    veil = np.asarray(around.resize((size, size), Image.Resampling.BICUBIC))
    light = light + np.float32(0.16) * (veil - light) * (light > 0.04)
    # A film darkens least where little light comes through: steep in the middle, flat at both ends.
    steep, middle = day.uniform(4.2, 5.6), day.uniform(0.36, 0.47)
    low, high = 1 / (1 + np.exp(steep * middle)), 1 / (1 + np.exp(-steep * (0.95 - middle)))
    light = 1 / (1 + np.exp(np.float32(-steep) * (light - np.float32(middle))))
    light = (light - np.float32(low)) * np.float32(235 / (high - low))
    light = light + day.standard_normal((size, size), dtype=np.float32) * np.float32(
        day.uniform(2.0, 6.5 if bedside else 4.0)
    )
    soft = day.uniform(0.2, 0.6) * size / NORMAL_SIZE
    film = Image.fromarray(np.clip(light, 0, 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(soft))
    pixels = np.asarray(film).copy()
    _stamp(pixels, day, bedside)
    if day.random() < (0.3 if bedside else 0.12):
        border = int(day.uniform(0.008, 0.03) * size)
        for edge_of in (
            pixels[:border],
            pixels[size - border :],
            pixels[:, :border],
            pixels[:, size - border :],
        ):
            edge_of[:] = edge_of // 12
    return pixels


def _stamp(pixels: np.ndarray, day: np.random.Generator, bedside: bool) -> None:
    """A letter of lead on the patient's left (image right) or right, as technicians lay it."""
    size = pixels.shape[0]
    letter = "L" if day.random() < 0.6 else "R"
    cell = max(1, round(size / 90))
    glyph = np.kron(np.array([[int(bit) for bit in row] for row in LETTERS[letter]]), np.ones((cell, cell)))
    top = int(day.uniform(0.03, 0.10 if not bedside else 0.16) * size)
    wide = int(day.uniform(0.03, 0.09) * size)
    left = size - wide - glyph.shape[1] if letter == "L" else wide
    place = pixels[top : top + glyph.shape[0], left : left + glyph.shape[1]]
    place[glyph[: place.shape[0], : place.shape[1]] > 0] = int(day.integers(225, 256))
