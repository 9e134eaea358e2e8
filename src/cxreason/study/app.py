"""The web application of a study: `create_app(open_study(folder))`, which `cxreason study serve` runs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from cxreason.study.accounts import Account, Accounts
from cxreason.study.guard import Guard
from cxreason.study.protocol import Protocol, StudyError, image_path, load_protocol
from cxreason.study.store import Store
from cxreason.study.tables import Database
from cxreason.viewer import STATIC as VIEWER
from cxreason.web import Files

HERE = Path(__file__).parent
SESSION, FORM = "cxreason_session", "cxreason_form"


@dataclass
class Study:
    """A study folder that is open: what was planned, what is recorded, who takes part."""

    folder: Path
    protocol: Protocol
    store: Store
    accounts: Accounts

    @property
    def pixels(self) -> Path:
        """Where the images lie as browsers get them."""
        return self.folder / "pixels"

    @cached_property
    def templates(self) -> Jinja2Templates:
        """The pages."""
        # Escaped whatever the file is called: by itself, Jinja would do so for *.html alone.
        loader = FileSystemLoader(HERE / "templates")
        found = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
        found.globals["title"] = self.protocol.title
        return Jinja2Templates(env=found)


def open_study(folder: Path, url: str | None = None) -> Study:
    """Read and check a study folder, bring its database up to date, and strip its images for browsers.

    study = open_study(Path("runs/study"))
    """
    protocol = load_protocol(folder)
    database = Database(url or f"sqlite:///{folder / 'study.db'}")
    store = Store(database, protocol)
    store.prepare()
    study = Study(folder, protocol, store, Accounts(database))
    prepare_pixels(study)
    return study


def open_records(folder: Path, url: str | None = None) -> Study:
    """A study that was begun, to look at what was recorded; its images may be elsewhere by now."""
    protocol = load_protocol(folder)
    file = folder / "study.db"
    if url is None and not file.exists():
        raise StudyError(
            f"{file}: is missing, so nothing is recorded. Start it: cxreason study serve {folder}"
        )
    database = Database(url or f"sqlite:///{file}")
    store = Store(database, protocol)
    store.prepare()
    return Study(folder, protocol, store, Accounts(database))


def prepare_pixels(study: Study) -> None:
    """Write each image as the viewer reads it, once: DICOM files themselves are never near a browser."""
    study.pixels.mkdir(exist_ok=True)
    waiting = []
    for case in study.protocol.cases:
        for number, image in enumerate(case.images):
            path, out = image_path(study.folder, image), pixel_file(study, case.id, number)
            if not path.is_file():
                raise StudyError(f"{path}: is missing, but case '{case.id}' names it. Copy it there.")
            if not out.exists() or out.stat().st_mtime < path.stat().st_mtime:
                waiting.append((path, out))
    if not waiting:
        return  # as at every start but the first, which has to be quick: readers wait for it
    from cxreason.progress import progress
    from cxreason.viewer.pixels import pixels_of

    for path, out in progress(waiting, "images"):
        part = out.with_name(f".{out.name}.partial")
        part.write_bytes(pixels_of(path))
        part.replace(out)


def pixel_file(study: Study, case: str, number: int) -> Path:
    """Where the pixels of an image of a case lie."""
    return study.pixels / f"{case}-{number}.cxf"


def create_app(study: Study) -> FastAPI:
    """The application. Everything it needs is in the study, so that several can stand side by side."""
    from cxreason.study import admin, pages, reading

    app = FastAPI(title="cxreason study", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.study = study
    app.mount("/static", Files(HERE / "static"))
    app.mount("/viewer", Files(VIEWER))
    for routes in (pages.routes, reading.routes, admin.routes):
        app.include_router(routes)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_middleware(Guard, refused=lambda scope, reason: _log_refused(study, scope, reason))
    return app


def study_of(request: Request) -> Study:
    """The study that a request is about."""
    return request.app.state.study


async def answered(request: Request, work: Callable[[], Response]) -> Response:
    """What `work` answers, beside other requests where its database may be far away.

    SQLite answers sooner than a thread takes over, and lets one writer in at a time in any case.
    """
    near = study_of(request).store.database.is_sqlite
    return work() if near else await run_in_threadpool(work)


def address_of(request: Request) -> str:
    """Where a request came from, for the audit log and the brake on logins."""
    return request.client.host if request.client else ""


def account_of(request: Request) -> Account | None:
    """Who is logged in."""
    token = request.cookies.get(SESSION)
    return study_of(request).accounts.who(token) if token else None


def required(request: Request, role: str | None = None) -> Account:
    """Who is logged in, in this role; else the request ends: at the login, or as if nothing were there."""
    account = account_of(request)
    if account is None:
        raise HTTPException(401)
    if role is not None and account.role != role:
        refused(request, account.name, f"a page for the role {role}")
    return account


def refused(request: Request, name: str, what: str) -> NoReturn:
    """End a request as if there were nothing, and write it down."""
    study_of(request).accounts.log(name, "refused", f"{what}: {request.url.path}", address_of(request))
    raise HTTPException(404)


def check_token(request: Request, account: Account, token: str) -> None:
    """End a request whose form or script was not ours."""
    if not secrets.compare_digest(token.encode(), account.csrf.encode()):
        study_of(request).accounts.log(account.name, "refused", "a wrong form token", address_of(request))
        raise HTTPException(403)


def page(request: Request, name: str, status: int = 200, /, **values: Any) -> Response:
    """A rendered page."""
    found = study_of(request).templates
    return found.TemplateResponse(request, f"{name}.html.jinja", values, status_code=status)


TROUBLE = {
    401: ("Please log in", "Your session has ended. What you saved is there when you come back."),
    403: (
        "This form is too old",
        "Go back, reload the page and send it again. What you saved is still there.",
    ),
    404: ("There is no such page", "Perhaps it was moved on already."),
    408: ("This took too long", "Your connection is slow or broke off. Send it again."),
    413: ("This is too much", "A text of this length is not taken."),
    429: ("Too many tries", "Wait a quarter of an hour, or ask the administrator for a new link."),
}


async def _on_http_error(request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    if status in (408, 413):
        _log_refused(study_of(request), request.scope, "a body that is too large or too slow")
    if "/events" in request.url.path:
        return JSONResponse({"error": status}, status, headers)
    if status == 401 and request.method == "GET":
        return RedirectResponse("/login", 303)
    head, text = TROUBLE.get(status, ("This did not work", "Go back and try again."))
    answer = page(request, "trouble", status, head=head, text=text)
    answer.headers.update(headers or {})
    return answer


async def _on_invalid(request: Request, error: Exception) -> Response:
    _log_refused(study_of(request), request.scope, "a request of a wrong form")
    if "/events" in request.url.path:
        return JSONResponse({"error": 422}, 422)
    head, text = ("This did not work", "Go back and try again.")
    return page(request, "trouble", 422, head=head, text=text)


def _log_refused(study: Study, scope: Any, reason: str) -> None:
    address = scope["client"][0] if scope.get("client") else ""
    study.accounts.log("", "refused", f"{reason}: {scope['method']} {scope['path']}", address)
