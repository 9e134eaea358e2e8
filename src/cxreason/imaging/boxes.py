"""Boxes as fractions of the image, and the coordinate systems that models speak.

Inside cxreason a box is (x1, y1, x2, y2) in [0, 1], top-left corner first. It is converted only at the edge:
CheXOne writes whole numbers 0-100, Qwen2.5-VL absolute pixels of the image after its own resizing, Qwen3-VL
whole numbers 0-1000. Areas have no "+1 pixel", so IoU is the same in every system, up to its rounding; score
against the unrounded gold box.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np

from cxreason.records import Box

Corners = tuple[float, float, float, float]

QWEN_FACTOR = 28
QWEN_MIN_PIXELS = 56 * 56
QWEN_MAX_PIXELS = 28 * 28 * 1280


def corners(box: Box | Sequence[float]) -> Corners:
    """The four numbers of a box.

    >>> corners(Box("nodule", 0.1, 0.2, 0.3, 0.4))
    (0.1, 0.2, 0.3, 0.4)
    """
    if isinstance(box, Box):
        return box.x1, box.y1, box.x2, box.y2
    x1, y1, x2, y2 = box
    return x1, y1, x2, y2


def tidy(box: Box | Sequence[float], limit: float = 1.0) -> tuple[Corners, tuple[str, ...]]:
    """The box with its corners in order and inside [0, limit], and what had to be mended.

    >>> tidy((0.5, 0.1, 0.2, 1.4))
    ((0.2, 0.1, 0.5, 1.0), ('clipped to the image', 'corners swapped'))
    """
    x1, y1, x2, y2 = given = corners(box)
    if any(math.isnan(value) for value in given):
        raise ValueError(f"not a box: {given}")
    ordered = min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)
    a, b, c, d = (min(max(value, 0.0), limit) for value in ordered)
    notes = []
    if (a, b, c, d) != ordered:
        notes.append("clipped to the image")
    if ordered != given:
        notes.append("corners swapped")
    return (a, b, c, d), tuple(notes)


def area(box: Box | Sequence[float]) -> float:
    """Width times height; 0 for a box whose corners are not in order.

    >>> area((0, 0, 0.5, 0.5))
    0.25
    """
    x1, y1, x2, y2 = corners(box)
    return max(x2 - x1, 0.0) * max(y2 - y1, 0.0)


def iou(first: Box | Sequence[float], second: Box | Sequence[float]) -> float:
    """Intersection over union of two boxes; 0 where either has no area.

    >>> iou((0, 0, 1, 0.5), (0, 0, 1, 1))
    0.5
    """
    a, b = corners(first), corners(second)
    shared = area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def matched_iou(predicted: Sequence[Box | Sequence[float]], gold: Sequence[Box | Sequence[float]]) -> float:
    """Sum of IoU over the best one-to-one assignment / the larger number of boxes; 1 where both are empty.

    >>> matched_iou([(0, 0, 1, 1), (0, 0, 0.1, 0.1)], [(0, 0, 1, 1)])
    0.5
    """
    if not predicted and not gold:
        return 1.0
    overlaps = _overlaps(predicted, gold)
    if len(predicted) == len(gold) == 1:  # the usual case, without importing scipy
        return float(overlaps[0, 0])
    return float(overlaps[_assignment(overlaps)].sum()) / max(len(predicted), len(gold))


def matched_pairs(
    predicted: Sequence[Box | Sequence[float]], gold: Sequence[Box | Sequence[float]], threshold: float = 0.5
) -> list[tuple[int, int]]:
    """As many one-to-one pairs with IoU >= threshold as there can be; among those, the largest IoU sum.

    >>> matched_pairs([(0, 0, 0.75, 1), (0, 0, 0.4, 1)], [(0, 0, 0.6, 1), (0.3, 0, 0.9, 1)])
    [(0, 1), (1, 0)]
    """
    overlaps = _overlaps(predicted, gold)
    allowed = overlaps >= threshold - 1e-9
    # A pair outweighs any sum of overlaps, so their number is maximised before their sum.
    rows, columns = _assignment(np.where(allowed, overlaps + min(overlaps.shape) + 1, 0.0))
    return [
        (int(row), int(column)) for row, column in zip(rows, columns, strict=True) if allowed[row, column]
    ]


def union_iou(predicted: Sequence[Box | Sequence[float]], gold: Sequence[Box | Sequence[float]]) -> float:
    """IoU of the areas that all predicted and all gold boxes cover, for findings split over boxes.

    >>> union_iou([(0, 0, 0.5, 1), (0.5, 0, 1, 1)], [(0, 0, 1, 1)])
    1.0
    """
    said, true = [corners(box) for box in predicted], [corners(box) for box in gold]
    xs = np.unique([value for x1, _, x2, _ in said + true for value in (x1, x2)])
    ys = np.unique([value for _, y1, _, y2 in said + true for value in (y1, y2)])
    if len(xs) < 2 or len(ys) < 2:
        return 0.0
    cells = np.outer(np.diff(ys), np.diff(xs))

    def covered(boxes: Iterable[Corners]) -> np.ndarray:
        mask = np.zeros(cells.shape, dtype=bool)
        for x1, y1, x2, y2 in boxes:
            mask |= np.outer((ys[:-1] >= y1) & (ys[1:] <= y2), (xs[:-1] >= x1) & (xs[1:] <= x2))
        return mask

    first, second = covered(said), covered(true)
    total = float(cells[first | second].sum())
    return float(cells[first & second].sum()) / total if total else 0.0


def in_order(boxes: Iterable[Box]) -> list[Box]:
    """Boxes from left to right, then from top to bottom, as CheXOne lists them: by their thousandths.

    >>> [box.label for box in in_order([Box("b", 0.1004, 0.5, 1, 1), Box("a", 0.1009, 0.2, 1, 1)])]
    ['a', 'b']
    """
    return sorted(boxes, key=lambda box: (_thousandth(box.x1), _thousandth(box.y1)))


def merged(boxes: Sequence[Box], over: float = 0.1) -> list[Box]:
    """The boxes of several readers as CheXinstruct joins them, label by label and image by image.

    The first box that is left takes every later one whose IoU with it is more than `over`; their hull
    replaces them. Overlap with the growing hull would join other boxes, so it is not looked at.

    >>> merged([Box("a", 0, 0, 0.5, 1), Box("b", 0, 0, 1, 1), Box("a", 0.25, 0, 0.75, 1)])
    [Box(label='a', x1=0, y1=0, x2=0.75, y2=1, image=0), Box(label='b', x1=0, y1=0, x2=1, y2=1, image=0)]
    """
    groups: list[list[Box]] = []
    for box in boxes:
        for group in groups:
            seed = group[0]
            if (seed.label, seed.image) == (box.label, box.image) and iou(seed, box) > over:
                group.append(box)
                break
        else:
            groups.append([box])
    return [
        Box(
            group[0].label,
            min(box.x1 for box in group),
            min(box.y1 for box in group),
            max(box.x2 for box in group),
            max(box.y2 for box in group),
            group[0].image,
        )
        for group in groups
    ]


def from_image_pixels(box: Box | Sequence[float], width: int, height: int) -> Corners:
    """Fractions of a box in pixels of an image.

    >>> from_image_pixels((10, 20, 30, 40), width=100, height=200)
    (0.1, 0.1, 0.3, 0.2)
    """
    x1, y1, x2, y2 = corners(box)
    return x1 / width, y1 / height, x2 / width, y2 / height


def to_hundred(box: Box | Sequence[float]) -> tuple[int, int, int, int]:
    """CheXOne's whole numbers 0-100, by its own rounding: thousandths cut, capped at 999, halves to even.

    >>> to_hundred((0.1255, 0.6, 0.18, 1.0))
    (12, 60, 18, 100)
    """
    x1, y1, x2, y2 = (round(_thousandth(value) / 10) for value in corners(box))
    return x1, y1, x2, y2


def from_hundred(box: Box | Sequence[float]) -> Corners:
    """Fractions of a box on the 0-100 grid.

    >>> from_hundred((12, 60, 18, 87))
    (0.12, 0.6, 0.18, 0.87)
    """
    return from_image_pixels(box, 100, 100)


def to_thousand(box: Box | Sequence[float]) -> tuple[int, int, int, int]:
    """Qwen3-VL's whole numbers 0-1000, to the nearest.

    >>> to_thousand((0.1, 0.2, 0.3336, 1.0))
    (100, 200, 334, 1000)
    """
    x1, y1, x2, y2 = (round(1000 * value) for value in corners(box))
    return x1, y1, x2, y2


def from_thousand(box: Box | Sequence[float]) -> Corners:
    """Fractions of a box on the 0-1000 grid.

    >>> from_thousand((100, 200, 300, 1000))
    (0.1, 0.2, 0.3, 1.0)
    """
    return from_image_pixels(box, 1000, 1000)


def resized(
    height: int,
    width: int,
    *,
    factor: int = QWEN_FACTOR,
    min_pixels: int = QWEN_MIN_PIXELS,
    max_pixels: int = QWEN_MAX_PIXELS,
) -> tuple[int, int]:
    """(height, width) to which the Qwen-VL processors bring an image before the model sees it.

    Both become multiples of `factor` with an area between the two limits and about the same shape.

    >>> resized(3056, 2544, max_pixels=512 * 512)
    (560, 448)
    """
    if max(height, width) > 200 * min(height, width):
        raise ValueError(f"an image of {width} x {height} is too narrow: at most 200 to 1")
    new_height, new_width = round(height / factor) * factor, round(width / factor) * factor
    if new_height * new_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        new_height = max(factor, math.floor(height / shrink / factor) * factor)
        new_width = max(factor, math.floor(width / shrink / factor) * factor)
    elif new_height * new_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        new_height = math.ceil(height * grow / factor) * factor
        new_width = math.ceil(width * grow / factor) * factor
    return new_height, new_width


def to_pixels(box: Box | Sequence[float], size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Qwen2.5-VL's absolute pixels on an image of `size` (height, width), as `resized` gives it.

    >>> to_pixels((0.1, 0.2, 0.3, 0.4), (560, 448))
    (45, 112, 134, 224)
    """
    height, width = size
    x1, y1, x2, y2 = corners(box)
    return round(x1 * width), round(y1 * height), round(x2 * width), round(y2 * height)


