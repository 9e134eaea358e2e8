"""The page about phantoms says what the program draws."""

from __future__ import annotations

import doctest
import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxreason.phantom.clinic import names
from cxreason.phantom.layouts import LAYOUTS
from cxreason.phantom.radiograph import render

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def sheets():
    module = importlib.util.spec_from_file_location("write_phantoms", DOCS / "write_phantoms.py")
    assert module is not None
    assert module.loader is not None
    loaded = importlib.util.module_from_spec(module)
    module.loader.exec_module(loaded)
    return loaded


def test_the_key_of_the_sheet_is_that_of_its_pictures(sheets):
    page = (DOCS / "phantoms.md").read_text()
    told = re.search(r"counted row by row: ([\d, and\n]+)\.\)", page)
    assert told is not None
    assert [int(number) for number in re.findall(r"\d+", told[1])] == sheets.key()
    assert len(sheets.key()) == 10


def test_the_sheet_shows_the_phantoms_of_today(sheets):
    sheet = np.asarray(Image.open(DOCS / "phantoms.png").convert("L")).astype(int)
    for number in (0, 7):
        top, left = (place * (sheets.SIZE + sheets.GAP) for place in divmod(number, 5))
        shown = sheet[top : top + sheets.SIZE, left : left + sheets.SIZE]
        drawn = render(sheets.chosen()[number], sheets.SIZE).astype(int)
        assert np.abs(shown - drawn).mean() < 4, (
            "run `python docs/write_phantoms.py`"
        )  # it keeps fewer shades


def test_the_sheets_are_small_enough_to_be_looked_at(sheets):
    assert all((DOCS / name).stat().st_size < 600_000 for name in ("phantoms.png", "phantoms-views.png"))


def test_every_finding_and_layout_is_on_the_page():
    page = (DOCS / "phantoms.md").read_text()
    assert not [name for name in names() if f"| {name} |" not in page]
    assert not [layout for layout in LAYOUTS if f"| `{layout}` |" not in page]


def test_the_example_on_the_page_runs():
    assert doctest.testfile(str(DOCS / "phantoms.md"), module_relative=False).failed == 0
