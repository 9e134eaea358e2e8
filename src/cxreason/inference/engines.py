"""What turns questions into replies: one protocol, four engines.

    transformers   a checkpoint on this machine, in batches
    vllm           the same with vLLM, on a GPU
    endpoint       a model on one or several OpenAI-compatible servers that take images
    file           what somebody's model said before, as JSON Lines or CSV

Each gives the replies to every question, in the order of the questions, whatever order it works in. What a
server could not answer is a problem of the moment and no reply: it is owed again, and never counts as wrong.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cxreason.records import Sample

if TYPE_CHECKING:
    from cxreason.recipes import PredictRecipe

Picture = str | Path | np.ndarray
"""A file, or the pixels themselves."""
Conversation = list[dict[str, Any]]
"""Messages whose content is a text, which the images then precede, or a list of parts as chat templates have
them: {"type": "image"} stands where an image stands."""


@dataclass(frozen=True)
class Generated:
    """One reply: its text without special tokens, its length, and whether the model ended it itself."""

    text: str
    num_tokens: int
    finished: bool
    seconds: float = 0.0
    """What it took; of replies that were written together, their share."""
    parts: tuple[str, str] | None = None
    """Reasoning and answer, where they came apart from the start: then nothing has to be read out of the
    text."""


@dataclass(frozen=True)
class Ask:
    """One question as a model is asked it."""

    sample: Sample
    conversation: Conversation
    images: Sequence[Picture]
    seeds: tuple[int, ...] = ()
    """One for each draw; none for the most likely words."""
    prefix: str = ""
    """How the reply begins: the model only goes on. The text of a reply is what it added."""


@dataclass(frozen=True)
class Replied:
    """The replies to one question, one for each draw; or why there are none, for the moment."""

    ask: Ask
    replies: Sequence[Generated] = ()
    problem: str = ""


class Engine(Protocol):
    """Questions in, replies out, in their order. A context manager, because a server may have to be left."""

    def reply(self, asks: Iterable[Ask]) -> Iterator[Replied]: ...

    def about(self) -> dict[str, Any]:
        """What it was and what it cost so far, for the run's counts."""
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(self, *problem: object) -> None: ...


class Writer(Protocol):
    """A model that writes the replies to many conversations at once."""

    def generate(
        self,
        conversations: Sequence[Conversation],
        images: Sequence[Sequence[Picture]],
        *,
        seeds: Sequence[Sequence[int]] = ...,
        temperature: float = ...,
        prefixes: Sequence[str] = ...,
    ) -> list[Generated]: ...


class InBatches:
    """The engine of a model on this machine: so many questions at a time, one batch after the other.

    InBatches(TransformersEngine("phantom", max_new_tokens=64), batch_size=16, temperature=0.0)
    """

    def __init__(self, writer: Writer, *, batch_size: int, temperature: float):
        self.writer = writer
        self.batch_size = batch_size
        self.temperature = temperature

    def reply(self, asks: Iterable[Ask]) -> Iterator[Replied]:
        """The replies to each question; those of a batch come together."""
        waiting = iter(asks)
        while batch := list(islice(waiting, self.batch_size)):
            started = time.perf_counter()
            # Only what is asked for is told, so that a plain batch is a plain call.
            more: dict[str, Any] = {}
            if batch[0].seeds:
                more = {"seeds": [ask.seeds for ask in batch], "temperature": self.temperature}
            if any(ask.prefix for ask in batch):
                more["prefixes"] = [ask.prefix for ask in batch]
            told = [ask.conversation for ask in batch], [ask.images for ask in batch]
            replies = self.writer.generate(*told, **more)
            share = (time.perf_counter() - started) / len(replies)
            number = len(batch[0].seeds) or 1
            for place, ask in enumerate(batch):
                own = replies[place * number : (place + 1) * number]
                yield Replied(ask, [replace(one, seconds=share) for one in own])

    def about(self) -> dict[str, Any]:
        """Nothing that the recipe does not say."""
        return {}

    def __enter__(self) -> InBatches:
        return self

    def __exit__(self, *problem: object) -> None:
        pass


def open_engine(recipe: PredictRecipe) -> Engine:
    """The engine that a recipe names.

    with open_engine(recipe) as engine: ...
    """
    if recipe.engine == "endpoint":
        from cxreason.inference.endpoint import EndpointEngine

        return EndpointEngine(recipe)
    if recipe.engine == "file":
        from cxreason.inference.file import FileEngine

        return FileEngine(recipe)
    limits: dict[str, Any] = {"max_new_tokens": recipe.max_new_tokens, "max_pixels": recipe.max_pixels}
    if recipe.engine == "vllm":
        from cxreason.inference.vllm import VllmEngine

        writer: Writer = VllmEngine(recipe.model, **limits, settings=recipe.vllm)
    else:
        from cxreason.inference.transformers import TransformersEngine

        writer = TransformersEngine(recipe.model, **limits)
    return InBatches(writer, batch_size=recipe.batch_size, temperature=recipe.temperature)
