"""Image files, drawn here: what a reader would see of them, and one clear line for those that are broken."""

import contextlib
import os
import random
import sys
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cxreason.imaging import read
from cxreason.imaging.read import ImageError, image_size, read_image, stretch, through, window_of
from image_files import EIGHT, RAMP, dicom, picture


def table(data: list[int], bits: int, first: int = 0):
    """A VOI look-up table."""
    pydicom = pytest.importorskip("pydicom")
    item = pydicom.Dataset()
    item.LUTDescriptor, item.LUTData = [len(data), first, bits], data
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return [item]


@pytest.fixture
def shown(tmp_path):
    """What is seen of a file with these bytes."""

    def see(content: bytes, name: str = "scan") -> np.ndarray:
        path = tmp_path / name
        path.write_bytes(content)
        seen = read_image(path)
        assert (seen.dtype, seen.ndim) == (np.uint8, 2)
        assert image_size(path) == seen.shape[::-1]
        return seen

    return see


# ---- pictures


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_pictures_stay_as_they_are(shown, kind):
    assert np.abs(shown(picture(EIGHT, kind)).astype(int) - EIGHT).max() <= (0 if kind == "PNG" else 12)


@pytest.mark.parametrize("top", [4095, 65535])
def test_sixteen_bits_are_stretched_and_never_cut_at_255(shown, top):
    pixels = np.linspace(0, top, 64 * 64).reshape(64, 64).astype(np.uint16)
    seen = shown(picture(pixels)).ravel()
    assert (seen[0], seen[-1]) == (0, 255)
    assert len(np.unique(seen)) == 256
    assert (np.diff(seen.astype(int)) >= 0).all()


def test_colours_become_luminance_and_transparency_black(shown):
    for mode in ("RGB", "P", "L", "1", "CMYK"):
        kind = "JPEG" if mode == "CMYK" else "PNG"
        assert (
            shown(picture(Image.new("RGB", (3, 2), "white").convert(mode), kind)).tolist() == [[255] * 3] * 2
        )
    red = shown(picture(Image.new("RGB", (1, 1), (255, 0, 0))))
    assert red.tolist() == [[76]]
    for mode in ("RGBA", "LA"):
        clear = Image.new("RGBA", (1, 1), (255, 255, 255, 0)).convert(mode)
        assert shown(picture(clear)).tolist() == [[0]]


def test_a_photograph_is_turned_upright(shown):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn a quarter to the right
    assert shown(picture(EIGHT, "JPEG", exif=exif)).shape == (40, 48)


# ---- DICOM


def test_monochrome1_is_the_inverse_of_monochrome2(shown):
    for how in (
        {},
        {"WindowCenter": 1500, "WindowWidth": 900},
        {"VOILUTSequence": table(list(range(4096)), 12)},
    ):
        plain = shown(dicom(**how))
        inverse = shown(dicom(PhotometricInterpretation="MONOCHROME1", **how))
        assert (plain.astype(int) + inverse == 255).all()
        assert plain[0, 0] == 0 < plain[-1, -1]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("LINEAR", {999: 0, 1499: 127, 1500: 128, 2000: 255}),
        ("LINEAR_EXACT", {999: 0, 1500: 128, 1750: 191, 2001: 255}),
        ("SIGMOID", {0: 1, 1250: 69, 1500: 128, 1750: 186, 3000: 254}),
    ],
)
def test_windows_follow_the_standard(shown, function, expected):
    pixels = np.array([list(expected)], dtype=np.uint16)
    seen = shown(dicom(pixels, WindowCenter=[1500, 7], WindowWidth=[1000, 7], VOILUTFunction=function))
    assert np.abs(seen[0].astype(int) - list(expected.values())).max() <= 1


def test_the_narrowest_window_is_a_threshold():
    assert through(np.array([9.0, 9.5, 10.0]), window_of(10, 1)).tolist() == [0, 0, 1]


def test_the_window_is_applied_to_rescaled_values(shown):
    pixels = np.array([[0, 100, 200]], dtype=np.uint16)
    scaled = {"RescaleSlope": 2, "RescaleIntercept": -200, "WindowCenter": 0, "WindowWidth": 400}
    assert shown(dicom(pixels, VOILUTFunction="LINEAR_EXACT", **scaled)).tolist() == [[0, 128, 255]]
    signed = np.array([[-100, 0, 100]], dtype=np.int16)
    exact = {"VOILUTFunction": "LINEAR_EXACT", "WindowCenter": 0, "WindowWidth": 200}
    assert shown(dicom(signed, bits=16, **exact)).tolist() == [[0, 128, 255]]


