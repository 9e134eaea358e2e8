"""A model on one or several servers: many calls at once, each paid for once, within a budget.

    async with Pool(settings, folder / "replies.jsonl") as pool:
        said = await Asker(pool, turn=1).text("Say edema.")

A reply is in the file before anybody sees it, so a kill loses only what was still on its way. The file is the
ledger too: what was spent is the sum of its lines, over all starts. A call is made again where a server is
busy, slow or breaks off; a server that is not there does not use up a call's attempts, the others take over,
and where none is there for `patience_seconds` everything stops, to go on with the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cxreason.endpoint import wire
from cxreason.endpoint.asking import Stopped
from cxreason.endpoint.http import Answer, Broken, Connections
from cxreason.endpoint.lanes import Lane, Lanes
from cxreason.endpoint.replies import Replies
from cxreason.endpoint.wire import CallFailed, EndpointError, Said, Usage
from cxreason.errors import UserError
from cxreason.settings import PoolSettings

SYNC_SECONDS = 1.0
MOST_REFUSALS = 100
"""Refusals as busy that one call bears; they cost a server nothing, so they are no attempts."""


class BudgetSpent(UserError):
    """There is no more money, or there are no more tokens; more can be given, and the run goes on."""


class Pool:
    """The carrier that asks servers. One event loop at a time."""

    def __init__(self, settings: PoolSettings, replies: Path | None = None):
        self.settings = settings
        self.usage = Usage()
        self.replies = Replies(replies, each=self._spent_before)
        self._flights: dict[str, asyncio.Future[Said]] = {}
        self.lanes = Lanes([Lane(server) for server in settings.servers])
        self._stop: BaseException | None = None
        self._stopping = asyncio.Event()
        self._served_at = time.monotonic()
        self._synced_at = self._served_at
        self._sync: asyncio.Future[None] | None = None
        for lane in self.lanes.lanes:
            lane.line = Connections(f"{lane.server.url.rstrip('/')}/chat/completions")

    def stop(self, reason: BaseException | None = None) -> None:
        """Make no more calls: those that wait for a place raise Stopped, those under way come in."""
        self._stop = self._stop or reason or Stopped()
        self._stopping.set()
        self.lanes.close()

    @property
    def stopped_by(self) -> BaseException | None:
        """Why no more calls are made, or None."""
        return self._stop

    async def get(self, request: dict[str, Any], turn: int) -> Said:
        """The reply to a request: from the file, from a call for the same under way, or from a call."""
        key = wire.key(request)
        known = self.replies.get(key)
        if known is not None:
            self.usage.num_from_cache += 1
            return _said(known)
        flight = self._flights.get(key)
        if flight is not None:
            self.usage.num_from_cache += 1
            return await asyncio.shield(flight)
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            said = await self._complete(key, request, turn)
        except BaseException as error:
            flight.set_exception(error)
            flight.exception()  # nobody else may be waiting
            raise
        else:
            flight.set_result(said)
            return said
        finally:
            del self._flights[key]

    def forget(self, request: dict[str, Any]) -> None:
        """Let a reply that could not be used be asked for again by the next run."""
        self.usage.num_failed += 1
        self.replies.forget(wire.key(request))

    async def _complete(self, key: str, request: dict[str, Any], turn: int) -> Said:
        """The words of one reply, asked for until one comes or the attempts are used up."""
        attempt = num_refusals = 0
        while True:
            lane = await self.lanes.enter(turn)
            started = time.monotonic()
            try:
                self._may_call()
                answer = await lane.line.post(
                    self._bytes(lane, request), self._headers(lane), lane.server.timeout_seconds
                )
                said = self._read(lane, answer)
                # On the disk before anything else may happen: it is paid for.
                self._keep(key, said, lane)
                return said
            except Broken as error:
                problem, wait = f"no answer ({error})", None
                if not error.connected:
                    lane.away(max(self.settings.retry_seconds, 0.01))
                    self._be_patient(lane, str(error))
                    continue
                attempt += 1
            except _Busy as error:
                problem, wait = str(error), error.wait_seconds
                lane.refused(started, wait)
                num_refusals += 1
                self._be_patient(lane, problem)
            except _TryAgain as error:
                problem, wait = str(error), None
                attempt += 1
            finally:
                self.lanes.leave(lane)
            if attempt >= self.settings.attempts or num_refusals >= MOST_REFUSALS:
                self.usage.num_failed += 1
                raise CallFailed(f"{problem}, after {attempt + num_refusals} attempts")
            self.usage.num_retries += 1
            if wait is None:
                await self._pause(max(attempt - 1, 0))

    def _may_call(self) -> None:
        if self._stop is None:
            spent = self._overspent()
            if spent:
                self.stop(BudgetSpent(spent))
        if self._stop is not None:
            raise Stopped from self._stop

    def _overspent(self) -> str:
        """Which budget the calls under way are going to use up, or empty."""
        usage, settings = self.usage, self.settings
        expected = 1 + self.lanes.num_under_way / max(usage.num_calls, 1)
        if settings.budget is not None and usage.cost * expected >= settings.budget:
            told = f"{usage.cost:.4f} of the budget of {settings.budget:g} is spent."
            return f"{told} Raise `llm.budget` to go on."
        tokens = usage.tokens_in + usage.tokens_out
        if settings.budget_tokens is not None and tokens * expected >= settings.budget_tokens:
            told = f"{tokens} of {settings.budget_tokens} tokens are spent."
            return f"{told} Raise `llm.budget_tokens` to go on."
        return ""

    def _bytes(self, lane: Lane, request: dict[str, Any]) -> bytes:
        return json.dumps({**request, "model": lane.server.model or request["model"]}).encode()

    def _headers(self, lane: Lane) -> dict[str, str]:
        key = os.environ.get(lane.server.api_key_variable, "")
        login = {"Authorization": f"Bearer {key}"} if key else {}
        return {"Content-Type": "application/json", "Accept": "application/json", **login}

    def _read(self, lane: Lane, answer: Answer) -> Said:
        url = lane.server.url
        told = " ".join(answer.content[:500].decode("utf-8", "replace").split())[:200]
        if answer.status in wire.REFUSED:
            what = f"{url}: {wire.REFUSED[answer.status]} ({answer.status}: {told})"
            self.stop(EndpointError(f"{what}. Check `url`, `model` and ${lane.server.api_key_variable}."))
            raise Stopped
        if answer.status in (429, 503):
            raise _Busy(f"status {answer.status}", wire.retry_after(answer.headers.get("retry-after")))
        lane.served()
        if answer.status in wire.BUSY:
            raise _TryAgain(f"status {answer.status}")
        if answer.status != 200:
            self.usage.num_failed += 1
            raise CallFailed(f"status {answer.status}: {told}")
        try:
            return wire.read_completion(answer.content)
        except ValueError as error:
            raise _TryAgain(str(error)) from None

    def _keep(self, key: str, said: Said, lane: Lane) -> None:
        server = lane.server
        cost = ((said.tokens_in or 0) * server.price_in + (said.tokens_out or 0) * server.price_out) / 1e6
        reply = {**asdict(said), "cost": cost, "server": server.url}
        self.replies.append(key, reply)
        self._count(reply)
        self._served_at = now = time.monotonic()
        if now - self._synced_at >= SYNC_SECONDS and (self._sync is None or self._sync.done()):
            self._synced_at = now
            self._sync = asyncio.get_running_loop().run_in_executor(None, self.replies.sync)

    def _spent_before(self, reply: dict[str, Any]) -> None:
        self._count(reply)

    def _count(self, reply: dict[str, Any]) -> None:
        self.usage.num_calls += 1
        if reply["tokens_in"] is None or reply["tokens_out"] is None:
            self.usage.num_uncounted += 1
        self.usage.tokens_in += reply["tokens_in"] or 0
        self.usage.tokens_out += reply["tokens_out"] or 0
        self.usage.cost += reply["cost"]

    def _be_patient(self, lane: Lane, problem: str) -> None:
        """Stop where no server has answered for so long that none is going to."""
        never = not any(one.reached for one in self.lanes.lanes)
        tried = min(one.num_away for one in self.lanes.lanes)
        if never and tried >= self.settings.attempts:
            self.stop(
                EndpointError(f"{lane.server.url}: {problem}. Is the server running, and the url right?")
            )
        elif time.monotonic() - self._served_at > self.settings.patience_seconds and not never:
            away = f"no server has answered for {self.settings.patience_seconds:g} seconds ({problem})"
            self.stop(EndpointError(f"{away}. Run the same command again when one is back."))
        if self._stop is not None:
            raise Stopped from self._stop

    async def _pause(self, attempt: int) -> None:
        # Spread out, so that calls that failed together do not come back together.
        longest = min(wire.LONGEST_WAIT_SECONDS, self.settings.retry_seconds * 2**attempt)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), longest * random.uniform(0.5, 1.0))

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._sync is not None:
            await self._sync
        self.replies.sync()
        for lane in self.lanes.lanes:
            await lane.line.close()


class _TryAgain(Exception):
    pass


class _Busy(Exception):
    def __init__(self, problem: str, wait_seconds: float | None):
        super().__init__(problem)
        capped = None if wait_seconds is None else min(wait_seconds, wire.LONGEST_WAIT_SECONDS)
        self.wait_seconds = capped


def _said(reply: dict[str, Any]) -> Said:
    return Said(reply["text"], reply["cut"], reply["tokens_in"], reply["tokens_out"])