def from_pixels(box: Box | Sequence[float], size: tuple[int, int]) -> Corners:
    """Fractions of a box in absolute pixels on an image of `size` (height, width).

    >>> from_pixels((56, 112, 112, 280), (560, 448))
    (0.125, 0.2, 0.25, 0.5)
    """
    return from_image_pixels(box, width=size[1], height=size[0])


def decode_relative_rle(text: str, width: int, height: int) -> np.ndarray:
    """The mask (height, width) of SIIM's runs: "gap length gap length ...", down the columns; "-1" is empty.

    A gap counts from the end of the run before it. Decoders of absolute runs give a wrong mask silently.

    >>> decode_relative_rle("1 2 1 1", width=2, height=3).astype(int).tolist()
    [[0, 0], [1, 1], [1, 0]]
    """
    mask = np.zeros(width * height, dtype=bool)
    for start, end in _runs(text, width * height):
        mask[start:end] = True
    return mask.reshape(width, height).T


def relative_rle_box(text: str, width: int, height: int) -> Corners | None:
    """What `mask_box` gives for `decode_relative_rle`, without the mask.

    >>> relative_rle_box("1 2 1 1", width=2, height=3)
    (0.0, 0.3333333333333333, 1.0, 1.0)
    """
    runs = np.array([run for run in _runs(text, width * height) if run[0] < run[1]]).reshape(-1, 2)
    if not len(runs):
        return None
    (first_columns, last_columns), (first_rows, last_rows) = np.divmod(runs.T - [[0], [1]], height)
    top, bottom = int(first_rows.min()), int(last_rows.max()) + 1
    if (first_columns != last_columns).any():  # a run goes on at the top of the next column
        top, bottom = 0, height
    return from_image_pixels(
        (int(first_columns.min()), top, int(last_columns.max()) + 1, bottom), width, height
    )


