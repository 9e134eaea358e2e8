"""What the server bears: sizes, times and numbers, each a field that a test or a caller can change."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The defaults suit a department's server with one model.

    >>> Limits(most_waiting=0).at_once
    16
    """

    image_bytes: int = 40 * MIB
    """Of one file: the largest uncompressed chest X-rays have about 30."""
    image_pixels: int = 30_000_000
    json_bytes: int = 60 * MIB
    """Of a request whose images are inside it."""
    most_images: int = 4
    body_seconds: float = 30.0
    """How long a client may take to send a request."""
    decode_seconds: float = 4.5
    """How long an image may take to be decoded, from its last byte, all waiting counted."""
    most_decoding: int = 32
    """Images that are decoded or wait for it."""
    kept_bytes: int = 512 * MIB
    kept_seconds: float = 1800.0
    """How long an image stays that nobody asks about."""
    at_once: int = 16
    """Questions that are answered at a time."""
    most_waiting: int = 32
    """Questions that wait for their turn; whoever comes then is told to come again."""
    answer_seconds: float = 120.0
    """From the turn to the end of the answer."""
    most_samples: int = 8
    most_tokens: int = 1024
    most_characters: int = 8_000
    """Of all text in one request."""
