"""What a report says, each thing once, as chains in prose need it: read once, asked by many questions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from cxreason.mining import prose_words as words
from cxreason.mining.rules import Evidence, Step, _read, gather
from cxreason.text.observations import Observation
from cxreason.text.ontology import FINDINGS, ancestors, implies
from cxreason.text.vocabulary import groups

REMEMBERED = 4096
"""Reports whose digest is kept: as many as a shard of a build has, whose questions lie far apart."""


@dataclass(frozen=True)
class Digest:
    """What a report says, each thing once: what is there, what it denies, what it is not sure of."""

    report: str
    present: tuple[Observation, ...]
    denied: dict[str, Observation]
    """Of the 13: finding -> the first observation that denies it on both sides."""
    doubtful: tuple[Observation, ...]
    _evidence: dict[str, Evidence] = field(default_factory=dict, repr=False, compare=False)

    def of_region(self, region: str) -> list[Observation]:
        return [seen for seen in self.present if words.nouns()[seen.finding].region == region]

    def doubtful_of(self, region: str) -> list[Observation]:
        return [seen for seen in self.doubtful if words.nouns()[seen.finding].region == region]

    def clear_lungs(self) -> bool:
        """Whether everything is denied that "the lungs are clear" denies."""
        return self.denied.keys() >= lung_findings() and not self.of_region("lungs")

    def evidence(self, steps: Sequence[Step]) -> dict[str, Evidence]:
        """What the report says of each finding of a plan, as `gather` finds it; looked for once."""
        known = self._evidence
        owed = [step for step in steps if step.finding not in known]
        if owed:
            known.update(gather(owed, self.report))
        return {step.finding: known[step.finding] for step in steps}


@cache
def lung_findings() -> frozenset[str]:
    """What "the lungs are clear" denies."""
    return frozenset(groups()["@lungs"])


@lru_cache(maxsize=REMEMBERED)
def digest(report: str) -> Digest:
    """What a report says, each thing once.

    >>> [seen.finding for seen in digest("Nodule in the left lung. Nodular opacity. No edema.").present]
    ['nodular opacity']
    """
    observations = _read(report)
    present: list[Observation] = []
    there = [told for seen in observations if seen.status == "present" and (told := words.told_as(seen))]
    # The narrowest and fullest first: what is wider or vaguer adds nothing to it.
    for seen in sorted(there, key=lambda one: (-len(ancestors(one.finding)), -_fullness(one), one.start)):
        if not any(implies(other.finding, seen.finding) and _covers(other, seen) for other in present):
            present.append(seen)
    found = {wider for seen in observations if seen.status == "present" for wider in ancestors(seen.finding)}
    denied: dict[str, Observation] = {}
    for seen in observations:
        if seen.status == "absent" and seen.side in ("", "both") and not seen.location:
            for finding in FINDINGS:
                if implies(finding, seen.finding) and finding not in found:
                    denied.setdefault(finding, seen)
    doubtful: dict[str, Observation] = {}
    settled = {seen.finding for seen in observations if seen.status != "uncertain"}
    for seen in observations:
        told = words.told_as(seen) if seen.status == "uncertain" else None
        if told and not any(implies(told.finding, one) or implies(one, told.finding) for one in settled):
            doubtful.setdefault(told.finding, told)
    return Digest(report, tuple(sorted(present, key=in_text)), denied, tuple(doubtful.values()))


def _fullness(seen: Observation) -> int:
    return bool(seen.side) + bool(seen.location) + bool(seen.severity)


def _covers(full: Observation, vague: Observation) -> bool:
    side = vague.side in ("", full.side) or full.side == "both"
    zones = words.zone_of(full), words.zone_of(vague)
    return side and ("" in zones or zones[0] == zones[1])


def in_text(seen: Observation) -> int:
    """Where it stands in its text, to sort by."""
    return seen.start
