"""RadCliQ: four scores of a report in one number, fitted to radiologists' error counts. Lower is better.

score = intercept + sum of coefficient * (x - mean) / scale; v0 is a linear regression, v1 a dot product
(Yu et al. 2023). The constants are facts of the fitted models. Because it is linear, the mean score is the
score of the means, so any row of a leaderboard can be checked.

>>> round(radcliq(1, 1, 1, 1), 10), round(radcliq(0, 0, 0, 0), 10)
(-1.4406902828, 2.4501430833)
"""

from __future__ import annotations

from typing import Literal

Version = Literal["v0", "v1"]

FEATURES = ("radgraph_combined", "bertscore_rexrank", "sembscore", "bleu2_rexrank")
"""Which scores go in, in this order."""

_INTERCEPT = {"v0": 1.641666666666666, "v1": 2.466552561323256e-10}
_MEAN_SCALE_COEFFICIENT: dict[str, tuple[tuple[float, float, float], ...]] = {
    "v0": (
        (0.5398376019082272, 0.3018344440559102, -0.4796252644863446),
        (0.6312549595000001, 0.22466950746141123, -0.6762170542369337),
        (0.7716797866672277, 0.24750333805236252, -0.46366575161751994),
        (0.4607372064809605, 0.30336670936092264, 0.2165861905287535),
    ),
    "v1": (
        (0.5379231241355762, 0.3028258411486429, -0.37708368261038905),
        (0.6175725628125001, 0.22430938459304575, -0.37030009974480316),
        (0.7647942121140658, 0.2539439110169773, -0.25261621789593225),
        (0.44738335396242174, 0.2989271671041838, 4.315048405024756e-12),
    ),
}


def radcliq(
    radgraph_combined: float,
    bertscore: float,
    sembscore: float,
    bleu2: float,
    version: Version = "v1",
) -> float:
    """RadCliQ of one report from its four scores; BLEU hardly matters in v1 and counts against one in v0.

    >>> round(radcliq(0.25, 0.40, 0.60, 0.20, "v0"), 10)
    2.9337355358
    """
    scores = (radgraph_combined, bertscore, sembscore, bleu2)
    return _INTERCEPT[version] + sum(
        coefficient * (score - mean) / scale
        for score, (mean, scale, coefficient) in zip(scores, _MEAN_SCALE_COEFFICIENT[version], strict=True)
    )


def inverse(mean: float | None) -> float | None:
    """1 / mean RadCliQ-v1, as leaderboards print it; None from 0 down, where it would rank a model last.

    Not the mean of 1 / RadCliQ, and not monotone: a perfect set has a mean of -1.44.

    >>> inverse(0.5), inverse(-1.44)
    (2.0, None)
    """
    return None if mean is None or mean <= 0 else 1 / mean
