"""Does the reasoning say what the report says?

Two rewards for the same trace: `process_reward` is the paper's, which can be gamed, and
`guarded_process_reward` is ours, which is made not to be. docs/rewards.md shows what each pays for what.
"""

from __future__ import annotations

from typing import Any

from cxreason.answers import DIALECTS
from cxreason.evaluation.guarded import guarded_worth
from cxreason.evaluation.radrscore import factuality
from cxreason.records import Mode


def process_reward(
    completions: list, *, report: list[str], dialect: list[str], mode: list[Mode], **columns: object
) -> list[float | None]:
    """The share of the trace's observations that the report bears out, in [0, 1].

    R_f of RadRScore as the paper has it (ChestX-Reasoner, equation 9): an unmentioned normal counts as true.
    Reads only the trace. None where no trace was asked for (direct mode) or no report is there to check
    against; 0.0 where a trace was asked for and holds no observation.

    >>> said = "<think> The heart is enlarged. </think><answer> A </answer>"
    >>> process_reward([[{"role": "assistant", "content": said}]], report=["Cardiomegaly."],
    ...                dialect=["think"], mode=["reasoning"])
    [1.0]
    """
    return [
        factuality(_trace(completion, name, asked), text) if asked == "reasoning" and text else None
        for completion, text, name, asked in zip(completions, report, dialect, mode, strict=True)
    ]


def guarded_process_reward(
    completions: list,
    *,
    report: list[str],
    dialect: list[str],
    mode: list[Mode],
    prompts: list | None = None,
    **columns: object,
) -> list[float | None]:
    """What the trace says of the report, less what it says wrong, in [0, 1]: see `evaluation/guarded.py`.

    Reads only the trace, and of the prompt what it copies from there. None and 0.0 as `process_reward`.

    >>> said = "<think> The heart is enlarged. No fracture. </think><answer> A </answer>"
    >>> guarded_process_reward([[{"role": "assistant", "content": said}]],
    ...                        report=["Cardiomegaly. Left effusion."], dialect=["think"], mode=["reasoning"])
    [0.5]
    """
    questions = [""] * len(completions) if prompts is None else [question_of(prompt) for prompt in prompts]
    return [
        guarded_worth(_trace(completion, name, asked), text, question)
        if asked == "reasoning" and text
        else None
        for completion, text, name, asked, question in zip(
            completions, report, dialect, mode, questions, strict=True
        )
    ]


def _trace(completion: list[dict[str, Any]], dialect: str, mode: Mode) -> str:
    return DIALECTS[dialect].read(completion[0]["content"], mode).reasoning


def question_of(prompt: str | list[dict[str, Any]]) -> str:
    """All that the user said, as TRL hands it over: a text, or turns whose content is text or parts.

    >>> question_of([{"role": "user", "content": [{"type": "text", "text": "Is there edema?"}]}])
    'Is there edema?'
    """
    if isinstance(prompt, str):
        return prompt
    contents = [turn["content"] for turn in prompt if turn["role"] == "user"]
    parts = [[{"text": one}] if isinstance(one, str) else one for one in contents]
    return "\n".join(part.get("text") or "" for content in parts for part in content)
