"""The recipes of training: what both stages are told, and the choice of samples between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from cxreason.recipe_files import Recipe
from cxreason.settings import (
    DIALECT,
    GRADERS,
    REWARDS,
    VARIANT,
    Dialect,
    EndpointSettings,
    Graders,
    RewardVariant,
    RewardWeights,
    Seed,
)


class TrainRecipe(Recipe):
    """What both stages of training are told."""

    model: str = Field(description="folder or hub id to start from; `phantom` is the shipped model")
    samples: Path = Field(description="run folder of `build`: rows that are answered directly")
    reasoning: Path | None = Field(None, description="run folder of `mine`: rows that are reasoned about")
    reasoning_share: float = Field(0.5, ge=0, le=1, description="share of the rows that is reasoned about")
    weights: dict[str, float] | None = Field(
        None,
        description="how often rows of a mode, dataset or task are drawn, as in {direct: 8, reasoning: 2, "
        "reasoning/temporal: 0.5}; null = by `reasoning_share`, and rows alike",
    )
    num_rows: int = Field(ge=1, description="rows to train on; batch size times steps for one pass each")
    dialect: Dialect = Field("think", description=DIALECT)
    max_pixels: int = Field(262_144, ge=784, description="images get a size below this")
    pixels: Path | None = Field(
        None, description="folder of prepared images, which runs can share; null = `pixels` beside `out`"
    )
    freeze_vision: bool = Field(False, description="hold the vision tower and its projector still")
    freeze: tuple[Literal["vision", "projector", "language"], ...] | None = Field(
        None, description="parts that are held still, each by itself; vision is the tower without projector"
    )
    lora: dict[str, Any] | None = Field(
        None, description="train adapters instead of the weights; handed to peft.LoraConfig as it is"
    )
    dtype: Literal["float32", "bfloat16"] | None = Field(
        None,
        description="what weights are held in; null = float32, which `trainer.bf16` computes in 16 bits; "
        "bfloat16 = half of the memory",
    )
    attention: Literal["eager", "sdpa", "flash_attention_2", "flash_attention_3"] | None = Field(
        None, description="how attention is computed; null = what transformers takes by itself"
    )
    global_batch: int | None = Field(
        None,
        ge=1,
        description="rows of one step (of GRPO completions) over all processes; sets "
        "`trainer.gradient_accumulation_steps` for the machine at hand",
    )
    bad_samples: Literal["refuse", "drop"] | None = Field(
        None,
        description="samples without image, too long, ...: null = refuse to train; drop = leave them out",
    )
    keep: int | None = Field(
        None, ge=1, description="newest checkpoints that stay after training; null = the model alone"
    )
    licence: str | None = Field(
        None, description="of the trained model, as the hub names it (cc-by-nc-4.0); `push` needs one"
    )
    trainer: dict[str, Any] = Field({})
    seed: Seed = 17

    @model_validator(mode="after")
    def _frozen_once(self) -> TrainRecipe:
        if self.freeze_vision and self.freeze is not None:
            raise ValueError("`freeze_vision` and `freeze` say the same thing: write `freeze` alone")
        if self.lora is not None and (self.freeze_vision or self.freeze):
            raise ValueError("with `lora` all weights are held still, and `lora.target_modules` says where")
        return self


class SftRecipe(TrainRecipe):
    """Settings of `cxreason train sft`. Whatever TRL already names lives under `trainer`."""

    length_window: int = Field(
        8,
        ge=1,
        description="steps whose rows are sorted by length together, so that little is padding; with 1 the "
        "batches of a step are, and what is learnt does not change",
    )
    trainer: dict[str, Any] = Field({}, description="handed to trl.SFTConfig as it is")


class GrpoRecipe(TrainRecipe):
    """Settings of `cxreason train grpo`. Whatever TRL already names lives under `trainer`."""

    rewards: RewardWeights = Field(
        {"format": 1.0, "answer": 1.0, "process": 1.0}, min_length=1, description=REWARDS
    )
    graders: Graders | None = Field(None, description=GRADERS)
    reward_variant: RewardVariant | None = Field(None, description=VARIANT)
    reward_check: Literal["refuse", "warn"] | None = Field(
        None, description="where the right answer does not earn most: null = refuse to train; warn = train on"
    )
    judge: EndpointSettings | None = Field(
        None,
        description="language model that reads for `process`, with the keys of an endpoint; null = rules, "
        "which also stand in where it fails",
    )
    trainer: dict[str, Any] = Field({}, description="handed to trl.GRPOConfig as it is")

    @model_validator(mode="after")
    def _readers(self) -> GrpoRecipe:
        if self.reward_variant == "released" and not self.dialect.startswith("boxed"):
            raise ValueError("`reward_variant: released` is CheXOne's: write `dialect: boxed`")
        if self.judge is not None and "process" not in self.rewards:
            raise ValueError("`judge` reads for the reward `process`, which `rewards` leaves out")
        return self


class SelectRecipe(Recipe):
    """Settings of `cxreason select`: the samples on which a model is of two minds, for `train grpo`."""

    predictions: Path = Field(description="run folder of `predict` with num_samples and a temperature")
    samples: Path = Field(description="run folder of `mine` or `build` that was predicted")
    rewards: RewardWeights = Field(
        {"format": 1.0, "answer": 1.0, "process": 1.0}, min_length=1, description=REWARDS
    )
    graders: Graders | None = Field(None, description=GRADERS)
    reward_variant: RewardVariant | None = Field(None, description=VARIANT)
    choose: Literal["variance", "random"] = Field(
        "variance",
        description="variance = where the reward varies most; random = as many of each task, by lot",
    )
    share: float = Field(0.2, gt=0, le=1, description="share of each task's samples that is kept")
    shares: dict[str, float] | None = Field(
        None, description="task -> its own share, as in {view: 0.14}; null = `share` for all"
    )
    seed: Seed = 17
