"""The recipes: what each verb can be told, as YAML. `recipe_files.py` reads them and says what to mend.

A recipe file's name begins with its verb (`sft.yaml`, `sft-small.yaml`). `key=value` on the command line
wins over the file; dotted keys reach inside (`trainer.max_steps=20`). Paths are relative to the folder
in which the command is started, not to the recipe file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from cxreason.recipe_files import Recipe, RecipeError, load, validate
from cxreason.settings import (
    DIALECT,
    TERSE_FILTERS,
    AuditSettings,
    Control,
    Dialect,
    EndpointSettings,
    Feed,
    MineFilters,
    PoolSettings,
    Seed,
    SuiteSetting,
)
from cxreason.training_recipes import GrpoRecipe, SelectRecipe, SftRecipe, TrainRecipe

__all__ = ["RECIPES", "Recipe", "RecipeError", "TrainRecipe", "load", "validate"]


class PhantomRecipe(Recipe):
    """Settings of `cxreason phantom`: a synthetic corpus."""

    size: Literal["tiny", "small", "large"] = Field(
        "tiny",
        description="small and large are the world of the shipped model, tiny is a plain one for tests",
    )
    num_studies: int = Field(
        1000, ge=1, description="how many examinations to draw; 10000 for small, 100000 for large"
    )
    seed: Seed = 17
    image_size: int = Field(
        256, ge=32, le=4096, description="side of the square images in pixels; 128 for small, 448 for large"
    )
    layout: Literal["", "mimic-cxr", "chexpert", "vindr-cxr", "ms-cxr", "nih", "open-i"] = Field(
        "", description="write the files as this dataset does instead of as studies"
    )

    @model_validator(mode="before")
    @classmethod
    def _sized(cls, values: Any) -> Any:
        """The defaults that come with a size."""
        sizes = {"small": (10_000, 128), "large": (100_000, 448)}
        if isinstance(values, dict) and values.get("size") in sizes:
            return dict(zip(("num_studies", "image_size"), sizes[values["size"]], strict=True)) | values
        return values


class BuildRecipe(Recipe):
    """Settings of `cxreason build`: studies x tasks -> samples. Give `studies`, or `folders` and `feeds`."""

    studies: tuple[Path, ...] = Field((), description="folders that hold studies.parquet")
    tasks: tuple[str, ...] = Field(
        ("binary", "single", "multiple", "anomaly", "temporal"), min_length=1, description="names of tasks"
    )
    per_task: dict[str, int | None] = Field(
        {},
        description="most samples of each task in a split, as in {train: 400, test: 40}; null = all; "
        "a split that is not named is left out, unless none is named",
    )
    folders: tuple[Path, ...] = Field((), description="folders that hold datasets as they are published")
    feeds: tuple[Feed, ...] = Field((), description="which dataset is asked what: the keys of a feed")
    shares: dict[str, dict[Literal["train", "validation", "test"], float]] = Field(
        {}, description="how patients of a dataset without splits are shared out; none named = all train"
    )
    evaluation: tuple[str, ...] = Field(
        (), description="datasets that are kept for tests: nobody in them is trained on, whatever else is fed"
    )
    by_images: tuple[str, ...] = Field(
        (), description="derived datasets whose own split is not minded, only that of the images they show"
    )
    shard_studies: int = Field(4096, ge=1, description="studies in one piece of work")
    workers: int | None = Field(None, ge=1, description="processes; null = one for each core")
    on: Literal["here", "ray"] = Field("here", description="this machine, or the Ray cluster of RAY_ADDRESS")
    audit: AuditSettings = Field(AuditSettings(), description="the keys of an audit")
    seed: Seed = 17

    @model_validator(mode="after")
    def _one_form(self) -> BuildRecipe:
        if bool(self.studies) == bool(self.feeds):
            raise ValueError("give either `studies` or `folders` with `feeds`")
        if self.feeds and not self.folders:
            raise ValueError("`feeds` need `folders`, which hold the datasets: folders=[/data]")
        if len({(feed.dataset, feed.task) for feed in self.feeds}) < len(self.feeds):
            raise ValueError("a task of a dataset is fed twice")
        return self


class MineRecipe(Recipe):
    """Settings of `cxreason mine`: samples -> samples with reasoning."""

    samples: Path = Field(description="run folder of `build`")
    engine: Literal["rules", "llm"] = Field(
        "rules", description="what writes the reasoning; rules needs no model"
    )
    style: Literal["prose", "terse"] = Field(
        "prose", description="rules only: full sentences, or chains short enough for the tiny phantom model"
    )
    way: Literal["three_step", "one_prompt"] = Field(
        "three_step", description="llm only: plan, evidence, chain (ChestX-Reasoner), or one prompt (CheXOne)"
    )
    answer_aware: bool = Field(
        False, description="llm only: show the gold answer, as both papers do; the chain then argues for it"
    )
    llm: PoolSettings | None = Field(None, description="the model, with the keys of a pool of servers")
    filters: MineFilters = Field(MineFilters.model_validate({}), description="what keeps a chain out")
    splits: tuple[Literal["train", "validation", "test"], ...] = Field(
        ("train", "validation", "test"), min_length=1, description="splits to mine"
    )
    workers: int | None = Field(
        None, ge=1, description="rules only: processes; null = one here, on Ray one for each of its cores"
    )
    on: Literal["here", "ray"] = Field(
        "here",
        description="rules only: this machine, or the Ray cluster of RAY_ADDRESS",
    )
    seed: Seed = 17

    @model_validator(mode="before")
    @classmethod
    def _terse(cls, values: Any) -> Any:
        """The filters that come with a style."""
        if isinstance(values, dict) and values.get("style") == "terse":
            told = values.get("filters") or {}
            return {**values, "filters": {**TERSE_FILTERS, **told} if isinstance(told, dict) else told}
        return values

    @model_validator(mode="after")
    def _whole(self) -> MineRecipe:
        if self.engine == "llm" and self.llm is None:
            raise ValueError("engine llm needs `llm: {model: ..., servers: [{url: ...}]}`")
        if self.engine == "rules" and self.llm is not None:
            raise ValueError("`llm` is given, but the engine is rules; write `engine: llm`")
        if self.engine == "llm" and self.on == "ray":
            raise ValueError(
                "`on: ray` spreads the work of the rules; with engine llm the servers work and one process "
                "waits for them all: leave `on` out and name more `llm.servers`"
            )
        return self


class PredictRecipe(Recipe):
    """Settings of `cxreason predict`: samples -> what a model says to them."""

    engine: Literal["transformers", "vllm", "endpoint", "file"] = Field(
        "transformers",
        description="what answers: a checkpoint here, the same in vLLM, servers, or a file of replies",
    )
    model: str = Field("", description="folder or hub id of the model; for transformers and vllm")
    name: str = Field(description="the model's name in tables and in ids, as in base, sft, grpo")
    samples: Path = Field(description="run folder of `build` or `mine`")
    dialect: Dialect = Field("think", description=DIALECT)
    mode: Literal["reasoning", "direct"] = Field("reasoning", description="with or without a trace")
    split: str = Field("test", description="which split to ask about")
    tasks: tuple[str, ...] | None = Field(None, description="names of tasks to ask about; null = all")
    num_samples: int = Field(
        1, ge=1, description="replies to each question; more than one needs a temperature"
    )
    temperature: float = Field(0.0, ge=0, description="0 = the most likely words; else replies are drawn")
    image: Literal["as_is", "blank", "swapped"] = Field(
        "as_is",
        description="what the model sees: blank = grey, swapped = the images of another patient who is asked "
        "the same",
    )
    batch_size: int = Field(16, ge=1, description="samples that are generated together")
    max_new_tokens: int = Field(512, ge=1, description="an answer is cut here")
    max_pixels: int = Field(262_144, ge=784, description="images get a size below this, as in training")
    vllm: dict[str, Any] = Field({}, description="vllm only: handed to vllm.LLM as it is")
    endpoint: PoolSettings | None = Field(
        None, description="endpoint only: the model on its servers, with the keys of a pool of servers"
    )
    file: Path | None = Field(
        None, description="file only: replies as JSON Lines or CSV, with an id and a text, or an answer"
    )
    columns: dict[Literal["id", "text", "answer", "reasoning", "num_tokens"], str] = Field(
        {}, description="file only: names of its columns, where they are not the usual ones"
    )
    accept_failures: bool = Field(
        False,
        description="endpoint only: finish although calls failed; such replies are empty, and wrong",
    )
    seed: Seed = 17

    @model_validator(mode="after")
    def _drawn(self) -> PredictRecipe:
        if self.num_samples > 1 and self.temperature == 0:
            raise ValueError("The most likely words are the same each time: add temperature=1")
        return self

    @model_validator(mode="after")
    def _whole(self) -> PredictRecipe:
        needs = {"endpoint": self.endpoint, "file": self.file}.get(self.engine, self.model)
        if not needs:
            key = self.engine if self.engine in ("endpoint", "file") else "model"
            how = {"endpoint": "{model: ..., servers: [{url: ...}]}", "file": "predictions.jsonl"}
            example = how.get(key, "a folder or hub id")
            raise ValueError(f"engine {self.engine} needs `{key}: {example}`")
        if self.endpoint is not None and (self.engine != "endpoint" or self.endpoint.batch):
            raise ValueError("`endpoint` is for engine endpoint, with `servers`; batch files are not asked")
        if self.engine == "file" and self.image != "as_is":
            raise ValueError("a file holds what was said; it cannot be shown another image")
        return self


class ProbeRecipe(Recipe):
    """Settings of `cxreason probe`: what a model says when something was changed. Its model and settings are
    those of the predictions."""

    predictions: Path = Field(
        description="run folder of `predict`, in mode reasoning and without temperature"
    )
    probes: tuple[Literal["follow", "flip", "early", "alone", "blank", "swapped", "order"], ...] = Field(
        ("follow", "flip", "early", "alone", "blank", "swapped", "order"),
        min_length=1,
        description="follow: does the answer follow from the trace; flip: turn the decisive finding around; "
        "early: ask for the answer before the trace ends; alone: its findings without the image; blank, "
        "swapped: another image; order: the options from the last to the first",
    )
    most: int = Field(250, ge=1, description="samples that are probed, the tasks in turn")
    model: str = Field("", description="where the model is now, if it has moved since")
    seed: Seed = 17


class ControlRecipe(Recipe):
    """Settings of `cxreason control`: what has to be beaten answers the questions that a model is asked."""

    what: Control = Field(
        description="probe: a straight line through pixels for each finding; question-only: the best answer "
        "that can be learned without an image"
    )
    train: Path = Field(description="run folder of `build` whose training samples it learns from")
    samples: Path = Field(description="run folder of `build` or `mine` whose questions it answers")
    split: str = Field("test", description="which split it answers")
    most: int = Field(6000, ge=10, description="studies that the probe learns from, chosen by a hash")
    seed: Seed = 17


class ScoreRecipe(Recipe):
    """Settings of `cxreason score`: predictions -> scores with 95% intervals and a page."""

    predictions: tuple[Path, ...] = Field(min_length=1, description="run folders of `predict`")
    samples: Path = Field(description="run folder of what was asked: of `mine`, or of `build`")
    reasoning: Path | None = Field(
        None,
        description="run folder of `mine` that RadRScore is held against, where `samples` has no reasoning",
    )
    probes: tuple[Path, ...] = Field(
        (), description="run folders of `probe`, whose faithfulness stands beside the scores of its model"
    )
    radrscore: Literal["paper", "released", "strict"] = Field(
        "paper",
        description="RadRScore as printed, as the authors' scorer behaves, or strict: what is not mentioned "
        "earns nothing",
    )
    judge: EndpointSettings | None = Field(
        None,
        description="language model that reads for RadRScore, with the keys of an endpoint; null = rules",
    )
    judge_cache: Path | None = Field(
        None, description="file of what the judge said, to share between runs; null = judge.jsonl in `out`"
    )
    backends: tuple[Literal["bertscore", "radgraph", "chexbert", "ratescore", "green"], ...] = Field(
        (), description="readers with published weights to ask; `cxreason backends list` tells what they give"
    )
    backend_cache: Path | None = Field(
        None, description="file of what backends found, to share between runs; null = backends.jsonl in `out`"
    )
    backend_seconds: float = Field(600, gt=0, description="a backend that needs longer for a batch fails")
    subscores: Path | None = Field(
        None,
        description="scores computed elsewhere: JSON Lines or CSV with `id` and columns named as metrics",
    )
    missing: Literal["wrong", "refuse", "leave_out"] = Field(
        "wrong",
        description="samples without a prediction: count as wrong, stop, or leave out (models then answered "
        "different questions)",
    )
    bootstrap_draws: int = Field(1000, ge=1, description="resamples behind each interval")
    most_cases: int = Field(
        5000, ge=0, description="cases in the browser of the page; the numbers are over all"
    )
    seed: Seed = 17


class SuiteRecipe(Recipe):
    """Settings of `cxreason suite`: a published benchmark, and a model to ask."""

    suite: str = Field(description="its name, under which published results are known")
    folders: tuple[Path, ...] = Field((), description="folders that hold datasets as they are published")
    settings: tuple[SuiteSetting, ...] = Field(min_length=1, description="the keys of a setting of a suite")
    only: tuple[str, ...] = Field((), description="names of settings; empty = all")
    part: tuple[str, ...] = Field(
        (), description="settings of which a part is kept for factuality and self-consistency"
    )
    part_each: int = Field(100, ge=1, description="samples of each of them in that part")
    predict: dict[str, Any] = Field(
        {}, description="the keys of a predict recipe but `out` and `samples`; with them the model is asked"
    )
    score: dict[str, Any] = Field({}, description="keys of a score recipe, for the model that was asked")
    seed: Seed = 17


class DemoRecipe(Recipe):
    """Settings of `cxreason demo`: the part of each stage's recipe that is not a path."""

    out: Path = Field(Path("runs/demo"), description="folder that holds the folders of all stages")
    model: str = Field("phantom", description="the model to start from; `phantom` is the shipped one")
    phantom: dict[str, Any] = Field({})
    build: dict[str, Any] = Field({})
    mine: dict[str, Any] = Field({})
    sft: dict[str, Any] = Field({})
    grpo: dict[str, Any] = Field({})
    predict: dict[str, Any] = Field({})
    control: dict[str, Any] = Field({})
    score: dict[str, Any] = Field({})


