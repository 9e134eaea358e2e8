"""As much of HTTP/1.1 as a client of a model server needs, over asyncio: POST with kept-alive connections.

A request that a server answers with another status than 200 is an answer; one that it does not answer whole
raises Broken. An answer can also be read while it comes (`stream`). Proxies are taken from the environment
as everywhere (HTTPS_PROXY, HTTP_PROXY, NO_PROXY).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import unquote, urlsplit

MOST_HEADER_BYTES = 1 << 20


class Broken(Exception):
    """No whole answer came. `connected` tells a server that is not there from one that broke off."""

    def __init__(self, problem: str, *, connected: bool):
        super().__init__(problem)
        self.connected = connected


@dataclass(frozen=True)
class Answer:
    """A whole answer; header names are in small letters."""

    status: int
    headers: dict[str, str]
    content: bytes


@dataclass
class _Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


@dataclass
class Connections:
    """The kept-alive connections to one address.

    answer = await Connections("http://localhost:8000/v1/chat/completions").post(body, {}, timeout_seconds=60)
    """

    url: str
    _idle: list[_Line] = field(default_factory=list)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._secure = parts.scheme == "https"
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if self._secure else 80)
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._proxy = _proxy_of(parts.scheme, self._host)
        authority = parts.netloc.rpartition("@")[2]
        target = self.url if self._proxy and not self._secure else self._path
        self._head = f"POST {target} HTTP/1.1\r\nHost: {authority}\r\nAccept-Encoding: identity\r\n"
        if self._proxy and not self._secure:
            self._head += _proxy_login(self._proxy)

    async def post(self, body: bytes, headers: dict[str, str], timeout_seconds: float) -> Answer:
        """The answer to a POST; Broken where none comes whole and in time."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{self._head}{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._exchange(request)
        except TimeoutError:
            raise Broken(f"no answer in {timeout_seconds:g} seconds", connected=True) from None

    @contextlib.asynccontextmanager
    async def stream(
        self, body: bytes, headers: dict[str, str], silence_seconds: float
    ) -> AsyncIterator[tuple[int, dict[str, str], AsyncIterator[bytes]]]:
        """Status, headers and the parts of an answer as they come, over a connection of its own.

        Broken where nothing comes for `silence_seconds`, or the answer breaks off. Leaving the block early
        closes the connection, which is how a server learns that nobody listens any more.
        """
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = f"{self._head}{lines}Connection: close\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        line: _Line | None = None
        try:
            async with _broken(silence_seconds, connected=False):
                line = await self._connect()
            async with _broken(silence_seconds):
                line.writer.write(request + body)
                await line.writer.drain()
                status, told = await _read_head(line.reader)
            yield status, told, _parts(line.reader, told, silence_seconds)
        finally:
            if line is not None:
                line.writer.close()

    async def _exchange(self, request: bytes) -> Answer:
        while True:
            line = await self._take()
            whole = False
            try:
                line.writer.write(request)
                await line.writer.drain()
                answer, keep = await _read_answer(line.reader)
                whole = keep
                return answer
            except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
                nothing_came = isinstance(error, _Silent | ConnectionError)
                if line.used and nothing_came:
                    continue  # the server had closed a connection that was idle; that is no failed call
                raise Broken(f"the connection broke off ({_said(error)})", connected=True) from None
            finally:
                line.used = True
                if whole:
                    self._idle.append(line)
                else:
                    line.writer.close()

    async def _take(self) -> _Line:
        while self._idle:
            line = self._idle.pop()
            if not line.reader.at_eof() and not line.writer.is_closing():
                return line
            line.writer.close()
        try:
            return await self._connect()
        except (OSError, EOFError, ValueError) as error:
            raise Broken(f"no connection ({_said(error)})", connected=False) from None

    async def _connect(self) -> _Line:
        secure = {"ssl": _tls(), "server_hostname": self._host} if self._secure else {}
        if self._proxy is None:
            return _Line(
                *await asyncio.open_connection(self._host, self._port, limit=MOST_HEADER_BYTES, **secure)
            )
        proxy = urlsplit(self._proxy)
        port = proxy.port or 80
        reader, writer = await asyncio.open_connection(proxy.hostname, port, limit=MOST_HEADER_BYTES)
        if self._secure:
            there = f"{self._host}:{self._port}"
            ask = f"CONNECT {there} HTTP/1.1\r\nHost: {there}\r\n{_proxy_login(self._proxy)}\r\n"
            writer.write(ask.encode())
            status, _ = await _read_head(reader)
            if status != 200:
                writer.close()
                raise OSError(f"the proxy says {status}")
            await writer.start_tls(_tls(), server_hostname=self._host)
        return _Line(reader, writer)

    async def close(self) -> None:
        """Close what is idle."""
        for line in self._idle:
            line.writer.close()
        self._idle.clear()


@contextlib.asynccontextmanager
async def _broken(silence_seconds: float, *, connected: bool = True) -> AsyncIterator[None]:
    """Whatever goes wrong on a line, or takes too long, as Broken."""
    try:
        async with asyncio.timeout(silence_seconds):
            yield
    except TimeoutError:
        raise Broken(f"no answer in {silence_seconds:g} seconds", connected=connected) from None
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        what = "the connection broke off" if connected else "no connection"
        raise Broken(f"{what} ({_said(error)})", connected=connected) from None


async def _parts(
    reader: asyncio.StreamReader, headers: dict[str, str], silence_seconds: float
) -> AsyncIterator[bytes]:
    """The parts of a body as they come."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        while True:
            async with _broken(silence_seconds):
                size = int((await reader.readuntil(b"\n")).split(b";")[0], 16)
                part = await reader.readexactly(size + 2)
            if not size:
                return
            yield part[:-2]
    length = int(headers["content-length"]) if "content-length" in headers else None
    while length is None or length > 0:
        async with _broken(silence_seconds):
            part = await reader.read(65_536)
            if not part and length:
                raise EOFError("cut short")
        if not part:
            return
        length = None if length is None else length - len(part)
        yield part


class _Silent(EOFError):
    """The connection ended before the first byte of an answer."""


async def _read_answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    status, headers = await _read_head(reader)
    while 100 <= status < 200:
        status, headers = await _read_head(reader)
    keep = headers.get("connection", "").lower() != "close"
    if "chunked" in headers.get("transfer-encoding", "").lower():
        content = await _read_chunks(reader)
    elif "content-length" in headers:
        content = await reader.readexactly(int(headers["content-length"]))
    elif status == 204:
        content = b""
    else:
        content, keep = await reader.read(), False
    return Answer(status, headers, content), keep


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            raise _Silent("closed without an answer") from None
        raise
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1"):
        raise ValueError("no HTTP answer")
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    return int(rest[:3]), headers


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while (await reader.readuntil(b"\n")).strip():
        pass  # trailers
    return b"".join(parts)


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _proxy_of(scheme: str, host: str) -> str | None:
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(scheme)


def _proxy_login(proxy: str) -> str:
    parts = urlsplit(proxy)
    if not parts.username:
        return ""
    who = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(who.encode()).decode()}\r\n"


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
