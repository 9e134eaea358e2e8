"""Rewards for GRPO, as TRL calls them: a batch of completions and the data columns in, a number each out.

Every reward asks the parser and the scorers that the evaluation asks, so there is nothing to win by an
answer that the evaluation would not count. A bad answer is worth 0.0; a reward that does not apply to a
prompt gives None for all of its completions; a fault raises. TRL logs each reward by its function name.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cxreason.rewards.answer import AnswerReward, Variant, answer_reward
from cxreason.rewards.format import format_reward
from cxreason.rewards.graders import Grader
from cxreason.rewards.process import guarded_process_reward, process_reward
from cxreason.rewards.released import released_format_reward

REWARDS = {
    "format": format_reward,
    "answer": answer_reward,
    "process": process_reward,
    "process_guarded": guarded_process_reward,
}
"""Name in a recipe -> function; the recipe gives each a weight. docs/rewards.md shows what each pays."""

__all__ = [
    "REWARDS",
    "answer_reward",
    "format_reward",
    "functions",
    "guarded_process_reward",
    "process_reward",
]


def functions(
    names: Iterable[str],
    *,
    graders: Mapping[str, Grader] | None = None,
    variant: Variant = "paper",
    process: Any = None,
) -> dict[str, Any]:
    """The functions behind a recipe's rewards, in its order.

    `graders` read the answers of some kinds, `variant` takes the rules of a released trainer, and `process`
    stands in for the process reward where a judge reads.

    >>> [function.__name__ for function in functions(["format", "answer"], variant="released").values()]
    ['released_format_reward', 'released_answer_reward']
    """
    known: dict[str, Any] = dict(REWARDS)
    if graders or variant == "released":
        known["answer"] = AnswerReward(graders, variant)
    if variant == "released":
        known["format"] = released_format_reward
    if process is not None:
        known["process"] = process
    return {name: known[name] for name in names}
