"""Rows -> the tensors of a batch, with the loss on the reply alone: TRL's collator without what is repeated.

TRL's collator decodes, resizes and normalises every image again whenever a row is seen. Here pictures come
prepared (`pixels.py`), each conversation is rendered by the checkpoint's own template, and what goes into the
model is the same, number by number; a test compares both.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from cxreason.training.pixels import PreparedPixels

NO_LOSS = -100
"""The label of a token that nothing is learnt from."""


class Batches:
    """A data collator for rows of `prompt`, `completion` and the paths of `images`.

    >>> Batches(processor, pixels)([row, another])["labels"].shape                    # doctest: +SKIP
    torch.Size([2, 97])
    """

    def __init__(self, processor: Any, pixels: PreparedPixels) -> None:
        self.processor, self.pixels = processor, pixels
        self._image_token = int(processor.image_token_id)
        self._padding = int(processor.tokenizer.pad_token_id)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        images = [path for row in rows for path in row["images"]]
        batch: dict[str, torch.Tensor] = {}
        grids = None
        if images:
            values, grids = self.pixels.patches(images)
            batch["pixel_values"] = torch.from_numpy(values)
            batch["image_grid_thw"] = torch.from_numpy(grids)
        texts = [render(self.processor, row["prompt"], row["completion"], len(row["images"])) for row in rows]
        prompts = self._tokens([prompt for prompt, _ in texts])
        replies = self._tokens([reply for _, reply in texts])
        if grids is not None:
            counts = iter((grids.prod(1) // self.pixels.merge_size**2).tolist())
            prompts = [_widened(prompt, self._image_token, counts) for prompt in prompts]
        return batch | self._padded(prompts, replies)

    def _tokens(self, texts: list[str]) -> list[list[int]]:
        # The template has written the special tokens already.
        return self.processor.tokenizer(texts, add_special_tokens=False)["input_ids"]

    def _padded(self, prompts: list[list[int]], replies: list[list[int]]) -> dict[str, torch.Tensor]:
        width = max(len(prompt) + len(reply) for prompt, reply in zip(prompts, replies, strict=True))
        ids = torch.full((len(prompts), width), self._padding)
        labels = torch.full_like(ids, NO_LOSS)
        mask = torch.zeros_like(ids)
        for row, (prompt, reply) in enumerate(zip(prompts, replies, strict=True)):
            start, end = len(prompt), len(prompt) + len(reply)
            ids[row, :end] = torch.tensor(prompt + reply)
            labels[row, start:end] = ids[row, start:end]
            mask[row, :end] = 1
        kinds = (ids == self._image_token).long() * mask
        return {"input_ids": ids, "attention_mask": mask, "labels": labels, "mm_token_type_ids": kinds}


def render(
    processor: Any, prompt: list[dict[str, str]], completion: list[dict[str, str]], num_images: int
) -> tuple[str, str]:
    """Prompt and reply as the checkpoint's chat template writes them; images stand before the text."""
    asked = []
    for message in prompt:
        content: list[dict[str, str]] = [{"type": "text", "text": message["content"]}]
        if message["role"] == "user":
            content, num_images = [{"type": "image"}] * num_images + content, 0
        asked.append({"role": message["role"], "content": content})
    said = [
        {"role": one["role"], "content": [{"type": "text", "text": one["content"]}]} for one in completion
    ]
    start = processor.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    whole = processor.apply_chat_template(asked + said, tokenize=False)
    if not whole.startswith(start):
        raise ValueError("the chat template writes a prompt differently once it is answered")
    return start, whole[len(start) :]


def _widened(tokens: list[int], image_token: int, counts: Any) -> list[int]:
    """The tokens with every image mark as often as its image has tokens."""
    wide: list[int] = []
    for token in tokens:
        wide += [token] * next(counts) if token == image_token else [token]
    return wide
