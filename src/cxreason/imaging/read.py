"""A file from an archive -> what a reader would see: grey values 0-255, black background, bright bone.

DICOM    stored values -> rescale -> VOI table or window -> 0-255 -> MONOCHROME1 inverted. Without a window,
         8-bit values stay and deeper ones are stretched: the 0.1st to 99.9th percentile becomes 0-255.
         Padding is black. Of several frames the first is read.
PNG      16-bit values are stretched in the same way (nothing is cut at 255), 8-bit values stay.
JPEG     turned upright by its EXIF tag. Colours become luminance; transparent places become black.

Whatever is wrong with a file (missing, empty, cut short, too large, no image at all) is an `ImageError`, one
line that names the file. No image has more than `MAX_PIXELS`, no file more than `MAX_FILE_BYTES`: both are
several times the largest chest X-ray, and keep a small hostile file from filling the memory.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cxreason.errors import UserError

if TYPE_CHECKING:
    from PIL import Image
    from pydicom import Dataset

MAX_PIXELS = 80_000_000
MAX_FILE_BYTES = 1_000_000_000
PERCENTILES = (0.1, 99.9)

_DEFLATED = "1.2.840.10008.1.2.1.99"
_RUN_LENGTH = "1.2.840.10008.1.2.5"
_ORIENTATION = 0x0112


class ImageError(UserError):
    """An image file that cannot be read, in one line that begins with its path."""


def read_image(path: str | Path) -> np.ndarray:
    """The image as uint8 of shape (height, width); `ImageError` where the file holds none.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (3, 2), "white").save(Path(folder) / "white.png")
    ...     read_image(Path(folder) / "white.png").tolist()
    [[255, 255, 255], [255, 255, 255]]
    """
    path = Path(path)
    return _read_dicom(path) if is_dicom(path) else _read_picture(path)


def image_size(path: str | Path) -> tuple[int, int]:
    """(width, height) of what `read_image` gives, from the header alone; `ImageError` where there is none.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("L", (3, 2)).save(Path(folder) / "black.png")
    ...     image_size(Path(folder) / "black.png")
    (3, 2)
    """
    path = Path(path)
    width, height = _dicom_size(path) if is_dicom(path) else _picture_size(path)
    _check_size(path, width, height)
    return width, height


def is_dicom(path: Path) -> bool:
    """DICOM, or a picture; `ImageError` where it is neither."""
    if not path.is_file():  # also true for a named pipe, which would wait for ever
        raise ImageError(f"{path}: {'is not a file' if path.exists() else 'does not exist'}")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        raise ImageError(f"{path}: cannot be opened ({error.strerror})") from error
    if not size:
        raise ImageError(f"{path}: is empty")
    if size > MAX_FILE_BYTES:
        raise ImageError(f"{path}: has {size:,} bytes, more than the {MAX_FILE_BYTES:,} that are read")
    if start[128:] == b"DICM":
        return True
    if start.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8")):
        return False
    if path.suffix.lower() in (".dcm", ".dicom"):
        raise ImageError(f"{path}: is not a DICOM file (no DICM mark at byte 128)")
    raise ImageError(f"{path}: is not a PNG, JPEG or DICOM image")


@contextlib.contextmanager
def faults_of(path: Path) -> Iterator[None]:
    """Decoders answer damaged bytes with any kind of exception, so all of them are the file's fault here."""
    from PIL import Image

    try:
        yield
    except ImageError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"{path}: has more than the {MAX_PIXELS:,} pixels that are read") from error
    except Exception as error:
        if "missing" in str(error) and "Unable to decompress" in str(error):
            raise ImageError(f"{path}: needs a decoder; to get it: pip install 'cxreason[dicom]'") from error
        raise ImageError(f"{path}: is damaged or cut short ({_one_line(error)})") from error


def _read_picture(path: Path) -> np.ndarray:
    with opened(path) as image:
        return grey(image)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """A PNG or JPEG file as an upright picture; whatever goes wrong within is the file's fault."""
    from PIL import Image, ImageOps

    with faults_of(path), Image.open(path, formats=("PNG", "JPEG")) as image:
        _check_size(path, *image.size)
        yield ImageOps.exif_transpose(image)


def is_deep(image: Image.Image) -> bool:
    """Whether a picture has more than 8 bits.

    >>> from PIL import Image
    >>> is_deep(Image.new("I;16", (2, 2)))
    True
    """
    return image.mode.startswith("I") or image.mode == "F"


