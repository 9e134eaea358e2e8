"""What a GPU makes of both papers' trainings: full shapes, random weights, their lengths of image and text.

    python bench/train_gpu.py sft    --family qwen2_5_vl --shape 3b --batch 8         CheXOne, stage 1
    python bench/train_gpu.py sft    --family qwen2_vl   --shape 7b --batch 4         ChestX-Reasoner, SFT
    python bench/train_gpu.py grpo   --family qwen2_5_vl --shape 3b --batch 16        CheXOne, stage 2
    python bench/train_gpu.py parity --family qwen2_5_vl --shape 3b                   vLLM and transformers

Samples a second stand beside the figure that a paper's GPU-hours imply. Utilisation is the share of the
card's dense bfloat16 peak that the model's own operations make up: what is computed twice does not count.
Without a GPU `--shape tiny` runs all of it, and says nothing of a GPU. `parity` compares greedy replies to
images of several sizes between the engine that writes rollouts and transformers, since image tokens can go
wrong in silence.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import TrainerCallback

# Pixels are the papers'. No paper states lengths of text: these are of our own recipes' samples, in tokens.
PAPERS: dict[str, dict[str, Any]] = {
    "qwen2_5_vl": {"name": "CheXOne", "side": 512, "trace_share": 0.31, "sft": 5.2, "grpo": 1.5},
    "qwen2_vl": {"name": "ChestX-Reasoner", "side": 448, "trace_share": 0.21, "sft": 1.3, "grpo": 0.34},
    "qwen3_vl": {"name": "neither paper", "side": 512, "trace_share": 0.31, "sft": None, "grpo": None},
}
PROMPT, ANSWER, TRACE = 120, 30, 220
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12}
SIZES = ((448, 448), (512, 512), (336, 700), (900, 300), (90, 70), (1200, 1000))


def noise(folder: Path, sizes: list[tuple[int, int]]) -> list[str]:
    """Grey noise as PNG files: a tower's work does not depend on what it sees."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    draw, paths = np.random.default_rng(5), []
    for number, size in enumerate(sizes):
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(draw.integers(0, 256, size, dtype=np.uint8)).save(paths[-1])
    return paths


def rows_of(processor: Any, paths: list[str], number: int, trace_share: float, small: bool) -> list[dict]:
    """Rows of the papers' lengths: answers alone, and a share with a trace before them."""
    divide = 8 if small else 1
    per_word = len(processor.tokenizer("lung " * 64)["input_ids"]) / 64

    def words(tokens: int) -> str:
        return " ".join(["lung"] * max(1, round(tokens / divide / per_word)))

    draw, rows = np.random.default_rng(6), []
    for place in range(number):
        reply = words(TRACE + ANSWER) if draw.random() < trace_share else words(ANSWER)
        rows.append(
            {
                "prompt": [{"role": "user", "content": words(PROMPT)}],
                "completion": [{"role": "assistant", "content": reply}],
                "images": [paths[place % len(paths)]],
            }
        )
    return sorted(rows, key=lambda row: len(row["completion"][0]["content"]))


def operations(model: Any, tokens: float, scored: float, patches: float) -> float:
    """Floating-point operations of one forward and backward pass, attention between tokens left out."""
    language = sum(one.numel() for one in model.model.language_model.layers.parameters())
    head = model.get_output_embeddings().weight.numel()
    tower = model.model.visual
    seen = sum(one.numel() for one in tower.parameters())
    passes = 6 if any(one.requires_grad for one in tower.parameters()) else 2
    return 6 * (language * tokens + head * scored) + passes * seen * patches


