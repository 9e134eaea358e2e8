"""Small files in the forms in which datasets are published, for tests of their readers."""

import csv
import gzip
import io
import json
from pathlib import Path

from PIL import Image


def write_csv(path: Path, header: str, *rows: tuple, encoding: str = "utf-8", delimiter: str = ",") -> Path:
    """A table with this header line, packed where the name ends in .gz."""
    text = io.StringIO()
    text.write(header.replace(",", delimiter) + "\n")
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return write_text(path, text.getvalue(), encoding)


def write_json(path: Path, value: object) -> Path:
    return write_text(path, json.dumps(value, ensure_ascii=False))


def write_text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = text.encode(encoding)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def write_picture(path: Path, width: int = 8, height: int = 6, mode: str = "L") -> Path:
    """A black PNG or JPEG, as the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (width, height)).save(path)
    return path


def write_dicom(path: Path, width: int, height: int) -> Path:
    """A DICOM file that says its size and holds no pixels."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = DigitalXRayImageStorageForPresentation
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = "1.2.3"
    made.Rows, made.Columns = height, width
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


def rename_column(path: Path, name: str, other: str) -> None:
    """Give a column of a table another name."""
    head, line_end, rest = path.read_text(encoding="utf-8").partition("\n")
    assert name in head
    path.write_text(head.replace(name, other, 1) + line_end + rest, encoding="utf-8")
