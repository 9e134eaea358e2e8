"""Coming in: login, one-time links, a reader's start page, logging out."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from cxreason.study.accounts import SESSION_SECONDS, SHORTEST
from cxreason.study.app import (
    FORM,
    SESSION,
    account_of,
    address_of,
    answered,
    check_token,
    page,
    required,
    study_of,
)

routes = APIRouter()
Text = Annotated[str, Form(max_length=200)]


@routes.get("/")
def home(request: Request) -> Response:
    """A reader's start page; administrators go to theirs."""
    account = required(request)
    if account.role == "administrator":
        return RedirectResponse("/admin", 303)
    study = study_of(request)
    readings = study.store.readings_of(account.name)
    done = sum(one["done"] for one in readings)
    return page(
        request,
        "home",
        account=account,
        welcome=study.protocol.welcome,
        done=done,
        total=len(readings),
    )


@routes.get("/health")
async def health(request: Request) -> Response:
    """Whether the server and its database answer."""

    def work() -> Response:
        study_of(request).accounts.who("")
        return JSONResponse({"ok": True})

    return await answered(request, work)


@routes.get("/login")
def login_page(request: Request) -> Response:
    """The form to log in."""
    if account_of(request):
        return RedirectResponse("/", 303)
    return _form(request, "login", problem="", name="")


@routes.post("/login")
def log_in(request: Request, name: Text = "", password: Text = "", form: Text = "") -> Response:
    """Log in; whatever is wrong, the answer is the same."""
    _check_form(request, form)
    accounts, address = study_of(request).accounts, address_of(request)
    with accounts.trying(name, address) as may:
        if not may:
            accounts.log("", "login blocked", name, address)
            raise HTTPException(429)
        if not (fits := accounts.log_in(name, password)):
            accounts.log("", "login failed", name, address)
    if not fits:
        return _form(request, "login", 401, problem="That name and password do not fit together.", name=name)
    return _enter(request, name)


@routes.get("/join/{token}")
def join_page(request: Request, token: str) -> Response:
    """The form of a one-time link."""
    name = study_of(request).accounts.link_owner(token)
    if name is None:
        return _dead_link(request)
    return _form(request, "join", token=token, name=name, problem="", shortest=SHORTEST)


@routes.post("/join/{token}")
def join(request: Request, token: str, password: Text = "", again: Text = "", form: Text = "") -> Response:
    """Set a password with a one-time link, and go in."""
    _check_form(request, form)
    accounts, address = study_of(request).accounts, address_of(request)
    name = accounts.link_owner(token)
    if name is None:
        return _dead_link(request)
    problem = ""
    if len(password) < SHORTEST:
        problem = f"Take {SHORTEST} characters or more."
    elif password != again:
        problem = "The two are not the same."
    elif name.casefold() in password.casefold():
        problem = "Leave your name out of it."
    if problem:
        return _form(request, "join", 422, token=token, name=name, problem=problem, shortest=SHORTEST)
    if accounts.use_link(token, password) is None:
        return _dead_link(request)
    accounts.log(name, "password set", "", address)
    return _enter(request, name)


@routes.post("/logout")
def log_out(request: Request, csrf: Text = "") -> Response:
    """End the session."""
    account = required(request)
    check_token(request, account, csrf)
    accounts = study_of(request).accounts
    accounts.end_session(request.cookies[SESSION])
    accounts.log(account.name, "logged out", "", address_of(request))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION)
    return answer


def _enter(request: Request, name: str) -> Response:
    accounts = study_of(request).accounts
    accounts.log(name, "logged in", "", address_of(request))
    answer = RedirectResponse("/", 303)
    _set_cookie(request, answer, SESSION, accounts.start_session(name), SESSION_SECONDS)
    return answer


def _form(request: Request, name: str, status: int = 200, /, **values: Any) -> Response:
    """A form for somebody without a session: a cookie and a field that must agree when it comes back."""
    token = request.cookies.get(FORM) or secrets.token_urlsafe(24)
    answer = page(request, name, status, form=token, **values)
    _set_cookie(request, answer, FORM, token, 3600)
    return answer


def _check_form(request: Request, form: str) -> None:
    told = request.cookies.get(FORM, "")
    if not form or not secrets.compare_digest(form.encode(), told.encode()):
        raise HTTPException(403)


def _dead_link(request: Request) -> Response:
    accounts = study_of(request).accounts
    accounts.log("", "refused", "a link that is used, too old or made up", address_of(request))
    head, text = (
        "This link does not work any more",
        "Each works once, for a week. Ask the administrator for a new one.",
    )
    return page(request, "trouble", 404, head=head, text=text)


def _set_cookie(request: Request, answer: Response, key: str, value: str, seconds: int) -> None:
    secure = request.url.scheme == "https"
    answer.set_cookie(key, value, max_age=seconds, httponly=True, samesite="lax", secure=secure)
