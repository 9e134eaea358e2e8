"""What both web servers share: the port, uvicorn with ends to its patience, bodies that stay small, files.

uvicorn waits for ever for the head of a request, for its body and for a reader of its answer. A few hundred
clients that do nothing would be enough to keep everybody else out.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import mimetypes
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cxreason.errors import UserError

if TYPE_CHECKING:
    from uvicorn import Server

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEAD_SECONDS = 15.0
"""How long the head of a request may take, from the connection or from its first byte."""
SEND_SECONDS = 30.0
"""How long a client may read nothing of what waits for it."""
KEEP_SECONDS = 20
"""How long a connection stays on which nothing is asked."""
MOST_CONNECTIONS = 512
PASSING_SECONDS, PASSING_BYTES = 1.0, 8 << 20
"""So long, and so much of it, a request that is refused may go on."""


class PortError(UserError):
    """A port that cannot be had."""


def listen(host: str, port: int) -> socket.socket:
    """The open port (0 for any that is free); PortError says in one line why it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(MOST_CONNECTIONS)
    except OSError as error:
        raise PortError(
            f"{host}:{port} cannot be opened ({error.strerror}). Name another with --port."
        ) from None
    return listening


def server(app: Any, log: str) -> Server:
    """uvicorn as it serves an application, ready to `run(sockets=[...])`; `log` is the logger it tells.

    server(make_app(desk), "cxreason.serve").run(sockets=[listen("127.0.0.1", 8000)])
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http=_patient_protocol(log),
        ws="none",
        log_level="warning",
        access_log=False,  # one-time links are part of an address
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_SECONDS,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config)


def _patient_protocol(log: str) -> type:
    """uvicorn's protocol with ends to its patience."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Patient(H11Protocol):
        waiting: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait_for_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)  # after which uvicorn does not count the seconds of silence any more
            if self.cycle is None or self.cycle.response_complete:
                self._wait_for_head()
            else:
                self._stop_waiting()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_head(self) -> None:
            """Close the connection after a while; further bytes that make no request win no time."""
            if self.waiting is None:
                self.waiting = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self.waiting is not None:
                self.waiting.cancel()
                self.waiting = None

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
                logging.getLogger(log).warning("a client does not read its answer; it is let go")
                self.transport.abort()

            self.loop.call_later(SEND_SECONDS, look)

    return Patient


def bounded(receive: Receive, most_bytes: int, seconds: float) -> Receive:
    """The body of a request as long as it stays small and comes in time; else it ends with 413 or 408."""
    from fastapi import HTTPException

    num_bytes = 0
    ends = time.monotonic() + seconds
    whole = False

    async def limited() -> Message:
        nonlocal num_bytes, whole
        if whole:  # what comes now is only that the client goes away
            return await receive()
        try:
            async with asyncio.timeout(max(0.0, ends - time.monotonic())):
                message = await receive()
        except TimeoutError:
            late = f"the request was not whole after {seconds:g} seconds"
            raise HTTPException(408, late, {"Connection": "close"}) from None
        num_bytes += len(message.get("body", b""))
        whole = not message.get("more_body", False)
        if num_bytes > most_bytes:
            if not whole:
                await let_pass(receive)
            raise HTTPException(413, too_large(most_bytes), {"Connection": "close"})
        return message

    return limited


async def let_pass(receive: Receive) -> None:
    """Read on for a moment and keep nothing: to close on a client that still writes is to take the answer
    from it, for its machine drops what has come but was not read yet."""
    num_bytes = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PASSING_SECONDS):
            while num_bytes < PASSING_BYTES:
                message = await receive()
                num_bytes += len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return


def too_large(most_bytes: int) -> str:
    """What is said of a body that is too large.

    >>> too_large(100_000)
    'a request may have 100,000 bytes at most'
    """
    return f"a request may have {most_bytes:,} bytes at most"


class Files:
    """The files of a folder, read once: an ASGI application that knows their names and no paths.

    app.mount("/static", Files(Path("static")))

    Browsers keep them and ask each time whether they are still the ones: an upgrade is seen at once.
    """

    def __init__(self, folder: Path):
        self.files: dict[str, tuple[bytes, str, str]] = {}
        for path in sorted(folder.iterdir()):
            content = path.read_bytes()
            mark = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            self.files[path.name] = content, kind, mark

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one file."""
        from fastapi import HTTPException
        from fastapi.responses import Response

        name = scope["path"].removeprefix(f"{scope.get('root_path', '')}/")
        if name not in self.files or scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(404)
        content, kind, mark = self.files[name]
        headers = {"etag": mark, "cache-control": "no-cache"}
        known = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
        if mark in known:
            answer = Response(None, 304, headers)
        else:
            answer = Response(content, 200, headers, media_type=kind)
        await answer(scope, receive, send)
