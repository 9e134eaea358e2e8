"""A conversation as the text that a checkpoint reads, and its images as its processor takes them."""

from __future__ import annotations

from typing import Any

import numpy as np

from cxreason.imaging.read import read_image
from cxreason.inference.engines import Conversation, Picture


def render(processor: Any, chat: Conversation, num_images: int) -> str:
    """The prompt text, with one image mark for each image at the head of the user's turn."""
    messages = []
    for message in chat:
        if not isinstance(message["content"], str):
            messages.append(message)
            continue
        content: list[dict[str, str]] = [{"type": "text", "text": message["content"]}]
        if message["role"] == "user":
            content = [{"type": "image"}] * num_images + content
        messages.append({"role": message["role"], "content": content})
    return processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


def picture(shown: Picture) -> Any:
    """The Pillow image of a file or of pixels.

    >>> picture(np.zeros((2, 3), dtype=np.uint8)).size
    (3, 2)
    """
    from PIL import Image

    return Image.fromarray(shown if isinstance(shown, np.ndarray) else read_image(shown))
