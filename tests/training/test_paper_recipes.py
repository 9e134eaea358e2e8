"""The recipes of both papers: their values, what TRL says to them, what they become on many GPUs."""

import re
from pathlib import Path

import pytest
import yaml

from cxreason.errors import UserError
from cxreason.recipes import RECIPES, GrpoRecipe, SftRecipe, load
from cxreason.training.configs import batch_settings, configured
from cxreason.training.random_models import random_model

ROOT = Path(__file__).parents[2] / "recipes"
TRAININGS = [
    file for file in sorted(ROOT.rglob("*.yaml")) if re.split(r"[-.]", file.name)[0] in ("sft", "grpo")
]
LAUNCHERS = sorted((ROOT / "accelerate").glob("*.yaml"))


def recipe_of(file):
    return load(RECIPES[re.split(r"[-.]", file.name)[0]], file)


def name_of(file):
    return file.relative_to(ROOT).as_posix()


def on_a_cpu(recipe, processes):
    """The trainer settings that a recipe makes, less what needs a GPU to be asked for."""
    from trl import GRPOConfig, SFTConfig

    kind = SFTConfig if isinstance(recipe, SftRecipe) else GRPOConfig
    settings = {**batch_settings(recipe, processes), **recipe.trainer, "bf16": False, "use_cpu": True}
    return configured(kind, "trainer", {"output_dir": "never-made", **settings})


@pytest.mark.parametrize("file", TRAININGS, ids=name_of)
def test_trl_takes_the_trainer_block_as_it_is(file):
    recipe = recipe_of(file)
    made = on_a_cpu(recipe, 1)
    for key, value in recipe.trainer.items():
        if key != "bf16":
            assert getattr(made, key) == value, key


@pytest.mark.parametrize("file", TRAININGS, ids=name_of)
def test_a_recipe_with_a_batch_makes_it_on_one_gpu_and_on_many(file):
    recipe = recipe_of(file)
    if recipe.global_batch is None:
        return
    rows = recipe.trainer["per_device_train_batch_size"]
    for processes in (1, 8, 32):
        steps = batch_settings(recipe, processes)["gradient_accumulation_steps"]
        assert steps * rows * processes == recipe.global_batch
    if isinstance(recipe, GrpoRecipe):
        assert recipe.global_batch % recipe.trainer["num_generations"] == 0


def test_a_batch_that_the_machine_cannot_make_is_told_and_not_rounded():
    recipe = recipe_of(ROOT / "chexone" / "sft.yaml")
    with pytest.raises(UserError, match="64 processes with 8 rows each do not make"):
        batch_settings(recipe, 64)
    twice = load(SftRecipe, ROOT / "chexone" / "sft.yaml", ["trainer.gradient_accumulation_steps=4"])
    with pytest.raises(UserError, match="say the same thing"):
        batch_settings(twice, 8)


@pytest.mark.parametrize(
    ("file", "values"),
    [
        # What the papers print; reference: sections 7 of ChestX-Reasoner and of CheXOne.
        ("chestx-reasoner/sft.yaml", {"learning_rate": 2e-6, "adam_beta2": 0.95, "weight_decay": 0.0}),
        ("chestx-reasoner/grpo.yaml", {"learning_rate": 5e-7, "beta": 1e-4, "num_generations": 8}),
        ("chexone/sft.yaml", {"learning_rate": 1e-6, "lr_scheduler_type": "cosine"}),
        ("chexone/grpo.yaml", {"learning_rate": 1e-6, "beta": 0.001, "epsilon": 0.2, "num_generations": 8}),
    ],
)
def test_the_defaults_are_the_papers(file, values):
    recipe = recipe_of(ROOT / file)
    assert {key: recipe.trainer[key] for key in values} == values


