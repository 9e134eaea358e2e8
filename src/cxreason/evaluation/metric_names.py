"""What metrics are called on pages, and under which heading they stand there.

>>> title("bleu2_rexrank"), heading("ap50")
('BLEU-2 (ReXrank)', 'Places')
"""

from __future__ import annotations

NAMES = {
    "accuracy": "Accuracy",
    "anomaly_f1": "Anomaly F1",
    "word_f1": "Word F1",
    "self_consistency": "Self-consistency",
    "iou": "Box overlap",
    "iou_accuracy": "Boxes found",
    "miou": "mIoU",
    "miou_first": "IoU of the first box",
    "iou_union": "IoU of all boxes together",
    "hit_rate50": "Hit rate at 0.5",
    "negative_accuracy": "Right that there is none",
    "ap50": "AP at 0.5",
    "ap50_95": "AP at 0.5 to 0.95",
    "precision50": "Box precision at 0.5",
    "recall50": "Box recall at 0.5",
    "box_f1_50": "Box F1 at 0.5",
    "report_f1": "Report F1",
    "report_radrscore": "Report RadRScore",
    "observation_f1": "Observation F1",
    "bleu2_rexrank": "BLEU-2 (ReXrank)",
    "bleu4_corpus": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "rouge_l_coco": "ROUGE-L (COCO)",
    "bertscore_rexrank": "BERTScore",
    "radgraph_combined": "RadGraph F1",
    "sembscore": "SembScore",
    "ratescore": "RaTEScore",
    "green": "GREEN",
    "radcliq_v0": "RadCliQ-v0",
    "radcliq_v1": "RadCliQ-v1",
    "radcliq_v1_inverse": "1 / RadCliQ-v1",
    "radrscore": "RadRScore",
    "r_f": "Factuality",
    "r_c": "Completeness",
    "r_e": "Effectiveness",
    "s_f": "Entity factuality",
    "sf_labelled": "Entity factuality (RadGraph-XL)",
    "sf_tokens": "Entity factuality by words (RadGraph-XL)",
    **{
        f"radgraph_xl_{variant}_{case}": f"RadGraph-XL {variant}, {words}"
        for variant in ("simple", "partial", "complete")
        for case, words in (("cased", "cased"), ("casefold", "any case"))
    },
    **{
        f"chexbert_f1_{how}_{number}": f"CheXbert F1 {how}, {number} labels"
        for how in ("micro", "macro")
        for number in (5, 14)
    },
}
"""Metric -> its name on pages."""

HEADINGS = {
    "Answers": ("accuracy", "anomaly_f1", "word_f1", "self_consistency"),
    "Places": (
        *("iou", "iou_accuracy", "miou", "miou_first", "iou_union", "hit_rate50", "negative_accuracy"),
        *("ap50", "ap50_95", "precision50", "recall50", "box_f1_50"),
    ),
    "Reports": (
        *("report_f1", "report_radrscore", "observation_f1", "bleu2_rexrank", "bleu4_corpus", "rouge_l"),
        *("rouge_l_coco", "bertscore_rexrank", "radgraph_combined", "sembscore", "ratescore", "green"),
        *("radcliq_v0", "radcliq_v1", "radcliq_v1_inverse"),
        *(name for name in NAMES if name.startswith(("radgraph_xl", "chexbert"))),
    ),
    "Reasoning": ("radrscore", "r_f", "r_c", "r_e", "s_f", "sf_labelled", "sf_tokens"),
}
"""Heading -> its metrics in their order; all others stand under `OTHER`."""
OTHER = "Other"


def title(metric: str) -> str:
    """The name of a metric; its key as words where nobody gave it one.

    >>> title("new_metric")
    'New metric'
    """
    return NAMES.get(metric) or metric.replace("_", " ").capitalize()


def heading(metric: str) -> str:
    """The heading under which a metric stands.

    >>> heading("r_f"), heading("new_metric")
    ('Reasoning', 'Other')
    """
    return next((name for name, metrics in HEADINGS.items() if metric in metrics), OTHER)


def of_traces(metric: str) -> bool:
    """Whether a metric is about a trace, so that a direct answer has none.

    >>> of_traces("r_f"), of_traces("accuracy")
    (True, False)
    """
    return metric in HEADINGS["Reasoning"]


def order(metric: str) -> tuple[int, int]:
    """Sorts metrics by heading and place under it; unknown ones last.

    >>> sorted(["r_f", "iou", "accuracy"], key=order)
    ['accuracy', 'iou', 'r_f']
    """
    for number, metrics in enumerate(HEADINGS.values()):
        if metric in metrics:
            return number, metrics.index(metric)
    return len(HEADINGS), 0
