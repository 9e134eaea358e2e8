"""Rewards for GRPO, as TRL calls them: a batch of completions and the data columns in, a number each out.

Every reward asks the parser and the scorers that the evaluation asks, so there is nothing to win by an
answer that the evaluation would not count. A bad answer is worth 0.0; a reward that does not apply to a
prompt gives None for all of its completions; a fault raises. TRL logs each reward by its function name.
"""

from cxreason.rewards.answer import answer_reward
from cxreason.rewards.format import format_reward
from cxreason.rewards.process import guarded_process_reward, process_reward

REWARDS = {
    "format": format_reward,
    "answer": answer_reward,
    "process": process_reward,
    "process_guarded": guarded_process_reward,
}
"""Name in a recipe -> function; the recipe gives each a weight. docs/rewards.md shows what each pays."""

__all__ = ["REWARDS", "answer_reward", "format_reward", "guarded_process_reward", "process_reward"]
