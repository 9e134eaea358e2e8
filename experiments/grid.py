"""The grid of experiments as jobs: each one verb of cxreason with a whole recipe, and what it waits for.

A policy is a way to make a model: stage 1, stage 2, both or none, from the base model or from another policy.
Whatever several policies share is one job: the corpus, the questions, stage 1, the draws of the filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cxreason.evaluation.controls import CONTROLS
from cxreason.recipes import (
    BuildRecipe,
    ControlRecipe,
    GrpoRecipe,
    MineRecipe,
    PhantomRecipe,
    PredictRecipe,
    Recipe,
    ScoreRecipe,
    SelectRecipe,
    SftRecipe,
    validate,
)
from cxreason.tasks import RADRBENCH

Stage = Literal[
    "phantom", "build", "mine", "questions", "pool", "control", "sft", "grpo", "draws", "select", "predict",
    "score", "habits",
]  # fmt: skip
SHARED = "shared"
"""Where the folders lie that no seed changes."""
FROM_THE_DEMO = ("mine", "sft", "grpo", "predict")
"""Stages that are told what the demo tells them, wherever a grid says nothing else."""

Way = tuple[str, str, str]
"""A policy, the mode in which it is asked, and what it sees."""


class Policy(BaseModel):
    """How one model is made. Without `sft` and `grpo` it is the model that it comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field("", description="what the paper calls it; empty = its name")
    start: str = Field("base", description="the policy, named before it, whose model it starts from")
    sft: dict[str, Any] | None = Field(None, description="stage 1: what differs from the grid's `sft`")
    grpo: dict[str, Any] | None = Field(None, description="stage 2: what differs from the grid's `grpo`")
    select: Literal["variance", "random"] | None = Field(None, description="filter the prompts of stage 2")
    asked: tuple[str, ...] = Field(
        ("reasoning", "direct", "reasoning/blank"), description="modes; after a slash, what it is shown"
    )
    dialect: str = "think"


class Contrast(BaseModel):
    """Two ways of asking, whose difference is tested on the questions that both were asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: str = Field(description="policy, policy/direct or policy/reasoning/blank")
    second: str = Field(description="the control, in the same form")
    published: dict[str, str] = Field(
        min_length=1, description="metric -> by how much `first` was printed to be ahead; empty = nowhere"
    )


class Experiment(BaseModel):
    """One question, with all the contrasts that answer it: one family for Holm's correction."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ways: tuple[str, ...] = Field(min_length=1, description="rows of its table, each as in a contrast")
    columns: tuple[str, ...] = Field(
        ("accuracy", "anomaly_f1", "radrscore", "r_f", "r_c", "r_e"), description="metrics of its table"
    )
    changes: tuple[str, ...] = Field((), description="metrics told as changes from the first way")
    contrasts: tuple[Contrast, ...] = Field(min_length=1)


class Grid(Recipe):
    """All of it: what each stage is told, less paths and names, and the policies."""

    model: str = Field("phantom", description="the base model")
    seeds: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="of the trainings and draws")
    workers: int = Field(2, ge=0, description="jobs under way at once, one thread each; 0 = in this process")
    phantom: dict[str, Any] = Field({})
    build: dict[str, Any] = Field({})
    mine: dict[str, Any] = Field({})
    pool: dict[str, Any] = Field({})
    sft: dict[str, Any] = Field({})
    grpo: dict[str, Any] = Field({})
    draws: dict[str, Any] = Field({})
    select: dict[str, Any] = Field({})
    predict: dict[str, Any] = Field({})
    score: dict[str, Any] = Field({})
    policies: dict[str, Policy]
    experiments: dict[str, Experiment] = Field({})
    seconds: dict[str, float] = Field({}, description="what a job of each stage takes, for --dry-run")
    smoke: dict[str, Any] = Field({}, description="what --smoke changes")

    @model_validator(mode="after")
    def _known(self) -> Grid:
        seen: set[str] = set()
        for name, policy in self.policies.items():
            if name != "base" and policy.start not in seen:
                raise ValueError(f"policy {name} starts from {policy.start}, which is not named before it")
            seen.add(name)
        asked = {way for name in self.policies for way in ways(self, name)}
        asked |= {(control, "direct", "as_is") for control in CONTROLS}
        for title, experiment in self.experiments.items():
            for text in _texts(experiment):
                if way_of(text) not in asked:
                    raise ValueError(f"experiment {title} names {text}, which is not asked")
        return self


