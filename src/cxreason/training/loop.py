"""What both trainings share: settings for this machine, checkpoints that can be trusted, the saved model."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.progress import ticking
from cxreason.rows import write_json
from cxreason.training.models import load_model

if TYPE_CHECKING:
    from transformers import Trainer

COMPLETE = "complete"
"""Empty file in a checkpoint folder, written last: a checkpoint without it was cut off while it was saved."""


def machine_settings() -> dict[str, Any]:
    """Trainer settings that follow from the machine and the house; a recipe may overrule each."""
    import torch

    on_gpu = torch.cuda.is_available()
    return {
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        "dataloader_pin_memory": on_gpu,
        "report_to": "none",
        "disable_tqdm": True,  # one progress bar for every verb, and none of it on stdout
        "remove_unused_columns": False,  # the images, and the columns that rewards read
        # The mixture is shuffled already, by the recipe's own seed.
        "shuffle_dataset": False,
        "train_sampling_strategy": "sequential",
    }


def last_checkpoint(folder: Path) -> str | None:
    """The newest complete checkpoint below `folder`; incomplete ones are removed."""
    found = []
    for checkpoint in folder.glob("checkpoint-*"):
        if (checkpoint / COMPLETE).exists():
            found.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    return str(max(found, key=lambda path: int(path.name.split("-")[-1]))) if found else None


def run(trainer: Trainer, folder: Path, what: str) -> list[dict[str, float]]:
    """Train from the newest complete checkpoint on, save the model, return the learning curve.

    The model is written beside its place and moved there, so `folder/model` is whole or absent. The
    checkpoints are removed last: they are only needed until the model is there.
    """
    from transformers import PrinterCallback, TrainerCallback

    checkpoints = folder / "checkpoints"

    class MarkComplete(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            (checkpoints / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    class Tick(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = ticking(state.max_steps, what)
            self.tick = self.bar.__enter__()
            self.tick(state.global_step)

        def on_step_end(self, args, state, control, **kwargs):
            self.tick(1)

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.__exit__(None, None, None)

    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(MarkComplete())
    trainer.add_callback(Tick())
    checkpoint = last_checkpoint(checkpoints)
    if checkpoint is not None:
        # Checkpoints carry the parameter names of released Qwen models, and only from_pretrained translates
        # them. The trainer matches names as they stand, finds none, and would go on from untrained weights.
        model: Any = trainer.model
        model.load_state_dict(load_model(checkpoint).state_dict())
    trainer.train(resume_from_checkpoint=checkpoint)
    curve = [entry for entry in trainer.state.log_history if "train_runtime" not in entry]
    save(trainer.model, trainer.processing_class, folder / "model")
    write_json(folder / "curve.json", curve)
    shutil.rmtree(checkpoints, ignore_errors=True)
    return curve


def last_value(curve: list[dict[str, float]], key: str) -> float | None:
    """The last logged value of a learning curve, or None where it was never logged.

    >>> last_value([{"loss": 2.0}, {"loss": 1.0}, {"epoch": 1.0}], "loss")
    1.0
    """
    return next((entry[key] for entry in reversed(curve) if key in entry), None)


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write model and processor to `folder` in one step: the folder appears only when it is whole."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    processor.save_pretrained(partial)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)
