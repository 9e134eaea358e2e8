"""The `transformers` engine: batches padded on the left, greedy or drawn with a seed for each draw.

Small models on a CPU write with `training/generation.py`, which says the same in half of the time; all others
with `model.generate`. Both can be listened to while they write.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cxreason.inference.engines import Conversation, Generated, Picture
from cxreason.inference.listening import Ear, Listener
from cxreason.inference.prompts import picture, render

REMEMBERED = 64 * 2**20
"""Bytes of what a vision tower on a CPU saw that are held: of the tiny model, five thousand images."""

__all__ = ["Generated", "Picture", "TransformersEngine"]


class TransformersEngine:
    """Generates with a local checkpoint, on the GPU where there is one.

    >>> engine = TransformersEngine("phantom", max_new_tokens=64)                     # doctest: +SKIP
    >>> engine.generate([[{"role": "user", "content": "Hello"}]], [["x.png"]])        # doctest: +SKIP
    """

    def __init__(self, model: str, *, max_new_tokens: int, max_pixels: int | None = None) -> None:
        import torch

        from cxreason.training import models, quick

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = "bfloat16" if self.device == "cuda" else "float32"
        self.model: Any = models.load_model(model, dtype=dtype)
        self.model.to(self.device).eval().requires_grad_(False)
        # Many questions are about one image, and all blank ones are alike.
        quick.quicken_vision(self.model, most_bytes=REMEMBERED)
        self.processor: Any = models.load_processor(model, max_pixels=max_pixels)
        self.max_new_tokens = max_new_tokens

    def generate(
        self,
        conversations: Sequence[Conversation],
        images: Sequence[Sequence[Picture]],
        *,
        seeds: Sequence[Sequence[int]] = (),
        temperature: float = 1.0,
        prefixes: Sequence[str] = (),
        max_new_tokens: int | None = None,
        listener: Listener | None = None,
    ) -> list[Generated]:
        """The greedy reply to each conversation, in the order given.

        With `seeds`, as many draws at `temperature` of each conversation as it has seeds, one after another.
        Each conversation has the same number of them, and images are read once for all draws. With
        `prefixes`, each reply begins with its prefix and the model goes on; the text is what it adds.
        """
        asked = zip(conversations, images, strict=True)
        texts = [render(self.processor, chat, len(paths)) for chat, paths in asked]
        if prefixes:
            texts = [text + prefix for text, prefix in zip(texts, prefixes, strict=True)]
        # A batch without any image has none to hand over; an empty list would be one too few.
        shown = {"images": [[picture(one) for one in several] for several in images]} if any(images) else {}
        inputs = self.processor(
            text=texts, padding=True, return_tensors="pt", add_special_tokens=False, **shown
        ).to(self.device)
        ends = set(_as_list(self.model.generation_config.eos_token_id))
        most = max_new_tokens or self.max_new_tokens
        ear = Ear(self.processor.tokenizer, ends, listener) if listener else None
        replies = []
        for row in self._write(inputs, seeds, temperature, most, ear):
            end = next((position for position, token in enumerate(row) if token in ends), None)
            said = row if end is None else row[:end]
            text = self.processor.tokenizer.decode(said, skip_special_tokens=True)
            replies.append(Generated(text, len(said), finished=end is not None))
        return replies

    def _write(
        self,
        inputs: Any,
        seeds: Sequence[Sequence[int]],
        temperature: float,
        most: int,
        ear: Ear | None,
    ) -> list[list[int]]:
        import torch

        from cxreason.training import generation

        num_draws = len(seeds[0]) if seeds else 1
        if generation.can_write(self.model):
            flat = [seed for several in seeds for seed in several]
            return generation.write_tokens(
                self.model,
                inputs,
                max_new_tokens=most,
                draws=generation.draws(flat, most) if seeds else None,
                num_draws=num_draws,
                temperature=temperature,
                heard=ear.tokens if ear else None,
            )
        settings: dict[str, Any] = {"do_sample": False}
        if seeds:
            # The checkpoint's own cuts (top_k, top_p) would hide the spread that is asked for.
            settings = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
            settings["num_return_sequences"] = num_draws
        if ear:
            settings |= {"streamer": ear, "stopping_criteria": [ear.criterion()]}
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(seeds[0][0] if seeds else 0)
            output = self.model.generate(**inputs, max_new_tokens=most, **settings)
        return output[:, inputs["input_ids"].shape[1] :].tolist()


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value]
