"""One question under way: its place in the line, the model's reply, and the events that tell of it.

The work is a task of its own, so it ends, and makes room, whether anybody reads its events or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from fastapi import Request

from cxreason.errors import UserError
from cxreason.serve.engines import Ask, Engine, Piece
from cxreason.serve.line import Line, Place

log = logging.getLogger("cxreason.serve")

Result = TypeVar("Result")


class Failed(UserError):
    """An answer that broke off, in one line for whoever asked."""


class Work:
    """A question that has a place in the line.

    work = Work(line, engine, ask, answer_seconds=120)      # Full where there is no room
    async for piece in work.pieces(): ...
    """

    def __init__(self, line: Line, engine: Engine, ask: Ask, answer_seconds: float):
        self.place: Place = line.enter()
        self._queue: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._run(engine, ask, answer_seconds))
        # Also where it is given up before it begins, when none of it runs.
        self._task.add_done_callback(lambda task: self.place.leave())

    async def _run(self, engine: Engine, ask: Ask, answer_seconds: float) -> None:
        try:
            await self.place.turn()
            async with asyncio.timeout(answer_seconds):
                async with contextlib.aclosing(engine.reply(ask)) as pieces:  # pyright: ignore[reportArgumentType]
                    async for piece in pieces:
                        self._queue.put_nowait(piece)
        except TimeoutError:
            self._queue.put_nowait(Failed(f"no whole answer in {answer_seconds:g} seconds"))
        except UserError as error:
            self._queue.put_nowait(error)
        except Exception:
            log.exception("a question could not be answered")
            self._queue.put_nowait(Failed("the server failed; its log says why"))
        finally:
            self._queue.put_nowait(None)

    async def pieces(self, pulse_seconds: float = 10.0) -> AsyncIterator[Piece | None]:
        """The pieces of the reply; None from time to time where nothing comes. Raises what broke it off."""
        try:
            while True:
                try:
                    async with asyncio.timeout(pulse_seconds):
                        told = await self._queue.get()
                except TimeoutError:
                    yield None
                    continue
                if told is None:
                    return
                if isinstance(told, Exception):
                    raise told
                yield told
        finally:
            self.stop()

    def stop(self) -> None:
        """Give up: whoever asked has gone away."""
        self._task.cancel()


async def attended(request: Request, answering: Coroutine[Any, Any, Result]) -> Result:
    """What a coroutine makes for a request, unless whoever asked goes away first: then it is given up.

    Streams notice that themselves, once they have begun; nothing else does.
    """
    task = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Failed("whoever asked has gone away")
        return task.result()
    finally:
        gone.cancel()
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
