"""Trainings of seconds for tests: a Qwen2.5-VL of one layer, random weights, and recipes of both stages."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import torch

from cxreason.recipes import GrpoRecipe, SftRecipe, validate
from cxreason.training import grpo, loop, models, sft

SHAPE = {
    "text_config": {"num_hidden_layers": 1, "layer_types": ["full_attention"], "intermediate_size": 64},
    "vision_config": {"depth": 1, "fullatt_block_indexes": [0], "intermediate_size": 64},
}
STAGES = {
    "sft": (SftRecipe, sft.train, {"num_rows": 48, "trainer": {"per_device_train_batch_size": 8}}),
    "grpo": (
        GrpoRecipe,
        grpo.train,
        {
            "num_rows": 6,
            "reward_check": "warn",  # its rewards only have to differ
            "trainer": {
                "per_device_train_batch_size": 4,
                "steps_per_generation": 3,  # so that checkpoints fall amid replies that are drawn
                "num_generations": 4,
                "num_iterations": 1,
                "beta": 0.01,
                "max_completion_length": 8,
            },
        },
    ),
}


def small_model(folder: Path) -> Path:
    """A model folder whose weights are the same each time."""
    from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

    values = json.loads((models.BASE_MODEL / "config.json").read_text())
    for half, changes in SHAPE.items():
        values[half] |= changes
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(values))
    torch.manual_seed(7)
    model = Qwen2_5_VLForConditionalGeneration(AutoConfig.from_pretrained(folder)).float()
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 2, 0
    model.save_pretrained(folder)
    models.load_processor("phantom").save_pretrained(folder)
    return folder


def recipe(stage: str, out: Path, corpus: Path, model: Path, trainer: dict | None = None, **changes):
    """The recipe of a stage of six steps that saves at every second one."""
    kind, _, told = STAGES[stage]
    common = {"learning_rate": 1e-2, "save_steps": 2, "logging_steps": 1, "num_train_epochs": 1}
    values = {
        **told,
        "out": out,
        "model": str(model),
        "samples": corpus / "build",
        "reasoning": corpus / "mine",
        "max_pixels": 12544,
        "pixels": out.parent / "pixels",
        **changes,
        "trainer": {"gradient_checkpointing": False, **common, **told["trainer"], **(trainer or {})},
    }
    return validate(kind, values)


def letters(completions: list, **columns) -> list[float]:
    """A reward that differs between the replies of a model that has learnt nothing."""
    return [sum(map(str.isalpha, one[0]["content"])) / 10 for one in completions]


def train(stage: str, told) -> dict:
    """Run a stage to its end in this process."""
    first, letters.__name__ = grpo.reward_functions, "answer_reward"
    grpo.reward_functions = lambda recipe: {**first(recipe), "answer": letters}
    try:
        return STAGES[stage][1](told)
    finally:
        grpo.reward_functions = first


def killed(stage: str, told, *, step: int, saving: bool) -> None:
    """Run a stage in a process of its own that is killed, without notice, after a step or amid its saving."""
    child = multiprocessing.get_context("fork").Process(target=_doomed, args=(stage, told, step, saving))
    child.start()
    child.join(300)
    assert child.exitcode == -signal.SIGKILL


def _doomed(stage: str, told, step: int, saving: bool) -> None:
    from transformers import TrainerCallback

    from cxreason.training import checkpoints

    def die(state):
        if state.global_step == step:
            os.kill(os.getpid(), signal.SIGKILL)

    class Doom(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            if not saving:
                die(state)

    first = checkpoints.Checkpoints.on_save

    def on_save(self, args, state, control, **kwargs):
        if saving:
            die(state)
        first(self, args, state, control, **kwargs)

    checkpoints.Checkpoints.on_save = on_save
    loop._bar = lambda what: Doom()
    torch.set_num_threads(1)
    train(stage, told)


def alone(stage: str) -> dict:
    """Settings of one process to compare two with: replies are learnt from in the step that draws them."""
    return {"steps_per_generation": 1} if stage == "grpo" else {}


def halved(stage: str) -> dict:
    """The same for each of two processes, which together have the same global batch."""
    half = STAGES[stage][2]["trainer"]["per_device_train_batch_size"] // 2
    return {**alone(stage), "per_device_train_batch_size": half}
