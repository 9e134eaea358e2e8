"""A reading: its page, its images, and the events that come from it.

What goes to the browser is what the reader must see and nothing that tells apart what must not be told apart:
no case id, no arm, no source of a text, no file name. A reading is known to the browser by a random token.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from cxreason.study.accounts import Account, line
from cxreason.study.app import (
    Study,
    address_of,
    answered,
    check_token,
    page,
    pixel_file,
    refused,
    required,
    study_of,
)
from cxreason.study.protocol import Case
from cxreason.study.store import (
    HARMLESS,
    STEPS,
    Event,
    ForeignEvent,
    Reading,
    Step,
    last_step,
)
from cxreason.viewer import HEADERS

routes = APIRouter()
LONGEST = 20_000
"""Characters of a report."""


def _readable(text: str) -> str:
    return text.replace("\0", "")  # PostgreSQL does not read it back


Words = Annotated[str, StringConstraints(max_length=LONGEST), AfterValidator(_readable)]
Value = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_readable)]


class Sent(BaseModel, extra="forbid"):
    """One event as a browser sends it."""

    id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{16,64}$")]
    kind: Literal[
        "shown", "failed", "first_edit", "hidden", "visible", "idle", "active", "beat", "used", "left",
        "save", "submit",
    ]  # fmt: skip
    t: float = Field(ge=0, le=1e10, allow_inf_nan=False)
    step: Literal["report", "answers"] | None = None
    base: int = Field(0, ge=0)
    text: Words | None = None
    values: dict[Value, Value] | None = Field(None, max_length=50)
    again: bool = False
    detail: dict[str, str | int | float | bool] = Field({}, max_length=8)

    @model_validator(mode="after")
    def _whole(self) -> Sent:
        if self.kind not in HARMLESS and (self.step is None or (self.text is None) == (self.values is None)):
            raise ValueError("a save needs a step and either text or values")
        if self.kind not in HARMLESS and (self.step == "report") != (self.text is not None):
            raise ValueError("a report is a text, and answers are values")
        if len(json.dumps(self.detail)) > 1000:
            raise ValueError("details that are too long")
        return self

    def event(self) -> Event:
        """As the store takes it."""
        if self.kind in HARMLESS:
            return Event(self.id, self.kind, self.t, dict(self.detail))
        said: dict[str, Any] = {"step": self.step, "base": self.base}
        said |= {"text": self.text} if self.text is not None else {"values": self.values}
        return Event(self.id, self.kind, self.t, said | ({"again": True} if self.again else {}))


class Batch(BaseModel, extra="forbid"):
    """What a page sends at a time, in the order in which it happened."""

    page: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")]
    events: list[Sent] = Field(max_length=200)


@routes.get("/read")
async def next_reading(request: Request) -> Response:
    """The first reading that is not done."""
    return await answered(request, lambda: _next(request))


def _next(request: Request) -> Response:
    account = required(request, "reader")
    store = study_of(request).store
    own, due = store.plan(account.name), store.due(account.name)
    if due == len(own):
        return page(request, "done", account=account, total=len(own))
    return _reading_page(request, account, due, due)


@routes.get("/read/{id}")
async def reading_page(request: Request, id: str) -> Response:
    """The page of a reading."""
    return await answered(request, lambda: _named(request, id))


def _named(request: Request, id: str) -> Response:
    account = required(request, "reader")
    place, due = _place(request, account, id)
    part = study_of(request).store.plan(account.name)[place].part
    if place < due and not _may_go_back(study_of(request), part):
        return RedirectResponse("/read", 303)  # a reload after the last submit, or an old tab
    return _reading_page(request, account, place, due)


def _reading_page(request: Request, account: Account, place: int, due: int) -> Response:
    study = study_of(request)
    own = study.store.plan(account.name)
    reading, again = own[place], place < due
    served = study.store.serve(reading.id, line(account.name, "opened", reading.case_id, address_of(request)))
    before = own[place - 1] if place else None
    return page(
        request,
        "reading",
        account=account,
        number=place + 1,
        total=len(own),
        previous=before.id if before and _may_go_back(study, before.part) else "",
        again=again,
        **_shown(study, reading),
        told=_told(study, reading, served, account, again),
    )


def _may_go_back(study: Study, part: str) -> bool:
    return next(one.previous for one in study.protocol.parts if one.name == part)


def _place(request: Request, account: Account, id: str) -> tuple[int, int]:
    """The place of an own reading that may be opened now, and that of the first that is not done."""
    store = study_of(request).store
    place = next((number for number, one in enumerate(store.plan(account.name)) if one.id == id), None)
    if place is None:
        refused(request, account.name, "another reader's case")
    due = store.due(account.name)
    if place > due:
        refused(request, account.name, "a case that is not due")
    return place, due


def _shown(study: Study, reading: Reading) -> dict[str, Any]:
    """What the template shows of the case, by the mode of the arm."""
    arm, case = study.protocol.arms[reading.arm], study.protocol.case(reading.case_id)
    reports = []
    if arm.mode == "compare":
        other = next(name for name in arm.reports if name != reading.left)
        reports = [("A", case.texts[reading.left]), ("B", case.texts[other])]
    return {
        "mode": arm.mode,
        "indication": case.indication,
        "prior_report": case.prior_report,
        "reports": reports,
        "question": case.question if arm.mode == "reasoning" else "",
        "reasoning": case.reasoning if arm.mode == "reasoning" else "",
        "answer": case.answer if arm.mode == "reasoning" else "",
        "questions": study.protocol.asked(reading.arm),
        "steps": STEPS[arm.mode],
        "longest": LONGEST,
    }


def _told(study: Study, reading: Reading, served: str, account: Account, again: bool) -> dict[str, Any]:
    """What the script of the page must know."""
    case = study.protocol.case(reading.case_id)
    arm = study.protocol.arms[reading.arm]
    return {
        "reading": reading.id,
        "page": served,
        "csrf": account.csrf,
        "steps": STEPS[arm.mode],
        "last": last_step(study.protocol, reading.arm),
        "again": again,
        "idle": study.protocol.idle_seconds,
        "start": case.texts[arm.draft] if arm.draft else "",
        "state": _state(study, reading),
        "images": _images(case, reading.id, arm.boxes),
    }


def _images(case: Case, id: str, with_boxes: bool) -> list[dict[str, Any]]:
    with_prior = any(image.prior for image in case.images)
    shown = []
    for number, image in enumerate(case.images):
        when = ("Prior" if image.prior else "Current") if with_prior else ""
        label = " · ".join(part for part in (when, image.view) if part) or f"Image {number + 1}"
        boxes = [box.model_dump() for box in image.boxes] if with_boxes else []
        shown.append({"url": f"/read/{id}/pixels/{number}", "label": label, "boxes": boxes})
    return shown


def _state(study: Study, reading: Reading) -> dict[Step, dict[str, Any]]:
    """Of each step: the number of what stands, its text or values, and whether it was submitted."""
    state: dict[Step, dict[str, Any]] = {}
    for step, stands in study.store.standing(reading.id).items():
        words = {key: stands.data[key] for key in ("text", "values") if key in stands.data}
        state[step] = {"base": stands.seq, "closed": stands.closed, **words}
    return state


@routes.get("/read/{id}/pixels/{number}")
async def pixels(request: Request, id: str, number: int) -> Response:
    """An image of a reading as grey values."""
    return await answered(request, lambda: _pixels(request, id, number))


def _pixels(request: Request, id: str, number: int) -> Response:
    account = required(request, "reader")
    study = study_of(request)
    place, _ = _place(request, account, id)
    case = study.protocol.case(study.store.plan(account.name)[place].case_id)
    if not 0 <= number < len(case.images):
        refused(request, account.name, "an image that is not there")
    study.accounts.log(account.name, "saw image", f"{case.id}, image {number + 1}", address_of(request))
    return Response(pixel_file(study, case.id, number).read_bytes(), headers=HEADERS)


@routes.post("/read/{id}/events")
async def take_events(
    request: Request, id: str, batch: Batch, x_csrf_token: Annotated[str, Header(max_length=100)] = ""
) -> Response:
    """Record what a page sent. The answer is the receipt: what is in it is on the disk."""
    return await answered(request, lambda: _take(request, id, batch, x_csrf_token))


def _take(request: Request, id: str, batch: Batch, token: str) -> Response:
    account = required(request, "reader")
    check_token(request, account, token)
    study = study_of(request)
    place, _ = _place(request, account, id)
    reading = study.store.plan(account.name)[place]
    may_go_back = _may_go_back(study, reading.part)
    sent = [one.event() for one in batch.events]
    for one in sent:
        if not may_go_back:
            one.data.pop("again", None)
        if one.kind == "submit" and (problems := _problems(study, reading.arm, one)):
            return JSONResponse({"error": 422, "problems": problems, "event": one.id}, 422)
    try:
        acks = study.store.record(id, batch.page, sent)
    except ForeignEvent:
        study.accounts.log(account.name, "refused", "events that are not of this page", address_of(request))
        return JSONResponse({"error": 409}, 409)
    changed = any(
        ack.status in ("aside", "closed") or one.kind in ("save", "submit")
        for ack, one in zip(acks, sent, strict=True)
    )
    answer: dict[str, Any] = {"acks": [{"id": ack.id, "status": ack.status, "seq": ack.seq} for ack in acks]}
    if changed:
        answer["state"] = _state(study, reading)
    return JSONResponse(answer)


def _problems(study: Study, arm: str, one: Event) -> dict[str, str]:
    """What is wrong with a submit, by question ("text" for the report)."""
    if one.data["step"] == "report":
        return {} if str(one.data.get("text") or "").strip() else {"text": "Write the report first."}
    values = one.data.get("values")
    if values is None:
        return {"text": "Answer the questions first."}
    asked = {question.id: question for question in study.protocol.asked(arm)}
    problems = {id: "This is not asked here." for id in values if id not in asked}
    for id, question in asked.items():
        value = values.get(id, "")
        if question.required and not value.strip():
            problems[id] = "Please answer this one."
        elif value and question.values and value not in question.values:
            problems[id] = "Choose one of the answers."
    return problems
