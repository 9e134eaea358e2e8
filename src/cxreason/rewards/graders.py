"""Graders: what reads the texts of an answer where words decide, offline or by a published metric.

A grader takes the answers and the gold texts of many rows at once and gives what each is worth in [0, 1].
`offline` is no grader at all: the rule of `answers`, which needs no weights. The others ask the backends of a
metric, each in an environment of its own; `auto` asks them where they are installed and is `offline` where
not.

Where a backend cannot read an answer, or finds nothing in the gold text, all answers to that gold text get
None, and the offline rule reads them: within a prompt's group all are compared by one reader.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cxreason.errors import UserError

Grader = Callable[[Sequence[str], Sequence[str]], Sequence[float | None]]
Reader = Callable[[Sequence[Any]], Mapping[str, Any]]
"""Pairs of texts -> what a backend found in each, by the pair's id."""

METRIC_OF = {"labels": "ratescore", "report": "radcliq"}
"""Kind of answer -> the published metric that the papers read it by."""
BACKENDS_OF = {"ratescore": ("ratescore",), "radcliq": ("radgraph", "bertscore", "chexbert")}
"""Metric -> the backends that have to be installed for it."""


def report_worth(radcliq: float) -> float:
    """CheXOne's report reward: 1 - sigmoid(RadCliQ-v1), which is lower for better reports.

    >>> round(report_worth(-1.4407), 3), round(report_worth(2.4501), 3)
    (0.809, 0.079)
    """
    return 1 / (1 + math.exp(radcliq))


class BackendGrader:
    """A grader that asks backends; counts how often it was asked, and how often it left rows to the offline
    rule.

    grader = BackendGrader("ratescore", {"ratescore": worker.ask})
    """

    def __init__(self, metric: str, readers: Mapping[str, Reader]) -> None:
        self.__name__ = metric
        self.readers = dict(readers)
        self.num_rows = 0
        self.num_offline = 0

    def __call__(self, said: Sequence[str], gold: Sequence[str]) -> list[float | None]:
        distinct = list(dict.fromkeys(zip(said, gold, strict=True)))
        worth = dict(zip(distinct, self._read(distinct), strict=True))
        unread = {true for (_, true), value in worth.items() if value is None}
        values = [None if true in unread else worth[one, true] for one, true in zip(said, gold, strict=True)]
        self.num_rows += len(values)
        self.num_offline += values.count(None)
        return values

    def _read(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        from cxreason.evaluation.backends.pipe import Failed, Pair
        from cxreason.evaluation.backends.readings import worth_of

        asked = [Pair(str(number), true, one) for number, (one, true) in enumerate(pairs)]
        values: list[dict[str, float | None]] = [{} for _ in pairs]
        for name, reader in self.readers.items():
            found = reader(asked)
            for number, pair in enumerate(asked):
                if not isinstance(found[pair.id], Failed):
                    values[number] |= worth_of(name, found[pair.id]).values
        return [self._worth(known, *pair) for known, pair in zip(values, pairs, strict=True)]

    def _worth(self, known: Mapping[str, float | None], said: str, gold: str) -> float | None:
        if self.__name__ == "ratescore":
            return known.get("ratescore")
        from cxreason.evaluation.overlap import PER_REPORT
        from cxreason.evaluation.radcliq import radcliq

        parts = [known.get(name) for name in ("radgraph_combined", "bertscore_rexrank", "sembscore")]
        if any(one is None for one in parts):
            return None
        graph, bert, labels = (float(one or 0.0) for one in parts)
        return report_worth(radcliq(graph, bert, labels, PER_REPORT["bleu2_rexrank"](said, gold)))


def installed(metric: str) -> bool:
    """Whether all backends of a metric are installed on this machine."""
    from cxreason.evaluation.backends.places import is_installed

    return all(is_installed(name) for name in BACKENDS_OF[metric])


def started(metric: str) -> BackendGrader:
    """The grader of a metric, each of its workers started when it is first asked."""
    from cxreason.evaluation.backends.pipe import Worker
    from cxreason.evaluation.backends.places import command_of

    return BackendGrader(metric, {name: Worker(name, command_of(name)).ask for name in BACKENDS_OF[metric]})


def chosen(
    asked: Mapping[Any, str],
    *,
    there: Callable[[str], bool] = installed,
    start: Callable[[str], Grader] = started,
) -> dict[str, Grader]:
    """Kind of answer -> the grader that a recipe's `graders` ask for; kinds that are read offline are left
    out.

    Raises UserError where a metric is asked for by name and a backend of it is not installed.

    >>> chosen({"report": "auto", "labels": "offline"}, there=lambda metric: False)
    {}
    """
    found = {}
    for kind, name in asked.items():
        metric = METRIC_OF[kind] if name == "auto" else name
        if name == "offline" or (name == "auto" and not there(metric)):
            continue
        if not there(metric):
            needs = " ".join(BACKENDS_OF[metric])
            raise UserError(
                f"'graders.{kind}' is {name!r}, which needs the backends {needs}. Install each with "
                f"`cxreason backends install NAME`, or write graders.{kind}=offline."
            )
        found[kind] = start(metric)
    return found
