"""Intervals, paired tests and agreement of raters, small and exact. What each is and why: the docstrings.

    intervals.py   bootstrap over patients, also of whole-set metrics; Wilson
    crossed.py     several runs (seeds) of one experiment on the same items
    paired.py      McNemar, paired t, Wilcoxon, randomisation; Holm over several
    raters.py      ICC(2,1), Krippendorff's alpha

>>> estimate = bootstrap([1, 0, 1, 1, 0, 1, 1, 1], draws=200)
>>> estimate.value, estimate.n
(0.75, 8)
"""

from cxreason.evaluation.statistics.crossed import Crossed, crossed
from cxreason.evaluation.statistics.intervals import (
    Estimate,
    bootstrap,
    bootstrap_total,
    paired_bootstrap,
    wilson,
)
from cxreason.evaluation.statistics.paired import (
    McNemar,
    PairedT,
    Wilcoxon,
    holm,
    mcnemar,
    paired_t,
    randomisation,
    randomisation_total,
    wilcoxon,
)
from cxreason.evaluation.statistics.raters import Agreement, icc, krippendorff

__all__ = [
    "Agreement",
    "Crossed",
    "Estimate",
    "McNemar",
    "PairedT",
    "Wilcoxon",
    "bootstrap",
    "bootstrap_total",
    "crossed",
    "holm",
    "icc",
    "krippendorff",
    "mcnemar",
    "paired_bootstrap",
    "paired_t",
    "randomisation",
    "randomisation_total",
    "wilcoxon",
    "wilson",
]