def test_a_voi_table_is_used_and_its_own_end_is_white(shown):
    pixels = np.array([[0, 1, 2, 3]], dtype=np.uint16)
    assert shown(dicom(pixels, VOILUTSequence=table([0, 51, 102, 255], 8))).tolist() == [[0, 51, 102, 255]]
    assert shown(dicom(pixels, VOILUTSequence=table([0, 819, 1638, 4095], 16))).tolist() == [
        [0, 51, 102, 255]
    ]


def test_without_a_window_deep_values_are_stretched_and_eight_bits_stay(shown):
    assert (shown(dicom(RAMP)) == stretch(RAMP.astype(float))).all()
    assert (shown(dicom(EIGHT, bits=8)) == EIGHT).all()
    assert shown(dicom(np.full((4, 4), 7, np.uint16))).max() == 0


@pytest.mark.parametrize("kind", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_stretch_the_rest(shown, kind):
    pixels = np.linspace(1000, 2000, 100).reshape(10, 10).astype(np.uint16)
    pixels[0] = 4000
    seen = shown(dicom(pixels, PixelPaddingValue=4000, PhotometricInterpretation=kind))
    assert seen[0].max() == 0
    assert {seen[1:].min(), seen[1:].max()} == {0, 255}
    pixels[0, 0] = 3990
    seen = shown(dicom(pixels, PixelPaddingValue=3990, PixelPaddingRangeLimit=4000))
    assert seen[0].max() == 0


@pytest.mark.parametrize("syntax", ["rle", "jpeg2000"])
def test_lossless_transfer_syntaxes_show_the_same(shown, syntax):
    assert (shown(dicom(syntax=syntax)) == shown(dicom())).all()


def test_a_jpeg_transfer_syntax_shows_nearly_the_same(shown):
    seen = shown(dicom(EIGHT, bits=8, syntax="jpeg"))
    assert np.abs(seen.astype(int) - EIGHT).max() <= 12


def test_the_first_of_several_frames_is_read(shown):
    assert (shown(dicom(np.stack([EIGHT, 255 - EIGHT]), bits=8)) == EIGHT).all()


def test_colour_dicom_becomes_luminance(shown):
    assert shown(dicom(np.full((2, 2, 3), (255, 0, 0), np.uint8), bits=8)).tolist() == [[76, 76], [76, 76]]


# ---- what can be wrong with a file


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "scan.png", "is empty"),
        (b"id,finding\n1,edema\n", "scan.png", "is not a PNG, JPEG or DICOM image"),
        (b"id,finding\n1,edema\n", "scan.dcm", "is not a DICOM file"),
        (picture(EIGHT, "GIF"), "scan.png", "is not a PNG, JPEG or DICOM image"),
        (picture(EIGHT)[:60], "scan.png", "is damaged or cut short"),
        (picture(EIGHT, "JPEG")[:400], "scan.jpg", "is damaged or cut short"),
        (b"\x89PNG\r\n\x1a\n", "scan.png", "is damaged or cut short"),
    ],
)
def test_a_file_that_is_no_image_is_named_in_one_line(shown, content, name, says):
    with pytest.raises(ImageError, match=says) as caught:
        shown(content, name)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_broken_dicom_is_named_in_one_line(shown):
    for content, says in [
        (dicom()[:-100], "is damaged or cut short"),
        (dicom(PixelData=None), "holds no pixels"),
        (dicom(Rows=None), "is damaged or cut short"),
        (dicom(syntax="deflated"), "deflated DICOM is not read"),
        (dicom(syntax="jpeg2000")[:-300], "holds no pixels, or was cut short"),
    ]:
        with pytest.raises(ImageError, match=says) as caught:
            shown(content, "scan.dcm")
        assert "scan.dcm: " in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_stream_larger_than_its_header_says_is_refused(shown):
    content = dicom(EIGHT, bits=8, syntax="jpeg")
    place = content.index(b"\xff\xc0")
    with pytest.raises(
        ImageError, match=r"header says \(40, 48\) pixels and its image stream \(60000, 60000\)"
    ):
        shown(content[: place + 5] + b"\xea\x60\xea\x60" + content[place + 9 :])


