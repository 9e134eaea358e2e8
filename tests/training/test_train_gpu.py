"""bench/train_gpu.py, which waits for a GPU, runs through on a CPU with tiny shapes of each family."""

import argparse
import importlib.util
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "bench" / "train_gpu.py"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("train_gpu", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def told(family, **changes):
    values = {"family": family, "shape": "tiny", "batch": 8, "steps": 3, "warmup": 1, "attention": None}
    return argparse.Namespace(**{**values, "checkpointing": False, "server": False, **changes})


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
def test_stage_1_is_measured_in_samples_and_tokens(bench, family, tmp_path):
    line = bench.sft(told(family), tmp_path)
    assert line["figure"] > 0
    assert line["tokens_per_second"] > line["figure"] * 10
    assert line["teraflop_per_sample"] > 0
    assert "utilisation" not in line  # there is no GPU whose peak it could be a share of
    assert "limit" not in line  # nor does a tiny model say anything of a paper


def test_stage_2_is_measured_in_completions(bench, tmp_path):
    assert bench.grpo(told("qwen2_5_vl"), tmp_path)["figure"] > 0


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl"])
def test_the_quick_loop_writes_what_transformers_writes_to_images_of_any_size(bench, family, tmp_path):
    line = bench.parity(told(family), tmp_path)
    assert (line["ratio"], line["sizes_that_differ"]) == (1.0, [])


def test_operations_are_six_for_each_weight_and_token_and_two_where_nothing_is_learnt(bench):
    from cxreason.training.random_models import random_model

    model = random_model("qwen2_5_vl")
    layers = sum(one.numel() for one in model.model.language_model.layers.parameters())
    tower = sum(one.numel() for one in model.model.visual.parameters())
    assert bench.operations(model, 10, 0, 0) == 6 * layers * 10
    assert bench.operations(model, 0, 0, 7) == 6 * tower * 7
    model.model.visual.requires_grad_(False)
    assert bench.operations(model, 0, 0, 7) == 2 * tower * 7
