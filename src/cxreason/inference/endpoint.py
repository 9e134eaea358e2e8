"""The engine `endpoint`: a model on one or several OpenAI-compatible servers that take images.

Images travel inside the request as PNG, made to fit `max_pixels`. Every reply is in `replies.jsonl` of the
run folder before anybody sees it, so that none is paid for twice; calls, waiting, budgets and Ctrl-C are as
in `cxreason mine`. Replies that begin with a prefix need a server that goes on with the last turn (vLLM).
"""

from __future__ import annotations

import asyncio
import base64
import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cxreason.endpoint import wire
from cxreason.endpoint.pool import Pool
from cxreason.endpoint.window import Window
from cxreason.endpoint.wire import CallFailed
from cxreason.inference.engines import Ask, Generated, Picture, Replied
from cxreason.inference.prompts import picture

if TYPE_CHECKING:
    from cxreason.recipes import PredictRecipe

GOES_ON = {"continue_final_message": True, "add_generation_prompt": False}
"""What vLLM's server wants to be told in order to go on with the last turn."""


class EndpointEngine:
    """Asks the servers of a recipe; failed calls leave a question without replies, for the moment."""

    def __init__(self, recipe: PredictRecipe):
        assert recipe.endpoint is not None
        self.recipe = recipe
        self.pool = Pool(recipe.endpoint, recipe.out / "replies.jsonl")
        self._window: Window[Ask, Replied] = Window(self.pool, self._ask)

    def reply(self, asks: Iterable[Ask]) -> Iterator[Replied]:
        """The replies to each question, in order."""
        return self._window.outcomes(asks)

    async def _ask(self, ask: Ask, turn: int) -> Replied:
        # Drawing images takes a while, and the calls of others must go on meanwhile.
        messages = await asyncio.to_thread(messages_of, ask, self.recipe.max_pixels)
        draws = [self._draw(ask, messages, seed, turn) for seed in ask.seeds or (None,)]
        found = await asyncio.gather(*draws, return_exceptions=True)
        for one in found:
            if isinstance(one, CallFailed):
                return Replied(ask, problem=str(one))
            if isinstance(one, BaseException):
                raise one
        return Replied(ask, [one for one in found if isinstance(one, Generated)])

    async def _draw(self, ask: Ask, messages: list[wire.Message], seed: int | None, turn: int) -> Generated:
        settings = self.pool.settings
        told: dict[str, Any] = {"max_tokens": self.recipe.max_new_tokens, "temperature": 0.0}
        if seed is not None:
            told |= {"temperature": self.recipe.temperature, "seed": seed % 2**31}
        if ask.prefix:
            told |= GOES_ON
        started = time.monotonic()
        request = wire.body(settings, messages, None, {**told, **settings.free_extra})
        said = await self.pool.get(request, turn)
        seconds = time.monotonic() - started
        return Generated(said.text, said.tokens_out or 0, finished=not said.cut, seconds=seconds)

    def about(self) -> dict[str, Any]:
        """Model and what was spent over all starts."""
        return {"model": self.pool.settings.model, "usage": asdict(self.pool.usage)}

    def __enter__(self) -> EndpointEngine:
        self._window.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self._window.__exit__(*problem)


def messages_of(ask: Ask, max_pixels: int) -> list[wire.Message]:
    """The conversation with the images before the text of the user's turn, and the prefix as last turn."""
    pictures = [{"type": "image_url", "image_url": {"url": data_uri(one, max_pixels)}} for one in ask.images]
    messages: list[wire.Message] = []
    for message in ask.conversation:
        content: Any = message["content"]
        if message["role"] == "user" and pictures:
            content = [*pictures, {"type": "text", "text": content}]
        messages.append({"role": message["role"], "content": content})
    if ask.prefix:
        messages.append({"role": "assistant", "content": ask.prefix})
    return messages


def data_uri(shown: Picture, max_pixels: int) -> str:
    """An image as PNG in a data URI, no larger than so many pixels."""
    image = picture(shown)
    shrink = (max_pixels / (image.width * image.height)) ** 0.5
    if shrink < 1:
        image = image.resize((max(1, int(image.width * shrink)), max(1, int(image.height * shrink))))
    written = io.BytesIO()
    image.save(written, "PNG")
    return "data:image/png;base64," + base64.b64encode(written.getvalue()).decode()
