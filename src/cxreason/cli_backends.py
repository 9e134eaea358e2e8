"""The verbs of the readers with published weights: backends list, install, check."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from cxreason.cli_parts import Json, show, user_errors

backends = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Metrics that need published weights: list, install, check.",
)
BackendName = Annotated[str, typer.Argument(metavar="NAME", help="see `cxreason backends list`")]


@backends.command("list")
def list_all(as_json: Json = False) -> None:
    """Say which backends there are, what they give and which are installed."""
    with user_errors(quiet=True):
        from cxreason.evaluation.backends import places as room

        found = room.listing()
        typer.echo(json.dumps(found) if as_json else room.describe(found))


@backends.command()
def install(name: BackendName, as_json: Json = False) -> None:
    """Make the environment of a backend and install its packages there: cxreason backends install radgraph"""
    with user_errors(quiet=True):
        from cxreason.evaluation.backends import places as room

        show(room.install(name), as_json)


@backends.command()
def check(name: BackendName, as_json: Json = False) -> None:
    """Start a backend, which fetches its weights, and let it read: cxreason backends check radgraph"""
    with user_errors(quiet=True):
        from cxreason.evaluation.backends import places as room

        show(room.check(name), as_json)
