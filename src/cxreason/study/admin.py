"""What administrators do: watch the progress, hand out links, lock accounts, read the audit log."""

from __future__ import annotations

from statistics import median
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from cxreason.study.accounts import Account
from cxreason.study.app import Study, address_of, check_token, page, required, study_of
from cxreason.study.store import main_step
from cxreason.study.timing import times_of

routes = APIRouter()
Text = Annotated[str, Form(max_length=200)]
ROLE = "administrator"


@routes.get("/admin")
def overview(request: Request) -> Response:
    """Readers with what they have done."""
    return _overview(request, required(request, ROLE))


def _overview(request: Request, account: Account, link: str = "", link_for: str = "") -> Response:
    study = study_of(request)
    return page(
        request,
        "admin",
        account=account,
        rows=progress_of(study),
        link=link,
        link_for=link_for,
        num_cases=len(study.protocol.cases),
        arms=study.protocol.arms,
    )


def progress_of(study: Study) -> list[dict[str, Any]]:
    """For each account: how far it is, its median time, and when it last did something."""
    groups = {reader.name: reader.group for reader in study.protocol.readers}
    by_reader: dict[str, list[Any]] = {}
    for reading in study.store.all_readings():
        by_reader.setdefault(reading.reader, []).append(reading)
    rows = []
    for one in study.accounts.all():
        readings = by_reader.get(one["name"], [])
        done = [row for row in study.store.readings_of(one["name"]) if row["done"]]
        times = [
            times_of(reading.events, main_step(study.protocol.arms[reading.arm].mode)).seconds
            for reading in readings
        ]
        known = [seconds for seconds in times if seconds is not None]
        seen = max((event.at for reading in readings for event in reading.events), default="")
        rows.append(
            {
                **one,
                "group": groups.get(one["name"], ""),
                "done": len(done),
                "total": len(readings),
                "median": median(known) if known else None,
                "seen": seen.replace("T", " ")[:16],
            }
        )
    return rows


@routes.post("/admin/link/{name}")
def make_link(request: Request, name: str, csrf: Text = "") -> Response:
    """Make a one-time link for an account; it is shown once, because only its hash is kept."""
    account = required(request, ROLE)
    check_token(request, account, csrf)
    study = study_of(request)
    _known(study, name)
    token = study.accounts.make_link(name)
    study.accounts.log(account.name, "made a link", name, address_of(request))
    return _overview(request, account, f"{str(request.base_url).rstrip('/')}/join/{token}", name)


@routes.post("/admin/active/{name}")
def set_active(request: Request, name: str, csrf: Text = "", active: Text = "") -> Response:
    """Lock an account or let it in again."""
    account = required(request, ROLE)
    check_token(request, account, csrf)
    study = study_of(request)
    _known(study, name)
    if name == account.name:
        raise HTTPException(400)  # whoever locks out the last administrator has nobody to ask
    study.accounts.set_active(name, active == "yes")
    study.accounts.log(account.name, "let in" if active == "yes" else "locked", name, address_of(request))
    return RedirectResponse("/admin", 303)


@routes.get("/admin/audit")
def audit(request: Request, before: int | None = None) -> Response:
    """Who did and saw what, newest first."""
    account = required(request, ROLE)
    return page(request, "audit", account=account, rows=study_of(request).accounts.audited(200, before))


@routes.get("/admin/export/{name}")
def export(request: Request, name: str) -> Response:
    """A table of what was recorded, as CSV."""
    from cxreason.study.export import TABLES, csv_of, tables_of

    account = required(request, ROLE)
    table = name.removesuffix(".csv")
    if table not in TABLES:
        raise HTTPException(404)
    study = study_of(request)
    study.accounts.log(account.name, "took a table", table, address_of(request))
    text = csv_of(tables_of(study)[table], table)
    headers = {"Content-Disposition": f'attachment; filename="{table}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@routes.get("/admin/results")
def results(request: Request) -> Response:
    """The figures so far, as a page of its own."""
    from cxreason.study.analyse import analyse
    from cxreason.study.results import render

    account = required(request, ROLE)
    study = study_of(request)
    study.accounts.log(account.name, "saw the results", "", address_of(request))
    return HTMLResponse(render(analyse(study), served=True))


def _known(study: Study, name: str) -> None:
    if name not in {one["name"] for one in study.accounts.all()}:
        raise HTTPException(404)
