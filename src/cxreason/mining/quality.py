"""How true the chains of a run were before and after the filters, how long they are, and what was dropped.

Read from the run's own files, so it is the same however often the run was stopped. Of more than 20,000 chains
a share is measured that the ids choose; every share has its 95% interval, over patients where it is a mean.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cxreason.evaluation.statistics import bootstrap, wilson
from cxreason.mining import filters
from cxreason.records import content_id
from cxreason.rows import read_lines
from cxreason.text.sections import sentences

MOST_MEASURED = 20_000
PUBLISHED = {
    "mined (GPT-4o, ChestX-Reasoner)": 0.82,
    "GPT-4o as generator": 0.60,
    "Qwen2-VL-72B as generator": 0.59,
}
"""Mean R_f before the filter as the ChestX-Reasoner paper prints it; GPT-4o read, in the reading `paper`."""


@dataclass
class Measured:
    """What is known of each measured chain."""

    kept: list[bool] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    num_words: list[int] = field(default_factory=list)
    num_steps: list[int] = field(default_factory=list)
    factuality: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Reading -> R_f; a chain that says nothing has 0."""

    def add(
        self, *, kept: bool, patient: str, task: str, reasoning: str, shares: Mapping[Any, float]
    ) -> None:
        self.kept.append(kept)
        self.patients.append(patient)
        self.tasks.append(task)
        self.num_words.append(len(reasoning.split()))
        self.num_steps.append(sum(1 for _ in sentences(reasoning)))
        for reading in filters.READINGS:
            self.factuality[reading].append(shares.get(reading, 0.0))

    def mean(self, values: list[Any], chosen: Iterable[bool]) -> dict[str, Any]:
        """The mean of the chosen with its interval over patients."""
        told = [(value, who) for value, who, yes in zip(values, self.patients, chosen, strict=True) if yes]
        return asdict(bootstrap([value for value, _ in told], [who for _, who in told]))


def failures(folder: Path) -> Iterator[dict[str, Any]]:
    """The lines of `failed.jsonl`, none where there is no such file."""
    file = folder / "failed.jsonl"
    return read_lines(file) if file.exists() else iter(())


def measure(
    kept: Iterable[dict[str, Any]], dropped: Iterable[dict[str, Any]], counts: dict[str, Any]
) -> dict[str, Any]:
    """The figures, from the rows of kept samples and the lines of what was dropped."""
    share = MOST_MEASURED / max(counts["funnel"]["read"], 1)
    measured = Measured()
    for row in kept:
        if _chosen(row["id"], share):
            facts = "\n".join(part for part in (row["prior_report"], row["report"]) if part)
            shares, _ = filters.factuality(row["reasoning"], facts, "strict")
            told = {"patient": row["patient_id"], "task": row["task"], "reasoning": row["reasoning"]}
            measured.add(kept=True, **told, shares=shares)
    reasons: Counter[str] = Counter()
    for row in dropped:
        reasons.update({reason.partition(":")[0] for reason in row["reasons"]})
        if "reasoning" in row and _chosen(row["id"], share):
            told = {"patient": row["patient_id"], "task": row["task"], "reasoning": row["reasoning"]}
            measured.add(kept=False, **told, shares=row["r_f"])
    num_read = counts["funnel"]["read"]
    return {
        "read": num_read,
        "kept": asdict(wilson(counts["funnel"].get("kept", 0), num_read)),
        "measured": len(measured.kept),
        "factuality": {
            reading: {
                "before": measured.mean(values, [True] * len(values)),
                "after": measured.mean(values, measured.kept),
            }
            for reading, values in measured.factuality.items()
        },
        "published": PUBLISHED,
        "length": {
            task: {
                "words": measured.mean(measured.num_words, chosen),
                "steps": measured.mean(measured.num_steps, chosen),
            }
            for task in sorted(set(measured.tasks))
            if any(
                chosen := [
                    kept and task == other for kept, other in zip(measured.kept, measured.tasks, strict=True)
                ]
            )
        },
        # A chain may be dropped for several reasons, so these do not add up to what is missing.
        "reasons": {name: asdict(wilson(number, num_read)) for name, number in reasons.most_common()},
    }


def _chosen(id: str, share: float) -> bool:
    return share >= 1 or int(content_id("quality", id)[:8], 16) < share * 0x1_0000_0000
