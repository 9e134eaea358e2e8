"""A model that says what a test tells it to, and `cxreason serve` around it, in a thread of the test."""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import numpy as np
import uvicorn
from PIL import Image

from cxreason.serve.app import make_app
from cxreason.serve.desk import Desk
from cxreason.serve.engines import Ask, Piece

YES = "<think> There is a small left pleural effusion. No pneumothorax. </think><answer> A </answer>"


class Scripted:
    """`reply` is a text, a text for each sample, or what makes one of an Ask; it is told in small pieces."""

    name = "scripted"

    def __init__(
        self,
        reply: str | Sequence[str] | Callable[[Ask], str] = YES,
        *,
        seconds: float = 0.0,
        fault: Exception | None = None,
    ):
        self.reply_text, self.seconds, self.fault = reply, seconds, fault
        self.asked: list[Ask] = []
        self.num_given_up = 0

    def check(self, ask: Ask) -> int:
        return 7

    def _text(self, ask: Ask, sample: int) -> str:
        if callable(self.reply_text):
            return self.reply_text(ask)
        return self.reply_text if isinstance(self.reply_text, str) else self.reply_text[sample]

    async def reply(self, ask: Ask) -> AsyncIterator[Piece]:
        self.asked.append(ask)
        whole = False
        try:
            for sample in range(ask.num_samples):
                words = self._text(ask, sample).split(" ")
                kept, cut = words[: ask.max_tokens], len(words) > ask.max_tokens
                for number, word in enumerate(kept):
                    # The first word comes at once.
                    await asyncio.sleep(self.seconds / len(words) if number else 0)
                    if self.fault and number == len(words) // 2:
                        raise self.fault
                    yield Piece(sample, (" " if number else "") + word, num_tokens=number + 1)
                yield Piece(sample, "", "length" if cut else "stop", len(kept))
            whole = True
        finally:
            self.num_given_up += not whole


def picture(size: tuple[int, int] = (48, 40), **told: Any) -> bytes:
    """A PNG with a gradient."""
    width, height = size
    grey = np.linspace(0, 255, width * height).reshape(height, width).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(grey).save(written, told.pop("format", "PNG"), **told)
    return written.getvalue()


@contextlib.contextmanager
def running(desk: Desk, hosts: Sequence[str] = ()) -> Iterator[str]:
    """The server on a free port of this machine; gives its address."""
    from cxreason.web import server

    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(128)
    one: uvicorn.Server = server(make_app(desk, hosts), "cxreason.serve")
    thread = threading.Thread(target=one.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        one.should_exit = one.force_exit = True
        thread.join(10)
