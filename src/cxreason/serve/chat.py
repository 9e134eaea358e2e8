"""The OpenAI-compatible API: `/v1/chat/completions` and `/v1/models`, for clients that exist.

Images come as data URLs in the order of the message; nothing is fetched. What is not supported is refused
by its name and never left aside in silence, and every error has OpenAI's form.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from cxreason.errors import UserError
from cxreason.serve.api import desk_of
from cxreason.serve.desk import Desk
from cxreason.serve.engines import Ask
from cxreason.serve.images import Decoded, Refused
from cxreason.serve.work import Work, attended

chat = APIRouter(prefix="/v1")

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "top_p": (None, 1, 1.0),
    "frequency_penalty": (None, 0, 0.0),
    "presence_penalty": (None, 0, 0.0),
    "logprobs": (None, False),
    "top_logprobs": (None, 0),
    "logit_bias": (None, {}),
    "tools": (None, []),
    "tool_choice": (None, "none", "auto"),
    "functions": (None, []),
    "response_format": (None, {"type": "text"}),
    "stop": (None, [], ""),
    "modalities": (None, ["text"]),
    "audio": (None,),
    "prediction": (None,),
}
"""Settings that OpenAI knows and this server does not, with the values at which they change nothing."""


class Address(BaseModel):
    """Where an image is: here, in a data URL."""

    url: str


class Part(BaseModel):
    """A part of a message: a text, or an image."""

    type: Literal["text", "image_url"]
    text: str = ""
    image_url: Address | None = None


class Turn(BaseModel):
    """A message."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part]


class StreamOptions(BaseModel):
    """What a stream tells beside the text."""

    include_usage: bool = False


