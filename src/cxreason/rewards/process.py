"""Does the reasoning say what the report says? (ChestX-Reasoner, equation 9: R_f of RadRScore.)"""

from __future__ import annotations

from cxreason.answers import DIALECTS
from cxreason.evaluation.radrscore import factuality
from cxreason.records import Mode


def process_reward(
    completions: list, *, report: list[str], dialect: list[str], mode: list[Mode], **columns: object
) -> list[float | None]:
    """The share of the trace's observations that the report bears out, in [0, 1].

    Reads only the trace. None where no trace was asked for (direct mode) or no report is there to check
    against; 0.0 where a trace was asked for and holds no observation.

    >>> said = "<think> The heart is enlarged. </think><answer> A </answer>"
    >>> process_reward([[{"role": "assistant", "content": said}]], report=["Cardiomegaly."],
    ...                dialect=["think"], mode=["reasoning"])
    [1.0]
    """
    worth = []
    for completion, report_text, dialect_name, mode_name in zip(
        completions, report, dialect, mode, strict=True
    ):
        if mode_name != "reasoning" or not report_text:
            worth.append(None)
        else:
            trace = DIALECTS[dialect_name].read(completion[0]["content"], mode_name).reasoning
            worth.append(factuality(trace, report_text))
    return worth
