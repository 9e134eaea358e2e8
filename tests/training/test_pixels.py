"""Prepared pixels are what the processor makes, made once, and made again where they are torn or old."""

import os

import numpy as np
import pytest
from PIL import Image

from cxreason.imaging.read import read_image
from cxreason.training import models, pixels
from cxreason.training.pixels import PreparedPixels

SIZES = [(256, 256), (120, 300), (300, 90), (57, 61)]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four noisy pictures of different shapes."""
    folder, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(3)
    for number, size in enumerate(SIZES):
        Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8)).save(folder / f"{number}.png")
    return sorted(folder.glob("*.png"))


def prepared(folder, max_pixels=12544):
    processor = models.load_processor("phantom", max_pixels=max_pixels)
    return PreparedPixels(folder, processor), processor.image_processor


@pytest.mark.parametrize("max_pixels", [3136, 12544, 50176])
def test_they_are_number_by_number_what_the_processor_makes(tmp_path, images, max_pixels):
    own, processor = prepared(tmp_path, max_pixels)
    expected = processor(images=[Image.fromarray(read_image(one)) for one in images], return_tensors="np")
    for _ in range(2):  # made, and read again
        values, grids = own.patches(images)
        assert np.array_equal(values, expected["pixel_values"])
        assert np.array_equal(grids, expected["image_grid_thw"])
        assert values.dtype == expected["pixel_values"].dtype


def test_the_picture_handed_to_a_processor_gives_the_same_patches(tmp_path, images):
    own, processor = prepared(tmp_path)
    expected = processor(images=[Image.fromarray(read_image(one)) for one in images], return_tensors="np")
    again = processor(images=[own.image(one) for one in images], return_tensors="np")
    assert np.array_equal(again["pixel_values"], expected["pixel_values"])


def test_a_picture_is_read_once_whatever_its_name(tmp_path, images, monkeypatch):
    own, _ = prepared(tmp_path / "kept")
    own.picture(images[0])
    copy = tmp_path / "copy.png"
    copy.write_bytes(images[0].read_bytes())
    monkeypatch.setattr(pixels, "read_image", lambda path: pytest.fail(f"{path} was read again"))
    assert np.array_equal(own.picture(copy), own.picture(images[0]))
    assert np.array_equal(prepared(tmp_path / "kept")[0].picture(copy), own.picture(copy))


def test_a_file_that_was_written_over_is_read_again(tmp_path, images):
    own, _ = prepared(tmp_path / "kept")
    file = tmp_path / "one.png"
    file.write_bytes(images[0].read_bytes())
    before = np.array(own.picture(file))
    Image.fromarray(255 - read_image(images[0])).save(file)
    os.utime(file, ns=(1, 1))
    assert not np.array_equal(own.picture(file), before)


@pytest.mark.parametrize("left", [0, 60, 500])
def test_a_torn_file_is_made_again(tmp_path, images, left):
    own, _ = prepared(tmp_path)
    whole = np.array(own.picture(images[0]))
    (file,) = own.folder.rglob("*.npy")
    file.write_bytes(file.read_bytes()[:left])
    assert np.array_equal(own.picture(images[0]), whole)
    assert np.array_equal(np.load(file), whole)


def test_another_pixel_budget_has_another_folder_and_a_byte_for_each_pixel(tmp_path, images):
    small, large = prepared(tmp_path, 3136)[0], prepared(tmp_path, 12544)[0]
    assert small.folder != large.folder
    picture = large.picture(images[0])
    assert (picture.dtype, picture.size) == (np.uint8, 112 * 112)
    assert small.picture(images[0]).size == 56 * 56
