import json
import shutil
from pathlib import Path

import pytest

from cxreason.build import build, image_path
from cxreason.errors import UserError
from cxreason.mining import judging
from cxreason.mining.engines import RulesEngine
from cxreason.mining.run import mine
from cxreason.phantom.generate import studies
from cxreason.recipes import BuildRecipe, MineRecipe, validate
from cxreason.records import Sample, Study, to_row
from cxreason.rows import write_parquet
from cxreason.runs import read


def terse(**values) -> MineRecipe:
    return validate(MineRecipe, {"style": "terse", **values})


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
    counts = mine(terse(out=tmp_path / "out", samples=built))
    kept = list(read(tmp_path / "out", Sample))
    failed = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").read_text().splitlines()]
    funnel = counts["funnel"]
    assert funnel["read"] == len(list(read(built, Sample))) == len(kept) + len(failed)
    assert funnel["kept"] == len(kept) == sum(task["kept"] for task in counts["tasks"].values())
    assert funnel["answer"] == len(failed) > 0
    assert all(line["problem"].startswith("answer: ") for line in failed)
    assert all(sample.reasoning for sample in kept)


def test_images_are_found_from_the_new_folder(built, tmp_path):
    mine(terse(out=tmp_path / "a" / "b" / "out", samples=built), limit=5)
    for sample in read(tmp_path / "a" / "b" / "out", Sample):
        assert (
            image_path(tmp_path / "a" / "b" / "out", sample.images[0]).parent
            == built.parent / "phantom" / "images"
        )


@pytest.mark.parametrize("killed_after", [1, 40, 100])
def test_a_run_that_was_killed_goes_on_and_ends_in_the_same_file(built, tmp_path, monkeypatch, killed_after):
    monkeypatch.setattr(judging, "PIECE_SAMPLES", 16)
    mine(terse(out=tmp_path / "whole", samples=built))
    one, calls = RulesEngine.mine_one, []

    def dies(self, sample):
        calls.append(sample)
        if len(calls) > killed_after:
            raise KeyboardInterrupt
        return one(self, sample)

    recipe = terse(out=tmp_path / "torn", samples=built, workers=1)
    monkeypatch.setattr(RulesEngine, "mine_one", dies)
    with pytest.raises(KeyboardInterrupt):
        mine(recipe)
    monkeypatch.setattr(RulesEngine, "mine_one", one)
    again = mine(recipe)
    assert again["funnel"] == mine(terse(out=tmp_path / "whole", samples=built))["funnel"]
    torn, whole = (list(read(tmp_path / name, Sample)) for name in ("torn", "whole"))
    assert torn == whole


def test_a_dry_run_shows_a_chain_and_writes_nothing(built, tmp_path):
    shown = mine(terse(out=tmp_path / "out", samples=built), limit=4, dry_run=True)
    assert shown["funnel"]["read"] == 4
    assert shown["example"]["reasoning"]
    assert not (tmp_path / "out").exists()


def test_only_the_named_splits_are_mined(built, tmp_path):
    mine(terse(out=tmp_path / "out", samples=built, splits=("train",)))
    assert {sample.split for sample in read(tmp_path / "out", Sample)} == {"train"}


def test_what_was_mined_is_told_again_without_the_samples(built, tmp_path):
    samples = shutil.copytree(built, tmp_path / "samples")
    first = mine(terse(out=tmp_path / "out", samples=samples), limit=4)
    shutil.rmtree(samples)
    assert mine(terse(out=tmp_path / "out", samples=samples), limit=4) == first


def test_splits_of_which_there_is_no_sample_are_refused_in_a_line_that_names_them(built, tmp_path):
    (tmp_path / "train").mkdir()
    write_parquet(
        tmp_path / "train" / "samples.parquet",
        Sample,
        (to_row(sample) for sample in read(built, Sample) if sample.split == "train"),
    )
    with pytest.raises(UserError, match=r"no sample of validation, test\. Name other splits"):
        mine(terse(out=tmp_path / "out", samples=tmp_path / "train", splits=("validation", "test")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("style", ["prose", "terse"])
def test_what_was_dropped_keeps_its_chain_and_all_its_reasons(built, tmp_path, style):
    counts = mine(terse(out=tmp_path / "out", samples=built, style=style, filters={"max_words": 30}))
    lines = [json.loads(line) for line in (tmp_path / "out" / "failed.jsonl").read_text().splitlines()]
    long = [line for line in lines if any(reason.startswith("length: ") for reason in line["reasons"])]
    assert long
    assert all(line["kind"] == "rejected" and len(line["reasoning"].split()) > 30 for line in long)
    assert counts["funnel"]["kept"] + len(lines) == counts["funnel"]["read"]


def test_the_quality_of_a_run_is_told_with_intervals_before_and_after(built, tmp_path):
    mine(validate(MineRecipe, {"out": tmp_path / "out", "samples": built, "filters": {"most_alike": None}}))
    quality = json.loads((tmp_path / "out" / "quality.json").read_text())
    kept = list(read(tmp_path / "out", Sample))
    before, after = (quality["factuality"]["strict"][which] for which in ("before", "after"))
    assert after["value"] == after["low"] == 1.0
    assert before["value"] <= 1.0
    assert after["n"] == len(kept) == round(quality["kept"]["value"] * quality["read"])
    words = [len(sample.reasoning.split()) for sample in kept if sample.task == "binary"]
    told = quality["length"]["binary"]["words"]
    assert told["value"] == pytest.approx(sum(words) / len(words))
    assert told["low"] <= told["value"] <= told["high"]


def test_a_finished_run_stays_finished_where_nothing_but_filters_dropped_chains(built, tmp_path):
    recipe = terse(out=tmp_path / "out", samples=built)
    first = mine(recipe)
    state = (tmp_path / "out" / "run.json").read_text()
    assert mine(recipe) == first
    assert (tmp_path / "out" / "run.json").read_text() == state
