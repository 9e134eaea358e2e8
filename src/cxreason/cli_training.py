"""The verbs around training: train, rewards check, merge and push. `cli.py` puts them among the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cxreason.cli_parts import Changes, DryRun, Json, Limit, Quiet, RecipeFile, report, show, user_errors

train = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Train a model: sft, then grpo.")
rewards = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Try rewards before they train.")


@train.command()
def sft(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stage 1: learn answers and mined reasoning.

    Example: cxreason train sft recipes/phantom/sft.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import SftRecipe, load

        recipe = load(SftRecipe, recipe_file, changes or [])
        from cxreason.training import sft as room

        report(recipe, room.train(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)


@train.command()
def grpo(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Stage 2: learn from rewards.

    Example: cxreason train grpo recipes/phantom/grpo.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import GrpoRecipe, load

        recipe = load(GrpoRecipe, recipe_file, changes or [])
        from cxreason.training import grpo as room

        report(recipe, room.train(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)


@rewards.command()
def check(
    recipe_file: RecipeFile, changes: Changes = None, as_json: Json = False, quiet: Quiet = False
) -> None:
    """Say what right, spoilt, empty and cunning replies earn under a recipe of `train grpo`.

    Ends with exit code 1 where the right one does not earn most. A judge is not asked: the rules read.
    Example: cxreason rewards check recipes/phantom/grpo.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import GrpoRecipe, load

        recipe = load(GrpoRecipe, recipe_file, changes or [])
        from cxreason.training import grpo as stage
        from cxreason.training import reward_check as room

        found = room.check(recipe, stage.read_by_rules(stage.reward_functions(recipe)))
        typer.echo(json.dumps(found) if as_json else room.describe(found))
        if found["failures"]:
            raise typer.Exit(1)


def merge(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="folder of adapters, as a training with lora leaves it")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="folder to write")],
    dtype: Annotated[
        str, typer.Option(help="float32 or bfloat16: what the weights are written in")
    ] = "bfloat16",
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make a whole model of adapters and their base: cxreason merge runs/sft/model runs/sft/whole"""
    with user_errors(quiet):
        from cxreason.training import publish as room

        show(room.merge(model, out, dtype=dtype), as_json)


def push(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="model folder of a training, or of merge")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="whose it is and what it is called: me/my-model")
    ],
    public: Annotated[
        bool, typer.Option("--public", help="for everybody to see; else for you alone")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Send a model with its card to the Hugging Face hub: cxreason push runs/sft/model me/my-model

    Its card has to name a licence.
    """
    with user_errors(quiet):
        from cxreason.training import publish as room

        show(room.push(model, name, public=public), as_json)
