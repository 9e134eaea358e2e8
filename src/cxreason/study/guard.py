"""What stands before every route: limits of size and time, same-origin posts, headers, no stack trace."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from cxreason.web import bounded

LOG = logging.getLogger("cxreason.study")
MOST_BYTES = 262_144
"""Of a request's body: a report of the longest allowed length with all its events is a fifth of that."""
BODY_SECONDS = 30.0
"""How long a request may take to come in whole, by the worst connection of a hospital."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), interest-cohort=()",
}
NEVER_KEPT = "no-store"


class Guard:
    """ASGI middleware around the application."""

    def __init__(self, app: Any, refused: Any = None):
        self.app = app
        self.refused = refused or (lambda scope, reason: None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        told = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        begun = False

        async def with_headers(message: Any) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                there = {key.lower() for key, _ in message["headers"]}
                new = {**HEADERS, "cache-control": NEVER_KEPT}
                message["headers"] += [
                    (key.encode(), value.encode()) for key, value in new.items() if key.encode() not in there
                ]
            await send(message)

        problem = self.problem(scope, told)
        if problem:
            self.refused(scope, problem[1])
            await _answer(with_headers, *problem)
            return
        try:
            await self.app(scope, bounded(receive, MOST_BYTES, BODY_SECONDS), with_headers)
        except Exception:
            # The log has the trace; whoever asked learns nothing about the inside.
            LOG.exception("%s %s", scope["method"], scope["path"])
            if not begun:
                await _answer(with_headers, 500, "Something went wrong here. Nothing that was saved is lost.")

    def problem(self, scope: Any, told: dict[str, str]) -> tuple[int, str] | None:
        """Why a request is not let in, with its status; None where it is."""
        length = told.get("content-length", "0")
        if not length.isdecimal() or int(length[:15]) > MOST_BYTES:
            return 413, "This is more than is taken."
        if scope["method"] not in ("GET", "HEAD", "POST"):
            return 405, "This is not done here."
        if scope["method"] == "POST" and not _same_origin(told):
            return 403, "This came from another site."
        return None


def _same_origin(told: dict[str, str]) -> bool:
    """Whether a post comes from our own pages, as the browser says. The tokens of forms come on top."""
    if told.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = told.get("origin")
    return origin is None or urlsplit(origin).netloc == told.get("host")


async def _answer(send: Any, status: int, text: str) -> None:
    body = f"{text}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
