"""The command line: every verb takes a recipe, makes one call into its room and says what came of it.

Rooms are imported inside the verbs, after the recipe was read: `--help` stays instant, a base install
needs no torch, and a misspelt key is told before anything heavy is loaded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cxreason import __version__, cli_training
from cxreason.cli_backends import backends
from cxreason.cli_evaluation import evaluation
from cxreason.cli_parts import Changes, DryRun, Json, Limit, Quiet, RecipeFile, report, show, user_errors
from cxreason.cli_serve import serve
from cxreason.cli_study import study
from cxreason.errors import UserError

# Without rich markup the help is plain text: rich alone would take half of the time that help may take.
app = typer.Typer(
    no_args_is_help=True, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False
)
app.add_typer(cli_training.train, name="train")
app.add_typer(cli_training.rewards, name="rewards")
app.add_typer(study, name="study")
app.add_typer(evaluation)
app.add_typer(backends, name="backends")


def main() -> None:
    """Run the command line; the entry point of the `cxreason` script."""
    app(prog_name="cxreason")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cxreason {__version__}")
        raise typer.Exit


@app.callback()
def cxreason(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    """Chest X-ray reports in, a reasoning vision-language model out, and a measure of its reasoning.

    Every verb reads a folder and writes a new one. Stop it at any time; the same command continues.
    Not a medical device.
    """


@app.command()
def demo(
    changes: Changes = None,
    recipe_file: Annotated[
        Path | None, typer.Option("--recipe", help="a demo recipe other than the one in the package")
    ] = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The whole loop on synthetic X-rays, in minutes; ends with a page. Run again to continue."""
    with user_errors(quiet):
        from cxreason import demo as room
        from cxreason.recipes import DemoRecipe, load

        recipe = load(DemoRecipe, recipe_file or room.RECIPE, changes or [])
        say = (lambda line: None) if quiet else (lambda line: typer.echo(line, err=True))
        result = room.demo(recipe, limit=limit, dry_run=dry_run, say=say)
        if dry_run or as_json:
            show(result, as_json)
        else:
            typer.echo(room.describe(result))


@app.command()
def phantom(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="folder to write, or a recipe (*.yaml)")],
    changes: Changes = None,
    size: Annotated[str | None, typer.Option(help="tiny, small or large; wins over the recipe")] = None,
    layout: Annotated[str | None, typer.Option(help="a dataset's folders: mimic-cxr, nih, ...")] = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Draw a synthetic corpus.

    Example: cxreason phantom runs/phantom --size small num_studies=200
    """
    with user_errors(quiet):
        from cxreason.recipes import PhantomRecipe, load

        is_recipe = out.suffix in (".yaml", ".yml")
        given = list(changes or []) if is_recipe else [*(changes or []), f"out={json.dumps(str(out))}"]
        asked = {"size": size, "layout": layout}
        given += [f"{key}={json.dumps(value)}" for key, value in asked.items() if value is not None]
        recipe = load(PhantomRecipe, out if is_recipe else None, given)
        from cxreason.phantom import run as room

        result = room.make_phantoms(recipe, limit=limit, dry_run=dry_run)
        report(recipe, result, dry_run, as_json)


@app.command()
def build(
    recipe_file: Annotated[
        Path, typer.Argument(metavar="RECIPE", help="a YAML file; with --list a folder that holds datasets")
    ],
    changes: Changes = None,
    list_only: Annotated[
        bool, typer.Option("--list", help="show which datasets a folder holds and which tasks they feed")
    ] = False,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make samples of studies, or of datasets as they are published.

    Examples: cxreason build recipes/phantom/build.yaml --dry-run, cxreason build --list /data
    """
    with user_errors(quiet):
        if list_only:
            from cxreason.build.feeds import list_held

            if not recipe_file.is_dir():
                raise UserError(f"{recipe_file}: there is no such folder. Name one that holds datasets.")
            held = list_held([recipe_file])
            if not held and not as_json:
                from cxreason.datasets.tables import unpack_first

                raise UserError(
                    f"{recipe_file}: holds no dataset as its owners publish it, nor do the folders two below "
                    f"it. docs/datasets.md says what is looked for.{unpack_first(recipe_file)}"
                )
            show(held, as_json)
            return
        from cxreason.recipes import BuildRecipe, load

        recipe = load(BuildRecipe, recipe_file, changes or [])
        from cxreason import build as room

        result = room.build(recipe, limit=limit, dry_run=dry_run)
        report(recipe, result, dry_run, as_json)
        if result.get("audit"):
            raise UserError(
                f"{recipe.out}: the audit found {len(result['audit'])} faults; see audit.html there."
            )