class BaseModelRecipe(Recipe):
    """Settings of `python -m cxreason.training.tiny`: the tiny base model that ships in the package."""

    num_studies: int = Field(ge=1, description="phantom studies to learn from")
    image_size: int = Field(112, description="side of the images that the model sees, a multiple of 28")
    vocabulary_size: int = Field(1024, description="size of the BPE vocabulary")
    size: dict[str, int] = Field(description="layers, widths and heads of both halves")
    vision: dict[str, Any] = Field(description="steps, batch_size and learning_rate of the vision tower")
    copying: dict[str, Any] = Field(description="the same of the language half's copying")
    weighing: dict[str, Any] = Field(description="the same of the texts in which it weighs options")
    glancing: dict[str, Any] = Field(description="the same of glances: which findings an image has")
    looking: dict[str, Any] = Field(description="the same of the lessons about images")
    choosing: dict[str, Any] = Field(
        description="the same of the lessons in which findings, or images, are weighed against each other"
    )
    concluding: dict[str, Any] = Field(description="the same of the thoughts that only want a conclusion")
    seed: Seed = 1001


# The beginning of a recipe file's name says which of these it is.
RECIPES: dict[str, type[Recipe]] = {
    "phantom": PhantomRecipe,
    "build": BuildRecipe,
    "mine": MineRecipe,
    "sft": SftRecipe,
    "grpo": GrpoRecipe,
    "predict": PredictRecipe,
    "probe": ProbeRecipe,
    "control": ControlRecipe,
    "select": SelectRecipe,
    "score": ScoreRecipe,
    "suite": SuiteRecipe,
    "demo": DemoRecipe,
    "base": BaseModelRecipe,
}
