"""Damaged and malicious images: pixels or one clear line, in time, whatever the bytes.

CXREASON_MUTATIONS=2000 .venv/bin/python -m pytest tests/viewer/test_mutated_files.py
"""

from __future__ import annotations

import io
import os
import random
import time
import warnings

import numpy as np
import pytest
from PIL import Image
from test_film_values import RAMP, dicom

from cxreason.imaging.read import ImageError
from cxreason.viewer.pixels import decode, pixels_of

NUM_MUTATIONS = int(os.environ.get("CXREASON_MUTATIONS", "240"))
MOST_SECONDS = 5.0


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory) -> dict[str, bytes]:
    """One file of each kind that readers bring along."""
    pydicom = pytest.importorskip("pydicom")
    pytest.importorskip("openjpeg")
    folder = tmp_path_factory.mktemp("whole")
    found = {"native.dcm": dicom(folder / "a", RAMP, WindowCenter=1800, WindowWidth=2500).read_bytes()}
    found["inverted.dcm"] = dicom(folder / "b", RAMP, PhotometricInterpretation="MONOCHROME1").read_bytes()
    for name, syntax in (("rle", pydicom.uid.RLELossless), ("jpeg2000", pydicom.uid.JPEG2000Lossless)):
        made = pydicom.dcmread(folder / "a")
        made.compress(syntax)
        made.save_as(folder / name)
        found[f"{name}.dcm"] = (folder / name).read_bytes()
    for name, pixels in (("deep.png", RAMP), ("plain.png", (RAMP // 16).astype(np.uint8))):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "PNG")
        found[name] = file.getvalue()
    file = io.BytesIO()
    Image.fromarray((RAMP // 16).astype(np.uint8)).save(file, "JPEG")
    found["photo.jpg"] = file.getvalue()
    return found


def mutated(content: bytes, dice: random.Random) -> bytes:
    """Bytes changed, cut out, doubled, swapped, cut off, or numbers blown up."""
    data = bytearray(content)
    for _ in range(dice.choice((1, 1, 2, 4, 16))):
        at, size = dice.randrange(len(data)), dice.randrange(1, 64)
        how = dice.randrange(7)
        if how == 0:
            data[at] = dice.randrange(256)
        elif how == 1:
            del data[at : at + size]
        elif how == 2:
            data[at:at] = data[at : at + size] * dice.choice((1, 50))
        elif how == 3:
            data[at : at + size] = dice.randbytes(size)
        elif how == 4:
            del data[max(140, at) :]
        elif how == 5:  # lengths and sizes are numbers of two or four bytes, mostly near the start
            at = dice.randrange(min(len(data), 1200))
            data[at : at + 4] = dice.choice((b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\x7f\xff\x7f"))
        else:
            other = dice.randrange(len(data))
            data[at : at + size], data[other : other + size] = (
                data[other : other + size],
                data[at : at + size],
            )
        if not data:
            return b""
    return bytes(data)


def test_every_mutation_gives_pixels_or_one_clear_line(whole_files, tmp_path):
    names = sorted(whole_files)
    shown, slowest = 0, 0.0
    for number in range(NUM_MUTATIONS):
        name = names[number % len(names)]
        path = tmp_path / name
        path.write_bytes(mutated(whole_files[name], random.Random(number)))
        started = time.process_time()
        line = ""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                shown += decode(pixels_of(path)).values.ndim == 2
            except ImageError as error:  # anything else is a crash
                line = str(error)
        assert not line or (line.startswith(str(path)) and "\n" not in line)
        slowest = max(slowest, time.process_time() - started)
    assert slowest < MOST_SECONDS
    assert 0 < shown < NUM_MUTATIONS


def test_whole_files_are_shown(whole_files, tmp_path):
    for name, content in whole_files.items():
        (tmp_path / name).write_bytes(content)
        assert decode(pixels_of(tmp_path / name)).size == (64, 48)
