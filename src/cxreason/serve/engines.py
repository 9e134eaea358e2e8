"""What answers: a checkpoint that is loaded here, or a model on an OpenAI-compatible server.

Both take an `Ask` and give `Piece`s as they are written. The one here answers all that wait and are asked in
the same way (greedily, or at one temperature with as many samples) in one batch; the other passes each on.
"""

from __future__ import annotations

import asyncio
import io
import threading
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from cxreason.endpoint.streaming import Crowded, stream
from cxreason.endpoint.wire import CallFailed
from cxreason.errors import UserError
from cxreason.imaging.boxes import resized
from cxreason.serve.images import Busy, Refused
from cxreason.settings import ServerSettings

MOST_ROWS = 32
"""Replies that are written at a time."""
SENT_PIXELS = 1536 * 1536
"""An image that goes to a server is not larger: vision models shrink it further, and it has to travel."""


@dataclass(frozen=True)
class Ask:
    """A chat whose parts are texts and images, {"type": "image", "image": number}, and how to answer it."""

    messages: list[dict[str, Any]]
    images: Sequence[np.ndarray]
    num_samples: int = 1
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int = 17

    @property
    def texts(self) -> list[str]:
        """All text of the chat."""
        return [part["text"] for turn in self.messages for part in turn["content"] if part["type"] == "text"]


@dataclass(frozen=True)
class Piece:
    """Some text of one sample; at its end why it ended, and how many tokens it took."""

    sample: int
    text: str = ""
    ended: str = ""
    """ "stop" or "length"; empty while it goes on."""
    num_tokens: int = 0


class Engine(Protocol):
    """What the server needs of a model."""

    name: str

    def check(self, ask: Ask) -> int:
        """The tokens of the prompt (0 where only the server knows); Refused where it cannot be answered."""
        ...

    def reply(self, ask: Ask) -> AsyncIterator[Piece]:
        """The reply as it is written. Closing it early stops the writing."""
        ...


class ModelFailed(UserError):
    """A model that could not answer; the reason is in the server's log, or in the message."""


@dataclass(eq=False)
class _Job:
    ask: Ask
    loop: asyncio.AbstractEventLoop
    pieces: asyncio.Queue[Piece | Exception] = field(default_factory=asyncio.Queue)
    told: list[int] = field(default_factory=list)
    """Characters of each sample that were told."""
    full: set[int] = field(default_factory=set)
    """Samples that reached their own limit of tokens."""
    gone: bool = False

    def __post_init__(self) -> None:
        self.told = [0] * self.ask.num_samples

    @property
    def manner(self) -> tuple[float, int]:
        """What jobs of one batch have in common."""
        return self.ask.temperature, self.ask.num_samples

    def tell(self, piece: Piece | Exception) -> None:
        if not self.gone:
            self.loop.call_soon_threadsafe(self.pieces.put_nowait, piece)


