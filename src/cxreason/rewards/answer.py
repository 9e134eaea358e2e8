"""Is the final answer right?"""

from __future__ import annotations

from cxreason.answers import score, understand
from cxreason.records import Mode


def answer_reward(
    completions: list,
    *,
    kind: list[str],
    options: list[list[str]],
    answer: list[str],
    dialect: list[str],
    mode: list[Mode],
    **columns: object,
) -> list[float]:
    """What the final answer is worth in [0, 1], by the rule that the evaluation uses.

    Reads only the answer, never the trace. An answer that cannot be understood is worth 0.0.

    >>> said = [{"role": "assistant", "content": "<answer> B </answer>"}]
    >>> answer_reward([said], kind=["choice"], options=[["Yes", "No"]], answer=["B"],
    ...               dialect=["think"], mode=["direct"])
    [1.0]
    """
    worth = []
    for completion, kind_name, choices, gold, dialect_name, mode_name in zip(
        completions, kind, options, answer, dialect, mode, strict=True
    ):
        understood = understand(
            completion[0]["content"], dialect=dialect_name, mode=mode_name, kind=kind_name, options=choices
        )
        worth.append(score(understood.answer, gold, kind=kind_name, options=choices))
    return worth
