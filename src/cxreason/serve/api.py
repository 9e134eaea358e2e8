"""The JSON API: upload an image, ask about it, read the answer as it comes."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from cxreason.errors import UserError
from cxreason.records import Mode
from cxreason.serve import examples, questions
from cxreason.serve.desk import Desk
from cxreason.serve.engines import Ask, Piece
from cxreason.serve.images import Decoded
from cxreason.serve.questions import TYPES, Question, TypeName
from cxreason.serve.reading import Reading, agreement
from cxreason.serve.work import Work, attended

api = APIRouter(prefix="/api")

EVENT_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}


class AskRequest(BaseModel):
    """A question about one or several images."""

    model_config = ConfigDict(extra="forbid")

    images: list[str] = Field(
        description="ids of uploaded images, or images as data URLs; of two examinations the earlier first"
    )
    type: TypeName = Field("own", description="type of question; GET /api/about lists what each needs")
    finding: str = Field("", max_length=200, description="the finding that it is about")
    options: list[Annotated[str, Field(max_length=300)]] = Field(
        [], max_length=questions.MOST_OPTIONS, description="what may be answered"
    )
    question: str = Field("", max_length=4000, description="the question, where the type is 'own'")
    indication: str = Field("", max_length=1000, description="reason for the examination, for a report")
    mode: Mode = Field("reasoning", description="reasoning first, or the answer alone")
    num_samples: int = Field(1, ge=1, description="replies to draw; several show how far they agree")
    temperature: float | None = Field(
        None, ge=0, le=2, description="0 = the likeliest words; by default 0 for one sample, 1 for several"
    )
    max_tokens: int = Field(512, ge=1, description="a reply is cut here")
    seed: int = Field(17, ge=0, lt=2**31)
    stream: bool = Field(True, description="events as they come, or one JSON object at the end")


class Uploaded(BaseModel):
    """An image that was read."""

    id: str
    width: int
    height: int
    view: str = Field(description="PA, AP or LATERAL where a DICOM file says so")
    kept_seconds: float = Field(description="so long it stays when nobody asks about it")


def uploaded(desk: Desk, image: Decoded) -> Uploaded:
    """What whoever sent an image is told of it."""
    height, width = image.grey.shape
    seconds = desk.limits.kept_seconds
    return Uploaded(id=image.id, width=width, height=height, view=image.view, kept_seconds=seconds)


def desk_of(request: Request) -> Desk:
    """What the application keeps between requests."""
    return request.app.state.desk


@api.get("/about")
async def about(request: Request) -> dict[str, Any]:
    """The model, the types of question, the limits and how busy the server is."""
    desk = desk_of(request)
    types = [
        {
            "name": name,
            "title": way.title,
            "kind": way.kind,
            "needs": way.needs,
            "takes": way.takes,
            "options": way.options,
            "help": way.help,
        }
        for name, way in TYPES.items()
    ]
    limits = desk.limits
    return {
        "model": desk.engine.name,
        "dialect": desk.dialect,
        "notice": desk.notice,
        "about": desk.about,
        "types": types,
        "findings": examples.finding_names(),
        "limits": {
            name: getattr(limits, name)
            for name in ("image_bytes", "image_pixels", "most_images", "most_samples", "most_tokens")
        },
        "examples": [
            {"name": name, "title": one.title, "note": one.note} for name, one in desk.examples.items()
        ],
        "busy": {"served": desk.line.num_served, "waiting": len(desk.line.waiting)},
    }


@api.post(
    "/images",
    status_code=201,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request) -> Uploaded:
    """Read a DICOM, PNG or JPEG file: its bytes are the body. Nothing but pixels and view is kept of it."""
    desk = desk_of(request)
    image = await desk.decoders.decode(await request.body())
    desk.shelf.put(image)
    return uploaded(desk, image)


@api.get("/images/{id}/pixels", responses={200: {"content": {"application/octet-stream": {}}}})
async def pixels(id: str, request: Request) -> Response:
    """An image for the viewer: its grey values at full depth, and nothing else of the file."""
    from cxreason.viewer import HEADERS

    return Response(desk_of(request).shelf.get(id).pixels, headers=HEADERS)


@api.delete("/images/{id}", status_code=204)
async def forget(id: str, request: Request) -> None:
    """Forget an image at once."""
    desk_of(request).shelf.drop(id)


@api.post("/examples/{name}")
async def example(name: str, request: Request) -> dict[str, Any]:
    """A synthetic examination to try the page on: its images, what is drawn on them, a question."""
    desk = desk_of(request)
    one = desk.example(name)
    images = [await desk.decoders.decode(content) for content in one.files]
    for image in images:
        desk.shelf.put(image)
    return {
        "images": [uploaded(desk, image).model_dump() for image in images],
        "labels": one.labels,
        "title": one.title,
        "note": one.note,
        "report": one.report,
        "ask": one.ask,
    }


@api.post("/ask", response_model=None, responses=EVENT_STREAM)
async def ask(asked: AskRequest, request: Request) -> Response | dict[str, Any]:
    """Ask about images.

    Events, each with JSON data: `waiting` (how many are served before), `started` (the prompt, the model),
    then for each sample `token` (text as it is written), `sentence` (of the reasoning, with its
    observations; `rest` is the text behind it), `answer`; at last `agreement` of several samples, and `done`.
    `error` ends the stream where something broke off. With `stream: false` the same as one object.
    """
    desk = desk_of(request)
    question, work = await _begin(desk, asked)
    events = _events(desk, asked, question, work)
    if asked.stream:
        return StreamingResponse(_written(events), media_type="text/event-stream")
    return await attended(request, _collected(events))


async def _begin(desk: Desk, asked: AskRequest) -> tuple[Question, Work]:
    desk.check_amounts(asked.num_samples, asked.max_tokens, len(asked.images))
    question = questions.make(
        asked.type,
        dialect=desk.dialect,
        mode=asked.mode,
        num_images=len(asked.images),
        finding=asked.finding,
        options=asked.options,
        question=asked.question,
        indication=asked.indication,
    )
    images = [await desk.image(one) for one in asked.images]
    told = Ask(
        question.messages(len(images)),
        [image.grey for image in images],
        num_samples=asked.num_samples,
        temperature=desk.temperature(asked.temperature, asked.num_samples),
        max_tokens=asked.max_tokens,
        seed=asked.seed,
    )
    return question, desk.begin(told)


async def _events(
    desk: Desk, asked: AskRequest, question: Question, work: Work
) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """What happens to a question, as pairs of a name and what there is to say."""
    readings = [Reading(question) for _ in range(asked.num_samples)]
    numbers = [0] * asked.num_samples
    answers: dict[int, dict[str, Any]] = {}
    begun = time.monotonic()
    started = False
    if work.place.number:
        yield "waiting", {"before": work.place.number}
    try:
        async for piece in work.pieces(desk.pulse_seconds):
            if not started and work.place.number == 0:
                started = True
                yield "started", {"prompt": question.prompt, "model": desk.engine.name}
            if piece is None:
                yield "waiting", {"before": work.place.number}
                continue
            for event in _of_piece(piece, readings[piece.sample], numbers):
                yield event
            if piece.ended:
                answers[piece.sample] = _answered(piece, readings[piece.sample])
                yield "answer", answers[piece.sample]
        if asked.num_samples > 1:
            yield "agreement", agreement(question, [answers[number] for number in sorted(answers)])
        num_tokens = sum(one["num_tokens"] for one in answers.values())
        yield "done", {"seconds": round(time.monotonic() - begun, 3), "num_tokens": num_tokens}
    except UserError as error:
        yield "error", {"message": str(error)}


def _of_piece(piece: Piece, reading: Reading, numbers: list[int]) -> list[tuple[str, dict[str, Any]]]:
    if not piece.text:
        return []
    events: list[tuple[str, dict[str, Any]]] = [("token", {"sample": piece.sample, "text": piece.text})]
    for told in reading.add(piece.text):
        events.append(("sentence", {"sample": piece.sample, "number": numbers[piece.sample], **told}))
        numbers[piece.sample] += 1
    return events


def _answered(piece: Piece, reading: Reading) -> dict[str, Any]:
    told = {"sample": piece.sample, "finished": piece.ended == "stop", "num_tokens": piece.num_tokens}
    return {**told, **reading.end()}


async def _written(events: AsyncIterator[tuple[str, dict[str, Any]]]) -> AsyncIterator[str]:
    """Events as a stream of them is written."""
    async for name, told in events:
        # Line ends inside of JSON are escaped, so an event is always two lines.
        yield f"event: {name}\ndata: {json.dumps(told, ensure_ascii=True)}\n\n"


async def _collected(events: AsyncIterator[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    whole: dict[str, Any] = {"samples": [], "agreement": None}
    async for name, told in events:
        if name == "error":
            from cxreason.serve.images import Refused

            raise Refused(told["message"], 502)
        if name == "answer":
            whole["samples"].append(told)
        elif name == "agreement":
            whole["agreement"] = told
        elif name in ("started", "done"):
            whole |= told
    whole["samples"].sort(key=lambda one: one["sample"])
    return whole
