"""`cxreason serve`: load the model, open the port, answer until somebody stops it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from cxreason.errors import UserError
from cxreason.serve.limits import Limits
from cxreason.web import listen, server

DEFAULT_TOKENS = 512
LOG = "cxreason.serve"


class ServeError(UserError):
    """What keeps the server from starting, in one line."""


def serve(
    model: str,
    *,
    name: str = "",
    dialect: str = "think",
    host: str = "127.0.0.1",
    port: int = 8000,
    hosts: Sequence[str] = (),
    max_pixels: int | None = None,
    limits: Limits | None = None,
) -> None:
    """Serve a checkpoint (folder, hub name or `phantom`) or the model `name` of an endpoint's url.

    serve("phantom", port=8000)
    """
    from cxreason.answers import DIALECTS
    from cxreason.serve.app import make_app
    from cxreason.serve.desk import UNTAUGHT, Desk
    from cxreason.serve.examples import examples
    from cxreason.serve.guard import LOOPBACK

    if dialect not in DIALECTS:
        raise ServeError(f"unknown dialect {dialect!r}: one of {', '.join(DIALECTS)}")
    listening = listen(host, port)  # before the model is loaded, which takes a while
    bound = listening.getsockname()
    local = bound[0] in ("127.0.0.1", "::1")
    engine = _engine(model, name, max_pixels)
    about = UNTAUGHT if model == "phantom" else ""
    desk = Desk(engine, dialect=dialect, limits=limits, examples=examples(), about=about)
    # A server that only this machine can reach answers to this machine's names alone: see Guard.
    app = make_app(desk, hosts=(*LOOPBACK, *hosts) if local or hosts else ())
    shown = f"[{bound[0]}]" if ":" in bound[0] else bound[0]
    say = sys.stderr.write
    say(f"{engine.name} answers on http://{shown}:{bound[1]} (API: /docs). {desk.notice}\n")
    if not local:
        say(
            f"warning: everybody who reaches {host} can use it. Put a proxy with TLS and a login before it.\n"
        )
    try:
        server(app, LOG).run(sockets=[listening])
    finally:
        close = getattr(engine, "close", None)
        if close:
            close()


def _engine(model: str, name: str, max_pixels: int | None) -> Any:
    from cxreason.serve.engines import EndpointEngine, LocalEngine

    if model.startswith(("http://", "https://")):
        if not name:
            raise ServeError(f"{model}: which model? Add --name with the model's name on that server.")
        from cxreason.settings import ServerSettings

        return EndpointEngine(ServerSettings.model_validate({"url": model}), name)
    from cxreason.inference.transformers import TransformersEngine

    loaded = TransformersEngine(model, max_new_tokens=DEFAULT_TOKENS, max_pixels=max_pixels)
    return LocalEngine(loaded, name or model.rstrip("/").rpartition("/")[2])
