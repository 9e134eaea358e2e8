"""What stands between strangers and the application: who may ask, how much, how slowly; what browsers may do.

One piece of ASGI middleware, because its limits must hold before anything is read into memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from fastapi.responses import JSONResponse

from cxreason.serve.limits import Limits
from cxreason.web import Application, Message, Receive, Scope, Send, bounded, let_pass, too_large

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
            await let_pass(receive)
            return await refusal(scope, receive, answer)
        body = bounded(receive, self._most_bytes(scope), self.limits.body_seconds)
        return await self.app(scope, body, answer)

    def _refusal(self, scope: Scope, headers: dict[str, str]) -> JSONResponse | None:
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            return _refused(421, "this server goes by another name; see --public-name")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return _refused(403, "requests from pages of other sites are not answered")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length[:15]) > self._most_bytes(scope):
            return _refused(413, too_large(self._most_bytes(scope)))
        return None

    def _most_bytes(self, scope: Scope) -> int:
        return self.limits.image_bytes if scope["path"] == "/api/images" else self.limits.json_bytes

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


def _name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> _name("localhost:8000"), _name("[::1]:8000")
    ('localhost', '::1')
    """
    return (urlsplit(f"//{host}").hostname or "") if host.isascii() else ""


def _refused(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
