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
    ControlRecipe,
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

RECIPE = Path(__file__).parent / "phantom" / "demo.yaml"
"""What each stage is told, on which experiments stand as well."""

Stage = tuple[str, Recipe, Callable[..., dict[str, Any]]]


def stages(recipe: DemoRecipe) -> list[Stage]:
    """The stages in order: a name, its whole recipe, and the verb that runs it."""
    from cxreason.build import build
    from cxreason.evaluation.controls import CONTROLS, control
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
    # What a model's figures are held against: who sees brightness at places, and who sees no image.
    paths = {"train": data["samples"], "samples": data["reasoning"]}
    asked += [stage(f"control-{what}", ControlRecipe, control, what=what, **paths) for what in CONTROLS]
    runs = tuple(item[1].out for item in asked)
    return [*steps, *asked, stage("score", ScoreRecipe, score, predictions=runs, samples=data["reasoning"])]


def demo(
    recipe: DemoRecipe,
    *,
    limit: int | None = None,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> dict[str, Any]:
    """Run every stage that is not finished, write the page, and return the summary.

    `limit` is handed to every stage. `say` is told each stage as it starts and the seconds it took.
    """
    from cxreason.evaluation.page import write_page

    steps = stages(recipe)
    if dry_run:
        return {"stages": {name: stage.model_dump(mode="json") for name, stage, _ in steps}}
    seconds: dict[str, float] = {}
    for name, stage, verb in steps:
        say(f"{name} ...")
        verb(stage, limit=limit)
        seconds[name] = round(json.loads((stage.out / "run.json").read_text())["seconds"], 1)
        say(f"{name}: {seconds[name]:.1f} s")
    summary = {
        "models": json.loads((recipe.out / "score" / "summary.json").read_text()),
        "seconds": {**seconds, "total": round(sum(seconds.values()), 1)},
        "recipe": recipe.model_dump(mode="json"),
    }
    write_json(recipe.out / "summary.json", summary)
    write_page(recipe.out)
    say(f"in all: {summary['seconds']['total']:.1f} s")
    return summary


def describe(summary: dict[str, Any]) -> str:
    """The summary as a table for a terminal, with the place of the page below it."""
    lines = [f"{'model':<14} {'mode':<10} {'accuracy':<20} {'RadRScore':<20}"]
    for model, modes in summary["models"].items():
        for mode, metrics in modes.items():
            cells = [_cell(metrics["accuracy"])]
            cells.append(_cell(metrics["radrscore"]) if mode == "reasoning" else "no trace asked for")
            lines.append(f"{model:<14} {mode:<10} {cells[0]:<20} {cells[1]:<20}".rstrip())
    page = Path(summary["recipe"]["out"]) / "page.html"
    return "\n".join([*lines, f"Open {page} in a browser. Synthetic data: nothing here is about patients."])


def _cell(figure: dict[str, Any]) -> str:
    return f"{figure['value']:.3f} ({figure['low']:.3f}-{figure['high']:.3f})"
