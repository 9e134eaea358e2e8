"""Before a training: every sample that cannot be learned from is named, counted, and left out where asked."""

import json
from dataclasses import replace

import pytest
from PIL import Image

from cxreason.errors import UserError
from cxreason.imaging import read as imaging
from cxreason.recipes import GrpoRecipe, SftRecipe, validate
from cxreason.records import Sample, to_row
from cxreason.rows import write_parquet
from cxreason.training import data, data_check, sft

GOOD = Sample(
    id="good",
    dataset="d",
    task="binary",
    kind="choice",
    patient_id="p",
    study_id="s",
    split="train",
    images=("a.png",),
    question="Does this chest X-ray show edema?",
    answer="A",
    options=("Yes", "No"),
    report="There is edema.",
    reasoning="There is edema.",
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """One sample of each kind of fault, and one that only looks like one because it is no training sample."""
    monkeypatch.setattr(imaging, "MAX_PIXELS", 300 * 300)
    Image.new("L", (64, 64)).save(tmp_path / "a.png")
    Image.new("L", (301, 301)).save(tmp_path / "large.png")
    Image.new("L", (2, 450)).save(tmp_path / "narrow.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "a.png").read_bytes()[:20])
    samples = [
        GOOD,
        replace(GOOD, id="lost", images=("a.png", "gone.png")),
        replace(GOOD, id="large", images=("large.png",)),
        replace(GOOD, id="torn", images=("torn.png",)),
        replace(GOOD, id="narrow", images=("narrow.png",)),
        replace(GOOD, id="no-option", answer="C"),
        replace(GOOD, id="bad-label", kind="labels", options=(), answer="nonsense"),
        replace(GOOD, id="tags", reasoning="There is </think> edema."),
        replace(GOOD, id="no-chain", reasoning=""),
        replace(GOOD, id="long", reasoning="There is edema. " * 900),
        replace(GOOD, id="elsewhere", split="test", answer="C"),
    ]
    write_parquet(tmp_path / "samples.parquet", Sample, map(to_row, samples))
    return tmp_path


def recipe(folder, kind=SftRecipe, **changes):
    file = folder / "samples.parquet"
    told = {"out": folder / "out", "model": "phantom", "samples": folder, "reasoning": folder, "num_rows": 4}
    assert file.exists()
    return validate(kind, {**told, "reasoning_share": 1.0, "max_pixels": 56 * 56, **changes})


FOUND = {
    "lost": data_check.NO_FILE,
    "large": data_check.TOO_LARGE,
    "torn": data_check.UNREADABLE,
    "narrow": data_check.UNREADABLE,
    "no-option": data_check.NOT_AN_OPTION,
    "bad-label": data_check.BAD_ANSWER,
    "tags": data_check.BAD_TARGET,
    "no-chain": data_check.BAD_TARGET,
    "long": data_check.TOO_LONG,
}


def test_each_fault_is_named_and_counted_in_one_pass(folder):
    told = recipe(folder)
    found = {one.sample: one.fault for one in data_check.faults(told, data_check.Lengths(told))}
    assert found == FOUND
    checked = data_check.check(told)
    assert checked.counts["num_samples"] == 10
    assert checked.counts["faults"][data_check.UNREADABLE]["count"] == 2
    assert checked.bad == {(name, "reasoning") for name in FOUND}


def test_the_length_is_that_of_what_the_trainer_makes(folder):
    from cxreason.training import models

    lengths = data_check.Lengths(recipe(folder))
    processor = models.load_processor("phantom", max_pixels=56 * 56)
    for share, mode in ((1.0, "reasoning"), (0.0, "direct")):
        told = recipe(folder, reasoning_share=share)
        row = data.target_row(GOOD, folder, dialect=told.dialect, mode=mode)
        asked = [
            row["prompt"][0],
            {
                "role": "user",
                "content": [{"type": "image"}, {"type": "text", "text": row["prompt"][1]["content"]}],
            },
        ]
        text = processor.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
        said = row["completion"][0]["content"]
        picture = Image.open(folder / "a.png").convert("RGB")
        whole = processor(text=[text + said + "<|im_end|>"], images=[[picture]], return_tensors="pt")
        prompt = "".join(turn["content"] for turn in row["prompt"])
        counted = lengths.texts([prompt], [said])[0] + lengths.image(64, 64)
        assert abs(counted - whole["input_ids"].shape[1]) <= 3
        assert lengths.texts([prompt], [said])[0] <= lengths.at_most(prompt, said)


def test_a_training_refuses_with_one_line_and_goes_on_without_them_where_told_to(folder):
    with pytest.raises(UserError) as refusal:
        sft.train(recipe(folder))
    said = str(refusal.value)
    assert said.startswith("9 of 10 samples cannot be trained on: 1 no image file (the first is lost)")
    assert "bad_samples=drop" in said
    assert "\n" not in said
    counts = json.loads((folder / "out" / "data_check.json").read_text())
    assert counts["faults"][data_check.TOO_LONG]["examples"][0]["sample"] == "long"
    dropping = recipe(folder, bad_samples="drop")
    bad = data_check.require(dropping, folder / "out")
    rows = data.mixture(dropping, data.target_row, None, without=bad)
    assert {row["completion"][0]["content"] for row in rows} == {
        "<think> There is edema. </think><answer> A </answer>"
    }


def test_what_was_mended_is_looked_at_again(folder):
    with pytest.raises(UserError, match="9 of 10"):
        data_check.require(recipe(folder), folder)
    write_parquet(folder / "samples.parquet", Sample, iter([to_row(GOOD)]))
    assert data_check.require(recipe(folder), folder) == set()
    (folder / "a.png").unlink()
    assert data_check.require(recipe(folder), folder) == set(), "what passed is not read twice"


def test_in_grpo_what_may_be_written_counts_and_a_chain_is_not_needed(folder):
    rows = [to_row(replace(GOOD, reasoning=""))]
    write_parquet(folder / "samples.parquet", Sample, iter(rows))
    assert data_check.check(recipe(folder, GrpoRecipe)).bad == set()
    long = recipe(folder, GrpoRecipe, trainer={"max_completion_length": 2048})
    assert set(data_check.check(long).counts["faults"]) == {data_check.TOO_LONG}


def test_a_dry_run_before_the_model_is_there_says_what_it_did_not_measure(folder):
    shown = data_check.check(recipe(folder, model="runs/not-yet/model"), dry_run=True).counts
    assert data_check.TOO_LONG not in shown["faults"]
    assert "runs/not-yet/model is not here yet" in shown["lengths"]


def test_where_nothing_is_left_a_training_says_so(folder):
    write_parquet(folder / "samples.parquet", Sample, iter([to_row(replace(GOOD, answer="C"))]))
    told = recipe(folder, bad_samples="drop")
    with pytest.raises(UserError, match=r"none of its samples can be trained on; left_out\.jsonl says why"):
        data.mixture(told, data.target_row, None, without=data_check.require(told, folder))
