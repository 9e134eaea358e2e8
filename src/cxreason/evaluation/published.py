"""What both papers print for a setting, to stand beside ours where the setting is the same.

Only samples that `cxreason suite` made say which setting they are (`suite.json` beside them); nothing else is
compared with anything published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

OVERALL = "overall"
PART = "reasoning"
"""The folder of a suite's part for factuality and self-consistency."""


@dataclass(frozen=True)
class Figure:
    """A published figure with its interval, where one is printed."""

    model: str
    value: float
    low: float | None = None
    high: float | None = None

    @property
    def text(self) -> str:
        """The figure as a table prints it.

        >>> Figure("A", 0.8, 0.776, 0.821).text
        'A 0.80 (0.78–0.82)'
        """
        interval = "" if self.low is None or self.high is None else f" ({self.low:.2f}–{self.high:.2f})"
        return f"{self.model} {self.value:.2f}{interval}"


def suite_of(samples: Path) -> dict[str, Any]:
    """What `cxreason suite` wrote beside samples: `suite` and `settings`; empty where it made none of them.

    A run of `mine` on a suite's samples says in its recipe where they came from.
    """
    folder = samples.parent if samples.suffix else samples
    for _ in range(3):  # a part of a suite, or its mined samples, or the suite itself
        file = folder / "suite.json"
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        made = folder / "recipe.yaml"
        told = yaml.safe_load(made.read_text(encoding="utf-8")) if made.exists() else {}
        source = told.get("samples") if isinstance(told, dict) else None
        if not source and folder.name != PART:
            break
        folder = Path(source) if source else folder.parent
    return {}


def figures(suite: str, setting: str, metric: str) -> tuple[Figure, ...]:
    """What was published for a setting of a suite and a metric, best first; `overall` is the whole suite.

    >>> figures("chexone", "view", "accuracy")[0].model
    'CheXOne'
    """
    rows = _published().get(suite, {}).get(setting, {}).get(metric, [])
    return tuple(Figure(*row) for row in rows)


def paper(suite: str) -> str:
    """The paper that a suite is from, or empty.

    >>> paper("chexone")
    'CheXOne'
    """
    return _published().get(suite, {}).get("paper", "")


@cache
def _published() -> dict[str, Any]:
    file = Path(__file__).with_name("published.yaml")
    return yaml.safe_load(file.read_text(encoding="utf-8"))