def _picture_size(path: Path) -> tuple[int, int]:
    from PIL import Image

    with faults_of(path), Image.open(path, formats=("PNG", "JPEG")) as image:
        width, height = image.size
        if "exif" in image.info and image.getexif().get(_ORIENTATION, 1) >= 5:  # lies on its side
            return height, width
        return width, height


def grey(image: Image.Image) -> np.ndarray:
    """A picture as uint8: deep ones stretched, colours as luminance, transparent places black."""
    from PIL import Image

    if is_deep(image):
        return stretch(np.asarray(image).astype(np.float64))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    return np.asarray(image.convert("L")).copy()


def _read_dicom(path: Path) -> np.ndarray:
    with faults_of(path):
        return display(*decoded(path))


def decoded(path: Path) -> tuple[np.ndarray, Dataset]:
    """The stored values of the first frame of a DICOM file, and its header; call it within `faults_of`."""
    syntax = _transfer_syntax(path)
    from pydicom import dcmread
    from pydicom.pixels.utils import pixel_array

    dataset = dcmread(path)
    if "PixelData" not in dataset:
        raise ImageError(f"{path}: holds no pixels, or was cut short before their end")
    _check_size(path, int(dataset.Columns), int(dataset.Rows))
    _check_codestream(path, dataset)
    # Damaged run lengths make the compiled decoder of pylibjpeg panic, past every `except Exception`.
    decoder = "pydicom" if syntax == _RUN_LENGTH else ""
    return pixel_array(dataset, index=0, decoding_plugin=decoder), dataset