class Completion(BaseModel):
    """A request for a chat completion."""

    model_config = ConfigDict(extra="allow")

    messages: list[Turn] = Field(min_length=1)
    model: str = Field("", description="the model of GET /v1/models; there is one")
    n: int = Field(1, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    seed: int | None = None
    stream: bool = False
    stream_options: StreamOptions | None = None


@chat.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The one model that answers."""
    name = desk_of(request).engine.name
    return {"object": "list", "data": [_model(name)]}


@chat.get("/models/{name:path}")
async def model(name: str, request: Request) -> dict[str, Any]:
    """The model by its name."""
    _known(desk_of(request), name)
    return _model(name)


@chat.post("/chat/completions", response_model=None)
async def complete(asked: Completion, request: Request) -> Response | dict[str, Any]:
    """Answer a chat, at once or as a stream."""
    desk = desk_of(request)
    if asked.model:
        _known(desk, asked.model)
    for name, value in (asked.model_extra or {}).items():
        if value not in NEUTRAL.get(name, (value,)):
            raise Refused(f"'{name}' is not supported here; leave it out", 400)
    ask = await _ask(desk, asked)
    num_prompt = desk.engine.check(ask)
    work = desk.begin(ask)
    answer = Answer(desk.engine.name, num_prompt, ask.num_samples)
    if not asked.stream:
        return await attended(request, answer.whole(work))
    usage = asked.stream_options is not None and asked.stream_options.include_usage
    events = answer.events(work, desk.pulse_seconds, usage)
    # The first event comes before the status, so that a model that fails at once is told by its status.
    first = await attended(request, _first(events))
    return StreamingResponse(_joined(first, events), media_type="text/event-stream")


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "cxreason"}


def _known(desk: Desk, name: str) -> None:
    if name != desk.engine.name:
        raise Refused(f"the model {name!r} is not here; {desk.engine.name!r} is", 404)


async def _ask(desk: Desk, asked: Completion) -> Ask:
    messages, images = [], []
    for turn in asked.messages:
        # Chat templates of today know no developer.
        role = "system" if turn.role == "developer" else turn.role
        parts = [Part(type="text", text=turn.content)] if isinstance(turn.content, str) else turn.content
        content: list[dict[str, Any]] = []
        for part in parts:
            if part.type == "text":
                content.append({"type": "text", "text": part.text})
                continue
            if part.image_url is None:
                raise Refused("a part of type 'image_url' needs an image_url", 400)
            if len(images) == desk.limits.most_images:
                raise Refused(f"{desk.limits.most_images} images is the most", 400)
            content.append({"type": "image", "image": len(images)})
            images.append(await _image(desk, part.image_url.url))
        messages.append({"role": role, "content": content})
    most = asked.max_completion_tokens or asked.max_tokens or min(512, desk.limits.most_tokens)
    desk.check_amounts(asked.n, most, len(images))
    return Ask(
        messages,
        [image.grey for image in images],
        num_samples=asked.n,
        temperature=desk.temperature(asked.temperature, asked.n),
        max_tokens=most,
        seed=17 if asked.seed is None else asked.seed % 2**31,
    )


async def _image(desk: Desk, url: str) -> Decoded:
    if not url.startswith("data:"):
        raise Refused("images are given as data URLs; nothing is fetched from elsewhere", 400)
    return await desk.image(url)


class Answer:
    """A completion in OpenAI's form."""

    def __init__(self, model: str, num_prompt: int, num_choices: int):
        self.head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}
        self.num_prompt, self.num_choices = num_prompt, num_choices

    async def whole(self, work: Work) -> dict[str, Any]:
        """The completion, when it is whole."""
        texts, ended, num_tokens = [""] * self.num_choices, [""] * self.num_choices, 0
        async for piece in work.pieces():
            if piece is None:
                continue
            texts[piece.sample] += piece.text
            if piece.ended:
                ended[piece.sample] = piece.ended
                num_tokens += piece.num_tokens
        choices = [
            {
                "index": number,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "finish_reason": reason,
                "logprobs": None,
            }
            for number, (text, reason) in enumerate(zip(texts, ended, strict=True))
        ]
        whole = {**self.head, "object": "chat.completion", "choices": choices}
        return {**whole, "usage": self._usage(num_tokens)}

    async def events(self, work: Work, pulse_seconds: float, with_usage: bool) -> AsyncIterator[str]:
        """The events of a stream, of which the first says who speaks."""
        num_tokens = 0
        begun: set[int] = set()
        try:
            async for piece in work.pieces(pulse_seconds):
                if piece is None:
                    yield ": waiting\n\n"
                    continue
                if piece.sample not in begun:
                    begun.add(piece.sample)
                    yield self._chunk(piece.sample, {"role": "assistant", "content": ""})
                if piece.text:
                    yield self._chunk(piece.sample, {"content": piece.text})
                if piece.ended:
                    num_tokens += piece.num_tokens
                    yield self._chunk(piece.sample, {}, piece.ended)
        except UserError as error:
            if not begun:
                raise
            yield f"data: {json.dumps(error_body(str(error), 502))}\n\n"
            return
        if with_usage:
            told = {**self.head, "object": "chat.completion.chunk", "choices": []}
            yield f"data: {json.dumps({**told, 'usage': self._usage(num_tokens)})}\n\n"
        yield "data: [DONE]\n\n"

    def _chunk(self, number: int, delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": number, "delta": delta, "finish_reason": reason, "logprobs": None}
        return (
            f"data: {json.dumps({**self.head, 'object': 'chat.completion.chunk', 'choices': [choice]})}\n\n"
        )

    def _usage(self, num_tokens: int) -> dict[str, int]:
        total = self.num_prompt + num_tokens
        return {"prompt_tokens": self.num_prompt, "completion_tokens": num_tokens, "total_tokens": total}


async def _first(events: AsyncIterator[str]) -> str:
    return await anext(events)


async def _joined(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    yield first
    async for event in rest:
        yield event


KINDS = {
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
}


def error_body(message: str, status: int, parameter: str | None = None) -> dict[str, Any]:
    """An error as OpenAI tells it.

    >>> error_body("no", 404)["error"]["type"]
    'not_found_error'
    """
    kind = KINDS.get(status, "invalid_request_error")
    code = {404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
    return {"error": {"message": message, "type": kind, "param": parameter, "code": code}}