def way_of(text: str) -> Way:
    """
    >>> way_of("process"), way_of("process/direct"), way_of("process/reasoning/blank")
    (('process', 'reasoning', 'as_is'), ('process', 'direct', 'as_is'), ('process', 'reasoning', 'blank'))
    """
    policy, mode, image = (*text.split("/"), "", "")[:3]
    return policy, mode or "reasoning", image or "as_is"


def ways(grid: Grid, policy: str) -> tuple[Way, ...]:
    """All ways in which a policy is asked."""
    return tuple(way_of(f"{policy}/{text}") for text in grid.policies[policy].asked)


class QuestionsRecipe(Recipe):
    """The test questions: all of a split, with their reasoning where it was mined."""

    build: Path
    mine: Path
    split: str = "test"


class PoolRecipe(Recipe):
    """The training samples of which the filter chooses: as many of each task, by lot."""

    mine: Path
    per_task: int = Field(ge=1)
    seed: int = 17


class HabitsRecipe(Recipe):
    """What traces are made of; and against the traces `beside`, given to the true image, how they changed."""

    predictions: Path
    beside: Path | None = None
    samples: Path


@dataclass(frozen=True)
class Job:
    """One run folder. `seed` is None where no seed changes it."""

    name: str
    stage: Stage
    recipe: Recipe
    needs: tuple[str, ...] = ()
    policy: str = ""
    mode: str = ""
    image: str = "as_is"
    seed: int | None = None

    @property
    def out(self) -> Path:
        return self.recipe.out

    @property
    def kind(self) -> str:
        """What jobs take like long: a stage, and of those that ask or read replies also the mode."""
        asked = self.stage in ("predict", "score") and self.policy not in CONTROLS
        return f"{self.stage} {self.mode}" if asked else self.stage


def jobs(grid: Grid) -> list[Job]:
    """Every job, each after those that it needs: what no seed changes, then one seed after the other.

    So the tables have something to say as soon as the first seed is through.
    """
    made = [*_corpus(grid)]
    for seed in (None, *grid.seeds):
        for policy in grid.policies:
            if is_trained(grid, policy) == (seed is not None):
                made += _policy(grid, policy, seed)
    known: set[str] = set()
    for job in made:
        if job.name in known or not known.issuperset(job.needs):
            raise ValueError(f"{job.name}: comes twice, or before what it needs")
        known.add(job.name)
    return made


def only(planned: Sequence[Job], experiments: Sequence[Experiment]) -> list[Job]:
    """The jobs behind some experiments: the controls, their ways of asking, and all that leads there."""
    wanted = {way_of(text) for one in experiments for text in _texts(one)}
    wanted |= {(policy, mode, "blank") for policy, mode, _ in wanted}  # stands beside each
    wanted |= {(control, "direct", "as_is") for control in CONTROLS}
    needed = {
        job.name
        for job in planned
        if job.stage in ("score", "habits") and (job.policy, job.mode, job.image) in wanted
    }
    for job in reversed(planned):  # each stands after what it needs
        if job.name in needed:
            needed |= set(job.needs)
    return [job for job in planned if job.name in needed]


def _texts(experiment: Experiment) -> tuple[str, ...]:
    pairs = [name for one in experiment.contrasts for name in (one.first, one.second)]
    return (*experiment.ways, *pairs)


