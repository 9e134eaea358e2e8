"""What to look at while a model learns from rewards, and what is said early where it cannot learn.

`curve.jsonl` has a line for each logged step: the mean and the spread of each reward, the share of prompts
whose replies all earned the same, the share of replies that could not be parsed, lengths, and the distance
from the model at the start (KL, where `beta` is not 0). `completions.jsonl` has the replies to one prompt of
each of these steps, with what each earned.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from cxreason.answers import understand
from cxreason.records import Mode
from cxreason.training.checkpoints import StepLines

PATIENCE = 5
"""So many logged steps in a row make a warning."""
UNPARSED = "rewards/parse_failure/mean"
log = logging.getLogger(__name__)


def parse_failure(
    completions: list,
    *,
    kind: list[str],
    options: list[list[str]],
    dialect: list[str],
    mode: list[Mode],
    **columns: object,
) -> list[float | None]:
    """1.0 where no answer could be understood: a reward of weight 0, so that TRL logs the rate.

    >>> parse_failure([[{"role": "assistant", "content": "well"}]], kind=["choice"], options=[["Yes", "No"]],
    ...               dialect=["think"], mode=["direct"])
    [1.0]
    """
    return [
        float(bool(understand(said[0]["content"], dialect=way, mode=how, kind=what, options=choices).problem))
        for said, what, choices, way, how in zip(completions, kind, options, dialect, mode, strict=True)
    ]


def warnings_of(curve: Sequence[dict[str, Any]], rewards: Sequence[str]) -> list[str]:
    """What is wrong with the last steps of a curve, for a person who could stop the training now.

    >>> same = [{"step": step, "rewards/format_reward/std": 0.0, "rewards/format_reward/mean": 1.0}
    ...         for step in range(PATIENCE)]
    >>> warnings_of(same, ["format_reward"])[0][:59]
    'reward format_reward: 1.00 for every reply of the last 5 st'
    """
    if any("loss" in entry and not math.isfinite(float(entry["loss"])) for entry in curve[-1:]):
        return ["the loss is no number: what was learnt is lost. Start again with a lower learning rate."]
    last = [entry for entry in curve if any(f"rewards/{one}/std" in entry for one in rewards)][-PATIENCE:]
    if len(last) < PATIENCE:
        return []

    def always(key: str, least: float, most: float) -> bool:
        return all(entry.get(key) is not None and least <= entry[key] <= most for entry in last)

    found = []
    for name in rewards:
        mean, spread = f"rewards/{name}/mean", f"rewards/{name}/std"
        worth = last[-1].get(mean)
        if worth is None or not always(mean, worth - 1e-6, worth + 1e-6):
            continue
        if always(spread, 0, 1e-6):
            found.append(
                f"reward {name}: {worth:.2f} for every reply of the last {PATIENCE} steps, so it teaches "
                "nothing. Read completions.jsonl, and see what it pays with `cxreason rewards check`."
            )
    if always("frac_reward_zero_std", 1, 1):
        found.append(
            f"all replies to a prompt earned the same in the last {PATIENCE} steps, so nothing is learnt. "
            "Choose prompts with `cxreason select`, or raise trainer.temperature."
        )
    if always(UNPARSED, 0.5, 1):
        found.append(
            f"of most replies of the last {PATIENCE} steps no answer could be understood. Train stage 1 "
            "longer, or see whether trainer.max_completion_length cuts them off."
        )
    if always("completions/clipped_ratio", 0.9, 1):
        found.append(
            f"nearly all replies of the last {PATIENCE} steps were cut off. "
            "Raise trainer.max_completion_length."
        )
    return found


class Watch(TrainerCallback):
    """Writes the curve and a table of replies as they come, and warns once of each thing that is wrong."""

    def __init__(self, trainer: Any, folder: Path, rewards: Sequence[str] = ()) -> None:
        self.trainer, self.folder, self.rewards = trainer, folder, list(rewards)
        self.warned: list[str] = []

    def on_train_begin(self, args, state, control, **kwargs):
        if args.process_index == 0:
            self.curve = StepLines(self.folder / "curve.jsonl", from_step=state.global_step)
            self.replies = StepLines(self.folder / "completions.jsonl", from_step=state.global_step)

    def on_log(self, args, state, control, logs=None, **kwargs):
        if args.process_index != 0 or logs is None or "train_runtime" in logs:
            return
        self.curve.write([state.log_history[-1]])
        if self.rewards:
            self.replies.write(self._table(state.global_step))
        for fault in warnings_of(state.log_history, self.rewards):
            if fault.partition(":")[0] not in {one.partition(":")[0] for one in self.warned}:
                self.warned.append(fault)
                log.warning("step %d: %s", state.global_step, fault)

    def _table(self, step: int) -> list[dict[str, Any]]:
        """The replies to the first prompt of the last batch, with what each earned."""
        logged, number = self.trainer._logs, self.trainer.num_generations
        columns = {name: list(worth)[:number] for name, worth in logged["rewards"].items()}
        rows = []
        for place in range(min(number, len(logged["completion"]))):
            said = logged["completion"][place]
            earned = {name: _rounded(worth[place]) for name, worth in columns.items()}
            advantage = _rounded(logged["advantages"][place])
            asked = _words(logged["prompt"][place][-1]["content"])
            told = _words(said[-1]["content"])
            rows.append({"step": step, "prompt": asked, "completion": told, **earned, "advantage": advantage})
        return rows


def _words(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(part.get("text") or "" for part in content)


def _rounded(worth: float) -> float | None:
    return None if worth != worth else round(worth, 4)  # NaN is TRL's "does not apply"
