"""The image while it is being drawn: brightness, the lungs, and the strokes and soft edges painters use.

>>> float(edge(np.float32([-1, 0, 1]), 0.1)[1])
0.5
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from cxreason.phantom.anatomy import SIGN, Anatomy

NORMAL_SIZE = 256
"""The size that line widths and blurs are given for."""


@dataclass
class Picture:
    """An image being drawn, with what the painters need to know of it."""

    anatomy: Anatomy
    size: int
    x: np.ndarray
    y: np.ndarray
    light: np.ndarray
    """Brightness so far, (size, size) float32."""
    lungs: dict[str, np.ndarray]
    """How much of each pixel is aerated lung, 0 to 1, for the columns of `half(side)` only."""
    mask: np.ndarray | None = None
    """Where the finding that is being drawn lies, (size, size) of bool; None where nobody asks."""
    white: float = 0.60
    """Brightness of lung that is full of fluid."""
    soft: float = 0.0
    """0 for the plain strokes of the tiny world, 1 for the faint ones of the deep world."""

    @classmethod
    def blank(cls, anatomy: Anatomy, size: int) -> Picture:
        """A black image of this chest."""
        x, y = _grid(size)
        return cls(anatomy, size, x, y, np.zeros((size, size), np.float32), {})

    def half(self, side: str) -> slice:
        """The columns on the patient's left or right of the midline."""
        middle = round(self.anatomy.midline * self.size)
        return slice(middle, self.size) if side == "left" else slice(0, middle)

    def near(self, side: str, reach: float) -> slice:
        """The columns of `half(side)` within `reach` of the midline."""
        half, width = self.half(side), int(reach * self.size) + 1
        return (
            slice(half.start, half.start + width)
            if side == "left"
            else slice(max(half.stop - width, 0), half.stop)
        )

    def outward(self, side: str) -> np.ndarray:
        """Distance from the midline of the columns of `half(side)`."""
        return SIGN[side] * (self.x[:, self.half(side)] - np.float32(self.anatomy.midline))

    def to_x(self, side: str, d: float) -> float:
        return self.anatomy.midline + SIGN[side] * d

    def window(self, side: str, d: float, y: float, reach: float) -> tuple[slice, slice, slice]:
        """Rows, columns and columns within the half of the square of half width `reach` around (d, y)."""
        size, half = self.size, self.half(side)
        x = self.to_x(side, d)
        rows = slice(max(int((y - reach) * size), 0), min(int((y + reach) * size) + 1, size))
        first, last = max(int((x - reach) * size), half.start), min(int((x + reach) * size) + 1, half.stop)
        return rows, slice(first, last), slice(first - half.start, last - half.start)

    def mark(
        self,
        coverage: np.ndarray,
        rows: slice = slice(None),
        columns: slice = slice(None),
        least: float = 0.5,
    ) -> None:
        """Note that the finding lies where `coverage` is at least `least`, in these rows and columns."""
        if self.mask is not None:
            self.mask[rows, columns] |= coverage >= least

    def shapes(self, outlines: list[tuple[np.ndarray, float]], blur: float = 1.0) -> np.ndarray:
        """An image of filled shapes, each (corners in [0, 1], brightness); later ones lie on top."""
        layer = Image.new("L", (self.size, self.size))
        pen = ImageDraw.Draw(layer)
        for corners, strength in outlines:
            pen.polygon((corners * self.size).ravel().tolist(), fill=int(255 * strength))
        layer = layer.filter(ImageFilter.BoxBlur(blur * self.size / NORMAL_SIZE))
        return np.multiply(np.asarray(layer), np.float32(1 / 255), dtype=np.float32)

    def strokes(self, lines: list[tuple[np.ndarray, float, float]], blur: float = 0.6) -> np.ndarray:
        """An image of lines, each (points in [0, 1], width in pixels of a 256-pixel image, brightness)."""
        scale = self.size / NORMAL_SIZE
        drawn = [
            ((points * self.size).ravel().tolist(), width, strength) for points, width, strength in lines
        ]
        last = min(self.size, int(max(max(place[1::2]) for place, _, _ in drawn) + 8 * scale) + 2)
        layer = Image.new("L", (self.size, last))  # nothing is drawn below its last row
        pen = ImageDraw.Draw(layer)
        for place, width, strength in drawn:
            pen.line(place, fill=int(255 * strength), width=max(1, round(width * scale)))
        layer = layer.filter(ImageFilter.BoxBlur(blur * scale))
        light = np.zeros((self.size, self.size), np.float32)
        np.multiply(np.asarray(layer), np.float32(1 / 255), out=light[:last], dtype=np.float32)
        return light


@lru_cache(maxsize=8)
def _grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    line = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size)
    return line[None, :], line[:, None]


def edge(distance: np.ndarray, width: float) -> np.ndarray:
    """1 well inside, 0 well outside, and a soft step of `width` where `distance` passes 0."""
    ramp = np.multiply(distance, np.float32(1 / width), dtype=np.float32)
    ramp += np.float32(0.5)
    np.maximum(ramp, 0, out=ramp)
    np.minimum(ramp, 1, out=ramp)
    step = ramp * -2
    step += 3
    step *= ramp
    step *= ramp
    return step


def bump(distance: np.ndarray, width: float) -> np.ndarray:
    """A bell around 0."""
    return np.exp(-((distance / np.float32(width)) ** 2), dtype=np.float32)


def cloud(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Smooth unevenness of about unit strength, with `cells` bumps across."""
    grain = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(grain.resize((size, size), Image.Resampling.BICUBIC))
