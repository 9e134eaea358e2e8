"""RadRScores added up: the means of many items, and how many items they are means of.

The published numbers are means per file, then over the files of a task without weights, then over tasks:
`over_tasks`. In the mode `released` a file's means have the arithmetic of the authors' scorer: R_c and R_f go
into the running totals before the call for R_e is read, and all totals are divided by the number of items
whose calls all came back, so a part can exceed 1. It is here to compare with what was published, not to use.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cxreason.evaluation.radrscore import RadRScore, RadRScoreMode

Means = tuple[float | None, float | None, float | None]
"""Factuality, completeness, effectiveness."""


@dataclass(frozen=True)
class Totals:
    """Means over the items that have a value, and what became of the others.

    `num_failed` items have no score because a judge failed and are owed again; `num_left_out` have none
    because their reference or report holds no statement.
    """

    factuality: float | None
    completeness: float | None
    effectiveness: float | None
    num_items: int
    num_scored: int
    num_failed: int = 0
    num_left_out: int = 0

    @property
    def value(self) -> float | None:
        """The mean of the three; None where any is."""
        if self.factuality is None or self.completeness is None or self.effectiveness is None:
            return None
        return (self.factuality + self.completeness + self.effectiveness) / 3


def total(scores: Sequence[RadRScore], mode: RadRScoreMode = "paper") -> Totals:
    """The means of one file.

    >>> total([RadRScore(1.0, 0.5, 0.0), RadRScore(None, None, None, failed="status 500")]).num_failed
    1
    """
    whole = [score for score in scores if score.value is not None]
    added = scores if mode == "released" else whole
    num_failed = sum(bool(score.failed) for score in scores)
    num_left_out = len(scores) - len(whole) - num_failed
    return Totals(*_means(added, len(whole), mode), len(scores), len(whole), num_failed, num_left_out)


def _means(scores: Sequence[RadRScore], num_whole: int, mode: RadRScoreMode) -> Means:
    if not num_whole:
        return None, None, None
    sums = [0.0, 0.0, 0.0]
    for score in scores:
        # The order in which the authors' scorer adds: what is missing ends the item, what came before stays.
        for place, part in ((1, score.completeness), (0, score.factuality), (2, score.effectiveness)):
            if part is None:
                break
            sums[place] += part
    return sums[0] / num_whole, sums[1] / num_whole, sums[2] / num_whole


def over_tasks(
    files: Mapping[str, Mapping[str, Sequence[RadRScore]]], mode: RadRScoreMode = "paper"
) -> tuple[Totals, dict[str, Totals]]:
    """The published way up: task -> source -> scores; means of files, of sources, of tasks, none weighted.

    Returns the overall totals and those of each task.

    >>> score = RadRScore(1.0, 0.5, 0.0)
    >>> over_tasks({"binary": {"MIMIC-CXR": [score], "CheXpert": [score]}})[0].completeness
    0.5
    """
    by_task = {
        task: _unweighted(total(scores, mode) for scores in sources.values())
        for task, sources in files.items()
    }
    return _unweighted(by_task.values()), by_task


def _unweighted(parts: Iterable[Totals]) -> Totals:
    """The mean of totals; one without a value is left out of the mean and stays in the counts."""
    parts = list(parts)
    with_value = [part for part in parts if part.value is not None]

    def mean(name: str) -> float | None:
        return sum(getattr(part, name) for part in with_value) / len(with_value) if with_value else None

    return Totals(
        mean("factuality"),
        mean("completeness"),
        mean("effectiveness"),
        sum(part.num_items for part in parts),
        sum(part.num_scored for part in parts),
        sum(part.num_failed for part in parts),
        sum(part.num_left_out for part in parts),
    )
