"""The verbs of the reader study: init, serve, export, analyse."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cxreason.cli_parts import Json, Quiet, show, user_errors

study = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="A reader study in the browser: init, serve, export, analyse.",
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="the study folder, with study.yaml")]
Url = Annotated[
    str | None,
    typer.Option(
        "--database",
        envvar="CXREASON_STUDY_DATABASE",
        help="postgresql+psycopg://user@host/name instead of study.db in the folder",
    ),
]


@study.command()
def init(folder: Folder, as_json: Json = False) -> None:
    """Write an example study on phantoms, which runs at once and shows every mode.

    Example: cxreason study init runs/study
    """
    with user_errors(quiet=True):
        from cxreason.study.example import write_example

        show(write_example(folder), as_json)
        typer.echo(f"written to {folder}; start it: cxreason study serve {folder}", err=True)


@study.command()
def serve(
    folder: Folder,
    host: Annotated[
        str, typer.Option(help="0.0.0.0 lets other machines in; put HTTPS before it")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
    database: Url = None,
    links: Annotated[
        bool, typer.Option("--links", help="print a one-time link for each account without a password")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Let readers in. Prints a one-time link for each administrator who has no password yet.

    Example: cxreason study serve runs/study --links
    """
    with user_errors(quiet):
        from cxreason.study.serving import run

        run(folder, host=host, port=port, url=database, links=links)


@study.command()
def export(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="folder to write the tables to")],
    database: Url = None,
    as_json: Json = False,
) -> None:
    """Write what was recorded as CSV and Parquet, in long form.

    Example: cxreason study export runs/study runs/study-tables
    """
    with user_errors(quiet=True):
        from cxreason.study.export import write_tables

        show(write_tables(folder, out, database), as_json)
        typer.echo(f"written to {out}", err=True)


@study.command()
def analyse(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="folder to write the page and tables to")],
    database: Url = None,
    as_json: Json = False,
) -> None:
    """Times, edits, ratings and preferences by arm, with tests and intervals, as a page and as tables.

    Example: cxreason study analyse runs/study runs/study-results
    """
    with user_errors(quiet=True):
        from cxreason.study.analyse import write_results

        show(write_results(folder, out, database), as_json)
        typer.echo(f"written to {out}", err=True)
