"""Replies while they are written: the tokens of a batch, as pieces of text for whoever listens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol


class Listener(Protocol):
    """Hears the replies of a batch."""

    def heard(self, row: int, text: str, num_tokens: int) -> None:
        """A piece of the reply in a row, and the tokens that the row has by now."""
        ...

    def left(self) -> Collection[int]:
        """The rows that nobody waits for any more: they end where they are."""
        ...


class Ear:
    """Turns tokens into text as they come. It is a streamer of transformers, too.

    A token may be part of a character, and what it reads as may depend on the one before it. So the newest
    tokens are read together with those that were told last, and told when they end in a whole character.
    """

    def __init__(self, tokenizer: Any, ends: Collection[int], listener: Listener) -> None:
        self.tokenizer, self.ends, self.listener = tokenizer, ends, listener
        self.written: dict[int, list[int]] = {}
        self.told: dict[int, tuple[int, int]] = {}
        self.ended: set[int] = set()
        self.prompt = True

    def tokens(self, rows: Sequence[int], tokens: Sequence[int]) -> Collection[int]:
        """One more token in each of some rows; the rows that may end."""
        for row, token in zip(rows, tokens, strict=True):
            if row in self.ended:  # what follows the end of a row is padding
                continue
            written = self.written.setdefault(row, [])
            if token in self.ends:
                self.ended.add(row)
                self._tell(row, last=True)
                continue
            written.append(token)
            self._tell(row)
        return self.listener.left()

    def _tell(self, row: int, last: bool = False) -> None:
        written = self.written[row]
        start, told = self.told.get(row, (0, 0))
        before = self._read(written[start:told])
        text = self._read(written[start:])
        if len(text) > len(before) and (last or not text.endswith("\ufffd")):
            self.told[row] = (told, len(written))
            self.listener.heard(row, text[len(before) :], len(written))

    def _read(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)

    def put(self, value: Any) -> None:
        """What `model.generate` tells a streamer: the prompts first, then one token of each row."""
        if self.prompt:
            self.prompt = False
            return
        self.tokens(range(len(value)), value.tolist())

    def end(self) -> None:
        """What it tells last. What is left over was cut inside a character."""

    def criterion(self) -> Callable[..., Any]:
        """What `model.generate` asks at every step: which rows are done.

        A function, because it is copied with all that it holds, and a function is not.
        """

        def stopped(input_ids: Any, scores: Any, **told: Any) -> Any:
            import torch

            left = self.listener.left()
            return torch.tensor([row in left for row in range(len(input_ids))], device=input_ids.device)

        return stopped
