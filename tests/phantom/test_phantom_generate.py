"""Writing a corpus of phantoms to disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from cxreason.phantom.generate import generate, studies
from cxreason.phantom.run import make_phantoms
from cxreason.phantom.visit import DEEP
from cxreason.recipes import PhantomRecipe, RecipeError, load
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


@pytest.mark.timing
def test_a_hundred_studies_take_under_two_seconds(tmp_path):
    generate(tmp_path / "first", num_studies=1)  # loads what it needs
    start = time.process_time()  # this process's own time, so that a busy machine does not fail the test
    generate(tmp_path / "then", num_studies=100)
    assert time.process_time() - start < 2


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a folder but the run's own notes, which hold times."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    notes = ("run.json", "recipe.yaml", ".lock")
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in files if file.name not in notes
    }


def recipe_for(out: Path, *changes: str) -> PhantomRecipe:
    return load(PhantomRecipe, None, [f"out={json.dumps(str(out))}", *changes])


def test_any_number_of_processes_writes_the_same_files(tmp_path):
    for workers in (1, 2):
        recipe = recipe_for(tmp_path / str(workers), "size=small", "num_studies=70", "image_size=128")
        make_phantoms(recipe, workers=workers)
    first = files_of(tmp_path / "1")
    assert len([name for name in first if name.endswith(".png")]) > 70  # some have a lateral view
    assert first == files_of(tmp_path / "2")


def test_a_corpus_that_was_killed_continues_and_ends_the_same(tmp_path):
    changes = ("num_studies=250", "image_size=48")
    code = (
        "from cxreason import runs\n"
        "from cxreason.phantom.run import make_phantoms\n"
        "from cxreason.recipes import PhantomRecipe, load\n"
        "import sys\n"
        "runs.BATCH_ROWS = 32\n"
        "if __name__ == '__main__':\n"
        "    make_phantoms(load(PhantomRecipe, None, sys.argv[1:]), workers=2)\n"
    )
    script = tmp_path / "draw.py"
    script.write_text(code)
    killed = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, script, f"out={json.dumps(str(killed))}", *changes])
    growing = killed / "studies.jsonl"
    while not (growing.exists() and growing.stat().st_size):
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "studies.parquet").exists()
    kept = {file: file.stat().st_mtime_ns for file in (killed / "images").iterdir() if file.suffix == ".png"}
    with growing.open("a") as file:
        file.write('{"id": "torn')  # a line that was being written
    rows = growing.read_text().count("\n")
    time.sleep(0.3)  # its helpers notice that they are alone
    counts = make_phantoms(recipe_for(killed, *changes), workers=1)
    whole = tmp_path / "whole"
    assert make_phantoms(recipe_for(whole, *changes), workers=1) == counts
    assert files_of(killed) == files_of(whole)
    early = [killed / "images" / f"17-{index:06d}.png" for index in range(rows)]
    assert all(file.stat().st_mtime_ns == kept[file] for file in early)  # what was done was not done again


def test_sizes_bring_their_own_defaults_and_what_is_asked_for_wins(tmp_path):
    assert recipe_for(tmp_path).image_size == 256
    assert recipe_for(tmp_path, "size=small").num_studies == 10_000
    assert recipe_for(tmp_path, "size=large").image_size == 448
    assert recipe_for(tmp_path, "size=large", "image_size=64").image_size == 64
    with pytest.raises(RecipeError, match="'size' is 'huge'"):
        recipe_for(tmp_path, "size=huge")


def test_ids_of_the_two_worlds_are_never_the_same():
    tiny, deep = (next(iter(studies(0, 1, *world))).study for world in ((), (DEEP,)))
    assert tiny.id != deep.id
    assert tiny.patient_id != deep.patient_id
