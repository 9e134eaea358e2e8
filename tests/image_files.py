"""Image files as archives have them, drawn here."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

RAMP = np.linspace(0, 4095, 48 * 40).reshape(48, 40).astype(np.uint16)
EIGHT = (RAMP >> 4).astype(np.uint8)


def picture(pixels, kind="PNG", **how) -> bytes:
    file = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(file, kind, **how)
    return file.getvalue()


def dicom(pixels: np.ndarray = RAMP, *, syntax: str = "native", bits: int = 12, **tags: object) -> bytes:
    """A DICOM file of the pixels; tags by keyword overwrite what stands here, None removes it."""
    pydicom = pytest.importorskip("pydicom")
    from pydicom import uid

    made = pydicom.Dataset()
    made.file_meta = pydicom.dataset.FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = uid.DigitalXRayImageStorageForPresentation
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    colour = pixels.ndim == 3 and pixels.shape[-1] == 3
    made.SamplesPerPixel = 3 if colour else 1
    made.PhotometricInterpretation = "RGB" if colour else "MONOCHROME2"
    if colour:
        made.PlanarConfiguration = 0
    elif pixels.ndim == 3:
        made.NumberOfFrames = len(pixels)
    made.Rows, made.Columns = pixels.shape[:2] if colour else pixels.shape[-2:]
    made.BitsAllocated, made.PixelRepresentation = 8 * pixels.dtype.itemsize, int(pixels.dtype.kind == "i")
    made.BitsStored = min(bits, made.BitsAllocated)
    made.HighBit = made.BitsStored - 1
    made.PixelData = pixels.tobytes()
    made["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    for keyword, value in tags.items():
        if value is None:
            delattr(made, keyword)
        else:
            setattr(made, keyword, value)
    if syntax == "jpeg":
        made.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
        made.PixelData = pydicom.encaps.encapsulate([picture(pixels, "JPEG", quality=95)])
    elif syntax == "deflated":
        made.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    elif syntax != "native":
        pytest.importorskip("openjpeg")
        made.compress({"rle": uid.RLELossless, "jpeg2000": uid.JPEG2000Lossless}[syntax])
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_as(file, enforce_file_format=True)
    return file.getvalue()
