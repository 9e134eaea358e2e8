"""What both trainings share: settings for this machine, checkpoints that can be trusted, the saved model."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.machine import num_cores
from cxreason.progress import silenced, ticking
from cxreason.recipes import TrainRecipe
from cxreason.rows import write_json, write_text
from cxreason.runs import Run, state_of
from cxreason.training.card import card
from cxreason.training.models import is_adapter

if TYPE_CHECKING:
    from transformers import Trainer


def machine_settings(recipe: TrainRecipe | None = None) -> dict[str, Any]:
    """Trainer settings that follow from the machine and the house; a recipe may overrule each."""
    import torch

    on_gpu = torch.cuda.is_available()
    cores = num_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return {
        "bf16": on_gpu,
        "use_cpu": not on_gpu,
        # A GPU must not wait for images; on a CPU others would take away the cores that compute.
        "dataloader_num_workers": min(8, max(1, cores)) if on_gpu else 0,
        "dataloader_pin_memory": on_gpu,
        "report_to": "none",
        "logging_nan_inf_filter": False,  # a loss that is no number is to be seen, not replaced by the last
        "disable_tqdm": True,  # one progress bar for every verb, and none of it on stdout
        "remove_unused_columns": False,  # the images, and the columns that rewards read
        # The mixture is shuffled already, by the recipe's own seed.
        "shuffle_dataset": False,
        "train_sampling_strategy": "sequential",
        **({} if recipe is None or recipe.keep is None else {"save_total_limit": recipe.keep + 1}),
    }


def pixels_folder(recipe: TrainRecipe) -> Path:
    """Where prepared pixels lie: as the recipe says, or beside the run, where the next stage finds them."""
    return recipe.pixels or recipe.out.parent / "pixels"


@contextlib.contextmanager
def opened(
    recipe: TrainRecipe, verb: str, limit: int | None, may_change: Sequence[str] = ()
) -> Iterator[Run | Follower]:
    """The run folder of a training that one process or several do: the first holds it, the others follow.

    with opened(recipe, "train sft", limit) as run: ...
    """
    told: dict[str, Any] = {"verb": verb, "recipe": recipe, "limit": limit, "may_change": may_change}
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        with Run.open(recipe.out, **told) as run:
            yield run
        return
    import torch
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    if state.is_main_process:
        with Run.open(recipe.out, **told) as run:
            state.wait_for_everyone()
            yield run
            state.wait_for_everyone()
    else:
        with silenced():
            state.wait_for_everyone()
            yield Follower(recipe.out)
            state.wait_for_everyone()


class Follower:
    """The run as the processes after the first see it: they work, and leave what is written to the first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        state = state_of(folder) or {}
        self.finished, self.counts = bool(state["finished"]), dict(state["counts"])

    def finish(self, **counts: Any) -> dict[str, Any]:
        """The same counts that the first process writes down."""
        return counts


def run(
    trainer: Trainer, folder: Path, what: str, recipe: TrainRecipe, rewards: Sequence[str] = ()
) -> list[dict[str, float]]:
    """Train from the newest complete checkpoint on, save the model, return the learning curve.

    The model is written beside its place and moved there, with its card, so `folder/model` is whole or
    absent. `finish` removes the checkpoints.
    """
    from transformers import PrinterCallback

    from cxreason.training import checkpoints
    from cxreason.training.watch import Watch

    first, kept = trainer.args.process_index == 0, folder / "checkpoints"
    if first:
        checkpoints.remove_incomplete(kept)
    trainer.accelerator.wait_for_everyone()
    trainer.remove_callback(PrinterCallback)
    keeper = checkpoints.Checkpoints(trainer)
    for callback in (keeper, Watch(trainer, folder, rewards), _bar(what)):
        trainer.add_callback(callback)
    checkpoint = checkpoints.last_checkpoint(kept)
    checkpoints.resume(trainer, checkpoint, keeper)
    trainer.train(resume_from_checkpoint=checkpoint)
    curve = [entry for entry in trainer.state.log_history if "train_runtime" not in entry]
    told = card(recipe, what, curve, folder) if first else ""
    if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
        save_sharded(trainer, folder / "model", told)
    elif first:
        save(trainer.model, trainer.processing_class, folder / "model", card=told)
    if first:
        write_json(folder / "curve.json", curve)
    return curve


def finish(run: Run | Follower, recipe: TrainRecipe, **counts: Any) -> dict[str, Any]:
    """Mark the run as finished, and only then remove what a start after a kill would have needed."""
    from cxreason.training import checkpoints

    told = run.finish(**counts)
    if isinstance(run, Run):
        checkpoints.keep_newest(run.folder / "checkpoints", recipe.keep or 0)
        shutil.rmtree(run.folder / "rows", ignore_errors=True)
    return told


def _bar(what: str) -> Any:
    """One step of the progress bar for each of the optimiser."""
    from transformers import TrainerCallback

    class Tick(TrainerCallback):
        def on_train_begin(self, args, state, control, **kwargs):
            self.bar = ticking(state.max_steps, what)
            self.tick = self.bar.__enter__()
            self.tick(state.global_step)

        def on_step_end(self, args, state, control, **kwargs):
            self.tick(1)

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.__exit__(None, None, None)

    return Tick()


def last_value(curve: list[dict[str, float]], key: str) -> float | None:
    """The last logged value of a learning curve, or None where it was never logged.

    >>> last_value([{"loss": 2.0}, {"loss": 1.0}, {"epoch": 1.0}], "loss")
    1.0
    """
    return next((entry[key] for entry in reversed(curve) if key in entry), None)


def save(model: Any, processor: Any, folder: Path, *, card: str = "") -> None:
    """Write model, processor and card to `folder` in one step: the folder appears only when it is whole."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    model.save_pretrained(partial)
    if is_adapter(partial):
        model.config.save_pretrained(partial)  # so that a folder of adapters tells its family, too
    processor.save_pretrained(partial)
    if card:  # after the others, because peft writes a card of its own
        write_text(partial / "README.md", card)
    shutil.rmtree(folder, ignore_errors=True)
    partial.replace(folder)


def save_sharded(trainer: Trainer, folder: Path, card: str = "") -> None:
    """The same where the weights are spread over processes: all of them gather, the first one writes."""
    partial = folder.with_name(folder.name + ".partial")
    first = trainer.args.process_index == 0
    if first:
        shutil.rmtree(partial, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(partial))
    trainer.accelerator.wait_for_everyone()
    if first:
        if card:
            write_text(partial / "README.md", card)
        shutil.rmtree(folder, ignore_errors=True)
        partial.replace(folder)
