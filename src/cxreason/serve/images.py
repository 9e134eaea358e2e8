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
    """A few processes that decode. One that takes too long or dies is replaced, and its file refused.

    Whoever sends an image hears of it within `decode_seconds`, whatever it waited for: the file, one before
    it, or a process that has to be started. Where the time went before its turn came, it may come again.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self._ready: asyncio.Queue[asyncio.subprocess.Process] = asyncio.Queue()
        self._starts: set[asyncio.Task[None]] = set()
        self._num_processes = 0
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
            ends = asyncio.get_running_loop().time() + self.limits.decode_seconds
            return await self._decode(await self._process(ends), content, ends)
        finally:
            self._num_inside -= 1

    async def _process(self, ends: float) -> asyncio.subprocess.Process:
        """A process for this file alone; Busy where none is free in time."""
        try:
            async with asyncio.timeout_at(ends):
                while True:
                    if self._ready.empty() and self._num_processes < NUM_DECODERS:
                        self._begin()
                    process = await self._ready.get()
                    if process.returncode is None:
                        return process
                    self._num_processes -= 1  # as where the system needed its memory
        except TimeoutError:
            raise Busy("the images before this one took too long; send it again", 2) from None

    async def _decode(self, process: asyncio.subprocess.Process, content: bytes, ends: float) -> Decoded:
        whole = False
        try:
            async with asyncio.timeout_at(ends):
                head, parts = await _exchange(process, content)
            whole = True
        except TimeoutError:
            raise Refused(f"the image could not be read in {self.limits.decode_seconds:g} seconds") from None
        except (OSError, EOFError, ValueError):
            raise Refused("the image is damaged") from None
        finally:
            if whole:
                self._ready.put_nowait(process)
            else:
                await _kill(process)
                self._num_processes -= 1
                self._begin()  # now, so that the next file need not wait for it
        if "error" in head:
            raise Refused(f"the image {head['error']}")
        grey = np.frombuffer(parts[0], dtype=np.uint8).reshape(head["height"], head["width"])
        return Decoded(grey, parts[1], head["view"])

    def _begin(self) -> asyncio.Task[None]:
        """Start a process beside what is going on."""
        self._num_processes += 1
        task = asyncio.create_task(self._start())
        self._starts.add(task)
        task.add_done_callback(self._starts.discard)
        return task

    async def _start(self) -> None:
        try:
            process = await self._started()
        except BaseException:
            self._num_processes -= 1
            raise
        self._ready.put_nowait(process)

    async def _started(self) -> asyncio.subprocess.Process:
        command = (sys.executable, "-m", "cxreason.serve.decoder", str(self.limits.image_pixels))
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        try:
            async with asyncio.timeout(START_SECONDS):
                await _read(process)
        except BaseException as error:
            await _kill(process)
            if isinstance(error, TimeoutError | EOFError):
                raise RuntimeError("the process that decodes images does not start") from None
            raise
        return process

    async def warm(self) -> None:
        """Start one process, so that the first image need not wait for it."""
        await self._begin()

    async def close(self) -> None:
        """End all processes."""
        for task in self._starts:
            task.cancel()
        await asyncio.gather(*self._starts, return_exceptions=True)
        while not self._ready.empty():
            await _kill(self._ready.get_nowait())


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
