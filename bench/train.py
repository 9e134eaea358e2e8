"""Both stages of training beside bare TRL scripts: the same model, rows, batches and settings in one run.

    python bench/train.py sft                     samples/s of SFT, and the loss on held-out rows afterwards
    python bench/train.py grpo                    seconds/step of GRPO with one trivial reward
    python bench/train.py grpo --same-rollouts    the same where `model.generate` writes both: our overhead

A bare script is what TRL's examples do: rows with files of images, TRL's own collator, nothing prepared.
Tokens, operations and the share of a GPU's peak are `bench/train_gpu.py`'s.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxreason.recipes import BuildRecipe, GrpoRecipe, MineRecipe, PhantomRecipe, SftRecipe, validate
from cxreason.samples import read_samples

MAX_PIXELS = 12544
TRAINER = {
    "sft": {"per_device_train_batch_size": 32, "learning_rate": 1e-3, "adam_beta2": 0.95, "warmup_steps": 10},
    "grpo": {
        "per_device_train_batch_size": 32,
        "steps_per_generation": 1,
        "num_generations": 8,
        "max_completion_length": 48,
        "learning_rate": 6e-5,
        "beta": 0.001,
        "temperature": 1.0,
    },
}
COMMON = {
    "num_train_epochs": 1,
    "lr_scheduler_type": "cosine",
    "weight_decay": 0.0,
    "gradient_checkpointing": False,
    "logging_steps": 1,
    "save_strategy": "no",
}


def corpus(folder: Path, num_studies: int) -> Path:
    """Phantoms with questions and chains, of the size of picture that the demo has."""
    from cxreason.build import build
    from cxreason.mining.run import mine
    from cxreason.phantom.run import make_phantoms

    make_phantoms(validate(PhantomRecipe, {"out": folder / "phantom", "num_studies": num_studies}))
    asked = {"out": folder / "build", "studies": [folder / "phantom"], "per_task": {"train": 400, "test": 20}}
    build(validate(BuildRecipe, asked))
    mine(validate(MineRecipe, {"out": folder / "mine", "samples": folder / "build", "style": "terse"}))
    return folder


def recipe_of(stage: str, data: Path, out: Path, num_rows: int) -> Any:
    told = {
        "out": out,
        "model": "phantom",
        "samples": data / "build",
        "reasoning": data / "mine",
        "num_rows": num_rows,
        "max_pixels": MAX_PIXELS,
        "freeze_vision": True,
        "pixels": out.parent / "pixels",
        "trainer": {**COMMON, **TRAINER[stage]},
    }
    if stage == "grpo":
        return validate(GrpoRecipe, {**told, "rewards": {"format": 1.0}, "reward_check": "warn"})
    # The rows of a step are those of TRL's step, in batches of like length.
    told["trainer"] |= {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}
    return validate(SftRecipe, {**told, "length_window": 1})


@dataclass
class Took:
    """Seconds on the clock, and of the processor: the latter stay the same on a machine that others use."""

    clock: float = 0.0
    processor: float = 0.0


def timed(work: Callable[[], Any]) -> tuple[Took, Any]:
    """What `Trainer.train` took within `work`, and what `work` returned: loading is left out."""
    from transformers import Trainer

    first, took = Trainer.train, Took()

    def train(self: Any, *told: Any, **more: Any) -> Any:
        start, worked = time.perf_counter(), time.process_time()
        try:
            return first(self, *told, **more)
        finally:
            took.clock += time.perf_counter() - start
            took.processor += time.process_time() - worked

    Trainer.train = train
    try:
        result = work()
    finally:
        Trainer.train = first
    return took, result


def ratios(own: Took, bare: Took) -> dict[str, float]:
    """How many times as quick as TRL, by the clock and by what the processor had to do."""
    return {
        "ratio": round(bare.clock / own.clock, 2),
        "ratio_of_processor_seconds": round(bare.processor / own.processor, 2),
    }


def files_as_images(rows: list[dict[str, Any]]) -> Any:
    """A data set as TRL's examples have it: columns, and images that `datasets` decodes."""
    from datasets import Dataset, Image, List

    return Dataset.from_list(rows).cast_column("images", List(Image()))


def bare_sft(recipe: SftRecipe, out: Path) -> Any:
    """TRL's own script; returns the trained model."""
    from trl import SFTConfig, SFTTrainer

    from cxreason.training import data, models

    trainer = SFTTrainer(
        model=models.load_model(recipe.model, freeze_vision=recipe.freeze_vision),
        args=SFTConfig(
            output_dir=str(out),
            seed=recipe.seed,
            max_length=None,
            train_sampling_strategy="sequential",  # the same rows in each step, so that losses compare
            **{**_plain(recipe), **TRAINER["sft"], "gradient_accumulation_steps": 1},
        ),
        train_dataset=files_as_images(list(data.mixture(recipe, data.target_row, None))),
        processing_class=models.load_processor(recipe.model, max_pixels=recipe.max_pixels),
    )
    trainer.train()
    return trainer.model


