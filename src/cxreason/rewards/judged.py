"""The process reward with a language model as its reader, and the rules in its place where it fails.

A call that times out says nothing of the trace. To pay it 0 would punish the model for the server, and TRL
adds a None on some rows of a group as 0. So where one row of a prompt's group fails, the rules read the whole
group: within a group all rows are compared by one reader. How often that was so is counted and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from cxreason.answers import DIALECTS
from cxreason.evaluation.judge import Judge
from cxreason.evaluation.radrscore import factuality, judged_factuality
from cxreason.records import Mode, content_id
from cxreason.rewards.process import question_of


class JudgedProcess:
    """`process_reward`, read by a judge.

    `everyone` takes the groups that failed in this process and gives those that failed in any: a group may be
    spread over several processes. `num_groups` and `num_replaced` count over the whole training.

        reward = JudgedProcess(Judge(Endpoint(settings, cache=path)))
    """

    def __init__(self, judge: Judge, everyone: Callable[[list[str]], list[str]] = list) -> None:
        self.__name__ = "process_reward"
        self.judge = judge
        self.everyone = everyone
        self.num_groups = 0
        self.num_replaced = 0
        self.last_failure = ""

    def __call__(
        self,
        completions: list,
        *,
        report: list[str],
        dialect: list[str],
        mode: list[Mode],
        prompts: Sequence[Any] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **columns: object,
    ) -> list[float | None]:
        asked = [number for number, text in enumerate(report) if mode[number] == "reasoning" and text]
        traces = {
            number: DIALECTS[dialect[number]].read(completions[number][0]["content"], mode[number]).reasoning
            for number in asked
        }
        groups = {
            number: content_id(report[number], question_of(prompts[number]) if prompts else "")
            for number in asked
        }
        found = dict(zip(asked, self._read([(traces[one], report[one]) for one in asked]), strict=True))
        failed = {groups[number] for number, (_, problem) in found.items() if problem}
        replaced = set(self.everyone(sorted(failed)))
        worth: list[float | None] = [None] * len(completions)
        for number in asked:
            by_rules = groups[number] in replaced
            worth[number] = factuality(traces[number], report[number]) if by_rules else found[number][0]
        here = set(groups.values())
        self.num_groups += len(here)
        self.num_replaced += len(here & replaced)
        if log_metric is not None and here:
            log_metric("judge/groups_read_by_rules", len(here & replaced) / len(here))
        return worth

    def _read(self, items: list[tuple[str, str]]) -> list[tuple[float | None, str]]:
        """Each trace's worth, and what went wrong with its calls."""
        tallies = self.judge.endpoint.map(lambda item: self.judge.tally(item[0], "", item[1], "paper"), items)
        for tally in tallies:
            self.last_failure = tally.failed or self.last_failure
        return [(None if tally.failed else judged_factuality(tally), tally.failed) for tally in tallies]

    def about(self) -> dict[str, Any]:
        """What is written beside the run: the judge, what it cost, how often the rules stood in for it."""
        counts = {"num_groups": self.num_groups, "num_groups_read_by_rules": self.num_replaced}
        return {**self.judge.about(), **counts, "last_failure": self.last_failure}
