"""What a recipe hands to TRL and peft as it is, and what follows from the machine: the batch per step.

A misspelt key under `trainer:` or `lora:` is told in one line, as any other key of a recipe is.
"""

from __future__ import annotations

import difflib
import inspect
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from cxreason.errors import UserError
from cxreason.recipes import GrpoRecipe, SftRecipe

Config = TypeVar("Config")

PER_DEVICE = "per_device_train_batch_size"


def configured(kind: type[Config], key: str, values: dict[str, Any]) -> Config:
    """A settings object of another library, made of what stands under `key` in a recipe.

    Raises UserError where it has no such setting, or refuses a value.
    """
    known = inspect.signature(kind).parameters
    for name in values:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean '{key}.{close[0]}'?" if close else ""
            raise UserError(f"unknown key '{key}.{name}': {kind.__name__} has no such setting.{hint}")
    try:
        return kind(**values)
    except (ValueError, TypeError) as error:
        said = " ".join(str(error).split())
        raise UserError(f"'{key}' is refused by {kind.__name__}: {said}") from error


def num_processes() -> int:
    """How many processes train together, as `accelerate launch` and `torchrun` say; 1 without them."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def one_after_another() -> AbstractContextManager[None]:
    """The first of several processes goes through what stands inside before the others begin it."""
    if num_processes() == 1:
        return nullcontext()
    from accelerate import PartialState

    return PartialState().main_process_first()


def batch_settings(recipe: SftRecipe | GrpoRecipe, processes: int | None = None) -> dict[str, int]:
    """How many batches are gathered for one step, so that it sees `global_batch` rows on any machine.

    Of GRPO these rows are completions. Where `global_batch` is null, the recipe's `trainer` decides alone.
    """
    if recipe.global_batch is None:
        return {}
    told = {"gradient_accumulation_steps", "steps_per_generation", "generation_batch_size"} & set(
        recipe.trainer
    )
    if told:
        raise UserError(
            f"'global_batch' and 'trainer.{min(told)}' say the same thing: leave one of them out."
        )
    processes = processes or num_processes()
    at_once = recipe.trainer.get(PER_DEVICE, 8) * processes
    steps, rest = divmod(recipe.global_batch, at_once)
    if rest or not steps:
        raise UserError(
            f"'global_batch' is {recipe.global_batch}, which {processes} processes with "
            f"{at_once // processes} rows each do not make: {at_once} at once. Change "
            f"'trainer.{PER_DEVICE}' or 'global_batch' so that one divides the other."
        )
    return {"gradient_accumulation_steps": steps}


def step_rows(recipe: SftRecipe) -> int:
    """How many rows one step of stage 1 sees, over all processes.

    >>> from cxreason.recipes import validate
    >>> told = {"out": "a", "model": "phantom", "samples": "b", "num_rows": 1, "trainer": {PER_DEVICE: 4}}
    >>> step_rows(validate(SftRecipe, {**told, "global_batch": 8}))
    8
    """
    settings = {**batch_settings(recipe), **recipe.trainer}
    return settings.get(PER_DEVICE, 8) * settings.get("gradient_accumulation_steps", 1) * num_processes()
