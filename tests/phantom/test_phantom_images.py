"""The phantom images: grey, alike for one patient, and every finding can be seen at the tiny model's size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cxreason.phantom.generate import phantom, studies
from cxreason.phantom.places import altered, places
from cxreason.phantom.radiograph import render
from cxreason.phantom.world import DRAWN, draw_visit


def small(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((112, 112), Image.Resampling.BICUBIC), dtype=float)


def test_rendering_is_the_same_every_time_and_in_any_order():
    forward = [p.render(64) for p in studies(seed=2, num_studies=5)]
    backward = [phantom(2, index).render(64) for index in (4, 3, 2, 1, 0)]
    for first, second in zip(forward, reversed(backward), strict=True):
        np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("size", [64, 112, 256, 384])
def test_images_are_grey_and_use_the_range_at_any_size(size):
    for index in range(6):
        pixels = phantom(0, index).render(size)
        assert pixels.shape == (size, size)
        assert pixels.dtype == np.uint8
        assert 60 < pixels.mean() < 170
        assert pixels.std() > 35
        assert (pixels == 255).mean() < 0.05


def test_lungs_are_dark_between_a_bright_middle_and_chest_wall():
    for visit in (draw_visit(1, index) for index in range(10)):
        anatomy = visit.anatomy
        pixels = render(replace(visit, findings=()), 256).astype(float)
        row = int(256 * anatomy.zone("mid"))
        at = {}
        for d in (-0.2, 0, 0.2):
            column = int(256 * (anatomy.midline + d))
            at[d] = pixels[row - 8 : row + 8, column - 4 : column + 4].mean()

        assert at[0] > at[-0.2] + 60
        assert at[0] > at[0.2] + 60


@pytest.mark.parametrize("name", DRAWN)
def test_every_finding_can_be_seen_at_112_pixels(name):
    found = [
        (visit, finding)
        for visit in (draw_visit(11, index) for index in range(250))
        for finding in visit.findings
        if finding.name == name
    ]
    strength = {1: [], 2: [], 3: []}
    for visit, finding in found[:12]:
        bare = small(render(replace(visit, findings=()), 256))
        for level in strength:
            shown = replace(finding, level=level)
            difference = np.abs(small(render(replace(visit, findings=(shown,)), 256)) - bare)
            inside = np.zeros((112, 112), dtype=bool)
            for x1, y1, x2, y2 in places(altered(visit.anatomy, (shown,)), shown):
                inside[int(y1 * 112) : int(y2 * 112) + 1, int(x1 * 112) : int(x2 * 112) + 1] = True
            assert difference[inside].mean() > 4
            # What is drawn lies in the box, but for leads and the outlines that move with the finding.
            assert difference[inside].mean() > 3 * difference[~inside].mean()
            strength[level].append(difference.sum())
    if name not in ("support devices", "fracture"):  # those are there or not
        assert np.mean(strength[1]) < np.mean(strength[2]) < np.mean(strength[3])


def test_two_visits_look_like_one_patient():
    later = next(visit for visit in (draw_visit(4, i) for i in range(50)) if visit.prior)
    assert later.prior is not None
    other = draw_visit(4, later.index + 20)
    now, then, stranger = (
        small(render(replace(visit, findings=()), 256)) for visit in (later, later.prior, other)
    )
    assert np.abs(now - then).mean() < np.abs(now - stranger).mean()
