"""Uploads: decoded in processes of their own, kept in memory for a while, under ids that cannot be guessed.

A file's name never reaches the server, its header never leaves the process that decodes it, and nothing is
written to disk.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import secrets
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cxreason.errors import UserError
from cxreason.serve.decoder import LENGTH
from cxreason.serve.limits import Limits

START_SECONDS = 60.0
"""How long a fresh process may take to import its decoders, on a busy machine."""
NUM_DECODERS = 2


class Refused(UserError):
    """An image, a question or an answer that cannot be had, in one line for whoever asked."""

    def __init__(self, message: str, status: int = 422):
        super().__init__(message)
        self.status = status


class Busy(Refused):
    """Too many at a time; to be tried again."""

    def __init__(self, message: str, retry_seconds: int):
        super().__init__(message, 429)
        self.retry_seconds = retry_seconds


@dataclass(frozen=True)
class Decoded:
    """What is known of an image: grey values as the model sees them, and the bytes that the viewer reads."""

    grey: np.ndarray
    pixels: bytes
    view: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @property
    def num_bytes(self) -> int:
        """What it takes in memory."""
        return self.grey.nbytes + len(self.pixels)


class Decoders:
    """A few processes that decode. One that takes too long or dies is replaced, and its file refused."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._idle: list[asyncio.subprocess.Process] = []
        self._room = asyncio.Semaphore(NUM_DECODERS)
        self._num_inside = 0

    async def decode(self, content: bytes) -> Decoded:
        """The image in a file; Refused where it holds none, Busy where too many are being read."""
        if not content:
            raise Refused("the image is empty")
        if len(content) > self.limits.image_bytes:
            raise Refused(f"the image has more than {self.limits.image_bytes:,} bytes", 413)
        if self._num_inside >= self.limits.most_decoding:
            raise Busy("too many images are being read; send it again", 2)
        self._num_inside += 1
        try:
            async with self._room:
                return await self._decode(content)
        finally:
            self._num_inside -= 1

    async def _decode(self, content: bytes) -> Decoded:
        process = self._living() or await self._start()
        whole = False
        try:
            async with asyncio.timeout(self.limits.decode_seconds):
                head, parts = await _exchange(process, content)
            whole = True
        except TimeoutError:
            raise Refused(f"the image could not be read in {self.limits.decode_seconds:g} seconds") from None
        except (OSError, EOFError, ValueError):
            raise Refused("the image is damaged") from None
        finally:
            if whole:
                self._idle.append(process)
            else:
                await _kill(process)
        if "error" in head:
            raise Refused(f"the image {head['error']}")
        grey = np.frombuffer(parts[0], dtype=np.uint8).reshape(head["height"], head["width"])
        return Decoded(grey, parts[1], head["view"])

    def _living(self) -> asyncio.subprocess.Process | None:
        """A process that waits; one may have died since, as where the system needed its memory."""
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
        return None

    async def _start(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "cxreason.serve.decoder", str(self.limits.image_pixels))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        try:
            async with asyncio.timeout(START_SECONDS):
                await _read(process)
        except (TimeoutError, EOFError):
            await _kill(process)
            raise RuntimeError("the process that decodes images does not start") from None
        return process

    async def warm(self) -> None:
        """Start one process, so that the first image need not wait for it."""
        self._idle.append(await self._start())

    async def close(self) -> None:
        """End all processes."""
        while self._idle:
            await _kill(self._idle.pop())


async def _exchange(
    process: asyncio.subprocess.Process, content: bytes
) -> tuple[dict[str, Any], list[bytes]]:
    assert process.stdin is not None
    process.stdin.write(LENGTH.pack(len(content)))
    process.stdin.write(content)
    await process.stdin.drain()
    head = json.loads(await _read(process))
    return head, [] if "error" in head else [await _read(process), await _read(process)]


async def _read(process: asyncio.subprocess.Process) -> bytes:
    assert process.stdout is not None
    (length,) = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return await process.stdout.readexactly(length)


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


class Shelf:
    """Images by id, for as long as there is room and they are asked for."""

    def __init__(self, limits: Limits):
        self.limits = limits
        self._kept: OrderedDict[str, tuple[float, Decoded]] = OrderedDict()
        self.num_bytes = 0

    def put(self, image: Decoded) -> str:
        """Keep an image; the ones that were not used for longest go."""
        self.tidy()
        self._kept[image.id] = (time.monotonic(), image)
        self.num_bytes += image.num_bytes
        while self.num_bytes > self.limits.kept_bytes and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return image.id

    def get(self, id: str) -> Decoded:
        """The image with an id; Refused where there is none (any more)."""
        self.tidy()
        if id not in self._kept:
            raise Refused("there is no such image, or it was kept long enough; send it again", 404)
        image = self._kept[id][1]
        self._kept[id] = (time.monotonic(), image)
        self._kept.move_to_end(id)
        return image

    def drop(self, id: str) -> None:
        """Forget an image, if it is there."""
        if id in self._kept:
            self._drop(id)

    def tidy(self) -> None:
        """Forget what nobody asked for in a while."""
        oldest = time.monotonic() - self.limits.kept_seconds
        while self._kept and next(iter(self._kept.values()))[0] < oldest:
            self._drop(next(iter(self._kept)))

    def _drop(self, id: str) -> None:
        self.num_bytes -= self._kept.pop(id)[1].num_bytes


def from_data_url(url: str) -> bytes:
    """The content of a data URL; Refused for every other address, because nothing is fetched from here.

    >>> from_data_url("data:image/png;base64,aGk=")
    b'hi'
    """
    head, comma, body = url.partition(",")
    if not head.startswith("data:") or not comma:
        raise Refused("images are given as data URLs; nothing is fetched from elsewhere")
    if not head.endswith(";base64"):
        raise Refused("the data URL of an image must be in base64")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise Refused("the data URL of an image holds no base64") from None
