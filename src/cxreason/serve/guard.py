"""What stands between strangers and the application: who may ask, how much, how slowly; what browsers may do.

One piece of ASGI middleware, because its limits must hold before anything is read into memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from fastapi import HTTPException
from fastapi.responses import JSONResponse

from cxreason.serve.limits import Limits

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

PASSING_SECONDS, PASSING_BYTES = 1.0, 8 << 20
"""So long, and so much of it, a request that is refused may go on."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")
# Everything comes from here: no script, style, font, picture or request of anybody else.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "font-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), usb=()",
    "cache-control": "no-store",
}


class Guard:
    """The application behind its limits. `hosts` are the names it answers to; empty is any.

    A page of another site can let a browser send requests here; those say so in `Origin`, and a name of
    theirs that leads here stands in `Host`. Both are sent away.
    """

    def __init__(self, app: Application, limits: Limits, hosts: Sequence[str] = ()):
        self.app, self.limits, self.hosts = app, limits, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        answer = self._answer(send)
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _let_pass(receive)
            return await refusal(scope, receive, answer)
        return await self.app(scope, self._body(scope, receive), answer)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            return _refused(421, "this server goes by another name; see --public-name")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _refused(403, "requests from pages of other sites are not answered")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:15]) > self._most_bytes(scope):
            return _refused(413, self._too_large(scope))
        return None

    def _most_bytes(self, scope: Scope) -> int:
        return self.limits.image_bytes if scope["path"] == "/api/images" else self.limits.json_bytes

    def _too_large(self, scope: Scope) -> str:
        return f"a request may have {self._most_bytes(scope):,} bytes at most"

    def _body(self, scope: Scope, receive: Receive) -> Receive:
        """The request, as long as it stays small and comes in time."""
        num_bytes = 0
        ends = time.monotonic() + self.limits.body_seconds
        whole = False

        async def limited() -> Message:
            nonlocal num_bytes, whole
            if whole:  # what comes now is only that the client goes away
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, ends - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                late = f"the request was not whole after {self.limits.body_seconds:g} seconds"
                raise HTTPException(408, late, {"Connection": "close"}) from None
            num_bytes += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if num_bytes > self._most_bytes(scope):
                if not whole:
                    await _let_pass(receive)
                raise HTTPException(413, self._too_large(scope), {"Connection": "close"})
            return message

        return limited

    def _answer(self, send: Send) -> Send:
        """The answer with the headers that every one has."""

        async def headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message.get("headers", ())}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                kept = [pair for pair in more if pair[0] not in given]
                message = {**message, "headers": [*message.get("headers", ()), *kept]}
            await send(message)

        return headed


async def _let_pass(receive: Receive) -> None:
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


def _name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _name("localhost:8000"), _name("[::1]:8000")
    ('localhost', '::1')
    """
    return (urlsplit(f"//{host}").hostname or "") if host.isascii() else ""


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
