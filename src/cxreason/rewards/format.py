"""Did the model keep to the form that it was asked for?"""

from __future__ import annotations

from cxreason.answers import DIALECTS
from cxreason.records import Mode


def format_reward(
    completions: list, *, dialect: list[str], mode: list[Mode], **columns: object
) -> list[float]:
    """1.0 where the whole completion has the form of its dialect and mode, else 0.0.

    >>> said = [{"role": "assistant", "content": "<think> clear lungs </think><answer> A </answer>"}]
    >>> format_reward([said], dialect=["think"], mode=["reasoning"])
    [1.0]
    """
    return [
        float(DIALECTS[dialect_name].read(completion[0]["content"], mode_name).well_formed)
        for completion, dialect_name, mode_name in zip(completions, dialect, mode, strict=True)
    ]
