"""The application of `cxreason serve`: the page, both APIs, and how every error is told.

app = make_app(Desk(engine, examples=examples()))
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from cxreason import __version__
from cxreason.errors import UserError
from cxreason.serve.api import api
from cxreason.serve.chat import chat, error_body
from cxreason.serve.desk import Desk
from cxreason.serve.guard import HEADERS, Guard
from cxreason.serve.images import Busy, Refused
from cxreason.web import Files

PAGES = Path(__file__).parent / "static"
DESCRIPTION = """Ask a vision-language model about chest X-rays. For research only; not a medical device.

`/api` is made for the page: images are uploaded first, and answers come with sentences, observations, boxes
and agreement. `/v1` speaks OpenAI's protocol. Every error of `/api` is `{"error": "one line"}`."""


def make_app(desk: Desk, hosts: Sequence[str] = ()) -> FastAPI:
    """The application that asks a desk's model; `hosts` are the names it answers to, empty for any."""
    from cxreason.viewer import STATIC as VIEWER

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await desk.decoders.warm()
        yield
        await desk.decoders.close()

    app = FastAPI(
        title="cxreason",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # the stock pages load their scripts from elsewhere
        redoc_url=None,
    )
    app.state.desk = desk
    app.include_router(api)
    app.include_router(chat)
    _pages(app)
    app.mount("/viewer", Files(VIEWER), name="viewer")
    app.mount("/static", Files(PAGES), name="static")
    _errors(app)
    app.add_middleware(Guard, limits=desk.limits, hosts=hosts)  # pyright: ignore[reportArgumentType]
    return app


def _pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGES / "index.html")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(PAGES / "docs.html")

    @app.get("/health", include_in_schema=False)
    async def health() -> dict[str, str]:
        return {"status": "ok"}


def _errors(app: FastAPI) -> None:
    """Errors are one line for whoever asked; what only the server's owner can mend is in its log."""

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"] if part != "body")
        message = f"{place}: {first['msg']}" if place else str(first["msg"])
        return _told(request, 400 if _is_chat(request) else 422, message, place or None)

    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return _told(request, error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(UserError)
    async def user_error(request: Request, error: UserError) -> JSONResponse:
        status = error.status if isinstance(error, Refused) else 502
        if _is_chat(request) and status == 422:
            status = 400
        headers = {"Retry-After": str(error.retry_seconds)} if isinstance(error, Busy) else {}
        return _told(request, status, str(error), headers=headers)

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> JSONResponse:
        logging.getLogger("cxreason.serve").error("%s %s", request.method, request.url.path, exc_info=error)
        # Answered outside of the guard, so the headers of every answer are given here.
        return _told(request, 500, "the server failed; its log says why", headers=dict(HEADERS))


def _is_chat(request: Request) -> bool:
    return request.url.path.startswith("/v1/")


def _told(
    request: Request,
    status: int,
    message: str,
    place: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    message = message.encode("utf-8", "replace").decode()
    content: dict[str, Any] = {"error": message}
    if _is_chat(request):
        content = error_body(message, status, place)
    return JSONResponse(content, status, headers=headers)
