"""The grid of experiments as jobs: each one verb of cxreason with a whole recipe, and what it waits for.

A policy is a way to make a model: stage 1, stage 2, both or none, from the base model or from another policy.
Whatever several policies share is one job: the corpus, the questions, stage 1, the draws of the filter.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cxreason.recipes import (
    BuildRecipe,
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

Stage = Literal[
    "phantom", "build", "mine", "questions", "control", "sft", "grpo", "draws", "select", "predict", "score",
    "habits",
]  # fmt: skip
SHARED = "shared"
"""Where the folders lie that no seed changes."""


class Policy(BaseModel):
    """How one model is made. Without `sft` and `grpo` it is the model that it comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: str = Field("base", description="the policy whose model it starts from")
    sft: dict[str, Any] | None = Field(None, description="stage 1: what differs from the grid's `sft`")
    grpo: dict[str, Any] | None = Field(None, description="stage 2: what differs from the grid's `grpo`")
    select: Literal["variance", "random"] | None = Field(None, description="filter the prompts of stage 2")
    modes: tuple[Literal["reasoning", "direct"], ...] = ("reasoning", "direct")
    images: tuple[Literal["blank", "swapped"], ...] = Field((), description="asked in these ways as well")
    dialect: str = "think"


class Grid(Recipe):
    """All of it: what each stage is told, less paths and names, and the policies."""

    model: str = Field("phantom", description="the base model")
    seeds: tuple[int, ...] = Field((1, 2, 3), min_length=1, description="of the trainings and draws")
    workers: int = Field(2, ge=0, description="jobs under way at once, one thread each; 0 = in this process")
    phantom: dict[str, Any] = Field({})
    build: dict[str, Any] = Field({})
    sft: dict[str, Any] = Field({})
    grpo: dict[str, Any] = Field({})
    draws: dict[str, Any] = Field({})
    select: dict[str, Any] = Field({})
    predict: dict[str, Any] = Field({})
    score: dict[str, Any] = Field({})
    policies: dict[str, Policy]
    contrasts: tuple[tuple[str, str], ...] = Field(
        (), description="pairs whose difference is printed: policy, policy/direct or policy/reasoning/blank"
    )
    seconds: dict[str, float] = Field({}, description="what a job of each stage takes, for --dry-run")
    smoke: dict[str, Any] = Field({}, description="what --smoke changes")


class QuestionsRecipe(Recipe):
    """The test questions: all of a split, with their reasoning where it was mined."""

    build: Path
    mine: Path
    split: str = "test"


class ControlRecipe(Recipe):
    """Answers of a linear probe on pixels, or of somebody who sees only the question."""

    what: Literal["probe", "question-only"]
    train: Path
    samples: Path
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


def jobs(grid: Grid) -> list[Job]:
    """Every job, each after those that it needs."""
    made = [*_corpus(grid)]
    for policy in grid.policies:
        for seed in _seeds(grid, policy):
            made += _policy(grid, policy, seed)
    order = {job.name: job for job in made}
    if len(order) != len(made):
        raise ValueError("two jobs have one name")
    return _sorted(order)


def is_trained(grid: Grid, policy: str) -> bool:
    """Whether any training lies behind a policy, so that seeds make different models of it.

    >>> is_trained(Grid(out="o", policies={"base": {}}), "base")
    False
    """
    made = grid.policies[policy]
    if made.sft is not None or made.grpo is not None:
        return True
    return policy != "base" and is_trained(grid, made.start)


def _seeds(grid: Grid, policy: str) -> tuple[int | None, ...]:
    return grid.seeds if is_trained(grid, policy) else (None,)


def _corpus(grid: Grid) -> Iterator[Job]:
    shared = grid.out / SHARED
    at = {name: shared / name for name in ("phantom", "build", "mine", "questions")}

    def job(name: str, kind: type[Recipe], needs: tuple[str, ...], **told: Any) -> Job:
        return Job(name, name, validate(kind, {"out": at[name], **told}, f"grid, '{name}'"), needs)  # type: ignore[arg-type]

    yield job("phantom", PhantomRecipe, (), **grid.phantom)
    yield job("build", BuildRecipe, ("phantom",), studies=[at["phantom"]], **grid.build)
    yield job("mine", MineRecipe, ("build",), samples=at["build"])
    yield job("questions", QuestionsRecipe, ("build", "mine"), build=at["build"], mine=at["mine"])
    for what in ("probe", "question-only"):
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
            yield from (job for job in draws if job is not None)
            data, needs = {"samples": selected, "reasoning": selected}, (*needs, draws[-1].name)
        told = {**_merged(grid.grpo, policy.grpo), **data, "out": _at(grid, f"grpo-{name}", seed)}
        told |= {"model": model, "seed": seed, "dialect": policy.dialect}
        recipe = validate(GrpoRecipe, told, f"grid, 'policies.{name}.grpo'")
        yield Job(_name(f"grpo-{name}", seed), "grpo", recipe, (*needs, "mine"), name, seed=seed)
    yield from _asked(grid, name, seed)


def _filter(
    grid: Grid, name: str, seed: int | None, model: str, needs: tuple[str, ...]
) -> tuple[tuple[Job, ...], Path]:
    """Draws and selection of a filtered policy. Policies of one start share the draws: the first asks."""
    policy = grid.policies[name]
    out = _at(grid, f"draws-{policy.start}", seed)
    drawn = Job(
        _name(f"draws-{policy.start}", seed),
        "draws",
        validate(
            PredictRecipe,
            {
                **_merged(grid.predict, grid.draws),
                "out": out,
                "model": model,
                "name": policy.start,
                "samples": grid.out / SHARED / "mine",
                "split": "train",
                "seed": seed,
            },
            "grid, 'draws'",
        ),
        (*needs, "mine"),
        policy.start,
        "reasoning",
        seed=seed,
    )
    first = next(
        other for other, one in grid.policies.items() if one.select is not None and one.start == policy.start
    )
    told = {
        **grid.select,
        "out": _at(grid, f"select-{name}", seed),
        "predictions": out,
        "samples": grid.out / SHARED / "mine",
        "choose": policy.select,
        "seed": seed,
    }
    recipe = validate(SelectRecipe, told, "grid, 'select'")
    chosen = Job(_name(f"select-{name}", seed), "select", recipe, (drawn.name,), name, seed=seed)
    return ((drawn, chosen) if first == name else (chosen,)), recipe.out


def _asked(grid: Grid, name: str, seed: int | None) -> Iterator[Job]:
    """A policy's predictions with their scores and, where it reasons, their habits."""
    policy, questions = grid.policies[name], grid.out / SHARED / "questions"
    model, needs = _model(grid, name, seed)
    ways = [(mode, "as_is") for mode in policy.modes] + [("reasoning", image) for image in policy.images]
    true_traces = _at(grid, f"predict-{name}-reasoning-as_is", seed)
    for mode, image in ways:
        title = f"predict-{name}-{mode}-{image}"
        told = {**grid.predict, "out": _at(grid, title, seed), "model": model, "name": name, "mode": mode}
        told |= {"image": image, "samples": questions, "dialect": policy.dialect}
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


def _sorted(order: dict[str, Job]) -> list[Job]:
    from graphlib import TopologicalSorter

    return [
        order[name]
        for name in TopologicalSorter({name: job.needs for name, job in order.items()}).static_order()
    ]
