"""Checkpoints from which a killed training goes on as if nothing had happened.

The trainers save weights, optimiser, scheduler and random numbers, and skip the rows that were seen. What
they leave out is kept beside: replies that GRPO has drawn and not yet learnt from, where it is in them, and
what was summed up since the curve was last written. A checkpoint counts once every process has written its
part.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback

from cxreason.rows import append_lines, drop_torn_line, partial, read_lines, replace_whole
from cxreason.training.models import load_model

COMPLETE = "complete"
"""Empty file in a checkpoint folder, written last: a checkpoint without it was cut off while it was saved."""

KEPT = (
    "_step",  # GRPO: which slice of the drawn replies comes next
    "_buffered_inputs",
    "_metrics",
    "_current_train_step_time",
    "_total_train_tokens",
    "_tr_loss",
    "_total_loss_scalar",
    "_globalstep_last_logged",
)
"""What the trainers know between two steps and do not save themselves, where they have it."""


def last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint below `folder`, or None."""
    found = [one for one in _checkpoints(folder) if (one / COMPLETE).exists()]
    return str(found[-1]) if found else None


def remove_incomplete(folder: Path) -> None:
    """Remove what was cut off while it was saved, so that the trainer finds the place free."""
    for checkpoint in _checkpoints(folder):
        if not (checkpoint / COMPLETE).exists():
            shutil.rmtree(checkpoint)


def keep_newest(folder: Path, number: int) -> None:
    """Remove all but the newest complete checkpoints; with 0 of them the folder goes as well."""
    kept = [one for one in _checkpoints(folder) if (one / COMPLETE).exists()][-number:] if number else []
    if not kept:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path not in kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _checkpoints(folder: Path) -> list[Path]:
    return sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]))


class Checkpoints(TrainerCallback):
    """Keeps and gives back what the trainer leaves out; marks whole checkpoints and removes old ones."""

    def __init__(self, trainer: Any) -> None:
        self.trainer = trainer
        # The trainer would remove the older checkpoint before the newer one is known to be whole.
        self.most, trainer.args.save_total_limit = trainer.args.save_total_limit, None
        self.resumed: str | None = None

    def on_train_begin(self, args, state, control, **kwargs):
        if self.resumed is None:
            return
        # Written by this house into its own run folder, so it may hold more than weights.
        kept = torch.load(_part(Path(self.resumed), args.process_index), weights_only=False)
        for name, value in kept.items():
            setattr(self.trainer, name, value)

    def on_save(self, args, state, control, **kwargs):
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        kept = {name: getattr(self.trainer, name) for name in KEPT if hasattr(self.trainer, name)}
        if not _amid_replies(self.trainer):
            kept["_buffered_inputs"] = None
        torch.save(kept, _part(checkpoint, args.process_index))
        self.trainer.accelerator.wait_for_everyone()
        if args.process_index == 0:
            os.sync()
            (checkpoint / COMPLETE).touch()
            whole = [one for one in _checkpoints(checkpoint.parent) if (one / COMPLETE).exists()]
            for old in whole[: -self.most] if self.most else []:
                (old / COMPLETE).unlink()  # first, so that half of it is never taken for a whole
                shutil.rmtree(old)


def _part(checkpoint: Path, process: int) -> Path:
    return checkpoint / f"between-steps-{process}.pt"


def _amid_replies(trainer: Any) -> bool:
    """Whether GRPO will go on learning from replies that it has drawn already."""
    if not hasattr(trainer, "_step"):
        return False
    return trainer._step % (trainer.args.steps_per_generation * trainer.num_iterations) != 0


def resume(trainer: Any, checkpoint: str | None, keeper: Checkpoints) -> None:
    """Tell the trainer how to go on from `checkpoint`."""
    keeper.resumed = checkpoint
    if checkpoint is None or trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        return
    if hasattr(trainer.model, "peft_config"):
        return

    def load_weights(path: str, model: Any = None) -> None:
        # Checkpoints carry the parameter names of released Qwen models, and only from_pretrained translates
        # them. The trainer matches names as they stand, finds none, and would go on from untrained weights.
        target = trainer.model if model is None else model
        told = load_model(path, dtype=str(target.dtype).removeprefix("torch."))
        target.load_state_dict(told.state_dict())

    trainer._load_from_checkpoint = load_weights


class StepLines:
    """A JSONL file of what happened at each step, for whoever watches; steps that are redone stand once.

    lines = StepLines(folder / "curve.jsonl", from_step=120)
    """

    def __init__(self, file: Path, *, from_step: int) -> None:
        self.file = file
        if not file.exists():
            return
        drop_torn_line(file)
        part = partial(file)
        with part.open("w", encoding="utf-8") as stream:
            for row in read_lines(file):
                if row["step"] <= from_step:
                    stream.write(json.dumps(row, ensure_ascii=False) + "\n")
        replace_whole(part, file)

    def write(self, rows: list[dict[str, Any]]) -> None:
        append_lines(self.file, [json.dumps(row, ensure_ascii=False) for row in rows])
