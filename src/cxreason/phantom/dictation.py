"""Dictates the report of a visit of the deep world: several manners, doubt, and normals left unsaid.

What was drawn is said with its place and size; what the reader doubted is hedged or not mentioned, as its
label says (-1, or none). Words of change stand only where there is a prior study. All wording is data, in
`dictation.yaml` and `wording.yaml`.

    >>> from cxreason.phantom.visit import DEEP
    >>> from cxreason.phantom.world import draw_visit
    >>> dictate(draw_visit(0, 1, DEEP)).impression.endswith(".")
    True
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import yaml

from cxreason.phantom.report import (
    Report,
    capital,
    fill,
    gone,
    name,
    normals,
    pick,
    shuffled,
    statement,
    wording,
)
from cxreason.phantom.visit import Finding, Visit, generator
from cxreason.text.ontology import FINDINGS, implies

SPEECH = {"prose": 1.0, "organs": 0.9, "terse": 0.3, "impression only": 0.0}
"""Factors on how usual it is to mention something healthy."""
INCIDENTAL = ("tortuous aorta", "aortic calcification", "scoliosis", "calcified granuloma", "hiatal hernia")
"""Findings that often stay out of the impression."""


@cache
def manners() -> dict[str, Any]:
    """The phrases of `dictation.yaml`."""
    return yaml.safe_load(resources.files("cxreason.phantom").joinpath("dictation.yaml").read_text("utf-8"))


def dictate(visit: Visit) -> Report:
    """The report of one visit; the same visit always gets the same words."""
    rng, words = generator(visit.seed, 6, visit.index), manners()
    style = str(rng.choice(list(words["styles"]), p=list(words["styles"].values())))
    spoken = [finding for finding in visit.findings if finding.doubt != "unsaid"]
    said = {finding.name: [_sentence(rng, visit, finding)] for finding in spoken}
    if visit.prior is not None:
        for finding in visit.prior.findings:
            if visit.changes.get(finding.name) == "resolved":
                said[finding.name] = [gone(rng, finding)]
    healthy = _healthy(rng, visit, SPEECH[style])
    limits = []
    if visit.exam.low_volume and rng.random() < 0.6:
        limits.append(pick(rng, words["limits"]["low volume"]))
    if visit.exam.turn and rng.random() < 0.5:
        limits.append(pick(rng, words["limits"]["turned"]))
    impression = _impression(rng, visit, spoken, said, whole=style == "impression only")
    if style == "impression only":
        findings = ""
    elif style == "organs":
        findings = _by_organ(said, healthy, limits)
    else:
        positives = [sentence for sentences in said.values() for sentence in sentences]
        plain = [sentence for _, sentence in healthy]
        findings = " ".join([*limits, *shuffled(rng, positives), *shuffled(rng, plain)])
    return Report(
        indication=_indication(rng, visit),
        comparison=pick(rng, words["comparison"]["prior" if visit.prior else "none"]),
        findings=findings,
        impression=impression,
    )


def technique(visit: Visit) -> str:
    """How the films were taken, for layouts whose reports have such a section."""
    kind = "both" if visit.exam.lateral else visit.exam.view
    return pick(generator(visit.seed, 14, visit.index), manners()["technique"][kind])


def _sentence(rng: np.random.Generator, visit: Visit, finding: Finding) -> str:
    if finding.doubt == "hedged":
        phrase = name(rng, finding)
        while " with " in phrase[0]:  # "possible A with B" would leave no doubt about B
            phrase = name(rng, finding)
        return fill(pick(rng, manners()["hedged"]), *phrase)
    change = visit.changes.get(finding.name, "")
    return statement(rng, finding, change, may_hedge=False)


def _healthy(rng: np.random.Generator, visit: Visit, usual: float) -> list[tuple[str, str]]:
    """(a finding that it denies, sentence) for healthy things that are mentioned."""
    present = {finding.name for finding in visit.findings}
    present |= {wide for wide in FINDINGS if any(implies(one, wide) for one in present)}
    entries = [*wording()["normals"], *manners()["normals"]]
    return normals(rng, present, usual, entries, FINDINGS)


def _by_organ(said: dict[str, list[str]], healthy: list[tuple[str, str]], limits: list[str]) -> str:
    lines = []
    for organ, members in manners()["organs"].items():
        sentences = list(limits) if organ == "Lungs" else []
        sentences += [sentence for finding in said if finding in members for sentence in said[finding]]
        sentences += [sentence for denied, sentence in healthy if denied in members]
        if sentences:
            lines.append(f"{organ}: {' '.join(sentences)}")
    return "\n".join(lines)


def _impression(
    rng: np.random.Generator,
    visit: Visit,
    spoken: list[Finding],
    said: dict[str, list[str]],
    whole: bool,
) -> str:
    """The summary; where it is the `whole` report, everything is said in it."""
    words = manners()
    if not visit.findings:
        points = [sentence for sentences in said.values() for sentence in sentences] if whole else []
        return " ".join([pick(rng, words["impression"]["normal"]), *points])
    told = [one for one in spoken if whole or _matters(rng, one)]
    points = []
    for finding in told:
        if whole or finding.doubt:
            points += said[finding.name] if whole else [_sentence(rng, visit, finding)]
        else:
            phrase = name(rng, finding)[0].removeprefix("a ").removeprefix("an ")
            tail = pick(rng, wording()["tails"][visit.changes.get(finding.name, "none")])
            points.append(capital(f"{phrase}{tail}."))
        if finding.name in words["advice"] and rng.random() < 0.3:
            points[-1] += f" {pick(rng, words['advice'][finding.name])}"
    if whole:
        points += [
            sentence
            for finding, sentences in said.items()
            for sentence in sentences
            if finding not in {one.name for one in told}
        ]
    if not points:
        acute = any(one.main not in ("", "support devices") for one in visit.findings)
        return "" if acute else pick(rng, words["impression"]["incidental"])
    points = shuffled(rng, points)
    if len(points) > 1 and rng.random() < 0.4:
        return " ".join(f"{number}. {point}" for number, point in enumerate(points, 1))
    return " ".join(points)


def _matters(rng: np.random.Generator, finding: Finding) -> bool:
    if finding.main == "support devices":
        return rng.random() < 0.35
    return finding.name not in INCIDENTAL or rng.random() < 0.2


def _indication(rng: np.random.Generator, visit: Visit) -> str:
    names = {finding.name for finding in visit.findings}
    reasons = {
        "trauma": {"rib fracture", "clavicle fracture"},
        "tubes": {"endotracheal tube", "chest tube", "nasogastric tube"},
        "heart": {"edema", "cardiomegaly"},
        "fever": {"pneumonia", "consolidation"},
    }
    # A reason is told about half of the time, so that the indication alone decides nothing.
    fitting = [kind for kind, having in reasons.items() if having & names and rng.random() < 0.5]
    return pick(rng, manners()["indication"][fitting[0] if fitting else "any"])
