"""`cxreason serve`: load the model, open the port, answer until somebody stops it."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Sequence
from typing import Any

from cxreason.errors import UserError
from cxreason.serve.limits import Limits

HEADER_SECONDS = 15.0
"""How long a connection may take until its first request begins."""
SEND_SECONDS = 30.0
"""How long a client may read nothing of what waits for it."""
MOST_CONNECTIONS = 512
DEFAULT_TOKENS = 512


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
    from cxreason.serve.desk import Desk
    from cxreason.serve.examples import examples
    from cxreason.serve.guard import LOOPBACK

    if dialect not in DIALECTS:
        raise ServeError(f"unknown dialect {dialect!r}: one of {', '.join(DIALECTS)}")
    listening = _listen(host, port)
    bound = listening.getsockname()
    local = bound[0] in ("127.0.0.1", "::1")
    engine = _engine(model, name, max_pixels)
    desk = Desk(engine, dialect=dialect, limits=limits, examples=examples())
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
        server(app).run(sockets=[listening])
    finally:
        close = getattr(engine, "close", None)
        if close:
            close()


def server(app: Any) -> Any:
    """uvicorn as it serves the application, ready to `run(sockets=[...])`."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http=_patient_protocol(),
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=20,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


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


def _listen(host: str, port: int) -> socket.socket:
    """The open port; taken before the model is loaded, which takes a while."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(MOST_CONNECTIONS)
    except OSError as error:
        raise ServeError(
            f"{host}:{port} cannot be opened ({error.strerror}). Name another with --port."
        ) from None
    return listening


def _patient_protocol() -> type:
    """uvicorn's protocol with ends to its patience: it waits for ever for a request, and for a reader."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.loop.call_later(HEADER_SECONDS, self._without_request)

        def _without_request(self) -> None:
            if self.cycle is None and not self.transport.is_closing():
                self.transport.abort()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._watch(self.transport.get_write_buffer_size())

        def _watch(self, before: int) -> None:
            """Look again later whether anything was read."""

            def look() -> None:
                left = self.transport.get_write_buffer_size()
                if not left or not self.flow.write_paused:
                    return
                if left < before:
                    self._watch(left)
                    return
                logging.getLogger("cxreason.serve").warning("a client does not read its answer; it is let go")
                self.transport.abort()

            self.loop.call_later(SEND_SECONDS, look)

    return Patient
