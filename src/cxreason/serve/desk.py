"""What the application keeps between requests: the model, the line before it, the images, the examples."""

from __future__ import annotations

from collections.abc import Mapping

from cxreason.serve.engines import Ask, Engine
from cxreason.serve.examples import Example
from cxreason.serve.images import Busy, Decoded, Decoders, Refused, Shelf, from_data_url
from cxreason.serve.limits import Limits
from cxreason.serve.line import Full, Line
from cxreason.serve.work import Work

NOTICE = "For research only. Not a medical device: nothing here may be used for diagnosis or care."
UNTAUGHT = (
    "This is the tiny model that comes with cxreason, before any training on these questions: it is often "
    "wrong, and its sentences may make no sense. `cxreason demo` teaches it; then "
    "`cxreason serve runs/demo/grpo/model`."
)


class Desk:
    """One server's state. `about` is what whoever asks should know of the model."""

    def __init__(
        self,
        engine: Engine,
        *,
        dialect: str = "think",
        limits: Limits | None = None,
        examples: Mapping[str, Example] | None = None,
        about: str = "",
    ):
        self.engine, self.dialect = engine, dialect
        self.limits = limits or Limits()
        self.examples = dict(examples or {})
        self.notice = NOTICE
        self.about = about
        self.pulse_seconds = 10.0
        self.line = Line(self.limits.at_once, self.limits.most_waiting)
        self.decoders = Decoders(self.limits)
        self.shelf = Shelf(self.limits)

    async def image(self, told: str) -> Decoded:
        """The image of an id, or of a data URL."""
        if told.startswith("data:") or "://" in told:
            return await self.decoders.decode(from_data_url(told))
        return self.shelf.get(told)

    def example(self, name: str) -> Example:
        """An example by its name."""
        if name not in self.examples:
            raise Refused(f"there is no such example; there are {', '.join(self.examples) or 'none'}", 404)
        return self.examples[name]

    def check_amounts(self, num_samples: int, max_tokens: int, num_images: int) -> None:
        """Refused where more is asked for than the server gives."""
        limits = self.limits
        for what, asked, most in (
            ("samples", num_samples, limits.most_samples),
            ("tokens", max_tokens, limits.most_tokens),
            ("images", num_images, limits.most_images),
        ):
            if asked > most:
                raise Refused(f"{asked} {what} asked for; {most} is the most")

    @staticmethod
    def temperature(told: float | None, num_samples: int) -> float:
        """The temperature to write at; several samples at 0 would all be the same."""
        if told is None:
            return 1.0 if num_samples > 1 else 0.0
        if num_samples > 1 and told == 0:
            raise Refused("several samples need a temperature above 0")
        return told

    def begin(self, ask: Ask) -> Work:
        """A question under way; Refused where it cannot be answered, Busy where nobody else can wait."""
        num_characters = sum(map(len, ask.texts))
        if num_characters > self.limits.most_characters:
            raise Refused(
                f"{num_characters:,} characters of text; {self.limits.most_characters:,} is the most"
            )
        self.engine.check(ask)
        try:
            return Work(self.line, self.engine, ask, self.limits.answer_seconds)
        except Full as full:
            raise Busy(f"{full}; try again in {full.retry_seconds} seconds", full.retry_seconds) from None
