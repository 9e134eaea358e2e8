import json
from pathlib import Path

import pytest

from cxreason.build import build, image_path
from cxreason.mining import run as mining_run
from cxreason.mining.run import mine
from cxreason.phantom.generate import studies
from cxreason.recipes import BuildRecipe, MineRecipe
from cxreason.records import Sample, Study, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mine")
    (folder / "phantom").mkdir()
    drawn = [to_row(one.study) for one in studies(3, 140)]
    # One label that its report does not bear out, so that something is dropped.
    for row in drawn:
        for pair in row["labels"]:
            pair["value"] = 1 if pair["key"] == "fracture" and row["split"] == "test" else pair["value"]
    write_parquet(folder / "phantom" / "studies.parquet", Study, iter(drawn))
    build(
        BuildRecipe(out=folder / "build", studies=(folder / "phantom",), per_task={"train": 30, "test": 10})
    )
    return folder / "build"


def test_the_funnel_adds_up_and_what_was_dropped_has_its_reason(built, tmp_path):
    counts = mine(MineRecipe(out=tmp_path / "out", samples=built))
    kept = list(read(tmp_path / "out", Sample))
    failed = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").read_text().splitlines()]
    funnel = counts["funnel"]
    assert funnel["read"] == len(list(read(built, Sample))) == len(kept) + len(failed)
    assert funnel["kept"] == len(kept) == sum(task["kept"] for task in counts["tasks"].values())
    assert funnel["answer"] == len(failed) > 0
    assert all(line["problem"].startswith("answer: ") for line in failed)
    assert all(sample.reasoning for sample in kept)


def test_images_are_found_from_the_new_folder(built, tmp_path):
    mine(MineRecipe(out=tmp_path / "a" / "b" / "out", samples=built), limit=5)
    for sample in read(tmp_path / "a" / "b" / "out", Sample):
        assert (
            image_path(tmp_path / "a" / "b" / "out", sample.images[0]).parent
            == built.parent / "phantom" / "images"
        )


@pytest.mark.parametrize("killed_after", [1, 40, 100])
def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_file(built, tmp_path, monkeypatch, killed_after):
    mine(MineRecipe(out=tmp_path / "whole", samples=built))
    one, calls = mining_run.mine_one, []

    def dies(sample):
        calls.append(sample)
        if len(calls) > killed_after:
            raise KeyboardInterrupt
        return one(sample)

    recipe = MineRecipe(out=tmp_path / "torn", samples=built)
    monkeypatch.setattr(mining_run, "mine_one", dies)
    with pytest.raises(KeyboardInterrupt):
        mine(recipe)
    monkeypatch.setattr(mining_run, "mine_one", one)
    again = mine(recipe)
    assert again["funnel"] == mine(MineRecipe(out=tmp_path / "whole", samples=built))["funnel"]
    torn, whole = (list(read(tmp_path / name, Sample)) for name in ("torn", "whole"))
    assert torn == whole


def test_a_dry_run_shows_a_chain_and_writes_nothing(built, tmp_path):
    shown = mine(MineRecipe(out=tmp_path / "out", samples=built), limit=4, dry_run=True)
    assert shown["funnel"]["read"] == 4
    assert shown["example"]["reasoning"]
    assert not (tmp_path / "out").exists()


def test_only_the_named_splits_are_mined(built, tmp_path):
    mine(MineRecipe(out=tmp_path / "out", samples=built, splits=("train",)))
    assert {sample.split for sample in read(tmp_path / "out", Sample)} == {"train"}