def mask_box(mask: np.ndarray) -> Corners | None:
    """The smallest box around a mask as fractions, or None for an empty mask.

    >>> mask_box(np.array([[False, True], [False, False]]))
    (0.5, 0.0, 1.0, 0.5)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    height, width = mask.shape
    box = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
    return from_image_pixels(box, width, height)


def _thousandth(value: float) -> int:
    return min(math.floor(1000 * value), 999)


def _runs(text: str, size: int) -> list[tuple[int, int]]:
    """Start and end of the runs of a relative run-length mask of so many pixels."""
    try:
        numbers = [int(word) for word in text.split()]
    except ValueError:
        numbers = [-1, -1]
    if numbers == [-1]:
        return []
    if len(numbers) % 2 or any(number < 0 for number in numbers) or sum(numbers) > size:
        raise ValueError(f"not a relative run-length mask of {size} pixels: {text[:40]!r}")
    ends = list(itertools.accumulate(numbers))
    return list(zip(ends[::2], ends[1::2], strict=True))


def _overlaps(
    predicted: Sequence[Box | Sequence[float]], gold: Sequence[Box | Sequence[float]]
) -> np.ndarray:
    table = np.zeros((len(predicted), len(gold)))
    for row, box in enumerate(predicted):
        for column, other in enumerate(gold):
            table[row, column] = iou(box, other)
    return table


def _assignment(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(weights, maximize=True)
