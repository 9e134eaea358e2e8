"""`cxreason demo`: reports -> reasoning -> SFT -> GRPO -> predictions -> scores -> a page, on phantoms.

Nothing here is special to the demo: each stage is the verb of the same name with a recipe whose paths are
filled in, so every folder below `runs/demo` can be made again by hand from the `recipe.yaml` in it.
Run it again after an interruption and it goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cxreason.recipes import (
    BuildRecipe,
    DemoRecipe,
    GrpoRecipe,
    MineRecipe,
    PhantomRecipe,
    PredictRecipe,
    Recipe,
    ScoreRecipe,
    SftRecipe,
    validate,
)
from cxreason.rows import write_json

Stage = tuple[str, Recipe, Callable[..., dict[str, Any]]]


def stages(recipe: DemoRecipe) -> list[Stage]:
    """The stages in order: a name, its whole recipe, and the verb that runs it."""
    from cxreason.build import build
    from cxreason.evaluation.score import score
    from cxreason.inference.predict import predict
    from cxreason.mining.run import mine
    from cxreason.phantom.run import make_phantoms
    from cxreason.training import grpo, sft

    def stage(folder: str, kind: type[Recipe], verb: Callable[..., dict[str, Any]], **paths: Any) -> Stage:
        told = getattr(recipe, folder.partition("-")[0])
        where = f"demo recipe, '{folder.partition('-')[0]}'"
        return folder, validate(kind, {**told, "out": recipe.out / folder, **paths}, where), verb

    data = {"samples": recipe.out / "build", "reasoning": recipe.out / "mine"}
    models = {
        "base": recipe.model,
        "sft": str(recipe.out / "sft" / "model"),
        "grpo": str(recipe.out / "grpo" / "model"),
    }
    steps = [
        stage("phantom", PhantomRecipe, make_phantoms),
        stage("build", BuildRecipe, build, studies=(recipe.out / "phantom",)),
        stage("mine", MineRecipe, mine, samples=data["samples"]),
        stage("sft", SftRecipe, sft.train, model=models["base"], **data),
        stage("grpo", GrpoRecipe, grpo.train, model=models["sft"], **data),
    ]
    asked = [
        stage(
            f"predict-{name}-{mode}",
            PredictRecipe,
            predict,
            model=model,
            name=name,
            mode=mode,
            samples=data["reasoning"],
        )
        for name, model in models.items()
        for mode in ("reasoning", "direct")
    ]
    runs = tuple(item[1].out for item in asked)
    return [*steps, *asked, stage("score", ScoreRecipe, score, predictions=runs, samples=data["reasoning"])]


def demo(
    recipe: DemoRecipe, *, dry_run: bool = False, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Run every stage that is not finished, write the page, and return the summary."""
    from cxreason.evaluation.page import write_page

    steps = stages(recipe)
    if dry_run:
        return {"stages": {name: stage.model_dump(mode="json") for name, stage, _ in steps}}
    seconds: dict[str, float] = {}
    for name, stage, verb in steps:
        say(f"{name} ...")
        verb(stage)
        seconds[name] = round(json.loads((stage.out / "run.json").read_text())["seconds"], 1)
        say(f"{name}: {seconds[name]:.1f} s")
    summary = {
        "models": json.loads((recipe.out / "score" / "summary.json").read_text()),
        "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
        "recipe": recipe.model_dump(mode="json"),
    }
    write_json(recipe.out / "summary.json", summary)
    page = write_page(recipe.out)
    return {**summary, "page": str(page)}
