"""`cxreason serve` on the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from cxreason.cli_parts import Quiet, user_errors


def serve(
    model: Annotated[
        str,
        typer.Argument(metavar="[MODEL|ENDPOINT]", help="checkpoint, or the address of a server: http://..."),
    ] = "phantom",
    name: Annotated[str, typer.Option(help="the model's name on that server, or to show")] = "",
    dialect: Annotated[
        str, typer.Option(help="think or boxed: how the model is asked and answers")
    ] = "think",
    host: Annotated[
        str, typer.Option(help="address to listen on; others than this machine's are open")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="port to listen on; 0 = any free one")] = 8000,
    public_name: Annotated[
        list[str] | None, typer.Option(help="a host name that it answers to, as behind a proxy; repeat")
    ] = None,
    max_pixels: Annotated[
        int | None, typer.Option(min=1, help="most pixels of an image for the model")
    ] = None,
    at_once: Annotated[int | None, typer.Option(min=1, help="questions that are answered at a time")] = None,
    waiting: Annotated[int | None, typer.Option(min=0, help="questions that may wait; more get 429")] = None,
    quiet: Quiet = False,
) -> None:
    """Show a page and an API on which a model is asked about X-rays.

    Examples: cxreason serve, cxreason serve runs/sft/model, and of a server on this machine cxreason serve
    http://localhost:8000/v1 --name MODEL --port 8001
    """
    with user_errors(quiet):
        from cxreason.serve import run as room
        from cxreason.serve.limits import Limits

        told = {"at_once": at_once, "most_waiting": waiting}
        limits = Limits(**{key: value for key, value in told.items() if value is not None})
        room.serve(
            model,
            name=name,
            dialect=dialect,
            host=host,
            port=port,
            hosts=public_name or (),
            max_pixels=max_pixels,
            limits=limits,
        )
