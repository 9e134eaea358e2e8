"""What a written report is worth against the true one, without any model: words, and observations by rules.

>>> round(observation_f1("There is edema.", "There is edema. No effusion."), 6)
0.666667
"""

from __future__ import annotations

from cxreason.evaluation.overlap import PER_REPORT, bleu4_parts
from cxreason.text.contradictions import without_contradictions
from cxreason.text.matching import Facts, facts_of, match


def observation_f1(hypothesis: str, reference: str) -> float | None:
    """F1 of two reports' statements, side, place, severity and all, each paired with one of the other's.

    Precision counts what of the hypothesis follows from the reference, recall what of the reference follows
    from the hypothesis: a vaguer statement is right but does not recall the exact one. None where the
    reference states nothing that the rules know.

    >>> observation_f1("Edema.", "The patient was seen."), observation_f1("", "Edema.")
    (None, 0.0)
    """
    known = facts_of(reference)
    if not known.statements:
        return None
    said = facts_of(hypothesis)
    if not said.statements:
        return 0.0
    kept = without_contradictions(said.statements, known)
    meant = said if kept is said.statements else Facts.of(kept)
    precision = match(meant, known) / len(said.statements)
    recall = match(known, meant) / len(known.statements)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def report_scores(hypothesis: str, reference: str) -> dict[str, float | None]:
    """Metric -> value, for all that need no model and are means over reports.

    >>> sorted(report_scores("Edema.", "Edema."))
    ['bleu2_rexrank', 'observation_f1', 'rouge_l', 'rouge_l_coco']
    """
    found: dict[str, float | None] = {"observation_f1": observation_f1(hypothesis, reference)}
    return found | {name: metric(hypothesis, reference) for name, metric in PER_REPORT.items()}


def report_parts(hypothesis: str, reference: str) -> dict[str, tuple[float, ...]]:
    """Metric of the whole set -> what this report adds to it.

    >>> list(report_parts("Edema.", "Edema."))
    ['bleu4_corpus']
    """
    return {"bleu4_corpus": bleu4_parts(hypothesis, reference)}
