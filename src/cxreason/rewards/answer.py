"""Is the final answer right? By the kind of the sample, each with the grader that the recipe names.

choice   1 for the right option, else 0
labels   F1 of the set of findings, or a grader of texts (RaTEScore)
boxes    IoU of the best one-to-one assignment; a true "none" earns 1
report   F1 of what is stated, or a grader of texts (1 - sigmoid(RadCliQ))
text     F1 of the words
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from cxreason.answers import score, understand
from cxreason.records import Mode
from cxreason.rewards import released
from cxreason.rewards.graders import Grader

Variant = Literal["paper", "released"]
NOT_RELEASED = "text"
"""The kind whose tasks no released reward is for."""


class AnswerReward:
    """The answer reward of a recipe: which grader reads which kind, and the paper's rules or the released
    ones.

    A grader is asked once for all of its rows. Kinds without one are scored by the rule of `answers`, which
    the evaluation uses. In `released`, rows whose kind the released trainer did not know get None.

    >>> said = [{"role": "assistant", "content": "<answer> B </answer>"}]
    >>> AnswerReward()([said], kind=["choice"], options=[["Yes", "No"]], answer=["B"],
    ...                dialect=["think"], mode=["direct"])
    [1.0]
    """

    def __init__(self, graders: Mapping[str, Grader] | None = None, variant: Variant = "paper") -> None:
        self.__name__ = "answer_reward" if variant == "paper" else "released_answer_reward"
        self.graders = dict(graders or {})
        self.variant = variant

    def __call__(
        self,
        completions: list,
        *,
        kind: list[str],
        options: list[list[str]],
        answer: list[str],
        dialect: list[str],
        mode: list[Mode],
        **columns: object,
    ) -> list[float | None]:
        texts = [completion[0]["content"] for completion in completions]
        if self.variant == "released":
            released.only_boxed(dialect)
            said = [released.boxed(text) or "" for text in texts]
        else:
            said = [
                understand(text, dialect=one, mode=asked, kind=name, options=choices).answer
                for text, one, asked, name, choices in zip(texts, dialect, mode, kind, options, strict=True)
            ]
        graded = self._graded(kind, said, answer)
        return [
            self._worth(name, choices, text, saying, gold, graded.get(number))
            for number, (name, choices, text, saying, gold) in enumerate(
                zip(kind, options, texts, said, answer, strict=True)
            )
        ]

    def _graded(
        self, kind: Sequence[str], said: Sequence[str], gold: Sequence[str]
    ) -> dict[int, float | None]:
        """Row -> what its grader says, None where it cannot; silence is worth nothing and is not graded."""
        worth: dict[int, float | None] = {}
        for name, grader in self.graders.items():
            rows = [number for number, one in enumerate(kind) if one == name and said[number].strip()]
            if rows:
                values = grader([said[row] for row in rows], [gold[row] for row in rows])
                worth |= dict(zip(rows, values, strict=True))
        return worth

    def _worth(
        self, kind: str, options: list[str], text: str, said: str, gold: str, graded: float | None
    ) -> float | None:
        if self.variant == "paper" or kind == "report":
            worth = score(said, gold, kind=kind, options=options) if graded is None else graded
            return worth if self.variant == "paper" else released.report_worth(worth, text)
        if kind == NOT_RELEASED:
            return None
        return (released.boxes_worth if kind == "boxes" else released.choice_worth)(said, gold)


def answer_reward(
    completions: list,
    *,
    kind: list[str],
    options: list[list[str]],
    answer: list[str],
    dialect: list[str],
    mode: list[Mode],
    **columns: object,
) -> list[float | None]:
    """What the final answer is worth in [0, 1], by the rule that the evaluation uses.

    Reads only the answer, never the trace. An answer that cannot be understood is worth 0.0.

    >>> said = [{"role": "assistant", "content": "<answer> B </answer>"}]
    >>> answer_reward([said], kind=["choice"], options=[["Yes", "No"]], answer=["B"],
    ...               dialect=["think"], mode=["direct"])
    [1.0]
    """
    return AnswerReward()(
        completions, kind=kind, options=options, answer=answer, dialect=dialect, mode=mode, **columns
    )