def test_steps_and_prompts_are_the_papers():
    sft, grpo = (recipe_of(ROOT / "chestx-reasoner" / f"{stage}.yaml") for stage in ("sft", "grpo"))
    assert (sft.num_rows / sft.global_batch, sft.global_batch) == (3500, 512)
    prompts = grpo.global_batch / grpo.trainer["num_generations"]
    assert (grpo.num_rows / prompts, prompts) == (400, 256)
    one = recipe_of(ROOT / "chexone" / "grpo.yaml")
    assert one.freeze == ("vision",)
    assert one.num_rows == 0.2 * 4_200_000
    assert load(RECIPES["select"], ROOT / "chexone" / "select.yaml").share == 0.2


def test_a_variant_differs_from_its_recipe_only_where_it_says_so():
    whole, ablated = (
        yaml.safe_load((ROOT / "chestx-reasoner" / f"{name}.yaml").read_text())
        for name in ("grpo", "grpo-without-process")
    )
    assert {key for key in whole if whole[key] != ablated.get(key)} == {"out", "rewards"}


def test_what_a_stage_reads_is_what_another_writes():
    outs, reads = set(), {}
    for file in sorted(ROOT.rglob("*.yaml")):
        if file.parent.name in ("chestx-reasoner", "chexone"):
            told = yaml.safe_load(file.read_text())
            outs.add(told["out"])
            for key in ("samples", "reasoning", "predictions", "model"):
                value = told.get(key) or ""
                for one in value if isinstance(value, list) else [value]:
                    if one.startswith("runs/"):
                        reads.setdefault(one.split("/model")[0], file.name)
    # Made by the commands that the heads of the recipes print.
    by_command = {"runs/chexone-select-random", "runs/chestx-reasoner-sft-lora/whole"}
    assert set(reads) - outs - by_command == set()


@pytest.mark.parametrize("file", LAUNCHERS, ids=name_of)
def test_accelerate_reads_its_configurations(file):
    from accelerate.commands.config.config_args import load_config_from_file

    told = load_config_from_file(str(file))
    machines = told.num_machines
    assert told.num_processes % machines == 0
    assert f"{machines}-nodes" in file.name or machines == 1


def test_a_misspelt_key_of_the_trainer_is_told_in_one_line():
    recipe = load(SftRecipe, ROOT / "phantom" / "sft.yaml", ["trainer.learning_rat=1e-3"])
    with pytest.raises(
        UserError, match=r"unknown key 'trainer.learning_rat'.* Did you mean 'trainer.learning_rate'"
    ):
        on_a_cpu(recipe, 1)
    recipe = load(GrpoRecipe, ROOT / "phantom" / "grpo.yaml", ["trainer.num_generations=7"])
    with pytest.raises(UserError, match="'trainer' is refused by GRPOConfig: generation_batch_size"):
        on_a_cpu(recipe, 1)


@pytest.mark.parametrize("name", ["8-gpus-fsdp2", "4-nodes-fsdp2"])
def test_the_sharded_configurations_become_fsdp2_with_the_layers_that_models_name(name, monkeypatch):
    from accelerate.commands.launch import _validate_launch_command, launch_command_parser
    from accelerate.utils import FullyShardedDataParallelPlugin
    from accelerate.utils.launch import prepare_multi_gpu_env

    file = ROOT / "accelerate" / f"{name}.yaml"
    asked = launch_command_parser().parse_args(["--config_file", str(file), "script.py"])
    for key, value in prepare_multi_gpu_env(_validate_launch_command(asked)[0]).items():
        if key.startswith(("FSDP", "ACCELERATE")):
            monkeypatch.setenv(key, value)
    plugin = FullyShardedDataParallelPlugin()
    assert (plugin.fsdp_version, plugin.reshard_after_forward) == (2, True)
    assert plugin.activation_checkpointing
    model = random_model("qwen2_5_vl")
    plugin.set_auto_wrap_policy(model)
    wrapped = {
        type(part).__name__
        for part in model.modules()
        if plugin.auto_wrap_policy(part, recurse=False, nonwrapped_numel=0)
    }
    assert wrapped == {"Qwen2_5_VLDecoderLayer", "Qwen2_5_VLVisionBlock"}