def is_trained(grid: Grid, policy: str) -> bool:
    """Whether any training lies behind a policy, so that seeds make different models of it.

    >>> is_trained(Grid(out="o", policies={"base": {}}), "base")
    False
    """
    made = grid.policies[policy]
    if made.sft is not None or made.grpo is not None:
        return True
    return policy != "base" and is_trained(grid, made.start)


def _corpus(grid: Grid) -> Iterator[Job]:
    shared = grid.out / SHARED
    at = {name: shared / name for name in ("phantom", "build", "mine", "questions", "pool")}

    def job(name: str, kind: type[Recipe], needs: tuple[str, ...], **told: Any) -> Job:
        return Job(name, name, validate(kind, {"out": at[name], **told}, f"grid, '{name}'"), needs)  # type: ignore[arg-type]

    yield job("phantom", PhantomRecipe, (), **grid.phantom)
    yield job("build", BuildRecipe, ("phantom",), studies=[at["phantom"]], **grid.build)
    yield job("mine", MineRecipe, ("build",), samples=at["build"], **grid.mine)
    yield job("questions", QuestionsRecipe, ("build", "mine"), build=at["build"], mine=at["mine"])
    yield job("pool", PoolRecipe, ("mine",), mine=at["mine"], **grid.pool)
    for what in CONTROLS:
        out = shared / f"predict-{what}"
        told = {"out": out, "what": what, "train": at["build"], "samples": at["questions"]}
        recipe = validate(ControlRecipe, told, "grid")
        yield Job(f"predict-{what}", "control", recipe, ("questions",), what, "direct")
        yield _score(grid, f"predict-{what}", out, what, "direct", "as_is", None)


def _policy(grid: Grid, name: str, seed: int | None) -> Iterator[Job]:
    policy, shared = grid.policies[name], grid.out / SHARED
    data = {"samples": shared / "build", "reasoning": shared / "mine"}
    model, needs = _model(grid, policy.start, seed)
    if policy.sft is not None:
        told = {**_merged(grid.sft, policy.sft), **data, "out": _at(grid, f"sft-{name}", seed)}
        told |= {"model": model, "seed": seed, "dialect": policy.dialect}
        recipe = validate(SftRecipe, told, f"grid, 'policies.{name}.sft'")
        yield Job(_name(f"sft-{name}", seed), "sft", recipe, (*needs, "mine"), name, seed=seed)
        model, needs = str(recipe.out / "model"), (_name(f"sft-{name}", seed),)
    if policy.grpo is not None:
        if policy.select is not None:
            draws, selected = _filter(grid, name, seed, model, needs)
            yield from draws
            data, needs = {"samples": selected, "reasoning": selected}, (*needs, draws[-1].name)
        told = {**_merged(grid.grpo, policy.grpo), **data, "out": _at(grid, f"grpo-{name}", seed)}
        told |= {"model": model, "seed": seed, "dialect": policy.dialect}
        recipe = validate(GrpoRecipe, told, f"grid, 'policies.{name}.grpo'")
        yield Job(_name(f"grpo-{name}", seed), "grpo", recipe, (*needs, "mine"), name, seed=seed)
    yield from _asked(grid, name, seed)