@app.command()
def audit(
    data: Annotated[list[Path], typer.Argument(metavar="DATA...", help="run folders of build, or *.parquet")],
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(help="a test set as a whole, whatever its splits say; can be repeated"),
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0, help="so far above chance a blind guesser is harmless")
    ] = 0.02,
    most: Annotated[int, typer.Option(min=1, help="samples of each dataset, task and side to guess")] = 5000,
    most_ratio: Annotated[
        float, typer.Option(min=0, help="most frequent label to the rarest; 0 = labels as they come")
    ] = 2.0,
    hash_images: Annotated[bool, typer.Option(help="compare images by their pixels too")] = True,
    out: Annotated[Path | None, typer.Option(help="where audit.html goes; by default the first DATA")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what a guesser without images would score, and who stands on both sides of a split.

    Ends with exit code 1 where something is wrong. Example: cxreason audit runs/build-phantom
    """
    with user_errors(quiet):
        from cxreason import audit as room

        strict: dict[str, Any] = {"margin": margin, "most": most, "most_ratio": most_ratio or None}
        found = room.audit(data, evaluation or (), hash_images=hash_images, **strict)
        folder = out or (data[0] if data[0].is_dir() else data[0].parent)
        page = room.write_audit(found, folder)
        typer.echo(json.dumps(found) if as_json else "\n".join(found["failures"]) or "passed")
        typer.echo(f"written to {page}", err=True)
        if found["failures"]:
            raise typer.Exit(1)


@app.command()
def export(
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="run folder of build or mine; for rexrank of predict")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="folder to write; for rexrank a file")],
    form: Annotated[
        str,
        typer.Option(help="swift (JSON Lines for ms-swift), verl (Parquet) or rexrank (JSON for its board)"),
    ] = "swift",
    dialect: Annotated[
        str, typer.Option(help="think or boxed: how the model is asked and answers")
    ] = "think",
    mode: Annotated[str, typer.Option(help="reasoning or direct")] = "reasoning",
    template: Annotated[
        Path | None, typer.Option(help="for rexrank: its test file, which the predictions are written into")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write samples as another trainer reads them, or reports as ReXrank does.

    Example: cxreason export runs/mine runs/verl --form verl
    """
    with user_errors(quiet):
        if form == "rexrank":
            from cxreason.suites.rexrank import export_rexrank

            show(export_rexrank(data, out, template), as_json)
            return
        from cxreason.build.export import export as room

        show(room(data, out, form=form, dialect=dialect, mode=mode), as_json)


@app.command()
def mine(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Write reasoning for samples from their reports.

    Example: cxreason mine recipes/phantom/mine.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import MineRecipe, load

        recipe = load(MineRecipe, recipe_file, changes or [])
        from cxreason.mining import run as room

        result = room.mine(recipe, limit=limit, dry_run=dry_run)
        if dry_run or as_json:
            report(recipe, result, dry_run, as_json)
        else:
            typer.echo(room.describe(result))
            typer.echo(f"written to {recipe.out}", err=True)


app.command()(cli_training.merge)
app.command()(cli_training.push)


@app.command()
def select(
    recipe_file: RecipeFile,
    changes: Changes = None,
    limit: Limit = None,
    dry_run: DryRun = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Keep the samples that a model is unsure of, for stage 2.

    Example: cxreason select recipes/phantom/select.yaml
    """
    with user_errors(quiet):
        from cxreason.recipes import SelectRecipe, load

        recipe = load(SelectRecipe, recipe_file, changes or [])
        from cxreason.training import select as room

        report(recipe, room.select(recipe, limit=limit, dry_run=dry_run), dry_run, as_json)


app.command()(serve)


@app.command()
def doctor(as_json: Json = False) -> None:
    """Say what this machine has, what is installed and what each extra would add."""
    from cxreason import doctor as room

    findings = room.examine()
    typer.echo(json.dumps(findings) if as_json else room.describe(findings))
