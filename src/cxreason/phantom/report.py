"""Words the report of a visit. All wording is data, in `wording.yaml`.

What is there is always said, with side, place and size. What is normal is often left unsaid, as
radiologists do, and the prior study is only spoken of where there is one.

    >>> from cxreason.phantom.world import draw_visit
    >>> write_report(draw_visit(seed=0, index=0)).comparison.endswith(".")
    True
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from cxreason.phantom.visit import DRAWN, LEVELS, Finding, Visit, generator

MILD = ("", "mild", "moderate", "severe")
MILDLY = ("", "mildly", "moderately", "severely")

# A terse reader leaves most normals unsaid, a thorough one few: factors on how usual a line is.
STYLES = (0.45, 0.8, 1.1)
SHARE_HEDGED = 0.08
CERTAIN = ("cardiomegaly", "enlarged cardiomediastinum", "support devices", "fracture")
"""Findings that nobody hedges: the image leaves no doubt about them."""


@dataclass(frozen=True)
class Report:
    """The sections of a report."""

    indication: str
    comparison: str
    findings: str
    impression: str


@cache
def wording() -> dict[str, Any]:
    """The phrases, read from the data file once."""
    text = resources.files("cxreason.phantom").joinpath("wording.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def write_report(visit: Visit) -> Report:
    """The report of one visit; the same visit always gets the same words."""
    if visit.world.deep:
        from cxreason.phantom.dictation import dictate  # which borrows its words from here

        return dictate(visit)
    rng = generator(visit.seed, 6, visit.index)
    words = wording()
    style = STYLES[int(rng.integers(len(STYLES)))]
    names = {finding.name for finding in visit.findings}
    traumatic = "fracture" in names and rng.random() < 0.6
    changes = visit.changes
    positives = [statement(rng, finding, changes.get(finding.name, "")) for finding in visit.findings]
    if visit.prior is not None:
        left = [finding for finding in visit.prior.findings if changes[finding.name] == "resolved"]
        positives += [gone(rng, finding) for finding in left]
    healthy = [sentence for _, sentence in normals(rng, names, style, words["normals"], DRAWN)]
    sentences = [*shuffled(rng, positives), *shuffled(rng, healthy)]
    if rng.random() < 0.25:  # some read organ by organ rather than the abnormal first
        sentences = shuffled(rng, sentences)
    if not sentences:
        sentences = [pick(rng, words["normals"][0]["say"])]  # a report of nothing says at least that
    if style > 1 and rng.random() < 0.5:
        sentences.insert(0, pick(rng, words["technique"]))
    return Report(
        indication=pick(rng, words["indication"]["fracture" if traumatic else "any"]),
        comparison=pick(rng, words["comparison"]["prior" if visit.prior else "none"]),
        findings=" ".join(sentences),
        impression=_impression(rng, visit, changes),
    )


def statement(rng: np.random.Generator, finding: Finding, change: str, may_hedge: bool = True) -> str:
    """One sentence that says a finding is there, and what became of it where that is known."""
    kind = change
    if not change:
        hedged = may_hedge and finding.name not in CERTAIN and rng.random() < SHARE_HEDGED
        kind = "hedged" if hedged else "plain"
    phrase, plural = name(rng, finding)
    return fill(pick(rng, wording()["statements"][kind]), phrase, plural)


def gone(rng: np.random.Generator, finding: Finding) -> str:
    """One sentence that says a finding of the prior study is there no more."""
    words = wording()
    bare = _blanks(words["bare"][finding.concept], finding)
    plural = bare.startswith("bilateral") and bare.endswith("effusion")
    kind = "removed" if finding.main == "support devices" else "resolved"
    return fill(pick(rng, words["statements"][kind]), bare + "s" * plural, plural)


def normals(
    rng: np.random.Generator,
    present: set[str],
    style: float,
    entries: list[dict[str, Any]],
    among: Sequence[str],
) -> list[tuple[str, str]]:
    """(a finding that it denies, sentence) for what is true of the patient; nothing is spoken of twice."""
    silent = set(among) - present
    said = []
    for entry in entries:
        if not silent.issuperset(entry["denies"]) or present.intersection(entry.get("unless", ())):
            continue
        if rng.random() < 0.2 and len(entry["denies"]) > 1:
            continue  # spoken of one by one instead
        silent -= set(entry["denies"])
        if rng.random() < entry["usual"] * style:
            said.append((entry["denies"][0], pick(rng, entry["say"])))
    return said


def _impression(rng: np.random.Generator, visit: Visit, changes: dict[str, str]) -> str:
    words = wording()
    if not visit.findings:
        return pick(rng, words["impression"]["normal"])
    points = []
    for finding in visit.findings:
        phrase = name(rng, finding)[0].removeprefix("a ").removeprefix("an ")
        tail = pick(rng, words["tails"][changes.get(finding.name, "none")])
        points.append(capital(f"{phrase}{tail}."))
    points = shuffled(rng, points)
    if len(points) > 1 and rng.random() < 0.4:
        return " ".join(f"{number}. {point}" for number, point in enumerate(points, 1))
    return " ".join(points)


def name(rng: np.random.Generator, finding: Finding) -> tuple[str, bool]:
    """A noun phrase for the finding with all it is known for, and whether it is plural."""
    words = wording()
    kind = words["both"] if finding.side == "both" and finding.name in words["both"] else words["findings"]
    phrase = pick(rng, kind[finding.concept])
    plural = phrase.startswith("+")
    phrase = _blanks(phrase.removeprefix("+"), finding)
    return phrase, plural


def _blanks(phrase: str, finding: Finding) -> str:
    side = "bilateral" if finding.side == "both" else finding.side
    place = f"{side} {finding.zone} lung"
    lobe = f"{side} {finding.zone} lobe"
    if finding.zone == "mid":  # the left lung has no middle lobe
        lobe = "right middle lobe" if side == "right" else place
    level = finding.level
    filled = phrase.format(
        size=LEVELS[level],
        mild=MILD[level],
        mildly=MILDLY[level],
        side=side,
        zone=finding.zone,
        place=place,
        lobe=lobe,
    )
    return re.sub(r"\ba (?=[aeiou])", "an ", filled)


def fill(sentence: str, phrase: str, plural: bool) -> str:
    """The sentence with the phrase in its blanks."""
    bare = phrase.removeprefix("an ").removeprefix("a ")
    return sentence.format(
        np=phrase,
        Np=capital(phrase),
        the=bare,
        bare=bare,
        **{"is": "are" if plural else "is", "has": "have" if plural else "has"},
    )


def capital(text: str) -> str:
    """The text with a capital letter."""
    return text[:1].upper() + text[1:]


def pick(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    """One of the choices."""
    return choices[int(rng.integers(len(choices)))]


def shuffled(rng: np.random.Generator, items: list[str]) -> list[str]:
    """The items in another order."""
    return [items[position] for position in rng.permutation(len(items))]
