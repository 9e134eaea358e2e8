"""The label sets of public datasets, read from a report.

    >>> label("FINDINGS: Small left effusion. No pneumothorax.")["Effusion"]
    1

1 is asserted, 0 denied, -1 uncertain, None not mentioned. Where sentences differ, asserted wins over
uncertain, and uncertain over denied, as the labelers of CheXpert and NegBio have it. "Likely", "suggestive
of" and "consistent with" assert: radiologists write so what they mean. "May", "possible" and "cannot
exclude" are doubt. Which concept counts for which label is data, `lexicon/labels.tsv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Literal

from cxreason.text.lexicon_files import rows
from cxreason.text.observations import read_sentence
from cxreason.text.ontology import NO_FINDING, implies, parents
from cxreason.text.sections import sections, sentences

Scheme = Literal["nih14", "chexpert14"]
NO_FINDING_LABEL = NO_FINDING.title()

UNCERTAIN_AS = {"atelectasis": 1, "edema": 1, "pleural effusion": 1, "cardiomegaly": 0, "consolidation": 0}
"""What an uncertain label of CheXpert counts as where one has to decide; so does CheXinstruct."""

ASSERTED: dict[str, dict[tuple[str, str], int]] = {
    "nih14": {("present", ""): 1, ("uncertain", "alternative"): 1},
    "chexpert14": {("present", ""): 1, ("present", "suggested"): 1},
}
"""Scheme -> (status, hedge) that counts as asserted. The people who coded Open-i count both sides of a
"versus", and not what is merely suggested."""


@cache
def schemes() -> dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]]:
    """Scheme -> label -> (concepts that give it, concepts that do not), in the dataset's order."""
    known: dict[str, dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {}
    for place, (scheme, name, concepts, but) in rows("labels.tsv", 4):
        wanted, unwanted = (tuple(part.split(", ")) if part != "-" else () for part in (concepts, but))
        for concept in wanted + unwanted:
            if concept not in parents():
                raise ValueError(f"{place}: unknown finding {concept!r}")
        known.setdefault(scheme, {})[name] = (wanted, unwanted)
    return known


@cache
def _given(scheme: str, finding: str) -> frozenset[str]:
    """The labels that a finding gives where it is present."""
    return frozenset(
        name
        for name, (wanted, unwanted) in schemes()[scheme].items()
        if any(implies(finding, concept) for concept in wanted)
        and not any(implies(finding, concept) for concept in unwanted)
    )


@cache
def _denied(scheme: str, finding: str) -> frozenset[str]:
    """The labels that the absence of a finding excludes: the narrowest that it gives, and every narrower one.

    "No consolidation" leaves other opacities open.
    """
    given = _given(scheme, finding)
    wanted = {name: concepts for name, (concepts, _) in schemes()[scheme].items()}
    wider = {name for name in given for other in given - {name} if _narrower(wanted[other], wanted[name])}
    return (given - wider) | frozenset(
        name for name, concepts in wanted.items() if all(implies(concept, finding) for concept in concepts)
    )


def _narrower(concepts: tuple[str, ...], wider: tuple[str, ...]) -> bool:
    return any(implies(one, other) for one in concepts for other in wider)


@lru_cache(maxsize=65_536)
def of_sentence(scheme: str, sentence: str) -> tuple[tuple[str, int], ...]:
    found: dict[str, int] = {}
    for seen in read_sentence(sentence):
        if seen.status == "absent":
            if seen.side in ("", "both") and not seen.location:
                for name in _denied(scheme, seen.finding):
                    found.setdefault(name, 0)
        else:
            value = ASSERTED[scheme].get((seen.status, seen.hedge), -1)
            for name in _given(scheme, seen.finding):
                found[name] = 1 if found.get(name) == 1 else value
    return tuple(found.items())


def decided(labels: Mapping[str, int]) -> dict[str, int]:
    """Labels without doubt: five uncertain findings count as one or the other, the rest are left out.

    >>> decided({"edema": -1, "cardiomegaly": -1, "pneumonia": -1, "fracture": 1})
    {'edema': 1, 'cardiomegaly': 0, 'fracture': 1}
    """
    taken = {name: UNCERTAIN_AS.get(name) if value == -1 else value for name, value in labels.items()}
    return {name: value for name, value in taken.items() if value is not None}


def excludes_no_finding(labels: Mapping[str, int]) -> bool:
    """Whether "no finding" is certainly wrong: labelled 0, or something but a device is there.

    >>> excludes_no_finding({"edema": 1}), excludes_no_finding({"support devices": 1})
    (True, False)
    """
    if NO_FINDING in labels:
        return labels[NO_FINDING] == 0
    return any(value == 1 and name != "support devices" for name, value in labels.items())


def denied(labels: Mapping[str, int], name: str) -> bool:
    """Whether a label certainly is not there: labelled 0, or excluded by "no finding", or as that one.

    What nobody judged is not denied. Devices may be there where nothing is found.

    >>> denied({"no finding": 1}, "edema"), denied({"edema": 1}, "no finding")
    (True, True)
    >>> denied({"edema": 1}, "fracture")
    False
    """
    if name in labels:
        return labels[name] == 0
    if name == NO_FINDING:
        return excludes_no_finding(labels)
    others = (value for other, value in labels.items() if other not in (NO_FINDING, "support devices"))
    return labels.get(NO_FINDING) == 1 and name != "support devices" and 1 not in others


def label(report: str, scheme: Scheme = "nih14") -> dict[str, int | None]:
    """Every label of the scheme, spelled as its dataset spells it, from findings and impression.

    >>> label("Possible pneumonia.", "chexpert14")["Pneumonia"]
    -1
    >>> label("The lungs are clear. Normal heart size.", "chexpert14")["No Finding"]
    1
    """
    if scheme not in schemes():
        raise ValueError(f"label scheme {scheme!r}: write {' or '.join(schemes())}")
    result: dict[str, int | None] = dict.fromkeys(schemes()[scheme])
    parts = sections(report)
    read = [parts[name] for name in ("findings", "impression", "addendum", "last_paragraph") if name in parts]
    for text in read:
        for _, sentence in sentences(text):
            for name, value in of_sentence(scheme, sentence):
                before = result[name]
                if value == 1 or before is None or (value == -1 and before == 0):
                    result[name] = value
    if scheme == "chexpert14":
        others = [value for name, value in result.items() if name != "Support Devices"]
        clear = not any(value in (1, -1) for value in others)
        result = {NO_FINDING_LABEL: 1 if clear and 0 in others else None, **result}
    return result
