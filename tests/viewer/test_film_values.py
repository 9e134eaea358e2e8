"""Image files as the viewer gets them: every grey value, the right window, nothing of the patient."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from cxreason.imaging.film import Film, read_film
from cxreason.imaging.read import Window, read_image, through
from cxreason.viewer.pixels import decode, encode, pixels_of


@given(
    arrays.arrays(np.uint16, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9)),
    st.booleans(),
)
def test_bytes_hold_every_value_and_the_window(values, sigmoid):
    film = Film(values, Window(-3.5, 70_000.0, sigmoid))
    back = decode(encode(film))
    assert np.array_equal(back.values, values)
    assert back.window == film.window


def test_bytes_that_are_no_pixels_are_refused():
    whole = gzip.decompress(encode(Film(np.zeros((4, 4), dtype=np.uint16), Window(0, 1))))
    for damaged in (whole[:-1], b"CXF2" + whole[4:]):
        with pytest.raises(ValueError, match="no pixels"):
            decode(gzip.compress(damaged))


def dicom(path: Path, stored: np.ndarray, **tags) -> Path:
    """An uncompressed DICOM file with a patient in its header."""
    pydicom = pytest.importorskip("pydicom")
    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = (
        pydicom.uid.DigitalXRayImageStorageForPresentation
    )
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = pydicom.uid.UID("2.25.1")
    made.PatientName, made.PatientID, made.PatientBirthDate = "MUSTER^ERIKA", "MRN-4711", "19500101"
    made.AccessionNumber, made.InstitutionName = "ACC-99", "St. Nowhere"
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = stored.shape
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    made.PixelRepresentation = 1 if stored.dtype == np.int16 else 0
    for name, value in tags.items():
        setattr(made, name, value)
    made.PixelData = stored.astype(stored.dtype.newbyteorder("<")).tobytes()
    made.save_as(path, enforce_file_format=True)
    return path


RAMP = np.linspace(0, 4095, 64 * 48).astype(np.uint16).reshape(48, 64)
HEADERS = {
    "no window": {},
    "a window": {"WindowCenter": 1800, "WindowWidth": 2500},
    "an exact window": {"WindowCenter": 1800, "WindowWidth": 2500, "VOILUTFunction": "LINEAR_EXACT"},
    "a sigmoid": {"WindowCenter": 1800, "WindowWidth": 1500, "VOILUTFunction": "SIGMOID"},
    "a threshold": {"WindowCenter": 1800, "WindowWidth": 1},
    "inverted": {"PhotometricInterpretation": "MONOCHROME1", "WindowCenter": 1000, "WindowWidth": 900},
    "hounsfield": {
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
        "WindowCenter": 40,
        "WindowWidth": 400,
    },
    "fractions": {"RescaleSlope": 0.25, "RescaleIntercept": -100, "RescaleType": "US"},
    "padding": {"PixelPaddingValue": 0, "WindowCenter": 1800, "WindowWidth": 2500},
}


@pytest.mark.parametrize("tags", HEADERS.values(), ids=HEADERS)
def test_at_first_a_film_looks_as_models_see_it(tags, tmp_path):
    path = dicom(tmp_path / "a.dcm", RAMP, **tags)
    film = decode(pixels_of(path))
    shown = np.rint(through(film.values.astype(float), film.window) * 255)
    assert np.abs(shown - read_image(path)).max() <= 1
    assert len(np.unique(film.values)) >= len(np.unique(RAMP)) - 1  # padding may fall together with black


def test_a_deep_png_keeps_its_values_and_a_photo_becomes_grey(tmp_path):
    Image.fromarray(RAMP * 16).save(tmp_path / "deep.png")
    assert np.array_equal(read_film(tmp_path / "deep.png").values, RAMP * 16)
    Image.new("RGB", (5, 4), (255, 0, 0)).save(tmp_path / "red.png")
    film = read_film(tmp_path / "red.png")
    assert film.size == (5, 4)
    assert set(film.values.flat) == {76}
    assert film.window == Window(0, 255)


def test_nothing_of_the_header_is_in_the_bytes(tmp_path):
    path = dicom(tmp_path / "MUSTER-ERIKA.dcm", RAMP, WindowCenter=1800, WindowWidth=2500)
    Image.fromarray(RAMP).save(tmp_path / "a.png", pnginfo=text_chunk("MUSTER^ERIKA"))
    assert b"MUSTER" in (tmp_path / "a.png").read_bytes()
    for file in (path, tmp_path / "a.png"):
        sent = gzip.decompress(pixels_of(file))
        for secret in (b"MUSTER", b"ERIKA", b"4711", b"1950", b"ACC-99", b"Nowhere", b"2.25.1"):
            assert secret not in sent


def text_chunk(text: str) -> PngInfo:
    chunk = PngInfo()
    chunk.add_text("Comment", text)
    return chunk