class LocalEngine:
    """A checkpoint in this process, with a thread of its own that writes.

    engine = LocalEngine(TransformersEngine("phantom", max_new_tokens=512), "phantom")
    """

    def __init__(self, model: Any, name: str, most_rows: int = MOST_ROWS):
        self.model, self.name, self.most_rows = model, name, most_rows
        self._waiting: deque[_Job] = deque()
        self._news = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    def check(self, ask: Ask) -> int:
        """The tokens of the prompt; Refused where it does not fit, or holds marks of the model's own."""
        tokenizer = self.model.processor.tokenizer
        words = "\n".join(ask.texts)
        for mark in tokenizer.all_special_tokens:
            if mark in words:
                raise Refused(f"the text holds {mark}, which is a mark of the model; leave it out")
        num_tokens = len(tokenizer(words, add_special_tokens=False)["input_ids"])
        num_tokens += sum(map(self._image_tokens, ask.images))
        room = getattr(self.model.model.config.get_text_config(), "max_position_embeddings", None)
        if room and num_tokens + ask.max_tokens > room:
            raise Refused(
                f"{num_tokens} tokens of question and {ask.max_tokens} of answer are more than the {room} "
                "that the model can take; ask for less"
            )
        return num_tokens

    def _image_tokens(self, image: np.ndarray) -> int:
        processor = self.model.processor.image_processor
        cell = processor.patch_size * processor.merge_size
        limits = {"min_pixels": processor.size["shortest_edge"], "max_pixels": processor.size["longest_edge"]}
        try:
            height, width = resized(*image.shape, factor=cell, **limits)
        except ValueError as error:
            raise Refused(str(error)) from None
        return height * width // cell**2

    async def reply(self, ask: Ask) -> AsyncIterator[Piece]:
        """The reply as it is written."""
        job = _Job(ask, asyncio.get_running_loop())
        with self._news:
            self._waiting.append(job)
            self._news.notify()
        try:
            num_open = ask.num_samples
            while num_open:
                piece = await job.pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                num_open -= bool(piece.ended)
                yield piece
        finally:
            job.gone = True

    def close(self) -> None:
        """Stop the thread after what it writes now."""
        with self._news:
            self._closed = True
            for job in self._waiting:
                job.gone = True
            self._news.notify()
        self._thread.join(timeout=5)

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                batch = self._next_batch()
            if batch:
                self._write(batch)

    def _next_batch(self) -> list[_Job]:
        """The first that waits, and those behind it that can be written together with it."""
        waiting = [job for job in self._waiting if not job.gone]
        if not waiting:
            self._waiting.clear()
            return []
        room = max(1, self.most_rows // waiting[0].ask.num_samples)
        batch = [job for job in waiting if job.manner == waiting[0].manner][:room]
        self._waiting = deque(job for job in waiting if job not in batch)
        return batch

    def _write(self, batch: list[_Job]) -> None:
        try:
            self._generate(batch)
        except Exception as error:
            if len(batch) > 1 and not any(any(job.told) for job in batch):
                for job in batch:  # one of them may have spoilt it for all
                    self._write([job])
                return
            if not isinstance(error, UserError):
                import logging

                logging.getLogger("cxreason.serve").exception("the model failed")
                error = ModelFailed("the model failed; the server's log says why")
            for job in batch:
                job.tell(error)

    def _generate(self, batch: list[_Job]) -> None:
        ask = batch[0].ask
        drawn: dict[str, Any] = {}
        if ask.temperature > 0:
            seeds = [[job.ask.seed + number for number in range(ask.num_samples)] for job in batch]
            drawn = {"seeds": seeds, "temperature": ask.temperature}
        replies = self.model.generate(
            [_without_numbers(job.ask.messages) for job in batch],
            [_in_order(job.ask) for job in batch],
            max_new_tokens=max(job.ask.max_tokens for job in batch),
            listener=_Listener(batch, ask.num_samples),
            **drawn,
        )
        for row, said in enumerate(replies):
            job, sample = batch[row // ask.num_samples], row % ask.num_samples
            if sample not in job.full:
                rest, ended = said.text[job.told[sample] :], "stop" if said.finished else "length"
                job.tell(Piece(sample, rest, ended, said.num_tokens))


def _without_numbers(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The chat as chat templates have it; its images come beside it, in order."""

    def plain(part: dict[str, Any]) -> dict[str, Any]:
        return {"type": "image"} if part["type"] == "image" else part

    return [{**turn, "content": [plain(part) for part in turn["content"]]} for turn in messages]


def _in_order(ask: Ask) -> list[np.ndarray]:
    """The images in the order in which the chat names them."""
    parts = [part for turn in ask.messages for part in turn["content"]]
    return [ask.images[part["image"]] for part in parts if part["type"] == "image"]


class _Listener:
    """Passes the rows of a batch on to those who asked."""

    def __init__(self, batch: list[_Job], num_samples: int):
        self.batch, self.num_samples = batch, num_samples

    def heard(self, row: int, text: str, num_tokens: int) -> None:
        job, sample = self.batch[row // self.num_samples], row % self.num_samples
        if sample in job.full:
            return
        full = num_tokens >= job.ask.max_tokens
        job.told[sample] += len(text)
        job.tell(Piece(sample, text, "length" if full else "", num_tokens))
        if full:
            job.full.add(sample)

    def left(self) -> Collection[int]:
        """Rows of whoever went away, and rows that are full."""
        count = self.num_samples
        return {
            number * count + sample
            for number, job in enumerate(self.batch)
            for sample in range(count)
            if job.gone or sample in job.full
        }


class EndpointEngine:
    """A model on a server that speaks OpenAI's protocol. It gets pixels and words, no name of a file.

    engine = EndpointEngine(ServerSettings(url="http://localhost:8000/v1"), "Qwen/Qwen2.5-VL-7B-Instruct")
    """

    def __init__(self, settings: ServerSettings, name: str):
        self.settings, self.name = settings, name
        self._room = asyncio.Semaphore(settings.concurrency)

    def check(self, ask: Ask) -> int:
        """Nothing is known here of what the model can take."""
        return 0

    async def reply(self, ask: Ask) -> AsyncIterator[Piece]:
        """The reply as it comes; each sample is a request of its own, because few servers stream several."""
        urls = [await asyncio.to_thread(_data_url, image) for image in ask.images]
        messages = [
            {**turn, "content": [_sent(part, urls) for part in turn["content"]]} for turn in ask.messages
        ]
        pieces: asyncio.Queue[Piece | Exception] = asyncio.Queue()
        requests = [
            {
                "model": self.name,
                "messages": messages,
                "temperature": ask.temperature,
                "max_tokens": ask.max_tokens,
                "seed": ask.seed + sample,
            }
            for sample in range(ask.num_samples)
        ]
        tasks = [asyncio.create_task(self._one(*one, pieces)) for one in enumerate(requests)]
        try:
            num_open = len(tasks)
            while num_open:
                piece = await pieces.get()
                if isinstance(piece, Exception):
                    raise piece
                num_open -= bool(piece.ended)
                yield piece
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, sample: int, request: dict[str, Any], pieces: asyncio.Queue) -> None:
        ended, num_tokens, num_pieces = "", 0, 0
        try:
            async with self._room:
                async for piece in stream(self.settings, request):
                    if piece.text:
                        num_pieces += 1
                        pieces.put_nowait(Piece(sample, piece.text))
                    ended = piece.ended or ended
                    num_tokens = piece.tokens_out or num_tokens
            if not ended:
                raise CallFailed("the server broke off in the middle of the answer")
        except Crowded as error:
            pieces.put_nowait(Busy("the model's server is busy", round(error.wait_seconds or 5)))
        except CallFailed as error:
            pieces.put_nowait(ModelFailed(f"the model's server gave no answer: {error}"))
        except UserError as error:
            pieces.put_nowait(ModelFailed(str(error)))
        else:
            pieces.put_nowait(Piece(sample, "", ended, num_tokens or num_pieces))


def _sent(part: dict[str, Any], urls: Sequence[str]) -> dict[str, Any]:
    if part["type"] != "image":
        return part
    return {"type": "image_url", "image_url": {"url": urls[part["image"]]}}


def _data_url(grey: np.ndarray) -> str:
    """An image as a PNG that holds its grey values alone."""
    from PIL import Image

    image = Image.fromarray(grey)
    if grey.size > SENT_PIXELS:
        scale = (SENT_PIXELS / grey.size) ** 0.5
        size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        image = image.resize(size, Image.Resampling.LANCZOS)
    written = io.BytesIO()
    image.save(written, "PNG", compress_level=3)
    return "data:image/png;base64," + b64encode(written.getvalue()).decode()
