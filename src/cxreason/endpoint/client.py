"""One client for every OpenAI-compatible server: retries, limits, a cache, and what it cost.

A call is asked again where the server is busy (429, 5xx), slow or broken off, waiting as long as it says. A
reply that is not the JSON that was asked for is sent back once with what is wrong. What then still fails
raises CallFailed, which belongs to one item and is to be counted; a wrong key, model or address raises
EndpointError at once, because no item could ever succeed.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from cxreason.endpoint import prompts, wire
from cxreason.endpoint.replies import Replies
from cxreason.endpoint.wire import (
    BUSY,
    LONGEST_WAIT_SECONDS,
    REFUSED,
    REPAIR,
    CallFailed,
    EndpointError,
    Message,
    Usage,
)
from cxreason.settings import EndpointSettings

Form = TypeVar("Form", bound=BaseModel)
Item = TypeVar("Item")
Result = TypeVar("Result")


class Endpoint:
    """A model on a server. Safe to share between threads; `map` runs as many calls at once as allowed.

    endpoint = Endpoint(EndpointSettings(url="http://localhost:8000/v1", model="judge"))
    """

    def __init__(self, settings: EndpointSettings, cache: Path | None = None):
        self.settings = settings
        self.usage = Usage()
        self.replies = Replies(cache)
        self._lock = threading.Lock()
        self._flights: dict[str, Future] = {}
        self._next_turn = 0.0
        self._reached = False

    def ask_text(self, messages: list[Message]) -> str:
        """The model's words.

        endpoint.ask_text([{"role": "user", "content": "Say edema."}])
        """
        body = self._body(messages, None)
        return self._cached(body, lambda: self._complete(body))

    def ask(self, prompt: str, form: type[Form], check: Callable[[Form], None] | None = None) -> Form:
        """The model's reply to a prompt as an object of `form`; `check` raises ValueError where it is wrong.

        One repair is asked for. Only a reply that passed is remembered.

        endpoint.ask(prompt.fill(text=report), form=Observations)
        """

        def parse(text: str) -> Form:
            reply = form.model_validate_json(wire.json_in(text))
            if check is not None:
                check(reply)
            return reply

        messages: list[Message] = [{"role": "user", "content": prompt}]
        body = self._body(messages, form)

        def complete() -> str:
            text = self._complete(body)
            try:
                parse(text)
            except ValueError as error:
                problem = wire.problem_of(error)
            else:
                return text
            self._count(num_repairs=1)
            again = prompts.load(REPAIR).fill(problem=problem)
            turns = [{"role": "assistant", "content": text}, {"role": "user", "content": again}]
            text = self._complete({**body, "messages": [*messages, *turns]})
            try:
                parse(text)
            except ValueError as error:
                self._count(num_failed=1)
                raise CallFailed(
                    f"the reply could not be used, nor its repair: {wire.problem_of(error)}"
                ) from None
            return text

        return parse(self._cached(body, complete))

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """The function of each item, in order, with `concurrency` of them at work at a time."""
        pool = ThreadPoolExecutor(self.settings.concurrency)
        try:
            return list(pool.map(function, items))
        finally:
            pool.shutdown(cancel_futures=True)

    def _body(self, messages: list[Message], form: type[BaseModel] | None) -> dict[str, Any]:
        return wire.body(self.settings, messages, form)

    def _cached(self, body: dict[str, Any], complete: Callable[[], str]) -> str:
        """The reply to a body: from the cache, from a call for the same that is under way, or from a call."""
        key = wire.key(body)
        with self._lock:
            flight = self._flights.get(key)
            mine = flight is None
            if flight is None:
                flight = self._flights[key] = Future()
        if not mine:
            text = flight.result()
            self._count(num_from_cache=1)
            return text
        try:
            known = self.replies.get(key)
            if known is not None:
                self._count(num_from_cache=1)
                text = known["text"]
            else:
                text = complete()
                self.replies.put(key, {"text": text})
            flight.set_result(text)
            return text
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._flights[key]

    def _complete(self, body: dict[str, Any]) -> str:
        """The words of one reply, asked for until one comes or the attempts are used up."""
        problem = ""
        for attempt in range(self.settings.attempts):
            self._wait_for_turn()
            try:
                text, usage = self._post(body)
            except _TryAgain as error:
                problem = str(error)
                if attempt + 1 < self.settings.attempts:
                    self._count(num_retries=1)
                    self._pause(error.wait_seconds, attempt)
                continue
            self._spend(usage)
            return text
        self._count(num_failed=1)
        if not self._reached:
            raise EndpointError(f"{self.settings.url}: {problem}. Is the server running, and the url right?")
        raise CallFailed(f"{problem}, after {self.settings.attempts} attempts")

    def _post(self, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        settings = self.settings
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(settings.api_key_variable, "")
        if key:
            headers["Authorization"] = f"Bearer {key}"
        address = f"{settings.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=settings.timeout_seconds) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise self._refusal(error) from None
        except (OSError, http.client.HTTPException) as error:  # a time-out and a URLError are OSErrors
            reason = getattr(error, "reason", error) or type(error).__name__
            raise _TryAgain(f"no answer ({reason})") from None
        self._reached = True
        try:
            reply = json.loads(content)
            text = reply["choices"][0]["message"]["content"]
        except (ValueError, KeyError, IndexError, TypeError):
            raise _TryAgain("an answer that is not a chat completion") from None
        if not isinstance(text, str):
            raise _TryAgain("an answer without words")
        return text, reply.get("usage") or {}

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        with error:
            said = " ".join(error.read(500).decode("utf-8", "replace").split())[:200]
        if error.code in REFUSED:
            what = f"{self.settings.url}: {REFUSED[error.code]} ({error.code}: {said})"
            return EndpointError(f"{what}. Check `url`, `model` and ${self.settings.api_key_variable}.")
        self._reached = True
        if error.code in BUSY:
            return _TryAgain(f"status {error.code}", wire.retry_after(error.headers.get("Retry-After")))
        self._count(num_failed=1)
        return CallFailed(f"status {error.code}: {said}")

    def _wait_for_turn(self) -> None:
        with self._lock:
            now = time.monotonic()
            turn = max(now, self._next_turn)
            limit = self.settings.requests_per_minute
            self._next_turn = turn + (60.0 / limit if limit else 0.0)
        if turn > now:
            time.sleep(turn - now)

    def _pause(self, told_seconds: float | None, attempt: int) -> None:
        if told_seconds is None:
            # Spread out, so that calls that failed together do not come back together.
            longest = min(LONGEST_WAIT_SECONDS, self.settings.retry_seconds * 2**attempt)
            time.sleep(longest * random.uniform(0.5, 1.0))
            return
        with self._lock:  # the server spoke to all of us
            told = time.monotonic() + min(told_seconds, LONGEST_WAIT_SECONDS)
            self._next_turn = max(self._next_turn, told)

    def _spend(self, usage: dict[str, Any]) -> None:
        tokens_in, tokens_out = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if not isinstance(tokens_in, int) or not isinstance(tokens_out, int):
            self._count(num_calls=1, num_uncounted=1)
            return
        cost = (tokens_in * self.settings.price_in + tokens_out * self.settings.price_out) / 1e6
        self._count(num_calls=1, tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)

    def _count(self, **more: float) -> None:
        with self._lock:
            for name, value in more.items():
                setattr(self.usage, name, getattr(self.usage, name) + value)

    def spent(self) -> dict[str, Any]:
        """What the calls came to so far, as plain values for a run's counts."""
        with self._lock:
            return asdict(self.usage)


class _TryAgain(Exception):
    def __init__(self, problem: str, wait_seconds: float | None = None):
        super().__init__(problem)
        self.wait_seconds = wait_seconds
