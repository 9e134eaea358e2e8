"""RaTEScore: entities of two reports, paired by their embeddings, weighed by their types (Zhao et al. 2024).

Only the arithmetic is here; a backend finds the entities and the cosines of all pairs. Types are ABNORMALITY,
NON-ABNORMALITY, DISEASE, NON-DISEASE and ANATOMY. Under `long` a report that denies one of its two findings
keeps 0.95, so never take it as the only clinical check.

>>> types = ("DISEASE", "ANATOMY")
>>> round(ratescore(types, ("NON-DISEASE", "ANATOMY"), [[1, 0], [0, 1]]), 6)
0.946261
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

Affinity = Literal["long", "short"]

TYPES = ("ABNORMALITY", "ANATOMY", "DISEASE", "NON-ABNORMALITY", "NON-DISEASE")

# Constants of the published metric: rows are the type of the source entity, columns of the one it takes.
WEIGHTS: dict[Affinity, np.ndarray] = {
    "long": np.array(
        [
            0.4276119164393705,
            0.6240929990607657,
            0.0034478181112993847,
            0.5431049700217344,
            0.27005425386213877,
            0.7487824274337533,
            0.2856134859160784,
            0.4592143222158069,
            0.02097055139911715,
            0.00013736314126696204,
            0.8396510075734789,
            0.9950209388542061,
            0.8460555030578727,
            0.9820689020512646,
            0.3789136708096537,
            0.16546764653692908,
            0.018670610691852826,
            0.719397354576018,
            0.0009357166071730684,
            0.0927333564267591,
            0.7759420231214385,
            0.1839139293714062,
            0.10073046076318157,
            0.03860183811876373,
            0.34065681486566446,
        ]
    ).reshape(5, 5),
    "short": np.array(
        [
            0.4070293318365468,
            0.6952639610605605,
            0.28342529466226446,
            0.9479148658006686,
            0.23875064111146294,
            0.5829759950441763,
            0.7709590751917746,
            0.0006059634829551632,
            0.794672584951181,
            0.27982942400798977,
            0.8840397619834857,
            0.9637659445696822,
            0.19018958438059513,
            0.6962283914800402,
            0.943727057946997,
            0.1712744286898638,
            0.4485149671497294,
            0.00045065329822896076,
            0.0007887930317199857,
            0.8555432840895761,
            0.9555801066212176,
            0.13122106162635216,
            0.6072996585919443,
            0.05650711141169969,
            0.3214769399791204,
        ]
    ).reshape(5, 5),
}
DENIED: dict[Affinity, float] = {"long": 0.8716553966489615, "short": 0.3611577852354489}
"""What a pair keeps in which one entity is denied and the other is not."""


def ratescore(
    reference: Sequence[str],
    hypothesis: Sequence[str],
    cosines: Sequence[Sequence[float]],
    affinity: Affinity = "long",
) -> float:
    """RaTEScore from the types of both reports' entities and a row of cosines for each of the reference's.

    Both reports need an entity: what silence is worth is a rule of whoever asks.

    >>> round(ratescore(("DISEASE",), ("DISEASE",), [[0.5]]), 6)
    0.5
    """
    table = np.asarray(cosines, dtype=float)
    if not table.size or table.shape != (len(reference), len(hypothesis)):
        raise ValueError(f"ratescore: {len(reference)} and {len(hypothesis)} entities, cosines {table.shape}")
    forth = similarity(reference, hypothesis, table, affinity)
    back = similarity(hypothesis, reference, table.T, affinity)
    return 2 * forth * back / (forth + back) if forth + back else 0.0


def similarity(
    source: Sequence[str], target: Sequence[str], cosines: np.ndarray, affinity: Affinity = "long"
) -> float:
    """How well the target covers the source: each source entity takes the target's nearest, of any type.

    >>> similarity(("ANATOMY",), ("ANATOMY", "DISEASE"), np.array([[0.25, 0.1]]))
    0.25
    """
    taken = [target[int(place)] for place in cosines.argmax(axis=1)]
    rows, columns = [TYPES.index(one) for one in source], [TYPES.index(one) for one in taken]
    weights = WEIGHTS[affinity][rows, columns]
    kept = np.array([_kept(one, other, affinity) for one, other in zip(source, taken, strict=True)])
    total = float(weights.sum())
    return float((weights * cosines.max(axis=1) * kept).sum()) / total if total else 0.0


def _kept(one: str, other: str, affinity: Affinity) -> float:
    denied = sorted(kind.startswith("NON-") for kind in (one, other))
    return DENIED[affinity] if "ANATOMY" not in (one, other) and denied == [False, True] else 1.0
