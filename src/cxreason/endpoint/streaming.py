"""A reply of an OpenAI-compatible server, word by word while the model writes it.

    async for piece in stream(settings, request): print(piece.text, end="")

Nothing is asked again and nothing is remembered: whoever reads along sees what comes, once.
"""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from cxreason.endpoint import wire
from cxreason.endpoint.http import Broken, Connections
from cxreason.endpoint.wire import CallFailed, EndpointError
from cxreason.settings import ServerSettings

LONGEST_LINE = 1 << 20


class Crowded(CallFailed):
    """A server that is busy now, and when it says to come again."""

    def __init__(self, problem: str, wait_seconds: float | None):
        super().__init__(problem)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True)
class Piece:
    """A piece of the reply in one choice; why that choice ended, where it did; the tokens, at the end."""

    choice: int = 0
    text: str = ""
    ended: str = ""
    """ "stop", "length" or what else the server calls it; empty while it goes on."""
    tokens_in: int | None = None
    tokens_out: int | None = None


async def stream(settings: ServerSettings, request: dict[str, Any]) -> AsyncIterator[Piece]:
    """The pieces of a reply to the body of a chat completion. A server that does not stream answers in one.

    CallFailed where no whole reply comes, EndpointError where none ever could.
    """
    address = f"{settings.url.rstrip('/')}/chat/completions"
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    key = os.environ.get(settings.api_key_variable, "")
    if key:
        headers["Authorization"] = f"Bearer {key}"
    body = json.dumps({**request, "stream": True, "stream_options": {"include_usage": True}}).encode()
    lines = Connections(address).stream(body, headers, settings.timeout_seconds)
    try:
        async with lines as (status, told, parts), aclosing(_lines(parts)) as read:
            if status != 200:
                raise await _refusal(settings, status, told, read)
            if "text/event-stream" not in told.get("content-type", ""):
                for piece in _whole(b"\n".join([line async for line in read])):
                    yield piece
                return
            async for line in read:
                if not line.startswith(b"data:"):
                    continue
                data = line[5:].strip()
                if data == b"[DONE]":
                    return
                for piece in read_chunk(data):
                    yield piece
    except Broken as error:
        if not error.connected:
            message = f"{settings.url}: {error}. Is the server running, and the url right?"
            raise EndpointError(message) from None
        raise CallFailed(str(error)) from None


def read_chunk(data: bytes | str) -> list[Piece]:
    """What one event of a stream says; CallFailed where it is an error or no event at all.

    >>> read_chunk('{"choices": [{"index": 0, "delta": {"content": "Edema"}}]}')[0].text
    'Edema'
    """
    try:
        told = json.loads(data)
        if told.get("error"):
            error = told["error"]
            said = error.get("message") if isinstance(error, dict) else error
            raise CallFailed(f"the server broke off: {' '.join(str(said).split())[:200]}")
        pieces = [_piece(choice, choice.get("delta") or {}) for choice in told.get("choices") or ()]
        return pieces + _usage(told)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CallFailed("an event that is no part of a chat completion") from None


def _piece(choice: dict[str, Any], said: dict[str, Any]) -> Piece:
    return Piece(
        int(choice.get("index") or 0), str(said.get("content") or ""), choice.get("finish_reason") or ""
    )


def _usage(told: dict[str, Any]) -> list[Piece]:
    usage = told.get("usage")
    if not isinstance(usage, dict):
        return []
    return [Piece(tokens_in=usage.get("prompt_tokens"), tokens_out=usage.get("completion_tokens"))]


def _whole(content: bytes) -> list[Piece]:
    """A completion that came at once."""
    try:
        told = json.loads(content)
        pieces = [_piece(choice, choice["message"]) for choice in told["choices"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CallFailed("an answer that is not a chat completion") from None
    return pieces + _usage(told)


async def _refusal(
    settings: ServerSettings, status: int, headers: dict[str, str], read: AsyncIterator[bytes]
) -> Exception:
    said = b""
    async for line in read:
        said += line
        if len(said) > 500:
            break
    words = " ".join(said[:500].decode("utf-8", "replace").split())[:200]
    if status in wire.REFUSED:
        check = f"Check the address, the model's name and ${settings.api_key_variable}."
        return EndpointError(f"{settings.url}: {wire.REFUSED[status]} ({status}: {words}). {check}")
    if status in wire.BUSY:
        return Crowded(f"the server is busy ({status})", wire.retry_after(headers.get("retry-after")))
    return CallFailed(f"status {status}: {words}")


async def _lines(parts: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The lines of a body that comes in parts, without their ends."""
    rest = b""
    async for part in parts:
        *whole, rest = (rest + part).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r")
        if len(rest) > LONGEST_LINE:
            raise CallFailed("a line of the answer is longer than any can be")
    if rest:
        yield rest
