"""The `transformers` engine: batches padded on the left, sorted by length, generated with a KV cache."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cxreason.imaging.read import read_image


@dataclass(frozen=True)
class Generated:
    """One reply: its text without special tokens, its length, and whether the model ended it itself."""

    text: str
    num_tokens: int
    finished: bool


class TransformersEngine:
    """Generates with a local checkpoint, on the GPU where there is one.

    >>> engine = TransformersEngine("phantom", max_new_tokens=64)                     # doctest: +SKIP
    >>> engine.generate([[{"role": "user", "content": "Hello"}]], [["x.png"]])        # doctest: +SKIP
    """

    def __init__(self, model: str, *, max_new_tokens: int, max_pixels: int | None = None) -> None:
        import torch

        from cxreason.training import models

        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = "bfloat16" if self.device == "cuda" else "float32"
        self.model: Any = models.load_model(model, dtype=dtype)
        self.model.to(self.device).eval()
        self.processor: Any = models.load_processor(model, max_pixels=max_pixels)
        self.max_new_tokens = max_new_tokens

    def generate(
        self, conversations: Sequence[list[dict[str, str]]], images: Sequence[Sequence[str | Path]]
    ) -> list[Generated]:
        """The greedy reply to each conversation, in the order given."""
        import torch

        texts = [self._render(chat, len(paths)) for chat, paths in zip(conversations, images, strict=True)]
        pictures = [[_picture(path) for path in paths] for paths in images]
        inputs = self.processor(
            text=texts, images=pictures, padding=True, return_tensors="pt", add_special_tokens=False
        ).to(self.device)
        with torch.inference_mode():
            output = self.model.generate(**inputs, max_new_tokens=self.max_new_tokens, do_sample=False)
        ends = set(_as_list(self.model.generation_config.eos_token_id))
        replies = []
        for row in output[:, inputs["input_ids"].shape[1] :].tolist():
            end = next((position for position, token in enumerate(row) if token in ends), None)
            said = row if end is None else row[:end]
            text = self.processor.tokenizer.decode(said, skip_special_tokens=True)
            replies.append(Generated(text, len(said), finished=end is not None))
        return replies

    def _render(self, chat: list[dict[str, str]], num_images: int) -> str:
        """The prompt text, with one image mark per image at the head of the user turn."""
        messages = []
        for message in chat:
            content: list[dict[str, str]] = [{"type": "text", "text": message["content"]}]
            if message["role"] == "user":
                content = [{"type": "image"}] * num_images + content
            messages.append({"role": message["role"], "content": content})
        return self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def _picture(path: str | Path) -> Any:
    from PIL import Image

    return Image.fromarray(read_image(path))


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value]
