"""Asking for words and asking for an object, whatever carries the requests: servers or batch files.

Free text and structured extraction are calls of their own. A JSON schema switches the thinking of many models
off, so a model thinks in words first, and what it found is put into a form by a second call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel

from cxreason.endpoint import prompts, wire
from cxreason.endpoint.wire import CallFailed, Said
from cxreason.settings import PoolSettings

Form = TypeVar("Form", bound=BaseModel)


class Deferred(Exception):
    """A reply that is still to come: its request stands in a batch file."""


class Stopped(Exception):
    """No more calls are made; what was under way has come in."""


class Carrier(Protocol):
    """What brings requests to a model. `turn` says who is served first, the lowest."""

    settings: PoolSettings

    async def get(self, request: dict[str, Any], turn: int) -> Said:
        """The reply to a request; CallFailed, Deferred or Stopped where there is none."""
        ...

    def forget(self, request: dict[str, Any]) -> None:
        """Let a reply that could not be used be asked for again by the next run."""
        ...


class Asker:
    """One sample's way to the model.

    words = (await Asker(pool, turn=1).text("Say edema.")).text
    """

    def __init__(self, carrier: Carrier, turn: int):
        self.carrier, self.turn = carrier, turn

    async def text(self, prompt: str, variety: int = 0) -> Said:
        """What the model says in free words. Where words are drawn (temperature above 0), another `variety`
        draws others for the same prompt."""
        settings = self.carrier.settings
        drawn = {"seed": settings.seed + variety} if settings.temperature > 0 else {}
        request = wire.body(settings, _user(prompt), None, {**settings.free_extra, **drawn})
        return await self.carrier.get(request, self.turn)

    async def form(self, prompt: str, form: type[Form], check: Callable[[Form], None] | None = None) -> Form:
        """The model's reply as an object of `form`; `check` raises ValueError where it is wrong.

        One repair is asked for. CallFailed where that is of no use either; both are then owed again.
        """
        request = wire.body(self.carrier.settings, _user(prompt), form)
        said = await self.carrier.get(request, self.turn)
        try:
            return _parsed(said.text, form, check)
        except ValueError as error:
            problem = wire.problem_of(error)
        again = prompts.load(wire.REPAIR).fill(problem=problem)
        turns = [{"role": "assistant", "content": said.text}, {"role": "user", "content": again}]
        repair = {**request, "messages": [*request["messages"], *turns]}
        said = await self.carrier.get(repair, self.turn)
        try:
            return _parsed(said.text, form, check)
        except ValueError as error:
            self.carrier.forget(request)
            self.carrier.forget(repair)
            problem = wire.problem_of(error)
            raise CallFailed(f"the reply could not be used, nor its repair: {problem}") from None


def _user(prompt: str) -> list[wire.Message]:
    return [{"role": "user", "content": prompt}]


def _parsed(text: str, form: type[Form], check: Callable[[Form], None] | None) -> Form:
    reply = form.model_validate_json(wire.json_in(text))
    if check is not None:
        check(reply)
    return reply
