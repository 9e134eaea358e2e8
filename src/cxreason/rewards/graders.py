"""Graders: what reads the texts of an answer where words decide, offline or by a published metric.

A grader takes the answers and the gold texts of many rows at once and gives what each is worth in [0, 1].
`offline` is no grader at all: the rule of `answers`, which needs no weights. The others ask the backend of a
metric; `auto` asks it where it is installed and is `offline` where it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cxreason.errors import UserError

Grader = Callable[[Sequence[str], Sequence[str]], list[float]]

METRIC_OF = {"labels": "ratescore", "report": "radcliq"}
"""Kind of answer -> the published metric that the papers read it by."""


def report_worth(radcliq: float) -> float:
    """CheXOne's report reward: 1 - sigmoid(RadCliQ-v1), which is lower for better reports.

    >>> round(report_worth(-1.4407), 3), round(report_worth(2.4501), 3)
    (0.809, 0.079)
    """
    return 1 / (1 + math.exp(radcliq))


def installed() -> dict[str, Grader]:
    """Metric -> its grader, of those whose backends are installed here."""
    return {}


def chosen(asked: Mapping[Any, str], here: Mapping[str, Grader] | None = None) -> dict[str, Grader]:
    """Kind of answer -> the grader that a recipe's `graders` ask for; kinds that are read offline are left
    out.

    Raises UserError where a metric is asked for by name and its backend is not installed.

    >>> chosen({"report": "auto", "labels": "offline"}, here={})
    {}
    """
    here = installed() if here is None else here
    found = {}
    for kind, name in asked.items():
        metric = METRIC_OF[kind] if name == "auto" else name
        if metric in here:
            found[kind] = here[metric]
        elif name not in ("auto", "offline"):
            raise UserError(
                f"'graders.{kind}' is {name!r}, and its backend is not installed. Install it with `cxreason "
                f"backends install {name}`, or write graders.{kind}=offline."
            )
    return found
