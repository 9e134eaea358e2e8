"""What there is to see: the findings, and which of them is a kind of which.

The 13 CheXpert findings are the common ground of every room. The reader knows far more concepts, from
`lexicon/concepts.tsv`, and nearly all of them are a kind of one of the 13: a granuloma is a nodule, which is
a lung lesion, which is a lung opacity.

    >>> FINDINGS[1]
    'cardiomegaly'
    >>> implies("granuloma", "lung lesion")
    True
    >>> main_finding("peripherally inserted central catheter")
    'support devices'
"""

from __future__ import annotations

from functools import cache

from cxreason.text import lexicon_files

FINDINGS: tuple[str, ...] = (
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
)
NO_FINDING = "no finding"

PARENTS: dict[str, str] = dict.fromkeys(
    ("lung lesion", "edema", "consolidation", "pneumonia", "atelectasis"), "lung opacity"
)
"""Of the 13: finding -> the wider finding that it implies. Denying the wider denies the narrower ones."""

NORMAL_OF: dict[str, str] = {
    "enlarged cardiomediastinum": "the mediastinum is of normal width",
    "cardiomegaly": "the heart is normal in size",
    "lung opacity": "there is no lung opacity",
    "lung lesion": "there is no lung lesion",
    "edema": "the pulmonary vessels are sharp",
    "consolidation": "there is no consolidation",
    "pneumonia": "there is no sign of pneumonia",
    "atelectasis": "there is no atelectasis",
    "pneumothorax": "there is no pneumothorax",
    "pleural effusion": "the costophrenic angles are sharp",
    "pleural other": "there is no pleural abnormality",
    "fracture": "the bones are intact",
    "support devices": "there is no support device",
}
"""Finding -> a clause that denies it and nothing else, for writers of sentences."""


@cache
def parents() -> dict[str, tuple[str, ...]]:
    """Concept -> its direct parents, in the order of `concepts.tsv`.

    >>> parents()["granuloma"]
    ('nodule',)
    """
    known: dict[str, tuple[str, ...]] = {
        finding: (PARENTS[finding],) if finding in PARENTS else () for finding in FINDINGS
    }
    where: dict[str, str] = {}
    for place, (name, above) in lexicon_files.rows("concepts.tsv", 2):
        wider = tuple(above.split(", ")) if above != "-" else ()
        if name in where:
            raise ValueError(f"{place}: concept {name!r} stands twice")
        if name in FINDINGS and wider != known[name]:
            raise ValueError(f"{place}: the parents of {name!r}, one of the 13 findings, do not change")
        known[name], where[name] = wider, place
    for name, wider in known.items():
        for parent in wider:
            if parent not in known:
                raise ValueError(f"{where[name]}: unknown parent {parent!r} of {name!r}")
    _check_for_circles(known, where)
    return known


def _check_for_circles(known: dict[str, tuple[str, ...]], where: dict[str, str]) -> None:
    for name in known:
        above = list(known[name])
        for wider in above:  # grows while it is walked
            if wider == name:
                raise ValueError(f"{where[name]}: {name!r} is a kind of itself")
            above += [one for one in known[wider] if one not in above]


@cache
def _ancestors() -> dict[str, frozenset[str]]:
    known = parents()

    def climb(name: str) -> frozenset[str]:
        return frozenset((name,)).union(*(climb(wider) for wider in known[name]))

    return {name: climb(name) for name in known}


def ancestors(finding: str) -> frozenset[str]:
    """A finding and everything that it is a kind of.

    >>> sorted(ancestors("granuloma"))
    ['granuloma', 'lung lesion', 'lung opacity', 'nodule']
    """
    try:
        return _ancestors()[finding]
    except KeyError:
        raise ValueError(f"unknown finding {finding!r}: the names stand in lexicon/concepts.tsv") from None


def implies(finding: str, wider: str) -> bool:
    """Whether one finding is the other or a kind of it. What is present implies the wider; a denial of the
    wider implies a denial of the narrower.

    >>> implies("nodule", "lung opacity"), implies("lung opacity", "nodule"), implies("edema", "edema")
    (True, False, True)
    """
    return wider in ancestors(finding)


@cache
def kin(finding: str) -> frozenset[str]:
    """A finding, what it is a kind of, and every kind of it: all that can speak for it or against it.

    >>> "granuloma" in kin("lung lesion"), "lung opacity" in kin("lung lesion"), "edema" in kin("lung lesion")
    (True, True, False)
    """
    return ancestors(finding) | {name for name, above in _ancestors().items() if finding in above}


@cache
def main_finding(finding: str) -> str:
    """The narrowest of the 13 findings that a concept is a kind of; empty where it is of none.

    >>> main_finding("airspace disease"), main_finding("emphysema")
    ('consolidation', '')
    """
    above = [name for name in FINDINGS if implies(finding, name)]
    wider = {PARENTS[name] for name in above if name in PARENTS}
    return next((name for name in above if name not in wider), "")
