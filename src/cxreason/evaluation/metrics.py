"""The metrics that `score` knows: what each is, in a line, and how the items of a set become one number.

A name fixes how texts are cut, which model reads and what counts as right, because values under one name must
compare. Most metrics are means over items. Some are of the whole set: an item only adds its parts to them.

>>> METRICS["rouge_l"]
'longest common subsequence of words, F1, stemmed as the package rouge-score does'
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from cxreason.evaluation import grounding
from cxreason.evaluation.chexbert import TOP_5, Averaged, label_f1
from cxreason.evaluation.overlap import bleu_corpus

Whole = Callable[[np.ndarray], np.ndarray]
"""Rows of summed parts -> values, nan where there is none."""


@dataclass(frozen=True)
class Metric:
    """One metric.

    `whole` makes its value of what the parts of all items add up to; without it the value is a mean.
    `backend` is what has to be installed for it, or empty.
    """

    definition: str
    lower_is_better: bool = False
    right_or_wrong: bool = False
    """Whether an item is worth 1 or 0 and nothing between."""
    whole: Whole | None = None
    backend: str = ""


def _labels(sums: np.ndarray, *, how: Averaged, top_5: bool) -> np.ndarray:
    counts = sums.reshape(len(sums), -1, 3)
    chosen = counts[:, TOP_5] if top_5 else counts
    return label_f1(chosen.reshape(len(sums), -1), how)


def _chexbert() -> dict[str, Metric]:
    how: dict[Averaged, str] = {
        "micro": "over all labels together",
        "macro": "mean of the labels' F1, 0 for one that never occurs",
    }
    which = {5: "five labels", 14: "fourteen labels"}
    return {
        f"chexbert_f1_{name}_{number}": Metric(
            f"F1 of CheXbert's {which[number]}, {meaning}; uncertain counts as positive",
            whole=partial(_labels, how=name, top_5=number == 5),
            backend="chexbert",
        )
        for name, meaning in how.items()
        for number in which
    }


def _radgraph() -> dict[str, Metric]:
    elements = {
        "simple": "entities",
        "partial": "entities and whether they have a relation (RG_ER)",
        "complete": "entities and their relations",
    }
    cases = {"cased": "as the package compares", "casefold": "capital and small letters alike"}
    return {
        f"radgraph_xl_{variant}_{case}": Metric(f"RadGraph-XL F1 of {what}, {rule}", backend="radgraph")
        for variant, what in elements.items()
        for case, rule in cases.items()
    }


TABLE: dict[str, Metric] = {
    "accuracy": Metric(
        "share of closed questions answered right; no readable answer is wrong", right_or_wrong=True
    ),
    "anomaly_f1": Metric("F1 of the named set of findings against the labelled set"),
    "iou": Metric("overlap of the named boxes with the true ones, paired one to one; a true 'none' is 1"),
    "iou_accuracy": Metric(
        "share of questions about a place with an overlap of at least 0.5", right_or_wrong=True
    ),
    "report_f1": Metric("F1 of the findings and statuses that a written report states, against the true one"),
    "report_radrscore": Metric("RadRScore of a written report, the true one taken as the reference too"),
    "radrscore": Metric("mean of the three parts below"),
    "r_f": Metric("share of the trace's observations that the report bears out"),
    "r_c": Metric("share of the mined reasoning's observations that the trace makes"),
    "r_e": Metric("share of the trace's observations that the mined reasoning makes"),
    "s_f": Metric("share of the trace's findings, by name and status, that the report has as well (CheXOne)"),
    "word_f1": Metric("F1 of the words of an open answer, any case and punctuation"),
    "self_consistency": Metric(
        "1 - entropy of several answers to one question / log of its options (S_sc); says nothing of right"
    ),
    "miou": Metric(
        "overlap with the true boxes where there are any, before their rounding, paired one to one"
    ),
    "miou_first": Metric("overlap of the first named box with the first true one"),
    "iou_union": Metric("overlap of all named boxes together with all true ones together"),
    "hit_rate50": Metric(
        "share of questions with a true box whose miou is at least 0.5", right_or_wrong=True
    ),
    "negative_accuracy": Metric(
        "share of questions without a true box that are answered without one", right_or_wrong=True
    ),
    "ap50": Metric(
        "precision times recall of boxes at overlap 0.5, mean over findings: no confidence ranks them",
        whole=grounding.ap50,
    ),
    "ap50_95": Metric("the same, mean over overlaps of 0.5, 0.55 ... 0.95", whole=grounding.ap50_95),
    "precision50": Metric(
        "share of the named boxes that overlap a true one by 0.5", whole=grounding.precision50
    ),
    "recall50": Metric("share of the true boxes that a named one overlaps by 0.5", whole=grounding.recall50),
    "box_f1_50": Metric("F1 of the two", whole=grounding.box_f1_50),
    "observation_f1": Metric(
        "F1 of a report's statements, side, place and severity included, paired one to one (ours)"
    ),
    "bleu2_rexrank": Metric("BLEU-2 of each report as ReXrank and RadCliQ compute it"),
    "bleu4_corpus": Metric(
        "BLEU-4 of the whole set as captioning scorers compute it, lower case", whole=bleu_corpus
    ),
    "rouge_l": Metric("longest common subsequence of words, F1, stemmed as the package rouge-score does"),
    "rouge_l_coco": Metric("the same as captioning scorers compute it: lower case, not stemmed, beta 1.2"),
    "bertscore_rexrank": Metric(
        "BERTScore F with distilroberta-base, layer 5, no idf, rescaled", backend="bertscore"
    ),
    **_radgraph(),
    "radgraph_combined": Metric(
        "mean RadGraph F1 of entities and of relations, original model, as RadCliQ takes it",
        backend="radgraph",
    ),
    "sf_labelled": Metric(
        "share of the trace's RadGraph-XL entities with their labels that the report has", backend="radgraph"
    ),
    "sf_tokens": Metric("the same by their words alone", backend="radgraph"),
    "sembscore": Metric("cosine of what CheXbert makes of both reports", backend="chexbert"),
    **_chexbert(),
    "ratescore": Metric(
        "RaTEScore, weights `long`; a report without an entity gets 0, not the package's 0.5",
        backend="ratescore",
    ),
    "green": Metric(
        "matched findings / (matched + significant errors), as GREEN's model counts", backend="green"
    ),
    "radcliq_v0": Metric("RadCliQ v0", lower_is_better=True),
    "radcliq_v1": Metric("RadCliQ v1: -1.44 is perfect, 2.45 the worst", lower_is_better=True),
    "radcliq_v1_inverse": Metric("1 / mean RadCliQ v1, for tables; none where the mean is 0 or less"),
}
"""Metric -> what it is, in the order in which tables show them."""

METRICS = {name: metric.definition for name, metric in TABLE.items()}
"""Metric -> its one-line definition, as printed beside the numbers."""

OF_REASONING = ("radrscore", "r_f", "r_c", "r_e", "s_f")
"""Metrics of a trace. A direct answer has 0 of each by rule, as it claims nothing: no finding about it."""
ALWAYS = (
    *("accuracy", "anomaly_f1", "iou", "iou_accuracy", "report_f1", "report_radrscore"),
    *OF_REASONING,
)
"""Metrics that a summary holds even where no item has them; the others stand there once measured."""

ANSWER_METRIC = {"labels": "anomaly_f1", "boxes": "iou", "report": "report_f1", "text": "word_f1"}
"""Kind of answer -> the metric that says what it is worth; closed questions are right or wrong."""