def _dicom_size(path: Path) -> tuple[int, int]:
    _transfer_syntax(path)
    with faults_of(path):
        from pydicom import dcmread

        header = dcmread(path, stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        return int(header.Columns), int(header.Rows)


def _transfer_syntax(path: Path) -> str:
    try:
        from pydicom import filereader
    except ImportError as error:
        raise ImageError(f"{path}: is DICOM; to read it: pip install 'cxreason[dicom]'") from error
    with faults_of(path):
        syntax = filereader.read_file_meta_info(path).get("TransferSyntaxUID", "")
    if syntax == _DEFLATED:  # it is unpacked as a whole before anything can be checked
        raise ImageError(f"{path}: deflated DICOM is not read; store it in another transfer syntax")
    return syntax


def display(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Stored values of one frame -> grey values, in the order that PS3.3 gives."""
    kind = dataset.PhotometricInterpretation
    if stored.ndim == 3 or kind == "PALETTE COLOR":
        return _luminance(stored, dataset)
    if stored.ndim != 2:
        raise ValueError(f"pixels of shape {stored.shape}")
    values, padding, shown_through = presentation(stored, dataset)
    shown = _bytes(through(values, shown_through))
    if kind == "MONOCHROME1":
        shown = 255 - shown
    shown[padding] = 0
    return shown


def _luminance(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    bits = int(dataset.BitsStored)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        from pydicom.pixels.processing import apply_color_lut

        stored, bits = apply_color_lut(stored, dataset), int(dataset.RedPaletteColorLookupTableDescriptor[2])
        bits = 8 if stored.max() <= 255 else bits  # some writers declare 16 bits for a table of 8
    # Already RGB: the decoder undoes YBR.
    return _bytes(stored[..., :3] @ np.array([0.299, 0.587, 0.114]) / (2**bits - 1))


class Window(NamedTuple):
    """What is shown black, what white, and whether the way between is a straight line or DICOM's SIGMOID."""

    low: float
    high: float
    sigmoid: bool = False


def presentation(stored: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, np.ndarray, Window]:
    """Grey stored values -> values in the units of the window, where there is padding, and the window."""
    from pydicom.pixels.processing import apply_modality_lut

    padding = _padding(stored, dataset)
    values = apply_modality_lut(stored, dataset).astype(np.float64)
    if dataset.get("VOILUTSequence"):
        from pydicom.pixels.processing import apply_voi

        table = dataset.VOILUTSequence[0]
        values = apply_voi(values.astype(np.int64), dataset, index=0).astype(np.float64)
        # Some writers declare 16 bits for a table that ends at 4095; its own end is the brightest grey then.
        top = min(2 ** int(table.LUTDescriptor[2]) - 1, int(np.max(table.LUTData))) or 1
        return values, padding, Window(0.0, float(top))
    center, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    if center is not None and width is not None and width > 0 and (width >= 1 or function != "LINEAR"):
        return values, padding, window_of(center, width, function)
    if int(dataset.BitsStored) <= 8 and values.min() >= 0 and values.max() <= 255:
        return values, padding, Window(0.0, float(2 ** int(dataset.BitsStored) - 1))
    return values, padding, span(values, ~padding)


def window_of(center: float, width: float, function: str = "LINEAR") -> Window:
    """The ends of a DICOM window (PS3.3 C.11.2.1.2 and C.11.2.1.3).

    >>> window_of(50, 100, "LINEAR_EXACT")
    Window(low=0.0, high=100.0, sigmoid=False)
    """
    if function in ("LINEAR_EXACT", "SIGMOID"):
        return Window(center - width / 2, center + width / 2, function == "SIGMOID")
    if function != "LINEAR":
        raise ValueError(f"unknown VOI LUT function {function!r}")
    # Of width 1 it is a threshold: both ends are one value.
    return Window(center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2)


def through(values: np.ndarray, shown: Window) -> np.ndarray:
    """Values through a window to [0, 1].

    >>> through(np.array([0.0, 50.0, 100.0]), Window(0, 100)).tolist()
    [0.0, 0.5, 1.0]
    """
    if not np.isfinite(values).all():
        raise ValueError("pixel values are not finite")
    if not shown.high > shown.low:
        return (values > shown.low).astype(np.float64)
    share = (values - shown.low) / (shown.high - shown.low)
    if shown.sigmoid:
        return 1 / (1 + np.exp(np.clip(2 - 4 * share, -700, 700)))
    return np.clip(share, 0, 1)


def span(values: np.ndarray, usable: np.ndarray | None = None) -> Window:
    """The window of values that come with none: the 0.1st to 99.9th percentile of the usable ones."""
    chosen = values[usable] if usable is not None and usable.any() else values
    low, high = np.percentile(chosen, PERCENTILES)
    if not high > low:
        low, high = float(chosen.min()), float(chosen.max())
    return Window(float(low), float(high))


def stretch(values: np.ndarray, usable: np.ndarray | None = None) -> np.ndarray:
    """Grey values in which the 0.1st to 99.9th percentile of the usable values spans 0-255.

    >>> stretch(np.array([[0, 1000], [2000, 4000]])).tolist()
    [[0, 64], [128, 255]]
    """
    return _bytes(through(values, span(values, usable)))


def _bytes(fractions: np.ndarray) -> np.ndarray:
    return np.rint(fractions.clip(0, 1) * 255).astype(np.uint8)


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    value = _first(dataset.get("PixelPaddingValue"))
    if value is None:
        return np.zeros(stored.shape, dtype=bool)
    limit = _first(dataset.get("PixelPaddingRangeLimit"))
    low, high = sorted((value, value if limit is None else limit))
    return (stored >= low) & (stored <= high)


def _first(value: Any) -> float | None:
    """The first number of a DICOM value that may be one number, several, or empty."""
    if value is None or isinstance(value, str | bytes):
        return float(value) if value else None
    numbers = list(value) if hasattr(value, "__iter__") else [value]
    return float(numbers[0]) if numbers else None


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise ImageError(f"{path}: is {width} x {height}, more than the {MAX_PIXELS:,} pixels that are read")
    if width < 1 or height < 1:
        raise ImageError(f"{path}: is {width} x {height}, which is no image")


def _check_codestream(path: Path, dataset: Dataset) -> None:
    """Refuses a JPEG or JPEG 2000 stream whose own size is not the size that the DICOM header states.

    A decoder allocates by the stream, so the header's size alone would not bound the memory.
    """
    from pydicom.encaps import get_frame

    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    stream = get_frame(dataset.PixelData, 0, number_of_frames=int(dataset.get("NumberOfFrames") or 1))
    start = stream.find(b"\xff\x4f\xff\x51", 0, 1024)  # some writers put a JP2 file header before it
    size = _jpeg_size(stream) if start < 0 else _jpeg_2000_size(stream[start:])
    stated = int(dataset.Columns), int(dataset.Rows)
    if size is not None and size != stated:
        raise ImageError(f"{path}: is damaged, its header says {stated} pixels and its image stream {size}")


def _jpeg_2000_size(stream: bytes) -> tuple[int, int]:
    right, bottom, left, top = struct.unpack(">4I", stream[8:24])
    return right - left, bottom - top


def _jpeg_size(stream: bytes) -> tuple[int, int] | None:
    """Width and height from the first frame header of a JPEG or JPEG-LS stream, None for other streams."""
    if stream[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 <= len(stream):
        if stream[place] != 0xFF:
            return None
        marker = stream[place + 1]
        if marker == 0xFF:  # a fill byte
            place += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            height, width = struct.unpack(">2H", stream[place + 5 : place + 9])
            return width, height
        place += 2 + struct.unpack(">H", stream[place + 2 : place + 4])[0]
    return None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