def _filter(
    grid: Grid, name: str, seed: int | None, model: str, needs: tuple[str, ...]
) -> tuple[tuple[Job, ...], Path]:
    """Draws and selection of a filtered policy. One start and dialect share the draws: the first asks."""
    policy, pool = grid.policies[name], grid.out / SHARED / "pool"
    spoken = "" if policy.dialect == "think" else f"-{policy.dialect}"
    out = _at(grid, f"draws-{policy.start}{spoken}", seed)
    told = {**_merged(grid.predict, grid.draws), "out": out, "model": model, "name": policy.start}
    told |= {"samples": pool, "split": "train", "seed": seed, "dialect": policy.dialect}
    recipe = validate(PredictRecipe, told, "grid, 'draws'")
    needed = (*needs, "pool")
    drawn = Job(_name(out.name, seed), "draws", recipe, needed, policy.start, "reasoning", seed=seed)
    told = {**grid.select, "out": _at(grid, f"select-{name}", seed), "predictions": out, "samples": pool}
    recipe = validate(SelectRecipe, {**told, "choose": policy.select, "seed": seed}, "grid, 'select'")
    chosen = Job(_name(f"select-{name}", seed), "select", recipe, (drawn.name,), name, seed=seed)
    same = (policy.start, policy.dialect)
    first = next(
        other
        for other, one in grid.policies.items()
        if one.select is not None and (one.start, one.dialect) == same
    )
    return ((drawn, chosen) if first == name else (chosen,)), recipe.out


def _asked(grid: Grid, name: str, seed: int | None) -> Iterator[Job]:
    """A policy's predictions with their scores and, where it reasons, their habits.

    It reasons about the tasks for which reasoning is mined, and answers all of them directly: what no
    training taught a policy to reason about would only measure how it rambles.
    """
    policy, questions = grid.policies[name], grid.out / SHARED / "questions"
    model, needs = _model(grid, name, seed)
    true_traces = _at(grid, f"predict-{name}-reasoning-as_is", seed)
    for _, mode, image in ways(grid, name):
        title = f"predict-{name}-{mode}-{image}"
        told = {**grid.predict, "out": _at(grid, title, seed), "model": model, "name": name, "mode": mode}
        told |= {"image": image, "samples": questions, "dialect": policy.dialect}
        told |= {"tasks": RADRBENCH} if mode == "reasoning" else {}
        recipe = validate(PredictRecipe, told, "grid, 'predict'")
        needed = (*needs, "questions")
        yield Job(_name(title, seed), "predict", recipe, needed, name, mode, image, seed)
        yield _score(grid, _name(title, seed), recipe.out, name, mode, image, seed)
        if mode == "reasoning":
            beside = None if image == "as_is" else true_traces
            out = _at(grid, f"habits-{name}-{image}", seed)
            told = {"out": out, "predictions": recipe.out, "beside": beside, "samples": questions}
            both = (_name(title, seed),) + (() if beside is None else (_name(true_traces.name, seed),))
            habits = validate(HabitsRecipe, told, "grid")
            yield Job(_name(out.name, seed), "habits", habits, both, name, mode, image, seed)


def _score(grid: Grid, predicted: str, out: Path, name: str, mode: str, image: str, seed: int | None) -> Job:
    title = out.name.replace("predict-", "score-", 1)
    told = {**grid.score, "out": out.with_name(title), "predictions": [out]}
    told["samples"] = grid.out / SHARED / "questions"
    recipe = validate(ScoreRecipe, told, "grid, 'score'")
    return Job(_name(title, seed), "score", recipe, (predicted,), name, mode, image, seed)


def _model(grid: Grid, name: str, seed: int | None) -> tuple[str, tuple[str, ...]]:
    """The folder of a policy's model, and the job that makes it."""
    policy = grid.policies[name]
    for stage, told in (("grpo", policy.grpo), ("sft", policy.sft)):
        if told is not None:
            return str(_at(grid, f"{stage}-{name}", seed) / "model"), (_name(f"{stage}-{name}", seed),)
    return (grid.model, ()) if name == "base" else _model(grid, policy.start, seed)


def _at(grid: Grid, folder: str, seed: int | None) -> Path:
    return grid.out / (SHARED if seed is None else f"seed-{seed}") / folder


def _name(folder: str, seed: int | None) -> str:
    return folder if seed is None else f"{folder}@{seed}"


def _merged(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What a stage is told: the trainer's settings one by one, everything else as a whole."""
    merged = {**common, **own}
    if "trainer" in common and "trainer" in own:
        merged["trainer"] = {**common["trainer"], **own["trainer"]}
    return merged