class Clock(TrainerCallback):
    """When each step ended, with all of its work on the GPU done."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())

    def seconds_per_step(self, warmup: int) -> float:
        return (self.times[-1] - self.times[warmup]) / (len(self.times) - 1 - warmup)


def settings(told: argparse.Namespace, folder: Path) -> dict[str, Any]:
    on_gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder / "out"),
        "per_device_train_batch_size": told.batch,
        "max_steps": told.steps,
        "learning_rate": 1e-6,
        "gradient_checkpointing": told.checkpointing,
        "optim": "adamw_torch_fused",
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        "tf32": True if on_gpu else None,
        "dataloader_num_workers": 4 if on_gpu else 0,
        "dataloader_pin_memory": on_gpu,
        "remove_unused_columns": False,
        "shuffle_dataset": False,
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
    }


def model_of(told: argparse.Namespace) -> tuple[Any, Any, int]:
    """A random model on the device, its processor, and the side of its images."""
    from cxreason.training.random_models import random_model, random_processor

    on_gpu = torch.cuda.is_available()
    side = 56 if told.shape == "tiny" else PAPERS[told.family]["side"]
    model: Any = random_model(
        told.family,
        told.shape,
        dtype="bfloat16" if on_gpu else "float32",
        device="cuda" if on_gpu else "cpu",
    )
    if told.attention:
        model.set_attn_implementation(told.attention)
    return model, random_processor(told.family, max_pixels=side * side), side


def sft(told: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Samples a second of stage 1."""
    from trl import SFTConfig, SFTTrainer

    from cxreason.training.batches import NO_LOSS, Batches
    from cxreason.training.pixels import PreparedPixels
    from datasets import Dataset

    model, processor, side = model_of(told)
    paper = PAPERS[told.family]
    paths = noise(folder / "images", [(side, side)] * 64)
    rows = rows_of(processor, paths, told.batch * told.steps, paper["trace_share"], told.shape == "tiny")
    batches = Batches(processor, PreparedPixels(folder / "pixels", processor))
    # Batches of like length, as `cxreason train sft` makes them, in an order that is mixed again.
    groups = [rows[at : at + told.batch] for at in range(0, len(rows), told.batch)]
    np.random.default_rng(7).shuffle(groups)
    rows = [row for group in groups for row in group]
    clock = Clock()
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(max_length=None, **settings(told, folder)),
        train_dataset=Dataset.from_list(rows),
        data_collator=batches,
        processing_class=processor,
        callbacks=[clock],
    )
    trainer.train()
    seconds = clock.seconds_per_step(told.warmup)
    made = batches(rows)
    tokens, scored = made["attention_mask"].sum().item() / len(rows), (made["labels"] != NO_LOSS).sum().item()
    patches = len(made["pixel_values"]) / len(rows)
    work = operations(model, tokens, scored / len(rows), patches)
    return figures(told, told.batch / seconds, tokens, work, paper["sft"], "SFT samples/s")