@cache
def bomb() -> bytes:
    """A small file of a huge image."""
    return picture(Image.new("1", (30_000, 30_000)))


def test_huge_images_are_refused_before_they_are_unpacked(shown, monkeypatch):
    assert len(bomb()) < 200_000
    with pytest.raises(ImageError, match="pixels that are read"):
        shown(bomb())
    with pytest.raises(ImageError, match="65000 x 65000, more than"):
        shown(dicom(Rows=65_000, Columns=65_000))
    monkeypatch.setattr(read, "MAX_FILE_BYTES", 100)
    with pytest.raises(ImageError, match=r"has .* bytes, more than the 100 that are read"):
        shown(picture(EIGHT, "JPEG"))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: picture(EIGHT, "GIF"), "is not a PNG, JPEG or DICOM image"),
        (lambda: picture(EIGHT)[:20], "is damaged or cut short"),
        (bomb, "pixels that are read"),
        (lambda: dicom(Rows=None), "is damaged or cut short"),
        (lambda: dicom(Rows=65_000, Columns=65_000), "65000 x 65000, more than"),
        (lambda: dicom(syntax="deflated"), "deflated DICOM is not read"),
    ],
)
def test_the_size_of_what_is_no_image_is_told_in_one_line(tmp_path, make, says):
    (tmp_path / "scan").write_bytes(make())
    with pytest.raises(ImageError, match=says):
        image_size(tmp_path / "scan")


def test_the_size_is_read_from_the_header_alone(tmp_path):
    (tmp_path / "scan").write_bytes(dicom(PixelData=None))
    assert image_size(tmp_path / "scan") == RAMP.shape[::-1]


def test_what_is_not_a_file_is_refused(tmp_path):
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="is not a file"):
        read_image(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(ImageError, match="is not a file"):  # opening it would wait for ever
            read_image(tmp_path / "pipe.png")


def test_a_missing_dicom_extra_says_what_to_install(shown, monkeypatch):
    content = dicom()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(ImageError, match=r"scan: is DICOM; to read it: pip install 'cxreason\[dicom\]'"):
        shown(content)


@pytest.fixture(scope="module")
def whole_files():
    files = {"png": picture(EIGHT), "png16": picture(RAMP), "jpeg": picture(EIGHT, "JPEG")}
    if pytest.importorskip("pydicom"):
        files["native"] = dicom(WindowCenter=2000, WindowWidth=900, PixelPaddingValue=0)
        files["rle"], files["jpeg2000"] = dicom(syntax="rle"), dicom(syntax="jpeg2000")
        files["dicom jpeg"] = dicom(EIGHT, bits=8, syntax="jpeg")
    return files


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_damage_gives_an_image_or_one_clear_line(whole_files, tmp_path_factory, seed):
    chance = random.Random(seed)
    for name, whole in whole_files.items():
        content = bytearray(whole if chance.random() < 0.7 else whole[: chance.randrange(len(whole))])
        for _ in range(chance.choice((0, 1, 1, 2, 5, 20)) if content else 0):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path: Path = tmp_path_factory.getbasetemp() / f"damaged {name}"
        path.write_bytes(content)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            problem, seen = "", None
            with contextlib.suppress(ImageError):
                assert min(image_size(path)) >= 1
            try:
                seen = read_image(path)
            except ImageError as error:
                problem = str(error)
        assert problem.startswith(f"{path}: ") or (
            seen is not None and seen.dtype == np.uint8 and seen.ndim == 2
        )
        assert "\n" not in problem


# ---- real files, where somebody has them


def test_real_files_are_read_and_the_monochrome1_twin_is_inverse(shared_data):
    pydicom = pytest.importorskip("pydicom")
    twins, stored = {}, {}
    for path in sorted((shared_data / "images").iterdir()):
        seen = read_image(path)
        assert image_size(path) == seen.shape[::-1]
        assert seen.std() > 10, path
        if path.suffix == ".dcm":
            file = pydicom.dcmread(path)
            twins[file.PhotometricInterpretation], stored[path.name] = seen, file.pixel_array
    assert (twins["MONOCHROME1"].astype(int) + twins["MONOCHROME2"] == 255).all()
    first, second = stored.values()
    assert (first == second).all()
    assert (first.shape, first.dtype, first.min()) == ((1024, 1024), np.uint8, 0)
    assert first.max() in (254, 255)  # decoders of JPEG differ by one
    assert abs(int(first[60, 2]) - 8) <= 1