def bare_grpo(recipe: GrpoRecipe, out: Path) -> list[dict[str, Any]]:
    """TRL's own script; returns the curve."""
    from trl import GRPOConfig, GRPOTrainer

    from cxreason.rewards import format_reward
    from cxreason.training import data, models

    trainer = GRPOTrainer(
        model=models.load_model(recipe.model, freeze_vision=recipe.freeze_vision),
        reward_funcs=[format_reward],
        args=GRPOConfig(output_dir=str(out), seed=recipe.seed, **_plain(recipe)),
        train_dataset=files_as_images(list(data.mixture(recipe, data.reward_row, None))),
        processing_class=models.load_processor(recipe.model, max_pixels=recipe.max_pixels),
    )
    trainer.train()
    return trainer.state.log_history


def _plain(recipe: Any) -> dict[str, Any]:
    import torch

    on_gpu = torch.cuda.is_available()
    machine = {"bf16": on_gpu, "use_cpu": not on_gpu, "report_to": "none", "disable_tqdm": True}
    return {**machine, "remove_unused_columns": False, **recipe.trainer}


def held_out_loss(model: Any, data_folder: Path, pixels: Path, number: int = 64) -> float:
    """Mean loss of a model on the test rows of the chains, by our own batches: the same ruler for both."""
    import torch

    from cxreason.training import data, models
    from cxreason.training.batches import NO_LOSS, Batches
    from cxreason.training.pixels import PreparedPixels

    processor = models.load_processor("phantom", max_pixels=MAX_PIXELS)
    make = Batches(processor, PreparedPixels(pixels, processor))
    samples = read_samples(data_folder / "mine", "test", number)
    rows = [data.target_row(one, data_folder / "mine", dialect="think", mode="reasoning") for one in samples]
    total = count = 0.0
    model.eval()
    for start in range(0, len(rows), 16):
        batch = {name: one.to(model.device) for name, one in make(rows[start : start + 16]).items()}
        with torch.no_grad():
            tokens = int((batch["labels"][:, 1:] != NO_LOSS).sum())
            total += model(**batch).loss.item() * tokens
        count += tokens
    return total / count


def measure_sft(data_folder: Path, folder: Path, num_rows: int) -> list[dict[str, Any]]:
    from cxreason.training import models, sft

    told = recipe_of("sft", data_folder, folder / "sft-cold", num_rows)
    bare, model = timed(lambda: bare_sft(told, folder / "bare"))
    bare_loss = held_out_loss(model, data_folder, folder / "ruler")
    lines = []
    for name in ("images decoded once", "images prepared before"):
        told = recipe_of("sft", data_folder, folder / f"sft-{len(lines)}", num_rows)
        took, _ = timed(lambda told=told: sft.train(told))
        loss = held_out_loss(models.load_model(told.out / "model"), data_folder, folder / "ruler")
        line = {"what": f"SFT samples/s, {name}; limit: TRL", "figure": round(num_rows / took.clock, 2)}
        line |= {"limit": round(num_rows / bare.clock, 2), **ratios(took, bare)}
        lines.append({**line, "loss": round(loss, 4), "loss_of_trl": round(bare_loss, 4)})
    return lines


def measure_grpo(data_folder: Path, folder: Path, num_rows: int, same: bool) -> list[dict[str, Any]]:
    from cxreason.training import generation, grpo

    if same:
        generation.can_write = lambda *told, **more: False
    told = recipe_of("grpo", data_folder, folder / "grpo", num_rows)
    steps = num_rows * TRAINER["grpo"]["num_generations"] // TRAINER["grpo"]["per_device_train_batch_size"]
    bare, curve = timed(lambda: bare_grpo(told, folder / "bare-grpo"))
    took, _ = timed(lambda: grpo.train(told))
    own = json.loads((told.out / "curve.json").read_text())

    def length(entries: list[dict[str, Any]]) -> float:
        means = [one["completions/mean_length"] for one in entries if "completions/mean_length" in one]
        return round(sum(means) / len(means), 1)

    how = "model.generate for both" if same else "our rollouts"
    figures = {"figure": round(took.clock / steps, 3), "limit": round(bare.clock / steps, 3)}
    lengths = {"mean_length": length(own), "mean_length_of_trl": length(curve)}
    line = {"what": f"GRPO seconds/step, {how}; limit: TRL", **figures, **ratios(took, bare)}
    return [{**line, **lengths}]


def main() -> None:
    """Prints a JSON line for each figure; a ratio above 1 is quicker than TRL."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("stage", choices=("sft", "grpo"))
    parser.add_argument("--rows", type=int, default=None, help="rows to train on; 640 of SFT, 16 of GRPO")
    parser.add_argument("--studies", type=int, default=400)
    parser.add_argument(
        "--data", type=Path, default=None, help="a folder with build and mine, made if absent"
    )
    parser.add_argument("--same-rollouts", action="store_true")
    told = parser.parse_args()
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data_folder = told.data or folder / "corpus"
        if not (data_folder / "mine" / "run.json").exists():
            corpus(data_folder, told.studies)
        if told.stage == "sft":
            lines = measure_sft(data_folder, folder, told.rows or 640)
        else:
            lines = measure_grpo(data_folder, folder, told.rows or 16, told.same_rollouts)
        for line in lines:
            print(json.dumps({**line, "machine": machine}))


if __name__ == "__main__":
    main()
