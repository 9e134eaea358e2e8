"""Two processes on a CPU, joined by gloo, learn what one learns from the same global batch."""

import json
import os
import socket
from pathlib import Path

import pytest
import torch
from accelerate.commands.launch import launch_command, launch_command_parser
from safetensors.torch import load_file
from small_training import alone, halved, recipe, small_model, train

CONFIG = Path(__file__).parents[2] / "recipes" / "accelerate" / "2-cpus.yaml"
SCRIPT = Path(__file__).with_name("two_processes.py")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def folder(corpus, tmp_path_factory):
    """Both stages once in two processes and once in this one."""
    folder = tmp_path_factory.mktemp("processes")
    small_model(folder / "model")
    told = ["--config_file", str(CONFIG), "--main_process_port", str(free_port())]
    told += [str(SCRIPT), str(folder), str(corpus)]
    paths = os.pathsep.join([str(Path(__file__).parents[2] / "src"), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)
        # `accelerate launch`, but for a process of its own that would load PyTorch to start the two.
        launch_command(launch_command_parser().parse_args(told))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    for stage in ("sft", "grpo"):
        train(stage, recipe(stage, folder / "one" / stage, corpus, folder / "model", alone(stage)))
    torch.set_num_threads(threads)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "keys"),
    [
        ("sft", ("loss", "grad_norm", "mean_token_accuracy", "num_tokens", "learning_rate")),
        ("grpo", ("loss", "reward", "kl", "completions/mean_length", "rewards/parse_failure/mean")),
    ],
)
def test_the_curve_is_that_of_one_process(folder, stage, keys):
    one, two = (json.loads((folder / name / stage / "curve.json").read_text()) for name in ("one", "two"))
    assert len(one) == len(two) >= 3
    for left, right in zip(one, two, strict=True):
        for key in keys:
            assert right[key] == pytest.approx(left[key], rel=1e-4, abs=1e-5), (left["step"], key)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["sft", "grpo"])
def test_the_weights_are_those_of_one_process_and_the_folder_is_the_same(folder, stage):
    one, two = (load_file(folder / name / stage / "model/model.safetensors") for name in ("one", "two"))
    start = load_file(folder / "model/model.safetensors")
    apart = max((one[name] - two[name]).abs().max().item() for name in one)
    moved = max((one[name] - start[name]).abs().max().item() for name in one)
    assert apart < 0.1 * moved
    files = [
        sorted(
            path.relative_to(folder / name / stage).as_posix() for path in (folder / name / stage).rglob("*")
        )
        for name in ("one", "two")
    ]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_step_with_sharded_weights_is_a_step_with_whole_ones(folder):
    told = json.loads((folder / "sharded.json").read_text())
    assert told["apart"] < 1e-3 * told["moved"]
    assert told["share"] == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
def test_batches_that_are_gathered_for_a_step_are_one_batch(folder, corpus):
    # Rows of a step are sorted by length: the mean of two batches' means would not be the mean of all tokens.
    gathered = {**halved("sft"), "gradient_accumulation_steps": 2}
    train("sft", recipe("sft", folder / "gathered", corpus, folder / "model", gathered))
    one = json.loads((folder / "one/sft/curve.json").read_text())
    for left, right in zip(one, json.loads((folder / "gathered/curve.json").read_text()), strict=True):
        assert right["loss"] == pytest.approx(left["loss"], rel=1e-4)
        assert right["grad_norm"] == pytest.approx(left["grad_norm"], rel=1e-3)