def grpo(told: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Completions a second of stage 2, with transformers writing (with vLLM where a server is told)."""
    from trl import GRPOConfig, GRPOTrainer

    from cxreason.training.pixels import PreparedPixels
    from datasets import Dataset

    model, processor, side = model_of(told)
    paper = PAPERS[told.family]
    paths = noise(folder / "images", [(side, side)] * 64)
    rows = rows_of(processor, paths, told.batch * told.steps, 0.0, told.shape == "tiny")
    pixels = PreparedPixels(folder / "pixels", processor)

    def shown(batch: dict[str, list]) -> dict[str, list]:
        return {**batch, "images": [[pixels.image(path) for path in paths] for paths in batch["images"]]}

    def long_reward(completions: list, **columns: Any) -> list[float]:
        return [len(one[0]["content"]) / 1000 for one in completions]

    model.model.visual.requires_grad_(False)  # as in CheXOne's stage 2
    clock = Clock()
    server = {"use_vllm": True, "vllm_mode": "server"} if told.server else {}
    length = 8 if told.shape == "tiny" else TRACE + ANSWER
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[long_reward],
        args=GRPOConfig(
            num_generations=8,
            steps_per_generation=1,
            max_completion_length=length,
            beta=0.0,
            **server,
            **settings(told, folder),
        ),
        train_dataset=Dataset.from_list(rows).with_transform(shown),
        processing_class=processor,
        callbacks=[clock],
    )
    trainer.train()
    seconds = clock.seconds_per_step(told.warmup)
    tokens = trainer.state.num_input_tokens_seen / (told.batch * told.steps)
    patches = float(np.prod(pixels.picture(paths[0]).shape[:2]))
    # Reading and writing a completion is one more forward pass.
    work = operations(model, tokens, length, patches) * 4 / 3
    return figures(told, told.batch / seconds, tokens, work, paper["grpo"], "GRPO completions/s")


def figures(
    told: argparse.Namespace, rate: float, tokens: float, work: float, paper: float | None, what: str
) -> dict[str, Any]:
    """One line: rate, tokens a second, operations, utilisation where there is a GPU, the paper's figure."""
    on_gpu = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if on_gpu else "CPU"
    peak = next((most for card, most in PEAKS.items() if card in name), None)
    line: dict[str, Any] = {"what": f"{what}, {told.family} {told.shape}, random weights"}
    line |= {"figure": float(f"{rate:.4g}"), "tokens_per_second": round(rate * tokens)}
    line |= {"teraflop_per_sample": float(f"{work / 1e12:.4g}")}
    if on_gpu:
        line["memory_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 1)
        line["utilisation"] = round(rate * work / peak, 3) if peak else None
    if told.shape != "tiny":
        line |= {"limit": paper, "ratio": round(rate / paper, 2) if paper else None}
        line["limit_is"] = f"implied by the GPU-hours of {PAPERS[told.family]['name']}"
    return {**line, "machine": name}


def parity(told: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Greedy replies of the engine that writes rollouts and of transformers, to images of several sizes."""
    from cxreason.inference.transformers import TransformersEngine
    from cxreason.training import generation
    from cxreason.training.random_models import write_random_model

    small = told.shape == "tiny"
    path = str(write_random_model(folder / "model", told.family, told.shape))
    paths = noise(folder / "images", [(h // 4, w // 4) if small else (h, w) for h, w in SIZES])
    chats = [
        [{"role": "user", "content": f"What is seen in image {number}?"}] for number in range(len(paths))
    ]
    common: dict[str, Any] = {"max_new_tokens": 24, "max_pixels": 56 * 56 if small else 262_144}
    reference = TransformersEngine(path, **common)
    can_write = generation.can_write
    generation.can_write = lambda *told, **more: False
    expected = reference.generate(chats, [[one] for one in paths])
    generation.can_write = can_write
    if torch.cuda.is_available():
        from cxreason.inference.vllm import VllmEngine

        engine, name = VllmEngine(path, **common), "vLLM"
    else:
        engine, name = TransformersEngine(path, **common), "the quick loop"
    # One by one, so that no reply depends on how the others are padded.
    given = [engine.generate([chat], [[one]])[0] for chat, one in zip(chats, paths, strict=True)]
    same = [one.text == other.text for one, other in zip(given, expected, strict=True)]
    line = {"what": f"greedy replies equal, {name} and transformers, {told.family} {told.shape}"}
    line |= {"figure": sum(same), "limit": len(same), "ratio": sum(same) / len(same)}
    differ = [SIZES[place] for place, equal in enumerate(same) if not equal]
    machine = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    return {**line, "sizes_that_differ": differ, "machine": machine}


def main() -> None:
    """Prints one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("sft", "grpo", "parity"))
    parser.add_argument("--family", choices=tuple(PAPERS), default="qwen2_5_vl")
    parser.add_argument("--shape", default="3b", help="a shape of the family in training/shapes.yaml")
    parser.add_argument("--batch", type=int, default=8, help="rows (of GRPO completions) on the card at once")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--warmup", type=int, default=4, help="first steps that are not timed")
    parser.add_argument("--attention", default=None, help="sdpa, flash_attention_2, ...")
    parser.add_argument("--checkpointing", action="store_true", help="recompute to save memory")
    parser.add_argument("--server", action="store_true", help="GRPO: rollouts by a running `trl vllm-serve`")
    told = parser.parse_args()
    if not torch.cuda.is_available() and told.shape != "tiny":
        parser.error("there is no GPU here; --shape tiny runs the script on a CPU")
    with tempfile.TemporaryDirectory() as name:
        work = {"sft": sft, "grpo": grpo, "parity": parity}[told.what]
        print(json.dumps(work(told, Path(name))))


if __name__ == "__main__":
    main()
