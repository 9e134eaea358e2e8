"""Boxes: overlap, assignment, and the coordinate systems of the models."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cxreason.imaging import boxes
from cxreason.records import Box

FRACTION = st.floats(0, 1)
ANY_BOX = st.tuples(FRACTION, FRACTION, FRACTION, FRACTION)
ORDERED = ANY_BOX.map(lambda box: boxes.tidy(box)[0])


def hundredths(*box):
    return tuple(value / 100 for value in box)


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ((10, 10, 50, 50), (20, 10, 60, 50), 0.6),
        ((0, 0, 100, 50), (0, 0, 100, 100), 0.5),
        ((25, 25, 75, 75), (0, 0, 100, 100), 0.25),
        ((0, 0, 50, 50), (25, 25, 75, 75), 1 / 7),
        ((0, 0, 50, 50), (50, 0, 100, 50), 0.0),
        ((10, 10, 10, 50), (10, 10, 10, 50), 0.0),
    ],
)
def test_iou_has_no_extra_pixel(first, second, value):
    assert boxes.iou(first, second) == pytest.approx(value, abs=1e-9)
    assert boxes.iou(hundredths(*first), Box("x", *hundredths(*second))) == pytest.approx(value, abs=1e-9)


def test_several_boxes_are_assigned_one_to_one():
    predicted = [(0, 0, 40, 40), (60, 60, 100, 100), (0, 60, 20, 80)]
    gold = [(0, 0, 40, 50), (50, 60, 100, 100)]
    assert boxes.matched_iou(predicted, gold) == pytest.approx(0.533333, abs=1e-6)
    assert boxes.iou(predicted[0], gold[0]) == pytest.approx(0.8)
    assert boxes.union_iou(predicted, gold) == pytest.approx(0.727273, abs=1e-6)


def test_matching_finds_more_pairs_than_taking_the_best_first_would():
    assert (
        len(boxes.matched_pairs([(0, 0, 75, 100), (0, 0, 40, 100)], [(0, 0, 60, 100), (30, 0, 90, 100)])) == 2
    )


def test_no_boxes_on_either_side():
    box = (0, 0, 1, 1)
    assert boxes.matched_iou([], []) == 1.0
    assert boxes.matched_iou([box], []) == boxes.matched_iou([], [box]) == 0.0
    assert boxes.matched_pairs([], [box]) == []
    assert boxes.union_iou([], []) == boxes.union_iou([box], []) == 0.0


@given(st.lists(ORDERED, max_size=4), st.lists(ORDERED, max_size=4))
@settings(deadline=None)
def test_overlap_is_symmetric_and_in_range_and_order_does_not_matter(first, second):
    for measure in (boxes.matched_iou, boxes.union_iou):
        value = measure(first, second)
        assert -1e-9 <= value <= 1 + 1e-9
        assert measure(second, first) == pytest.approx(value, abs=1e-9)
        assert measure(first[::-1], second) == pytest.approx(value, abs=1e-9)


@given(st.tuples(*[st.floats(-2, 3)] * 4))
def test_a_tidy_box_is_ordered_inside_and_stays_as_it_is(box):
    (x1, y1, x2, y2), notes = boxes.tidy(box)
    assert 0 <= x1 <= x2 <= 1
    assert 0 <= y1 <= y2 <= 1
    assert boxes.tidy((x1, y1, x2, y2)) == ((x1, y1, x2, y2), ())
    assert bool(notes) == ((x1, y1, x2, y2) != box)


def test_a_box_of_no_numbers_raises():
    with pytest.raises(ValueError, match="not a box"):
        boxes.tidy((0.1, float("nan"), 0.2, 0.3))


@pytest.mark.parametrize("width", [512, 1000, 1024, 2544, 3056])
def test_hundredths_round_as_chexone_does_at_every_pixel(width):
    for x in range(width + 1):
        box = boxes.from_image_pixels((x, x, x, x), width, width)
        assert boxes.to_hundred(box)[0] == round(min(1000 * x // width, 999) / 10)


@pytest.mark.parametrize(
    ("pixel", "width", "written", "why"),
    [
        (999, 1000, 100, "999 thousandths are 99.9"),
        (1000, 1000, 100, "the right edge is capped at 999"),
        (994, 1000, 99, "rounded, not cut, once the thousandths are cut"),
        (125, 1000, 12, "a half goes to the even number below"),
        (135, 1000, 14, "a half goes to the even number above"),
        (129, 1024, 12, "125.97 thousandths are cut to 125 before they are rounded"),
        (0, 1024, 0, "the left edge"),
    ],
)
def test_hundredths_are_cut_capped_and_rounded_half_to_even(pixel, width, written, why):
    box = boxes.from_image_pixels((pixel, pixel, pixel, pixel), width, width)
    assert boxes.to_hundred(box) == (written,) * 4, why


def test_boxes_are_ordered_by_their_thousandths_before_these_are_rounded():
    left, right = Box("x", 0.5001, 0.9, 1, 1), Box("x", 0.5014, 0.1, 1, 1)
    assert boxes.to_hundred(left)[0] == boxes.to_hundred(right)[0]
    assert boxes.in_order([right, left]) == [left, right]
    upper = Box("x", 0.5009, 0.2, 1, 1)
    assert boxes.in_order([left, upper]) == [upper, left]


def test_readers_are_merged_around_the_first_box_and_not_around_the_hull():
    first, second, third = Box("x", 0, 0, 10, 10), Box("x", 7, 0, 20, 10), Box("x", 18, 0, 30, 10)
    assert boxes.iou(first, second) > 0.1
    assert boxes.iou(Box("x", 0, 0, 20, 10), third) < 0.1
    assert boxes.merged([first, second, third]) == [Box("x", 0, 0, 20, 10), third]
    # A box that touches the hull alone stays apart, and so does one of another class or image.
    hull_only = Box("x", 12, 0, 22, 10)
    assert boxes.iou(first, hull_only) == 0
    assert boxes.merged([first, second, hull_only])[1] == hull_only
    others = [Box("y", 0, 0, 10, 10), Box("x", 0, 0, 10, 10, image=1)]
    assert boxes.merged([first, *others]) == [first, *others]


@given(st.lists(st.builds(Box, st.sampled_from("xy"), *[st.integers(0, 6)] * 2, *[st.integers(7, 12)] * 2)))
def test_merging_loses_no_label_and_covers_every_box(given_boxes):
    found = boxes.merged(given_boxes)
    assert len(found) <= len(given_boxes)
    for box in given_boxes:
        assert any(
            hull.label == box.label
            and hull.x1 <= box.x1
            and hull.y1 <= box.y1
            and hull.x2 >= box.x2
            and hull.y2 >= box.y2
            for hull in found
        )


def test_rounding_to_hundredths_costs_overlap():
    box = boxes.from_image_pixels((1000, 1200, 1100, 1290), 2544, 3056)
    assert boxes.iou(box, boxes.from_hundred(boxes.to_hundred(box))) == pytest.approx(0.748124, abs=1e-6)


@given(ANY_BOX, st.integers(28, 2000), st.integers(28, 2000))
def test_every_system_comes_back_within_its_rounding(box, height, width):
    size = boxes.resized(height, width)
    for there, back, step in [
        (boxes.to_hundred(box), boxes.from_hundred, 0.0061),
        (boxes.to_thousand(box), boxes.from_thousand, 0.0005001),
        (boxes.to_pixels(box, size), lambda pixels: boxes.from_pixels(pixels, size), 0.501 / min(size)),
    ]:
        assert np.allclose(back(there), box, atol=step, rtol=0)


@given(
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.sampled_from([28, 32]),
    st.integers(1, 64),
    st.integers(64, 4096),
)
@settings(max_examples=300, deadline=None)
def test_resizing_agrees_with_transformers(height, width, factor, low, high):
    pytest.importorskip("torch")
    qwen = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    limits = {"factor": factor, "min_pixels": low * factor**2, "max_pixels": high * factor**2}
    try:
        expected = qwen.smart_resize(height, width, **limits)
    except ValueError:
        with pytest.raises(ValueError, match="too narrow"):
            boxes.resized(height, width, **limits)
    else:
        assert boxes.resized(height, width, **limits) == tuple(expected)


def test_default_limits_are_those_of_the_processor():
    qwen = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    for height, width in [(10, 10), (1024, 1024), (3056, 2544), (885, 1036)]:
        assert boxes.resized(height, width) == tuple(qwen.smart_resize(height, width))


@given(st.integers(1, 12), st.integers(1, 12), st.randoms())
def test_run_lengths_give_the_mask_they_were_made_from(width, height, random):
    mask = np.array([[random.random() < 0.4 for _ in range(width)] for _ in range(height)])
    numbers, place = [], 0
    flat = mask.T.ravel()
    while place < flat.size and flat[place:].any():
        gap = int(np.argmax(flat[place:]))
        rest = ~flat[place + gap :]
        length = int(np.argmax(rest)) if rest.any() else rest.size
        numbers += [gap, length]
        place += gap + length
    text = " ".join(map(str, numbers)) or " -1"
    decoded = boxes.decode_relative_rle(text, width, height)
    assert (decoded == mask).all()
    box = boxes.mask_box(decoded)
    assert (box is None) == (not mask.any())
    assert boxes.relative_rle_box(text, width, height) == box


@pytest.mark.parametrize("text", ["1 2 3", "1 -2", "5 5", "0 10", "1 x"])
def test_runs_that_do_not_fit_the_image_raise(text):
    with pytest.raises(ValueError, match="run-length"):
        boxes.decode_relative_rle(text, 3, 3)
