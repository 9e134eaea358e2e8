"""The whole loop through the command line, killed at every stage and run through in one go."""

import json
import multiprocessing
import signal
import subprocess
import sys
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from cxreason.cli import main
from cxreason.evaluation.controls import CONTROLS

SMALL = """
phantom: {num_studies: 90, seed: 5, image_size: 128}
build: {per_task: {train: 6, test: 3}}
sft:
  num_rows: 12
  max_pixels: 12544
  freeze_vision: true
  trainer: {per_device_train_batch_size: 4, learning_rate: 1.0e-3, save_steps: 1, logging_steps: 1,
            gradient_checkpointing: false}
grpo:
  num_rows: 6
  max_pixels: 12544
  freeze_vision: true
  trainer: {per_device_train_batch_size: 4, steps_per_generation: 1, num_generations: 2, beta: 0.001,
            max_completion_length: 24, learning_rate: 1.0e-4, save_steps: 1, logging_steps: 1,
            gradient_checkpointing: false}
predict: {batch_size: 8, max_new_tokens: 32, max_pixels: 12544}
"""

# A stage and the file whose appearance shows that the stage is at work, below the demo's folder.
KILLS = [
    "phantom/images/5-000020.png",
    "build/run.json",
    "mine/run.json",
    "sft/checkpoints/checkpoint-1/complete",
    "grpo/checkpoints/checkpoint-1/complete",
    "predict-base-reasoning/run.json",
    "predict-sft-direct/run.json",
    "predict-grpo-direct/run.json",
    "score/run.json",
]


# Starts are copies of a process that has loaded the libraries and done nothing yet: a demo is killed at its
# work, and to load them a dozen times would take most of the test.
STARTS = multiprocessing.get_context("forkserver")
STARTS.set_forkserver_preload(
    [
        "trl.trainer.sft_trainer",
        "trl.trainer.grpo_trainer",
        "transformers.models.qwen2_5_vl",
        "pyarrow.parquet",
    ]
)


def arguments(folder: Path) -> list[str]:
    recipe = folder.parent / "demo.yaml"
    recipe.write_text(SMALL)
    return ["demo", f"out={folder}", "--recipe", str(recipe), "--quiet"]


def work(told: list[str]) -> None:
    sys.argv = ["cxreason", *told]
    main()


def start(folder: Path) -> BaseProcess:
    process = STARTS.Process(target=work, args=(arguments(folder),))
    process.start()
    return process


def finish(folder: Path) -> dict:
    process = start(folder)
    process.join(400)
    assert process.exitcode == 0
    return json.loads((folder / "summary.json").read_text())


@pytest.fixture(scope="module")
def summary(tmp_path_factory) -> tuple[dict, Path]:
    folder = tmp_path_factory.mktemp("demo") / "run"
    return finish(folder), folder


@pytest.mark.slow
def test_the_demo_ends_with_figures_for_every_model_and_mode_and_a_page(summary):
    figures, folder = summary
    assert figures["models"].keys() == {"base", "sft", "grpo", "probe", "question-only"}
    for name, modes in figures["models"].items():
        assert modes.keys() == ({"direct"} if name in CONTROLS else {"reasoning", "direct"})
        for metrics in modes.values():
            for metric in ("accuracy", "radrscore", "r_f", "r_c", "r_e"):
                figure = metrics[metric]
                assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
                assert figure["n"] > 0
    stages = {
        "control-probe",
        "control-question-only",
        "phantom",
        "build",
        "mine",
        "sft",
        "grpo",
        "score",
        "total",
    }
    assert stages < figures["seconds"].keys()
    assert "base" in (folder / "page.html").read_text()


@pytest.mark.slow
def test_the_demo_killed_at_every_stage_ends_in_the_same_summary(summary, tmp_path):
    expected, _ = summary
    folder = tmp_path / "run"
    killed = 0
    for sign in KILLS:
        process = start(folder)
        deadline = time.monotonic() + 200
        while not (folder / sign).exists() and process.is_alive():
            assert time.monotonic() < deadline, f"{sign} never appeared"
            time.sleep(0.005)
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        killed += process.exitcode != 0
    assert killed >= len(KILLS) - 1, "the demo was too quick to be killed: make it larger"
    figures = finish(folder)
    assert figures["models"] == close_to(expected["models"])


def close_to(value):
    """The same structure with every number up to the noise of summing in another order."""
    if isinstance(value, dict):
        return {key: close_to(item) for key, item in value.items()}
    return pytest.approx(value, abs=0.02) if isinstance(value, float) else value


@pytest.mark.slow
def test_a_second_run_changes_nothing(summary):
    figures, folder = summary
    before = (folder / "page.html").read_bytes()
    assert finish(folder)["models"] == figures["models"]
    assert (folder / "page.html").read_bytes() == before


def test_a_mistake_in_a_stage_is_told_in_one_line(tmp_path):
    command = [sys.executable, "-m", "cxreason", "demo", f"out={tmp_path}", "sft.num_row=3"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr.strip().count("\n") == 0
    assert "num_row" in result.stderr
    assert "num_rows" in result.stderr
