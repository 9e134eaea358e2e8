"""`cxreason demo`: reports -> reasoning -> SFT -> GRPO -> predictions -> scores -> a page, on phantoms.

Nothing here is special to the demo: each stage is the verb of the same name with a recipe whose paths are
filled in, so every folder below `runs/demo` can be made again by hand from the `recipe.yaml` in it.
Run it again after an interruption and it goes on where it stopped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
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
)
from cxreason.rows import write_json

Stage = tuple[str, Recipe, Callable[..., dict[str, Any]]]


def stages(recipe: DemoRecipe) -> list[Stage]:
    """The stages in order: a name, its whole recipe, and the verb that runs it."""
    from cxreason import build, mining, phantom
    from cxreason.evaluation import score
    from cxreason.inference import predict
    from cxreason.training import grpo, sft

    at = recipe.out
    shared = {"samples": at / "build", "reasoning": at / "mine"}
    models = {"base": recipe.model, "sft": str(at / "sft/model"), "grpo": str(at / "grpo/model")}
    steps: list[Stage] = [
        ("phantom", PhantomRecipe(out=at / "phantom", **recipe.phantom), phantom.generate.make),
        ("build", BuildRecipe(out=at / "build", studies=(at / "phantom",), **recipe.build), build.build),
        ("mine", MineRecipe(out=at / "mine", samples=at / "build", **recipe.mine), mining.run.mine),
        ("sft", SftRecipe(out=at / "sft", model=models["base"], **shared, **recipe.sft), sft.train),
        ("grpo", GrpoRecipe(out=at / "grpo", model=models["sft"], **shared, **recipe.grpo), grpo.train),
    ]
    for name, model in models.items():
        for mode in ("reasoning", "direct"):
            out = at / f"predict-{name}-{mode}"
            ask = PredictRecipe(
                out=out, model=model, name=name, samples=at / "mine", mode=mode, **recipe.predict
            )
            steps.append((out.name, ask, predict.predict))
    runs = tuple(item[1].out for item in steps if item[0].startswith("predict"))
    steps.append(
        ("score", ScoreRecipe(out=at / "score", predictions=runs, samples=at / "mine", **recipe.score), score.score)
    )
    return steps


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
