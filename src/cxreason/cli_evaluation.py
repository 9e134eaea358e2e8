"""The verbs that ask and say what replies are worth: predict, probe, control, score, compare, suite."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cxreason.cli_parts import Changes, DryRun, Json, Limit, Quiet, RecipeFile, report, user_errors

evaluation = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@evaluation.command()
def predict(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Ask a model.

    Example: cxreason predict recipes/phantom/predict.yaml mode=direct
    """
    with user_errors(quiet):
        from cxreason.recipes import PredictRecipe, load

        recipe = load(PredictRecipe, recipe_file, changes or [])
        from cxreason.inference import predict as room

        report(recipe, room.predict(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)


@evaluation.command()
def probe(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Change a trace or an image, and see whether the answer follows.

    Example: cxreason probe recipes/phantom/probe.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import ProbeRecipe, load

        recipe = load(ProbeRecipe, recipe_file, changes or [])
        from cxreason.probing import run as room

        report(recipe, room.probe(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)


@evaluation.command()
def control(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Answer without having learned to read: a line through pixels, or the question alone.

    What does not clearly beat these has not learned to see. Score them like a model.
    Example: cxreason control recipes/phantom/control.yaml what=question-only
    """
    with user_errors(quiet):
        from cxreason.recipes import ControlRecipe, load

        recipe = load(ControlRecipe, recipe_file, changes or [])
        from cxreason.evaluation import controls as room

        report(recipe, room.control(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)


@evaluation.command()
def score(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Score predictions, with 95% intervals.

    Example: cxreason score recipes/phantom/score.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import ScoreRecipe, load

        recipe = load(ScoreRecipe, recipe_file, changes or [])
        from cxreason.evaluation import score as room

        report(recipe, room.score(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)
        if not dry_run:
            typer.echo(f"the numbers and every case: {recipe.out / 'page.html'}", err=True)


@evaluation.command()
def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="FOLDER of score, FOLDER:MODEL or with /MODE")],
    second: Annotated[str, typer.Argument(metavar="B", help="the same of the other model")],
    metric: Annotated[
        list[str] | None, typer.Option(help="compare by this one; can be repeated. Default: all of both")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare two models on the items that both were scored on, with paired tests.

    Example: cxreason compare runs/demo/score:sft/reasoning runs/demo/score:grpo/reasoning
    """
    with user_errors(quiet):
        from cxreason.evaluation import compare as room

        result = room.compare(first, second, metric or ())
        typer.echo(json.dumps(result) if as_json else room.describe(result))


@evaluation.command()
def suite(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make the samples of a published benchmark, and ask and score a model.

    Example: cxreason suite recipes/suites/suite-chexone.yaml folders=[/data] --dry-run
    """
    with user_errors(quiet):
        from cxreason.recipes import SuiteRecipe, load

        recipe = load(SuiteRecipe, recipe_file, changes or [])
        from cxreason.suites import run as room

        result = room.suite(recipe, limit=limit, dry_run=dry_run)
        if as_json:
            report(recipe, result, dry_run, as_json)
        else:
            typer.echo(room.describe(result))
            if not dry_run:
                typer.echo(f"written to {recipe.out}", err=True)
