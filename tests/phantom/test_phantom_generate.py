"""Writing a corpus of phantoms to disk."""

from __future__ import annotations

import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cxreason.phantom.generate import generate, studies
from cxreason.records import Study, from_row, schema


def test_written_records_and_images_are_the_studies(tmp_path):
    seen = []
    counts = generate(
        tmp_path, num_studies=20, seed=1, image_size=64, on_progress=lambda *at: seen.append(at)
    )
    table = pq.read_table(tmp_path / "studies.parquet")
    assert table.schema.equals(schema(Study))
    phantoms = list(studies(1, 20))
    assert [from_row(Study, row) for row in table.to_pylist()] == [p.study for p in phantoms]
    for p in phantoms:
        with Image.open(tmp_path / p.study.images[0]) as image:
            assert image.mode == "L"
            np.testing.assert_array_equal(np.asarray(image), p.render(64))
    assert counts["studies"] == 20
    assert counts["train"] + counts.get("validation", 0) + counts.get("test", 0) == 20
    assert seen[-1] == (20, 20)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_longer_corpus_begins_with_the_shorter_one(tmp_path):
    generate(tmp_path / "short", num_studies=4, image_size=32)
    generate(tmp_path / "long", num_studies=9, image_size=32)
    for short in (tmp_path / "short" / "images").iterdir():
        assert short.read_bytes() == (tmp_path / "long" / "images" / short.name).read_bytes()


def test_nothing_asked_for_is_one_clear_error(tmp_path):
    with pytest.raises(ValueError, match="at least 1"):
        generate(tmp_path, num_studies=0)


def test_a_hundred_studies_take_under_two_seconds(tmp_path):
    start = time.process_time()  # this process's own time, so that a busy machine does not fail the test
    generate(tmp_path, num_studies=100)
    assert time.process_time() - start < 2
